package Mesh::Runner::Client;

# Requests as the sections of a block describe them, their sending, and the
# parsing of answers.

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

# A request is a list of packets { value, delay_before }.  All requests of a
# block; pipelined ones are one request.

sub requests {
    my ($block, $host) = @_;
    my $raw = $block->raw_request;

    if (defined $raw) {
        my @parts = ref $raw ? @$raw : $raw;
        my $delay = $block->raw_request_middle_delay;
        return [ map { { value        => $parts[$_],
                         delay_before => $_ ? $delay : undef } } 0 .. $#parts ];
    }

    if (my $list = $block->pipelined_requests) {
        my $text = '';
        for my $i (0 .. $#$list) {
            $text .= build($list->[$i], more_headers($block, $i), $host,
                           $i == $#$list ? 'close' : 'keep-alive');
        }
        return [ { value => $text } ];
    }

    my $request = $block->request // die "no --- request\n";

    if (!ref $request) {
        1 while $request =~ s/^\s*\#[^\n]+\s+|^\s+//;
        $request = [$request];
    }

    my @requests;
    for my $i (0 .. $#$request) {
        push @requests, packets($request->[$i], more_headers($block, $i),
                                $host);
    }

    return @requests;
}

sub more_headers {
    my ($block, $i) = @_;
    my $text = $block->more_headers // '';

    if (ref $text eq 'ARRAY') {
        $text = $text->[$i] // die "--- more_headers lacks entry $i\n";
    }

    return $text;
}

# One request that leaves in several packets: the headers go with the first,
# Content-Length is of them all.

sub packets {
    my ($request, $headers, $host) = @_;

    return [ { value => build($request, $headers, $host, 'close') } ]
        unless ref $request;

    my @parts = map { ref $_ ? {%$_} : { value => $_ } } @$request;
    my $text = build(join('', map { $_->{value} } @parts), $headers, $host,
                     'close');
    my $rest = 0;

    for my $part (reverse @parts[1 .. $#parts]) {
        my $length = length $part->{value};
        $part->{value} = substr $text, length($text) - $rest - $length,
                                $length;
        $rest += $length;
    }
    $parts[0]{value} = substr $text, 0, length($text) - $rest;

    return \@parts;
}

sub build {
    my ($request, $more, $host, $connection) = @_;
    my ($line, $body) = split /\n/, $request, 2;
    my ($method, $uri, $version) = split ' ', $line // '';

    die "empty request line\n" unless defined $method;

    $uri //= '/';
    $version //= 'HTTP/1.1';
    $body //= '';

    my @lines = grep { length && !/^\s*#/ } split /\r?\n/, $more;
    my %seen = map { /^\s*([^:\s]+)/ ? (lc $1 => $_) : () } @lines;

    my $headers = '';
    $headers .= "Host: $host\r\n" unless exists $seen{host};
    $headers .= "Connection: $connection\r\n" unless exists $seen{connection};

    for (@lines) {
        my ($name, $value) = split /:\s*/, $_, 2;
        $headers .= "$name: " . ($value // '') . "\r\n";
    }

    my $chunked = ($seen{'transfer-encoding'} // '') =~ /:\s*chunked\s*$/;

    if ($body ne '' && !$chunked && !exists $seen{'content-length'}) {
        $body =~ s/^\s+|\s+$//g;
        $headers .= 'Content-Length: ' . length($body) . "\r\n";
    }

    return "$method $uri $version\r\n$headers\r\n$body";
}

# Sends a request and reads until the server closes.  Returns the answer, and
# whether the time was up.

sub exchange {
    my ($request, %o) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => $o{addr}, PeerPort => $o{port}, Timeout => $o{timeout},
    ) or return (undef, "cannot connect to $o{addr}:$o{port}: $!");

    local $SIG{PIPE} = 'IGNORE';
    binmode $socket;
    $socket->blocking(0);

    my $reader = IO::Select->new($socket);
    my $until = time + $o{timeout};
    my $answer = '';
    my $open = 1;

    for my $packet (@$request) {
        sleep $packet->{delay_before} if $packet->{delay_before};
        my $left = $packet->{value};

        while ($open && length $left) {
            my $wait = $until - time;
            return ($answer, 'timed out') if $wait <= 0;

            my ($can_read, $can_write)
                = IO::Select->select($reader, $reader, undef, $wait);
            $open = receive($socket, \$answer) if @{ $can_read || [] };

            if (@{ $can_write || [] }) {
                my $n = syswrite $socket, $left;
                if (defined $n) {
                    substr $left, 0, $n, '';
                } elsif (!$!{EAGAIN} && !$!{EINTR}) {
                    # an early answer may stand before the reset
                    last;
                }
            }
        }
    }

    $socket->shutdown($o{shutdown}) if defined $o{shutdown};

    while ($open) {
        my $wait = $until - time;
        return ($answer, 'timed out')
            if $wait <= 0 || !$reader->can_read($wait);
        $open = receive($socket, \$answer);
    }

    return ($answer, undef);
}

sub receive {
    my ($socket, $answer) = @_;
    my $n = sysread $socket, $$answer, 65536, length $$answer;
    return $n if defined $n;
    return $!{EAGAIN} || $!{EINTR};
}

# HTTP/2 is curl's.

sub exchange_http2 {
    my ($request, %o) = @_;
    my $text = join '', map { $_->{value} } @$request;
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($line, @headers) = split /\r\n/, $head;
    my ($method, $uri) = split ' ', $line;
    my @command = ('curl', '-s', '-i', '-k', '--http2-prior-knowledge',
                   '--max-time', $o{timeout});

    push @command, $method eq 'HEAD' ? '-I' : ('-X', $method);
    push @command, map { ('-H', $_) }
                   grep { !/^(?:Connection|Content-Length):/i } @headers;
    push @command, '-H', 'Expect:', '-H', 'Accept:', '-H', 'User-Agent:';

    my $file = File::Temp->new;
    if (length $body) {
        binmode $file;
        print $file $body;
        close $file;
        push @command, '-H', 'Content-Type:'
            unless grep { /^Content-Type:/i } @headers;
        push @command, '--data-binary', "\@$file";
    }

    open my $pipe, '-|', @command, "http://$o{addr}:$o{port}$uri"
        or return (undef, "cannot run curl: $!");
    binmode $pipe;
    my $answer = do { local $/; <$pipe> };
    close $pipe;

    return ($answer // '', ($? >> 8) == 28 ? 'timed out' : undef);
}

# Parses one answer: { code, head, headers => { lower => value }, body }; what
# follows it comes second.

sub parse {
    my ($text, $is_head) = @_;

    return ({ code => '', head => '', headers => {}, body => '' }, '')
        unless defined $text
               && $text =~ s/\A(HTTP\/\S+[ ]+(\d+)[^\n]*\n)(.*?\r?\n)?\r?\n//s;

    my %answer = (code => $2, head => $1 . ($3 // ''), headers => {});

    for (split /\r?\n/, $3 // '') {
        my ($name, $value) = split /\s*:\s*/, $_, 2;
        my $old = $answer{headers}{lc $name};
        $answer{headers}{lc $name} = defined $old ? "$old, $value" : $value;
    }

    my $left = '';
    my $length = $answer{headers}{'content-length'};

    if ($answer{code} == 100) {
        return parse($text, $is_head);
    }

    if ($is_head || $answer{code} =~ /^(?:101|204|304)$/) {
        ($answer{body}, $left) = ('', $text);

    } elsif (($answer{headers}{'transfer-encoding'} // '') eq 'chunked') {
        ($answer{body}, $left, $answer{fault}) = dechunk($text);

    } elsif (defined $length) {
        $answer{body} = substr $text, 0, $length;
        $left = length $text > $length ? substr $text, $length : '';
        $answer{fault} = 'body is shorter than its Content-Length'
            if length $text < $length;

    } else {
        $answer{body} = $text;
    }

    return (\%answer, $left);
}

sub dechunk {
    my ($text) = @_;
    my $body = '';

    while ($text =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $size = hex $1;

        if ($size == 0) {
            $text =~ s/\A(?:[^\r\n]+\r\n)*\r\n//
                or return ($body, '', 'last chunk is incomplete');
            return ($body, $text, undef);
        }

        return ($body . $text, '', 'chunk is incomplete')
            if length $text < $size + 2;

        $body .= substr $text, 0, $size, '';
        $text =~ s/\A\r\n// or return ($body, '', 'chunk has no end');
    }

    return ($body, '', 'chunk header is incomplete');
}

1;
