# Guards docker/: that what the files name is there, that their ports meet, and
# that the scripts of the image make edges and a gateway that serve.  A Docker engine is
# not needed: what the containers would run is run here.

use strict;
use warnings;

use Cwd qw(abs_path);
use CPAN::Meta::YAML ();
use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Socket::UNIX;
use MeshCtl;
use MeshRedis;
use MeshRelay;
use POSIX ();
use Test::More;

my $root = abs_path("$FindBin::Bin/..");
my $docker = "$root/docker";
my $build = abs_path($ENV{BUILD} || "$root/build");
my $dockerfile = slurp("$docker/Dockerfile");


# The Dockerfile.

{
    my $text = $dockerfile =~ s/\\\n/ /gr;
    my @steps = map { [ split ' ' ] } grep { /^[A-Z]+ / } split /\n/, $text;
    my (%stage, @user);

    for my $step (@steps) {
        my ($what, @args) = @$step;

        if ($what eq 'FROM') {
            like($args[0], qr/^debian:12-slim$/, 'a stage from Debian 12');
            $stage{ $args[2] // '' } = 1;

        } elsif ($what eq 'COPY') {
            my $to = pop @args;
            if ($args[0] =~ /^--from=(.*)/) {
                ok($stage{$1}, "there is a stage $1");
                like($_, qr{^/src/build/}, "$_ is built")
                    for @args[1 .. $#args];
                next;
            }
            ok(-e "$root/$_", "COPY $_: is there") for @args;
        }

        push @user, $args[0] if $what eq 'USER';
    }

    is_deeply(\@user, ['www-data'], 'not as root');
    like($text, qr/^HEALTHCHECK .*"meshctl", "ledger"/m, 'a health check');
    like($text, qr/^STOPSIGNAL SIGQUIT$/m, 'ends gracefully');
    like($text, qr/^ENTRYPOINT \["mesh-entrypoint"\]$/m, 'the entry point');

    my @made = map { m{/src/build/(\S+)}g } $text;
    ok(-e "$build/$_", "make makes $_") for @made;

    my ($gateway, $port) = $text =~ /^EXPOSE (\d+) (\d+)$/m;
    like(slurp("$docker/nginx.conf"), qr/^\s+listen\s+$port;$/m,
         'the port is that of nginx.conf');
    like($text, qr{http://127\.0\.0\.1:$port"}, 'and of the health check');
    like(slurp("$docker/gateway-nginx.conf"), qr/^\s+listen\s+$gateway;$/m,
         'the other that of gateway-nginx.conf');

    my @etc = map { s{.*/}{}r } map { @$_[1 .. $#$_ - 1] }
              grep { $_->[0] eq 'COPY' && $_->[-1] eq '/etc/mesh/' } @steps;
    my $scripts = join '', map { slurp("$docker/$_") }
                  qw(mesh-entrypoint mesh-gateway);
    is_deeply([ sort @etc ], [ sort $scripts =~ m{"\$etc/([\w.-]+)"}g ],
              'the scripts find their files');
}

for my $script (qw(mesh-entrypoint mesh-gateway mesh-setup)) {
    ok(-x "$docker/$script", "$script can be run");
    my ($code, undef, $err) = run_command('/bin/sh', '-n', "$docker/$script");
    is($code, 0, "$script is a script") or diag $err;
}


# The compose files.

my %services = (local => [qw(chain edge-1 edge-2 gateway node redis setup)],
                gateway => [qw(gateway redis)],
                remote => [qw(edge-1 edge-2 redis)]);

for my $kind (sort keys %services) {
    my $file = "compose.$kind.yml";
    my $yaml = CPAN::Meta::YAML->read("$docker/$file");
    ok($yaml, $file) or next;
    my $compose = $yaml->[0];
    my $all = $compose->{services};

    is_deeply([ sort keys %$all ], $services{$kind}, "$file: services");

    my (%ports, %built);
    for my $name (sort keys %$all) {
        my $s = $all->{$name};

        if ($s->{build}) {
            ok(-f "$docker/$s->{build}{context}/$s->{build}{dockerfile}",
               "$file: $name: Dockerfile");
            $built{ $s->{image} } = $name;
        }

        for my $on (sort keys %{ $s->{depends_on} || {} }) {
            ok($all->{$on}, "$file: $name: depends on $on");
            my $when = $s->{depends_on}{$on}{condition};
            ok($all->{$on}{healthcheck}{test},
               "$file: $name: $on has a health check")
                if $when eq 'service_healthy';
        }

        for my $port (@{ $s->{ports} || [] }) {
            my ($out, $in) = $port =~ /^(.*):(\d+)$/;
            is($in, $name eq 'gateway' ? 8080 : 8081,
               "$file: $name: port of its role");
            ok(!$ports{$out}++, "$file: $name: $out is its own");
        }

        for my $volume (@{ $s->{volumes} || [] }) {
            my ($from) = $volume =~ /^(.*):\//;
            ok($from =~ /^\$|^[.\/]/ || exists $compose->{volumes}{$from},
               "$file: $name: volume $from");
        }

        my ($program) = @{ $s->{entrypoint} || [] };
        like($dockerfile, qr{/\Q$program\E\b}, "$file: $name: $program is there")
            if $program && $program ne 'sh';

        next unless $name =~ /^(edge|gateway)/;

        my $script = $1 eq 'edge' ? 'mesh-entrypoint' : 'mesh-gateway';
        is(($s->{entrypoint} || [ 'mesh-entrypoint' ])->[0], $script,
           "$file: $name: its script");

        my %env = %{ $s->{environment} };
        is($env{MESH_EDGE}, $1 eq 'edge' ? $name : undef,
           "$file: $name: a name that stays");
        my ($host, $port) = split /:/, $env{MESH_REDIS};
        ok($all->{$host}, "$file: $name: Redis is $host");
        like(slurp("$docker/$script"), qr/\b$_\b/,
             "$file: $name: $_ is known") for sort keys %env;
    }

    for my $name (sort keys %$all) {
        my $image = $all->{$name}{image};
        ok($built{$image} || $image eq 'redis:7',
           "$file: $name: image $image");
    }
}

like(slurp("$docker/compose.remote.yml"), qr/\$\{$_:\?/,
     "$_ must be in the environment")
    for qw(MESH_NODE_URL MESH_NODE_TOKEN MESH_TOKEN);


like(slurp("$docker/compose.gateway.yml"), qr/\$\{MESH_TOKEN:\?/,
     'a token must be in the environment');


# What the containers run, here: setup, node and chain, two edges, a gateway.

my $temp = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
my $dir = abs_path("$temp");
mkdir "$dir/$_" for qw(files bin other), map { ("etc$_", "run$_") } 1 .. 4;

symlink "$build/$_", "$dir/bin/$_" for qw(meshctl meshdemo);

$ENV{PATH} = "$dir/bin:$ENV{PATH}";
my @pids;

END {
    my $status = $?;
    for (@pids) {
        kill 'TERM', $_;
        waitpid $_, 0;
    }
    $? = $status;
}

# The files of /etc/mesh as they are, on a socket and a free port instead of
# the container's port.
my @edge_ports = map { MeshCtl->port } 1 .. 2;

sub conf {
    my ($run) = @_;
    my ($n) = $run =~ /run(\d)$/;
    my $port = $edge_ports[$n - 1];
    my $more = $port ? " listen 127.0.0.1:$port;" : '';
    my $etc = "$dir/etc$n";

    for my $name (qw(nginx gateway-nginx)) {
        my $text = slurp("$docker/$name.conf");
        $text =~ s{/usr/lib/nginx/modules}{$build};
        $text =~ s{(listen\s+)808[01];}{$1unix:$run/edge.sock;$more};
        write_file("$etc/$name.conf", $text);
    }

    write_file("$etc/$_", slurp("$root/config/$_"))
        for qw(mesh_relay.conf gateway_locations.conf);
    return $etc;
}

sub entrypoint {
    my ($run, $options, %env) = @_;
    my $script = delete $env{script} // 'mesh-entrypoint';
    local %ENV = (%ENV, MESH_RUN => $run, MESH_ETC => conf($run),
                  MESH_FILES => "$dir/files", %env);
    $ENV{MESH_NGINX} = $ENV{TEST_NGINX_BINARY} if $ENV{TEST_NGINX_BINARY};
    delete $ENV{NGINX};
    return run_command("$docker/$script", @$options) if @$options;

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        open STDIN, '<', '/dev/null';
        open STDERR, '>', "$run/log";
        { no warnings; exec "$docker/$script"; }
        POSIX::_exit(127);
    }
    push @pids, $pid;
    return $pid;
}

SKIP: {
    skip 'no module', 1 unless -e "$build/ngx_mesh_relay_module.so";

    my $redis = MeshRedis->start;
    my $chain = MeshCtl->demo('chain');
    my $node_port = MeshCtl->port;

    {
        local %ENV = (%ENV, MESH_FILES => "$dir/files",
                      MESH_DEMO_NODE => "http://127.0.0.1:$node_port",
                      MESH_DEMO_EDGES => join(' ', map {
                          "http://127.0.0.1:$_"
                      } @edge_ports),
                      MESH_DEMO_CHAIN => $chain->url);
        my ($code, $out, $err) = run_command("$docker/mesh-setup");
        is($code, 0, 'setup') or diag $err;
        my %before = map { ($_ => slurp($_)) } glob "$dir/files/*";
        is(scalar keys %before, 8, 'makes the files');
        is((stat $_)[2] & 077, 0, "$_ is its owner's alone")
            for sort keys %before;
        ($code) = run_command("$docker/mesh-setup");
        is_deeply({ map { ($_ => slurp($_)) } glob "$dir/files/*" }, \%before,
                  'once');
    }

    my @args = split ' ', slurp("$dir/files/node.args");
    my $node = MeshCtl->demo('node', '--listen', "127.0.0.1:$node_port",
                             @args);

    my %env = (MESH_REDIS => 'unix:' . $redis->socket);
    my ($code, undef, $err) = entrypoint("$dir/run3", ['-t'], %env,
                                         MESH_REGION => 'eu-west',
                                         MESH_RESOLVER => '127.0.0.53');
    is($code, 0, 'nginx takes what the entry point makes') or diag $err;
    like(slurp("$dir/run3/edge.conf"), qr/^mesh_region eu-west;$/m, 'a region');

    entrypoint("$dir/run$_", [], %env, MESH_EDGE => "edge-$_") for 1, 2;

    for my $run ("$dir/run1", "$dir/run2") {
        my @relay = ('relay', "http://unix:$run/edge.sock:", '--app-key',
                     "$dir/files/app.key", '--chain', '0021');
        ok(wait_for(sub { (ctl(@relay))[0] == 0 }), 'an edge serves')
            or diag slurp("$run/log");
    }

    my @ledger = ('ledger', '--url', "http://unix:$dir/run1/edge.sock:",
                  '--token-file', "$dir/run1/auth.json");
    ok(wait_for(sub {
        my ($c, $out) = ctl(@ledger);
        $out =~ /^all +(\d+) +0 +(\d+)/m && $1 >= 2 && $1 == $2;
    }), 'one ledger, of both, delivered') or diag((ctl(@ledger))[1]);

    # a gateway beside them, for the sessions that the node gives

    my %gateway = (%env, script => 'mesh-gateway',
                   MESH_RESOLVER => '127.0.0.53');
    ($code, undef, $err) = entrypoint("$dir/run4", ['-t'], %gateway,
                                      MESH_REGION => 'eu-west');
    is($code, 0, 'nginx takes what the script of the gateway makes')
        or diag $err;
    like(slurp("$dir/run4/settings.conf"), qr/^mesh_region eu-west;$/m,
         'a region');

    entrypoint("$dir/run4", [], %gateway);

    my $url = "http://unix:$dir/run4/edge.sock:";
    for my $port (@edge_ports) {
        ok(wait_for(sub {
            (ctl('gateway', 'find', '0021', '--url', $url))[1]
                =~ m{ http://127\.0\.0\.1:$port$}m;
        }), 'it finds an edge') or diag slurp("$dir/run4/log");
    }

    my $called = sub {
        my $call = '{"jsonrpc":"2.0","id":7,"method":"eth_blockNumber"}';
        my $s = IO::Socket::UNIX->new("$dir/run4/edge.sock") or return '';
        print $s "POST /relay/0021 HTTP/1.0\r\nContent-Length: "
            . length($call) . "\r\n\r\n$call";
        local $/;
        return <$s> // '';
    };
    ok(wait_for(sub { $called->() =~ /"id":7,.*"result":"0x/ }),
       'calls go through it') or diag $called->(), slurp("$dir/run4/log");

    my ($checked, $nodes) = ctl('gateway', 'nodes', '--url', $url,
                                '--token-file', "$dir/run4/auth.json");
    is($checked, 0, 'the health check');
    is(scalar(() = $nodes =~ /^0021 /mg), 2, 'two nodes');

    for my $case (
        [ 'no gateway.conf', 'no .*/gateway\.conf', MESH_FILES => "$dir/bin" ],
        [ 'an odd Redis', 'odd characters', MESH_REDIS => 'a; b' ],
        [ 'an odd token', 'odd characters', MESH_TOKEN => 'a"b' ])
    {
        my ($name, $why, %change) = @$case;
        ($code, undef, $err) = entrypoint("$dir/run3", ['-t'], %gateway,
                                          %change);
        is($code, 1, "a gateway, $name: refused");
        like($err, qr/^mesh-gateway: .*$why/, "$name: why");
        unlike($err, qr/a"b/, "$name: no token is shown");
    }


    # a node elsewhere: its url and token from the environment
    my @keys = map { MeshRelay::private($_) } qw(s1 s2);
    write_file("$dir/other/keys", " $keys[0]\n$keys[1]\n\n", 0600);
    write_file("$dir/other/chains.json", slurp("$dir/files/chains.json"),
               0600);
    my %remote = (%env, MESH_FILES => "$dir/other",
                  MESH_NODE_URL => 'http://127.0.0.1:1',
                  MESH_NODE_TOKEN => 'a b!{}', MESH_TOKEN => 'own');
    ($code, undef, $err) = entrypoint("$dir/run3", ['-t'], %remote);
    is($code, 0, 'of the environment') or diag $err;
    like(slurp("$dir/run3/node-auth.json"), qr/"Value":"a b!\{\}"/,
         'the token');
    my ($c, $out) = ctl('keys', 'check', "$dir/run3/key.json");
    is($c, 0, 'the keys');
    like($out, qr{^node  http://127\.0\.0\.1:1  2 servicers$}m, 'and url');

    for my $case (
        [ 'no url and no key.json', 'key\.json.*MESH_NODE_URL',
          MESH_NODE_URL => '' ],
        [ 'no token', 'node-auth\.json.*MESH_NODE_TOKEN',
          MESH_NODE_TOKEN => '' ],
        [ 'an odd url', 'odd characters', MESH_NODE_URL => 'http://a;b' ],
        [ 'an odd token', 'odd characters', MESH_TOKEN => 'a"b' ],
        [ 'an odd Redis', 'odd characters', MESH_REDIS => "a; b" ],
        [ 'no files', 'no .*chains\.json', MESH_FILES => "$dir/bin" ])
    {
        my ($name, $why, %change) = @$case;
        ($code, undef, $err) = entrypoint("$dir/run3", ['-t'], %remote,
                                          %change);
        is($code, 1, "$name: refused");
        like($err, qr/^mesh-entrypoint: .*$why/, "$name: why");
        unlike($err, qr/a"b/, "$name: no token is shown");
    }
}

done_testing();
