# Guards the ledger as its operator reads it: all rows, each once, whatever
# their number and while they change; and what the sweep takes away, which is
# nothing that still has a relay.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshEdge;
use MeshLedger;
use MeshNode;
use MeshRedis;
use MeshRelay;
use POSIX ();
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);
my $other = MeshNode->start(height => 6);

# Redis may give a row of a scan again while the table is resized

my $again = $redis->before(sub {
    my ($reply, @command) = @_;
    return $reply if $command[0] ne 'HSCAN';
    my ($head, $n, $rows) = $reply =~ /\A(\*2\r\n\$\d+\r\n\d+\r\n)
                                       \*(\d+)\r\n(.*)\z/xs;
    return "$head*" . 2 * $n . "\r\n$rows$rows";
});

my $edge = MeshEdge->new(
    redis => $again->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] },
              { name => 'b\"c', url => $other->url, keys => ['other'] }],
    http => 'mesh_relay_node_check_interval 300ms;'
            . 'mesh_relay_ledger_keep 2s;'
            . 'mesh_relay_slot_lease 2s;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');

$edge->start;
$edge->serving;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

is_deeply([$ledger->rows], [], 'an empty ledger');

# its form

is($edge->code(relays(1)), 200, 'a relay');
ok($edge->wait_for(sub { $ledger->sum->{delivered} == 1 }), 'delivered');

is_deeply([$ledger->rows], [{
    node => 'a', servicer => MeshRelay::address('servicer'),
    session_height => 5, chain => '0021', app => MeshRelay::public('app'),
    recorded => 1, queued => 0, delivered => 1, delivered_by_37 => 0,
    refused => {}, expired => 0,
}], 'a row');

# rows of two nodes, more of them than one piece; one that nobody can read

{
    my @rows;
    for my $i (1 .. 2000) {
        my $id = sprintf '%040x:%064x:0021:%d', $i, $i, $i;
        push @rows, $id, "$i,3,1,2," . time . '000,71=4,13=5';
    }
    $redis->command('HSET', 'mesh:{a}:ledger', @rows);
    $redis->command('HSET', 'mesh:{b"c}:ledger', splice @rows, 0, 1000);
    $redis->command('HSET', 'mesh:{a}:ledger', 'x', 'y');

    my @got = $ledger->rows;
    is(scalar(grep { $_->{node} eq 'a' } @got), 2001, 'rows of one node');
    is(scalar(grep { $_->{node} eq 'b"c' } @got), 500, 'and of the other');
    my %once = map { ("$_->{node} $_->{session_height}" => 1)} @got;
    is(scalar keys %once, 2500, 'each once');
    my ($row) = grep { $_->{session_height} == 77 } @got;
    is_deeply([@$row{qw(recorded queued delivered delivered_by_37 expired)}],
              [77, 63, 3, 1, 2], 'their numbers');
    is_deeply($row->{refused}, { 71 => 4, 13 => 5 }, 'and codes');
    ok(scalar $edge->logged('row "x" of the ledger cannot be read'),
       'what cannot be read is told');
    $redis->command('DEL', 'mesh:{b"c}:ledger');
    $redis->command('HDEL', 'mesh:{a}:ledger', 'x',
                    map { sprintf '%040x:%064x:0021:%d', $_, $_, $_ }
                        1 .. 2000);
}

# under load, with outcomes of all kinds

{
    my $file = "$edge->{dir}/client";
    my @bodies = (relays(150), relays(150, app => 'app2'));
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        while (my @some = splice @bodies, 0, 6) {
            eval { $edge->burst(@some) };
        }
        POSIX::_exit(0);
    }
    my ($n, $odd) = (0, 0);
    my @answers = ('ok', 4, 60, 37, 'garbage');
    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        $node->set(relay => $answers[$n % @answers]) if $n % 5 == 0;
        $n++;
        $odd++ unless $ledger->adds_up;
        for my $row ($ledger->rows) {
            my $sum = $row->{queued} + $row->{delivered} + $row->{expired};
            $sum += $_ for values %{ $row->{refused} };
            $odd++ if $sum != $row->{recorded} || $row->{queued} < 0
                      || $row->{delivered_by_37} > $row->{delivered};
        }
    }
    is($odd, 0, 'it added up at every moment');
    cmp_ok($n, '>=', 10, "in $n samples");
    $node->set(relay => 'ok');
    ok($edge->wait_for(sub { $ledger->sum->{queued} == 0 }), 'and in the end');
    is($ledger->sum->{recorded}, 301, 'all are in it');
}

# the sweep

{
    $node->set(relay => 60);
    is($edge->code(relays(1, app => 'stuck')), 200, 'a relay that waits');
    my $stuck = $ledger->id('stuck');
    my $gone = $ledger->id('app2');
    is($redis->command('EXISTS', "mesh:{a}:session:$gone",
                       "mesh:{a}:proofs:$gone"), 2, 'a session and proofs');

    # the node's height as it will be kept, while the relay stays queued

    $node->set(relay => 'close');
    Time::HiRes::sleep(0.5);
    $redis->command('ZADD', 'mesh:{a}:sessions', -100, $gone);
    $redis->command('ZADD', 'mesh:{a}:sessions', -101, $stuck);
    ok($edge->wait_for(sub {
        $redis->command('EXISTS', "mesh:{a}:session:$gone",
                        "mesh:{a}:proofs:$gone") == 0 }, 60),
       'a session that is over goes');
    is($redis->command('EXISTS', "mesh:{a}:proofs:$stuck"), 1,
       'one with a relay stays');
    ok($edge->wait_for(sub { !$ledger->of('app2') }, 60),
       'a row that was left alone goes');
    is($ledger->sum('stuck')->{queued}, 1, 'one with a relay stays');
    ok($ledger->adds_up, 'the ledger adds up');
}

is_deeply([grep { !/row "x"/ } $edge->alarms], [], 'no alarms');

done_testing;
