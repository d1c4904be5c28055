# Guards the rule above all: never are two copies of one relay at the node at
# once.  What may have reached the node and was not answered is sent again
# only after a check that began later, and 5 seconds; what never left is not
# delayed by that.

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

# the node goes on with a relay for 4 s after its connection is gone

my $node = MeshNode->start(height => 6, linger => 4000);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 300ms;'
            . 'mesh_relay_notify_timeout 3s;'
            . 'mesh_relay_retry_wait 200ms 400ms;'
            . 'mesh_relay_slot_lease 2s;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');

$edge->start;
$edge->serving;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub answered {
    my ($name, $n, @o) = @_;
    my %got = $edge->burst(relays($n, @o));
    is($got{200}, $n, "$name: relays are answered");
}

sub delivered {
    my ($n) = @_;
    return $edge->wait_for(sub { $ledger->sum->{delivered} == $n });
}

answered('a session', 4);
ok(delivered(4), 'delivered');

for my $fault ('close', 'lost', 'hang') {
    my $before = $ledger->sum->{delivered};
    my $proofs = $node->stat('delivered');
    my $from = $node->stat('failed');
    $node->set(relay => $fault);
    my $begun = Time::HiRes::time();
    answered($fault, 10);
    ok($edge->wait_for(sub { $node->stat('failed') > $from }),
       "$fault: the node is notified");
    Time::HiRes::sleep(1.2);

    # some of the ten are with the node, others were never sent

    $node->set(relay => 'ok');
    my $sent = $node->stat('failed') - $from;
    ok(delivered($before + 10 - $sent), "$fault: what was not sent flows")
        if $sent < 10;
    is($ledger->sum->{queued}, $sent, "$fault: what was sent is in doubt");
    ok(delivered($before + 10), "$fault: and is sent again");
    cmp_ok(Time::HiRes::time() - $begun, '>=', 5, "$fault: after its time");
    is($node->stat('delivered') - $proofs, 10, "$fault: all are there");
    is($ledger->sum->{delivered_by_37}, 0,
       "$fault: 37 to a second sending is no loss");
    ok($ledger->adds_up, "$fault: the ledger adds up");
}

is($node->stat('twice'), 0, 'no proof was at the node twice at once');

# a doubt is not renewed by reloads

{
    my $before = $ledger->sum->{delivered};
    my $from = $node->stat('relay');
    $node->set(relay => 'lost');
    my $at = Time::HiRes::time();
    answered('reloads', 10);
    ok($edge->wait_for(sub { $node->stat('relay') > $from }),
       'reloads: the node is notified');
    $node->set(relay => 'ok');
    my ($n, $done) = (0, 0);
    while (!$done && Time::HiRes::time() - $at < 60) {
        $edge->reload;
        $n++;
        $done = $edge->wait_for(
            sub { $ledger->sum->{delivered} == $before + 10 }, 0.5);
    }
    ok($done, 'reloads: all are delivered');
    cmp_ok($n, '>=', 2, "reloads: over $n of them");
    cmp_ok(Time::HiRes::time() - $at, '>=', 5, 'reloads: after their time');
    ok($ledger->adds_up, 'reloads: the ledger adds up');
}

# refused connections leave nothing in doubt; a busy machine may need as long
# as a doubt for other reasons

my $took;

for (1 .. 3) {
    my $before = $ledger->sum->{delivered};
    $node->stop;
    answered('away', 20);
    Time::HiRes::sleep(1);
    is($ledger->sum->{queued}, 20, 'away: all are queued');
    ok(scalar $edge->logged('did not answer a notification'), 'it is logged');
    my $at = Time::HiRes::time();
    $node->start;
    ok(delivered($before + 20), 'back: all are delivered');
    $took = Time::HiRes::time() - $at;
    last if $took < 5;
}

cmp_ok($took, '<', 5, 'back: none of them in doubt');

# a node that is away with relays: killed

{
    my $before = $ledger->sum->{delivered};
    $node->set(relay => 'hang', linger => 0);
    answered('killed', 20);
    $edge->wait_for(sub { $node->stat('relay') > 0 });
    $node->kill9;
    answered('while it is away', 20);
    $node->{set}{relay} = 'ok';
    $node->save;
    Time::HiRes::sleep(1);
    $node->start;
    ok(delivered($before + 40), 'all of them are delivered');
    is($node->stat('delivered'), 40, 'once each');
}

# a worker that is killed while relays are with the node: its slot's next
# owner takes all for doubtful

{
    my $before = $ledger->sum->{delivered};
    my $proofs = $node->stat('delivered');
    my $from = $node->stat('relay');
    $node->set(relay => 'hang', linger => 4000);
    answered('workers killed', 20);
    ok($edge->wait_for(sub { $node->stat('relay') >= $from + 20 }),
       'workers killed: relays are with the node');
    $node->set(relay => 'ok');
    my $at = Time::HiRes::time();
    kill 'KILL', $edge->workers;
    ok(delivered($before + 20), 'workers killed: all are delivered');
    cmp_ok(Time::HiRes::time() - $at, '>=', 5, 'after their time');
    is($node->stat('delivered') - $proofs, 20, 'once each');
    ok($ledger->adds_up, 'workers killed: the ledger adds up');
}

# the moment at which an entry was recorded again is one of its host's uptime:
# that of another host, or a wall clock's, says nothing, whatever was proven of
# earlier doubts; no check, no sending

{
    my $before = $ledger->sum->{delivered};
    my $id = $ledger->id('app');
    my @marks = (1, 1000 * (time - 3600), 1000 * (time + 3600),
                 '0123456789abcdef:1', 'x', ':');
    my @relays = relays(scalar @marks);
    my $at = Time::HiRes::time();
    $node->set(check => 'hang');
    for my $i (0 .. $#marks) {
        $redis->command('EVAL', <<'LUA', 2, 'mesh:{a}:relays',
redis.call('XADD', KEYS[1], '*', 's', ARGV[1], 'r', ARGV[2], 't', ARGV[3],
           'd', ARGV[4])
local row = redis.call('HGET', KEYS[2], ARGV[1])
local n, rest = string.match(row, '^(%d+)(.*)$')
redis.call('HSET', KEYS[2], ARGV[1], string.format('%d', n + 1) .. rest)
LUA
            'mesh:{a}:ledger', $id, $relays[$i], 1000 * time, $marks[$i]);
    }
    my $read = sub { $redis->command('XPENDING', 'mesh:{a}:relays', 'edge') };
    ok($edge->wait_for(sub { $read->()->[0] == @marks }), 'marks: all read');
    answered('marks', 3);
    ok(delivered($before + 3), 'marks: new ones are sent');
    is($read->()->[0], scalar @marks, 'marks: and none of those');
    $node->set(check => 'ok');
    ok(delivered($before + 3 + @marks), 'marks: all are delivered');
    cmp_ok(Time::HiRes::time() - $at, '>=', 5, 'marks: after their time');
    ok($ledger->adds_up, 'marks: the ledger adds up');
}

is($node->stat('twice'), 0, 'no proof was at the node twice at once');
is_deeply([grep { !/exited on signal 9/ } $edge->alarms], [], 'no alarms');

done_testing;
