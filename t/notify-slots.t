# Guards the slots' leases: of two processes that both take a slot for theirs
# one sends, whatever became of the other one, and of the clocks.

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
my $total = 0;

sub edge {
    my (%o) = @_;
    return MeshEdge->new(
        redis => $redis->socket, workers => 1,
        nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
        http => 'mesh_relay_node_check_interval 300ms;'
                . 'mesh_relay_retry_wait 200ms 400ms;'
                . "mesh_relay_slot_lease @{[$o{lease} || '3s']};"
                . ($o{more} // ''), %o);
}

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub lease { return $redis->command('GET', 'mesh:lease:test:0') // '' }

sub answered {
    my ($edge, $n, $name) = @_;
    is({ $edge->burst(relays($n)) }->{200}, $n, "$name: relays are answered");
    $total += $n;
}

sub delivered {
    my ($edge, $name) = @_;
    my $ledger = MeshLedger->new($edge, $redis, 'a');
    ok($edge->wait_for(sub { $ledger->sum->{delivered} == $total }, 90),
       "$name: all are delivered");
    is($node->stat('delivered'), $total, "$name: once each");
    is($node->stat('twice'), 0, "$name: and never twice at once");
    ok($ledger->adds_up, "$name: the ledger adds up");
}


# two nginx of one name

{
    my ($one, $two) = (edge(), edge());

    $one->start->serving;
    ok($one->wait_for(sub { lease() }), 'one has the slot');
    my $owner = lease();
    $two->start->serving;

    answered($_, 10, 'both') for $one, $two;
    delivered($two, 'both');
    ok($two->wait_for(sub { $two->logged('slot "test:0" is still held') }),
       'the other one says that it waits');
    is(scalar $two->logged('an nginx of the same "mesh_edge"'), 1, 'and why');
    is(scalar $one->logged('mesh_edge'), 0, 'the owner has nothing to say');
    is(lease(), $owner, 'which it still is');

    # it dies with relays at the node: the other one comes after its lease

    my $from = $node->stat('relay');
    $node->set(relay => 'hang');
    answered($two, 10, 'the owner dies');
    ok($one->wait_for(sub { $node->stat('relay') == $from + 10 }),
       'the owner dies: relays are with the node');
    $node->set(relay => 'ok');
    $one->kill9;
    unlink "$one->{dir}/nginx.pid";
    delivered($two, 'the owner dies');
    isnt(lease(), $owner, 'the slot has another owner');

    # one that has more workers: none of the slots is taken from the living

    my $three = edge(workers => 3);
    $three->start->serving;
    my $slots = sub { join ' ', map {
        substr $redis->command('GET', "mesh:lease:test:$_") // '', 0, 16
    } 0 .. 2 };
    ok($three->wait_for(sub { $slots->() =~ /^\w{16} \w{16} \w{16}$/ }),
       'more workers: three slots are owned');
    my $owners = $slots->();
    answered($_, 10, 'more workers') for $two, $three;
    delivered($two, 'more workers');
    Time::HiRes::sleep(3);
    is($slots->(), $owners, 'more workers: all by the same');

    $three->quit;
    answered($two, 10, 'again one');
    delivered($two, 'again one');
    $two->quit;
    is_deeply([map { $_->alarms } $one, $two, $three], [], 'no alarms');
}


# an owner that is stopped for longer than its lease, with one relay at the
# node and others to follow

{
    my ($one, $two) = map { edge(more => 'mesh_relay_notify_concurrency 1;') }
                          1 .. 2;

    $one->start->serving;
    ok($one->wait_for(sub { lease() =~ /^\w{16}$/ }), 'one has the slot');
    my $owner = lease();
    $two->start->serving;

    my $from = $node->stat('relay');
    $node->set(relay_delay => 1000);
    answered($two, 3, 'stopped');
    ok($one->wait_for(sub { $node->stat('relay') == $from + 1 }),
       'stopped: one relay is with the node');
    kill 'STOP', $one->workers;
    ok($two->wait_for(sub { $node->stat('delivered') == $total - 2 }),
       'stopped: which answers to nobody');
    $node->set(relay_delay => 4000);
    ok($two->wait_for(sub { lease() !~ /^(?:$owner|)$/ }),
       'stopped: the other one has the slot');

    # the relay that it begins with is known to the node, the next one is not

    ok($two->wait_for(sub { $node->stat('relay') == $from + 3 }),
       'stopped: and sends what is left');
    kill 'CONT', $one->workers;
    ok($one->wait_for(sub { $one->logged('lease of slot "test:0" was lost') }),
       'the old owner sees that it is none');
    delivered($two, 'the old owner');
    is($node->stat('relay'), $from + 4, 'the old owner: has sent nothing');
    $_->quit for $one, $two;
    is_deeply([map { $_->alarms } $one, $two], [], 'no alarms');
}


# the clock of Redis' host is set forward: a lease that ends long before its
# owner knows

{
    my ($one, $two) = map { edge(lease => '9s',
                                 more => 'mesh_relay_notify_concurrency 1;') }
                          1 .. 2;

    $one->start->serving;
    ok($one->wait_for(sub { lease() =~ /^\w{16}$/ }), 'one has the slot');
    $two->start->serving;

    my $owner = lease();
    my $from = $node->stat('relay');
    $node->set(relay_delay => 1300);
    ok($one->wait_for(sub {
        $redis->command('PTTL', 'mesh:lease:test:0') > 8500 }),
       'an early end: it was renewed just now');
    answered($two, 6, 'an early end');
    ok($one->wait_for(sub { $node->stat('relay') > $from }),
       'an early end: relays go to the node');
    $redis->command('DEL', 'mesh:lease:test:0');
    ok($two->wait_for(sub { lease() =~ /^(?!$owner)\w{16}$/ }),
       'an early end: the other one has the slot');
    delivered($two, 'an early end');
    is(scalar $one->logged('lease of slot "test:0" was lost'), 1,
       'an early end: the owner has learned it');
    $node->set(relay_delay => 0);
    $_->quit for $one, $two;
    is_deeply([map { $_->alarms } $one, $two], [], 'no alarms');
}


# a slot that was let go with a doubt by a process of another host, or before
# the host's clock was set: its times mean nothing here

for my $value ('until:1', 'doubt:1', 'until:0123456789abcdef:1',
               'until:' . 1000 * time)
{
    my $edge = edge();

    $edge->start->serving;
    answered($edge, 1, $value);
    delivered($edge, $value);
    $node->set(relay => 60);
    answered($edge, 2, $value);
    Time::HiRes::sleep(0.5);
    $edge->quit;
    $node->set(relay => 'ok');
    $redis->command('SET', 'mesh:lease:test:0', $value);
    my $at = Time::HiRes::time();
    $edge->start;
    delivered($edge, $value);
    cmp_ok(Time::HiRes::time() - $at, '>=', 5, "$value: after their time");
    $edge->quit;
    is_deeply([$edge->alarms], [], 'no alarms');
}

done_testing;
