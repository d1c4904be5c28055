# Guards what nodes are learned to lack: calls that need an archive, traces or
# logs go to those that have them, and nobody is punished for being without.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshReport;
use MeshServers;
use Test::More;

# node 0 has everything; of the others each lacks one thing, the last all
my @lacks = ('', 'archive', 'trace', 'logs', 'archive logs trace');

my %calls = (
    archive => [eth_getBalance => '["0x12","0x10"]'],
    trace => [trace_block => '["0x10"]'],
    logs => [eth_getLogs => '[{"fromBlock":"0x10"}]'],
);

my $servers = MeshServers->start(5, height => 5000);
$servers->set($_, lacks => $lacks[$_]) for 1 .. 4;

my $gateway = gateway();

sub gateway {
    my $nodes = join '', map {
        'node http://127.0.0.1:' . $servers->port($_) . " name=n$_;\n"
    } 0 .. 4;

    return MeshReport->new(servers => $servers, n => 1,
        http => "gateway_pass_headers Accept Content-Type X-Test;"
                . " gateway_chain eth { family evm; hedge off; $nodes }")->start;
}

sub rows { return $gateway->nodes('eth') }

sub lacks {
    my ($row) = @_;
    return join ' ', sort map { $_->{ability} } @{ $row->{lacks} };
}

sub call { my ($kind) = @_; my ($method, $params) = @{ $calls{$kind} };
           return $gateway->ask('/relay/eth', method => $method,
                                params => $params) }

# an archive is one of blocks that are old: the height has to be known
ok($gateway->wait(sub { !grep { $_->{height} == 0 } values %{ rows() } }),
   'heights are known');

is_deeply([map { lacks($_) } values %{ rows() }], [('') x 5],
          'nothing is known at first');

for my $kind (sort keys %calls) {
    my ($failed, @has) = (0);

    ok($gateway->wait(sub {
        $failed++ if call($kind)->{body} !~ /"result"/;
        my $rows = rows();
        return !grep { lacks($rows->{"n$_"}) !~ /$kind/ }
               grep { $lacks[$_] =~ /$kind/ } 0 .. 4;
    }, 30), "$kind: who lacks it is found out");
    is($failed, 0, "$kind: which no caller sees");

    $servers->reset;
    my @answers = map { call($kind) } 1 .. 40;
    is(scalar(grep { $_->{body} !~ /"result"/ } @answers), 0,
       "$kind: all are answered");
    is(scalar(grep { $_->{head} !~ /^Gateway-Attempts: 1\r/m }
              grep { $_->{time} < 0.9 } @answers), 0, "$kind: at once");
    is($servers->count($_), 0, "$kind: n$_ is not asked")
        for grep { $lacks[$_] =~ /$kind/ } 0 .. 4;
}

my $rows = rows();
is(lacks($rows->{"n$_"}), $lacks[$_], "n$_ lacks what it lacks") for 0 .. 4;
is(scalar(grep { @{ $_->{excluded} } } values %$rows), 0, 'nobody is out');
is(scalar(grep { $_->{success} < 0.97 } values %$rows), 0,
   'nor blamed for a failure');
like($rows->{n1}{lacks}[0]{until}, qr/^2\d{3}-.*Z$/, 'it is known till when');

# for other calls they are as good as any

$servers->reset;
my $sum = $gateway->load('/relay/eth', seconds => 2, callers => 10);
is($sum->{status}{200}, $sum->{n}, 'other calls');
cmp_ok($servers->count($_), '>', 0, "go to n$_, too") for 1 .. 4;

# a recent block needs no archive

$servers->reset;
$gateway->ask('/relay/eth', method => 'eth_getBalance',
              params => '["0x12","0x1380"]') for 1 .. 60;
cmp_ok($servers->count(1) + $servers->count(4), '>', 0,
       'so do those of recent blocks');

# it is known over a reload; who has it after all is asked again

$gateway->reload;
is(lacks(rows()->{n4}), $lacks[4], 'a reload forgets nothing');

$servers->set($_, lacks => 'trace') for 0 .. 3;
$servers->set(4, lacks => '');
my $last;
ok($gateway->wait(sub {
    $last = call('trace');
    return $last->{body} =~ /"result":"server 4"/;
}, 30), 'where all lack it, any is asked');
ok($gateway->wait(sub { lacks(rows()->{n4}) !~ /trace/ }),
   'and what it has now is learned');

# a method that no class needs is the caller's fault, and told at once

$servers->set($_, error => '{"code":-32601,"message":"method not found"}')
    for 0 .. 4;
$servers->reset;
my $a = $gateway->ask('/relay/eth', method => 'eth_nonsense');
like($a->{body}, qr/-32601/, 'an unknown method');
like($a->{head}, qr/^Gateway-Attempts: 1\r/m, 'is asked for once');

# where all lack it the caller is told so

$a = call('trace');
is($a->{status}, 200, 'no node traces');
like($a->{body}, qr/-32601/, 'which is told in their words');

$gateway->end;
$servers->stop;

done_testing();
