package MeshRedis;

# Real redis-server processes and fake ones for the tests, and a control
# server through which a block acts on them between two of its requests.
#
#   my $redis = MeshRedis->start(port => 1, config => { requirepass => 'x' });
#   $redis->socket, $redis->port, $redis->dir, $redis->pid
#   $redis->stop; $redis->kill9; $redis->pause; $redis->resume; $redis->restart
#   $redis->command('SET', 'a', 1)              # answer, arrays as refs
#   my $fake = MeshRedis->fake(sub { my ($client) = @_; ... });
#   my $before = $redis->before(sub { my ($reply, @command) = @_; ... });
#                                     # changes answers, as they are written
#   my $port = MeshRedis->deaf;                 # TCP port that drops SYNs
#   my $dns = MeshRedis->dns({ 'name' => [IP, SECONDS] });   # its port
#   my $ctl = MeshRedis->control(name => $redis, ...);    # unix socket, HTTP
#
# The control server answers, for nginx to proxy_pass to:
#
#   /name/kill9 /name/stop /name/start /name/pause /name/resume
#   /name/command?ARG&ARG...
#   /signal?pidfile=PATH&name=QUIT[&worker=1]
#   /grep?file=PATH&text=TEXT[&wait=1]      # lines, without [debug] ones;
#                                           # waits for the first
#
# With blocked=NAME the first two answer at once and act when that server has
# a client in BLPOP.
#
# Everything started is ended at exit, however the test ends.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(inet_aton);
use Time::HiRes ();

my @started;
my $owner = $$;

END {
    if ($$ == $owner) {
        my $status = $?;
        $_->stop for reverse @started;
        $? = $status;
    }
}

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "no free port: $!";
    return $s->sockport;
}

sub new {
    my ($class, %o) = @_;
    # a short path: a unix address has 107 bytes; readable by workers of
    # another user
    my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir";
    return bless { dir => $dir, %o }, $class;
}

sub start {
    my ($class, %o) = @_;
    my $self = ref $class ? $class : $class->new(
        config => $o{config} || {},
        tcp    => $o{port} ? free_port() : 0,
    );
    my $dir = "$self->{dir}";
    my %config = (
        port => $self->{tcp}, bind => '127.0.0.1', save => '""',
        unixsocket => "$dir/redis.sock", unixsocketperm => 777,
        dir => $dir, pidfile => "$dir/redis.pid", daemonize => 'no',
        logfile => "$dir/redis.log", 'enable-debug-command' => 'yes',
        %{ $self->{config} },
    );
    open my $f, '>', "$dir/redis.conf" or die "$dir/redis.conf: $!";
    print $f "$_ $config{$_}\n" for sort keys %config;
    close $f;

    $self->spawn(sub {
        exec $ENV{TEST_REDIS_SERVER} || 'redis-server', "$dir/redis.conf";
        die "redis-server: $!";
    });

    $self->wait_for(sub { IO::Socket::UNIX->new(Peer => $self->socket) });
    push @started, $self unless grep { $_ == $self } @started;
    return $self;
}

# A server that runs code for each client, one client after another.

sub fake {
    my ($class, $code) = @_;
    my $self = $class->new;
    my $listen = IO::Socket::UNIX->new(Local => $self->socket, Listen => 16)
        or die $self->socket . ": $!";
    chmod 0777, $self->socket;
    $self->spawn(sub {
        local $SIG{PIPE} = 'IGNORE';
        while (my $client = $listen->accept) {
            $code->($client);
            close $client;
        }
    });
    push @started, $self;
    return $self;
}

# A server before this one, one process for each of its clients.

sub before {
    my ($self, $code) = @_;
    return ref($self)->fake(sub {
        my ($client) = @_;
        local $SIG{CHLD} = 'IGNORE';
        return if fork;
        my $server = IO::Socket::UNIX->new(Peer => $self->socket)
            or POSIX::_exit(1);
        while (my @command = read_command($client)) {
            print $server written(@command);
            $server->flush;
            my $reply = read_written($server) // last;
            print $client $code->($reply, @command);
            $client->flush;
        }
        POSIX::_exit(0);
    });
}

# Reads commands of a client: array of arguments, or nothing at its end.

