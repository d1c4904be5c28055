# Guards "meshctl gateway": what it prints of nodes, what its verbs do, and
# its exit codes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshCtl;
use MeshReport;
use MeshServers;
use Test::More;

my $servers = MeshServers->start(2);
my $gateway = MeshReport->new(
    servers => $servers,
    http => 'gateway_chain "a&b" { node http://127.0.0.1:1/KEY name=xyz; }'
        . ' gateway_chain none { family evm; }',
)->start;

my @url = ('--url', "http://unix:$gateway->{dir}/pool.sock:");
my @token = ('--token-file', "$gateway->{dir}/auth.json");
my @name = map { $gateway->name($_) } 0, 1;

sub gateway { return ctl('gateway', @_, @url, @token) }

$gateway->call(40);
$gateway->becomes(40, sub { $gateway->sum('tries') }, 'tries');

{
    my ($code, $out, $err) = gateway('nodes');
    is($code, 0, 'nodes') or diag $err;
    my @lines = split /\n/, $out;
    like($lines[0], qr/^CHAIN +NODE +OPERATOR +STATE +SHARE +GIVEN +OK /,
         'a head');
    is(scalar @lines, 4, 'and a line for each');
    like($out, qr/^a&b +xyz +127\.0\.0\.0\/24 +in +100\.0%/m, 'with its share');
    like($out, qr/^u:eth +\Q$name[0]\E .* in +\d+\.\d%/m, 'of its chain');

    ($code, $out) = gateway('nodes', '--chain', 'a&b');
    is(scalar(() = $out =~ /\n/g), 2, 'of one chain');

    ($code, $out) = gateway('nodes', '--chain', 'u:eth', '--json');
    my @rows = map { JSON::PP::decode_json($_) } split /\n/, $out;
    is_deeply([sort map { $_->{node} } @rows], [sort @name], 'as JSON');
}

{
    my ($code, $out) = ctl('gateway', 'find', 'u:eth', @url);
    is($code, 0, 'find');
    like($out, qr/^127\.0\.0\.1:\d+  127\.0\.0\.1:\d+\n\z/, 'a node');

    ($code, $out, my $err) = ctl('gateway', 'find', 'none', @url);
    is($code, 1, 'or none');
    is($err, qq(meshctl: no node of chain "none": no_nodes\n), 'and why');

    ($code, $out) = ctl('gateway', 'find', 'a&b', @url, '--json');
    is(JSON::PP::decode_json($out)->{node}{address}, 'xyz',
       'as JSON');
}

{
    my ($code, $out) = gateway('why', 'u:eth', $name[0]);
    is($code, 0, 'why a node is used');
    like($out, qr/^state +in$/m, 'its state');
    like($out, qr/^latency +[\d.e+-]+ +ms$/m, 'and its factors');

    ($code, $out, my $err) = gateway('why', 'u:eth', 'nobody');
    is($code, 1, 'not one that is none');
    is($err, qq(meshctl: chain "u:eth" has no node "nobody"\n), 'by name');

    for my $name ('xyz', 'xy', '127.0.0.1:1') {
        ($code, $out) = gateway('why', 'a&b', $name);
        like($out, qr/^node +xyz$/m, "a node by \"$name\"");
    }
}

{
    my ($code, $out, $err) = gateway('cordon', 'u:eth', $name[0]);
    is("$code$out$err", '0', 'a node is cordoned, silently');
    $gateway->wait(sub { $gateway->nodes->{ $name[0] }{share} == 0 });

    ($code, $out) = gateway('why', 'u:eth', $name[0]);
    is($code, 1, 'it is not used');
    like($out, qr/^state +cordoned$/m, 'for that');

    ($code, $out) = gateway('uncordon', 'u:eth', $name[0], '--json');
    is(JSON::PP::decode_json($out)->{verb}, 'uncordon', 'and uncordoned');

    ($code) = gateway('drain', 'u:eth', '--operator', $name[1]);
    is($code, 0, 'an operator is drained');
    is($gateway->state(1), 'drained', 'with its node');
    gateway('uncordon', 'u:eth', '--operator', $name[1]);

    ($code) = gateway('clear', 'u:eth', $name[1]);
    is($code, 0, 'cleared');
}

for ([['cordon', 'no', 'x'], 1, 'there is no chain "no"'],
     [['cordon', 'u:eth', 'x"y'], 1, 'chain "u:eth" has no node "x"y"'],
     [['cordon', 'u:eth', '127.0.0.1'], 1,
      '2 nodes of chain "u:eth" could be "127.0.0.1"'],
     [['nodes', '--chain', 'no'], 1, 'there is no chain "no"'],
     [['cordon', 'u:eth'], 2, 'one of a node and --operator is expected'],
     [['cordon', 'u:eth', 'x', '--operator', 'y'], 2,
      'one of a node and --operator is expected'],
     [['why', 'u:eth'], 2, 'a chain and a node are expected after "why"'],
     [['nodes', 'x'], 2, 'unexpected "x"'],
     [['eject'], 2, 'unknown verb "eject"'],
     [[], 2, 'a verb is expected'])
{
    my ($args, $want, $text) = @$_;
    my ($code, $out, $err) = gateway(@$args);
    is($code, $want, "@$args: $want");
    like($err, qr/\Q$text\E/, 'and a reason');
}

{
    my ($code, $out, $err) = ctl('gateway', 'nodes', @url);
    is($code, 2, 'without a token');
    like($err, qr/"nodes" needs --token-file/, 'it says so');

    write_file("$gateway->{dir}/wrong.json", '{"Value":"wrong"}', 0600);
    ($code, $out, $err) = ctl('gateway', 'nodes', @url, '--token-file',
                              "$gateway->{dir}/wrong.json");
    is($code, 1, 'with another one');
    is($err, "meshctl: a token is needed\n", 'the gateway does');

    ($code, $out, $err) = ctl('gateway', 'find', 'x', '--url',
                              'http://127.0.0.1:1');
    is($code, 2, 'and nobody at all');

    ($code, $out) = ctl('gateway', '--help');
    is($code, 0, 'help');
    like($out, qr/^usage: meshctl gateway nodes/, 'tells how');
}

$gateway->quit;

done_testing();
