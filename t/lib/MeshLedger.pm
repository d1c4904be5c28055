package MeshLedger;

# The ledger of an edge, as its operator reads it, and what must hold of it at
# every moment.
#
#   my $ledger = MeshLedger->new($edge, $redis, 'node');
#   $ledger->rows                     # as GET /v1/private/mesh/ledger gives
#                                     # them; waits for a worker with Redis
#   $ledger->sum('app')               # of the sessions of an app; of all
#   $ledger->id('app')                # id of the session of its first row
#   $ledger->adds_up                  # rows and stream, in one call of Redis
#
# sum() has recorded, queued, delivered, delivered_by_37, expired, refused (a
# hash by code).

use strict;
use warnings;

use JSON::PP ();
use MeshRelay;

sub new {
    my ($class, $edge, $redis, $node) = @_;
    return bless { edge => $edge, redis => $redis, node => $node }, $class;
}

sub rows {
    my ($self) = @_;
    my ($status, $body);
    $self->{edge}->wait_for(sub {
        ($status, $body) = $self->{edge}->send(undef,
            '/v1/private/mesh/ledger', 'Authorization: edge-token');
        return $status == 200;
    }) or die "ledger: status $status: $body";
    return @{ JSON::PP::decode_json($body) };
}

sub of {
    my ($self, $app) = @_;
    my $key = defined $app ? MeshRelay::public($app) : '';
    return grep { $_->{node} eq $self->{node}
                  && (!$key || $_->{app} eq $key) } $self->rows;
}

sub sum {
    my ($self, $app) = @_;
    my %sum = (refused => {}, map { ($_ => 0) }
               qw(recorded queued delivered delivered_by_37 expired));
    for my $row ($self->of($app)) {
        $sum{$_} += $row->{$_} for grep { !ref $sum{$_} } keys %sum;
        $sum{refused}{$_} += $row->{refused}{$_} for keys %{ $row->{refused} };
    }
    return \%sum;
}

sub id {
    my ($self, $app) = @_;
    my ($row) = $self->of($app) or die "no row of $app";
    return join ':', @$row{qw(servicer app chain session_height)};
}

# all rows and the stream's length as they are at one moment

sub adds_up {
    my ($self) = @_;
    my $answer = $self->{redis}->command('EVAL', <<'LUA', 2,
return {redis.call('HVALS', KEYS[1]), redis.call('XLEN', KEYS[2])}
LUA
        "mesh:{$self->{node}}:ledger", "mesh:{$self->{node}}:relays");
    my ($rows, $length) = @$answer;
    my $queued = 0;
    for (@$rows) {
        my ($recorded, $delivered, $by37, $expired, $time, @codes)
            = split /,/;
        my $left = $recorded - $delivered - $expired;
        $left -= (split /=/)[1] for @codes;
        return 0 if $left < 0;
        $queued += $left;
    }
    return $queued == $length;
}

1;