sub read_command {
    my ($client) = @_;
    my $line = <$client>;
    return unless defined $line && $line =~ /^\*(\d+)/;
    my @args;
    for (1 .. $1) {
        my $head = <$client>;
        return unless defined $head && $head =~ /^\$(\d+)/;
        my $n = $1;
        read($client, my $arg, $n + 2) == $n + 2 or return;
        push @args, substr $arg, 0, $n;
    }
    return @args;
}

# What a healthy server answers while a client connects.

sub setup_answer {
    my ($command, %o) = @_;
    my $version = $o{version} || '7.0.0';
    my $info = "redis_version:$version\r\nrun_id:" . 'a' x 40 . "\r\n"
        . "role:master\r\nmaster_replid:" . 'b' x 40 . "\r\n";
    return '$' . length($info) . "\r\n$info\r\n" if uc $command eq 'INFO';
    return "+OK\r\n" if $command =~ /^(AUTH|SELECT|CLIENT|SCRIPT)$/i;
    return;
}

sub spawn {
    my ($self, $code) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        @started = ();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        eval { $code->(); 1 } or print STDERR $@;
        POSIX::_exit(0);
    }
    $self->{pid} = $pid;
    # the control server, which may be the one to signal it, reads this
    open my $f, '>', "$self->{dir}/pid" or die "$self->{dir}/pid: $!";
    print $f $pid;
    close $f;
}

sub pid {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/pid" or return;
    return scalar <$f>;
}

sub socket { return "$_[0]{dir}/redis.sock" }
sub dir    { return "$_[0]{dir}" }
sub port   { return $_[0]{tcp} }

sub wait_for {
    my ($self, $code) = @_;
    for (1 .. 3000) {
        return if $code->();
        Time::HiRes::sleep(0.01);
    }
    die "redis-server in $self->{dir} did not get ready";
}

sub signal {
    my ($self, $signal) = @_;
    my $pid = $self->pid or return;
    kill $signal, $pid;
    return $pid;
}

sub gone {
    my ($self, $pid) = @_;
    return unless $pid;
    for (1 .. 3000) {
        # reaps our own child; the pid of another's is gone by kill 0
        waitpid $pid, POSIX::WNOHANG();
        last unless kill 0, $pid;
        last if POSIX::access("/proc/$pid", 0) && zombie($pid);
        Time::HiRes::sleep(0.01);
    }
    unlink "$self->{dir}/pid";
}

sub zombie {
    my ($pid) = @_;
    open my $f, '<', "/proc/$pid/stat" or return 1;
    return <$f> =~ /\) Z /;
}

sub kill9  { my ($self) = @_; $self->gone($self->signal('KILL')) }
sub pause  { $_[0]->signal('STOP') }
sub resume { $_[0]->signal('CONT') }

sub stop {
    my ($self) = @_;
    my $pid = $self->signal('TERM') or return;
    kill 'CONT', $pid;
    $self->gone($pid);
}

sub restart { my ($self) = @_; $self->kill9; $self->start }

sub command {
    my ($self, @args) = @_;
    my $s = IO::Socket::UNIX->new(Peer => $self->socket) or return;
    print $s written(@args);
    $s->flush;
    return read_reply($s);
}

sub written {
    my @args = @_;
    return '*' . @args . "\r\n" . join '',
        map { '$' . length($_) . "\r\n$_\r\n" } @args;
}

# a whole reply, as it is written

sub read_written {
    my ($s) = @_;
    my $text = <$s> // return;
    my ($type, $n) = $text =~ /^([*\$])(\d+)/ or return $text;
    if ($type eq '$') {
        read $s, $text, $n + 2, length $text;
        return $text;
    }
    $text .= read_written($s) // return for 1 .. $n;
    return $text;
}

sub read_reply {
    my ($s) = @_;
    my $line = <$s> // return;
    $line =~ s/\r\n\z//;
    my ($type, $rest) = unpack 'a a*', $line;
    return [map { read_reply($s) } 1 .. $rest] if $type eq '*' && $rest >= 0;
    return $type eq '-' ? "-$rest" : $rest unless $type eq '$';
    return if $rest < 0;
    read $s, my $data, $rest + 2;
    return substr $data, 0, $rest;
}

sub children {
    my ($pid) = @_;
    open my $f, '<', "/proc/$pid/task/$pid/children" or die "$pid: $!";
    return split ' ', <$f> // '';
}

# A listening port with a full backlog: connect() gets no answer at all.

my @deaf;

