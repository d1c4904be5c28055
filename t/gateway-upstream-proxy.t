# Guards what stock proxy_pass does above gateway_select: kept connections,
# TLS with sessions used again, WebSocket, zones, variables, reloads under
# load and workers killed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshHttp;
use MeshPool;
use MeshServers;
use Test::More;

my $proxy = 'proxy_http_version 1.1;
             proxy_set_header Connection "";
             proxy_next_upstream error timeout non_idempotent;';

sub servers_of {
    my ($servers, $n) = @_;
    return join '', map {
        'server 127.0.0.1:' . $servers->port($_) . ";\n"
    } 0 .. $n - 1;
}

sub quiet {
    my ($pool) = @_;
    is($pool->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
    MeshPool->end_all;
    MeshServers->stop_all;
}

# kept connections, with and without zone

for my $zone ('', 'zone pool 128k;') {
    my $servers = MeshServers->start(3);
    my $pool = MeshPool->new(
        http => "upstream pool { $zone gateway_select family=none;
            @{[servers_of($servers, 3)]} keepalive 32; }",
        server => "location / { proxy_pass http://pool; $proxy }")->start;
    my $sum = $pool->load('/', seconds => 2, callers => 5);
    my ($asked, $dialed) = (0, 0);
    for (0 .. 2) {
        $asked += $servers->count($_);
        $dialed += $servers->connections($_);
    }
    is($asked, $sum->{n}, "each request once $zone");
    # nginx itself gives one up after 1000 requests
    cmp_ok($dialed, '<=', 20 + $sum->{n} / 500, "connections are kept $zone");

    # those that servers close meanwhile cost nothing
    for my $i (0 .. 2) {
        $servers->set($_, mode => 'refuse') for 0 .. 2;
        $servers->set($_, mode => '') for 0 .. 2;
        is($pool->ask('/')->{status}, 200, 'connections closed meanwhile');
    }
    quiet($pool);
}

# TLS

{
    my $dir = MeshHttp->certificates;
    my $pool = MeshPool->new(http => "
        log_format tls '\$ssl_session_reused';
        server {
            listen unix:%DIR%/tls.sock ssl;
            listen unix:%DIR%/tls2.sock ssl;
            ssl_certificate $dir/node.crt;
            ssl_certificate_key $dir/node.key;
            ssl_protocols TLSv1.2;
            ssl_session_cache shared:tls:1m;
            access_log %DIR%/tls.log tls;
            return 200 secret;
        }
        upstream pool {
            gateway_select family=none;
            server unix:%DIR%/tls.sock;
            server unix:%DIR%/tls2.sock;
        }", server => "location / {
            proxy_pass https://pool;
            proxy_ssl_name localhost;
            proxy_ssl_server_name on;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate $dir/ca.crt;
        }")->start;
    my $ok = grep { $_->{status} == 200 } map { $pool->ask('/') } 1 .. 20;
    is($ok, 20, 'TLS with its certificate verified');
    ok($pool->wait(sub {
        open my $f, '<', "$pool->{dir}/tls.log" or return;
        my @lines = <$f>;
        return @lines == 20 && 15 <= grep { /^r/ } @lines;
    }), 'sessions are used again');
    quiet($pool);
}

# WebSocket: lives on over the end of its try

{
    my $servers = MeshServers->start(2, mode => 'ws');
    my $pool = MeshPool->new(
        http => "upstream pool { gateway_select family=evm;
            @{[servers_of($servers, 2)]} }",
        server => 'location / {
            proxy_pass http://pool;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }')->start;

    my @s = map {
        my $s = $pool->connect;
        print $s $pool->request('/', get => 1, headers =>
            ['Upgrade: websocket', 'Connection: upgrade']);
        $s;
    } 1 .. 6;

    my $read = sub {
        my ($s) = @_;
        my $text = '';
        IO::Select->new($s)->can_read(5) and sysread $s, $text, 65536;
        return $text;
    };

    is(scalar(grep { $read->($_) =~ /^HTTP\/1.1 101 / } @s), 6, 'upgraded');
    for my $round (1 .. 3) {
        syswrite $_, "round $round" for @s;
        is(scalar(grep { $read->($_) eq "round $round" } @s), 6,
           "echo $round");
        Time::HiRes::sleep(0.3);
    }
    $pool->reload;
    syswrite $_, 'still' for @s;
    is(scalar(grep { $read->($_) eq 'still' } @s), 6, 'over a reload');
    close $_ for @s;
    is($pool->ask('/')->{status}, 200, 'and others are served');
    quiet($pool);
}

# sticky

{
    my $servers = MeshServers->start(5);
    my $pool = MeshPool->new(
        http => "upstream pool { gateway_select family=none sticky=\$arg_u;
            @{[servers_of($servers, 5)]} keepalive 32; }",
        server => "location / { proxy_pass http://pool; $proxy }")->start;

    my $ask = sub { $pool->ask("/?u=$_[0]")->{server} };
    my %before = map { $_ => $ask->($_) } 1 .. 100;
    is(scalar(grep { $ask->($_) eq $before{$_} } 1 .. 100), 100,
       'always the same server');
    my %n;
    $n{$_}++ for values %before;
    is(scalar(keys %n), 5, 'all servers have some');
    cmp_ok((sort { $b <=> $a } values %n)[0], '<', 45, 'none has most');

    $servers->set(2, mode => 'refuse');
    my $moved = grep { $before{$_} != 2 && $ask->($_) ne $before{$_} } 1 .. 100;
    is($moved, 0, 'when one goes, those of others stay');
    is(scalar(grep { $ask->($_) eq '2' } 1 .. 100), 0, 'its own move');

    my %any = map { $pool->ask('/')->{server} => 1 } 1 .. 60;
    cmp_ok(scalar(keys %any), '>', 1, 'without a value the ranking counts');
    quiet($pool);
}

