package MeshNode;

# A full node for tests: the private endpoints that an edge calls, with
# answers, delays and faults that a test sets while it runs.
#
#   my $node = MeshNode->start(height => 6, token => 'secret');
#   ... address => '127.0.0.2'                  # instead of 127.0.0.1
#   $node->url, $node->port, $node->pid
#   $node->set(height => 9, session => 14);
#   $node->stat('check')                        # a number, 0 when unknown
#   $node->stop; $node->kill9; $node->pause; $node->resume; $node->start
#
# What is set stays over stop and start.  The same by HTTP, for blocks of a
# test: /_/set?NAME=VALUE&..., /_/stat, /_/last?NAME (body of a request).
#
#   height, blocks (4), allowance (1), starting, catching_up, token
#   wrong_servicers, wrong_chains               # JSON arrays
#   check, session, relay      what to answer: ok (default), an error code
#                              of pocketcore, 401, 500, noerror, garbage,
#                              hang, close, or lost: done, and then closed
#   linger (0)                 # ms that a proof is here after its connection
#   check_delay, session_delay, relay_delay     # ms
#   remaining (1000)                            # of a session's answer
#
# Statistics: check, session, relay (requests), NAME_max (most of them at
# once), "session of KEY" (of that application), session_same (most about one
# session at once), delivered (proofs), failed (relays that got no answer),
# twice (proofs that came while the same was here).

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes ();

my @started;
my $owner = $$;

my %default = (
    height => 6, blocks => 4, allowance => 1, token => 'node-token',
    starting => 0, catching_up => 0, remaining => 1000, linger => 0,
    wrong_servicers => '[]', wrong_chains => '[]',
    map { ($_ => 'ok', "${_}_delay" => 0) } qw(check session relay),
);

END {
    if ($$ == $owner) {
        my $status = $?;
        $_->kill9 for @started;
        $? = $status;
    }
}

sub start {
    my ($class, %o) = @_;
    my $self = $class;

    if (!ref $class) {
        my $address = delete $o{address} // '127.0.0.1';
        $self = bless { dir => File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1),
                        address => $address, set => { %default, %o } }, $class;
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => $address)
            or die "no free port: $!";
        $self->{port} = $s->sockport;
        close $s;
        $self->save;
        push @started, $self;
    }

    my $listen = IO::Socket::INET->new(
        Listen => 128, LocalAddr => $self->{address},
        LocalPort => $self->{port},
        ReuseAddr => 1) or die "port $self->{port}: $!";

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        @started = ();
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD);
        $SIG{PIPE} = 'IGNORE';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        eval { $self->serve($listen); 1 } or print STDERR $@;
        POSIX::_exit(0);
    }

    $self->write_file('pid', $pid);
    return $self;
}

sub port { return $_[0]{port} }
sub url  { return "http://$_[0]{address}:$_[0]{port}" }
sub pid  { return $_[0]->read_file('pid') }

sub set {
    my ($self, %o) = @_;
    $self->get('/_/set?' . join '&', map { "$_=$o{$_}" } sort keys %o);
}

sub stat {
    my ($self, $name) = @_;
    my ($n) = $self->get('/_/stat') =~ /^\Q$name\E (\d+)$/m;
    return $n // 0;
}

sub last { my ($self, $name) = @_; return $self->get("/_/last?$name") }

sub get {
    my ($self, $uri) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $self->{address},
                                  PeerPort => $self->{port})
        or die "node on $self->{port}: $!";
    print $s "GET $uri HTTP/1.0\r\n\r\n";
    local $/;
    my (undef, $body) = split /\r\n\r\n/, <$s> // '', 2;
    return $body;
}

sub stop   { $_[0]->end('TERM') }
sub kill9  { $_[0]->end('KILL') }
sub pause  { kill 'STOP', $_[0]->pid }
sub resume { kill 'CONT', $_[0]->pid }

sub end {
    my ($self, $signal) = @_;
    my $pid = $self->pid or return;
    kill $signal, $pid;
    kill 'CONT', $pid;
    for (1 .. 3000) {
        waitpid $pid, POSIX::WNOHANG();
        last unless kill 0, $pid;
        Time::HiRes::sleep(0.01);
    }
    unlink "$self->{dir}/pid";
}

sub save {
    my ($self) = @_;
    $self->write_file('set', join '', map { "$_=$self->{set}{$_}\n" }
                                      sort keys %{ $self->{set} });
}

