package Mesh::Runner::Server;

# One nginx in its own root: its configuration, start, reload and end.

use strict;
use warnings;

use Cwd qw(getcwd);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use POSIX qw(:sys_wait_h :signal_h);
use Time::HiRes qw(sleep time);

my $step = 0.01;

sub new {
    my ($class) = @_;
    my $port = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT};
    my $root = $ENV{TEST_NGINX_SERVROOT};

    if ($ENV{TEST_NGINX_RANDOMIZE} || !$port) {
        $port = free_port();
        $root = undef if $ENV{TEST_NGINX_RANDOMIZE};
    }

    $root //= getcwd() . "/t/servroot_$port";

    return bless {
        binary      => $ENV{TEST_NGINX_BINARY} || 'nginx',
        addr        => '127.0.0.1',
        name        => 'localhost',
        port        => $port,
        root        => $root,
        workers     => 1,
        connections => 64,
        log_level   => $ENV{TEST_NGINX_LOG_LEVEL} || 'debug',
        master      => $ENV{TEST_NGINX_MASTER_PROCESS} || 'off',
        hup         => $ENV{TEST_NGINX_USE_HUP},
        valgrind    => $ENV{TEST_NGINX_USE_VALGRIND},
        location    => 1,
        preamble    => '',
        env         => [],
        log_pos     => 0,
        owner       => $$,
    }, $class;
}

# Below the range the kernel takes for clients, so that it stays free until
# nginx listens there.
sub free_port {
    for (1 .. 1000) {
        my $port = 10240 + int rand(32768 - 10240);
        return $port if IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1,
            ReuseAddr => 1,
        );
    }
    die "no free port\n";
}

sub html_dir  { "$_[0]{root}/html" }
sub pid_file  { "$_[0]{root}/logs/nginx.pid" }
sub conf_file { "$_[0]{root}/conf/nginx.conf" }
sub error_log { "$_[0]{root}/logs/error.log" }

# [major, minor, patch] of the binary
sub version {
    my ($self) = @_;
    $self->{version} //= do {
        my $text = `$self->{binary} -V 2>&1`;
        $text =~ m{nginx version: \S+?/(\d+)\.(\d+)\.(\d+)}
            or die "cannot run \"$self->{binary}\": $text\n";
        [ $1, $2, $3 ];
    };
    return $self->{version};
}

# Everything of the previous block goes, unless its nginx still runs.
sub make_root {
    my ($self) = @_;
    my $root = $self->{root};

    remove_tree("$root/conf", "$root/html");
    remove_tree("$root/logs", glob "$root/*_temp") if !$self->pid;

    make_path(map { "$root/$_" } qw(conf html logs));
    write_file("$root/html/index.html", "<html>It works!</html>");
}

sub write_file {
    my ($path, $text) = @_;
    open my $file, '>', $path or die "cannot write $path: $!\n";
    binmode $file;
    print $file $text;
    close $file or die "cannot write $path: $!\n";
}

