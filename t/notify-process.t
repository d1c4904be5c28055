# Guards the recovery path, which is the normal path: whatever becomes of the
# workers, each relay that was answered 200 is delivered once, and the ledger
# adds up at every moment.

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

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6, linger => 4000);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 300ms;'
            . 'mesh_relay_retry_wait 200ms 400ms;'
            . 'mesh_relay_slot_lease 2s;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');
my $total = 0;

$edge->start;
$edge->serving;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub lease { return $redis->command('GET', "mesh:lease:test:$_[0]") // '' }

sub owned {
    my (@slots) = @_;
    return $edge->wait_for(sub {
        !grep { my $v = lease($_); !$v || $v eq 'clean' } @slots });
}

sub delivered {
    my ($name, $seconds) = @_;
    ok($edge->wait_for(sub { $ledger->sum->{delivered} == $total }, $seconds),
       "$name: all are delivered");
    is($node->stat('delivered'), $total, "$name: once each");
    ok($ledger->adds_up, "$name: the ledger adds up");
}

# sends relays one after the other from another process, which ends with a
# file of their outcomes

sub client {
    my (@bodies) = @_;
    my $file = "$edge->{dir}/client";
    unlink $file;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my %n;
        for my $body (@bodies) {
            my $code = eval { $edge->code($body) } // 'no answer';
            $n{$code}++;
            Time::HiRes::sleep(0.01);
        }
        open my $f, '>', $file;
        print $f map { "$_ $n{$_}\n" } keys %n;
        close $f;
        POSIX::_exit(0);
    }
    return $pid;
}

sub outcomes {
    my ($pid) = @_;
    waitpid $pid, 0;
    open my $f, '<', "$edge->{dir}/client" or die "client: $!";
    return { map { split ' ', $_, 2 } map { chomp; $_ } <$f> };
}


# reloads under load, the ledger sampled all the while

{
    my $pid = client(relays(300));
    my ($n, $odd) = (0, 0);
    for (1 .. 4) {
        for (1 .. 20) {
            $n++;
            $odd++ unless $ledger->adds_up;
            Time::HiRes::sleep(0.02);
        }
        $edge->reload;
    }
    my $got = outcomes($pid);
    is_deeply($got, { 200 => 300 }, 'reloads: each relay is answered');
    is($odd, 0, "the ledger added up in $n samples");
    $total += 300;
    delivered('reloads');
}

# a quit while relays are queued, and a start

{
    ok($edge->wait_for(sub { owned(0, 1) && !$ledger->sum->{queued} }),
       'both slots are owned');
    Time::HiRes::sleep(7);
    $node->set(relay => 60);
    is({ $edge->burst(relays(20)) }->{200}, 20, 'quit: relays are answered');
    $total += 20;
    Time::HiRes::sleep(0.5);
    $edge->quit;
    is(lease(0), 'clean', 'quit: the first slot was let go cleanly');
    is(lease(1), 'clean', 'quit: and so was the second');
    is($redis->command('XLEN', 'mesh:{a}:relays'), 20, 'quit: all are queued');

    # what was in doubt would have to wait for a check

    $node->set(relay => 'ok', check => 'hang');
    $edge->start;
    delivered('restart: nothing in doubt');
    $node->set(check => 'ok');
}

# a quit waits for what is with the node, and settles it

{
    $node->set(relay_delay => 1500);
    my $from = $node->stat('relay');
    is({ $edge->burst(relays(10)) }->{200}, 10, 'relays are answered');
    $total += 10;
    ok($edge->wait_for(sub { $node->stat('relay') == $from + 10 }),
       'all are with the node');
    $edge->quit;
    is($redis->command('XLEN', 'mesh:{a}:relays'), 0,
       'a quit settles what was with the node');
    $node->set(relay_delay => 0);
    $edge->start;
    delivered('with the node');
}

# fewer workers: what the last ones had is taken over

{
    $edge->quit;
    $edge->{workers} = 4;
    $edge->start;
    owned(0 .. 3);
    $node->set(relay => 60);
    is({ $edge->burst(relays(60)) }->{200}, 60, '4 workers: answered');
    $total += 60;
    ok($edge->wait_for(sub {
        my $n = $redis->command('XPENDING', 'mesh:{a}:relays', 'edge');
        $n->[0] == 60 }), '4 workers: all are read');
    $edge->{workers} = 1;
    $edge->reload;
    $node->set(relay => 'ok');
    delivered('1 worker', 40);
    ok($edge->wait_for(sub {
        @{ $redis->command('XINFO', 'CONSUMERS', 'mesh:{a}:relays', 'edge') }
            == 1 }), 'and their consumers are gone');
}

# as many as before, one of them killed with its lease

{
    $edge->{workers} = 2;
    $edge->reload;
    my $pid = client(relays(200));
    Time::HiRes::sleep(0.5);
    kill 'KILL', ($edge->workers)[0];
    my $got = outcomes($pid);
    cmp_ok($got->{200} // 0, '>=', 190, 'a worker killed: others answer');
    my $recorded = $ledger->sum->{recorded} - $total;
    cmp_ok($recorded, '>=', $got->{200}, 'what was answered is recorded');
    $total += $recorded;
    delivered('a worker killed', 30);
}

# ended at once, and started

{
    $node->set(relay => 'hang');
    my $from = $node->stat('relay');
    is({ $edge->burst(relays(20)) }->{200}, 20, 'relays are answered');
    $total += 20;
    $edge->wait_for(sub { $node->stat('relay') > $from });
    $edge->finish('TERM');
    ok($edge->wait_for(sub { !grep { /^\w{16}$/ } map { lease($_) } 0, 1 }),
       'TERM: the leases end at once');
    ok(scalar(grep { /^doubt:/ } map { lease($_) } 0, 1),
       'TERM: what is cut is in doubt');
    $node->set(relay => 'ok');
    $edge->start;
    delivered('TERM', 30);
}

is($node->stat('twice'), 0, 'no proof was at the node twice at once');
is_deeply([grep { !/exited on signal 9/ } $edge->alarms], [], 'no alarms');

done_testing;
