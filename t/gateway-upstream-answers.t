# Guards what is read from answers that pass by: JSON-RPC errors of the node
# count against it and those of the caller do not, heights keep callers from
# going back in time, limits pace, clients that give up blame nobody.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshPool;
use MeshServers;
use Test::More;

# so many seconds from now, in HTTP's form

sub date {
    my ($day, $month, $n, $clock, $year) = split ' ', gmtime(time + shift);
    return sprintf '%s, %02d %s %d %s GMT', $day, $n, $month, $year, $clock;
}

sub pool {
    my ($servers, $n, $keys, %o) = @_;
    my $lines = join '', map {
        'server 127.0.0.1:' . $servers->port($_) . ";\n"
    } 0 .. $n - 1;

    return MeshPool->new(%o,
        http => "upstream pool {
            gateway_select weights=latency=0 $keys;
            $lines keepalive 64;
        }" . ($o{http} // ''),
        server => 'location / {
            proxy_pass http://pool;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream error timeout http_429 http_502 http_503
                                http_504 non_idempotent;
            ' . ($o{location} // '') . '
        }')->start;
}

sub share_of {
    my ($pool, $servers, $i, %o) = @_;
    $servers->reset;
    my $sum = $pool->load('/', seconds => 2, callers => 5, %o);
    return $servers->count($i) / ($sum->{n} || 1);
}

# its share becomes next to nothing
sub left_alone {
    my ($pool, $servers, $i, $what) = @_;
    ok($pool->wait(sub { share_of($pool, $servers, $i) < 0.03 }, 30), $what);
}

# it keeps its share, when records are made
sub stays {
    my ($pool, $servers, $i, $what) = @_;
    share_of($pool, $servers, $i);
    cmp_ok(share_of($pool, $servers, $i), '>', 0.05, $what);
}

sub done {
    my ($pool, $servers) = @_;
    is($pool->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
    $pool->end;
    $servers->stop;
}

# whose fault

my @faults = (
    [error => '{"code":-32603,"message":"Internal error"}', 1],
    [error => '{"code":-32000,"message":"header not found"}', 1],
    [error => '{"code":-32000,"message":"missing trie node 12"}', 1],
    [error => '{"code":-32005,"message":"limit exceeded"}', 1],
    [body => '<html>busy</html>', 1],
    [error => '{"code":-32601,"message":"the method is not available"}', 0],
    [error => '{"code":3,"message":"execution reverted"}', 0],
    [error => '{"code":-32000,"message":"nonce too low"}', 0],
);

for (@faults) {
    my ($key, $text, $node) = @$_;
    my $servers = MeshServers->start(3, delay => 5);
    my $pool = pool($servers, 3, 'family=evm');
    $servers->set(0, $key => $text);

    if ($node) { left_alone($pool, $servers, 0, "$text: the node's") }
    else { stays($pool, $servers, 0, "$text: the caller's") }
    done($pool, $servers);
}

# what is not JSON-RPC of a known kind is not read

{
    my $servers = MeshServers->start(3, delay => 5);
    my $pool = pool($servers, 3, 'family=none');
    $servers->set(0, error => '{"code":-32603,"message":"Internal error"}');
    stays($pool, $servers, 0, 'family none reads none');
    done($pool, $servers);

    $servers = MeshServers->start(3, delay => 5);
    $pool = pool($servers, 3, 'family=evm');
    $servers->set(0, header => 'Content-Encoding: gzip',
                  error => '{"code":-32603,"message":"Internal error"}');
    stays($pool, $servers, 0, 'nor what is packed');
    done($pool, $servers);
}

# limits: paced, and what was passed over counts, too

for my $after ('30', date(40)) {
    my $servers = MeshServers->start(3, delay => 5);
    my $pool = pool($servers, 3, 'family=none');
    $servers->set(0, status => 429, header => "Retry-After: $after");
    my $sum = $pool->load('/', seconds => 2, callers => 5);
    is($sum->{status}{200}, $sum->{n}, '429 is passed over');
    ok($pool->wait(sub { share_of($pool, $servers, 0) == 0 }, 15),
       "and left alone as long as it said: $after");
    done($pool, $servers);
}

# answers pass unchanged, whatever their size, and early parts at once

{
    my $servers = MeshServers->start(1);
    my $pool = pool($servers, 1, 'family=evm');
    my $body = '{"result":"' . ('0123456789' x 30000) . '"}';
    for my $method ('eth_call', 'eth_blockNumber') {
        $servers->set(0, body => $body);
        ok($pool->ask('/', method => $method)->{body} eq $body,
           "$method: a large answer");
    }
    $pool->end;

    $pool = pool($servers, 1, 'family=evm', location => 'proxy_buffering off;');
    $servers->set(0, body => '{"result":1}', drip => 200);
    my ($s, $text) = ($pool->connect, '');
    print $s $pool->request('/');
    1 while $text !~ /\r\n\r\n./ && sysread $s, $text, 4096, length $text;
    unlike($text, qr/1\}$/, 'a dripping answer is not held');
    1 while $text !~ /1\}$/ && sysread $s, $text, 4096, length $text;
    like($text, qr/\r\n\r\n\{"result":1\}$/, 'and is whole');
    done($pool, $servers);
}

# a client that gives up at a hung node: nobody's success

{
    my $servers = MeshServers->start(2, delay => 5);
    my $pool = pool($servers, 2, 'family=none',
                    location => 'proxy_read_timeout 60s;');
    $servers->set(0, mode => 'hang');
    $pool->ask('/', timeout => 1.5) for 1 .. 12;
    left_alone($pool, $servers, 0,
               'clients that give up do not hide a hung node');
    done($pool, $servers);
}

done_testing;
