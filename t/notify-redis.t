# Guards the edge against its Redis: restarted, killed with records on their
# way, emptied, of another schema.  No relay is answered 200 that Redis does
# not have, and none is lost or counted twice.

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

my $redis = MeshRedis->start(config => { appendonly => 'yes',
                                         appendfsync => 'always' });
my $node = MeshNode->start(height => 6);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 300ms;'
            . 'mesh_relay_retry_wait 200ms 400ms;'
            . 'mesh_relay_slot_lease 2s;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

# another schema

$redis->command('SET', 'mesh:{a}:version', '7');
$edge->start;
ok($edge->wait_for(sub { $edge->logged('by schema "7"') }),
   'another schema is told');
ok($edge->wait_for(sub { $node->stat('check') > 2 }), 'the node is known');
is(($edge->relay(relays(1)))[0], 503, 'and relays are refused');
is($redis->command('EXISTS', 'mesh:{a}:relays'), 0, 'nothing was written');
$redis->command('SET', 'mesh:{a}:version', '1');
ok($edge->wait_for(sub { $edge->code(relays(1, app => 'first')) == 200 }),
   'once it is ours they are served');

# killed while relays are recorded, and started again, three times

{
    ok($edge->wait_for(sub { $ledger->sum->{queued} == 0 }), 'all is quiet');
    my $before = $ledger->sum;
    my @bodies = relays(400);
    my $file = "$edge->{dir}/client";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my %n;
        while (my @some = splice @bodies, 0, 5) {
            my %got = eval { $edge->burst(@some) };
            $n{$_} += $got{$_} for keys %got;
        }
        open my $f, '>', $file;
        print $f map { "$_ $n{$_}\n" } keys %n;
        close $f;
        POSIX::_exit(0);
    }
    for (1 .. 3) {
        Time::HiRes::sleep(0.1);
        $redis->kill9;
        Time::HiRes::sleep(0.4);
        $redis->start;
    }
    waitpid $pid, 0;
    open my $f, '<', $file or die "client: $!";
    my %got = map { split } <$f>;
    my $n;
    ok($edge->wait_for(sub {
        $n = eval { $ledger->sum } and $n->{queued} == 0
            and $n->{recorded} == $n->{delivered} }, 90),
       'all that was recorded is delivered');
    my $recorded = $n->{recorded} - $before->{recorded};
    cmp_ok($recorded, '>=', $got{200}, 'what was answered is recorded');
    cmp_ok($got{200}, '>=', 300, 'a short absence is waited for');
    is($n->{delivered}, $node->stat('delivered'), 'the node has them once');
    ok($ledger->adds_up, 'the ledger adds up');
}

# its data are gone, and it goes on

{
    $redis->command('FLUSHALL');
    ok($edge->wait_for(sub { $edge->code(relays(1, app => 'empty')) == 200 }),
       'an empty Redis: relays are served');
    ok($edge->wait_for(sub {
        my ($row) = eval { $ledger->of('empty') };
        $row && $row->{delivered} == $row->{recorded} && $row->{recorded} }),
       'and delivered');
    is($redis->command('GET', 'mesh:{a}:version'), 1, 'the schema is there');
    ok($ledger->adds_up, 'the ledger adds up');
}

# it stands still: relays wait, then are refused

{
    $redis->pause;
    my $at = Time::HiRes::time();
    my ($status) = $edge->relay(relays(1, app => 'first'));
    is($status, 503, 'no record, no answer but 503');
    cmp_ok(Time::HiRes::time() - $at, '<', 15, 'in time');
    $redis->resume;
    ok($edge->wait_for(sub { $edge->code(relays(1, app => 'first')) == 200 }),
       'then it goes on');
    ok($edge->wait_for(sub { $ledger->sum->{queued} == 0 }), 'delivered');
    ok($ledger->adds_up, 'the ledger adds up');
}

is($node->stat('twice'), 0, 'no proof was at the node twice at once');
is_deeply([grep { !/by schema "7"/ } $edge->alarms], [], 'no alarms');

done_testing;
