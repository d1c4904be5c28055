# Guards "make run GATEWAY=dir": that a gateway.conf is served as it stands,
# with relative paths, with a Redis and a zone only where it has none, alone
# and beside an edge in one nginx, as root and as a normal user, and that what
# cannot work ends with a reason and nothing left behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use MeshCtl;
use MeshRedis;
use MeshRelay;
use MeshRun;
use Test::More;

plan skip_all => 'no curl' if system('curl --version > /dev/null 2>&1');

my $dir = MeshRun->dir;

# status and body of the gateway's answer
sub get {
    my ($port, $path) = @_;
    my $s = IO::Socket::INET->new("127.0.0.1:$port") or return (0, $!);
    print $s "GET $path HTTP/1.0\r\n\r\n";
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$s> // '', 2;
    return ($head =~ m{^HTTP/1\.1 (\d+)}, $body);
}

my $chain = MeshCtl->demo('chain');
my ($host) = $chain->url =~ m{//(.*)};
my $port = MeshCtl->port;
my $gw = "$dir/gw";

mkdir $_ for $gw, "$gw/more";
write_file("$gw/auth.json", '{"Value":"token"}', 0600);
write_file("$gw/nginx.conf", "somebody's own\n");
write_file("$gw/gateway.conf", <<"END");
gateway_auth auth.json;   # mesh_redis 127.0.0.1:1; is none
include more/*.conf;
gateway_chain eth {
    node http://$host/0021/v3/KEY;
}
gateway_chain none { family evm; }
END


# A gateway, with all that it needs.

{
    my ($code, $out, $err) = script('run', RUNDIR => "$dir/run",
                                    GATEWAY => $gw, PORT => $port);
    is($code, 0, 'GATEWAY') or diag $out, $err;
    is($err, '', 'without complaint');
    like($out, qr/^The gateway serves on port $port; /m, 'says where');
    like($out, qr/^chain eth: \Q$host\E$/m, 'and of a chain its node');
    like($out, qr/^chain none: no node yet \(503\)/m, 'or that it has none');
    unlike($out, qr/KEY/, 'and no secret');

    my ($status, $body) = get($port, '/gateway/find/eth');
    is($status, 200, 'a node is found') or diag $body;
    like($body, qr/"service_url":"\S*\Q$host\E/, 'which is ours');
    is((get($port, '/gateway/none'))[0], 404, 'no other location');

    my $conf = slurp("$dir/run/nginx.conf");
    like($conf, qr/^ +mesh_redis +unix:\Q$dir\E\/run\/redis\.sock;$/m,
         'a Redis where it has none');
    like($conf, qr/^ +mesh_zone +mesh:32m;$/m, 'and a zone');
    is_deeply(others("$dir/run"), ['redis-server'], 'which runs');
    is(readlink "$dir/run/$_", "$gw/$_", "$_ is linked")
        for qw(auth.json gateway.conf more);
    ok(!-l "$dir/run/nginx.conf", 'but for the nginx.conf');
    is(slurp("$gw/nginx.conf"), "somebody's own\n", 'which stays');

    ($code, $out) = script('run', RUNDIR => "$dir/run", GATEWAY => $gw);
    is($code, 0, 'make run again');
    like($out, qr{^already runs: http://127\.0\.0\.1:$port }, 'says so');

    my (undef, $said) = script('stop', RUNDIR => "$dir/run");
    like($said, qr/nginx.*redis-server/, 'make stop');
    is_deeply([ processes("$dir/run") ], [], 'ends all of it');
    unlike(slurp("$dir/run/error.log"), qr/\[(alert|emerg|crit)\]/,
           'no alarm in the log');
}


# What gateway.conf has itself is not added, wherever it has it from.

{
    my $redis = MeshRedis->start;
    my $address = 'unix:' . $redis->socket;
    write_file("$gw/more/redis.conf", "mesh_redis\n $address;mesh_zone z:8m;");

    my ($code, $out, $err) = script('run', RUNDIR => "$dir/run", PORT => $port,
                                    GATEWAY => "$gw/", REDIS => 'h:1');
    is($code, 0, 'with a Redis of its own') or diag $out, $err;
    like($out, qr/^REDIS is not needed/, 'another one is not asked for');
    unlike(slurp("$dir/run/nginx.conf"), qr/mesh_(redis|zone)/, 'nor named');
    is_deeply(others("$dir/run"), [], 'nor started');
    is((get($port, '/gateway/find/eth'))[0], 200, 'it serves');
    script('stop', RUNDIR => "$dir/run");

    # another folder: nothing of the first one is left
    unlink "$gw/more/redis.conf";
    mkdir "$dir/other";
    write_file("$dir/other/gateway.conf", "mesh_zone z:8m;\n"
               . "gateway_chain eth { node http://$host; }\n");
    ($code, $out, $err) = script('run', RUNDIR => "$dir/run", PORT => $port,
                                 GATEWAY => "$dir/other", REDIS => $address,
                                 WORKERS => 2);
    is($code, 0, 'REDIS') or diag $out, $err;
    my $conf = slurp("$dir/run/nginx.conf");
    like($conf, qr/^ +mesh_redis +\Q$address\E;$/m, 'is named');
    unlike($conf, qr/mesh_zone/, 'a zone is not');
    like($conf, qr/^worker_processes +2;$/m, 'WORKERS');
    is_deeply([ grep { -l } glob "$dir/run/*" ], [ "$dir/run/gateway.conf" ],
              'only its own entries are linked');
    script('stop', RUNDIR => "$dir/run");
}


# An edge and a gateway in one nginx.

my $node = MeshCtl->demo('node', '--height', 6);
my $edge_port = MeshCtl->port;
my $data = "$dir/data";

mkdir $data;
write_file("$data/config.json", qq({"rpc_port":"$edge_port",
    "chains_name":"chains.json","auth_token_file":"auth.json",
    "servicer_auth_token_file":"auth.json",
    "servicer_private_key_file":"key.json"}));
write_file("$data/key.json", '[{"priv_key":"' . MeshRelay::private('s1')
           . '","servicer_url":"' . $node->url . '"}]', 0600);
write_file("$data/auth.json", '{"Value":"t"}', 0600);
write_file("$data/chains.json",
           '[{"id":"0021","url":"' . $chain->url . '/0021"}]', 0600);

sub served {
    my $relay = MeshRelay::relay(servicer => 's1', height => 5);
    my $s = IO::Socket::INET->new("127.0.0.1:$edge_port") or return 0;
    print $s "POST /v1/client/relay HTTP/1.0\r\nContent-Length: "
        . length($relay) . "\r\n\r\n$relay";
    local $/;
    my (undef, $body) = split /\r\n\r\n/, <$s> // '', 2;
    return MeshRelay::verify($relay, $body);
}

for my $case ([ 'one Redis for both', 'redis-server' ],
              [ 'that of gateway.conf' ])
{
    my ($name, @redis) = @$case;
    my $redis = @redis ? undef : MeshRedis->start;
    write_file("$gw/more/redis.conf", 'mesh_redis unix:' . $redis->socket
               . ';') if $redis;

    my ($code, $out, $err) = script('run', RUNDIR => "$dir/both",
                                    GATEWAY => $gw, DATADIR => $data,
                                    PORT => $port);
    is($code, 0, "$name: DATADIR and GATEWAY") or diag $out, $err;
    like($out, qr/^The edge serves on port $edge_port;/m, "$name: the edge");
    like($out, qr/^The gateway serves on port $port;/m, "$name: the gateway");
    is((get($port, '/gateway/find/eth'))[0], 200, "$name: a node is found");
    ok(wait_for(\&served), "$name: relays are served");
    is_deeply(others("$dir/both"), \@redis, "$name: Redis");
    is(scalar(() = slurp("$dir/both/nginx.conf") =~ /^ *mesh_redis /mg),
       scalar @redis, "$name: is named once at most");
    ok($redis->command('EXISTS', 'mesh:{127.0.0.1}:ledger'),
       "$name: has the relays") if $redis;

    script('stop', RUNDIR => "$dir/both");
    is_deeply([ processes("$dir/both") ], [], "$name: all ends");
}
unlink "$gw/more/redis.conf";


# What cannot work: a reason, a code, and nothing left.

{
    my $refused = sub {
        my ($name, $why, %env) = @_;
        refused($name, $why, GATEWAY => $gw, PORT => $port, %env);
    };

    $refused->('no such folder', qr/"\/none" is no directory/,
               GATEWAY => '/none');
    $refused->('no gateway.conf', qr/no \Q$data\E\/gateway\.conf/,
               GATEWAY => $data);
    $refused->("a PORT of $_", qr/PORT is "$_", a port/, PORT => $_)
        for qw(x 0 65536 100000000000000000000);
    $refused->('no such Redis', qr/cannot connect to redis/,
               REDIS => "unix:$dir/none.sock");
    $refused->("the edge's port", qr/PORT $edge_port is the edge's own/,
               DATADIR => $data, PORT => $edge_port);

    chmod 0644, "$gw/auth.json";
    $refused->('a token that others can read', qr/chmod 600 \S*auth\.json/);
    chmod 0600, "$gw/auth.json";

    write_file("$gw/more/a.conf", 'gateway_auth none.json;');
    $refused->('a mistake', qr/"gateway_auth" directive is duplicate in/);
    write_file("$gw/more/a.conf", '');

    write_file("$gw/redis.conf", '');
    $refused->('a name of ours', qr/has "redis\.conf", a name of the run/);
    is(slurp("$gw/redis.conf"), '', 'which stays as it is');
    unlink "$gw/redis.conf";

    my $other = IO::Socket::INET->new(Listen => 1, LocalAddr => '0.0.0.0',
                                      ReuseAddr => 1, LocalPort => $port)
        or die $!;
    $refused->('a port that is taken', qr/bind\(\).*in use/);
}


# Another user: as one, and as root for one.

for_users(10, sub {
    my ($name, $uid, $rundir, @how) = @_;
    chown @how ? $uid : 0, -1, "$gw/auth.json";

    my ($code, $out, $err) = script('run', RUNDIR => $rundir,
                                    GATEWAY => $gw, PORT => $port, @how);
    is($code, 0, "$name: make run") or diag $out, $err;
    is((get($port, '/gateway/find/eth'))[0], 200, "$name: it serves");

    my %uid = users($rundir);
    is($uid{'redis-server'}, $uid, "$name: Redis is that user's");
    is($uid{nginx}, $uid, "$name: the workers too");
});

done_testing();