sub write_file {
    my ($self, $name, $text) = @_;
    open my $f, '>', "$self->{dir}/$name" or die "$self->{dir}/$name: $!";
    print $f $text;
    close $f;
}

sub read_file {
    my ($self, $name) = @_;
    open my $f, '<', "$self->{dir}/$name" or return;
    local $/;
    return scalar <$f>;
}

# The server: one process, one loop.

sub serve {
    my ($self, $listen) = @_;

    $self->{set} = { map { split /=/, $_, 2 }
                     split /\n/, $self->read_file('set') };
    $self->{select} = IO::Select->new($listen);
    $self->{in} = {};
    $self->{later} = [];

    for ( ;; ) {
        my $now = Time::HiRes::time();
        my ($due, @wait) = ([]);
        push @{ $_->{at} <= $now ? $due : \@wait }, $_ for @{ $self->{later} };
        $self->{later} = \@wait;
        $self->answer($_) for @$due;

        my ($next) = sort { $a <=> $b } map { $_->{at} } @{ $self->{later} };
        my $timeout = $next ? $next - Time::HiRes::time() : 1;
        $timeout = 0 if $timeout < 0;

        for my $s ($self->{select}->can_read($timeout)) {
            if ($s == $listen) {
                my $c = $listen->accept or next;
                $self->{select}->add($c);
                $self->{in}{$c} = '';
                next;
            }
            if (!sysread $s, $self->{in}{$s}, 65536, length $self->{in}{$s}) {
                $self->drop($s);
                next;
            }
            $self->requests($s);
        }
    }
}

sub drop {
    my ($self, $s) = @_;
    $self->{select}->remove($s);
    delete $self->{in}{$s};
    for my $job (grep { $_->{s} == $s } @{ $self->{later} }) {
        $self->leave($job);
        $self->stay($job);
    }
    $self->{later} = [grep { $_->{s} != $s } @{ $self->{later} }];
    close $s;
}

sub requests {
    my ($self, $s) = @_;
    while (exists $self->{in}{$s}
           && $self->{in}{$s} =~ /\A(.*?\r\n)\r\n/s)
    {
        my $head = $1;
        my ($size) = $head =~ /^Content-Length: *(\d+)/mi;
        $size //= 0;
        my $all = length($head) + 2 + $size;
        return if length $self->{in}{$s} < $all;
        my $body = substr $self->{in}{$s}, length($head) + 2, $size;
        substr($self->{in}{$s}, 0, $all) = '';
        $self->request($s, $head, $body);
    }
}

