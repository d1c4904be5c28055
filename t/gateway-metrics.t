# Guards /gateway/metrics: each call counts once, by whose answer the caller
# got and why it failed; checks, penalties, nodes and sessions are told; over
# workers and reloads counters only rise; and the format is Prometheus'.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshMetrics;
use MeshReport;
use MeshServers;
use MeshSessions;
use Test::More;

my %calls;                              # that were made, by chain
my ($servers, $gateway, $last);

# a metric's value, and that no counter has gone back
sub metrics {
    my ($status, $body) = $gateway->get('/gateway/metrics');
    die "status $status" unless $status == 200;
    my $metrics = MeshMetrics->read($body);
    my @less = $last ? $metrics->less($last) : ();
    is("@less", '', 'counters only rise') if @less;
    $last = $metrics;
    return $metrics;
}

sub value {
    my ($name, %labels) = @_;
    return metrics()->value("mesh_gateway_$name", %labels);
}

sub becomes {
    my ($want, $what, @of) = @_;
    my $have;
    $gateway->wait(sub { ($have = value(@of)) == $want }, 20);
    is($have, $want, $what);
}

sub rises {
    my ($least, $what, @of) = @_;
    my $have;
    $gateway->wait(sub { ($have = value(@of)) >= $least }, 30);
    cmp_ok($have, '>=', $least, $what);
}

