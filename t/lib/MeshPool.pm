package MeshPool;

# An nginx with upstream{} blocks, and callers of it.
#
#   my $pool = MeshPool->new(http => '...', server => '...', workers => 2);
#   $pool->start; $pool->reload; $pool->quit
#   my $answer = $pool->ask('/path', method => 'eth_call', params => '[]');
#       # { status, server (X-Server), body, time (s) }
#   my $sum = $pool->load('/path', seconds => 3, callers => 20);
#       # { n, status => { 200 => n }, server => { 0 => n }, times => [s] }
#   $pool->workers; $pool->master; MeshPool->end_all;
#   $pool->logged('text')
#   $pool->quantile($sum, 0.99)
#
# Options: http (directives), server (of the one server), workers (1), log,
# zone (2m, of mesh_zone).
# %DIR% is the directory of the nginx.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use IO::Select;
use IO::Socket::UNIX;
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
$SIG{PIPE} ||= 'IGNORE';

sub new {
    my ($class, %o) = @_;
    my $self = bless {
        dir => File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1),
        workers => 1, http => '', server => '', log => 'info', zone => '2m',
        %o,
    }, $class;
    chmod 0755, "$self->{dir}";
    push @started, $self;
    return $self;
}

sub configure {
    my ($self) = @_;
    my $dir = "$self->{dir}";
    my $build = $ENV{BUILD} || "$FindBin::Bin/../build";
    my $modules = $ENV{TEST_NGINX_LOAD_MODULES}
                  || "$build/ngx_gateway_select_module.so";
    my $load = join '', map { "load_module $_;\n" }
                        grep { /gateway/ } split ' ', $modules;

    my $text = <<"EOF";
$load
worker_processes $self->{workers};
worker_shutdown_timeout 10s;
pid $dir/nginx.pid;
error_log $dir/error.log $self->{log};
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    mesh_zone mesh:$self->{zone};
    $self->{http}
    server {
        listen unix:$dir/pool.sock;
        keepalive_requests 1000000;
        $self->{server}
    }
}
EOF
    $text =~ s/%DIR%/$dir/g;

    open my $f, '>', "$dir/nginx.conf" or die "$dir/nginx.conf: $!";
    print $f $text;
    close $f;
}

sub nginx {
    my ($self, @arguments) = @_;
    my $dir = "$self->{dir}";
    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

    my @command = ($binary, '-p', "$dir/", '-e', "$dir/error.log",
                   '-c', "$dir/nginx.conf", @arguments);

    # the process that starts the daemon leaves without freeing its pools,
    # of which valgrind finds pointers into the middle
    unshift @command, qw(valgrind -q --leak-check=full
                         --show-leak-kinds=definite)
        if $ENV{TEST_NGINX_USE_VALGRIND} && !@arguments;

    return system(@command) == 0;
}

sub start {
    my ($self) = @_;
    $self->configure;
    $self->nginx or die "nginx did not start:\n" . $self->log;
    $self->wait(sub { $self->connect }) or die "nginx does not answer";
    return $self;
}

