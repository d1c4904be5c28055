package MeshEdge;

# An edge with several workers, for tests of what happens between processes:
# workers killed, reloads, restarts, relays at once.
#
#   my $edge = MeshEdge->new(redis => $redis->socket,
#       nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
#       http => 'mesh_relay_node_check_interval 200ms;');
#   $edge->start; $edge->reload; $edge->quit; $edge->kill9
#   my ($status, $body) = $edge->relay($body);
#   my %n = $edge->burst(@bodies);              # { '200' => 30, '37' => 2 }
#   $edge->serving                              # waits until it does
#   $edge->workers; $edge->master               # pids
#   $edge->kill_worker($pid)                    # by signal 9
#   $edge->logged('text')                       # lines of the error log
#   $edge->chain_calls                          # how many there were
#
# Options: workers (2), chains ([ids], 0021), chain (its URL, that below),
# http (directives), token, edge (its name, test).
# TEST_NGINX_LOAD_MODULES and TEST_NGINX_BINARY as with Test::Nginx.  The
# chain is a server of the same nginx: an answer is delayed by the payload's
# path, "slow" takes half a second, "fail" is no answer at all.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use MeshRelay;
use POSIX ();
use Time::HiRes ();

my @started;
my $owner = $$;

END {
    if ($$ == $owner) {
        my $status = $?;
        $_->end for @started;
        $? = $status;
    }
}

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);

sub new {
    my ($class, %o) = @_;
    my $self = bless {
        dir => File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1),
        workers => 2, chains => ['0021'], http => '', token => 'node-token',
        edge => 'test',
        %o,
    }, $class;
    chmod 0755, "$self->{dir}";
    push @started, $self;
    return $self;
}

sub write_file {
    my ($self, $name, $text, $mode) = @_;
    open my $f, '>', "$self->{dir}/$name" or die "$self->{dir}/$name: $!";
    print $f $text;
    close $f;
    chmod $mode // 0644, "$self->{dir}/$name";
}

sub configure {
    my ($self) = @_;
    my $dir = "$self->{dir}";

    $self->write_file('keys.json', '[' . join(',', map {
        my $keys = join ',', map { '"' . MeshRelay::private($_) . '"' }
                             @{ $_->{keys} };
        qq({"name":"$_->{name}","url":"$_->{url}","keys":[$keys]})
    } @{ $self->{nodes} }) . ']', 0600);

    my $chain = $self->{chain} // "http://unix:$dir/chain.sock:/";
    $self->write_file('chains.json', '[' . join(',', map {
        qq({"id":"$_","url":"$chain"})
    } @{ $self->{chains} }) . ']', 0600);

    $self->write_file('auth.json', qq({"Value":"edge-token","Issued":""}),
                      0600);
    $self->write_file('node.json', qq({"Value":"$self->{token}","Issued":""}),
                      0600);

    my $build = $ENV{BUILD} || "$FindBin::Bin/../build";
    my $modules = $ENV{TEST_NGINX_LOAD_MODULES}
                  || "$build/ngx_mesh_relay_module.so";
    my $load = join '', map { "load_module $_;\n" }
                        grep { /mesh_relay|gateway/ } split ' ', $modules;

    $self->write_file('nginx.conf', <<"EOF");
$load
worker_processes $self->{workers};
worker_shutdown_timeout 10s;
pid $dir/nginx.pid;
error_log $dir/error.log @{[$self->{log} || 'info']};
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    mesh_edge $self->{edge};
    mesh_redis unix:$self->{redis};
    mesh_relay_servicers $dir/keys.json;
    mesh_relay_chains $dir/chains.json;
    mesh_relay_auth $dir/auth.json;
    mesh_relay_node_auth $dir/node.json;
    $self->{http}
    server {
        listen unix:$dir/edge.sock;
        include $FindBin::Bin/../config/mesh_relay.conf;
    }
    server {
        listen unix:$dir/chain.sock;
        access_log $dir/chain.log;
        location / {
            default_type application/json;
            return 200 '{"jsonrpc":"2.0","id":1,"result":"0x21"}';
        }
        location /slow {
            limit_rate 60;
            default_type application/json;
            return 200 '{"jsonrpc":"2.0","id":1,"result":"slow",
                         "more":"................................"}';
        }
        location /fail { return 444; }
    }
}
EOF
}

sub nginx {
    my ($self, @args) = @_;
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my @valgrind = $ENV{TEST_NGINX_USE_VALGRIND} ? ('valgrind', '-q') : ();
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', "$self->{dir}/stderr";
        exec(@valgrind, $nginx, '-p', "$self->{dir}/", '-c',
             "$self->{dir}/nginx.conf", '-e', "$self->{dir}/error.log", @args)
            or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return $? >> 8;
}

sub start {
    my ($self) = @_;
    $self->configure;
    if ($self->nginx != 0) {
        open my $f, '<', "$self->{dir}/stderr";
        die "nginx did not start: ", <$f>, $self->logged('emerg');
    }
    $self->wait_for(sub { $self->workers == $self->{workers} });
    return $self;
}

sub wait_for {
    my ($self, $code, $seconds) = @_;
    my $until = Time::HiRes::time() + ($seconds || 60);
    while (Time::HiRes::time() < $until) {
        return 1 if $code->();
        Time::HiRes::sleep(0.02);
    }
    return 0;
}

