# Guards calls through gateway_relay to plain servers: callers do not see the
# failures of one node, whatever they are, and writes are never repeated.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use MeshPool;
use MeshServers;
use Test::More;
use Time::HiRes ();

my $location = 'gateway_pass_headers Accept Content-Type X-Test;
    location = /status { return 200; }
    location /relay/ { client_max_body_size 8m; gateway_relay; }';

# a gateway of a chain "eth" with these servers
sub gateway {
    my ($servers, $n, %o) = @_;
    my $keys = $o{keys} // '';
    my $nodes = join '', map {
        'node http://127.0.0.1:' . $servers->port($_) . "/v3/key name=n$_;\n"
    } 0 .. $n - 1;

    return MeshPool->new(server => $o{server} // $location, http =>
        ($o{http} // '')
        . 'gateway_chain eth { family evm; timeout ' . ($o{timeout} // '3s')
        . ";\n $keys\n $nodes }")
        ->start;
}

sub node { return $_[0]{head} =~ /^Gateway-Node: (\S+)/mi ? $1 : '' }

sub attempts { return $_[0]{head} =~ /^Gateway-Attempts: (\d+)/mi ? $1 : -1 }

sub failures {
    my ($sum) = @_;
    return $sum->{n} - ($sum->{status}{200} // 0) + $sum->{open};
}

sub reason { return $_[0]{body} =~ /"reason":"(\w*)"/ ? $1 : '' }

# the form of requests and answers

{
    my $servers = MeshServers->start(2);
    my $gateway = gateway($servers, 2, keys => 'hedge off;');

    my $a = $gateway->ask('/relay/eth/v1/x?q=1');
    is($a->{status}, 200, 'answered');
    like($a->{body}, qr/"result":"server \d"/, 'by a server');
    like(node($a), qr/^n\d$/, 'whose name is told');
    is(attempts($a), 1, 'at once');
    like($a->{head}, qr/^Access-Control-Allow-Origin: \*/mi, 'CORS');

    $a = $gateway->ask('/relay/');
    is($a->{status}, 400, 'no chain');
    like($a->{body}, qr/^\{"message":"Incorrect chain id","status":400,/,
         'in the words of the reference');

    $a = $gateway->ask('/relay/1234555x');
    is($a->{status}, 400, 'no id of a chain');

    $a = $gateway->ask('/relay/0021');
    is($a->{status}, 503, 'unknown chain');
    is(reason($a), 'unknown_chain', 'its reason');

    $a = $gateway->ask('/relay/u:pool');
    is($a->{status}, 400, 'pools are no chains');

    $a = $gateway->ask('/relay/eth', get => 1,
                       headers => ['Upgrade: websocket']);
    is($a->{status}, 501, 'no WebSocket');

    $a = $gateway->ask('/relay/eth', body => 'x' x 1048577);
    is($a->{status}, 413, 'a body that no servicer reads');
    is(reason($a), 'too_large', 'its reason');

    $a = $gateway->ask('/relay/eth', body => '{"id":1,"method":"eth_call",'
                       . '"params":["' . 'y' x 1000000 . '"]}');
    is($a->{status}, 200, 'one that is just read');
    $gateway->end;
    $servers->stop;
}

# one of five fails, each in its way: no caller sees it

for my $fault ([status => 500, 'answers 500'], [status => 429, 'limits'],
               [mode => 'close', 'closes'], [mode => 'refuse', 'refuses'],
               [mode => 'half', 'breaks off'], [mode => 'hang', 'hangs'],
               [drip => 400, 'drips'], [body => '<html>', 'answers HTML'],
               [body => '{"jsonrpc":"2.0","id":77,"result":1}',
                'answers another id'],
               [body => '[]', 'answers no call'],
               [body => '{"jsonrpc":"2.0","id":1,"result":"0x', 'answers half'],
               [error => '{"code":-32603,"message":"internal"}', '-32603'],
               [error => '{"code":-32000,"message":"header not found"}',
                'has no header'],
               [error => '{"code":-32000,"message":"missing trie node 1"}',
                'lacks a trie node'],
               [error => '{"code":-32005,"message":"limit exceeded"}',
                '-32005'])
{
    my ($key, $value, $name) = @$fault;
    my $servers = MeshServers->start(5, delay => 5);
    my $gateway = gateway($servers, 5, keys => 'check_interval 60s;');

    $gateway->load('/relay/eth', seconds => 1, callers => 5);
    $servers->set(1, $key => $value);

    my $first = $gateway->load('/relay/eth', seconds => 3, callers => 10);
    is(failures($first), 0, "one $name: no failure");

    my $failed = 0;
    ok($gateway->wait(sub {
        $servers->reset;
        my $then = $gateway->load('/relay/eth', seconds => 1, callers => 10);
        $failed += failures($then);
        return $servers->count(1) <= 2 + 0.02 * $then->{n};
    }, 30), "one $name: it is left alone");
    is($failed, 0, "one $name: no failure afterwards");
    $gateway->end;
    $servers->stop;
}

# faults of the caller pass, at the first attempt

for my $error ('{"code":-32602,"message":"invalid argument"}',
               '{"code":-32700,"message":"parse error"}',
               '{"code":3,"message":"execution reverted"}',
               '{"code":-32000,"message":"nonce too low"}',
               '{"code":-32000,"message":"insufficient funds for gas"}')
{
    my $servers = MeshServers->start(2, error => $error);
    my $gateway = gateway($servers, 2,
                          keys => 'check_interval 60s; hedge off;');
    my $a = $gateway->ask('/relay/eth');
    is($a->{status}, 200, "$error: passed");
    like($a->{body}, qr/\Q$error\E/, 'untouched');
    is(attempts($a), 1, 'once');
    $gateway->end;
    $servers->stop;
}

# all say the same: the last one passes; they do not: an error does

{
    my $servers = MeshServers->start(2,
        error => '{"code":-32603,"message":"internal"}');
    my $gateway = gateway($servers, 2, keys => 'check_interval 60s;');
    my $a = $gateway->ask('/relay/eth');
    is($a->{status}, 200, 'all fail alike: passed');
    like($a->{body}, qr/-32603/, 'the fault itself');
    is(attempts($a), 2, 'both were asked');

    $servers->set($_, mode => 'close') for 0, 1;
    $a = $gateway->ask('/relay/eth');
    is($a->{status}, 502, 'none answers');
    is(reason($a), 'nodes_failed', 'its reason');
    $gateway->end;
    $servers->stop;
}

# writes are sent once, reads twice

{
    my $servers = MeshServers->start(2, mode => 'close');
    my $gateway = gateway($servers, 2, keys => 'check_interval 60s;');
    my $send = '{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction",'
               . '"params":["0x00"]}';

    for my $body ($send, "[$send]", '[{"jsonrpc":"2.0","id":2,"method":'
                  . "\"eth_call\",\"params\":[]},$send]", 'not JSON')
    {
        $servers->reset;
        my $a = $gateway->ask('/relay/eth', body => $body);
        is($a->{status}, 502, 'a write fails');
        is(reason($a), 'not_repeated', 'its reason');
        is($servers->count(0) + $servers->count(1), 1, 'it was sent once');
    }

    $servers->reset;
    $gateway->ask('/relay/eth');
    is($servers->count(0) + $servers->count(1), 2, 'a read is sent to both');
    $gateway->end;

    $servers->set($_, mode => '') for 0, 1;
    $servers->set(0, mode => 'refuse');
    $gateway = gateway($servers, 2, keys => 'check_interval 60s;');
    $servers->reset;
    my @answers = map { $gateway->ask('/relay/eth', body => $send) } 1 .. 10;
    is(scalar(grep { $_->{status} == 200 } @answers), 10,
       'a write that could not be sent goes elsewhere');
    $gateway->end;

    $servers->set(0, mode => '', delay => 900);
    $servers->set(1, delay => 900);
    $gateway = gateway($servers, 2, keys => 'check_interval 60s; hedge 100%;'
                       . 'write_method my_write;');
    $servers->reset;
    $gateway->ask('/relay/eth', method => 'my_write') for 1 .. 3;
    is($servers->count(0) + $servers->count(1), 3,
       'a write of the configuration is not hedged');
    $gateway->end;
    $servers->stop;
}

# hedges: a slow answer is not waited for

{
    my $servers = MeshServers->start(2, delay => 5);
    my $gateway = gateway($servers, 2, timeout => '20s',
                          keys => 'check_interval 60s; hedge 100%;');
    $gateway->load('/relay/eth', seconds => 2, callers => 5);
    $servers->set(0, delay => 15000);
    my $sum = $gateway->load('/relay/eth', seconds => 2, callers => 2);
    is(failures($sum), 0, 'one slow: no failure');
    cmp_ok($gateway->quantile($sum, 1), '<', 10, 'none waits for it');
    $gateway->end;
    $servers->stop;
}

# the altruist

{
    my $servers = MeshServers->start(3);
    my $gateway = gateway($servers, 2, keys => 'check_interval 60s; altruist '
                          . 'http://127.0.0.1:' . $servers->port(2) . '/a;');
    $servers->set($_, mode => 'close') for 0, 1;
    my $a = $gateway->ask('/relay/eth');
    is($a->{status}, 200, 'the altruist answers');
    like($a->{body}, qr/server 2/, 'itself');
    is(node($a), 'altruist', 'and is told');

    $servers->set(2, status => 503, body => 'down');
    my @all = map { $gateway->ask('/relay/eth') } 1 .. 12;
    is(scalar(grep { $_->{status} == 502 } @all), 12, 'it fails, too');
    cmp_ok($servers->count(2), '<=', 7, 'and is left alone');
    $gateway->end;
    $servers->stop;
}

# long answers, in memory and in a file, and one too long

{
    my $servers = MeshServers->start(1);
    my $text = '{"jsonrpc":"2.0","id":1,"result":"' . 'z' x 300000 . '"}';
    $servers->set(0, body => $text);
    my $gateway = gateway($servers, 1, keys => 'check_interval 60s;',
        http => 'gateway_buffer 64k; gateway_max_answer 400k;');
    my $a = $gateway->ask('/relay/eth');
    is($a->{status}, 200, 'held in a file');
    ok($a->{body} eq $text, 'whole');
    ok($gateway->logged('temporary file'), 'as the log says');

    $servers->set(0, body => $text . ' ' x 200000);
    $a = $gateway->ask('/relay/eth');
    is($a->{status}, 502, 'too long');
    is(reason($a), 'answer_too_long', 'its reason');
    $gateway->end;
    $servers->stop;
}

# a caller that leaves: what was begun is given up

{
    my $servers = MeshServers->start(1, delay => 60000);
    my $gateway = gateway($servers, 1, keys => 'check_interval 60s;'
                          . 'timeout 50s;' x 0);
    my $s = $gateway->connect;
    print $s $gateway->request('/relay/eth');
    ok($gateway->wait(sub { $servers->count(0) == 1 }), 'it is asked');
    close $s;
    Time::HiRes::sleep(0.2);
    is($gateway->ask('/status')->{status}, 200, 'the gateway lives');
    ok($gateway->quit, 'and has nothing to wait for');
    is($gateway->logged('\[alert\]'), 0, 'no alert');
    $gateway->end;
    $servers->stop;
}

done_testing();
