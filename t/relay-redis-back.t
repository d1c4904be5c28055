# Guards relays against the back-off of a worker: when Redis has been away for
# long, and is back, the first relay to come connects to it, and one that
# waits is woken by the connection, instead of being refused with 503 because
# the next attempt is seconds away.  And Redis against being asked too often.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use MeshEdge;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);

my $edge = MeshEdge->new(
    redis => $redis->socket . ' reconnect_max=60s', workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 200ms;
             mesh_relay_record_timeout 6s;',
);

$edge->start;
$edge->serving;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub sent {
    return map {
        my $s = $edge->connect;
        print $s $edge->request($_);
        $s->flush;
        $s;
    } @_;
}

# statuses of the answers, and how long the last one took

sub answers {
    my ($at, @s) = @_;
    my %n;
    local $/;
    $n{ (<$_> =~ /^HTTP\/1.1 (\d+)/)[0] // 'none' }++ for @s;
    return (\%n, Time::HiRes::time() - $at);
}

# the next attempt to connect is then 6 to 13 seconds after the last

sub away {
    my ($redis) = @_;
    $redis->stop;
    Time::HiRes::sleep(13);
}

my ($n, $took) = answers(Time::HiRes::time(), sent(relays(20)));
is_deeply($n, { 200 => 20 }, 'relays are served');

# back before the relays come

away($redis);
$redis->start;
my @relays = relays(20);
($n, $took) = answers(Time::HiRes::time(), sent(@relays));
is_deeply($n, { 200 => 20 }, 'Redis is back: relays are served at once');
cmp_ok($took, '<', 3, 'without waiting for the next attempt');

# back while they wait

away($redis);
@relays = relays(20);
my @s = sent(@relays);
ok(!IO::Select->new(@s)->can_read(1), 'Redis is away: relays wait');
$redis->start;
($n, $took) = answers(Time::HiRes::time(), @s);
is_deeply($n, { 200 => 20 }, 'it comes back: they are served');
cmp_ok($took, '<', 3, 'as soon as it is');

# gone while the chain is asked for 4 s, back 2 s after that

@s = sent(relays(20, path => 'slow'));
Time::HiRes::sleep(1);
$redis->kill9;
Time::HiRes::sleep(4.7);
$redis->start;
($n, $took) = answers(Time::HiRes::time(), @s);
is_deeply($n, { 200 => 20 }, 'gone before the record: they are recorded');
cmp_ok($took, '<', 3, 'as soon as it is back');

# a server that hangs up is asked every 100 ms for as long as relays wait

{
    $redis->stop;
    unlink $redis->socket;
    my $count = "$edge->{dir}/count";
    my $fake = MeshRedis->fake(sub {
        open my $f, '>>', $count or die "$count: $!";
        print $f "x\n";
        close $f;
    });
    symlink $fake->socket, $redis->socket or die "symlink: $!";
    Time::HiRes::sleep(8);
    open my $f, '>', $count;
    close $f;
    ($n, $took) = answers(Time::HiRes::time(), sent(relays(40)));
    my $attempts = -s $count;
    is_deeply($n, { 503 => 40 }, 'nobody answers: they are refused');
    cmp_ok($took, '>=', 5.5, 'after their time');

    # two workers all the time, and the readers of the stream

    cmp_ok($attempts / 2, '<=', 2 * (10 * $took + 1) + 6,
           'few attempts for many relays');
    cmp_ok($attempts / 2, '>=', 16, 'but they go on');
    Time::HiRes::sleep(1);
    my $rest = (-s $count) / 2;
    Time::HiRes::sleep(3);
    cmp_ok((-s $count) / 2 - $rest, '<=', 4, 'and then no more');
    unlink $redis->socket;
}

$redis->start;
($n, $took) = answers(Time::HiRes::time(), sent(relays(20)));
is_deeply($n, { 200 => 20 }, 'all is well again');

is_deeply([$edge->alarms], [], 'no alarms');

done_testing;
