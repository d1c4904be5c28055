# Guards against a proof recorded twice: the same relay again is code 37,
# whether this nginx saw it or only Redis knows it, at once or one after the
# other, and does not cost a call of the chain when this nginx knows.

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
my $node = MeshNode->start(height => 6, relay => 'hang');

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
);
my $ledger = MeshLedger->new($edge, $redis, 'a');

$edge->start->serving;

my @relays = MeshRelay::relays(6, height => 5);
my $message = 'the Proof with specific merkleHash already found, check entropy';

is($edge->code($relays[0]), 200, 'a relay');
is($edge->chain_calls, 1, 'one call of the chain');
is($edge->code($relays[0]), 37, 'the same again');
is(($edge->relay($relays[0]))[1], '{"dispatch":null,"error":{"code":37,'
   . qq("codespace":"pocketcore","message":"$message"}}\n), 'in its form');
is($edge->chain_calls, 1, 'the chain was not asked again');

{
    my %n = $edge->burst(($relays[1]) x 20);
    is_deeply(\%n, { 200 => 1, 37 => 19 }, 'twenty at once: one is served');
}

$edge->quit;
$edge->start->serving;
is($edge->code($relays[0]), 37, 'another nginx knows it from Redis');
is($edge->code($relays[2]), 200, 'and serves others');

{
    my $other = $relays[3];
    my %n = $edge->burst(($other) x 10, @relays[0, 1, 4]);
    is_deeply(\%n, { 200 => 2, 37 => 11 }, 'all kinds at once');
}

is($ledger->sum->{recorded}, 5, 'each was recorded once');
ok($ledger->adds_up, 'the ledger adds up');
is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
