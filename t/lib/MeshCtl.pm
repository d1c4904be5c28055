package MeshCtl;

# Running meshctl and the demo programs, for tests.
#
#   my ($code, $out, $err) = ctl('keys', 'check', $file);
#   my $demo = MeshCtl->demo('node', '--height', 5);   # ended with the test
#   $demo->url; $demo->get('/_demo/claims'); $demo->stop
#   my $port = MeshCtl->port;                          # a free one

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use FindBin;
use IO::Socket::INET;
use POSIX ();
use Test::More ();
use Time::HiRes ();

our @EXPORT = qw(ctl run_command slurp write_file wait_for);

my $build = $ENV{BUILD} || "$FindBin::Bin/../build";
my $owner = $$;
my @started;

END {
    if ($$ == $owner) {
        my $status = $?;
        $_->stop for @started;
        $? = $status;
    }
}

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);

sub import_check {
    Test::More::plan(skip_all => "no $build/meshctl")
        unless -x "$build/meshctl" && -x "$build/meshdemo";
}

import_check();

sub ctl { return run_command("$build/meshctl", @_) }

# Exit code, standard output and error of a command; its input is empty.
sub run_command {
    my @command = @_;
    my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        { no warnings; exec { $command[0] } @command; }
        POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;

    return ($code, slurp("$dir/out"), slurp("$dir/err"));
}

sub slurp {
    my ($name) = @_;
    open my $file, '<', $name or die "$name: $!";
    local $/;
    return scalar(<$file>) // '';
}

sub write_file {
    my ($name, $text, $mode) = @_;
    open my $file, '>', $name or die "$name: $!";
    print $file $text;
    close $file or die "$name: $!";
    chmod $mode // 0644, $name;
}

# waits until the code is true, at most 20 s
sub wait_for {
    my ($code) = @_;
    my $end = Time::HiRes::time() + 20;
    while (Time::HiRes::time() < $end) {
        my $value = $code->();
        return $value if $value;
        Time::HiRes::sleep(0.05);
    }
    return 0;
}

sub demo {
    my ($class, @args) = @_;

    pipe my $read, my $write or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        close $read;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $write;
        { no warnings; exec "$build/meshdemo", @args; }
        POSIX::_exit(127);
    }
    close $write;

    my $line = <$read> // '';
    my ($url) = $line =~ /^ready (\S+)$/ or die "meshdemo @args: \"$line\"";
    my $self = bless { pid => $pid, url => $url }, $class;
    push @started, $self;
    return $self;
}

sub url { return $_[0]{url} }
sub pid { return $_[0]{pid} }

# the exit code, undef when it had ended before
sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    return $?;
}

# Body of an answer; ($status, $body) in a list.
sub get {
    my ($self, $path, %o) = @_;
    my ($host) = $self->{url} =~ m{^http://([^/]+)$};
    my $s = IO::Socket::INET->new(PeerAddr => $host, Timeout => 10)
        or die "$self->{url}: $!";
    my $method = $o{method} || (defined $o{body} ? 'POST' : 'GET');
    my $body = $o{body} // '';
    my $headers = join '', map { "$_\r\n" } @{ $o{headers} || [] };
    print $s "$method $path HTTP/1.1\r\nHost: $host\r\n$headers"
        . 'Content-Length: ' . length($body)
        . "\r\nConnection: close\r\n\r\n$body";
    local $/;
    my $answer = <$s> // '';
    my ($status) = $answer =~ m{^HTTP/1\.1 (\d+)};
    my (undef, $text) = split /\r\n\r\n/, $answer, 2;
    return wantarray ? ($status, $text) : $text;
}

sub port {
    my ($code, $out) = run_command("$build/meshdemo", 'port');
    chomp $out;
    return $out;
}

1;
