# Guards filters (eth_newFilter and its like): they are of one node, which is
# found again by any worker and any gateway; nobody else is asked for them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshPool;
use MeshServers;
use Test::More;

my $location = 'gateway_pass_headers Accept Content-Type X-Test;
    location /relay/ { add_header X-Pid $pid always; gateway_relay; }';

my $gone = qr/"error":\{"code":-32000,"message":"filter not found"\}/;

sub gateway {
    my ($servers, $n, %o) = @_;
    my $nodes = join '', map {
        'node http://127.0.0.1:' . $servers->port($_) . " name=n$_;\n"
    } 0 .. $n - 1;

    return MeshPool->new(server => $location, workers => $o{workers} // 1,
        http => 'gateway_chain eth { family evm; check_interval 60s;'
                . ' timeout ' . ($o{timeout} // '10s') . ';'
                . ($o{keys} // 'hedge off;') . " $nodes }")->start;
}

sub rpc {
    my ($method, $params, $id) = @_;
    return sprintf '{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}',
                   $id // 1, $method, $params // '[]';
}

sub call {
    my ($gateway, @rpc) = @_;
    return $gateway->ask('/relay/eth', body => rpc(@rpc));
}

sub make {
    my ($gateway, $method) = @_;
    my $a = call($gateway, $method // 'eth_newFilter', '[{}]');
    my ($id) = $a->{body} =~ /"result":"(0x[0-9a-f]+)"/;
    my ($node) = $a->{head} =~ /^Gateway-Node: n(\d)/mi;
    return { id => $id, node => $node, polled => 0 };
}

# one more poll must count one more, at the node that made it
sub poll {
    my ($gateway, $filter) = @_;
    my $a = call($gateway, 'eth_getFilterChanges', qq(["$filter->{id}"]));
    my ($pid) = ($a->{head} // '') =~ /^X-Pid: (\d+)/mi;
    $filter->{pids}{ $pid // '' } = 1;
    $filter->{polled}++;
    my ($node, $n) = ($a->{body} // '')
        =~ /"result":\["server (\d)","0x\w+",(\d+)\]/;
    return defined $n && $node == $filter->{node}
           && $n == $filter->{polled};
}

sub sent { my ($servers, $n) = @_; my $sum = 0;
           $sum += $servers->count($_) for 0 .. $n - 1; return $sum }

# any worker, any gateway, before and after a reload

{
    my $servers = MeshServers->start(4);
    my $gateway = gateway($servers, 4, workers => 2);
    my @filters = map { make($gateway) } 1 .. 24;

    is(scalar(grep { defined $_->{id} } @filters), 24, 'filters are made');
    my %nodes = map { $_->{node} => 1 } @filters;
    cmp_ok(scalar(keys %nodes), '>', 1, 'by several nodes');
    my %ids = map { $_->{id} => 1 } @filters;
    is(scalar(keys %ids), 24, 'which number alike, and are told apart');

    my %pids;
    for (1 .. 40) {
        my @lost = grep { !poll($gateway, $_) } @filters;
        is(scalar(@lost), 0, 'all are found') if @lost || $_ == 1;
        %pids = map { %{ $_->{pids} } } @filters;
        last if keys %pids == 2;
    }
    is(scalar(keys %pids), 2, 'by either worker');

    $gateway->reload;
    is(scalar(grep { !poll($gateway, $_) } @filters), 0,
       'also after a reload');

    my $other = gateway($servers, 4);
    is(scalar(grep { !poll($other, $_) } @filters), 0,
       'also by another gateway');
    $other->end;

    $gateway->end;
    $gateway = gateway($servers, 4);
    is(scalar(grep { !poll($gateway, $_) } @filters), 0,
       'also by one that was started anew');

    my $a = call($gateway, 'eth_getFilterLogs', qq(["\U$filters[0]{id}\E"])
                 =~ s/0X/0x/r);
    like($a->{body}, qr/"server $filters[0]{node}"/, 'in capitals, too');

    $a = call($gateway, 'eth_uninstallFilter', qq(["$filters[0]{id}"]));
    like($a->{body}, qr/"result":true/, 'one is ended');
    $a = call($gateway, 'eth_getFilterChanges', qq(["$filters[0]{id}"]));
    like($a->{body}, $gone, 'and is no more');

    for my $method (qw(eth_newBlockFilter eth_newPendingTransactionFilter)) {
        my $filter = make($gateway, $method);
        ok(poll($gateway, $filter), $method);
    }

    # a node that is restarted has lost its filters, and only its

    my ($lost) = grep { $_->{node} == $filters[1]{node} } @filters[1 .. 23];
    my ($kept) = grep { $_->{node} != $lost->{node} } @filters[1 .. 23];

    $servers->set($lost->{node}, mode => 'refuse');
    $servers->reset;
    $a = call($gateway, 'eth_getFilterChanges', qq(["$lost->{id}"]), '"x"');
    is($a->{status}, 200, 'its node is gone');
    like($a->{body}, qr/^\{"jsonrpc":"2.0","id":"x",$gone/,
         'so is the filter');
    is(sent($servers, 4), 0, 'no other node is asked');
    ok(poll($gateway, $kept), 'others are where they were');

    $servers->set($lost->{node}, mode => '');
    $a = call($gateway, 'eth_getFilterChanges', qq(["$lost->{id}"]));
    like($a->{body}, $gone, 'it does not know it when it is back');
    like($a->{head}, qr/^Gateway-Node: n$lost->{node}/mi, 'as it says');
    ok(poll($gateway, make($gateway)), 'and new ones are made');

    # ids that no node of ours has given

    $servers->reset;
    for my $id ('0x1', '0x7', '0x7000000000000000' . '01', 'x', '') {
        $a = call($gateway, 'eth_getFilterChanges', qq(["$id"]));
        like($a->{body}, $id eq '' ? qr/not found/ : $gone, "id \"$id\"");
    }
    is(sent($servers, 4), 1, 'only what is no id at all is passed on');

    $gateway->end;
    $servers->stop;
}

# batches

{
    my $servers = MeshServers->start(3);
    my $gateway = gateway($servers, 3);

    my $a = $gateway->ask('/relay/eth', body => '['
        . join(',', rpc('eth_blockNumber', '[]', 1),
                    rpc('eth_newFilter', '[{}]', 2),
                    rpc('eth_newBlockFilter', '[]', 3)) . ']');
    my ($number) = $a->{body} =~ /"id":1,"result":"(\w+)"/;
    is($number, '0x3e8', 'a batch: other results stay as they are');
    my ($node) = $a->{head} =~ /^Gateway-Node: n(\d)/mi;
    my @filters = map { { id => $_, node => $node, polled => 0 } }
        $a->{body} =~ /"id":[23],"result":"(0x7\w{16,})"/g;
    is(scalar(@filters), 2, 'filters have their tags');
    ok(poll($gateway, $_), 'and are found') for @filters;

    my $body = '[' . join(',', rpc('eth_chainId', '[]', 1),
        rpc('eth_getFilterChanges', qq(["$filters[0]{id}"]), 2),
        rpc('eth_getFilterChanges', qq(["$filters[1]{id}"]), 3)) . ']';
    $a = $gateway->ask('/relay/eth', body => $body);
    is(scalar(() = $a->{body} =~ /"server $node","0x[12]",2/g), 2,
       'both in one batch');

    $servers->set($node, mode => 'refuse');
    $a = $gateway->ask('/relay/eth', body => $body);
    is($a->{status}, 200, 'a batch whose node is gone');
    like($a->{body}, qr/"id":1,"result":"0x1"/, 'its other calls are served');
    is(scalar(() = $a->{body} =~ /$gone/g), 2, 'its filters are not found');

    $gateway->end;
    $servers->stop;
}

# changes are told once: a poll is never repeated, nor hedged

{
    my $servers = MeshServers->start(3, delay => 2);
    my $gateway = gateway($servers, 3, timeout => '6s',
                          keys => 'hedge always;');
    $gateway->load('/relay/eth', seconds => 1, callers => 3);
    my $filter = make($gateway);

    $servers->set($filter->{node}, delay => 1500);
    $servers->reset;
    ok(poll($gateway, $filter), 'a slow poll is waited for');
    is(sent($servers, 3), 1, 'nobody is asked besides');

    $servers->set($filter->{node}, mode => 'hang');
    $servers->reset;
    my $a = call($gateway, 'eth_getFilterChanges', qq(["$filter->{id}"]));
    like($a->{body}, $gone, 'one that hangs: not found');
    is(sent($servers, 3), 1, 'it is sent once');

    $servers->set($filter->{node}, mode => '', delay => 0,
                  error => '{"code":-32005,"message":"limit exceeded"}');
    $a = call($gateway, 'eth_getFilterChanges', qq(["$filter->{id}"]));
    like($a->{body}, qr/-32005/, 'what its node says is passed');

    $gateway->end;
    $servers->stop;
}

# filters of the altruist

{
    my $servers = MeshServers->start(2);
    my $gateway = gateway($servers, 1, keys => 'hedge off; altruist http://127.0.0.1:'
                          . $servers->port(1) . ';');
    $servers->set(0, mode => 'refuse');
    my $filter = make($gateway);
    $filter->{node} = 1;
    $servers->set(0, mode => '');
    ok(poll($gateway, $filter), 'the altruist is asked for its own');
    is($servers->count(0), 0, 'and nobody else');

    $servers->set(1, mode => 'refuse');
    my $a = call($gateway, 'eth_getFilterChanges', qq(["$filter->{id}"]));
    like($a->{body}, $gone, 'and when it is gone, so is the filter');

    $gateway->end;
    $servers->stop;
}

done_testing();
