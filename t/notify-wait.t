# Guards relays that have to wait: those of a session that the node has not
# validated or reached, those that the node does not take yet; that no waiting
# session delays another, and that what cannot be claimed any more expires.

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
my $node = MeshNode->start(height => 8);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 200ms;'
            . 'mesh_relay_retry_wait 200ms 400ms;'
            . 'mesh_relay_notify_window 8;'
            . 'mesh_relay_notify_concurrency 2;'
            . 'mesh_relay_slot_lease 2s;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');

$edge->start;
$edge->serving;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub height {
    my ($h) = @_;
    $node->set(height => $h);
    $edge->wait_for(sub {
        ($redis->command('HGET', 'mesh:{a}:node', 'h') // 0) == $h });
}

sub flows {
    my ($name, $app) = @_;
    my $before = $ledger->sum($app)->{delivered};
    is({ $edge->burst(relays(5, app => $app, meta => 10)) }->{200}, 5,
       "$name: relays of another session");
    ok($edge->wait_for(sub {
        $ledger->sum($app)->{delivered} == $before + 5 }), "$name: flow");
}

flows('first', 'other');

# not validated: more of them than the window holds

{
    $node->set(session => 'hang');
    is({ $edge->burst(relays(20, app => 'new', meta => 8)) }->{200}, 20,
       'relays of a session that is not validated');
    flows('not validated', 'other');
    is($ledger->sum('new')->{queued}, 20, 'they wait');
    is($node->last('relay') =~ MeshRelay::public('new'), '',
       'and the node has not seen them');
    ok($ledger->adds_up, 'the ledger adds up');
    $node->set(session => 'ok');
    $node->stop;
    $node->start;
    ok($edge->wait_for(sub { $ledger->sum('new')->{delivered} == 20 }),
       'validated: all are delivered');
    is($node->stat('twice'), 0, 'one after the other');
}

# ahead of the node

{
    is({ $edge->burst(relays(12, app => 'ahead', height => 9)) }->{200}, 12,
       'relays of the next session');
    flows('ahead', 'other');
    is($ledger->sum('ahead')->{queued}, 12, 'they wait');
    height(9);
    ok($edge->wait_for(sub { $ledger->sum('ahead')->{delivered} == 12 }),
       'until the node has reached it');
}

# not taken: more than the window, and for long

{
    $node->set(relay => 26);
    my $from = $node->stat('relay');
    is({ $edge->burst(relays(30, app => 'late', height => 9)) }->{200}, 30,
       'relays that the node does not take yet');
    Time::HiRes::sleep(2);
    is($ledger->sum('late')->{queued}, 30, 'they wait');
    cmp_ok($node->stat('relay') - $from, '<', 100,
           'and the node is not asked for each of them all the time');
    $node->set(relay => 'ok');
    ok($edge->wait_for(sub { $ledger->sum('late')->{delivered} == 30 }),
       'until it takes them');
    ok($ledger->adds_up, 'the ledger adds up');
}

# expiry: by the relay's height, and by its session's

{
    $node->set(relay => 60);
    is({ $edge->burst(relays(3, app => 'old', height => 9, meta => 5),
                      relays(3, app => 'old', height => 9, meta => 10))
       }->{200}, 6, 'relays of several heights');
    Time::HiRes::sleep(0.5);
    height(16);
    ok($edge->wait_for(sub { $ledger->sum('old')->{expired} == 3 }),
       'those too far behind expire');
    is($ledger->sum('old')->{queued}, 3, 'the others wait');
    height(20);
    ok($edge->wait_for(sub { $ledger->sum('old')->{expired} == 6 }),
       'until their session cannot be claimed');
    ok($ledger->adds_up, 'the ledger adds up');
    is(scalar @{ $redis->command('XRANGE', 'mesh:{a}:dead', '-', '+') }, 6,
       'they are kept apart');
}

# they expire although nothing can be sent

{
    $node->set(relay => 'close');
    is({ $edge->burst(relays(4, app => 'dark', height => 17)) }->{200}, 4,
       'relays that get no answer');
    Time::HiRes::sleep(0.5);
    height(40);
    ok($edge->wait_for(sub { $ledger->sum('dark')->{expired} == 4 }),
       'expire, too');
}

is($ledger->sum->{queued}, 0, 'nothing is left');
ok($ledger->adds_up, 'the ledger adds up');
is_deeply([$edge->alarms], [], 'no alarms');

done_testing;
