# Guards the count of relays and the refusal of duplicates, over workers,
# reloads and a restart: the node would not pay for what goes beyond.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshEdge;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6, remaining => 25);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 4,
    nodes => [{ name => 'a', url => $node->url, keys => ['s1'] }],
    http => 'mesh_relay_node_check_interval 200ms;
             mesh_relay_session_timeout 10s;
             mesh_relay_record_timeout 10s;
             mesh_relay_unvalidated_max 10;',
);

my $part = 1;

sub relays {
    my ($n, %o) = @_;
    return MeshRelay::relays($n, servicer => 's1', height => 5, meta => 6,
                             app => "app$part", %o);
}

sub known {
    my $probe = '{"proof":{"servicer_pub_key":"' . MeshRelay::public('s1')
        . '"}}';
    return $edge->wait_for(sub { $edge->code($probe) == 25 });
}

$edge->start;
ok(known(), 'the node is known');

is_deeply({ $edge->burst(relays(60)) }, { 200 => 25, 90 => 35 },
          'no more than the node takes, in a burst');
{
    my $from = $edge->chain_calls;
    is_deeply({ $edge->burst(relays(10)) }, { 90 => 10 }, 'nor later');
    is($edge->chain_calls, $from, 'and the chain is not asked in vain');
}

$part++;
{
    is_deeply({ $edge->burst(relays(25)) }, { 200 => 25 }, 'just as many');
    my $from = $edge->chain_calls;
    is($edge->code((relays(1))[0]), 90, 'and one more');
    is($edge->chain_calls, $from, 'which is known before Redis refuses it');
}

$part++;
is_deeply({ $edge->burst(relays(20)) }, { 200 => 20 }, 'another session');
$edge->reload;
is_deeply({ $edge->burst(relays(20)) }, { 200 => 5, 90 => 15 },
          'a reload changes nothing');

$part++;
is_deeply({ $edge->burst(relays(20)) }, { 200 => 20 }, 'a third one');
$edge->quit;
$edge->start;
known();
is_deeply({ $edge->burst(relays(20)) }, { 200 => 5, 90 => 15 },
          'nor does a restart');


# duplicates

$part++;
my ($relay, @others) = relays(6);
is($edge->code($relay), 200, 'a relay');
{
    my $from = $edge->chain_calls;
    is($edge->code($relay), 37, 'the same again');
    is_deeply({ $edge->burst(($relay) x 20, @others) },
              { 200 => 5, 37 => 20 }, 'in all workers');
    is($edge->chain_calls, $from + 5, 'known here, the chain is not asked');
}
is_deeply({ $edge->burst(map { ($_) x 5 } relays(4)) },
          { 200 => 4, 37 => 16 }, 'copies at once: one is served');
is_deeply({ $edge->burst(relays(30)) }, { 200 => 15, 90 => 15 },
          'duplicates do not count');

# nothing that fails at the chain counts

$part++;
is_deeply({ $edge->burst(relays(20, path => 'fail')) }, { 28 => 20 },
          'failures of the chain');
is_deeply({ $edge->burst(relays(30)) }, { 200 => 25, 90 => 5 },
          'do not count');

ok($edge->wait_for(sub { $node->stat('delivered') == 25 * 6 }),
   'the node was told of each') or diag $node->stat('delivered');
is($node->stat('twice'), 0, 'never of two copies at once');

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