sub deaf {
    my $listen = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        or die "listen: $!";
    push @deaf, $listen;
    for (1 .. 4) {
        push @deaf, IO::Socket::INET->new(
            PeerAddr => '127.0.0.1', PeerPort => $listen->sockport,
            Blocking => 0);
    }
    return $listen->sockport;
}

# Answers A questions from a table, NXDOMAIN for other names, and nothing for
# a name whose address is undef.

sub dns {
    my ($class, $names) = @_;
    my $self = $class->new;
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
        or die "udp: $!";
    $self->spawn(sub {
        while (my $peer = $s->recv(my $query, 512)) {
            my $question = substr $query, 12;
            my ($i, @labels) = (0);
            while (my $n = ord substr $question, $i, 1) {
                push @labels, substr $question, $i + 1, $n;
                $i += $n + 1;
            }
            my $entry = $names->{ join '.', @labels };
            my $type = unpack 'n', substr $question, $i + 1, 2;
            $question = substr $question, 0, $i + 5;
            my ($ip, $delay) = @{ $entry || [] };
            next if $entry && !$ip;
            Time::HiRes::sleep($delay) if $delay;
            my $answer = $ip && $type == 1
                ? pack('nnnNna4', 0xc00c, 1, 1, 1, 4, inet_aton($ip)) : '';
            $s->send(substr($query, 0, 2)
                . pack('nnnnn', $entry ? 0x8180 : 0x8183, 1,
                       $answer ? 1 : 0, 0, 0)
                . $question . $answer, 0, $peer);
        }
    });
    push @started, $self;
    return $s->sockport;
}

sub control {
    my ($class, %servers) = @_;
    my $self = $class->new;
    my $listen = IO::Socket::UNIX->new(Local => $self->socket, Listen => 16)
        or die $self->socket . ": $!";
    chmod 0777, $self->socket;
    $self->spawn(sub {
        local $SIG{CHLD} = 'IGNORE';
        local $SIG{PIPE} = 'IGNORE';
        while (my $client = $listen->accept) {
            my ($uri) = (<$client> // '') =~ m{^GET (\S+)};
            while (my $line = <$client>) { last if $line =~ /^\r?\n/ }
            my $text = eval { act($uri // '', \%servers) } // "error: $@";
            print $client "HTTP/1.0 200 OK\r\nContent-Length: "
                . length($text) . "\r\n\r\n$text";
            close $client;
        }
    });
    push @started, $self;
    return $self->socket;
}

sub act {
    my ($uri, $servers) = @_;
    my ($path, $query) = split /\?/, $uri, 2;
    my @query = map { s/%(..)/chr hex $1/ger } split /&/, $query // '';
    my (undef, $name, $verb) = split m{/}, $path;
    my %q = map { split /=/, $_, 2 } grep { /=/ } @query;

    my $code;
    if ($name eq 'grep') {
        my $lines;
        for (1 .. 3000) {
            open my $f, '<', $q{file} or die "$q{file}: $!";
            $lines = grep {
                m{^\d+/\d+/\d+ \S+ \[(?!debug)} && /\Q$q{text}\E/
            } <$f>;
            last if $lines || !$q{wait};
            Time::HiRes::sleep(0.01);
        }
        return "$lines\n";

    } elsif ($name eq 'signal') {
        $code = sub {
            open my $f, '<', $q{pidfile} or die "$q{pidfile}: $!";
            chomp(my $pid = <$f>);
            ($pid) = children($pid) if $q{worker};
            kill $q{name}, $pid;
            return "done\n";
        };

    } else {
        my $server = $servers->{$name} or die "no server $name";
        if ($verb eq 'command') {
            my $reply = $server->command(@query) // 'nil';
            return (ref $reply ? "[@$reply]" : $reply) . "\n";
        }
        die "no verb $verb" if $verb !~ /^(kill9|stop|start|pause|resume)$/;
        $code = sub { $server->$verb; return "done\n" };
    }

    return $code->() unless $q{blocked};

    my $pid = fork // die "fork: $!";
    return "later\n" if $pid;
    @started = ();
    my $server = $servers->{ $q{blocked} };
    for (1 .. 3000) {
        last if $server->command('INFO', 'clients') =~ /blocked_clients:[1-9]/;
        Time::HiRes::sleep(0.01);
    }
    eval { $code->() };
    POSIX::_exit(0);
}

1;
