# Guards service while the full node is out of reach: as long as its last good
# answer is not older than the grace, over a restart of nginx too, and not a
# moment longer.

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
my $node = MeshNode->start(height => 6);

my $edge = MeshEdge->new(
    redis => $redis->socket,
    nodes => [{ name => 'a', url => $node->url, keys => ['s1'] }],
    http => 'mesh_relay_node_check_interval 100ms;
             mesh_relay_node_check_timeout 1s;
             mesh_relay_node_grace 5s;',
);

my $probe = '{"proof":{"servicer_pub_key":"' . MeshRelay::public('s1')
    . '"}}';

sub served  { return $edge->code($probe) == 25 }
sub refused { return ($edge->relay($probe))[1] =~ /currently unavailable/ }


$edge->start;
ok($edge->wait_for(\&served), 'served');

# its last check is later than this

my $begin = Time::HiRes::time();
my $checks = $node->stat('check');
$edge->wait_for(sub { $node->stat('check') > $checks + 1 });
$node->kill9;
ok($edge->wait_for(sub { $edge->logged('"a" could not be checked') }),
   'a check failed');
ok(served(), 'served in grace');
ok($edge->wait_for(\&refused), 'refused after it');
cmp_ok(Time::HiRes::time() - $begin, '>', 4.9, 'which is 5 s');
is(scalar $edge->logged('"a" could not be checked'), 1,
   'logged once, not with each check');

$node->start;
ok($edge->wait_for(\&served), 'served again when the node is back');


# the last answer is in Redis: a restart in the middle of an outage

$edge->{http} =~ s/grace 5s/grace 1h/;
$edge->reload;
ok($edge->wait_for(\&served), 'served after a reload');
$node->kill9;
$edge->quit;
$edge->start;
ok($edge->wait_for(\&served), 'a restarted edge serves in grace');
is(scalar $edge->logged('"a" was at height 6 \d+ s ago'), 1,
   'by what is kept in Redis');
$edge->quit;

$redis->command('FLUSHALL');
$edge->start;
ok(!$edge->wait_for(\&served, 2), 'without it there is nothing to go by');
ok(refused(), 'so it refuses');

$node->start;
ok($edge->wait_for(\&served), 'until the node answers');


# a node that takes connections and never answers is the same

$edge->{http} =~ s/grace 1h/grace 5s/;
$edge->reload;
ok($edge->wait_for(\&served), 'served');
$node->pause;
ok(served(), 'served in grace');
ok($edge->wait_for(\&refused), 'refused after it');
$node->resume;
ok($edge->wait_for(\&served), 'served again');

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