sub write_user_files {
    my ($self, $files) = @_;

    if (!ref $files) {
        my $text = $files;
        $files = [];
        for my $part (split /^(?=>>> )/m, $text) {
            next unless $part =~ s/^>>> (\S+)(?:[ \t]+(\S+))?[^\n]*\n//;
            push @$files, [ $1, $part, $2 ];
        }
    }

    for my $file (@$files) {
        my ($name, $text, $date) = @$file;
        my $path = $name =~ m{^/} ? $name : $self->html_dir . "/$name";
        make_path($1) if $path =~ m{(.*)/};
        write_file($path, $text // '');
        system('env', 'TZ=GMT', 'touch', '-t', $date, $path) if $date;
    }
}

# Writes the configuration of a block, whose texts come expanded.
sub write_conf {
    my ($self, %text) = @_;
    my $root = $self->{root};
    my $master = $self->{hup} ? 'on' : $self->{master};
    my $daemon = $self->{valgrind} ? 'off' : 'on';
    my $level = $text{log_level} // $self->{log_level};
    my $modules = join '', map { "load_module $_;\n" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $user = $ENV{TEST_NGINX_WORKER_USER};
    my $version = $self->{generation}++ || 0;
    my ($options, $http2) = ('', '');

    if ($text{http2}) {
        my $v = $self->version;
        my $number = $v->[0] * 1_000_000 + $v->[1] * 1000 + $v->[2];
        ($options, $http2) = $number < 1_025_001 ? (' http2', '')
                                                 : ('', 'http2 on;');
    }

    my $temp = join '', map {
        $text{http_config} =~ /\b${_}_temp_path\b/
            ? () : "    ${_}_temp_path $root/${_}_temp;\n"
    } qw(client_body proxy fastcgi scgi uwsgi);

    my $conf = "worker_processes $self->{workers};\n"
             . "daemon $daemon;\n"
             . "master_process $master;\n"
             . "error_log $root/logs/error.log $level;\n"
             . "pid " . $self->pid_file . ";\n"
             . ($user ? "user $user;\n" : '')
             . join('', map { "env $_;\n" } 'LD_PRELOAD', 'ASAN_OPTIONS',
                    'UBSAN_OPTIONS', @{ $self->{env} })
             . "$modules$text{main_config}\n"
             . "events { worker_connections $self->{connections}; }\n"
             . "http {\n"
             . "    access_log $root/logs/access.log;\n"
             . $temp
             . "    default_type text/plain;\n"
             . "    keepalive_timeout 68s;\n"
             . "$text{http_config}\n"
             . "    server {\n"
             . "        listen $self->{port}$options; $http2\n"
             . "        server_name '$text{server_name}';\n"
             . "        client_max_body_size 30m;\n"
             . "$self->{preamble}\n$text{config}\n";

    $conf .= "        location / { root " . $self->html_dir . "; }\n"
        if $self->{location};

    $conf .= "    }\n";

    # which configuration answers, as a reload takes its time
    $conf .= "    server {\n"
           . "        listen $self->{port}$options; $http2\n"
           . "        server_name test-generation;\n"
           . "        location / { return 200 $version; }\n"
           . "    }\n" if $self->{hup};

    $self->{http2} = $text{http2};

    write_file($self->conf_file, "$conf}\n$text{post_main_config}\n");
}

sub command {
    my ($self) = @_;
    my @command = ($self->{binary}, '-p', "$self->{root}/",
                   '-e', $self->error_log, '-c', $self->conf_file);

    if ($self->{valgrind}) {
        my @options = $self->{valgrind} =~ /^\d+$/
            ? qw(--tool=memcheck --leak-check=full --show-possibly-lost=no)
            : split ' ', $self->{valgrind};
        unshift @command, qw(valgrind -q --num-callers=40), @options;
    }

    return @command;
}

# Starts nginx; returns the wait status of its start.
sub start {
    my ($self, $silent) = @_;
    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null' if $silent;
        no warnings 'exec';
        exec { ($self->command)[0] } $self->command;
        POSIX::_exit(127);
    }

    if (!$self->{valgrind}) {
        waitpid $pid, 0;
        my $status = $?;
        $self->wait_for(sub { $self->pid }, 5) if $status == 0;
        return $status;
    }

    $self->{child} = $pid;

    $self->wait_for(sub {
        waitpid($pid, WNOHANG) == $pid
            || $self->pid && IO::Socket::INET->new(
                   PeerAddr => $self->{addr}, PeerPort => $self->{port});
    }, 60);

    return $self->pid ? 0 : $? || 1;
}

sub wait_for {
    my ($self, $ready, $seconds) = @_;
    my $until = time + $seconds;

    while (!$ready->()) {
        return 0 if time > $until;
        sleep $step;
    }

    return 1;
}

# The pid of a running nginx of this root.
sub pid {
    my ($self) = @_;

    open my $file, '<', $self->pid_file or return;
    my $pid = <$file> // '';
    $pid =~ /^(\d+)\s*$/ or return;
    $pid = $1;

    waitpid $pid, WNOHANG;
    return kill(0, $pid) ? $pid : undef;
}

# Reloads, and waits until only the new configuration answers.  What cannot be
# seen (a reload that has to fail, HTTP/2) gets a moment.
sub reload {
    my ($self, $must_fail) = @_;
    my $pid = $self->pid or return 0;
    my @old = children($pid);

    kill SIGHUP, $pid;

    if ($must_fail || $self->{http2}) {
        sleep 0.3;
        return 1;
    }

    $self->wait_for(sub { $self->answers_anew }, 10) or return 0;

    # for a while both accept
    $self->wait_for(sub { !grep { accepts($_) } @old }, 2);

    return 1;
}

sub answers_anew {
    my ($self) = @_;
    my $generation = $self->{generation} - 1;
    my $socket = IO::Socket::INET->new(
        PeerAddr => $self->{addr}, PeerPort => $self->{port}, Timeout => 1,
    ) or return 0;

    print $socket "GET / HTTP/1.0\r\nHost: test-generation\r\n\r\n";
    my $answer = do { local $/; <$socket> } // '';

    return $answer =~ /\r\n\r\n$generation\z/;
}

sub accepts {
    my ($worker) = @_;
    open my $file, '<', "/proc/$worker/cmdline" or return 0;
    return (<$file> // '') =~ /worker process(?! is shutting down)/;
}

# Ends nginx gracefully, at last by force; false if force was needed.
sub stop {
    my ($self, $seconds) = @_;
    my $pid = $self->pid or return 1;
    # its pid file goes before the process does
    my $gone = sub { waitpid $pid, WNOHANG; !kill 0, $pid };

    return 1 if $self->{owner} != $$;

    kill SIGQUIT, $pid;
    return 1 if $self->wait_for($gone, $seconds);

    kill SIGTERM, $pid;
    return 0 if $self->wait_for($gone, 2);

    kill SIGKILL, children($pid), $pid;
    $self->wait_for($gone, 2);
    unlink $self->pid_file;

    return 0;
}

sub children {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/task/$pid/children" or return;
    return split ' ', <$file> // '';
}

# The lines of the error log since the last look.
sub log_lines {
    my ($self) = @_;

    # the log phase comes after the answer
    sleep 0.05;

    open my $file, '<', $self->error_log or return;
    seek $file, $self->{log_pos}, 0;
    my @lines = <$file>;
    $self->{log_pos} = tell $file unless $self->{log_accumulates};

    return @lines;
}

# New logs for a nginx that runs on.
sub reopen_logs {
    my ($self) = @_;
    my @logs = ($self->error_log, "$self->{root}/logs/access.log");
    my $pid = $self->pid or return;

    unlink @logs;
    kill SIGUSR1, $pid;
    $self->wait_for(sub { @logs == grep { -e } @logs }, 5);
    $self->{log_pos} = 0;
}

1;
