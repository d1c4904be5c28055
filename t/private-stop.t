# Guards the stop by the operator: no worker serves a relay after it, the queue
# is flushed while nginx goes on, and a reload ends it.

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
    redis => $redis->socket, workers => 3,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 200ms;',
);
my $ledger = MeshLedger->new($edge, $redis, 'a');

sub relays { return MeshRelay::relays(shift, height => 5) }

sub stop {
    return $edge->send('', '/v1/private/mesh/stop',
                       'Authorization: edge-token');
}

$edge->start->serving;

is({ $edge->burst(relays(20)) }->{200}, 20, 'relays are served');

{
    my ($status, $body) = stop();
    is($status, 200, 'stopped');
    is($body, qq({"stopped":true,"queued":0}\n), 'with an empty queue');
    is($ledger->sum->{delivered}, 20, 'all is delivered by then');
}

is_deeply({ $edge->burst(relays(20)) }, { 1 => 20 }, 'no worker serves');
is(($edge->relay(relays(1)))[0], 503, 'with status 503');
like(($edge->relay(relays(1)))[1], qr/"message":"this node is stopped"/,
     'and why');
is(($edge->send(undef, '/v1/private/mesh/health',
                'Authorization: edge-token'))[0], 200, 'nginx goes on');

$edge->kill_worker(($edge->workers)[0]);
$edge->wait_for(sub { $edge->workers == 3 });
is_deeply({ $edge->burst(relays(20)) }, { 1 => 20 },
          'nor does a worker that has come since');

$edge->{http} .= 'mesh_relay_notify_timeout 2s;';
$edge->reload;
is({ $edge->burst(relays(20)) }->{200}, 20, 'a reload ends it');

# a queue that does not empty

ok($edge->wait_for(sub { $ledger->sum->{queued} == 0 }), 'all is delivered');
$node->set(relay => 60);
is({ $edge->burst(relays(5)) }->{200}, 5, 'relays are served');
{
    my $from = Time::HiRes::time();
    my ($status, $body) = stop();
    is($body, qq({"stopped":true,"queued":5}\n), 'what is left is told');
    cmp_ok(Time::HiRes::time() - $from, '<', 20, 'in time');
}
$node->set(relay => 'ok');
ok($edge->wait_for(sub { $ledger->sum->{queued} == 0 }),
   'and delivered later, stopped or not');

# a queue that nobody can tell

$edge->reload;
$redis->pause;
{
    my ($status, $body) = stop();
    is($body, qq({"stopped":true,"queued":null}\n), 'Redis does not answer');
}
{
    my $s = $edge->connect;
    print $s $edge->request('', '/v1/private/mesh/stop',
                            'Authorization: edge-token');
    $s->flush;
    Time::HiRes::sleep(0.3);
    close $s;
}
{
    my ($status, $body) = $edge->send(undef, '/v1/private/mesh/ledger',
                                      'Authorization: edge-token');
    is($status, 503, 'nor can the ledger be read');
    like($body, qr/^\{"code":503,"message":"Redis /, 'in the form of errors');
}
$redis->resume;
ok($edge->wait_for(sub { (stop())[1] =~ /"queued":0/ }), 'it is back');

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
