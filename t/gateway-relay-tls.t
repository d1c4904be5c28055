# Guards calls and checks over TLS: nothing is sent to a node whose
# certificate is not trusted or is another's, callers do not see that, and
# the operator sees why.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshHttp;
use MeshReport;
use MeshSessions;
use Test::More;

# servicers: two good ones, the second by a name; then one of a certificate
# that nobody vouches for, one of another name, one without TLS

my $certs = MeshHttp->certificates(
    servicer => 'IP:127.0.1.1,DNS:localhost,IP:127.0.0.1',
    client => 'DNS:client');

sub server {
    my ($name, $i) = @_;
    return { server => "ssl_certificate $certs/$name.crt;
                        ssl_certificate_key $certs/$name.key;
                        ssl_protocols TLSv1.2 TLSv1.3;
                        access_log $certs/$i.log tls;" };
}

# what that server has logged: [protocol, name, session resumed, number of the
# request on its connection, host, client's certificate]

sub seen {
    my ($i) = @_;
    open my $f, '<', "$certs/$i.log" or return;
    return map { [split] } <$f>;
}

my $net = MeshSessions->start(
    edges => [1, 1, 1, 1, 1],
    http => q{log_format tls '$ssl_protocol "$ssl_server_name" '
                             '$ssl_session_reused $connection_requests '
                             '$http_host $ssl_client_verify';},
    tls => [server('servicer', 0),
            { name => 'localhost', %{ server('servicer', 1) } },
            server('self', 2), server('wrong', 3), {}]);
my $host = $net->address(0);
my $trusted = "gateway_ssl_trusted_certificate $certs/ca.crt;";
my $auth = 'gateway_auth %DIR%/auth.json;';

sub nodes {
    my ($gateway, $chain) = @_;
    my $answer = $gateway->ask("/gateway/nodes?chain=$chain", get => 1,
                               headers => ['Authorization: token']);
    return map { $_->{node} => $_ }
           @{ JSON::PP::decode_json(MeshReport::body($answer)) };
}

# the text of the servicer's last error; none while it is in
sub why {
    my ($gateway, $i) = @_;
    my %nodes = nodes($gateway, '0021');
    my $node = $nodes{ $net->key($i) };
    return @{ $node->{excluded} } ? $node->{error}{text} : '';
}

sub failures {
    my ($sum) = @_;
    return $sum->{n} - ($sum->{status}{200} // 0) + $sum->{open};
}

my @why = (
    [2, qr/self.signed certificate/, 'a certificate that nobody vouches for'],
    [3, qr/hostname mismatch|does not match "127\.0\.4\.1"/,
     "another's certificate"],
    [4, qr/TLS handshake failed|by: tls$/, 'no TLS'],
);

# live traffic alone, and checks alone

for my $family ('none', 'evm') {
    my $gateway = $net->gateway(family => $family, http => "$auth $trusted",
                                keys => 'max_ejected 100%;');
    my $sum = { failed => 0, n => 0 };

    ok($gateway->wait(sub {
        if ($family eq 'none') {
            my $load = $gateway->load('/relay/0021', seconds => 0.5);
            $sum->{failed} += failures($load);
            $sum->{n} += $load->{n};
        }
        return 3 == grep { why($gateway, $_->[0]) } @why;
    }, 60), "family $family: three of five are out");
    is($sum->{failed}, 0, "family $family: no caller saw it") if $sum->{n};

    like(why($gateway, $_->[0]), $_->[1], "family $family: $_->[2], as is told")
        for @why;

    my %of;
    ok($gateway->wait(sub {
        $of{ $net->servicer($gateway->ask('/relay/0021')) }++;
        return $of{0} && $of{1} && !why($gateway, 0) && !why($gateway, 1);
    }, 60), "family $family: good ones are in, and both serve");
    is_deeply([sort keys %of], [0, 1], "family $family: nobody else does");
    is(scalar(map { seen($_) } 2, 3), 0,
       "family $family: nothing was sent to the others");
    is($gateway->logged('\[alert\]'), 0, "family $family: no alert");
    $gateway->end;
}

# names, hosts, kept connections and sessions

{
    my @by_address = seen(0);
    my @by_name = seen(1);

    is_deeply([keys %{{ map { $_->[1] => 1 } @by_address }}], ['"-"'],
              'an address is no server name');
    is_deeply([keys %{{ map { $_->[4] => 1 } @by_address }}], [$host],
              'it is the host');
    is_deeply([keys %{{ map { $_->[1] => 1 } @by_name }}], ['"localhost"'],
              'a name is the server name');
    like($by_name[0][4], qr/^localhost:\d+$/, 'and the host');
    cmp_ok(scalar(grep { $_->[3] == 1 } @by_address), '<',
           @by_address / 2, 'connections are kept');
    is_deeply([keys %{{ map { $_->[0] => 1 } @by_name }}], ['TLSv1.3'],
              'of the newest version');
}

# settings of OpenSSL: an older version, a certificate of the client's

{
    my $n = seen(0);
    my $gateway = $net->gateway(family => 'none', http => "$trusted
        gateway_ssl_conf_command MaxProtocol TLSv1.2;
        gateway_ssl_conf_command Certificate $certs/client.crt;
        gateway_ssl_conf_command PrivateKey $certs/client.key;");
    my @new;
    ok($gateway->wait(sub {
        $gateway->ask('/relay/0021');
        @new = (seen(0))[$n .. seen(0) - 1];
        return scalar @new;
    }, 30), 'another setting');
    is($new[0][0], 'TLSv1.2', 'of the version');
    $gateway->end;
}

# without verification all are good that speak TLS

{
    my $gateway = $net->gateway(family => 'none',
                                http => 'gateway_ssl_verify off;');
    ok($gateway->wait(sub {
        $gateway->ask('/relay/0021');
        return seen(2) && seen(3);
    }, 30), 'without verification any certificate is good');
    $gateway->end;
}

# what nobody of this system vouches for

{
    my $gateway = $net->gateway(family => 'none', http => $auth);
    my $n = seen(0) + seen(1);
    is($gateway->ask('/relay/0021')->{status}, 502,
       'certificates are verified by those of the system, unless told');
    is(seen(0) + seen(1), $n, 'and nothing is sent');
    $gateway->end;
}

$net->end;
done_testing();
