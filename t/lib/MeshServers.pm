package MeshServers;

# Servers of an upstream{}, as many as wanted, in one process: JSON-RPC nodes
# of one chain with delays, heights and faults that a test sets meanwhile.
#
#   my $servers = MeshServers->start(5);
#   $servers->port(0)
#   $servers->set(0, delay => 400, mode => 'hang');
#   $servers->count(0); $servers->reset         # requests so far, 0 again
#   $servers->checks(0)                         # those of the gateway itself
#   $servers->heights(0)                        # of these, for its height
#   $servers->connections(0)                    # accepted so far
#
# A server tells its number in X-Server.  Settings:
#
#   delay (0)        ms before the answer's header
#   drip (0)         ms between the bytes of the body
#   status (200), header (one line), body (instead of JSON-RPC's)
#   height           of the chain, lag (0) blocks below it, lie (0) other
#                    hashes; it grows each block_time (0: never) ms
#   pad (0)          bytes of each block besides
#   error            text of a JSON-RPC error object
#   echo             1: the result is the request, { head, body }
#   lacks            names of what it has not got: archive, trace, logs
#   mode             '' or hang, close (before an answer), half (the body),
#                    refuse (does not listen), ws (upgrades and echoes),
#                    wait (with the answer until the mode is another)
#   every (1)        error, status and mode apply to each n-th request only
#
# Filters are numbered from 1 by each server, and kept until it refuses
# connections.  A transaction is in the block that its hash begins with.

use strict;
use warnings;

use Digest::SHA ();
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket;
use Time::HiRes ();

my @started;
my $owner = $$;

END {
    if ($$ == $owner) {
        my $status = $?;
        $_->stop for @started;
        $? = $status;
    }
}

$SIG{$_} ||= sub { exit 1 } for qw(INT TERM HUP);

sub listener {
    my ($port) = @_;
    return IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $port // 0, Proto => 'tcp',
        Listen => 1024, ReuseAddr => 1, Blocking => 0,
    ) || die "listen: $!";
}

sub start {
    my ($class, $n, %o) = @_;
    my @listen = map { listener() } 1 .. $n;
    my $control = listener();
    my $self = bless { ports => [map { $_->sockport } @listen],
                       control => $control->sockport }, $class;

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        @started = ();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        eval { MeshServers::Loop->new($control, \%o, @listen)->run; 1 }
            or print STDERR "MeshServers: $@";
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;
    push @started, $self;
    return $self;
}

sub stop_all { $_->stop for splice @started }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub port { return $_[0]{ports}[$_[1]] }

sub tell {
    my ($self, $text) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{control}, Proto => 'tcp') or die "control: $!";
    print $s "$text\n";
    my $line = <$s> // die "control: no answer";
    chomp $line;
    return $line;
}

sub set {
    my ($self, $i, %set) = @_;
    $self->tell(join "\t", 'set', $i, map {
        defined ? s/([%\t\n])/sprintf '%%%02x', ord $1/ger : '';
    } %set);
    return $self;
}

sub count { return (split ' ', $_[0]->tell("stat\t$_[1]"))[0] }

sub checks { return (split ' ', $_[0]->tell("stat\t$_[1]"))[1] }

sub heights { return (split ' ', $_[0]->tell("stat\t$_[1]"))[3] }

sub connections { return (split ' ', $_[0]->tell("stat\t$_[1]"))[2] }

sub reset { $_[0]->tell('reset'); return $_[0] }

package MeshServers::Loop;

sub new {
    my ($class, $control, $o, @listen) = @_;
    my @servers = map { {
        i => $_, listen => $listen[$_], port => $listen[$_]->sockport,
        count => 0, checks => 0, connections => 0, heights => 0,
        set => { delay => 0, drip => 0, status => 200, height => 1000,
                 block_time => 0,
                 lag => 0, lie => 0, mode => '', every => 1, %$o },
    } } 0 .. $#listen;
    return bless { born => Time::HiRes::time(),
                   control => $control, servers => \@servers,
                   connections => {}, timers => [],
                   read => IO::Select->new($control, @listen) }, $class;
}

sub run {
    my ($self) = @_;
    my $parent = getppid;

    # a test that was killed leaves no servers behind
    while (getppid == $parent) {
        my $now = Time::HiRes::time();
        my $timers = $self->{timers};

        while (@$timers && $timers->[0][0] <= $now) {
            (shift @$timers)->[1]->();
        }

        my $wait = @$timers ? $timers->[0][0] - $now : 1;

        for my $fh ($self->{read}->can_read($wait)) {
            my $c = $self->{connections}{ fileno $fh };
            if ($c) { $self->read($c) } else { $self->accept($fh) }
        }
    }
}

sub after {
    my ($self, $ms, $code) = @_;
    my $at = Time::HiRes::time() + $ms / 1000;
    my $timers = $self->{timers};
    my $i = @$timers;
    $i-- while $i && $timers->[$i - 1][0] > $at;
    splice @$timers, $i, 0, [$at, $code];
}