# reloads under load, servers that come and go with them; how fast each seems
# in the meantime has no say

{
    my $servers = MeshServers->start(4, delay => 5);
    my $http = sub {
        return 'gateway_weights latency=0; upstream pool {
            gateway_select family=none;
            ' . servers_of($servers, $_[0]) . ' keepalive 32; }';
    };
    my $pool = MeshPool->new(workers => 2, http => $http->(3),
        server => "location / { proxy_pass http://pool; $proxy }")->start;
    my ($at, $reloads, $new) = (Time::HiRes::time() + 0.5, 0, 0);
    my $sum = $pool->load('/', seconds => 60, callers => 10,
        each => sub { $new ||= ($_[0]{server} // '') eq '3' },
        done => sub { $reloads == 5 && $new && Time::HiRes::time() > $at },
        tick => sub {
            return if Time::HiRes::time() < $at || $reloads == 5
                      || ($reloads % 2 && !$new);
            $at = Time::HiRes::time() + 1;
            $new = 0;
            $pool->{http} = $http->($reloads++ % 2 ? 3 : 4);
            $pool->configure;
            kill 'HUP', $pool->master;
        });
    is($reloads, 5, 'reloads');
    is($sum->{status}{200}, $sum->{n}, 'all is answered') or diag explain
        $sum->{status};
    is($sum->{open}, 0, 'nothing is left open');
    cmp_ok($sum->{server}{3} // 0, '>', 0, 'the new server has its share');

    # workers killed: the others go on, and the dead one's tries do not count
    for (1 .. 3) {
        my ($victim) = $pool->workers;
        my $hit = 0;
        $at = Time::HiRes::time() + 0.4;
        $sum = $pool->load('/', seconds => 1.5, callers => 10, tick => sub {
            $hit ||= Time::HiRes::time() > $at && kill 'KILL', $victim;
        });
    }
    $sum = $pool->load('/', seconds => 2, callers => 10);
    is($sum->{status}{200}, $sum->{n}, 'after workers were killed');
    for my $i (0 .. 3) {
        cmp_ok($sum->{server}{$i} // 0, '>', 0.02 * $sum->{n},
               "server $i goes on");
    }
    is($pool->logged('\[(crit|emerg)\]|signal 11'), 0, 'no crash');
    ok($pool->quit, 'a graceful quit ends');
    MeshServers->stop_all;
}

done_testing;
