# Guards what gateways of one Redis tell each other of a node besides counts:
# what it lacks, that it was cleared, and who sees to its checks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshCtl;
use MeshDispatcher;
use MeshRedis;
use MeshRelay;
use MeshReport;
use MeshServers;
use Test::More;

my $redis = MeshRedis->start;
my $servers = MeshServers->start(3, height => 5000);

sub gateway {
    my ($http, %files) = @_;
    my $gateway = MeshReport->new(servers => $servers, n => 1,
        redis => $redis->socket, http => "mesh_region test; $http");
    MeshCtl::write_file("$gateway->{dir}/$_", $files{$_}, 0600)
        for keys %files;
    return $gateway->start;
}

sub of {
    my ($gateway, $chain, $node, $field) = @_;
    return ($gateway->nodes($chain)->{$node} // {})->{$field};
}

sub clear {
    my ($gateway, $chain, $node) = @_;
    my ($status) = $gateway->post('/gateway/admin/clear',
                                  { chain => $chain, node => $node });
    is($status, 200, "$node is cleared");
}

# what a node lacks

{
    my $nodes = join '', map {
        'node http://127.0.0.1:' . $servers->port($_) . " name=n$_;\n"
    } 0 .. 2;
    my ($one, $two) = map {
        gateway("gateway_pass_headers Accept Content-Type X-Test;
                 gateway_chain eth { family evm; hedge off; $nodes }")
    } 1, 2;

    my $trace = sub {
        return $_[0]->ask('/relay/eth', method => 'trace_block',
                          params => '["0x10"]')->{status};
    };
    my $lacks = sub {
        my ($gateway) = @_;
        return sub {
            join ' ', map { $_->{ability} }
                      @{ of($gateway, 'eth', 'n1', 'lacks') // [] };
        };
    };

    $servers->set(1, lacks => 'trace');
    $one->becomes('trace', sub { $trace->($one); $lacks->($one)->() },
                  'one gateway learns what a node lacks', 30);
    $two->becomes('trace', $lacks->($two), 'the other one knows', 30);

    $servers->reset;
    is(scalar(grep { $trace->($two) != 200 } 1 .. 30), 0, 'its callers');
    is($servers->count(1), 0, 'are not sent there');

    clear($two, 'eth', 'n1');
    is($lacks->($two)->(), '', 'nothing is known of it any more');
    $one->becomes('', $lacks->($one), 'nor by the other one', 30);

    $servers->set(1, lacks => '');
    $_->end for $one, $two;
}

# what a check asked before the node was cleared is not held against it

{
    my ($good, $bad) = map { qq({"version":"RC-$_"}) } 1, 2;
    $servers->set(0, body => $good);

    my $one = gateway('gateway_check version { request GET /v1; value version;
                                               role equals RC-1;
                                               interval 500ms; }
        gateway_chain own { family none; check version;
            node http://127.0.0.1:' . $servers->port(0) . ' name=n0; }');
    my $asked = sub {
        my $n = $servers->checks(0);
        ok($one->wait(sub { $servers->checks(0) > $n }, 30), $_[0]);
    };

    $one->becomes('passed', sub {
        (of($one, 'own', 'n0', 'checks') // [{}])->[0]{outcome} // ''
    }, 'a node passes its check', 30);

    $servers->set(0, body => $bad, drip => 150);
    $asked->('it is asked again');
    clear($one, 'own', 'n0');
    $servers->set(0, body => $good, drip => 0);
    $asked->('and again');
    is($one->logged('"n0" .* is out'), 0,
       'it was not out for what it answered to the one before');

    $servers->set(0, body => $bad);
    ok($one->wait(sub { $one->logged('"n0" .* is out') }, 30),
       'but for what it answers since then');
    $servers->set(0, body => '');
    $one->end;
}

# two applications, whose servicers are not the same: one gateway checks for
# the region, the other one what is unknown to that

{
    my @key = map { MeshRelay::public("s$_") } 0 .. 2;
    my @listing = map { "$key[$_]\@http://127.0.0.1:" . $servers->port($_) }
                  0 .. 2;

    my $region = sub {
        my ($app, @of) = @_;
        my $dispatcher = MeshDispatcher->start(height => 6,
            apps => MeshRelay::public($app), max_relays => 500000,
            servicers => join ',', @listing[@of]);
        return gateway('gateway_dispatcher ' . $dispatcher->url . ';
            gateway_apps %DIR%/apps.json;
            gateway_chain 0021 { family evm; check_interval 1s; }',
            'apps.json' => qq([{"name":"$app","priv_key":")
                           . MeshRelay::private($app) . '"}]');
    };
    my $lease = sub {
        return $redis->command('GET', 'gateway:{0021}:lease:test') // '';
    };

    # as rows have it: who saw to the checks of each node
    my $by = sub {
        return join ' ', map {
            (split ' ', $redis->command('HGET', 'gateway:{0021}:health:test',
                                        $_) // '')[70] // 0
        } @key;
    };
    my $number = sub {
        no warnings 'portable';
        return 1 + hex substr $_[0], 0, 13;
    };

    my $one = $region->('app1', 0, 1);
    ok($one->wait(sub { $lease->() ne '' }, 30), 'a gateway has the lease');
    my $first = $lease->();

    my $two = $region->('app2', 1, 2);
    my $second;
    ok($two->wait(sub {
        ($second) = grep { $_ ne $first }
            @{ $redis->command('HKEYS', 'gateway:{0021}:peers:test') // [] };
        return defined $second;
    }, 30), 'there is another one');

    my ($a, $b) = map { $number->($_) } $first, $second;
    $two->becomes("$a $a $b", $by,
                  'it checks what the one with the lease does not know', 90);
    ok($two->wait(sub { $servers->checks(2) > 0 }, 30), 'which is asked');

    $one->quit;
    $two->becomes("$a $b $b", $by, 'and the rest that it knows, when it has '
                  . 'the lease itself', 90);
    is($_->logged('\[(alert|emerg|crit)\]'), 0, 'no alert') for $one, $two;
    $two->quit;
}

done_testing();
