# Guards heights in an ordinary upstream{}: of two servers on one LAN the one
# that lags gets nothing, a caller never goes back in time, and one server
# that tells an absurd height binds nobody to it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshPool;
use MeshServers;
use Test::More;

sub pool {
    my ($servers, $n, $keys, $location) = @_;
    my $lines = join '', map {
        'server 127.0.0.1:' . $servers->port($_) . ";\n"
    } 0 .. $n - 1;

    return MeshPool->new(
        http => "upstream pool {
            gateway_select family=evm weights=latency=0 $keys;
            $lines keepalive 64;
        }",
        server => "location / {
            proxy_pass http://pool;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_next_upstream error timeout non_idempotent;
            " . ($location // '') . '
        }')->start;
}

# heights grow by one block each time
sub grow {
    my ($servers, $n, $height) = @_;
    $servers->set($_, height => $height) for 0 .. $n - 1;
}

sub height {
    my ($answer) = @_;
    my ($hex) = $answer->{body} =~ /"result":"0x([0-9a-f]+)"/ or return 0;
    return hex $hex;
}

# two servers, one lags

{
    my $servers = MeshServers->start(2);
    $servers->set(1, lag => 30);
    my $pool = pool($servers, 2, 'height_tolerance=5 check_interval=200ms');
    my $height = 1000;

    ok($pool->wait(sub {
        grow($servers, 2, ++$height);
        $pool->ask('/', method => 'eth_blockNumber') for 1 .. 3;
        Time::HiRes::sleep(0.3);
        $servers->reset;
        my $sum = $pool->load('/', seconds => 0.5, callers => 4);
        return $sum->{n} && $servers->count(1) <= 0.02 * $sum->{n};
    }, 30), 'the one that lags gets next to nothing');

    $servers->set(1, lag => 0);
    ok($pool->wait(sub {
        grow($servers, 2, ++$height);
        Time::HiRes::sleep(0.3);
        $servers->reset;
        my $sum = $pool->load('/', seconds => 1, callers => 4);
        return $servers->count(1) >= 0.2 * $sum->{n};
    }, 60), 'and its share when it has caught up');

    is($pool->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
}

# a caller never goes back in time, within the tolerance too

for my $client ('', 'gateway_client $http_x_client;') {
    my $servers = MeshServers->start(3);
    $servers->set(2, lag => 2);
    my $pool = pool($servers, 3, 'height_tolerance=5 check_interval=200ms',
                    $client);
    my ($height, $back, $last, $n) = (1000, 0, 0, 0);

    # until the chain's height is known
    $pool->wait(sub {
        grow($servers, 3, ++$height);
        $pool->load('/', method => 'eth_blockNumber', seconds => 0.5,
                    callers => 2, headers => ['X-Client: b']);
        return $height > 1012;
    }, 30);

    for (1 .. 300) {
        grow($servers, 3, ++$height) if $_ % 50 == 0;
        my $told = height($pool->ask('/', method => 'eth_blockNumber',
                                     headers => ['X-Client: a']));
        $back++ if $told < $last;
        $last = $told;
        $n++ if $told;
    }

    is($n, 300, 'all told');
    cmp_ok($back, '<=', 1, "never back in time: $client");

    my $off = pool($servers, 3, 'height_tolerance=5 check_interval=200ms',
                   'gateway_client off;');
    ($back, $last) = (0, 0);
    for (1 .. 100) {
        my $told = height($off->ask('/', method => 'eth_blockNumber'));
        $back++ if $told < $last;
        $last = $told;
    }
    cmp_ok($back, '>', 1, 'which is no wonder of these servers');
    is($pool->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
} continue {
    MeshPool->end_all;
    MeshServers->stop_all;
}

# an absurd height

{
    my $servers = MeshServers->start(4);
    $servers->set(3, lag => -1000000);
    my $pool = pool($servers, 4, 'height_tolerance=5 check_interval=200ms');
    my $height = 1000;

    for (1 .. 8) {
        grow($servers, 4, ++$height);
        $pool->load('/', method => 'eth_blockNumber', seconds => 0.5,
                    callers => 2);
    }

    ok($pool->wait(sub {
        grow($servers, 4, ++$height);
        $servers->reset;
        my $sum = $pool->load('/', seconds => 2, callers => 4);
        return $servers->count(3) < 0.1 * $sum->{n}
               && $servers->count(0) > 0.1 * $sum->{n};
    }, 30), 'who tells an absurd height has no more for it, the others do');
    is($pool->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
}

done_testing;