sub accept {
    my ($self, $fh) = @_;

    if ($fh == $self->{control}) {
        my $s = $fh->accept or return;
        $s->blocking(1);
        my $line = <$s> // return;
        chomp $line;
        print $s $self->command(map { s/%(..)/chr hex $1/ger }
                                    split /\t/, $line, -1), "\n";
        return;
    }

    my ($server) = grep { $_->{listen} && $_->{listen} == $fh }
                   @{ $self->{servers} };

    while (my $s = $fh->accept) {
        $s->blocking(0);
        setsockopt $s, Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1;
        $server->{connections}++;
        $self->{connections}{ fileno $s }
            = { fh => $s, server => $server, in => '' };
        $self->{read}->add($s);
    }
}

sub command {
    my ($self, $verb, $i, %set) = @_;
    my $server = $self->{servers}[$i // 0];

    if ($verb eq 'reset') {
        @$_{qw(count checks connections heights)} = (0, 0, 0, 0)
            for @{ $self->{servers} };
        return 'ok';
    }

    if ($verb eq 'stat') {
        return join ' ', @$server{qw(count checks connections heights)};
    }

    %{ $server->{set} } = (%{ $server->{set} }, %set);

    if ($server->{set}{mode} ne 'wait') {
        $_->() for splice @{ $server->{waiting} //= [] };
    }

    my $refuses = $server->{set}{mode} eq 'refuse';

    delete $server->{filters} if $refuses;

    if ($refuses && $server->{listen}) {
        $self->{read}->remove($server->{listen});
        close delete $server->{listen};
        $self->close($_)
            for grep { $_->{server} == $server } values %{ $self->{connections} };

    } elsif (!$refuses && !$server->{listen}) {
        $server->{listen} = MeshServers::listener($server->{port});
        $self->{read}->add($server->{listen});
    }

    return 'ok';
}

sub close {
    my ($self, $c) = @_;
    my $fh = delete $c->{fh} or return;
    $self->{read}->remove($fh);
    delete $self->{connections}{ fileno $fh };
    close $fh;
}

sub write {
    my ($self, $c, $text) = @_;
    return unless $c->{fh};

    # answers are small; what the socket does not take is waited for
    while (length $text) {
        my $n = syswrite $c->{fh}, $text;
        if (!defined $n) {
            next if $!{EAGAIN} && IO::Select->new($c->{fh})->can_write(1);
            return $self->close($c);
        }
        substr $text, 0, $n, '';
    }
}

sub read {
    my ($self, $c) = @_;
    my $n = sysread $c->{fh}, $c->{in}, 65536, length $c->{in};

    if (!$n) {
        return if !defined $n && $!{EAGAIN};
        return $self->close($c);
    }

    if ($c->{ws}) {
        $self->write($c, $c->{in});
        $c->{in} = '';
        return;
    }

    while (!$c->{busy}
           && $c->{in} =~ /^(.*?)\r\n\r\n/s)
    {
        my $head = $1;
        my ($length) = $head =~ /^Content-Length: *(\d+)/mi;
        my $size = length($head) + 4 + ($length // 0);
        return if length $c->{in} < $size;

        my $body = substr $c->{in}, length($head) + 4, $length // 0;
        substr $c->{in}, 0, $size, '';
        $self->request($c, $head, $body);
    }
}

sub request {
    my ($self, $c, $head, $body) = @_;
    my $server = $c->{server};
    my $set = $server->{set};

    # the gateway's own client sends no User-Agent of a library, nor X-Test
    my $check = $head !~ /^X-Test:/mi;
    my $n = $check ? ++$server->{checks} : ++$server->{count};
    $server->{heights}++ if $check && $body =~ /"eth_blockNumber"/;

    my %set = %$set;
    @set{qw(mode status error)} = ('', 200, undef) if $n % $set{every};

    return if $set{mode} eq 'hang';
    return $self->close($c) if $set{mode} eq 'close';

    if ($set{mode} eq 'ws' && $head =~ /^Upgrade:/mi) {
        $c->{ws} = 1;
        return $self->write($c, "HTTP/1.1 101 Switching Protocols\r\n"
            . "Upgrade: websocket\r\nConnection: upgrade\r\n"
            . "X-Server: $server->{i}\r\n\r\n");
    }

    my $text = length($set{body} // '') ? $set{body}
                                        : $self->answer($server, \%set, $body);
    $text = JSON::PP->new->latin1->canonical->encode({ id => 1, result =>
        { head => $head, body => $body } }) if $set{echo};
    my $answer = "HTTP/1.1 $set{status} Status\r\nX-Server: $server->{i}\r\n"
        . "Content-Type: application/json\r\n"
        . (defined $set{header} ? "$set{header}\r\n" : '')
        . 'Content-Length: ' . length($text) . "\r\n\r\n";

    $c->{busy} = 1;

    my $send = sub {
        if ($set{mode} eq 'half') {
            $self->write($c, $answer . substr $text, 0, length($text) / 2);
            return $self->close($c);
        }

        if ($set{drip}) {
            $self->write($c, $answer);
            return $self->drip($c, $text, $set{drip});
        }

        $self->write($c, $answer . $text);
        $c->{busy} = 0;
        $self->close($c) if $c->{fh} && $head =~ /^Connection: *close/mi;
    };

    if ($set{mode} eq 'wait') { push @{ $server->{waiting} }, $send }
    elsif ($set{delay} && !$check) { $self->after($set{delay}, $send) }
    else { $send->() }
}

sub drip {
    my ($self, $c, $text, $ms) = @_;
    return unless $c->{fh};
    $self->write($c, substr $text, 0, 1, '');
    return $self->after($ms, sub { $self->drip($c, $text, $ms) })
        if length $text;
    $c->{busy} = 0;
}

sub answer {
    my ($self, $server, $set, $body) = @_;

    if ($body =~ /^\s*\[/) {
        my $calls = eval { JSON::PP->new->allow_nonref->decode($body) } // [];
        return '[' . join(',', map {
            $self->answer($server, $set, JSON::PP->new->encode($_))
        } @$calls) . ']';
    }

    my ($id) = $body =~ /"id" *: *("[^"]*"|\d+)/;
    my $head = '{"jsonrpc":"2.0","id":' . ($id // 'null') . ',';

    my ($method) = $body =~ /"method" *: *"([^"]*)"/;
    my $height = $set->{height} - $set->{lag};
    $height += int(1000 * (Time::HiRes::time() - $self->{born})
                   / $set->{block_time}) if $set->{block_time};

    my $error = length($set->{error} // '') ? $set->{error}
                : lack($set->{lacks}, $method, $height, $body);
    return qq($head"error":$error}) if defined $error;

    my $result = filter($server, $method // '', $body)
                 // qq("server $server->{i}");
    return qq($head$result}) if $result =~ /^"error"/;

    if (($method // '') eq 'eth_blockNumber') {
        $result = sprintf '"0x%x"', $height;

    } elsif (($method // '') eq 'eth_chainId') {
        $result = '"0x1"';

    } elsif (($method // '') eq 'getSlot') {
        $result = $height;

    } elsif (($method // '') eq 'getBlock') {
        my ($n) = $body =~ /"params" *: *\[ *(\d+)/;
        return qq($head"error":{"code":-32007,"message":"Slot $n was skipped"}})
            if $n % 3 == 0;
        my $hash = substr Digest::SHA::sha256_hex("$set->{lie} $n"), 0, 44;
        $hash =~ tr/0-9a-f/1-9A-G/;
        $result = qq({"blockhash":"$hash","parentSlot":1});

    } elsif (($method // '') eq 'eth_syncing') {
        $result = 'false';

    } elsif (($method // '') eq 'eth_getTransactionReceipt') {
        my ($n) = $body =~ /"params" *: *\[ *"0x([0-9a-f]{8})/i;
        $result = !defined $n || hex $n > $height ? 'null'
            : sprintf '{"blockNumber":"0x%x","server":%d}', hex $n,
                      $server->{i};

    } elsif (($method // '') eq 'eth_getBlockByNumber') {
        my ($n) = $body =~ /"params" *: *\[ *"0x([0-9a-f]+)"/i;
        $n = defined $n ? hex $n : $height;
        $result = $n > $height ? 'null'
            : sprintf '{"number":"0x%x","hash":"0x%s","parentHash":"0x%s"%s}',
                      $n, (map { Digest::SHA::sha256_hex("$set->{lie} $_") }
                               $n, $n - 1),
                      $set->{pad} ? ',"extraData":"' . 'x' x $set->{pad} . '"'
                                  : '';
    }

    return qq($head"result":$result});
}

# the error of a node that has not got what a call needs
sub lack {
    my ($lacks, $method, $height, $body) = @_;
    return if !defined $lacks || !defined $method;

    return '{"code":-32601,"message":"the method ' . $method
           . ' does not exist/is not available"}'
        if $lacks =~ /trace/ && $method =~ /^(?:trace|debug)_/
           || $lacks =~ /logs/ && $method eq 'eth_getLogs';

    my ($n) = $body =~ /"params" *: *\[.*"0x([0-9a-f]{1,10})" *\]/i;
    return '{"code":-32000,"message":"missing trie node 12ab (path )"}'
        if $lacks =~ /archive/ && $method =~ /^eth_(?:call|getBalance)$/
           && defined $n && hex($n) + 128 < $height;
    return;
}

# what calls of filters give; nothing for other calls
sub filter {
    my ($server, $method, $body) = @_;
    my ($verb) = $method =~ /^eth_(new|get|uninstall)\w*Filter/ or return;

    if ($verb eq 'new') {
        my $id = sprintf '0x%x', 1 + keys %{ $server->{filters} };
        $server->{filters}{$id} = 0;
        return qq("$id");
    }

    my ($id) = $body =~ /"params" *: *\[ *"([^"]*)"/;

    return '"error":{"code":-32000,"message":"filter not found"}'
        if !defined $id || !defined $server->{filters}{$id};

    if ($verb eq 'uninstall') {
        undef $server->{filters}{$id};
        return 'true';
    }

    my $n = ++$server->{filters}{$id};
    return qq(["server $server->{i}","$id",$n]);
}

1;
