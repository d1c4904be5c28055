# Guards what is told of nodes: every reason for a node's share, in the
# module's own words and in those of the gateway-server.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use JSON::PP ();
use MeshReport;
use MeshServers;
use Test::More;
use Time::HiRes ();

my $servers = MeshServers->start(3);

my $many = join '', map { "node http://127.0.0.1:1/v3/SECRET name=n$_ "
                          . 'operator=op' . $_ % 7 . ";\n" } 1 .. 400;

my $gateway = MeshReport->new(
    servers => $servers, n => 3, http => "gateway_chain many { $many }",
)->start;

my @name = map { $gateway->name($_) } 0 .. 2;

{
    $gateway->call(60);
    $gateway->becomes(60, sub { $gateway->sum('tries') }, 'tries');

    my $nodes = $gateway->nodes('u:eth');
    is_deeply([sort keys %$nodes], [sort @name], 'the nodes of a chain');

    my $row = $nodes->{ $name[0] };
    is_deeply([sort keys %$row], [sort qw(chain node url operator state
        excluded lacks weight success correctness liveliness latency ramp pace draw
        share given p50 p90 p99 inflight tries successes height height_at
        first_seen returned_at checks error)], 'and all that is known of one');
    is($row->{chain}, 'u:eth', 'its chain');
    is($row->{operator}, $name[0], 'a server is an operator of its own');
    is($row->{state}, 'in', 'it is used');
    is_deeply($row->{excluded}, [], 'nothing is against it');
    is($row->{tries}, $row->{successes}, 'it did well');
    like($row->{first_seen}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
         'times are as in RFC 3339');

    my ($share, $given) = (0, 0);
    for (values %$nodes) {
        $share += $_->{share};
        $given += $_->{given};
        cmp_ok($_->{weight}, '>', 0, 'a weight');
    }
    cmp_ok(abs($share - 1), '<', 0.001, 'shares add up');
    cmp_ok(abs($given - 1), '<', 0.001, 'given ones, too');
}

{
    $servers->set(1, status => 503);
    $gateway->becomes('out', sub {
        $gateway->load('/rpc', seconds => 1, callers => 6);
        return $gateway->state(1);
    }, 'a node is out', 60);
    my $row = $gateway->nodes->{ $name[1] };
    is($row->{excluded}[0]{reason}, 'response', 'for its failures');
    cmp_ok($row->{excluded}[0]{until}, 'gt', $row->{excluded}[0]{since},
           'until a time');
    is($row->{error}{text}, 'failing, last by: status 503',
       'and by what, lately');
    is($row->{share}, 0, 'without a share');
    cmp_ok($row->{success}, '<', 0.9, 'which its success shows');

    my ($qos) = grep { $_->{node_public_key} eq $name[1] }
                @{ $gateway->rows('/qosnodes/') };
    is($qos->{timeout_reason}, 'node_response_timeout',
       'the gateway-server has a word for it');
    ok(!$qos->{is_healthy}, 'and says it is not healthy');
    like($qos->{timeout_until}, qr/^2\d{3}-/, 'until when');
    $servers->set(1, status => 200);
}

{
    my ($status, $body) = $gateway->get('/qosnodes/');
    is($status, 200, '/qosnodes/');
    my ($first) = $body =~ /(\{[^}]*"chain":"u:eth"[^}]*\})/;
    is_deeply([$first =~ /"(\w+)":/g],
        [qw(node_public_key service_url chain session_height app_public_key
            timeout_until timeout_reason last_known_err is_healthy is_synced
            last_known_height p90_latency)], 'has its members in its order');
    my ($quiet) = grep { $_->{chain} eq 'many' } @{ JSON::PP::decode_json($body) };
    is($quiet->{timeout_until}, '0001-01-01T00:00:00Z', 'never is year 1');
    is($quiet->{timeout_reason}, '', 'without a reason');
    is($quiet->{p90_latency}, 0, 'no sample is 0');
}

