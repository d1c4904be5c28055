# Guards filters (eth_newFilter and its like): they are of one node, which is
# found again by any worker and any gateway; nobody else is asked for them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Compress::Gzip ();
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

    return MeshPool->new(server => $location . ($o{relay} // ''),
        workers => $o{workers} // 1,
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

# a batch of several nodes' filters: each is asked for its own

{
    my $servers = MeshServers->start(3);
    my $gateway = gateway($servers, 3);

    my %made;
    for (1 .. 200) {
        my $filter = make($gateway);
        $made{ $filter->{node} } //= $filter;
        last if keys %made == 3;
    }
    is(scalar(keys %made), 3, 'filters of all nodes');
    my @filters = map { $made{$_} } 0 .. 2;

    my $body = sub {
        return '[' . join(',', rpc('eth_chainId', '[]', 1), map {
            rpc('eth_getFilterChanges', qq(["$filters[$_]{id}"]), qq("f$_"))
        } 2, 0, 1) . ',' . rpc('eth_blockNumber', '[]', 5) . ']';
    };
    my $polled = sub { return qr/"server $_[0]","0x\w+",$_[1]\]/ };

    $servers->reset;
    my $a = $gateway->ask('/relay/eth', body => $body->());
    is($a->{status}, 200, 'one batch');
    like($a->{body}, qr/^\[\{[^{}]*"id":1,"result":"0x1"\},
                         \{[^{}]*"id":"f2",[^{}]*@{[$polled->(2, 1)]}\},
                         \{[^{}]*"id":"f0",[^{}]*@{[$polled->(0, 1)]}\},
                         \{[^{}]*"id":"f1",[^{}]*@{[$polled->(1, 1)]}\},
                         \{[^{}]*"id":5,"result":"0x3e8"\}\]$/x,
         'all are answered, in order');
    is(sent($servers, 3), 4, 'each node once, and one for the rest');
    is(join(' ', sort $a->{head} =~ /^Gateway-Node: (n[0-2])/mig)
       =~ s/(\w+) \1/$1/r, 'n0 n1 n2', 'all are named');
    like($a->{head}, qr/^Gateway-Attempts: 4\r?$/mi, 'and counted');

    # ids that nobody gave are another's at a node that numbers alike

    $servers->reset;
    $a = $gateway->ask('/relay/eth', body => '['
        . join(',', rpc('eth_uninstallFilter', '["0x1"]', 1),
                    rpc('eth_chainId', '[]', 2)) . ']');
    like($a->{body}, qr/^\[\{[^{}]*"id":1,$gone\},\{[^{}]*"id":2,"result"/,
         'a filter that nobody gave is not found');
    is(sent($servers, 3), 1, 'and no node is asked for it');
    $a = $gateway->ask('/relay/eth', body => $body->());
    like($a->{body}, qr/"f0",[^{}]*@{[$polled->(0, 2)]}/, 'all are there');

    # one of them is gone, another says no

    $servers->set(0, mode => 'refuse');
    $servers->set(1, error => '{"code":-32005,"message":"limit exceeded"}');
    $a = $gateway->ask('/relay/eth', body => $body->());
    is($a->{status}, 200, 'one node is gone');
    like($a->{body}, qr/"id":"f2",[^{}]*@{[$polled->(2, 3)]}/,
         'the others are polled');
    like($a->{body}, qr/"id":"f0",$gone/, 'its own is not found');
    like($a->{body}, qr/"id":"f1","error":\{"code":-32005/,
         'what a node says is passed');
    like($a->{body}, qr/"id":1,"result":"0x1"/, 'so are the other calls');

    # a caller that leaves: nothing is left behind

    $servers->set($_, mode => '', error => '') for 0 .. 2;
    $servers->set($_, mode => 'hang') for 1, 2;
    my $s = $gateway->connect;
    my $text = $body->();
    $servers->reset;
    print $s "POST /relay/eth HTTP/1.1\r\nHost: x\r\nX-Test: 1\r\n"
        . 'Content-Length: ' . length($text) . "\r\n\r\n$text";
    $gateway->wait(sub { sent($servers, 3) >= 3 }, 20)
        or fail('parts are sent');
    close $s;
    $servers->set($_, mode => '') for 1, 2;
    $gateway->wait(sub {
        $gateway->logged('client prematurely closed connection')
    }, 20) or fail('a caller leaves');
    ok(poll($gateway, { %{ $filters[2] }, polled => 3 }),
       'and another is served');
    is($gateway->logged('\[(alert|crit|emerg)\]'), 0, 'without an alert');

    $gateway->end;
    $servers->stop;
}

# ids in answers that are long, or in a coding that nobody asked for

{
    my $servers = MeshServers->start(2);
    my $gateway = gateway($servers, 2,
        keys => 'hedge off; verify off;', relay => 'gateway_buffer 4k;');

    for my $pad (3000, 30_000, 300_000) {
        $servers->set($_, body => '{"jsonrpc":"2.0","id":1,"pad":"'
            . 'x' x $pad . '","result":"0x1"}') for 0, 1;
        my $a = call($gateway, 'eth_newFilter', '[{}]');
        ok($a->{body} =~ /"result":"0x7[0-9a-f]{15}1"\}$/,
           "an id behind $pad bytes has its tag");
        $a = call($gateway, 'eth_call', '[{}]');
        ok($a->{body} =~ /"result":"0x1"\}/, 'what is none has not');
    }

    $servers->set($_, body => '') for 0, 1;
    IO::Compress::Gzip::gzip(\'{"jsonrpc":"2.0","id":1,"result":"0x1"}'
                             => \my $gzip);
    $servers->set(0, body => $gzip, header => 'Content-Encoding: gzip');
    my @made = map { make($gateway) } 1 .. 20;
    is(scalar(grep { ($_->{id} // '') !~ /^0x7/ } @made), 0,
       'no id without a tag is passed on');
    is(scalar(grep { $_->{node} ne '1' } @made), 0,
       'what cannot be read is no answer');
    cmp_ok($servers->count(0), '>', 0, 'though it was asked');

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
