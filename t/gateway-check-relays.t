# Guards checks of servicers: they are relays that servicers serve and sign,
# counted as any other, and bounded; and who lags, lies or forges is found out
# by them, with the answer as evidence.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshDispatcher;
use MeshGateway;
use MeshNode;
use MeshRedis;
use MeshRelay;
use MeshServers;
use MeshServicer;
use Test::More;
use Time::HiRes ();

my $app = MeshRelay::public('app1');
my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);
my $servers = MeshServers->start(5, height => 1000);

my @servicers = map {
    MeshServicer->new(redis => $redis->socket, n => $_,
        nodes => [{ name => "n$_", url => $node->url, keys => ["s$_"] }],
        chain => $servers->port($_ - 1),
        http => 'mesh_relay_node_check_interval 300ms;')->start
} 1 .. 4;

$_->serving for @servicers;

# the fifth is none: nobody has signed what it answers

our @keys = ((map { $_->key } @servicers), MeshRelay::public('s5'));
my $fifth = "$keys[4]\@http://127.0.0.1:" . $servers->port(4);

my $dispatcher = MeshDispatcher->start(height => 6, apps => $app,
    max_relays => 500000,
    servicers => join ',', map { $_->listing } @servicers);

sub gateway {
    my ($chain) = @_;
    my $gateway = MeshGateway->new(workers => 2,
        server => 'location /sessions { mesh_test_sessions; }
                   location /code { mesh_test_session_code; }');
    $gateway->write_file('apps.json', '[{"name":"app1","priv_key":"'
                         . MeshRelay::private('app1') . '"}]', 0600);
    $gateway->write_file('auth.json', '{"Value":"token","Issued":""}', 0600);
    $gateway->{http} = 'mesh_redis unix:' . $redis->socket . ';
                        gateway_dispatcher ' . $dispatcher->url . ";
                        gateway_apps $gateway->{dir}/apps.json;
                        gateway_auth $gateway->{dir}/auth.json;
                        $chain";
    return $gateway->start;
}

# of a servicer: what /gateway/nodes has of it

sub row {
    my ($gateway, $i) = @_;
    my ($status, $body) = $gateway->send(undef, '/gateway/nodes?chain=0021',
                                         'Authorization: token');
    return {} if $status != 200;
    return (grep { $_->{node} eq $keys[$i] }
                 @{ JSON::PP::decode_json($body) })[0] // {};
}

sub reasons {
    my ($gateway, $i) = @_;
    return join ' ', sort map { $_->{reason} }
                     @{ row($gateway, $i)->{excluded} // [] };
}

sub used {
    my ($gateway, $i) = @_;
    my $id = substr $keys[$i], 0, 8;
    my (undef, $body) = $gateway->get('/sessions?chain=0021');
    return ($body =~ /^node $id used (\d+)/m)[0] // 'none';
}

sub block {
    my ($gateway) = @_;
    my (undef, $body) = $gateway->get('/sessions?chain=0021');
    return ($body =~ /^height (\d+)/m)[0] // 'none';
}

sub becomes {
    my ($code, $want, $name) = @_;
    my $have = '';
    for (1 .. 1500) {
        last if ($have = $code->() // '') eq $want;
        Time::HiRes::sleep(0.02);
    }
    is($have, $want, $name);
}

# the newest of a servicer that Redis has, once it has one

sub evidence {
    my ($gateway, $i) = @_;
    my $proof = {};
    $gateway->wait_for(sub {
        ($proof) = grep { $_->{node} eq $keys[$i] }
                   map { JSON::PP::decode_json($_) }
                   @{ $redis->command('LRANGE', 'gateway:{0021}:evidence',
                                      0, -1) // [] };
    });
    return $proof // {};
}

# A chain that is known by its id: heights, blocks and chain ids are asked.

{
    my $gateway = gateway('');

    for my $i (0 .. 3) {
        becomes(sub { row($gateway, $i)->{height} }, 1000,
                "the height of servicer $i");
    }
    $gateway->wait_for(sub {
        4 == grep { $servers->checks($_) >= 3 } 0 .. 3
    }) or fail('three checks of each');
    is(join('', map { reasons($gateway, $_) } 0 .. 3), '', 'none is out');
    cmp_ok(used($gateway, 0), '>=', 3, 'checks are counted');
    $gateway->wait_for(sub { $node->stat('delivered') >= 12 })
        or fail('servicers are paid');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

# Who lags, who lies, who forges.

{
    $redis->command('FLUSHALL');
    $dispatcher->set(servicers => join ',', $fifth,
                                       map { $_->listing } @servicers);
    $servers->set(4, body => '{"response":"{\"jsonrpc\":\"2.0\",\"id\":1,'
                           . '\"result\":\"0x3e8\"}","signature":"'
                           . 'ab' x 64 . '"}');
    my $gateway = gateway('gateway_chain 0021 { check_interval 1s; }');

    becomes(sub { reasons($gateway, 4) }, 'signature', 'a forger is out');
    my $forged = evidence($gateway, 4);
    is($forged->{signature}, 'ab' x 64, 'its signature is kept');
    is(MeshRelay::signed($forged->{node},
                         $forged->{answer} =~ s/(["\\])/\\$1/gr,
                         $forged->{proof}, $forged->{signature}), 0,
       'which is none');

    for my $i (0 .. 3) {
        becomes(sub { row($gateway, $i)->{height} }, 1000,
                "the height of servicer $i");
    }

    $servers->set(1, lag => 100);
    becomes(sub { reasons($gateway, 1) }, 'height', 'who lags is out');
    $servers->set(1, lag => 0);
    becomes(sub { reasons($gateway, 1) }, '', 'and returns');

    $servers->set(2, lie => 1);
    becomes(sub { reasons($gateway, 2) }, 'data', 'who lies is out');
    my $lie = evidence($gateway, 2);
    is($lie->{check}, 'evm_data_integrity_check', 'by evidence');
    like($lie->{signature}, qr/^[0-9a-f]{128}$/, 'that it has signed');
    like($lie->{answer}, qr/^\{"jsonrpc":"2.0","id":\d+,"result":\{/,
         'the answer itself');
    is(MeshRelay::signed($lie->{node}, $lie->{answer} =~ s/(["\\])/\\$1/gr,
                         $lie->{proof}, $lie->{signature}), 1,
       'which anybody can verify');
    is($lie->{size}, length $lie->{answer}, 'all of it');
    is(reasons($gateway, 0) . reasons($gateway, 3), '', 'no other is out');

    # a servicer that answers a chain's answers, not those of a relay

    $servers->set(4, body => '{"jsonrpc":"2.0","id":1,"result":"0x3e8"}');
    $gateway->wait_for(sub {
        $gateway->logged('the answer .*, status 502')
    }) or fail('what is not signed is no answer');

    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
    $servers->set(2, lie => 0);
}

# Two that tell the same lie, in long answers: each has signed its own.

{
    $redis->command('FLUSHALL');
    my $more = MeshServers->start(2, height => 1000);
    my @more = map {
        MeshServicer->new(redis => $redis->socket, n => 5 + $_,
            nodes => [{ name => "m$_", url => $node->url,
                        keys => ["m$_"] }],
            chain => $more->port($_),
            http => 'mesh_relay_node_check_interval 300ms;')->start
    } 0 .. 1;
    $_->serving for @more;
    local @keys = map { $_->key } @servicers, @more;
    $dispatcher->set(servicers => join ',', map { $_->listing }
                                            @servicers, @more);
    $servers->set($_, pad => 20_000) for 0 .. 3;
    $more->set($_, pad => 20_000, lie => 1) for 0 .. 1;

    my $gateway = gateway('gateway_chain 0021 { check_interval 1s; }');

    for my $i (4, 5) {
        becomes(sub { reasons($gateway, $i) }, 'data', "servicer $i is out");
        my $lie = evidence($gateway, $i);
        cmp_ok($lie->{size}, '>', 20_000, 'by a long answer');
        is(length $lie->{answer}, $lie->{size}, 'which is kept whole');
        is(MeshRelay::signed($lie->{node},
                             $lie->{answer} =~ s/(["\\])/\\$1/gr,
                             $lie->{proof}, $lie->{signature}), 1,
           'and it has signed');
    }

    is(join('', map { reasons($gateway, $_) } 0 .. 3), '', 'no other is out');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
    $_->quit for @more;
    $servers->set($_, pad => 0) for 0 .. 3;
}

# Of what a session allows checks take a tenth, and one of each at its start.
# How long it lasts is known by its blocks; until then it is an hour.

{
    $redis->command('FLUSHALL');
    $dispatcher->set(max_relays => 400, height => 5,
                     servicers => join ',', map { $_->listing } @servicers);
    $servers->set(3, lag => 100);
    my $gateway = gateway('gateway_chain 0021 { check_interval 200ms; }');

    becomes(sub { used($gateway, 0) }, 3, 'one of each');
    Time::HiRes::sleep(1);
    is(used($gateway, 0), 3, 'and no more at once');

    # three blocks, of which the session would have been over long ago

    for my $height (6, 7) {
        Time::HiRes::sleep(0.3);
        $dispatcher->set(height => $height);
        becomes(sub { block($gateway) }, $height, "block $height");
    }

    becomes(sub { used($gateway, 0) }, 13, 'checks spend');
    my $checks = $servers->checks(0);
    Time::HiRes::sleep(1.5);
    is(used($gateway, 0), 13, 'no more than their part');
    cmp_ok($servers->checks(0) - $checks, '<=', 1, 'which servers see, too');
    is(reasons($gateway, 0), '', 'nobody is out for it');

    # one that is out is asked beyond it, and so returns

    is(reasons($gateway, 3), 'height', 'who lags is out');
    $gateway->wait_for(sub { used($gateway, 3) > 15 })
        or fail('and asked on');
    $servers->set(3, lag => 0);
    becomes(sub { reasons($gateway, 3) }, '', 'until it returns');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
    $dispatcher->set(max_relays => 500000);
}

# Who is busy is not asked: what it tells callers are its votes.

{
    $redis->command('FLUSHALL');
    my $gateway = gateway('
        gateway_check height { request POST; header Content-Type application/json;
            body \'{"jsonrpc":"2.0","id":$id,"method":"eth_blockNumber","params":[]}\';
            value result; role height; }
        gateway_chain 0021 { family generic; check height; check_interval 2s;
                             height_tolerance 5; operator_cap 100%; }');

    my $busy = substr $keys[0], 0, 8;
    my ($calls, $from, $checks) = (0);
    becomes(sub { row($gateway, 0)->{height} }, 1000, 'heights are asked');

    # as long as it takes the others to be asked some times; a test that
    # stands still for an interval makes an idle one of it

    my $others = $servers->checks(1);
    $gateway->wait_for(sub {
        my (undef, $told) = $gateway->get(
            "/code?chain=0021&node=$busy&code=1&height=1000");
        $calls++ if $told =~ /^told/;
        if (!defined $from && $servers->checks(1) > $others) {
            ($from, $calls, $checks) = (1, 0, $servers->checks(0));
        }
        $servers->checks(1) >= $others + 7;
    }, 90) or fail('idle ones are asked');
    cmp_ok($servers->checks(0) - $checks, '<=', 2, 'who is busy is not');
    cmp_ok($calls, '>', 10, 'as its callers tell');
    is(reasons($gateway, 0), '', 'nobody is out');

    # what it tells callers is held against what others say

    $gateway->wait_for(sub {
        $gateway->get("/code?chain=0021&node=$busy&code=1&height=900");
        reasons($gateway, 0) eq 'height';
    }, 90) or fail('a busy one that lags is out');

    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

# Sessions that a servicer does not take: nobody's fault.

{
    $redis->command('FLUSHALL');
    $node->set(session => 90);
    $_->quit, $_->start->serving for @servicers;
    my $gateway = gateway('gateway_chain 0021 { check_interval 500ms; }');

    $gateway->wait_for(sub { $gateway->logged('says 90') })
        or fail('servicers refuse');
    Time::HiRes::sleep(2);
    is(reasons($gateway, $_), '', "servicer $_ is not out for it") for 0 .. 3;
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
    $node->set(session => 'ok');
    $_->quit, $_->start->serving for @servicers;
}

# A check that asks servicers themselves, not through them.

{
    $redis->command('FLUSHALL');
    $dispatcher->set(servicers => $fifth);
    $servers->set(4, body => '{"version":"RC-0.12"}');
    my $gateway = gateway('
        gateway_check version { request GET /v1; value version;
                                role pattern "^RC-"; mode direct;
                                interval 300ms; }
        gateway_chain 0021 { family none; check version; }');

    my $checks = $servers->checks(4);
    $gateway->wait_for(sub { $servers->checks(4) > $checks + 2 })
        or fail('it is asked');
    is(used($gateway, 4), 0, 'it is no relay');
    is(reasons($gateway, 4), '', 'and passes');
    $servers->set(4, body => '{"version":"other"}');
    becomes(sub { reasons($gateway, 4) }, 'check', 'or fails');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

$_->quit for @servicers;

done_testing();
