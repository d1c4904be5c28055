# Guards the choice in an ordinary upstream{}: fast servers get the traffic,
# weights count, and what fails, hangs or turns slow costs callers nothing for
# long.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshPool;
use MeshServers;
use Test::More;

my $location = 'location / {
    proxy_pass http://pool;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_read_timeout 2s;
    proxy_next_upstream error timeout http_500 http_502 http_503 http_504
                        http_429 non_idempotent;
}';

# an upstream of servers with these parameters each
sub pool {
    my ($servers, $keys, @parameters) = @_;
    my $lines = join '', map {
        'server 127.0.0.1:' . $servers->port($_) . " $parameters[$_];\n"
    } 0 .. $#parameters;

    return MeshPool->new(server => $location, http =>
        "upstream pool {\n gateway_select $keys;\n $lines keepalive 64;\n}");
}

sub share {
    my ($sum, @which) = @_;
    my $n = 0;
    $n += $sum->{server}{$_} // 0 for @which;
    return $n / ($sum->{n} || 1);
}

sub failures {
    my ($sum) = @_;
    return $sum->{n} - ($sum->{status}{200} // 0) + $sum->{open};
}

# latency, closed loop: callers wait for servers, not for the processor

{
    my $servers = MeshServers->start(5, delay => 20);
    my $pool = pool($servers, 'family=none', ('') x 5)->start;

    my $failed = 0;

    ok($pool->wait(sub {
        my $even = $pool->load('/', seconds => 2, callers => 10);
        $failed += failures($even);
        return !grep { share($even, $_) <= 0.08 } 0 .. 4;
    }, 60), 'servers alike: each has its share');

    $servers->set(4, delay => 120);
    ok($pool->wait(sub {
        my $slow = $pool->load('/', seconds => 1, callers => 10);
        $failed += failures($slow);
        return share($slow, 4) < 0.05;
    }, 60), 'the slow one has little');
    $servers->set(4, delay => 20);

    # the part of the callers' time that is lost to the slow one, which is
    # waited for as long as nginx has the patience

    my $lost = sub {
        my ($seconds) = @_;
        $servers->reset;
        $failed += failures($pool->load('/', seconds => $seconds,
                                        callers => 10));
        return 2 * $servers->count(2) / (10 * $seconds);
    };

    $servers->set(2, delay => 4000);
    cmp_ok($lost->(12), '<=', 0.5,
           'one of five takes 4 s: throughput over its onset');
    ok($pool->wait(sub { $lost->(4) <= 0.05 }, 60),
       'at least 95 % of the throughput is kept');
    is($failed, 0, 'all is answered');
    $pool->end;
    $servers->stop;
}

# weights

{
    # as slow as that nothing else that takes time makes a difference
    my $servers = MeshServers->start(2, delay => 40);
    my $pool = pool($servers, 'family=none weights=latency=0', 'weight=9',
                    '')->start;
    my %sum = (n => 0);
    $pool->wait(sub {
        my $sum = $pool->load('/', seconds => 1, callers => 1);
        $sum{n} += $sum->{n};
        $sum{server}{$_} += $sum->{server}{$_} for keys %{ $sum->{server} };
        return $sum{n} >= 150 && share(\%sum, 1) > 0.005;
    }, 60);
    cmp_ok(share(\%sum, 0), '>', 0.7, 'the heavier one has more');
    cmp_ok(share(\%sum, 1), '>', 0.005, 'the lighter one has some');
    $pool->end;
    $servers->stop;
}

# one of five fails, each in its way

for my $fault ([status => 500, 'answers 500'], [mode => 'close', 'closes'],
               [mode => 'refuse', 'refuses'], [mode => 'half', 'breaks off'],
               [mode => 'hang', 'hangs'])
{
    my ($key, $value, $name) = @$fault;
    my $servers = MeshServers->start(5, delay => 5);
    my $pool = pool($servers, 'family=none', ('') x 5)->start;

    $pool->load('/', seconds => 1, callers => 10);
    $servers->set(1, $key => $value);

    my $first = $pool->load('/', seconds => 4, callers => 10);

    # what broke off had begun: its caller has the header already
    is(failures($first), 0, "one $name: no failure")
        unless $value eq 'half';

    my $then;
    ok($pool->wait(sub {
        $servers->reset;
        $then = $pool->load('/', seconds => 2, callers => 10);
        return $servers->count(1) <= 0.01 * $then->{n}
               && $pool->quantile($then, 0.99) < 0.5;
    }, 60), "one $name: it is left alone, and the others are fast");
    is(failures($then), 0, "one $name: no failure afterwards");

    # without checks nobody asks whether it still hangs
    next if $value eq 'hang';

    $servers->set(1, $key => $key eq 'mode' ? '' : 200);
    ok($pool->wait(sub {
        $servers->reset;
        my $sum = $pool->load('/', seconds => 1, callers => 10);
        return share($sum, 1) > 0.05;
    }, 60), "one $name: it comes back");
} continue {
    MeshPool->end_all;
    MeshServers->stop_all;
}

# backup, down, nobody

{
    my $servers = MeshServers->start(4, delay => 5);
    my $pool = pool($servers, 'family=none', '', '', 'backup', 'down')->start;

    my $sum = $pool->load('/', seconds => 1, callers => 5);
    is(share($sum, 2, 3), 0, 'neither backup nor down is used');

    $servers->set($_, status => 500) for 0, 1;
    $sum = $pool->load('/', seconds => 3, callers => 5);
    is(failures($sum), 0, 'backup answers when the others fail');
    is(share($sum, 2), 1, 'all of it');

    ok($pool->wait(sub {
        $servers->reset;
        $sum = $pool->load('/', seconds => 1, callers => 5);
        return $servers->count(0) + $servers->count(1) < 0.2 * $sum->{n};
    }, 30), 'and is asked at once when the others are out');

    $servers->set(2, status => 500);
    my $answer = $pool->ask('/');
    is($answer->{status}, 500, 'when all fail the caller is told');
    cmp_ok($answer->{time}, '<', 2, 'at once');
    $servers->set($_, mode => 'refuse') for 0 .. 2;
    is($pool->ask('/')->{status}, 502, 'nobody is there');
    $servers->set($_, mode => '', status => 200) for 0 .. 2;
    is($pool->ask('/')->{status}, 200, 'back at once when all were out');
    is($pool->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
    $pool->end;
    $servers->stop;
}

done_testing;
