# Guards the end of a worker: exchanges hold a graceful quit until they are
# done, idle connections do not, and nothing is left open either way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Socket::INET;
use MeshHttp;
use Test::More;
use Time::HiRes qw(sleep time);

my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $modules = join '', map { "load_module $_;\n" }
    split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
my $peer = MeshHttp->faulty;
my $dns = MeshHttp->names;
my $port = MeshHttp->closed_port;

my ($dir, $conf);

sub start {
    my (%o) = @_;
    $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir";
    mkdir "$dir/$_" for qw(logs body proxy fastcgi uwsgi scgi);
    my $main = $o{main} // '';
    $conf = <<"_EOC_";
$modules
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log debug;
$main
events {
    worker_connections 64;
}
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    resolver 127.0.0.1:$dns->{port} ipv6=off;
    server {
        listen 127.0.0.1:$port;
        location /ok {
            mesh_test_http http://127.0.0.1:$peer->{port}/ok;
        }
        location /slow {
            mesh_test_http http://127.0.0.1:$peer->{port}/slow background;
        }
        location /mute {
            mesh_test_http http://127.0.0.1:$peer->{port}/mute background;
        }
        location /refused {
            mesh_test_http http://127.0.0.1:1/ parallel=3 background;
        }
        location /name {
            mesh_test_http http://mute.test/ timeout=500ms background;
        }
    }
}
_EOC_
    open my $f, '>', "$dir/nginx.conf" or die "$dir/nginx.conf: $!";
    print $f $conf;
    close $f;
    system($nginx, '-p', "$dir", '-c', "$dir/nginx.conf") == 0
        or BAIL_OUT("$nginx does not start");
    return wait_for(sub { -s "$dir/nginx.pid" && workers() });
}

sub wait_for {
    my ($code, $timeout) = @_;
    my $end = time + ($timeout // 5);
    while (time < $end) {
        return 1 if $code->();
        sleep 0.01;
    }
    return 0;
}

sub get {
    my ($path) = @_;
    my $s = IO::Socket::INET->new("127.0.0.1:$port") or return '';
    print $s "GET $path HTTP/1.0\r\n\r\n";
    local $/;
    my $answer = <$s> // '';
    $answer =~ s/^.*?\r\n\r\n//s;
    return $answer;
}

sub text {
    my ($path) = @_;
    open my $f, '<', $path or return '';
    local $/;
    return scalar <$f>;
}

sub log_lines {
    return join "\n", grep { !/\[debug\]/ } split /\n/, text("$dir/error.log");
}

sub pid { return text("$dir/nginx.pid") + 0 }

sub workers {
    my $pid = pid();
    return split ' ', text("/proc/$pid/task/$pid/children");
}

sub stop {
    my ($signal, $timeout) = @_;
    my $pid = pid();
    my $begun = time;
    kill $signal, $pid;
    my $gone = wait_for(sub { !kill 0, $pid }, $timeout);
    kill 'KILL', $pid unless $gone;
    return $gone ? time - $begun : undef;
}

sub clean {
    my ($name) = @_;
    unlike(log_lines(), qr/\[(?:alert|emerg|crit)\]|exited on signal/,
        "$name: nothing left open");
}

start();
is(get('/slow'), "begun\n", 'quit: an exchange begins');
my $time = stop('QUIT');
ok(defined $time && $time > 0.2, 'quit: waits for it');
like(log_lines(), qr/mesh test: ok read status:200 .* body:slow/,
    'quit: it is done');
clean('quit');

start();
is(get('/ok'), "ok read status:200 sent:1 reused:0 retried:0 body:n:1\n",
    'idle: an exchange');
is(get('/ok'), "ok read status:200 sent:1 reused:1 retried:0 body:n:2\n",
    'idle: its connection is kept');
$time = stop('QUIT');
ok(defined $time && $time < 2, 'idle: does not hold a quit');
clean('idle');

start();
get('/refused');
ok(defined stop('QUIT'), 'refused: ends');
is(() = log_lines() =~ /connect connect status:0 sent:0/g, 3,
    'refused: told before the end');
clean('refused');

start();
get('/name');
$time = stop('QUIT');
ok(defined $time && $time > 0.3, 'name: a question holds a quit');
like(log_lines(), qr/mesh test: timeout resolve/, 'name: to its deadline');
clean('name');

start();
get('/mute');
get('/ok');
$time = stop('TERM');
ok(defined $time && $time < 2, 'term: does not wait');
unlike(log_lines(), qr/mesh test:/, 'term: no handler is called');
clean('term');

start(main => 'worker_shutdown_timeout 300ms;');
get('/mute');
$time = stop('QUIT');
ok(defined $time && $time < 3, 'shutdown timeout: ends an exchange');
like(log_lines(), qr/mesh test: canceled wait .* reason:worker shuts down/,
    'shutdown timeout: and says so');
clean('shutdown timeout');

start();
my ($old) = workers();
get('/slow');
get('/ok');
kill 'HUP', pid();
ok(wait_for(sub { grep { $_ != $old } workers() }), 'reload: a new worker');
ok(wait_for(sub { get('/ok') =~ /^ok read status:200 sent:1 reused:0/ }),
    'reload: has its own connections');
ok(wait_for(sub { !grep { $_ == $old } workers() }), 'reload: the old one ends');
like(log_lines(), qr/mesh test: ok read status:200 .* body:slow/,
    'reload: after its exchange');
ok(defined stop('QUIT'), 'reload: ends');
clean('reload');

done_testing();
