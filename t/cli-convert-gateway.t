# Guards "meshctl convert-gateway": that every setting of a gateway-server and
# every column of its tables becomes what it means or is named as not needed,
# that keys come out of what PostgreSQL encrypted and are shown nowhere, and
# that a mistake names its place and leaves nothing behind.

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP ();
use MeshCtl;
use MeshRelay;
use Test::More;

plan skip_all => 'no gpg: keys cannot be decrypted'
    if system('gpg --version > /dev/null 2>&1');

my $root = abs_path("$FindBin::Bin/..");
my $build = abs_path($ENV{BUILD} || "$root/build");
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

my $temp = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
my $dir = abs_path("$temp");
mkdir "$dir/tmp";
$ENV{TMPDIR} = "$dir/tmp";

my $pass = q{it's a "pass" #1 \ $x};

# a row that PostgreSQL 15 made: pgp_sym_encrypt(KEY, 'correct horse')
my $key = '3fe64039816c44e8872e4ef981725b968422e3d49e95a1eb800707591df30fe3'
        . '74039dbe881dd2744e2e0c469cc2241e1e45f14af6975dd89079d22938377849';
my $real = '\xc30d04070302b6f8a12409cbff4f62d2b101bc579e5723d9197f0cd232fdf6'
    . '8bfddc4a307e4af84f9ab9673547446b47eb4fee42cdb5b978533a75ecf79baa8c73ff'
    . 'dc916453d25d58cd58c28a36356cf4dd74b8e5dc156e74467532ab2b896c121d97de4f'
    . 'b4e625c9cf8220817bc52919cf162a2088e05742bd237126d92b89520d56e5b645fbc4'
    . 'ab9ce2841b6a2d07c08514185628ae272b57015c8d44e5b6cbd3932b84527d145a7675'
    . 'd309f18c156dd0e789f88b737847664b1cfa78bab5ce6b';

my $apps_head = 'created_at,updated_at,deleted_at,id,encrypted_private_key';
my $chains_head = 'created_at,updated_at,deleted_at,id,chain_id,'
    . 'pocket_request_timeout_duration,altruist_url,'
    . 'altruist_request_timeout_duration,top_bucket_p90latency_duration,'
    . 'height_check_block_tolerance,data_integrity_check_lookback_height';

sub chain {
    my ($id, $url, %o) = @_;
    return join ',', '2024-03-01 00:00:00.1', '', '', "uuid-$id", $id, '15s',
           $url, $o{timeout} // '30s', '150ms', $o{tolerance} // 100, 25;
}

sub app { my ($id, $bytea) = @_; return "2024-03-01,,,$id,$bytea" }

# what gpg makes of a text
sub sealed {
    my ($text, $pass) = @_;
    write_file("$dir/plain", $text, 0600);
    write_file("$dir/pass", $pass, 0600);
    mkdir "$dir/gnupg", 0700;
    my ($code, $out, $err) = run_command('/bin/sh', '-c',
        "gpg --homedir $dir/gnupg --no-autostart --batch --quiet"
        . " --pinentry-mode loopback --cipher-algo AES128 --compress-algo none"
        . " --s2k-count 65536 --passphrase-fd 3 --symmetric"
        . " < $dir/plain 3< $dir/pass");
    die $err if $code;
    return '\x' . unpack 'H*', $out;
}

my $quoted = $pass =~ s/(["\\\$])/\\$1/gr;

my $env = <<"END";
# of our gateway
POKT_RPC_FULL_HOST=https://node.example:8081   # the dispatcher
export POKT_RPC_TIMEOUT = '1m1.5s'
HTTP_SERVER_PORT=8080
ENVIRONMENT_STAGE=production\r
EMIT_SERVICE_URL_PROM_METRICS=false
CHAIN_NETWORK=morse_mainnet
SESSION_CACHE_TTL=75m
ALTRUIST_REQUEST_TIMEOUT=10s
API_KEY="the \\"api\\" key"
DB_CONNECTION_URL=postgres://u:dbword\@h/db?sslmode=disable
POKT_APPLICATIONS_ENCRYPTION_KEY="$quoted"
POKT_APPLICATION_PRIVATE_KEY=

LOG_COLORS: none
END

my @sealed = map { sealed(MeshRelay::private($_), $pass) } qw(app1 app2 app1);

my %good = (
    env => $env,
    'apps.csv' => join("\n", $apps_head, app('id-1', $sealed[0]),
                       app('"id ""2"""', "\"$sealed[1]\""),
                       app('id-3', $sealed[2]), ''),
    'chains.csv' => join("\r\n", $chains_head,
        chain('0000', 'example.com'),
        chain('0001', 'https://pokt.example/v1', tolerance => 0),
        chain('0006', '"https://sol.example/v3/KEY;a""b"'),
        chain('0013', 'http://127.0.0.1:1'), chain('0021', '')),
);

sub convert {
    my (%change) = @_;
    my $mode = delete $change{mode} // 0600;
    my %files = (%good, %change);
    write_file("$dir/$_", $files{$_}, 0600) for keys %files;
    chmod $mode, "$dir/env";
    system("/bin/rm -rf $dir/out");
    return ctl('convert-gateway', "$dir/env", "$dir/apps.csv",
               "$dir/chains.csv", '-o', "$dir/out");
}

# what is in the folder, and in that of temporary files
sub left { return sort map { s{.*/}{}r } glob "$dir/out* $dir/tmp/*" }


# Who else could read the passphrase.

for my $mode (0640, 0604, 0620) {
    my ($code, $out, $err) = convert(mode => $mode);
    is($code, 1, sprintf('mode %04o: refused', $mode));
    like($err, qr/chmod 600 \Q$dir\E\/env$/m, 'with the remedy');
    is_deeply([ left() ], [], 'and nothing is made');
}


# A whole installation.

{
    my ($code, $out, $err) = convert();
    is($code, 0, 'converted') or diag $err;
    is($err, '', 'without complaint');
    is_deeply([ left() ], ['out'], 'one folder, and no other is left');
    is_deeply([ sort map { s{.*/}{}r } glob "$dir/out/*" ],
              [qw(apps.json auth.json gateway.conf)], 'its files');
    is((stat $_)[2] & 07777, -d $_ ? 0700 : 0600, "$_ is its owner's alone")
        for "$dir/out", glob "$dir/out/*";

    my $apps = JSON::PP::decode_json(slurp("$dir/out/apps.json"));
    is_deeply($apps, [ { name => 'id-1',
                         priv_key => MeshRelay::private('app1') },
                       { name => 'id "2"',
                         priv_key => MeshRelay::private('app2') } ],
              'the applications, each once');
    my $auth = JSON::PP::decode_json(slurp("$dir/out/auth.json"));
    is($auth->{Value}, 'the "api" key', 'the key of the interface');

    my $conf = slurp("$dir/out/gateway.conf");
    my @settings = map { /^#/ ? () : s/\s+/ /gr =~ s/^ | $//gr }
                   split /\n/, $conf;
    is_deeply([ grep { length } @settings ], [
        'gateway_dispatcher https://node.example:8081;',
        'gateway_apps apps.json;', 'gateway_auth auth.json;',
        'gateway_chain 0001 {', 'family pokt;', 'height_tolerance 0;',
        'timeout 61500ms;', 'altruist https://pokt.example/v1;', '}',
        'gateway_chain 0006 {', 'family solana;', 'height_tolerance 100;',
        'timeout 61500ms;', 'altruist "https://sol.example/v3/KEY;a\"b";',
        '}',
        'gateway_chain 0013 {', 'family evm;', 'height_tolerance 100;',
        'timeout 61500ms;', 'altruist http://127.0.0.1:1;', '}',
        'gateway_chain 0021 {', 'family evm;', 'height_tolerance 100;',
        'timeout 61500ms;', '}' ], 'the directives');

    my %becomes = map { /^([A-Za-z_]\w*)  +(\S.*)$/ ? ($1 => $2) : () }
                  split /\n/, $out;
    for my $name ($env =~ /^(?:export )?([A-Z_]+)/mg,
                  $chains_head =~ /(chain_id|pocket_\w+|altruist\w+|\w+latency\w+|height_\w+|data_\w+)/g,
                  'encrypted_private_key')
    {
        ok($becomes{$name}, "$name is named");
    }
    is($becomes{POKT_RPC_FULL_HOST}, 'gateway_dispatcher', 'as a directive');
    like($becomes{SESSION_CACHE_TTL}, qr/^not needed: \w/, 'or not needed');
    like($becomes{LOG_COLORS}, qr/^not needed: no setting/, 'or unknown');
    like($out, qr/^chain 0000 +not needed: the sample row/m, 'the sample row');
    like($out, qr/^[0-9a-f]{40}  line 4: left out, it is there already$/m,
         'an application that is there twice');
    like($out, qr/make run GATEWAY=\Q$dir\E\/out$/m, 'what to do next');

    like($conf, qr/^# \Q$_\E$/m, 'the file says it, too: ' . substr $_, 0, 20)
        for grep { length } ($out =~ /(.*?)\nmade /s)[0] =~ /^(.*)$/mg;

    for my $secret (MeshRelay::private('app1'), $pass, 'api', 'dbword', 'v3/KEY')
    {
        is(index($out, $secret), -1, 'a secret is not printed');
    }
}


# nginx takes what was made.

SKIP: {
    skip 'no module', 1 unless -e "$build/ngx_gateway_select_module.so";

    convert();
    write_file("$dir/out/nginx.conf", <<"END");
load_module $build/ngx_gateway_select_module.so;
pid $dir/nginx.pid;
error_log $dir/error.log;
events {}
http {
    access_log off;
    resolver 127.0.0.1;
    include gateway.conf;
}
END
    # hosts that a resolver here knows
    my $conf = slurp("$dir/out/gateway.conf");
    $conf =~ s{//\w+\.example}{//127.0.0.1}g;
    write_file("$dir/out/gateway.conf", $conf, 0600);
    my ($code, $out, $err) = run_command('/bin/sh', '-c',
        "$nginx -t -p $dir/ -e $dir/error.log -c $dir/out/nginx.conf");
    is($code, 0, 'nginx takes it') or diag $err;
}


# What PostgreSQL itself encrypted.

{
    my ($code, $out, $err) = convert(
        'apps.csv' => "$apps_head\n" . app('x', $real) . "\n",
        env => $env =~ s/^(POKT_APPLICATIONS_ENC\w+=).*$/$1correct horse/mr
                   =~ s/^API_KEY=.*$/API_KEY=/mr
                   =~ s/mainnet/testnet/r);
    is($code, 0, 'a row of PostgreSQL') or diag $err;
    is(JSON::PP::decode_json(slurp("$dir/out/apps.json"))->[0]{priv_key},
       $key, 'is decrypted');
    ok(!-e "$dir/out/auth.json", 'no key of the interface, no file');
    like($out, qr/^API_KEY +not needed: no key/m, 'which is said');
    like(slurp("$dir/out/gateway.conf"),
         qr/chain 0001 \{\s+family +evm;.*chain 0013 \{\s+family +pokt;/s,
         'families of the test network');
}


# The passphrase stands in no argument and no environment of gpg.

{
    mkdir "$dir/bin";
    my $gpg = (grep { -x } map { "$_/gpg" } split /:/, $ENV{PATH})[0];
    write_file("$dir/bin/gpg", "#!/bin/sh\n"
               . "tr '\\0' '\\n' < /proc/\$\$/cmdline > $dir/seen\n"
               . "tr '\\0' '\\n' < /proc/\$\$/environ >> $dir/seen\n"
               . "exec $gpg \"\$@\"\n", 0755);
    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    my ($code, undef, $err) = convert();
    is($code, 0, 'gpg, watched') or diag $err;
    my $seen = slurp("$dir/seen");
    like($seen, qr/^--passphrase-fd$/m, 'is told where the passphrase is');
    is(index($seen, $pass), -1, 'and not what it is');

    unlink "$dir/bin/gpg";
    local $ENV{PATH} = "$dir/bin";
    ($code, undef, $err) = convert();
    is($code, 2, 'no gpg');
    like($err, qr/there is no gpg/, 'is said');
    system("/bin/rm -rf $dir/bin");
}


# Mistakes: their place, and nothing left.

my $broken = sub {
    my ($name, $code, $why, %change) = @_;
    my ($c, $out, $err) = convert(%change);
    is($c, $code, "$name: code");
    like($err, $why, "$name: place and reason");
    is($out, '', "$name: nothing is printed");
    is_deeply([ left() ], [], "$name: nothing is left");
    for my $secret ($pass, 'dbword', MeshRelay::private('app1')) {
        is(index($err, $secret), -1, "$name: no secret is shown");
    }
};

sub env_with { my ($from, $to) = @_; return (env => $env =~ s/$from/$to/r) }

sub chains_with {
    my (@rows) = @_;
    return ('chains.csv' => join("\n", $chains_head, @rows, ''));
}

my $place = sub {
    my ($file, $line, $column, $text) = @_;
    return qr/^meshctl: "\Q$dir\E\/\Q$file\E", line $line, column $column: $text/;
};

my $row = '\(encrypted_private_key\)';

for my $case (
    [ 'no dispatcher', 1, qr/env": there is no POKT_RPC_FULL_HOST/,
      env_with(qr/POKT_RPC_FULL_HOST/, 'OTHER') ],
    [ 'no passphrase', 1, qr/there is no POKT_APPLICATIONS_ENCRYPTION_KEY/,
      env_with(qr/"\Q$quoted\E"/, '') ],
    [ 'no URL', 1, $place->('env', 2, 20, 'POKT_RPC_FULL_HOST is no http'),
      env_with(qr/https:\/\/node/, 'node') ],
    [ 'no duration', 1, $place->('env', 3, 27, 'POKT_RPC_TIMEOUT is "5"'),
      env_with(qr/1m1\.5s/, '5') ],
    [ 'no value', 1, $place->('env', 4, 17, 'NAME=VALUE is expected'),
      env_with(qr/PORT=8080/, 'PORT') ],
    [ 'an open quote', 1, $place->('env', 10, 9, 'the quoted value has no'),
      env_with(qr/ key"/, ' key') ],
    [ 'text after it', 1, $place->('env', 10, 27, 'text after the value'),
      env_with(qr/ key"/, ' key" a') ],
    [ 'a variable', 1, $place->('env', 2, 20, 'variables are not looked up'),
      env_with(qr/https:\S+/, '${HOST}') ],
    [ 'another passphrase', 1,
      $place->('apps.csv', 2, "5 $row", 'cannot be decrypted with '
               . 'POKT_APPLICATIONS_ENCRYPTION_KEY: gpg: .*(Bad|key)'),
      env_with(qr/"\Q$quoted\E"/, 'wrong') ],
    [ 'no hexadecimal', 1, $place->('apps.csv', 2, "5 $row", 'what follows'),
      'apps.csv' => "$apps_head\n" . app('a', '\xc30z') ],
    [ 'no bytea', 1, $place->('apps.csv', 2, "5 $row", 'a bytea in'),
      'apps.csv' => "$apps_head\n" . app('a', 'c30d') ],
    [ 'no message', 1, $place->('apps.csv', 2, "5 $row", 'cannot be decr'),
      'apps.csv' => "$apps_head\n" . app('a', '\x00112233') ],
    [ 'no key in it', 1, $place->('apps.csv', 3, "5 $row", 'the decrypted '
                                  . 'private key is not hexadecimal'),
      'apps.csv' => join "\n", $apps_head, app('a', $sealed[0]),
                    app('b', sealed('no key', $pass)) ],
    [ 'half a key in it', 1, $place->('apps.csv', 2, "5 $row", 'the decr.* is '
                                      . 'not 128 digits long'),
      'apps.csv' => join "\n", $apps_head,
                    app('a', sealed(substr(MeshRelay::private('app1'), 64),
                                    $pass)) ],
    [ 'no applications', 1, qr/apps\.csv" has no applications/,
      'apps.csv' => "$apps_head\n" ],
    [ 'an empty file', 1, qr/apps\.csv" is empty/, 'apps.csv' => '' ],
    [ 'another table', 1, qr/apps\.csv", line 1: no column "encrypted_/,
      'apps.csv' => "id,name\n" ],
    [ 'one table twice', 1, qr/chains\.csv" has pokt_applications, as/,
      'chains.csv' => "$apps_head\n" . app('a', $sealed[0]) ],
    [ 'a column less', 1, qr/chains\.csv", line 1: there is no column "altr/,
      'chains.csv' => "chain_id\n0021\n" ],
    [ 'a value less', 1, $place->('chains.csv', 3, '\d+ \(\w+\)', 'the row'),
      chains_with(chain('0021', ''), '2024,,,u,0022') ],
    [ 'an open quote', 1, $place->('chains.csv', 2, '7 \(altruist_url\)',
                                   'the quoted value has no end'),
      chains_with(chain('0021', '"http://a.example')) ],
    [ 'no altruist', 1, $place->('chains.csv', 4, '7 \(altruist_url\)',
                                 'no http:// or'),
      chains_with(chain('0021', '') =~ s/^\S+ \S+?,/"2024\n",/r,
                  chain('0022', 'a.example')) ],
    [ 'no number', 1, $place->('chains.csv', 2, '10 \(height\w+\)', '"1e3"'),
      chains_with(chain('0021', '', tolerance => '1e3')) ],
    [ 'no time', 1, $place->('chains.csv', 2, '8 \(altruist_req\w+\)', '"10"'),
      chains_with(chain('0021', '', timeout => '10')) ],
    [ 'no id', 1, $place->('chains.csv', 2, '5 \(chain_id\)', '"0;1" is no id'),
      chains_with(chain('0;1', '')) ],
    [ 'a chain twice', 1, $place->('chains.csv', 3, '5 \(chain_id\)',
                                   'chain "0021" is in line 2 already'),
      chains_with(chain('0021', ''), chain('0021', '')) ])
{
    $broken->(@$case);
}

for my $case (
    [ 'no options', qr/-o DIR/, "$dir/env", "$dir/apps.csv" ],
    [ 'no tables', qr/at least one CSV/, "$dir/env", '-o', "$dir/out" ],
    [ 'no such file', qr/cannot open "\/none\.csv"/, "$dir/env", '/none.csv',
      '-o', "$dir/out" ],
    [ 'a folder of somebody\'s', qr/"\Q$dir\E" is not empty/, "$dir/env",
      "$dir/apps.csv", '-o', $dir ],
    [ 'no place', qr/cannot create "\/none\/at\/all/, "$dir/env",
      "$dir/apps.csv", '-o', '/none/at/all' ])
{
    my ($name, $why, @args) = @$case;
    write_file("$dir/$_", $good{$_}, 0600) for keys %good;
    my ($code, $out, $err) = ctl('convert-gateway', @args);
    is($code, 2, "$name: code");
    like($err, $why, "$name: reason");
    is_deeply([ left() ], [], "$name: nothing is left");
}

{
    mkdir "$dir/out";
    my ($code, undef, $err) = ctl('convert-gateway', "$dir/env",
                                  "$dir/apps.csv", '-o', "$dir/out/");
    is($code, 0, 'an empty folder, and no chains') or diag $err;
    ok(-s "$dir/out/apps.json", 'is filled');

    ($code, my $help) = ctl('help', 'convert-gateway');
    is($code, 0, 'help');
    like($help, qr/^usage: meshctl convert-gateway /, 'tells');
}

done_testing();
