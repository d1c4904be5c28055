# Guards "meshctl gateway report": the relays of each session by servicer, as
# "localnet compare" reads them, to a file or to the standard output.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshCtl;
use MeshSessions;
use Test::More;

my $net = MeshSessions->start(edges => [2]);
my $gateway = $net->gateway(family => 'none', keys => 'hedge off;',
                            http => 'gateway_auth %DIR%/auth.json;');
my @url = ('--url', "http://unix:$gateway->{dir}/pool.sock:");
my @token = ('--token-file', "$gateway->{dir}/auth.json");
my @kinds = qw(answered checks rejected code_28 hedges timeouts refused);

# of a write: it is asked of one servicer alone

my $send = '{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction",'
           . '"params":["0x00"]}';

sub report { return ctl('gateway', 'report', @_, @url, @token) }

sub calls {
    my ($of, $session, $n) = @_;
    for (1 .. $n) {
        my $answer = $gateway->ask('/relay/0021', body => $send);
        $of->{"$session s" . $net->servicer($answer)}++;
    }
}

sub answered {
    my ($report) = @_;
    my %name = map { (MeshRelay::address("s$_") => "s$_") } 0, 1;
    return { map { ("$_->{session} $name{ $_->{servicer} }" => $_->{answered}) }
             @{ $report->{rows} } };
}

{
    my ($code, $out, $err) = report();
    is($code, 0, 'nothing was sent') or diag $err;
    is_deeply(JSON::PP::decode_json($out)->{rows}, [], 'no rows');
}

my %of;
calls(\%of, 5, 20);

{
    my ($code, $out, $err) = report();
    is($code, 0, 'report') or diag $err;

    my $report = JSON::PP::decode_json($out);
    is_deeply(answered($report), \%of, 'who has answered how many');
    is($report->{answered}, 20, 'and all together');

    my $row = $report->{rows}[0];
    is($row->{chain}, '0021', 'chain');
    is($row->{app}, MeshRelay::public('app'), 'application');
    is($row->{state}, 'served', 'state');
    is(join(' ', grep { !defined $row->{$_} } @kinds), '', 'all counts');
    is(join(' ', grep { $row->{$_} } @kinds), 'answered', 'one is not 0');
}

# another session, and a servicer that fails

$net->node->get('/_demo/set?height=10');
$gateway->wait(sub {
    $gateway->ask('/gateway/find/0021', get => 1)->{body}
        =~ /"session_height":9,/
    && $gateway->ask('/gateway/sessions', get => 1,
                     headers => ['Authorization: token'])->{body} =~ /"ended"/
}) or fail('the next session');

calls(\%of, 9, 10);

{
    my $file = "$gateway->{dir}/report.json";
    my ($code, $out, $err) = report('-o', $file, '--chain', '0021');
    is($code, 0, 'to a file') or diag $err;
    is($out, '', 'not to the standard output');

    my $report = JSON::PP::decode_json(MeshCtl::slurp($file));
    is_deeply(answered($report), \%of, 'of both sessions');
    is(join(' ', map { $_->{session} } @{ $report->{rows} }),
       join(' ', map { /^(\d+)/ } sort keys %of), 'one after the other');
    is($report->{rows}[0]{state}, 'ended', 'the first has ended');

    ($code, $out, $err) = report('--output', $file);
    is($code, 2, 'a file that is there');
    like($err, qr/report\.json/, 'is named');
}

{
    my ($code, $out, $err) = report('--chain', 'none');
    is($code, 1, 'a chain that is not there');
    like($err, qr/there is no chain "none"/, 'is named');

    ($code, $out, $err) = ctl('gateway', 'report', @url);
    is($code, 2, 'a token is needed');
    like($err, qr/needs --token-file/, 'as it says');

    ($code, $out, $err) = report('0021');
    is($code, 2, 'no argument');

    ($code, $out) = ctl('help', 'gateway');
    like($out, qr/^       meshctl gateway report/m, 'help');
}

$gateway->end;
$net->end;

done_testing();
