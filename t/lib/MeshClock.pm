package MeshClock;

# Time as a test bounds it.  What the test itself, its nginx and its servers
# spent waiting for a processor that others had is left out, so that a bound
# says as much on a machine with other work as on one without.
#
#   my $clock = MeshClock->new($gateway, $servers);
#   $clock->elapsed                             # s
#
# Each of the objects has a pid, or a master and workers.  Under valgrind and
# with sanitizers a second counts for less.

use strict;
use warnings;

use Time::HiRes ();

sub new {
    my ($class, @of) = @_;
    my $self = bless { of => \@of, begun => Time::HiRes::time() }, $class;
    $self->{before} = $self->waited;
    return $self;
}

sub pids {
    my ($self) = @_;
    return grep { $_ } $$, map {
        ($_->can('pid') ? $_->pid : $_->{pid},
         $_->can('master') ? ($_->master, $_->workers) : ())
    } @{ $self->{of} };
}

# ns that each process waited in a run queue

sub waited {
    my ($self) = @_;
    my %waited;
    for my $pid ($self->pids) {
        open my $f, '<', "/proc/$pid/schedstat" or next;
        $waited{$pid} = (split ' ', <$f> // '')[1] // 0;
    }
    return \%waited;
}

sub elapsed {
    my ($self) = @_;
    my $elapsed = Time::HiRes::time() - $self->{begun};
    my $now = $self->waited;
    $elapsed -= ($now->{$_} - ($self->{before}{$_} // 0)) / 1e9
        for keys %$now;
    $elapsed /= 10 if $ENV{TEST_NGINX_USE_VALGRIND};
    $elapsed /= 3 if $ENV{SANITIZE};
    return $elapsed > 0 ? $elapsed : 0;
}

1;
