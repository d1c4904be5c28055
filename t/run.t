# Guards "make run" and "make stop": that they end with everything serving or
# with a reason and nothing left behind, as root and as a normal user, for a
# demo of edges and a gateway and for the data directory of a mesh client, and
# that two run folders do not meet.

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

my $dir = MeshRun->dir;

chdir "$FindBin::Bin/.." or die $!;

# of the calls, as the table has it
sub share { return ($_[0] =~ /([\d.]+)% +[\d.]+% +[\d.]+%/)[0] // 0 }

sub url {
    my ($out) = @_;
    return ($out =~ /serves on (http:\S+);/)[0];
}


# The demo, and a second one beside it.

{
    my ($code, $out, $err) = script('run', RUNDIR => "$dir/one");
    is($code, 0, 'make run') or diag $out, $err;
    is($err, '', 'without complaint');
    like($out, qr/^ +\{"jsonrpc":"2\.0",.*"result":"0x/m, 'the answer');
    like($out, qr/^ +Gateway-Attempts: \d+$/m, 'and how it came');

    my %row = map { ((split)[2] => $_) } $out =~ /^ +(0021 .*)$/mg;
    my ($fast, $slow, $liar) = map {
        my $n = $_;
        $row{ (grep { /^127\.0\.0\.$n:/ } keys %row)[0] // '' } // '';
    } 1 .. 3;
    like($fast, qr/ north +in /, 'the ranking: one is sound');
    like($slow, qr/ south +in /, 'one is slow');
    cmp_ok(share($slow), '<', 20, 'it has few calls');
    like($liar, qr/ south +out +0\.0% .* data until /, 'one lies');
    like($out, qr/^ +excluded +data until/m, 'and is out for it');
    like($out, qr/^ +last error +evm_data_integrity_check outvoted/m,
         'by what');
    like($out, qr/^ +demo .* (\d+) +0 +\g1 +0  0$/m, 'the ledger');

    ok(-s "$dir/one/$_", "file $_")
        for qw(nginx.conf nginx.pid error.log access.log redis.conf redis.log
               redis.pid);
    is_deeply(others("$dir/one"),
              [ qw(meshdemo meshdemo redis-server) ], 'what runs');

    my ($list) = $out =~ /^Next: (.*)/ms;
    my @next = ($list // '') =~ /^    (\S.*)$/mg;
    is(scalar @next, 5, 'what to try next');
    for my $next (@next) {
        my ($c, $answer, $e) = run_command('/bin/sh', '-c', $next);
        my ($what) = $next =~ m{(?:^|/)(curl|meshctl \w+(?: \w+)?) };
        is($c, $next =~ / why / ? 1 : 0, "$what: its code") or diag $e;
        like($answer, $next =~ /relay/ ? qr/"result":"0x/ : qr/0021/,
             "$what: is answered");
    }

    my ($code2, $out2) = script('run', RUNDIR => "$dir/one");
    is($code2, 0, 'make run again');
    like($out2, qr/^already runs: ${\ url($out)} /, 'says that it runs');

    my ($code3, $out3, $err3) = script('run', RUNDIR => "$dir/two",
                                       WORKERS => 1);
    is($code3, 0, 'another run folder') or diag $err3;
    isnt(url($out3), url($out), 'has a port of its own');
    like(slurp("$dir/two/nginx.conf"), qr/^worker_processes +1;/m, 'WORKERS');

    my ($stop, $said) = script('stop', RUNDIR => "$dir/one");
    is($stop, 0, 'make stop');
    like($said, qr/nginx.*redis-server/, 'says what it ended');
    is_deeply([ processes("$dir/one") ], [], 'nothing is left');
    unlike(slurp("$dir/one/error.log"), qr/\[(alert|emerg|crit)\]/,
           'no alarm in the log');

    my ($c2) = run_command('/bin/sh', '-c',
                           $out3 =~ /^ +(\S+meshctl relay .*)$/m);
    is($c2, 0, 'the other one goes on');

    my ($again, $nothing) = script('stop', RUNDIR => "$dir/one");
    is($again, 0, 'make stop again');
    like($nothing, qr/nothing runs/, 'has nothing to do');

    my ($code4, undef, $err4) = script('run', RUNDIR => "$dir/one");
    is($code4, 0, 'and make run again') or diag $err4;
    script('stop', RUNDIR => "$dir/one");
    script('stop', RUNDIR => "$dir/two");
    is_deeply([ processes("$dir/two") ], [], 'both are ended');
}


# Somebody else's process behind a pid file is left alone.

{
    my $other = MeshCtl->demo('chain');
    mkdir "$dir/stale";
    write_file("$dir/stale/$_.pid", $other->pid . "\n")
        for qw(nginx chain node redis);
    my ($code) = script('stop', RUNDIR => "$dir/stale");
    is($code, 0, 'stale pid files');
    ok(kill(0, $other->pid), 'end nobody');

    write_file("$dir/stale/nginx.pid", "1; rm\n");
    ($code) = script('stop', RUNDIR => "$dir/stale");
    is($code, 0, 'nor do odd ones');
}


# The data directory of a mesh client.

my $node = MeshCtl->demo('node', '--height', 6);
my $chain = MeshCtl->demo('chain');
my $port = MeshCtl->port;
my $data = "$dir/data";

mkdir "$data$_" for '', '/config', '/key', '/chains';
write_file("$data/config/config.json", <<"EOF");
{
  // as the mesh client has it
  "data_dir": "/home/app/.pocket",
  "rpc_port": "$port",
  "chains_name": "chains/chains.json",
  "auth_token_file": "key/auth.json",
  "servicer_auth_token_file": "key/auth.json",
  "servicer_private_key_file": "key/key.json",
  "relay_cache_file": "data/relays.pkt"
}
EOF
write_file("$data/key/key.json", '[{"priv_key":"' . MeshRelay::private('s1')
           . '","servicer_url":"' . $node->url . '"}]', 0600);
write_file("$data/key/auth.json", '{"Value":"t"}', 0600);
write_file("$data/chains/chains.json",
           '[{"id":"0021","url":"' . $chain->url . '/0021"}]', 0600);

sub served {
    my $relay = MeshRelay::relay(servicer => 's1', height => 5);
    my $s = IO::Socket::INET->new("127.0.0.1:$port") or return 'no connection';
    print $s "POST /v1/client/relay HTTP/1.0\r\nContent-Length: "
        . length($relay) . "\r\n\r\n$relay";
    local $/;
    my ($head, $body) = split /\r\n\r\n/, <$s> // '', 2;
    return MeshRelay::verify($relay, $body) ? 'served' : "$head\n$body";
}

{
    my ($code, $out, $err) = script('run', RUNDIR => "$dir/edge",
                                    DATADIR => $data, WORKERS => 2);
    is($code, 0, 'DATADIR') or diag $out, $err;
    like($out, qr/^rpc_port +listen$/m, 'settings are named');
    like($out, qr/^relay_cache_file +not needed: /m, 'or not needed');
    ok(wait_for(sub { served() eq 'served' }), 'it serves') or diag served();
    is_deeply(others("$dir/edge"), [ 'redis-server' ],
              'with a Redis of its own');

    my ($c, $ledger) = run_command('/bin/sh', '-c',
                                   $out =~ /^ +(\S+meshctl ledger .*)$/m);
    is($c, 0, 'the ledger by the command that it prints');
    my ($recorded) = $ledger =~ /^all +(\d+)/m;
    cmp_ok($recorded, '>=', 1, 'has the relays');

    script('stop', RUNDIR => "$dir/edge");
    is_deeply([ processes("$dir/edge") ], [], 'it ends');

    my $redis = MeshRedis->start;
    ($code, $out, $err) = script('run', RUNDIR => "$dir/edge",
        DATADIR => $data, REDIS => 'unix:' . $redis->socket);
    is($code, 0, 'REDIS') or diag $err;
    ok(wait_for(sub { served() eq 'served' }), 'it serves');
    ok($redis->command('EXISTS', 'mesh:{127.0.0.1}:ledger'),
       'and records there');
    is_deeply(others("$dir/edge"), [], 'without a Redis of its own');
    script('stop', RUNDIR => "$dir/edge");

    ($code, $out, $err) = script('run', RUNDIR => "$dir/edge",
                                 DATADIR => $data);
    is($code, 0, 'its own Redis again') or diag $err;
    my (undef, $kept) = run_command('/bin/sh', '-c',
                                    $out =~ /^ +(\S+meshctl ledger .*)$/m);
    like($kept, qr/^all +$recorded /m, 'has kept the ledger');
    script('stop', RUNDIR => "$dir/edge");
}


# What cannot work: a reason, a code, and nothing left.

{
    my $refused = sub {
        my ($name, $why, %env) = @_;
        refused($name, $why, DATADIR => $data, %env);
    };

    for my $file (qw(key/key.json key/auth.json)) {
        chmod 0640, "$data/$file";
        $refused->("a $file that others can read",
                   qr/chmod 600 \Q$data\E\/\Q$file\E/);
        chmod 0600, "$data/$file";
    }

    rename "$data/key/key.json", "$data/key/away";
    $refused->('no keys', qr/key\.json.*No such file/s);
    rename "$data/key/away", "$data/key/key.json";

    my $config = slurp("$data/config/config.json");
    write_file("$data/config/config.json", '{');
    $refused->('no JSON', qr/config\.json": parse error/);
    write_file("$data/config/config.json", $config);

    my $other = IO::Socket::INET->new(Listen => 1, LocalAddr => '0.0.0.0',
                                      ReuseAddr => 1, LocalPort => $port)
        or die $!;
    $refused->('a port that is taken', qr/bind\(\).*in use/);
    $refused->('a port that is taken, for the demo', qr/bind\(\).*in use/,
               DATADIR => '', PORT => $port, relative => 1);
    close $other;

    $refused->('no such directory', qr/"\/none" is no directory/,
               DATADIR => '/none');
    $refused->('no such Redis', qr/cannot connect to redis/,
               REDIS => "unix:$dir/none.sock");
    $refused->('odd WORKERS', qr/WORKERS is "x"/, WORKERS => 'x');
    $refused->('an odd name', qr/RUNDIR "\Q$dir\E\/a b" has characters/,
               RUNDIR => "$dir/a b");
    $refused->('a long name', qr/too long for a unix socket/,
               RUNDIR => "$dir/" . 'x' x 100);
}


# Another user: as one, and as root for one.

for_users(12, sub {
    my ($name, $uid, $rundir, @how) = @_;

    my ($code, $out, $err) = script('run', RUNDIR => $rundir, @how);
    is($code, 0, "$name: make run") or diag $out, $err;
    like($out, qr/^ +\{"jsonrpc".*"result":"0x/m, "$name: a call is answered");

    my %uid = users($rundir);
    is($uid{'redis-server'}, $uid, "$name: Redis is that user's");
    is($uid{meshdemo}, $uid, "$name: the demo too");
    is($uid{'nginx master'}, @how ? $uid : 0, "$name: nginx");
});

done_testing();
