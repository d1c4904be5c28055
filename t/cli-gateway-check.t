# Guards "meshctl gateway check" and the "checks" of /gateway/nodes: that each
# check's last outcome is told, with the value and what it was held against,
# for nodes that are sound, lie, lag, or do not answer, and what the exit code
# says.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshCtl;
use MeshReport;
use MeshServers;
use Test::More;

my $servers = MeshServers->start(5, block_time => 500);
my $gateway = MeshReport->new(
    servers => $servers, n => 5,
    select => 'family=evm height_tolerance=3 check_interval=1s timeout=1s'
        . ' max_ejected=90% check=version',
    http => 'gateway_check version { request POST;
                 body \'{"jsonrpc":"2.0","id":$id,"method":"eth_chainId"}\';
                 header Content-Type application/json;
                 value result; role equals 0x99; }
             gateway_chain none { node http://127.0.0.1:1; }
             gateway_chain dead { family generic; check version;
                 check_interval 1s; node http://127.0.0.1:1 name=dead; }',
)->start;

my @url = ('--url', "http://unix:$gateway->{dir}/pool.sock:",
           '--token-file', "$gateway->{dir}/auth.json");

sub check { return ctl('gateway', 'check', @_, @url) }

# the checks of server $i by their names without the family
sub checks {
    my ($i) = @_;
    return { map { ($_->{name} =~ s/^evm_|_check$//gr => $_) }
             @{ $gateway->nodes->{ $gateway->name($i) }{checks} } };
}

sub outcome {
    my ($i, $name, $want) = @_;
    return $gateway->wait(sub {
        (checks($i)->{$name}{outcome} // '') eq $want;
    }, 30);
}

for my $name (qw(height data_integrity chain_id)) {
    ok(outcome($_, $name, 'passed'), "server $_: $name") for 0 .. 4;
}

{
    my $checks = checks(0);
    is(join(' ', map { $checks->{$_}{rule} }
                 qw(height data_integrity chain_id)), 'height votes votes',
       'by what rule');
    like($checks->{height}{value}, qr/^\d+$/, 'a height');
    like($checks->{height}{agreed}, qr/^\d+$/, 'and the agreed one');
    is($checks->{height}{block}, undef, 'of no block');
    like($checks->{data_integrity}{block}, qr/^\d+$/, 'a hash is of a block');
    like($checks->{data_integrity}{value}, qr/^[0-9a-f]+$/, 'it is told');
    is($checks->{data_integrity}{agreed}, $checks->{data_integrity}{value},
       'and agreed upon');
    like($checks->{height}{at}, qr/^20\d\d-\d\d-\d\dT.*Z$/, 'and when');
}

# what a check of one's own says is by its own rule

ok(outcome(0, 'version', 'failed'), 'a chain that is not ours');
is(checks(0)->{version}{rule}, 'own', 'by its own rule');
is(checks(0)->{version}{value}, '0x1', 'what it told');
is(checks(0)->{version}{agreed}, '0x99', 'and what it was to be');

# one that lies, one that lags, one that is gone

$servers->set(1, lie => 1);
$servers->set(2, lag => 50);
ok(outcome(1, 'data_integrity', 'failed'), 'a server lies');
my $lie = checks(1)->{data_integrity};
isnt($lie->{value}, $lie->{agreed}, 'the others agree on something else');
ok(outcome(2, 'height', 'failed'), 'a server lags');
my $lag = checks(2)->{height};
cmp_ok($lag->{value}, '<', $lag->{agreed}, 'it is below the agreed height');
ok(outcome(3, 'data_integrity', 'passed'), 'another is sound');

{
    my ($code, $out, $err) = check('u:eth');
    is($code, 1, 'the exit code') or diag $err;
    my @lines = split /\n/, $out;
    is(scalar @lines, 1 + 5 * 4, 'a head, and a line for each check');
    like($lines[0], qr/^NODE +AT +CHECK +OUTCOME +VALUE +AGREED +BLOCK /,
         'the head');
    my $node = quotemeta $gateway->name(1);
    my $hash = '[0-9a-f]{32}';
    like($out, qr/^$node +$node +\S+data\S+ +failed +$hash +$hash /m,
         'the one that lies');
    like($out, qr/evm_height_check +passed +\d+ +\d+ +20\S+ +not behind/,
         'and one that does not, with the rule');

    ($code, $out) = check('u:eth', $gateway->name(3));
    is(scalar(() = $out =~ /\n/g), 5, 'one node');

    ($code, $out) = check('u:eth', $gateway->name(2), '--json');
    is($code, 1, 'as JSON, the code');
    is(scalar @{ JSON::PP::decode_json($out)->{checks} }, 4, 'and the node');
}

{
    $gateway->wait(sub { (check('dead'))[1] =~ /no answer/ }, 15);
    my ($code, $out) = check('dead');
    is($code, 1, 'a node that does not answer');
    like($out, qr/^dead +127\.0\.0\.1:1 +version +no answer +/m, 'is told');

    ($code, $out, my $err) = check('none');
    is("$code$err", '0', 'nothing is checked: nothing has failed');
    is(scalar(() = $out =~ /\n/g), 1, 'nothing is told');
}

for ([[], 2, 'a chain is expected after "check"'],
     [['no'], 1, 'there is no chain "no"'],
     [['u:eth', 'x'], 1, 'chain "u:eth" has no node "x"'])
{
    my ($args, $want, $text) = @$_;
    my ($code, $out, $err) = check(@$args);
    is($code, $want, "@$args: $want");
    like($err, qr/\Q$text\E/, 'and a reason');
}


# Over a reload what is known stays, but not of checks that are gone.

{
    my $at = checks(4)->{chain_id}{at};
    $gateway->reload;
    is(checks(4)->{chain_id}{at}, $at, 'known over a reload');

    $gateway->{http} =~ s/ check=version//;
    $gateway->reload;
    ok($gateway->wait(sub { !exists checks(4)->{version} }, 15),
       'a check that is gone is not told of');
    ok(outcome(4, 'height', 'passed'), 'the others are, again');
}

$gateway->quit;

done_testing();