sub request {
    my ($self, $s, $head, $body) = @_;
    my ($uri) = $head =~ m{\A\S+ (\S+)} or return $self->drop($s);

    return $self->control($s, $1, $2 // '')
        if $uri =~ m{^/_/(\w+)(?:\?(.*))?$};

    my ($name) = $uri =~ m{^/v1/private/mesh/(check|session|relay)\b}
        or return $self->reply($s, 404, '{"code":404,"message":"no"}');

    $self->{stat}{$name}++;
    $self->{last}{$name} = $body;

    my ($token) = $head =~ /^Authorization: *(.*?)\r$/mi;
    return $self->reply($s, 401, '{"code":401,"message":"wrong authtoken"}')
        if ($token // '') ne $self->{set}{token};

    my $id = $name;
    if ($name eq 'session') {
        $id = join ' ', $body =~ /"app_public_key":"(\w+)","chain":"(\w+)",
                                  "session_height":(-?\d+).*
                                  "servicer_pub_key":"(\w+)"/x;
        $self->{stat}{'session of ' . $id =~ s/ .*//r}++;
    } elsif ($name eq 'relay') {
        $id = ($body =~ /"entropy":(\d+)/)[0] // '';
    }

    my $job = { s => $s, name => $name, id => $id, body => $body,
                from => Time::HiRes::time(),
                at => Time::HiRes::time() + $self->{set}{"${name}_delay"} / 1000 };

    $self->count($name . '_max', ++$self->{now}{$name});
    my $same = ++$self->{same}{"$name $id"};
    $self->count('session_same', $same) if $name eq 'session';
    $self->{stat}{twice}++
        if $name eq 'relay' && ($same > 1
                                || ($self->{gone}{$id} // 0) > $job->{from});

    if ($self->{set}{$name} eq 'hang') {
        $job->{at} += 86400;
        $self->{stat}{failed}++ if $name eq 'relay';
    }
    push @{ $self->{later} }, $job;
}

sub count {
    my ($self, $name, $n) = @_;
    $self->{stat}{$name} = $n if $n > ($self->{stat}{$name} // 0);
}

sub leave {
    my ($self, $job) = @_;
    $self->{now}{ $job->{name} }--;
    $self->{same}{"$job->{name} $job->{id}"}--;
}

# its connection is gone, but the node still works on it

sub stay {
    my ($self, $job) = @_;
    $self->{gone}{ $job->{id} } = Time::HiRes::time()
                                  + $self->{set}{linger} / 1000
        if $job->{name} eq 'relay';
}

sub control {
    my ($self, $s, $verb, $query) = @_;
    my $text = '';

    if ($verb eq 'set') {
        for (split /&/, $query) {
            my ($name, $value) = split /=/, $_, 2;
            $value =~ s/%(..)/chr hex $1/ge;
            $self->{set}{$name} = $value;
        }
        $self->save;
        $text = "done\n";

    } elsif ($verb eq 'stat') {
        $text = join '', map { "$_ $self->{stat}{$_}\n" }
                         sort keys %{ $self->{stat} };

    } elsif ($verb eq 'last') {
        $text = $self->{last}{$query} // '';
    }

    $self->reply($s, 200, $text, 'text/plain');
    $self->drop($s);
}

sub answer {
    my ($self, $job) = @_;
    my $s = $job->{s};
    my $how = $self->{set}{ $job->{name} };
    my $method = "answer_$job->{name}";

    $self->leave($job);

    return $self->lose($job, $how)           if $how =~ /^(close|lost)$/;
    return $self->$method($job)              if $how eq 'ok';
    return $self->reply($s, 200, 'garbage')  if $how eq 'garbage';
    return $self->reply($s, $how, qq({"code":$how,"message":"x"}))
        if $how eq '401' || $how eq '500';
    return $self->reply($s, 400, '{"success":false,"error":null}')
        if $how eq 'noerror';
    return $self->reply($s, 400, '{"signature":false,"success":false,"error":'
        . qq({"code":$how,"codespace":"pocketcore","message":"code $how"},)
        . '"dispatch":null,"remaining_relays":0}');
}

sub answer_check {
    my ($self, $job) = @_;
    my $set = $self->{set};
    my @bool = map { $_ ? 'true' : 'false' } @$set{qw(starting catching_up)};
    $self->reply($job->{s}, 200, '{"success":true,"error":null,"status":{'
        . qq("version":"RC-0.12.0","is_starting":$bool[0],)
        . qq("is_catching_up":$bool[1],"height":$set->{height}},)
        . qq("blocks_per_session":$set->{blocks},"servicers":true,)
        . qq("chains":true,"wrong_servicers":$set->{wrong_servicers},)
        . qq("wrong_chains":$set->{wrong_chains},)
        . qq("client_session_sync_allowance":$set->{allowance}}));
}

sub answer_session {
    my ($self, $job) = @_;
    my ($header) = $job->{body} =~ /"session_header":(\{.*?\})/;
    $self->reply($job->{s}, 200, '{"success":true,"error":null,"dispatch":{'
        . qq("block_height":$self->{set}{height},"session":{)
        . qq("header":$header,"key":"00","nodes":[]}},)
        . qq("remaining_relays":$self->{set}{remaining}}));
}

sub answer_relay {
    my ($self, $job) = @_;
    if ($self->{proof}{ $job->{id} }++) {
        return $self->reply($job->{s}, 400, '{"signature":false,"error":{'
            . '"code":37,"codespace":"pocketcore","message":"known"},'
            . '"dispatch":null}');
    }
    $self->{stat}{delivered}++;
    $self->reply($job->{s}, 200,
                 '{"signature":true,"error":null,"dispatch":null}');
}

sub lose {
    my ($self, $job, $how) = @_;
    $self->{stat}{failed}++ if $job->{name} eq 'relay';
    $self->{stat}{delivered}++
        if $how eq 'lost' && !$self->{proof}{ $job->{id} }++;
    $self->stay($job);
    $self->drop($job->{s});
}

sub reply {
    my ($self, $s, $status, $body, $type) = @_;
    $type //= 'application/json; charset=utf-8';
    syswrite $s, "HTTP/1.1 $status X\r\nContent-Type: $type\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

1;