{
    my $nodes = $gateway->nodes('many');
    is(scalar keys %$nodes, 400, 'as many nodes as there are');
    is($nodes->{n7}{operator}, 'op0', 'with their operators');
    my ($status, $body) = $gateway->get('/gateway/nodes');
    unlike($body, qr/SECRET/, 'a URL\'s path is not told');
    is(scalar @{ JSON::PP::decode_json($body) }, 403, 'all chains at once');
}

{
    my ($status, $body) = $gateway->get('/gateway/nodes?chain=no%22');
    is($status, 404, 'a chain that is not there');
    is(JSON::PP::decode_json($body)->{message}, 'there is no chain "no""',
       'is named');

    my ($code, $text, $answer) = $gateway->post('/gateway/nodes', '{}');
    is($code, 405, 'another method');
    like($answer->{head}, qr/^Allow: GET, HEAD\r$/m, 'is told which');
}

{
    my $s = $gateway->connect;
    print $s "HEAD /gateway/nodes HTTP/1.0\r\nx-api-key: report-token\r\n\r\n";
    my $text = do { local $/; <$s> };
    like($text, qr/^HTTP\/1\.1 200 /, 'HEAD');
    like($text, qr/\r\n\r\n\z/, 'has no body');
}

# clients that read slowly, and that go away

{
    my @slow = map {
        my $s = $gateway->connect;
        setsockopt $s, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 4096;
        print $s "GET /gateway/nodes HTTP/1.1\r\nHost: a\r\n"
            . "Connection: close\r\nx-api-key: report-token\r\n\r\n";
        $s->flush;
        $s;
    } 1 .. 8;

    Time::HiRes::sleep(0.3);
    is(scalar keys %{ $gateway->nodes('many') }, 400, 'others are served');

    close $_ for @slow[4 .. 7];

    for my $s (@slow[0 .. 3]) {
        my $text = '';
        while (sysread $s, $text, 3000, length $text) {
            Time::HiRes::sleep(0.001);
        }
        my ($head, $body) = split /\r\n\r\n/, $text, 2;
        my $rows = eval { JSON::PP::decode_json(MeshReport::body(
            { head => $head, body => $body })) };
        is(scalar @{ $rows // [] }, 403, 'a slow client has all of it');
    }

    my $s = $gateway->connect;
    print $s "GET /gateway/nodes HTTP/1.1\r\nHost: a\r\n"
        . "x-api-key: report-token\r\n\r\n"
        . "GET /gateway/nodes?chain=u:eth HTTP/1.1\r\nHost: a\r\n"
        . "Connection: close\r\nx-api-key: report-token\r\n\r\n";
    my $text = do { local $/; <$s> };
    is(() = $text =~ /HTTP\/1\.1 200 /g, 2, 'one request after another');
}

# nothing is configured but the locations

{
    my $empty = MeshPool->new(
        http => 'gateway_auth %DIR%/auth.json;',
        server => "include $FindBin::Bin/../config/gateway_locations.conf;");
    system 'cp', '-p', "$gateway->{dir}/auth.json", "$empty->{dir}/auth.json";
    $empty->start;
    for ('/gateway/nodes', '/qosnodes/') {
        my $answer = $empty->ask($_, get => 1,
                                 headers => ['x-api-key: report-token']);
        is_deeply(JSON::PP::decode_json(MeshReport::body($answer)), [],
                  "$_ of no chains");
    }
    my $answer = $empty->ask('/gateway/history/x', get => 1,
                             headers => ['x-api-key: report-token']);
    is($answer->{status}, 404, 'nor is there a history');
    $empty->quit;
}

is($gateway->logged('\[(alert|emerg|crit|error)\] .*report'), 0, 'no errors');
is($gateway->logged('\[(alert|emerg|crit)\]'), 0, 'no alerts')
    or diag $gateway->log;
$gateway->quit;

done_testing();
