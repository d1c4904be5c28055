# Guards heights of calls: those of busy nodes are read from their answers,
# idle ones are asked, and no caller goes back in time. Plain servers first,
# then servicers of sessions.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshReport;
use MeshServers;
use MeshSessions;
use Test::More;
use Time::HiRes ();

my $passed = 'gateway_pass_headers Accept Content-Type X-Test;';

sub servers_of {
    my ($servers, $keys) = @_;
    return "gateway_chain eth { family evm; hedge off; weights latency=0; $keys "
        . join('', map { 'node http://127.0.0.1:' . $servers->port($_)
                         . " name=n$_;\n" } 0 .. 2) . ' }';
}

sub gateway {
    my ($servers, $keys, $http) = @_;
    return MeshReport->new(servers => $servers, n => 1,
        http => $passed . ($http // '') . servers_of($servers, $keys))->start;
}

sub heights {
    my ($gateway) = @_;
    my $rows = $gateway->nodes('eth');
    return join ' ', map { $rows->{"n$_"}{height} } 0 .. 2;
}

sub told {
    my ($answer) = @_;
    return $answer->{body} =~ /"result":"0x([0-9a-f]+)"/ ? hex $1 : 0;
}

sub block {
    my ($gateway, $uri, @more) = @_;
    return told($gateway->ask($uri, method => 'eth_blockNumber', @more));
}

# how often nodes were asked for them by the gateway itself

sub asked {
    my ($servers) = @_;
    return join ' ', map { $servers->heights($_) } 0 .. 2;
}

# a busy node's heights are those of its answers

{
    my $servers = MeshServers->start(3, height => 2000);
    my $gateway = gateway($servers, 'check_interval 600s;',
                          'gateway_client off;');
    my $uri = '/relay/eth';

    ok($gateway->wait(sub { heights($gateway) eq '2000 2000 2000' }, 30),
       'each is asked once');
    my $asked = asked($servers);

    $servers->set($_, height => 2003) for 0 .. 2;
    ok($gateway->wait(sub {
        block($gateway, $uri);
        return heights($gateway) eq '2003 2003 2003';
    }, 30), 'then its answers tell its height');

    # each in its way of telling it

    my $height = 2003;
    for my $call (['eth_getBlockByNumber', '["latest",false]'],
                  ['eth_blockNumber', '[]'])
    {
        my ($method, $params) = @$call;
        $height++;
        $servers->set($_, height => $height) for 0 .. 2;
        ok($gateway->wait(sub {
            $gateway->ask($uri, method => $method, params => $params);
            return heights($gateway) eq "$height $height $height";
        }, 30), "$method $params");
    }

    my $body = '[{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]},'
        . '{"jsonrpc":"2.0","id":2,"method":"eth_blockNumber","params":[]}]';
    $height++;
    $servers->set($_, height => $height) for 0 .. 2;
    $gateway->ask($uri, body => $body) for 1 .. 20;
    cmp_ok((split ' ', heights($gateway))[0], '<=', $height, 'in a batch');

    # what is no height of the chain is none of the node's

    $gateway->ask($uri, method => 'eth_getBlockByNumber',
                  params => '["0x10",false]') for 1 .. 20;
    $gateway->ask($uri, method => 'eth_chainId') for 1 .. 20;
    is((grep { $_ < $height - 1 } split ' ', heights($gateway)), 0,
       'blocks that are named tell none');

    is(asked($servers), $asked, 'and nobody was asked for it');
    is($gateway->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
    $gateway->end;
    $servers->stop;
}

# who is busy is not asked, who is idle is

{
    my $servers = MeshServers->start(3, height => 2000);
    my $gateway = gateway($servers, 'check_interval 500ms;');

    ok($gateway->wait(sub {
        !grep { $servers->heights($_) < 5 } 0 .. 2
    }, 30), 'who is idle is asked again and again');

    # as long as it takes to serve so many; a test that stands still for an
    # interval makes idle nodes of all

    my ($n, $checks, $asked) = (0, 0, 99);
    for (1 .. 10) {
        $servers->reset;
        my $sum = $gateway->load('/relay/eth', method => 'eth_blockNumber',
                                 seconds => 4, callers => 3);
        my $least = $sum->{n};
        $checks = 0;
        $checks += $servers->heights($_) for 0 .. 2;
        $n = $sum->{n};
        $asked = $checks if $checks < $asked;
        last if $asked <= 6;
    }

    # of 24 that they would have been asked
    cmp_ok($n, '>', 50, 'they are busy');
    cmp_ok($asked, '<=', 6, 'and hardly asked');

    my $was = $servers->heights(0);
    ok($gateway->wait(sub { $servers->heights(0) > $was + 2 }, 30),
       'until they are idle again');
    $gateway->end;
    $servers->stop;
}

# no caller goes back in time

{
    my $servers = MeshServers->start(3, height => 2000);
    $servers->set($_, lag => 3) for 0, 1;
    my $gateway = gateway($servers, 'check_interval 200ms; height_tolerance 5;',
                          'gateway_client $http_x_client;');
    my $uri = '/relay/eth';
    my $ask = sub {
        my ($client) = @_;
        return block($gateway, $uri, headers => ["X-Client: $client"]);
    };

    ok($gateway->wait(sub { heights($gateway) eq '1997 1997 2000' }, 30),
       'two are behind');

    ok($gateway->wait(sub { $ask->('a') == 2000 }, 60), 'a caller knows');
    is(scalar(grep { $ask->('a') != 2000 } 1 .. 40), 0,
       'and is not told of less');
    my $low = grep { $ask->("new$_") < 2000 } 1 .. 40;
    cmp_ok($low, '>', 0, 'others are');

    # over blocks

    my ($last, $back, $height) = (2000, 0, 2000);
    for my $i (1 .. 120) {
        if ($i % 30 == 0) {
            $height++;
            $servers->set($_, height => $height) for 0 .. 2;
        }
        my $told = $ask->('a');
        $back++ if $told < $last;
        $last = $told;
    }
    is($back, 0, 'never back in time');

    # the only one as high is gone: served all the same

    $servers->set(2, mode => 'refuse');
    my @after = map { $ask->('a') } 1 .. 10;
    is(scalar(grep { !$_ } @after), 0, 'nobody fails for it');
    $gateway->end;
    $servers->stop;
}

# servicers of sessions

{
    my $net = MeshSessions->start(edges => [1, 1, 1]);
    $net->chain->set($_, height => 2000) for 0 .. 2;
    my $gateway = $net->gateway(http => 'gateway_auth %DIR%/auth.json;
                                         gateway_client $http_x_client;',
                                keys => 'hedge off;
                                         weights latency=0;
                                         height_tolerance 5;');
    my $uri = '/relay/0021';
    my $heights = sub {
        my $answer = $gateway->ask('/gateway/nodes?chain=0021', get => 1,
                                   headers => ['Authorization: token']);
        my %of = map { $_->{node} => $_->{height} } @{ JSON::PP::decode_json(
            MeshReport::body($answer)) };
        return join ' ', map { $of{ $net->key($_) } // 'none' } 0 .. 2;
    };

    ok($gateway->wait(sub { $heights->() eq '2000 2000 2000' }, 60),
       'servicers are asked once');
    $net->chain->set($_, height => 2003) for 0 .. 2;
    ok($gateway->wait(sub {
        block($gateway, $uri);
        return $heights->() eq '2003 2003 2003';
    }, 60), 'then their answers tell their heights');

    $net->chain->set($_, lag => 3) for 0, 1;
    $net->chain->set($_, height => 2006) for 0 .. 2;

    my @client = (headers => ['X-Client: a']);
    ok($gateway->wait(sub {
        return block($gateway, $uri, @client) == 2006;
    }, 60), 'a caller knows the highest block');
    is(scalar(grep { block($gateway, $uri, @client) != 2006 } 1 .. 40), 0,
       'and is not told of less');
    ok($gateway->wait(sub { $heights->() eq '2003 2003 2006' }, 60),
       'though others are lower');
    is($gateway->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
    $gateway->end;
    $net->end;
}

done_testing();