sub call {
    my ($chain, %o) = @_;
    $calls{$chain}++;
    return $gateway->ask('/relay/' . ($o{path} // $chain), %o);
}

# the one that a call counts as
sub counts {
    my ($chain, $route, $outcome, $reason, $what, %o) = @_;
    my @of = ('calls_total', chain => $chain, route => $route,
              outcome => $outcome, reason => $reason);
    my $before = value(@of);
    my $all = $last->value('mesh_gateway_calls_total', chain => $chain);
    call($chain, %o);
    becomes($before + 1, "$what: $route, $outcome, $reason", @of);
    is($last->value('mesh_gateway_calls_total', chain => $chain), $all + 1,
       "$what: once");
}

# of two servers that which has answered, as it may be the one preferred
sub spoil {
    my ($answer, $key, $bad, $good) = @_;
    my ($i) = $answer->{body} =~ /server (\d)/ or return;
    $servers->set($i, $key => $bad);
    $servers->set(1 - $i, $key => $good);
}

sub gateway {
    my ($n, $chains, %o) = @_;
    $last = undef;
    %calls = ();
    $servers = MeshServers->start($n, %{ $o{servers} // {} });
    $chains =~ s{URL(\d)}{'http://127.0.0.1:' . $servers->port($1)}ge;
    return MeshReport->new(servers => $servers, n => 2, workers => 2,
        http => "gateway_pass_headers Accept Content-Type X-Test; $chains",
        more => $o{more} // '', redis => $o{redis},
        select => $o{select} // 'family=none')->start;
}

sub done {
    is($gateway->logged('\[(alert|emerg|crit)\]'), 0, 'no alerts')
        or diag $gateway->log;
    $gateway->quit;
    $servers->stop;
}

# who may see it

{
    $gateway = gateway(2, '');
    my $uri = '/gateway/metrics';
    for (['no token', 401], ['another', 401, 'x-api-key: none'],
         ['x-api-key', 200, 'x-api-key: report-token'],
         ['Authorization', 200, 'Authorization: report-token'],
         ['a bearer', 200, 'Authorization: Bearer report-token'],
         ['another bearer', 401, 'Authorization: Bearer report-tokem'],
         ['half of it', 401, 'Authorization: Bearer report'])
    {
        my ($what, $want, @headers) = @$_;
        my ($status) = $gateway->get($uri, headers => \@headers);
        is($status, $want, $what);
    }
    my (undef, undef, $answer) = $gateway->get($uri);
    like($answer->{head}, qr/^Content-Type: text\/plain; version=0\.0\.4/mi,
         'the type of the format');
    is(($gateway->post($uri, '{}'))[0], 405, 'no POST');
    is(($gateway->get("$uri?chain=none"))[0], 404, 'a chain that is not there');
    my $one = MeshMetrics->read(($gateway->get("$uri?chain=u:eth"))[1]);
    is($one->value('mesh_gateway_nodes', chain => 'u:eth'), 2, 'one chain');
    done();
}

# calls: each outcome

{
    my $more = 'location /short/ { gateway_deadline 400ms; gateway_relay; }';
    $gateway = gateway(6, 'gateway_chain eth { family evm; hedge off;
            check_interval 60s; node URL0 name=n0; node URL1 name=n1;
            altruist URL2; }
        gateway_chain one { family evm; hedge off; check_interval 60s;
            node URL3 name=n3; }
        gateway_chain down { node URL3 name=d down; }', more => $more);

    counts('eth', 'node', 'success', 'answered', 'a call') for 1 .. 5;
    $servers->set(3, error => '{"code":-32602,"message":"invalid"}');
    counts('one', 'node', 'success', 'caller_fault', 'a fault of the caller');
    $servers->set(3, error => '{"code":-32603,"message":"internal"}');
    counts('one', 'node', 'failure', 'nodes_agree', 'all say it');
    $servers->set(3, error => undef);
    counts('one', 'none', 'failure', 'filter_not_found', 'an unknown filter',
           method => 'eth_getFilterChanges', params => '["0x99"]');

    my $made = 0;
    ok($gateway->wait(sub {
        spoil(call('eth'), status => 500, 200);
        $made++;
        return value('calls_total', chain => 'eth', route => 'retried') > 0;
    }, 30), 'another node answers: retried');
    becomes(5 + $made, 'which is a success', 'calls_total', chain => 'eth',
            outcome => 'success');

    $servers->set($_, mode => 'close') for 0, 1;
    counts('eth', 'altruist', 'success', 'answered', 'saved by the altruist');
    becomes(1, 'its answer', 'altruist_total', chain => 'eth',
            outcome => 'success');
    $servers->set(2, mode => 'close');
    counts('eth', 'none', 'failure', 'nodes_failed', 'nobody has one');
    becomes(1, 'its failure', 'altruist_total', chain => 'eth',
            outcome => 'failure');

    $servers->set(3, mode => 'close');
    counts('one', 'none', 'failure', 'not_repeated', 'a write',
           method => 'eth_sendRawTransaction', params => '["0x00"]');
    counts('down', 'none', 'failure', 'no_nodes', 'no node');

    $servers->set(3, mode => 'hang');
    {
        my $before = value('calls_total', chain => 'one',
                           reason => 'deadline');
        $calls{one}++;
        $gateway->ask('/short/one');
        becomes($before + 1, 'too late', 'calls_total', chain => 'one',
                route => 'none', outcome => 'failure', reason => 'deadline');
    }
    {
        my $s = $gateway->connect;
        $calls{one}++;
        print $s $gateway->request('/relay/one');
        rises(1, 'a call is in flight', 'inflight', chain => 'one');
        close $s;
        becomes(1, 'the caller leaves', 'calls_total', chain => 'one',
                route => 'none', outcome => 'aborted',
                reason => 'caller_gone');
        becomes(0, 'nothing is in flight', 'inflight', chain => 'one');
    }
    $servers->set(3, mode => '');

    for (['bad_chain', '/relay/'], ['unknown_chain', '/relay/0021'],
         ['no_websocket', '/relay/one', get => 1,
          headers => ['Upgrade: websocket']],
         ['too_large', '/relay/one', body => 'x' x 1048577])
    {
        my ($reason, $uri, @how) = @$_;
        $gateway->ask($uri, @how);
        becomes(1, "refused: $reason", 'refused_total', reason => $reason);
    }
    counts('one', 'node', 'success', 'answered', 'a GET', get => 1);

    for my $chain (sort keys %calls) {
        becomes($calls{$chain}, "$chain: all calls, each once",
                'calls_total', chain => $chain);
        my $m = $last;
        is($m->value('mesh_gateway_call_duration_seconds_count',
                     chain => $chain, outcome => $_),
           $m->value('mesh_gateway_calls_total', chain => $chain,
                     outcome => $_), "$chain: durations of each $_")
            for qw(success failure);
    }
    cmp_ok($last->value('mesh_gateway_call_duration_seconds_sum',
                        chain => 'one', outcome => 'failure'), '>=', 0.4,
           'the sum is of seconds');
    is($last->value('mesh_gateway_call_duration_seconds_bucket',
                    chain => 'one', outcome => 'failure', le => '0.25'),
       $last->value('mesh_gateway_call_duration_seconds_count',
                    chain => 'one', outcome => 'failure') - 1,
       'the one that was too late is in another bucket');

    # over a reload nothing is lost, by new workers it goes on

    my $before = value('calls_total', chain => 'one');
    my $leaders = $last->value('mesh_gateway_leader_changes_total');
    $gateway->{http} =~ s/node URL3 name=d down;//;
    $gateway->reload;
    rises($leaders + 1, 'another leads', 'leader_changes_total');
    is($last->value('mesh_gateway_calls_total', chain => 'one'), $before,
       'a reload: no call is forgotten');
    counts('one', 'node', 'success', 'answered', 'a call after it');
    becomes(1, 'there is a leader', 'leader');
    is($last->has('mesh_gateway_redis_up'), 0, 'without Redis no word of it');
    done();
}

# hedges

{
    $gateway = gateway(2, 'gateway_chain eth { family evm; hedge 100%;
        check_interval 60s; timeout 20s;
        node URL0 name=n0; node URL1 name=n1; }', servers => { delay => 5 });
    $gateway->load('/relay/eth', seconds => 1, callers => 4);
    ok($gateway->wait(sub {
        spoil(call('eth'), delay => 15000, 5);
        return value('calls_total', chain => 'eth', route => 'hedged',
                     outcome => 'success') > 0;
    }, 30), 'a slow one is not waited for: hedged');
    done();
}

# requests through an upstream{}

{
    $gateway = gateway(2, '', more => 'location /again { proxy_pass http://eth;
        proxy_next_upstream error timeout http_500 non_idempotent; }');
    my %of = (chain => 'u:eth');
    $gateway->call(4, '/rpc');
    becomes(4, 'proxied requests', 'calls_total', %of, route => 'node',
            outcome => 'success');
    my $made = 4;
    ok($gateway->wait(sub {
        spoil($gateway->ask('/again'), status => 500, 200);
        $made++;
        return value('calls_total', %of, route => 'retried') > 0;
    }, 30), 'the next server answers: retried');
    $servers->set($_, status => 500) for 0, 1;
    $gateway->call(1, '/rpc');
    becomes(1, 'none answers well', 'calls_total', %of, route => 'none',
            outcome => 'failure', reason => 'nodes_failed');
    $servers->set($_, status => 200, mode => 'hang') for 0, 1;
    my $s = $gateway->connect;
    print $s $gateway->request('/rpc');
    becomes(1, 'a request is in flight', 'inflight', %of);
    close $s;
    becomes(1, 'the caller leaves', 'calls_total', %of,
            outcome => 'aborted', reason => 'caller_gone');
    is($last->value('mesh_gateway_calls_total', %of), $made + 2,
       'each once');
    rises(1, 'tries that failed', 'tries_total', %of, outcome => 'failed');
    rises(1, 'tries that were given up', 'tries_total', %of,
          outcome => 'censored');
    done();
}

# checks, penalties and states of nodes

{
    my $chains = 'gateway_chain eth { family evm; check_interval 200ms;
            height_tolerance 2; node URL0 name=n0 operator=a;
            node URL1 name=n1 operator=b; node URL2 name=n2 operator=c;
            node URL3 name=n3 operator=d; }
        gateway_chain alone { family evm; check_interval 200ms;
            node URL4 name=n4; }
        gateway_chain quota { family none; node URL5 name=n5;
            node URL0 name=n0; }';
    $gateway = gateway(6, $chains);
    my @height = ('checks_total', chain => 'eth',
                  check => 'evm_height_check');

    rises(8, 'checks that are passed', @height, outcome => 'passed');
    is($last->value('mesh_gateway_checks_total', chain => 'eth',
                    outcome => 'failed'), 0, 'none has failed');
    rises(2, 'one node alone proves nothing', 'checks_total',
          chain => 'alone', outcome => 'inconclusive');
    is($last->value('mesh_gateway_height', chain => 'eth'), 1000,
       'the height');
    becomes(4, 'all nodes are in', 'nodes', chain => 'eth', state => 'in');

    $servers->set(1, lag => 50);
    rises(1, 'one lags: it fails', @height, outcome => 'failed');
    becomes(1, 'a penalty', 'penalties_total', chain => 'eth',
            reason => 'height');
    becomes(1, 'a node is out', 'nodes', chain => 'eth', state => 'out');
    becomes(1, 'for its height', 'nodes_excluded', chain => 'eth',
            reason => 'height');
    rises(2, 'it is asked, and fails, again', @height, outcome => 'failed');
    is($last->value('mesh_gateway_penalties_total', chain => 'eth',
                    reason => 'height'), 1, 'and is out once');

    $servers->set(2, status => 500);
    rises(1, 'one does not answer', @height, outcome => 'unanswered');
    $servers->set(2, status => 200);
    $servers->set(1, lag => 0);
    becomes(4, 'all return', 'nodes', chain => 'eth', state => 'in');
    is($last->value('mesh_gateway_nodes', chain => 'eth'), 4,
       'each node has one state');

    is(($gateway->post('/gateway/admin/cordon',
                       { chain => 'eth', node => 'n0' }))[0], 200, 'cordon');
    becomes(1, 'a node is cordoned', 'nodes', chain => 'eth',
            state => 'cordoned');

    # the checks change, the names that stay go on

    my $passed = value(@height, outcome => 'passed');
    $gateway->{http} =~ s/(gateway_chain eth \{)/$1 check evm_syncing_check;/;
    $gateway->reload;
    ok($gateway->wait(sub {
        metrics();
        return $last->has('mesh_gateway_checks_total', chain => 'eth') == 20;
    }), 'one more check');
    rises($passed + 4, 'those there were go on', @height,
          outcome => 'passed');

    $servers->set(5, status => 429, header => 'Retry-After: 30');
    ok($gateway->wait(sub {
        call('quota');
        return value('penalties_total', chain => 'quota',
                     reason => 'quota') == 1;
    }, 30), 'one asks to be left alone');
    rises(1, 'its tries', 'tries_total', chain => 'quota',
          outcome => 'quota');
    $servers->set(0, status => 500);
    ok($gateway->wait(sub {
        call('quota') for 1 .. 4;
        return value('penalties_total', chain => 'quota',
                     reason => 'response') == 1;
    }, 60), 'the other fails');
    rises(1, 'tables are made', 'rankings_total', chain => 'quota');
    cmp_ok(abs($last->value('mesh_gateway_ranked_timestamp_seconds',
                            chain => 'eth') - time), '<', 600,
           'at a time of now');
    done();
}

# sessions, and Redis

{
    my $net = MeshSessions->start(edges => [], mocks => 2, height => 6,
                                  quota => 1000);
    $last = undef;
    $gateway = $net->gateway(
        http => 'gateway_auth %DIR%/auth.json; mesh_redis unix:'
                . $net->{redis}->socket . ';',
        server => "include $FindBin::Bin/../config/gateway_locations.conf;");
    bless $gateway, 'MeshReport';
    local $MeshReport::token = 'token';

    becomes(1, 'a session', 'sessions', chain => '0021',
            session_height => 5);
    my $allowed = value('session_relays_allowed', chain => '0021',
                        session_height => 5);
    cmp_ok($allowed, '>', 0, 'has an allowance');
    my $used = value('session_relays_used', chain => '0021');
    $gateway->ask('/relay/0021') for 1 .. 3;
    rises($used + 3, 'of which calls use some', 'session_relays_used',
          chain => '0021', session_height => 5);
    rises(6, 'the network', 'pocket_height');

    becomes(1, 'Redis answers', 'redis_up');
    $net->{redis}->stop;
    becomes(0, 'Redis is gone', 'redis_up');
    is($gateway->logged('\[(alert|emerg)\]'), 0, 'no alerts');
    $gateway->quit;
    $net->end;
}

# nothing is configured but the locations

{
    $gateway = MeshPool->new(http => 'gateway_auth %DIR%/auth.json;',
        server => "include $FindBin::Bin/../config/gateway_locations.conf;");
    MeshCtl::write_file("$gateway->{dir}/auth.json", '{"Value":"token"}',
                        0600);
    $gateway->start;
    my $answer = $gateway->ask('/gateway/metrics', get => 1,
                               headers => ['x-api-key: token']);
    is($answer->{status}, 200, 'of no chains');
    is(MeshReport::body($answer), '', 'there is nothing to tell');
    $gateway->quit;
}

done_testing();