sub master {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/nginx.pid" or return;
    my $pid = <$f> // return;
    return $pid + 0;
}

# pids of workers that are not shutting down

sub workers { my ($self) = @_; return $self->children('worker process$') }

sub children {
    my ($self, $title) = @_;
    my $master = $self->master or return;
    my @pids;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $f, '<', $stat or next;
        my $line = <$f> // next;
        my ($pid, $state, $parent) = $line =~ /^(\d+) \(.*\) (\S) (\d+)/
            or next;
        next if $parent != $master || $state eq 'Z';
        open $f, '<', "/proc/$pid/cmdline" or next;
        (my $name = <$f> // '') =~ tr/\0 / /s;
        $name =~ s/ +$//;
        push @pids, $pid if $ENV{TEST_NGINX_USE_VALGRIND} || $name =~ /$title/;
    }
    return @pids;
}

sub reload {
    my ($self) = @_;
    my %old = map { ($_ => 1) } $self->workers;
    $self->configure;
    kill 'HUP', $self->master;
    $self->wait_for(sub {
        my @now = $self->workers;
        return @now == $self->{workers} && !grep { $old{$_} } @now;
    }) or die "no new workers";
}

sub kill_worker {
    my ($self, $pid) = @_;
    $self->{killed}{$pid} = 1;
    kill 'KILL', $pid;
    $self->wait_for(sub { !kill 0, $pid }) or die "$pid does not end";
}

sub quit  { $_[0]->finish('QUIT') }

sub kill9 {
    my ($self) = @_;
    my @workers = $self->workers;
    $self->finish('KILL');
    kill 'KILL', @workers;
}

sub finish {
    my ($self, $signal) = @_;
    my $master = $self->master or return;
    kill $signal, $master;
    $self->wait_for(sub { !kill 0, $master })
        or die "nginx does not end on $signal";
    unlink "$self->{dir}/nginx.pid", "$self->{dir}/edge.sock",
           "$self->{dir}/chain.sock";
}

sub end {
    my ($self) = @_;
    return unless $self->master;
    eval { $self->finish('TERM'); 1 } or $self->kill9;
}

sub logged {
    my ($self, $text) = @_;
    open my $f, '<', "$self->{dir}/error.log" or return;
    return grep { !/\[debug\]/ && /$text/ } <$f>;
}

# calls that the chain got

sub chain_calls {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/chain.log" or return 0;
    return scalar(() = <$f>);
}

# lines that no test may leave

sub alarms {
    my ($self) = @_;
    return grep {
        !(/worker process (\d+) exited on signal 9/ && $self->{killed}{$1})
    } $self->logged('\[(alert|emerg|crit)\]');
}

sub request {
    my ($self, $body, $uri, @headers) = @_;
    my $method = defined $body ? 'POST' : 'GET';
    $uri //= '/v1/client/relay';
    return "$method $uri HTTP/1.0\r\nHost: edge\r\n"
        . join('', map { "$_\r\n" } @headers)
        . (defined $body ? 'Content-Length: ' . length($body) . "\r\n" : '')
        . "\r\n" . ($body // '');
}

sub connect {
    my ($self) = @_;
    return IO::Socket::UNIX->new(Peer => "$self->{dir}/edge.sock")
        || die "edge: $!";
}

sub parse {
    my ($text) = @_;
    my ($head, $body) = split /\r\n\r\n/, $text // '', 2;
    my ($status) = ($head // '') =~ m{^HTTP/\S+ (\d+)};
    return ($status // 0, $body // '');
}

sub send {
    my ($self, @request) = @_;
    my $s = $self->connect;
    print $s $self->request(@request);
    $s->flush;
    local $/;
    return parse(scalar <$s>);
}

sub relay { my ($self, $body) = @_; return $self->send($body) }

# the code of a relay's answer: 200, or that of the error

sub code {
    my ($self, $body) = @_;
    return outcome($self->relay($body));
}

sub outcome {
    my ($status, $body) = @_;
    return 200 if $status == 200;
    return $1 if $body =~ /"error":\{"code":(\d+)/;
    return "status $status";
}

# waits until the first node is known: a relay that ends at row 6 of the checks

sub serving {
    my ($self) = @_;
    my $key = MeshRelay::public($self->{nodes}[0]{keys}[0]);
    my $probe = qq({"proof":{"servicer_pub_key":"$key"}});
    $self->wait_for(sub { $self->code($probe) == 25 })
        or die "the edge does not serve";
    return $self;
}

# all at once, each on its own connection

sub burst {
    my ($self, @bodies) = @_;
    my (%text, %outcome);
    my $select = IO::Select->new;

    for my $body (@bodies) {
        my $s = $self->connect;
        print $s $self->request($body);
        $s->flush;
        $select->add($s);
        $text{$s} = '';
    }

    while ($select->count) {
        my @ready = $select->can_read(60) or die "no answer in 60 s";
        for my $s (@ready) {
            next if sysread $s, $text{$s}, 65536, length $text{$s};
            $select->remove($s);
            $outcome{outcome(parse($text{$s}))}++;
        }
    }

    return %outcome;
}

1;
