package MeshHttp;

# Peers that real servers will not play: a server whose answers break in
# every way, a name server, a port that swallows connections; certificates.
#
#   my $peer = MeshHttp->faulty;           # port, port6, socket
#   my $dns = MeshHttp->names;             # port
#   my $hole = MeshHttp->black_hole;       # port
#   my $dir = MeshHttp->certificates;      # ca.crt, NAME.crt, NAME.key
#       # others besides: NAME => 'DNS:host,IP:address'
#
# The faulty server does what the first part of the path names: see %faults.
# Everything started is ended at exit, however the test ends.

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket;
use Time::HiRes ();

my @started;
my $owner = $$;

END {
    if ($$ == $owner) {
        my $status = $?;
        for my $pid (@started) {
            kill 'TERM', -$pid;
            waitpid $pid, 0;
        }
        $? = $status;
    }
}

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);

# in a process group of its own, so that its children end with it

sub spawn {
    my ($code) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        @started = ();
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        eval { $code->(); 1 } or print STDERR $@;
        POSIX::_exit(0);
    }
    push @started, $pid;
    return $pid;
}

sub ok_answer {
    my ($body, @headers) = @_;
    return join "\r\n", 'HTTP/1.1 200 OK', 'Content-Length: ' . length $body,
        @headers, '', $body;
}

sub drip {
    my ($c, $text, $pause) = @_;
    for my $byte (split //, $text) {
        $c->syswrite($byte) or return;
        Time::HiRes::sleep($pause);
    }
    return;
}

sub mute { sleep 30; return }

# Each gets the connection, the request (head, body, n: its number on this
# connection) and returns true when another request may come.

