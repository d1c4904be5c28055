# Guards the watcher of full nodes: that a node is checked by one worker at a
# time, whatever becomes of that worker, that the check names what is served
# for the node, and that its answer decides whether relays are served.

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

# a relay that ends at row 6: rows 1 to 5 have let it pass
sub probe {
    my ($name) = @_;
    return '{"proof":{"servicer_pub_key":"' . MeshRelay::public($name)
        . '"}}';
}

sub more_checks {
    my ($edge, $n) = @_;
    my $from = $node->stat('check');
    return $edge->wait_for(sub { $node->stat('check') >= $from + $n });
}


my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 3, chains => ['0021', '0001'],
    nodes => [{ name => 'a', url => $node->url, keys => ['s1', 's2'] }],
    http => 'mesh_relay_node_check_interval 200ms;
             mesh_relay_node_check_timeout 5s;',
);

$edge->start;

ok($edge->wait_for(sub { $edge->code(probe('s1')) == 25 }),
   'a node that answers is served');

is($node->last('check'), '{"servicers":["' . MeshRelay::address('s1') . '","'
   . MeshRelay::address('s2') . '"],"Chains":["0021","0001"]}',
   'the check names servicers and chains');

{
    my $at = Time::HiRes::time();
    my $from = $node->stat('check');
    ok(more_checks($edge, 10), 'checks go on');
    my $n = $node->stat('check') - $from;
    cmp_ok($n, '<=', 2 + (Time::HiRes::time() - $at) * 6,
           'one worker checks, not each of them');
}

for my $pid ($edge->workers) {
    $edge->kill_worker($pid);
    ok(more_checks($edge, 3), 'checks go on without a worker that was killed');
}

# a stopped one is not replaced, the others have to notice

for my $pid ($edge->workers) {
    kill 'STOP', $pid;
    ok(more_checks($edge, 3), 'checks go on without a worker that hangs');
    kill 'CONT', $pid;
}

$edge->reload;
ok(more_checks($edge, 3), 'checks go on after a reload');
is($node->stat('check_max'), 1, 'there never were two checks at once');


# what a check says

$node->set(starting => 1);
ok($edge->wait_for(sub { ($edge->relay(probe('s1')))[1] =~ /unable to retrie/ }),
   'a starting node does not serve');

$node->set(starting => 0, catching_up => 1);
ok($edge->wait_for(sub { ($edge->relay(probe('s1')))[1] =~ /syncing/ }),
   'a node behind the chain does not serve');

$node->set(catching_up => 0, wrong_servicers => '["abcd"]');
ok($edge->wait_for(sub { $edge->code(probe('s1')) == 25 }),
   'wrong servicers do not stop the others');
ok($edge->wait_for(sub { $edge->logged('does not hold.*abcd') == 1 }),
   'wrong servicers are logged');
more_checks($edge, 3);
is(scalar $edge->logged('does not hold'), 1, 'but not with each check');
$node->set(wrong_servicers => '[]');


# answers that leave the status as it was

for my $how (500, 401, 'garbage', 'close', 'noerror') {
    $node->set(check => $how);
    more_checks($edge, 2);
    is($edge->code(probe('s1')), 25, "last status stays after \"$how\"");
    $node->set(check => 'ok');
    more_checks($edge, 2);
}

is(scalar $edge->logged('refused the token of "mesh_relay_node_auth"'), 1,
   'a refused token is logged as what it is');
ok($edge->logged('"a" answers, height 6') >= 5, 'each recovery is logged');

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;


# a new configuration checks at once, and once: a worker of the one before,
# which does not know yet that it is to end, leaves the node to it; before
# another Redis, as relays of workers that were killed may need checks

$edge = MeshEdge->new(
    redis => MeshRedis->start->socket, workers => 3,
    nodes => [{ name => 'a', url => $node->url, keys => ['s1', 's2'] }],
    http => 'mesh_relay_node_check_interval 200ms;',
);

$edge->start->serving;

my $s1 = MeshRelay::address('s1');
my ($last) = $edge->workers;

kill 'STOP', $last;

$edge->{nodes}[0]{keys} = ['s1'];
$edge->{http} = 'mesh_relay_node_check_interval 1h;
                 mesh_relay_node_grace 1h;';
$edge->configure;
kill 'HUP', $edge->master;

ok($edge->wait_for(sub { $node->last('check') =~ /:\["$s1"\]/ }),
   'a reload checks what is served now');

{
    my $from = $node->stat('check');

    # the interval of the worker that stands is over, long ago
    Time::HiRes::sleep(0.5);
    kill 'CONT', $last;
    ok($edge->wait_for(sub { !kill 0, $last }), 'the worker ends');
    is($node->stat('check'), $from, 'without a check');

    $edge->{nodes}[0]{keys} = ['s1', 's2'];
    $edge->reload;
    ok($edge->wait_for(sub { $node->stat('check') > $from }),
       'another reload checks at once');
    Time::HiRes::sleep(1.5);
    is($node->stat('check'), $from + 1, 'and once');
}


# a check that is asked for comes at once, and at most once a second

{
    my @relays = MeshRelay::relays(20, height => 41, servicer => 's1',
                                   meta => 6);
    my $from = $node->stat('check');
    my $begin = Time::HiRes::time();
    my %n = $edge->burst(@relays);
    is($n{90}, 20, 'a session far ahead is refused');
    ok($edge->wait_for(sub { $node->stat('check') > $from }),
       'and asks for a check at once');
    ok($edge->wait_for(sub {
        $edge->burst(@relays);
        return $node->stat('check') > $from + 1;
    }), 'and for another one');
    my $n = $node->stat('check') - $from;
    cmp_ok($n, '<=', 1 + (Time::HiRes::time() - $begin),
           'not more than one a second');
}

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;


# several nodes, hundreds of servicers

my @nodes = map { MeshNode->start(height => 6 + 4 * $_) } 0 .. 2;
my $n = 0;

$edge = MeshEdge->new(
    redis => $redis->socket,
    nodes => [map {
        { name => "many$_", url => $nodes[$_]->url,
          keys => [map { 'm' . $n++ } 1 .. 150] }
    } 0 .. 2],
    http => 'mesh_relay_node_check_interval 300ms;',
);

$edge->start;

for my $i (0 .. 2) {
    ok($edge->wait_for(sub { $edge->code(probe('m' . (150 * $i + 7))) == 25 }),
       "node $i of three is checked");
    my @addresses = $nodes[$i]->last('check') =~ /"([0-9a-f]{40})"/g;
    is(scalar @addresses, 150, 'with its own servicers');
}

$nodes[1]->set(check => 'hang');
$nodes[2]->set(starting => 1);
ok($edge->wait_for(sub {
    ($edge->relay(probe('m450')))[1] =~ /servicer PK/
    and ($edge->relay(probe('m301')))[1] =~ /unable to retrie/
}), 'a node that hangs does not delay the checks of another');

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