sub master {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/nginx.pid" or return;
    my ($pid) = (<$f> // '') =~ /(\d+)/;
    return $pid;
}

sub workers {
    my ($self) = @_;
    my $master = $self->master or return;
    return grep { (parent($_) // 0) == $master }
           map { m{/proc/(\d+)$} } glob '/proc/[0-9]*';
}

sub parent {
    my ($pid) = @_;
    open my $f, '<', "/proc/$pid/stat" or return;
    my ($parent) = (<$f> // '') =~ /^\d+ \(.*\) \S (\d+)/;
    return $parent;
}

# new workers are there, the old ones are going
sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->workers;
    $self->configure;
    kill 'HUP', $self->master;
    $self->wait(sub { grep({ !$old{$_} } $self->workers)
                      >= $self->{workers} }) or die 'no reload';
    return $self;
}

sub quit {
    my ($self) = @_;
    my $pid = $self->master or return;
    kill 'QUIT', $pid;
    return $self->wait(sub { !kill 0, $pid }, 15);
}

sub end_all { $_->end for splice @started }

sub end {
    my ($self) = @_;
    my $pid = $self->master or return;
    my @pids = $self->workers;
    kill 'TERM', $pid;
    $self->wait(sub { !kill 0, $pid }, 5) or kill 'KILL', $pid, @pids;
}

sub log {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/error.log" or return '';
    local $/;
    return <$f> // '';
}

sub logged {
    my ($self, $text) = @_;
    return scalar grep { /$text/ } split /^/, $self->log;
}

sub wait {
    my ($self, $code, $seconds) = @_;
    my $until = Time::HiRes::time() + ($seconds // 10)
                * ($ENV{TEST_NGINX_USE_VALGRIND} ? 5 : 1);
    until ($code->()) {
        return 0 if Time::HiRes::time() > $until;
        Time::HiRes::sleep(0.02);
    }
    return 1;
}

sub connect {
    my ($self) = @_;
    return IO::Socket::UNIX->new(Peer => "$self->{dir}/pool.sock");
}

sub request {
    my ($self, $uri, %o) = @_;
    my $body = $o{body} // sprintf
        '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}',
        $o{method} // 'eth_call', $o{params} // '[]';
    my $headers = join '', map { "$_\r\n" } 'X-Test: 1', @{ $o{headers} // [] };

    return ($o{get} ? "GET $uri" : "POST $uri") . " HTTP/1.1\r\n"
        . "Host: localhost\r\n$headers"
        . ($o{get} ? "\r\n"
                   : 'Content-Length: ' . length($body) . "\r\n\r\n$body");
}

# a whole answer at the head of the text, or nothing
sub parse {
    my ($text) = @_;
    return unless $$text =~ /^HTTP\/1\.\d (\d+).*?\r\n\r\n/s;
    my ($status, $head) = ($1, $&);
    my ($server) = $head =~ /^X-Server: (\S+)/mi;

    my $body;
    if ($head =~ /^Content-Length: (\d+)/mi) {
        return if length($$text) < length($head) + $1;
        $body = substr $$text, length $head, $1;
        substr $$text, 0, length($head) + $1, '';

    } elsif ($head =~ /^Transfer-Encoding: chunked/mi) {
        return unless $$text =~ /\r\n0\r\n\r\n|\r\n\r\n0\r\n\r\n/s;
        $body = substr $$text, length $head;
        $$text = '';

    } else {
        $body = '';
        substr $$text, 0, length $head, '';
    }

    return { status => $status, server => $server, head => $head,
             body => $body };
}

sub ask {
    my ($self, $uri, %o) = @_;
    my $start = Time::HiRes::time();
    my $s = $self->connect or return { status => 0 };
    print $s $self->request($uri, %o);

    my ($text, $answer) = ('');
    my $select = IO::Select->new($s);

    while ($select->can_read($o{timeout} // 15)) {
        my $n = sysread $s, $text, 65536, length $text;
        last if !$n;
        last if $answer = parse(\$text);
    }

    $answer //= { status => 0 };
    $answer->{time} = Time::HiRes::time() - $start;
    return $answer;
}

# Callers that each send their next request when the last one is answered, for
# so many seconds or until done says so; tick is called now and then, each with
# each answer.
sub load {
    my ($self, $uri, %o) = @_;
    my $until = Time::HiRes::time() + ($o{seconds} // 2);
    my %sum = (n => 0, status => {}, server => {}, times => []);
    my $select = IO::Select->new;
    my %callers;

    my $send = sub {
        my ($caller) = @_;
        my $now = Time::HiRes::time();
        return $select->remove($caller->{s}) if $now > $until;
        @$caller{qw(at text)} = ($now, '');
        syswrite $caller->{s}, $self->request($uri, %o);
    };

    my $dial = sub {
        my $s = $self->connect or return;
        $callers{ fileno $s } = { s => $s };
        $select->add($s);
        $send->($callers{ fileno $s });
    };

    $dial->() for 1 .. $o{callers} // 10;

    my ($tick, $done) = @o{qw(tick done)};

    while ($select->count && Time::HiRes::time() < $until + 15) {
        $tick->() if $tick;
        ($until, $done) = (Time::HiRes::time()) if $done && $done->();

        for my $fh ($select->can_read(0.05)) {
            my $caller = $callers{ fileno $fh };
            my $n = sysread $fh, $caller->{text}, 65536,
                            length $caller->{text};

            # a reload may close a kept connection as it is used again
            if (!$n && $caller->{used} && !length $caller->{text}) {
                $select->remove($fh);
                delete $callers{ fileno $fh };
                $dial->() if Time::HiRes::time() < $until;
                next;
            }

            my $answer = $n ? parse(\$caller->{text}) : { status => 0 };
            next unless $answer;
            $caller->{used} = 1;

            my $now = Time::HiRes::time();
            $sum{n}++;
            $sum{status}{ $answer->{status} }++;
            $sum{server}{ $answer->{server} // '-' }++;
            push @{ $sum{times} }, $now - $caller->{at};
            $o{each}->($answer, $now) if $o{each};

            if (!$n || $answer->{head} =~ /^Connection: close/mi) {
                $select->remove($fh);
                delete $callers{ fileno $fh };
                $dial->() if $now < $until;
                next;
            }

            $send->($caller);
        }
    }

    $sum{open} = $select->count;
    return \%sum;
}

sub quantile {
    my ($self, $sum, $q) = @_;
    my @times = sort { $a <=> $b } @{ $sum->{times} };
    return @times ? $times[$#times * $q] : 0;
}

1;
