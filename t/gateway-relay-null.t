# Guards answers that are null because the node has not got the block yet: one
# that has it is asked, where there is one, and null is no failure.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshReport;
use MeshServers;
use Test::More;

# nodes 0 and 1 lag, within the tolerance; node 2 has the newest blocks

my $servers = MeshServers->start(3, height => 2000);
$servers->set($_, lag => 4) for 0, 1;

my $nodes = join '', map {
    'node http://127.0.0.1:' . $servers->port($_) . " name=n$_;\n"
} 0 .. 2;

my $gateway = MeshReport->new(servers => $servers, n => 1,
    http => "gateway_pass_headers Accept Content-Type X-Test;
             gateway_client off;
             gateway_chain eth { family evm; hedge off; $nodes }",
)->start;

sub heights {
    my $rows = $gateway->nodes('eth');
    return join ' ', map { $rows->{"n$_"}{height} } 0 .. 2;
}

sub call {
    my ($method, $params) = @_;
    return $gateway->ask('/relay/eth', method => $method, params => $params);
}

sub attempts { return $_[0]{head} =~ /^Gateway-Attempts: (\d+)/mi ? $1 : -1 }

# another node is asked besides one that is overdue, after a second
sub late { return scalar grep { $_->{time} > 0.9 } @_ }

sub sum { my $sum = 0; $sum += $servers->count($_) for 0 .. 2; return $sum }

# asked until a lower node was the first: which one is drawn is chance
sub answers {
    my ($method, $params) = @_;
    my (@answers, $low);
    $servers->reset;
    $gateway->wait(sub {
        push @answers, call($method, $params);
        $low = $servers->count(0) + $servers->count(1);
        return $low >= 3;
    }, 30);
    cmp_ok($low, '>=', 3, "$method $params: lower nodes were asked");
    return @answers;
}

ok($gateway->wait(sub { heights() eq '1996 1996 2000' }, 20),
   'heights are known');

# what the highest node has, by number and by hash: 2000 is 0x7d0

for my $call ([eth_getBlockByNumber => '["0x7d0",false]'],
              [eth_getBlockByNumber => '["0x7cd",true]'],
              [eth_getTransactionReceipt => '["0x000007d0aa"]'])
{
    my @answers = answers(@$call);
    is(scalar(grep { $_->{body} !~ /"(?:number|blockNumber)"/ } @answers), 0,
       'each caller gets the block');
    my $twice = grep { attempts($_) == 2 } @answers;
    my $low = $servers->count(0) + $servers->count(1);
    cmp_ok(abs($twice - $low), '<=', 2 * late(@answers),
           'a second node is asked where the first has not got it');
    cmp_ok(abs($servers->count(2) - @answers), '<=', 2 * late(@answers),
           'which is the one that is higher');
}

# what none can have is null at once

$servers->reset;
my @answers = map { call('eth_getBlockByNumber', '["0x7d1",false]') } 1 .. 20;
is(scalar(grep { $_->{body} !~ /"result":null/ } @answers), 0,
   'a block to come');
cmp_ok(sum(), '<=', 20 + 2 * late(@answers), 'one node is asked for it');

# by hash a higher node may know it; one answer more is enough

@answers = answers('eth_getTransactionReceipt', '["0x0000ffffaa"]');
is(scalar(grep { $_->{body} !~ /"result":null/ } @answers), 0,
   'a transaction that no block has');
cmp_ok(sum(), '<=', 2 * @answers + 2 * late(@answers), 'at most two are asked for it');

# the higher one fails: null is what there is

$servers->set(2, mode => 'close');
@answers = answers('eth_getBlockByNumber', '["0x7d0",false]');
is(scalar(grep { $_->{status} != 200 } @answers), 0,
   'the higher node fails: nobody sees it');
cmp_ok(scalar(grep { $_->{body} =~ /"result":null/ } @answers), '>', 0,
       'null is what there is');
$servers->set(2, mode => '');

# all alike: none is asked twice

$servers->set($_, lag => 0) for 0, 1;
ok($gateway->wait(sub { heights() eq '2000 2000 2000' }, 30),
   'the others have come up');
$servers->reset;
@answers = map { call('eth_getTransactionReceipt', '["0x0000ffffaa"]') }
           1 .. 20;
cmp_ok(sum(), '<=', 20 + 2 * late(@answers), 'where all are as high, nobody is asked besides');

my $rows = $gateway->nodes('eth');
cmp_ok($rows->{"n$_"}{success}, '>', 0.95, 'null is no failure') for 0, 1;

$gateway->end;

# a caller that was told a height is not told null of a block below it

$servers->set($_, lag => 4, delay => 30) for 0, 1;
$gateway = MeshReport->new(servers => $servers, n => 1,
    http => "gateway_pass_headers Accept Content-Type X-Test;
             gateway_client \$http_x_client;
             gateway_chain eth { family evm; hedge off; $nodes }",
)->start;

ok($gateway->wait(sub { heights() eq '1996 1996 2000' }, 20),
   'heights are known');

my @client = (headers => ['X-Client: a']);

ok($gateway->wait(sub {
    return $gateway->ask('/relay/eth', method => 'eth_blockNumber', @client)
                   ->{body} =~ /"0x7d0"/;
}, 30), 'a caller is told the highest block');

$servers->reset;
@answers = map { $gateway->ask('/relay/eth', @client,
                               method => 'eth_getBlockByNumber',
                               params => '["0x7d0",false]') } 1 .. 20;
is(scalar(grep { $_->{body} !~ /"number":"0x7d0"/ } @answers), 0,
   'and gets it');
cmp_ok(sum(), '<=', 20 + 2 * late(@answers),
       'from the node that has it, at once');

# who waits for a block to come does not spend the budget of retries

$servers->set($_, delay => $_ == 2 ? 30 : 0) for 0 .. 2;

my $n = 0;
$n += $gateway->load('/relay/eth', seconds => 1, callers => 8,
                     method => 'eth_getBlockByNumber',
                     params => '["0x7d1",false]')->{n} while $n < 2500;

$servers->set($_, mode => 'close') for 0, 1;
$servers->reset;
@answers = map { $gateway->ask('/relay/eth') } 1 .. 20;
is(scalar(grep { $_->{status} != 200 } @answers), 0,
   'null again and again: failing calls are repeated still');
cmp_ok($servers->count(0) + $servers->count(1), '>', 0,
       'when they meet a node that fails');

$gateway->end;
$servers->stop;

done_testing();
