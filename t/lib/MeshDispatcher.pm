package MeshDispatcher;

# A dispatcher for tests: heights, applications and sessions of a network that
# a test sets while it runs.  It is a MeshNode with other endpoints:
#
#   my $dispatcher = MeshDispatcher->start(height => 5, block_time => 400);
#   $dispatcher->set(dispatch => 'garbage', unstaked => $key);
#   MeshDispatcher::servicer(3)                 # public key of its third node
#
#   height              as of now; with block_time (ms, 0: stands still) it
#                       rises from here on
#   lag (0)             so much lower is what is told
#   blocks (4), nodes (5), chains (0021), max_relays (1000)
#   height, app, param, dispatch are asked; NAME_is says how they are answered:
#                       ok, 500, garbage, hang, close
#   unstaked, jailed    applications, by public keys, with commas
#   empty               those whose dispatch is 200 without a session
#   stale               so many sessions ago are those that are dispatched
#   faulty (0)          so many nodes of a session are null, or have a bad key
#   shift (0)           the first servicer of a session is that one after;
#                       shift_KEY: of that application's
#   servicers           KEY@URL, ... instead of those that are made up
#
# Statistics: height_is, app_is, param_is, dispatch_is (requests), each with
# _max (at once), "dispatch KEY CHAIN", dispatch_same.

use strict;
use warnings;

use Digest::SHA ();
use MeshNode;
use Time::HiRes ();

our @ISA = ('MeshNode');

my %default = (
    block_time => 0, lag => 0, nodes => 5, chains => '0021',
    max_relays => 1000, unstaked => '', jailed => '', empty => '',
    stale => 0, faulty => 0, shift => 0, servicers => '',
    map { ("${_}_is" => 'ok', "${_}_is_delay" => 0) }
        qw(height app param dispatch),
);

my %path = (
    '/v1/query/height' => 'height', '/v1/query/app' => 'app',
    '/v1/query/param' => 'param', '/v1/client/dispatch' => 'dispatch',
);

sub start {
    my ($class, %o) = @_;
    return $class->SUPER::start if ref $class;
    return $class->SUPER::start(%default, since => Time::HiRes::time(), %o);
}

sub set {
    my ($self, %o) = @_;
    $o{since} //= Time::HiRes::time() if defined $o{height};
    $self->SUPER::set(%o);
}

sub servicer { return Digest::SHA::sha256_hex("servicer $_[0]") }

sub request {
    my ($self, $s, $head, $body) = @_;
    my ($uri) = $head =~ m{\A\S+ (\S+)} or return $self->drop($s);

    return $self->control($s, $1, $2 // '')
        if $uri =~ m{^/_/(\w+)(?:\?(.*))?$};

    my $name = $path{$uri}
        or return $self->reply($s, 404, '{"code":404,"message":"no"}');
    $name .= '_is';

    $self->{stat}{$name}++;
    $self->{last}{$name} = $body;

    my $id = '';
    if ($body =~ /"app_public_key":"(\w+)","chain":"(\w+)"/) {
        $id = "$1 $2";
        $self->{stat}{"dispatch $id"}++;
    }

    my $job = { s => $s, name => $name, id => $id, body => $body,
                at => Time::HiRes::time()
                      + $self->{set}{"${name}_delay"} / 1000 };

    $self->count("${name}_max", ++$self->{now}{$name});
    $self->count('dispatch_same', ++$self->{same}{"$name $id"})
        if $name eq 'dispatch_is';

    $job->{at} += 86400 if $self->{set}{$name} eq 'hang';
    push @{ $self->{later} }, $job;
}

sub leave {
    my ($self, $job) = @_;
    $self->{now}{ $job->{name} }--;
    $self->{same}{"$job->{name} $job->{id}"}--
        if $job->{name} eq 'dispatch_is';
}

sub stay { }

sub height_now {
    my ($self) = @_;
    my $set = $self->{set};
    my $height = $set->{height} - $set->{lag};
    $height += int((Time::HiRes::time() - $set->{since}) * 1000
                   / $set->{block_time}) if $set->{block_time};
    return $height;
}

sub answer_height_is {
    my ($self, $job) = @_;
    $self->reply($job->{s}, 200, '{"height":' . $self->height_now . '}');
}

sub answer_param_is {
    my ($self, $job) = @_;
    $self->reply($job->{s}, 200, '{"param_key":"pos/BlocksPerSession",'
                 . qq("param_value":"$self->{set}{blocks}"}));
}

sub listed { return grep { $_ eq $_[1] } split /,/, $_[0] }

sub answer_app_is {
    my ($self, $job) = @_;
    my ($address) = $job->{body} =~ /"address":"(\w+)"/;
    my $set = $self->{set};
    my ($key) = grep { address($_) eq $address }
                split /,/, $set->{apps} // '';

    return $self->reply($job->{s}, 400, '{"code":400,"message":"ERROR:\n'
        . 'Message: \"application does not exist for that address\"\n"}')
        if !$key || listed($set->{unstaked}, $key);

    my $chains = join ',', map { qq("$_") } split /,/, $set->{chains};
    my $jailed = listed($set->{jailed}, $key) ? 'true' : 'false';

    $self->reply($job->{s}, 200, qq({"address":"$address","chains":[$chains],)
        . qq("jailed":$jailed,"max_relays":"$set->{max_relays}",)
        . qq("public_key":"$key","staked_tokens":"1","status":2}));
}

sub address {
    return substr Digest::SHA::sha256_hex(pack 'H*', $_[0]), 0, 40;
}

sub answer_dispatch_is {
    my ($self, $job) = @_;
    my ($app, $chain) = split / /, $job->{id};
    my $set = $self->{set};
    my $height = $self->height_now;

    return $self->reply($job->{s}, 200, qq({"block_height":$height,)
                        . '"session":null}')
        if listed($set->{empty}, $app);

    $self->reply($job->{s}, 200, $self->dispatch($app, $chain, $height));
}

sub dispatch {
    my ($self, $app, $chain, $height) = @_;
    my $set = $self->{set};
    my $blocks = $set->{blocks};
    my $session = int(($height - 1) / $blocks) * $blocks + 1
                  - $set->{stale} * $blocks;

    my $nodes = join ',', map {
        $_ <= $set->{faulty}
            ? ('null', '{"public_key":"00","service_url":"http://x"}')[$_ % 2]
            : node($_ + ($set->{"shift_$app"} // $set->{shift}))
    } 1 .. $set->{nodes};

    $nodes = join ',', map { listing(split /@/, $_, 2) }
                       split /,/, $set->{servicers} if $set->{servicers};

    return qq({"block_height":$height,"session":{"header":{)
        . qq("app_public_key":"$app","chain":"$chain",)
        . qq("session_height":$session},"key":"a","nodes":[$nodes]}});
}

sub node {
    my ($i) = @_;
    return listing(servicer($i), "http://127.0.$i.1:80");
}

sub listing {
    my ($key, $url) = @_;
    return '{"address":"' . address($key) . '","chains":["0021"],'
        . qq("jailed":false,"public_key":"$key","service_url":"$url",)
        . '"status":2,"tokens":"1"}';
}

1;