my %faults = (
    ok => sub { $_[0]->syswrite(ok_answer("n:$_[1]{n}")); 1 },
    echo => sub { $_[0]->syswrite(ok_answer("$_[1]{head}$_[1]{body}")); 1 },
    length => sub { $_[0]->syswrite(ok_answer(length $_[1]{body})); 1 },
    split => sub { drip($_[0], ok_answer('dripped', 'X-Test: yes'), 0.002); 1 },
    eof => sub { $_[0]->syswrite("HTTP/1.1 200 OK\r\n\r\nto the end"); 0 },
    old => sub { $_[0]->syswrite("HTTP/1.0 200 OK\r\n\r\nold"); 0 },
    interim => sub {
        $_[0]->syswrite("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            . "HTTP/1.1 100 Continue\r\n\r\n" . ok_answer('final'));
        1;
    },
    empty204 => sub { $_[0]->syswrite("HTTP/1.1 204 No Content\r\n\r\n"); 1 },
    chunked => sub {
        $_[0]->syswrite("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "5;a=b\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n");
        1;
    },
    bigchunks => sub {
        my ($c) = @_;
        $c->syswrite("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for my $i (1 .. 100) {
            my $s = chr(64 + $i % 26) x (1000 + $i);
            $c->print(sprintf("%x\r\n%s\r\n", length $s, $s));
        }
        $c->print("0\r\n\r\n");
        $c->flush;
        1;
    },
    onebyte => sub {
        $_[0]->print("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "1\r\nx\r\n" x 3000 . "0\r\n\r\n");
        $_[0]->flush;
        1;
    },

    # ends too early
    nothing => sub { 0 },
    instatus => sub { $_[0]->syswrite("HTTP/1.1 2"); 0 },
    inheaders => sub { $_[0]->syswrite("HTTP/1.1 200 OK\r\nContent-Le"); 0 },
    inbody => sub {
        $_[0]->syswrite("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        0;
    },
    inchunk => sub {
        $_[0]->syswrite("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "a\r\n12345");
        0;
    },
    nolastchunk => sub {
        $_[0]->syswrite("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "5\r\n12345\r\n");
        0;
    },
    reset => sub {
        my ($c) = @_;
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        Time::HiRes::sleep(0.05);
        setsockopt $c, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
        0;
    },
    kill9 => sub {
        $_[0]->syswrite("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        Time::HiRes::sleep(0.05);
        kill 'KILL', $$;
    },

    # keepalive
    stale => sub {
        return 0 if $_[1]{n} > 1;
        $_[0]->syswrite(ok_answer('fresh'));
        1;
    },
    lie => sub { $_[0]->syswrite(ok_answer("n:$_[1]{n}")); 0 },
    close => sub {
        $_[0]->syswrite(ok_answer("n:$_[1]{n}", 'Connection: close'));
        1;
    },
    trailing => sub { $_[0]->syswrite(ok_answer("n:$_[1]{n}") . 'more'); 1 },
    early => sub {
        $_[0]->syswrite("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        1;
    },

    first => sub {
        my ($c, $req) = @_;
        return 0 if -e "$req->{dir}/first";
        open my $f, '>', "$req->{dir}/first" or return 0;
        $c->syswrite(ok_answer('first'));
        1;
    },

    # time
    mute => sub { mute() },
    slow => sub {
        Time::HiRes::sleep(0.4);
        $_[0]->syswrite(ok_answer('slow'));
        1;
    },
    pauses => sub { drip($_[0], ok_answer('p'), 0.02); 1 },
    drips => sub { drip($_[0], ok_answer('x' x 1000), 0.05) },
    half => sub {
        $_[0]->syswrite("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
        mute();
    },
    spam => sub {
        my ($c) = @_;
        $c->syswrite("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            . "0\r\n");
        # faster than it can be parsed
        my $lines = "X: y\r\n" x 200000;
        1 while $c->syswrite($lines);
        0;
    },

    # not HTTP
    garbage => sub { $_[0]->syswrite("\x00\x01\xffSSH-2.0\r\n\r\n"); mute() },
    http2 => sub { $_[0]->syswrite("HTTP/2.0 200 OK\r\n\r\n"); mute() },
    zero => sub { $_[0]->syswrite("HTTP/1.1 000 No\r\n\r\n"); mute() },
    upgrade => sub { $_[0]->syswrite("HTTP/1.1 101 Up\r\n\r\n"); mute() },
    map({
        my ($name, @lines) = @$_;
        ($name => sub {
            $_[0]->syswrite(join "\r\n", 'HTTP/1.1 200 OK', @lines, '', '');
            mute();
        });
    } (
        ['badheader', "X\x00: y"],
        ['folded', 'X: a', ' b'],
        ['negative', 'Content-Length: -1'],
        ['overflow', 'Content-Length: 99999999999999999999'],
        ['twolengths', 'Content-Length: 1', 'Content-Length: 2'],
        ['both', 'Content-Length: 1', 'Transfer-Encoding: chunked'],
        ['gzip', 'Transfer-Encoding: gzip, chunked'],
        ['badchunk', 'Transfer-Encoding: chunked', '', 'zz'],
        ['hugechunk', 'Transfer-Encoding: chunked', '', '7fffffff'],
        ['hugelength', 'Content-Length: 100000000'],
        ['manyheaders', map { "X-$_: y" } 1 .. 101],
        ['longheader', 'X: ' . 'y' x 20000],
    )),
    big => sub {
        $_[0]->print("HTTP/1.1 200 OK\r\n\r\n", 'x' x 200000);
        $_[0]->flush;
        0;
    },
);

sub read_request {
    my ($c, $req) = @_;
    my $buf = $req->{rest} // '';
    until ($buf =~ /\r\n\r\n/) {
        sysread $c, $buf, 65536, length $buf or return;
        if ($buf =~ /^\x16/) {
            $c->syswrite("HTTP/1.1 400 Bad Request\r\n\r\n");
            return;
        }
    }
    my ($head, $body) = $buf =~ /^(.*?\r\n\r\n)(.*)$/s;
    my ($path) = $head =~ m{^\S+ /(\w*)};
    my $length = $head =~ /^Content-Length: (\d+)/mi ? $1 : 0;
    if ($path ne 'early') {
        while (length $body < $length) {
            sysread $c, $body, 65536, length $body or return;
        }
    }
    $req->{rest} = length $body > $length ? substr $body, $length : '';
    @$req{qw(head body path)} = ($head, substr($body, 0, $length), $path);
    return 1;
}

sub serve {
    my ($c, $dir) = @_;
    $c->autoflush(0);
    my $req = { n => 0, dir => $dir };
    while (read_request($c, $req)) {
        $req->{n}++;
        my $fault = $faults{$req->{path}} or last;
        $fault->($c, $req) or last;
    }
    close $c;
}

sub faulty {
    my ($class) = @_;
    my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir";
    my $self = bless { dir => $dir, socket => "$dir/http.sock" }, $class;

    my $tcp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128)
        or die "listen: $!";
    my $unix = IO::Socket::UNIX->new(Local => $self->{socket}, Listen => 128)
        or die "$self->{socket}: $!";
    chmod 0777, $self->{socket};
    $self->{port} = $tcp->sockport;

    my $select = IO::Select->new($tcp, $unix);

    spawn(sub {
        $SIG{CHLD} = 'IGNORE';
        while (my @ready = $select->can_read) {
            for my $listen (@ready) {
                my $c = $listen->accept or next;
                my $pid = fork // die "fork: $!";
                if (!$pid) {
                    serve($c, "$dir");
                    POSIX::_exit(0);
                }
                close $c;
            }
        }
    });

    return $self;
}

# A listening socket whose queue is full: the kernel drops what comes.

sub black_hole {
    my ($class) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "listen: $!";
    listen $listen, 0;
    my $self = bless { port => $listen->sockport, listen => $listen }, $class;
    for (1 .. 4) {
        push @{ $self->{fill} }, IO::Socket::INET->new(
            PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Blocking => 0);
    }
    return $self;
}


sub deaf {
    my ($class) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
        or die "listen: $!";
    setsockopt $listen, SOL_SOCKET, SO_RCVBUF, 4096;
    return bless { port => $listen->sockport, listen => $listen }, $class;
}

# A port that nobody listens on.

sub closed_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "listen: $!";
    return $s->sockport;
}

# Answers A questions by the first label: nx..., fail..., mute..., slow...,
# empty..., two... (a closed address, then the right one), else 127.0.0.1.

sub names {
    my ($class) = @_;
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
        or die "udp: $!";
    my $self = bless { port => $s->sockport }, $class;

    spawn(sub {
        while (defined(my $peer = recv $s, my $query, 512, 0)) {
            my $name = join '.', unpack '(C/a)*', substr $query, 12;
            next if $name =~ /^mute/;
            my $answer = dns_answer($query, $name);
            if ($name =~ /^slow/) {
                spawn(sub {
                    Time::HiRes::sleep(0.3);
                    send $s, $answer, 0, $peer;
                });
                next;
            }
            send $s, $answer, 0, $peer;
        }
    });

    return $self;
}

sub dns_answer {
    my ($query, $name) = @_;
    my ($id) = unpack 'n', $query;
    my $question = substr $query, 12;
    my ($flags, @addrs) = (0x8180, '127.0.0.1');
    ($flags, @addrs) = (0x8183) if $name =~ /^nx/;
    ($flags, @addrs) = (0x8182) if $name =~ /^fail/;
    @addrs = () if $name =~ /^empty/;
    @addrs = ('127.0.0.9', '127.0.0.1') if $name =~ /^two/;
    return pack('n6', $id, $flags, 1, scalar @addrs, 0, 0) . $question
        . join '', map { pack 'nnnNn/a*', 0xc00c, 1, 1, 5, inet_aton $_ }
            @addrs;
}

sub run {
    my (@command) = @_;
    my $out = qx{@command 2>&1};
    die "@command: $out" if $?;
}

# ca.crt signs node (node.test, localhost, 127.0.0.1, ::1), wrong
# (other.test), expired; self.crt signs itself.

sub certificates {
    my ($class, @names) = @_;
    my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir";
    my %names = (
        @names,
        node => 'DNS:node.test,DNS:localhost,IP:127.0.0.1,IP:::1',
        wrong => 'DNS:other.test,IP:127.0.0.9',
        expired => 'DNS:node.test,IP:127.0.0.1',
    );

    run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mesh-ca",
        "-keyout $dir/ca.key -out $dir/ca.crt");
    run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=node.test",
        "-addext subjectAltName=DNS:node.test",
        "-keyout $dir/self.key -out $dir/self.crt");

    for my $name (sort keys %names) {
        open my $f, '>', "$dir/$name.ext" or die "$dir/$name.ext: $!";
        print $f "subjectAltName=$names{$name}\n";
        close $f;
        my $days = $name eq 'expired' ? -1 : 2;
        run("openssl req -newkey rsa:2048 -nodes -subj /CN=$name",
            "-keyout $dir/$name.key -out $dir/$name.csr");
        run("openssl x509 -req -in $dir/$name.csr -CA $dir/ca.crt",
            "-CAkey $dir/ca.key -CAcreateserial -days $days",
            "-extfile $dir/$name.ext -out $dir/$name.crt");
    }

    chmod 0644, glob "$dir/*.key";
    return $dir;
}

1;
