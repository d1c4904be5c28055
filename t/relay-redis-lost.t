# Guards what was answered 200 against a Redis that loses it: killed without
# a synced file, gone back to an older one, or replaced by its replica.  The
# records of the last 3 seconds are made again, before new ones; as their
# first copies may be at the node, they are sent only when that is over; and
# the ledger adds up.

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

my $redis = MeshRedis->start(port => 1);

# the node goes on with a relay for 2 s after its connection is gone

my $node = MeshNode->start(height => 6, linger => 2000);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 300ms;'
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

# all that Redis has now is delivered

sub settled {
    my ($name) = @_;
    ok($edge->wait_for(sub {
        my $n = eval { $ledger->sum } or return 0;
        $n->{recorded} && $n->{recorded} == $n->{delivered} }, 90),
       "$name: all is delivered");
    return $ledger->sum;
}

# what the workers repeated and Redis had lost, since the last call

my $seen = 0;

sub repeated {
    my ($name) = @_;
    my (@lines, $repeated, $lost);
    $edge->wait_for(sub {
        @lines = $edge->logged('records of the last 3s were repeated');
        ($repeated, $lost) = (0, 0);
        for (@lines[$seen .. $#lines]) {
            my ($n, $m) = /: (\d+) records .* it had lost (\d+) of/;
            $repeated += $n;
            $lost += $m;
        }
        return @lines > $seen;
    });
    $seen = @lines;
    return ($repeated, $lost);
}

# the process of the slot with the most entries

sub reader {
    my %pending = map { my %c = @$_; ($c{name} => $c{pending}) }
                  @{ $redis->command('XINFO', 'CONSUMERS',
                                     'mesh:{a}:relays', 'edge') };
    my ($most) = sort { $pending{$b} <=> $pending{$a} } keys %pending;
    my ($slot) = $most =~ /:(\d+)$/;
    my ($pid) = $redis->command('CLIENT', 'LIST') =~ /name=notify-$slot-(\d+)/;
    return $pid;
}

# killed while relays wait for the node, without any file; the node's next
# check, which ends the doubt, waits until all has been looked at

{
    $node->set(relay_delay => 600);
    answered('killed', 40);
    ok($edge->wait_for(sub { $node->stat('relay') }), 'killed: some are sent');
    $redis->kill9;
    $node->set(check => 'hang');
    Time::HiRes::sleep(1);
    $redis->start;
    ok($edge->wait_for(sub { eval { $ledger->sum->{recorded} == 40 } }),
       'killed: all are recorded again');
    is($ledger->sum->{queued}, 40, 'killed: and in doubt');
    $node->set(relay_delay => 0);

    # what comes before a worker has looked at the stream is taken for old

    my $new = 0;
    ok($edge->wait_for(sub {
        my %got = $edge->burst(relays(1));
        $new += $got{200};
        my $n = $ledger->sum;
        return $n->{delivered} && $n->{queued} >= 40;
    }), 'killed: new ones are not');
    my $at = Time::HiRes::time();
    $node->set(check => 'ok');
    settled('killed');
    cmp_ok(Time::HiRes::time() - $at, '>=', 5, 'killed: after their time');
    is($node->stat('delivered'), 40 + $new, 'killed: the node has them once');
    is($ledger->sum->{recorded}, 40 + $new, 'killed: as the ledger');
    is($ledger->sum->{delivered_by_37}, 0, 'killed: 37 is no loss');
    my ($again, $lost) = repeated();
    is($lost, 40, 'killed: the log tells of all');
    ok($ledger->adds_up, 'killed: the ledger adds up');
}

# back to an older file: what was pending or delivered then is new again

{
    my $proofs = $node->stat('delivered');
    Time::HiRes::sleep(3.2);
    $node->set(relay => 'hang');
    answered('older', 10, app => 'older');
    $redis->command('SAVE');
    $node->set(relay => 'ok', relay_delay => 300);
    answered('older, after the file', 30, app => 'older');
    $redis->kill9;
    my $at = Time::HiRes::time();
    $redis->start;
    settled('older');
    cmp_ok(Time::HiRes::time() - $at, '>=', 5, 'older: after their time');
    is($node->stat('delivered') - $proofs, 40, 'older: the node has all once');
    is($ledger->sum('older')->{recorded}, 40, 'older: as the ledger');
    my ($again, $lost) = repeated();
    cmp_ok($again, '>=', 40, 'older: all are repeated');
    is($lost, 30, 'older: those after the file were lost');
    ok($ledger->adds_up, 'older: the ledger adds up');
    $node->set(relay_delay => 0);
}

# back to a file of before they were read: a worker finds them as new, while
# the other one, which stands still, waits for the node's answer to them

{
    my $proofs = $node->stat('delivered');
    $node->set(relay => 'close');
    my $n = $node->stat('relay');
    answered('unread', 12, app => 'unread');
    ok($edge->wait_for(sub { $node->stat('relay') > $n + 1 }),
       'unread: notifications pause');
    Time::HiRes::sleep(0.3);
    answered('unread, more', 40, app => 'unread');
    $redis->command('SAVE');
    $n = $node->stat('relay');
    $node->set(relay => 'ok', relay_delay => 4000);
    ok($edge->wait_for(sub { $node->stat('relay') > $n + 20 }),
       'unread: they are sent');
    my $reader = reader();
    kill 'STOP', $reader;
    $redis->kill9;
    $redis->start;
    Time::HiRes::sleep(1.5);
    kill 'CONT', $reader;
    settled('unread');
    is($node->stat('twice'), 0, 'unread: no proof was at the node twice');
    is($node->stat('delivered') - $proofs, 52, 'unread: the node has all once');
    is($ledger->sum('unread')->{recorded}, 52, 'unread: as the ledger');
    my ($again, $lost) = repeated();
    is($lost, 0, 'unread: none was lost');
    ok($ledger->adds_up, 'unread: the ledger adds up');
    $node->set(relay_delay => 0);
}

# replaced by what its replica had got, without a restart; the first sync of a
# replica changes the ids of its master, which a connection finds by its next
# records, and the next sync has the master stand as a replica of itself for
# longer than records are kept

{
    my $replica = MeshRedis->start(port => 1);
    my $proofs = $node->stat('delivered');
    $_->command('CONFIG', 'SET', 'repl-diskless-sync-delay', 5)
        for $redis, $replica;
    Time::HiRes::sleep(3.2);
    $replica->command('REPLICAOF', '127.0.0.1', $redis->port);
    ok($edge->wait_for(sub {
        $replica->command('INFO', 'replication') =~ /master_link_status:up/
    }), 'replica: it is one');
    my $n = 0;
    ok($edge->wait_for(sub {
        my %got = $edge->burst(relays(2, app => 'replica'));
        $n += $got{200};
        Time::HiRes::sleep(0.2);
        return $edge->logged('its data were replaced') == $edge->{workers};
    }), 'replica: workers find the ids');
    settled('replica');
    ok($edge->wait_for(sub {
        my @n = map { $_->command('XINFO', 'STREAM', 'mesh:{a}:relays')->[9] }
                    $redis, $replica;
        $n[0] eq $n[1] }), 'replica: it has all');
    $seen = () = $edge->logged('were repeated');
    $replica->command('REPLICAOF', 'NO', 'ONE');
    $node->set(relay_delay => 300);
    answered('replica, cut off', 20, app => 'replica');
    $redis->command('REPLICAOF', '127.0.0.1', $replica->port);
    ok($edge->wait_for(sub {
        $redis->command('INFO', 'replication') =~ /master_link_status:up/
    }), 'replica: the master follows it');
    Time::HiRes::sleep(1.5);
    $redis->command('REPLICAOF', 'NO', 'ONE');
    ok($edge->wait_for(sub {
        eval { $ledger->sum('replica')->{recorded} == $n + 20 } }),
       'replica: all are recorded again');
    settled('replica');
    is($node->stat('delivered') - $proofs, $n + 20,
       'replica: the node has all once');
    my ($again, $lost) = repeated();
    is($lost, 20, 'replica: those after the cut were lost');
    is($redis->command('INFO', 'server') =~ /uptime_in_seconds:(\d+)/
       && $1 >= 5, 1, 'replica: without a restart');
    ok($ledger->adds_up, 'replica: the ledger adds up');
    $node->set(relay_delay => 0);
}

# lost when the workers that made the records are told to end: they stay for
# them, as long as Redis, which stands still, has not answered

SKIP: {
    skip 'under valgrind the seconds are over before workers end', 10
        if $ENV{TEST_NGINX_USE_VALGRIND};

    my $redis_lost = sub {
        $redis->kill9;
        $redis->start;
    };

    answered('reload', 20, app => 'reload');
    $redis->pause;
    $edge->reload;
    $redis_lost->();
    ok($edge->wait_for(sub {
        eval { $ledger->sum('reload')->{recorded} == 20 } }),
       'reload: old workers record all again');
    settled('reload');
    ok($ledger->adds_up, 'reload: the ledger adds up');

    answered('quit', 20, app => 'quit');
    $redis->pause;
    kill 'QUIT', $edge->master;
    ok($edge->wait_for(sub { !$edge->workers }), 'quit: the workers quit');
    $redis_lost->();
    $edge->quit;
    $edge->start;
    ok($edge->wait_for(sub {
        eval { $ledger->sum('quit')->{recorded} == 20 } }),
       'quit: they record all again, and end');
    settled('quit');
    ok($ledger->adds_up, 'quit: the ledger adds up');
    is(scalar $edge->logged('the worker ends with'), 0, 'none ended before');
    $seen = () = $edge->logged('were repeated');
}

# and do not stay for ever

{
    answered('away', 10, app => 'away');
    $redis->pause;
    $edge->quit;
    ok(scalar $edge->logged('the worker ends with \d+ records'),
       'away: a worker tells what may be lost');
    $redis->resume;
    $edge->start;
    settled('away');
}

# nothing is repeated after a restart that lost nothing of the last seconds

{
    my $n = $ledger->sum->{recorded};
    Time::HiRes::sleep(3.2);
    answered('late', 1);
    settled('late');
    Time::HiRes::sleep(6.5);
    $redis->command('SAVE');
    $redis->restart;
    answered('late, after the restart', 10);
    settled('late');
    is($ledger->sum->{recorded}, $n + 11, 'late: each is recorded once');
    is(scalar(() = $edge->logged('were repeated')), $seen,
       'late: and none repeated');
    ok($ledger->adds_up, 'late: the ledger adds up');
}

# what is kept is bounded, and the oldest give way; one line tells of it

SKIP: {
    skip 'under valgrind that is not a matter of seconds', 4
        if $ENV{TEST_NGINX_USE_VALGRIND};

    my $text = 'do not fit into 16384 records and 16777216 bytes';
    is(scalar(() = $edge->logged($text)), 0, 'large: all fitted so far');
    $node->set(relay => 'close');
    my @large = map { [ relays(48, data => 'x' x 900_000) ] } 1 .. 3;
    ok($edge->wait_for(sub {
        my $relays = shift @large or return 1;
        $edge->burst(@$relays);
        return $edge->logged($text);
    }, 120), 'large: they are sent');
    my @lines = $edge->logged($text);
    cmp_ok(scalar @lines, '>=', 1, 'large: too many for 16 MB are told');
    cmp_ok(scalar @lines, '<=', 2, 'large: by each worker once');
    $node->set(relay => 'ok');
    settled('large');
}

is($node->stat('twice'), 0, 'no proof was at the node twice at once');
is_deeply([$edge->alarms], [], 'no alarms');

done_testing;
