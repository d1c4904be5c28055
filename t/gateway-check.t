# Guards the checks: that nodes which lag, lie or answer nonsense are out
# within a check's interval and come back when they are sound again, and that
# no honest one is ever punished.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshClock;
use MeshPool;
use MeshServers;
use Test::More;
use Time::HiRes qw(sleep);

my $interval = 1;

# a verdict is due within an interval and 1 s
my $due = $interval + 1;

# nodes of a chain; each is of the operator that its letter names
sub gateway {
    my ($servers, $operators, %o) = @_;
    my @operators = split //, $operators;
    my $nodes = join '', map {
        "node http://127.0.0.1:" . $servers->port($_) . '/'
        . " name=n$_ operator=$operators[$_];\n"
    } 0 .. $#operators;

    return MeshPool->new(
        workers => $o{workers} // 1,
        http => ($o{http} // '') . "gateway_chain eth {
            family " . ($o{family} // 'evm') . ";
            height_tolerance 3; timeout 3s; check_interval ${interval}s;
            max_ejected 90%; operator_cap 100%;
            $nodes @{[$o{chain} // '']}
        }",
        server => 'location /gateway/find/ { gateway_find; }',
    )->start;
}

# which nodes callers are given
sub given {
    my ($pool, $servers, $n) = @_;
    my %given;
    for (1 .. $n // 100) {
        my $answer = $pool->ask('/gateway/find/eth', get => 1);
        next unless $answer->{body} =~ m{"service_url":"http://[^:]*:(\d+)};
        $given{$1}++;
    }
    my %port = map { ($servers->port($_) => $_) } 0 .. $#{ $servers->{ports} };
    return { map { ($port{$_} => $given{$_}) } keys %given };
}

sub out  { my ($pool, $i) = @_; return $pool->logged("\"n$i\".* is out") }
sub back { my ($pool, $i) = @_; return $pool->logged("\"n$i\".* returns") }

# the time until a node is given to nobody
sub until_out {
    my ($pool, $servers, $i) = @_;
    my $clock = MeshClock->new($pool, $servers);
    my $time;
    $pool->wait(sub {
        my $given = given($pool, $servers, 30);
        $time = $clock->elapsed;
        return !$given->{$i} && out($pool, $i);
    }, 60) or return 99;
    return $time;
}

# all are given, and so many requests of checks later
sub settle {
    my ($pool, $servers, $n) = @_;
    ok($pool->wait(sub { keys %{ given($pool, $servers, 60) } == $n }, 60),
       "all $n nodes are given");
    checked($pool, $servers, 6, 0 .. $n - 1);
}

# each of these is asked so often from here on
sub checked {
    my ($pool, $servers, $more, @which) = @_;
    $servers->reset;
    $pool->wait(sub {
        !grep { $servers->checks($_) < $more } @which;
    }, 60) or fail('checks go on');
}

sub honest {
    my ($pool, $what, @honest) = @_;
    my $n = 0;
    my $bad = qr/\[(?:alert|crit|emerg)\](?!.* exited on signal 9)/;
    $n += out($pool, $_) for @honest;
    is($n, 0, "$what: no honest node was punished")
        or diag grep { /is out/ } split /^/, $pool->log;
    is($pool->logged($bad), 0, "$what: no alert")
        or diag grep { /$bad/ } split /^/, $pool->log;
}


# one node of five, in each way; then it is sound again

for my $fault (['lagging', 1.0, lag => 10],
               ['far too high', 1.0, lag => -1000000],
               ['lying', 1.0, lie => 1])
{
    my ($what, $share, $key, $value) = @$fault;
    my $servers = MeshServers->start(5, block_time => 500);
    my $pool = gateway($servers, 'abcde');

    settle($pool, $servers, 5);

    $servers->set(2, $key => $value);
    my $time = until_out($pool, $servers, 2);
    cmp_ok($time, '<=', $due, "$what: out in time");

    checked($pool, $servers, 6, 0, 1, 3, 4);
    my $given = given($pool, $servers);
    is($given->{2} // 0, 0, "$what: it stays out");
    cmp_ok(scalar keys %$given, '>=', 2, "$what: the others are given");

    $servers->set(2, $key => 0);

    if ($what ne 'lying') {
        ok($pool->wait(sub { back($pool, 2) }, 60), "$what: it returns");
    }

    honest($pool, $what, 0, 1, 3, 4);
    $pool->end;
    $servers->stop;
}


# three lying together of one operator, against four others

{
    my $servers = MeshServers->start(7, block_time => 500);
    my $pool = gateway($servers, 'aaabcde');

    settle($pool, $servers, 7);
    $servers->set($_, lie => 1) for 0 .. 2;

    for my $i (0 .. 2) {
        cmp_ok(until_out($pool, $servers, $i), '<=', $due,
               "one operator's liar $i is out in time");
    }

    honest($pool, 'liars of one operator', 3 .. 6);
    $pool->end;
    $servers->stop;
}


# an operator has no majority by numbers alone

{
    my $servers = MeshServers->start(7, block_time => 500);
    my $pool = gateway($servers, 'aaaaabc');

    settle($pool, $servers, 7);
    $servers->set($_, lie => 1, lag => -500) for 0 .. 4;
    checked($pool, $servers, 12, 0 .. 6);
    honest($pool, 'an operator with most nodes', 5, 6);
    $pool->end;
    $servers->stop;
}


# two nodes: who lies is not known, who lags is

{
    my $servers = MeshServers->start(2, block_time => 500);
    my $pool = gateway($servers, 'ab');

    settle($pool, $servers, 2);
    $servers->set(1, lie => 1);
    checked($pool, $servers, 9, 0, 1);
    honest($pool, 'two that differ', 0, 1);

    $servers->set(1, lie => 0, lag => 20);
    cmp_ok(until_out($pool, $servers, 1), '<=', $due + $interval,
           'one of two that lags is out');
    honest($pool, 'one of two lags', 0);
    $pool->end;
    $servers->stop;
}


# a node alone is never out for what it tells

{
    my $servers = MeshServers->start(1, block_time => 500);
    my $pool = gateway($servers, 'a');

    settle($pool, $servers, 1);
    $servers->set(0, lag => 50);
    checked($pool, $servers, 9, 0);
    is(given($pool, $servers)->{0}, 100, 'a node alone is given');
    honest($pool, 'a node alone', 0);
    $pool->end;
    $servers->stop;
}


# with a witness, two are enough

{
    my $servers = MeshServers->start(3, block_time => 500);
    my $pool = gateway($servers, 'ab',
        chain => 'witness http://127.0.0.1:' . $servers->port(2) . '/;');

    settle($pool, $servers, 2);
    $servers->set(0, lie => 1);
    cmp_ok(until_out($pool, $servers, 0), '<=', $due + $interval,
           'the witness tells who of two lies');
    cmp_ok($servers->checks(2), '>=', 3, 'it is asked');
    honest($pool, 'with a witness', 1);
    $pool->end;
    $servers->stop;
}


# what is no answer is no vote: the sound ones stay, whatever others send

for my $fault (['error', error => '{"code":-32603,"message":"internal"}'],
               ['HTML', body => '<html><body>Not here</body></html>'],
               ['no result', body => '{"jsonrpc":"2.0","id":1}'],
               ['500', status => 500],
               ['hang', mode => 'hang'],
               ['close', mode => 'close'])
{
    my ($what, $key, $value) = @$fault;
    my $servers = MeshServers->start(5, block_time => 500);
    my $pool = gateway($servers, 'abcde');

    settle($pool, $servers, 5);

    # three of five: more than the sound ones
    $servers->set($_, $key => $value) for 0 .. 2;
    checked($pool, $servers, 12, 3, 4);
    honest($pool, $what, 3, 4);
    my $given = given($pool, $servers);
    cmp_ok(($given->{3} // 0) + ($given->{4} // 0), '>=', 20,
           "$what: the sound ones are given");
    $pool->end;
    $servers->stop;
}


# quota is not punished, and left alone for as long as it asks

{
    my $servers = MeshServers->start(5, block_time => 500);
    my $pool = gateway($servers, 'abcde');

    settle($pool, $servers, 5);
    $servers->set(1, status => 429, header => 'Retry-After: 60');
    checked($pool, $servers, 6, 2);
    checked($pool, $servers, 6, 2);
    is($servers->checks(1), 0, 'it is left alone while others are asked');
    honest($pool, 'quota', 0 .. 4);
    $pool->end;
    $servers->stop;
}


# flapping: it is out whenever it is seen, and the others never

{
    my $servers = MeshServers->start(5, block_time => 500);
    my $pool = gateway($servers, 'abcde');

    settle($pool, $servers, 5);

    for my $n (1 .. 2) {
        $servers->set(3, lag => 20);
        ok($pool->wait(sub { out($pool, 3) >= $n }, 60),
           "a node that flaps is out, $n");
        $servers->set(3, lag => 0);
        ok($pool->wait(sub { back($pool, 3) >= $n }, 60),
           "and returns, $n");
    }

    honest($pool, 'flapping', 0, 1, 2, 4);
    $pool->end;
    $servers->stop;
}


# a chain that stands still is nobody's fault; checks by configuration

{
    my $servers = MeshServers->start(4);
    my $pool = gateway($servers, 'abcd', family => 'generic',
        http => q{
            gateway_check head { request POST; role height; value result;
                body '{"jsonrpc":"2.0","id":$id,"method":"eth_blockNumber"}'; }
            gateway_check hash { request POST; role identifier;
                value result.hash; offset 5 20;
                body '{"jsonrpc":"2.0","id":$id,"params":["$height_hex",false],
                       "method":"eth_getBlockByNumber"}'; }
            gateway_check net { request POST; role equals 0x1; value result;
                body '{"jsonrpc":"2.0","id":$id,"method":"eth_chainId"}'; }
        },
        chain => 'check head hash net evm_syncing_check;');

    settle($pool, $servers, 4);
    checked($pool, $servers, 8, 0 .. 3);
    honest($pool, 'configured checks', 0 .. 3);

    $servers->set(1, lie => 1);
    cmp_ok(until_out($pool, $servers, 1), '<=', $due,
           'a configured identifier finds the liar');

    $servers->set(2, lag => 10);
    cmp_ok(until_out($pool, $servers, 2), '<=', $due,
           'a configured height finds who lags');

    $servers->set(3, body => '{"jsonrpc":"2.0","result":"0x3e8"}');
    cmp_ok(until_out($pool, $servers, 3), '<=', $due,
           'another network and one that is syncing is out');
    is($pool->logged('"n3".*(net: the value is|still syncing)'), 1,
       'and why, once');
    honest($pool, 'configured checks', 0);
    $pool->end;
    $servers->stop;
}


# the example of a check

{
    my $servers = MeshServers->start(2);
    my $pool = gateway($servers, 'ab', family => 'generic',
                       chain => 'check evm_syncing_check;');

    settle($pool, $servers, 2);
    $servers->set(1, body => '{"jsonrpc":"2.0","result":{"currentBlock":0}}');
    cmp_ok(until_out($pool, $servers, 1), '<=', $due, 'who syncs is out');
    is($pool->logged('"n1".*still syncing'), 1, 'and why');
    honest($pool, 'example', 0);
    $pool->end;
    $servers->stop;
}


# one worker checks; another takes over when it is gone

{
    my $servers = MeshServers->start(3, block_time => 500);
    my $pool = gateway($servers, 'abc', workers => 3);

    settle($pool, $servers, 3);
    $servers->reset;
    my $begun = Time::HiRes::time();
    sleep 3 * $interval;
    my $n = $servers->checks(0);
    cmp_ok($n, '<=', 1 + 4 * (Time::HiRes::time() - $begun) / $interval,
           'a node is checked by one worker');

    for my $pid ($pool->workers) {
        kill 'KILL', $pid;
        checked($pool, $servers, 2, 0);
    }

    $pool->reload;
    checked($pool, $servers, 2, 0);
    honest($pool, 'workers killed', 0 .. 2);
    ok($pool->quit, 'it quits');
    $servers->stop;
}

done_testing();
