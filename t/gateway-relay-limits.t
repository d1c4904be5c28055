# Guards what a call may cost: attempts on other operators first, a budget of
# retries and of hedges, the deadline, and what a node has in flight.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use MeshPool;
use MeshReport;
use MeshServers;
use Test::More;

my $location = 'gateway_pass_headers Accept Content-Type X-Test;
    location /relay/ { gateway_relay; }
    location /soon/ { gateway_relay eth; gateway_deadline 700ms; }';

sub gateway {
    my ($servers, $keys, @params) = @_;
    my $nodes = join '', map {
        'node http://127.0.0.1:' . $servers->port($_)
        . " name=n$_ $params[$_];\n"
    } 0 .. $#params;

    return MeshPool->new(server => $location,
        http => "gateway_chain eth { family evm; check_interval 60s;"
                . " $keys $nodes }")->start;
}

sub sum {
    my ($servers, $n) = @_;
    my $sum = 0;
    $sum += $servers->count($_) for 0 .. $n - 1;
    return $sum;
}

sub attempts { return $_[0]{head} =~ /^Gateway-Attempts: (\d+)/mi ? $1 : -1 }

sub reason { return $_[0]{body} =~ /"reason":"(\w*)"/ ? $1 : '' }

# all of one operator fail: the next attempt is another operator's

{
    my $servers = MeshServers->start(6);
    my $gateway = gateway($servers, 'hedge off; operator_cap 100%;',
                          ('operator=a') x 5, 'operator=b');
    $servers->set($_, mode => 'close') for 0 .. 4;
    my @answers = map { $gateway->ask('/relay/eth') } 1 .. 12;
    is(scalar(grep { $_->{status} != 200 } @answers), 0,
       'an operator fails: no caller sees it');
    is(scalar(grep { attempts($_) > 2 && $_->{time} < 0.9 } @answers), 0,
       'nor waits for its other nodes');
    $gateway->end;
    $servers->stop;
}

# batches: reads are repeated as a whole

{
    my $servers = MeshServers->start(2);
    my $gateway = gateway($servers, 'hedge off;', '', '');
    $servers->set(0, error => '{"code":-32603,"message":"internal"}');
    my $body = '[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},'
               . '{"jsonrpc":"2.0","id":2,"method":"eth_blockNumber"}]';
    my @answers = map { $gateway->ask('/relay/eth', body => $body) } 1 .. 10;
    is(scalar(grep { $_->{body} !~ /"0x1".*"0x3e8"/ } @answers), 0,
       'a batch of reads is repeated');
    cmp_ok($servers->count(0), '>', 0, 'where a node failed');
    $gateway->end;
    $servers->stop;
}

# the budget of retries: what a bad time may cost is bounded

{
    my $servers = MeshServers->start(4, mode => 'close');
    my $gateway = gateway($servers, 'hedge off;', ('') x 4);
    my $n = 0;
    $n += $gateway->load('/relay/eth', seconds => 1, callers => 8)->{n}
        while $n < 1000;
    $servers->reset;
    my @answers = map { $gateway->ask('/relay/eth') } 1 .. 100;
    is(scalar(grep { reason($_) eq 'nodes_failed' } @answers), 100,
       'all fail: so do calls');
    cmp_ok(sum($servers, 4), '>', 100, 'some are repeated');
    cmp_ok(sum($servers, 4), '<=', 155, 'every second one at most');
    $gateway->end;
    $servers->stop;
}

# the budget of hedges

{
    my $servers = MeshServers->start(2, delay => 60);
    for my $case (['hedge off;', 0], ['hedge 10%;', 24]) {
        my ($keys, $most) = @$case;
        my $gateway = gateway($servers, $keys, ('') x 2);
        $servers->reset;
        my $sum = $gateway->load('/relay/eth', seconds => 2, callers => 4);
        my $besides = sum($servers, 2) - $sum->{n};
        cmp_ok($besides, '<=', $most ? 21 + 0.11 * $sum->{n} : 0,
               "$keys no more than that");
        $gateway->end;
    }
    $servers->stop;
}

