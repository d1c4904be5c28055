# Guards the promise that no relay is answered 200 that Redis does not have:
# without Redis, or with one that does not answer in time, clients get 503 in
# the protocol's form, and service goes on by itself when Redis is back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshEdge;
use MeshLedger;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 200ms;
             mesh_relay_record_timeout 3s;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub status { return ($edge->relay(relays(1)))[0] }

# each worker comes back by itself: both are asked in a row of ten

sub serves {
    my ($what) = @_;
    ok($edge->wait_for(sub { !grep { status() != 200 } 1 .. 10 }), $what);
}

# at the start

$redis->stop;
$edge->start;
ok($edge->wait_for(sub { status() == 503 }), 'Redis is not there at the start');
$redis->start;
serves('it comes');

# in between

$redis->stop;
{
    my $s = $edge->connect;
    print $s $edge->request(relays(1));
    $s->flush;
    local $/;
    my $text = <$s>;
    like($text, qr/^HTTP\/1.1 503 /, 'Redis is gone');
    like($text, qr/^Retry-After: 1\r$/m, 'it is worth another try');
    like($text, qr/^Content-Type: application\/json; charset=utf-8\r$/m,
         'the type of an answer');
    like($text, qr/^Access-Control-Allow-Origin: \*\r$/m, 'CORS');
    like($text, qr/\r\n\r\n\{"dispatch":null,"error":\{"code":1,
         "codespace":"sdk","message":"the\ relay\ could\ not\ be\ recorded"
         \}\}\n\z/x, 'in the form of the protocol');
}
{
    my $calls = $edge->chain_calls;
    is_deeply({ $edge->burst(relays(20)) }, { 1 => 20 },
              'all of a burst');
    is($edge->chain_calls, $calls, 'the chain is not asked in vain');
}
$redis->start;
serves('it is back, with its memory lost');

# slow

{
    my @relays = relays(10);
    $redis->pause;
    my @s = map {
        my $s = $edge->connect;
        print $s $edge->request($_);
        $s->flush;
        $s;
    } @relays;
    Time::HiRes::sleep(0.4);
    $redis->resume;
    local $/;
    my @ok = grep { <$_> =~ /^HTTP\/1.1 200/ } @s;
    is(scalar @ok, 10, 'a slow Redis is waited for');
}

{
    my @relays = relays(10);
    my $row = $ledger->sum->{recorded};
    $redis->pause;
    my $from = Time::HiRes::time();
    my %n = $edge->burst(@relays);
    my $took = Time::HiRes::time() - $from;
    is_deeply(\%n, { 1 => 10 }, 'not for ever');
    cmp_ok($took, '<', 10, 'but for its time');
    $redis->resume;
    serves('it answers again');
    ok($edge->wait_for(sub { $ledger->sum->{queued} == 0 }),
       'all is delivered');
    cmp_ok($ledger->sum->{recorded}, '>=', $row + 1,
           'what was answered is recorded');
}

# killed while relays are on their way

{
    my @s = map {
        my $s = $edge->connect;
        print $s $edge->request($_);
        $s->flush;
        $s;
    } relays(20, path => 'slow');
    Time::HiRes::sleep(0.2);
    $redis->kill9;
    local $/;
    my %n;
    $n{ (<$_> =~ /^HTTP\/1.1 (\d+)/)[0] }++ for @s;
    is_deeply(\%n, { 503 => 20 }, 'killed before the record');
    $redis->start;
    serves('and back');
}

ok($ledger->adds_up, 'the ledger adds up');
is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
