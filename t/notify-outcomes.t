# Guards what becomes of a relay after its notification: each answer of the
# node has the outcome of the protocol's table, and every relay that was
# recorded leaves the queue by one of them only.

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
    http => 'mesh_relay_node_check_interval 300ms;'
            . 'mesh_relay_retry_wait 200ms 400ms;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');

$edge->start;
$edge->serving;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub empty { return $edge->wait_for(sub { $ledger->sum->{queued} == 0 }) }

# relays of an app are a session of their own

sub outcome {
    my ($app, $answer, $n) = @_;
    $node->set(relay => $answer);
    my %got = $edge->burst(relays($n, app => $app));
    is($got{200}, $n, "$answer: relays are answered");
    ok($edge->wait_for(sub { $ledger->sum($app)->{queued} == 0 }),
       "$answer: the queue empties");
    my $row = $ledger->sum($app);
    ok($ledger->adds_up, "$answer: the ledger adds up");
    $node->set(relay => 'ok');
    return $row;
}

is(outcome('app1', 'ok', 5)->{delivered}, 5, 'delivered');

{
    my $row = outcome('app2', 37, 3);
    is($row->{delivered}, 3, '37 is delivered');
    is($row->{delivered_by_37}, 3, 'by 37 at the first sending');
    is($edge->code(relays(1, app => 'app2')), 200, 'its session goes on');
    empty();
}

for my $code (4, 25, 74) {
    my $row = outcome("app-$code", $code, 2);
    is_deeply($row->{refused}, { $code => 2 }, "$code: refused");
    is($edge->code(relays(1, app => "app-$code")), 200,
       "$code: its session goes on");
    empty();
}

for my $code (13, 14, 71, 90) {
    my $row = outcome("app-$code", $code, 2);
    is_deeply($row->{refused}, { $code => 2 }, "$code: refused");
    ok($edge->wait_for(sub {
        $edge->code(relays(1, app => "app-$code")) == $code }),
       "$code: its session is over, for all workers");
}

cmp_ok($redis->command('XLEN', 'mesh:{a}:dead'), '==', 14,
       'refused ones are kept apart');

# retried

for my $answer (60, 75, 26, 1, 28, 'noerror', 'garbage') {
    my $app = "app-$answer";
    my $from = $node->stat('relay');
    $node->set(relay => $answer);
    is({ $edge->burst(relays(6, app => $app)) }->{200}, 6,
       "$answer: relays are answered");
    ok($edge->wait_for(sub { $node->stat('relay') >= $from + 12 }),
       "$answer: and sent again");
    is($ledger->sum($app)->{queued}, 6, "$answer: all are queued");
    ok($ledger->adds_up, "$answer: the ledger adds up");
    $node->set(relay => 'ok');
    ok($edge->wait_for(sub { $ledger->sum($app)->{delivered} == 6 }),
       "$answer: until the node takes them");
}

# an answer for the edge, not for the relay

for my $answer (401, 500) {
    my $app = "app-$answer";
    my $from = $node->stat('relay');
    $node->set(relay => $answer);
    is({ $edge->burst(relays(40, app => $app)) }->{200}, 40,
       "$answer: relays are answered");
    Time::HiRes::sleep(1.5);
    is($ledger->sum($app)->{queued}, 40, "$answer: all are queued");
    $node->set(relay => 'ok');
    ok($edge->wait_for(sub { $ledger->sum($app)->{delivered} == 40 }),
       "$answer: until the node takes them");
    ok(!!$edge->logged("answered a notification with status $answer"),
       "$answer: it is logged") if $answer == 401;
}

# a session that was ended: what is queued is sent once more, not longer

{
    $node->set(relay => 60);
    is({ $edge->burst(relays(3, app => 'last')) }->{200}, 3, 'three waiting');
    Time::HiRes::sleep(0.5);
    my $id = $ledger->id('last');
    $redis->command('HSET', "mesh:{a}:session:$id", 's', 'i', 'c', 71);
    is($edge->code(relays(1, app => 'last')), 71, 'the session is over');
    ok($edge->wait_for(sub { $ledger->sum('last')->{queued} == 0 }),
       'nothing is retried any more');
    is_deeply($ledger->sum('last')->{refused}, { 71 => 3 },
              'they have the session\'s code');
    $node->set(relay => 'ok');
}

# what is no relay

$redis->command('XADD', 'mesh:{a}:relays', '*', 'foreign', 'entry');
ok($edge->wait_for(sub { $redis->command('XLEN', 'mesh:{a}:relays') == 0 }),
   'a foreign entry does not stay');
ok(scalar $edge->logged('is no recorded relay'), 'and is told');

ok($ledger->adds_up, 'in the end the ledger adds up');
is($node->stat('twice'), 0, 'no proof was at the node twice at once');
is_deeply([grep { !/no recorded relay/ } $edge->alarms], [], 'no alarms');

done_testing;