# an answer that nobody waits for any more: that it is overdue counts

{
    my $servers = MeshServers->start(2);
    my $nodes = join '', map {
        'node http://127.0.0.1:' . $servers->port($_) . " name=n$_;\n"
    } 0, 1;
    my $gateway = MeshReport->new(servers => $servers, n => 1,
        http => 'gateway_pass_headers Accept Content-Type X-Test;
            gateway_chain eth { family evm; check_interval 60s; hedge always;'
            . "$nodes }")->start;
    $gateway->load('/relay/eth', seconds => 2, callers => 4);

    $servers->set(0, delay => 60000);
    ok($gateway->wait(sub {
        $gateway->load('/relay/eth', seconds => 1, callers => 4);
        return $gateway->nodes('eth')->{n0}{state} eq 'out';
    }, 30), 'a node that is always hedged and never answers is out');
    like($gateway->nodes('eth')->{n0}{error}{text}, qr/overdue/, 'so it says');
    $gateway->end;
    $servers->stop;
}

# the deadline of a call

{
    my $servers = MeshServers->start(2, mode => 'hang');
    my $gateway = gateway($servers, '', ('') x 2);
    my $a = $gateway->ask('/soon/');
    is($a->{status}, 504, 'no answer in time');
    is(reason($a), 'deadline', 'its reason');
    cmp_ok($a->{time}, '>=', 0.6, 'the deadline is waited for');
    cmp_ok($a->{time}, '<', 5, 'and not the time of an attempt');
    $gateway->end;
    $servers->stop;
}

# in flight: a node that has enough to do is passed over

{
    my $servers = MeshServers->start(1, delay => 60000);
    my $gateway = gateway($servers, 'timeout 60s; hedge off;', '');
    my @callers;

    for (1 .. 256) {
        my $s = $gateway->connect or die "connect: $!";
        syswrite $s, $gateway->request('/relay/eth');
        push @callers, $s;
    }

    ok($gateway->wait(sub { $servers->count(0) == 256 }, 20),
       'so many are asked at once');
    my $a = $gateway->ask('/relay/eth');
    is($a->{status}, 503, 'one more is not');
    is(reason($a), 'tried', 'its reason');
    is($servers->count(0), 256, 'nor was it sent');

    close shift @callers for 1 .. 2;
    $servers->set(0, delay => 0);
    ok($gateway->wait(sub { $gateway->ask('/relay/eth')->{status} == 200 }),
       'callers that leave make room');
    $gateway->end;
    $servers->stop;
}

# nodes of one host share what it may have in flight

{
    my $servers = MeshServers->start(1, delay => 60000);
    my $host = 'http://127.0.0.1:' . $servers->port(0);
    my $nodes = join '', map {
        "node $host/$_ name=h$_ operator=h$_;\n"
    } 0 .. 5;
    my $gateway = MeshPool->new(server => $location,
        http => "gateway_chain eth { family evm; check_interval 60s;
                     timeout 60s; hedge off; operator_cap 100%;
                     max_ejected 1%; $nodes }")->start;

    # writes are not asked twice, however late they are

    my $write = '{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction",'
                . '"params":["0x00"]}';
    my @callers;
    ok($gateway->wait(sub {
        for (1 .. 50) {
            last if @callers == 1500;
            my $s = $gateway->connect or die "connect: $!";
            syswrite $s, $gateway->request('/relay/eth', body => $write);
            push @callers, $s;
        }
        return $servers->count(0) >= 1024;
    }, 60), 'so many are asked of one host');

    my $a = $gateway->ask('/relay/eth');
    is($a->{status}, 503, 'one more is not');
    is(reason($a), 'tried', 'its reason');
    is($servers->count(0), 1024, 'nor was it sent');
    $gateway->end;
    $servers->stop;
}

done_testing();
