package MeshServicer;

# A servicer of sessions: an edge of one worker with the key of that name, its
# chain a server of MeshServers, at an address that is an operator of its own.
#
#   my $servicer = MeshServicer->new(redis => $redis->socket, n => 3,
#       nodes => [{ name => 'a', url => $node->url, keys => ['s3'] }],
#       chain => $servers->port(2));
#   $servicer->start; $servicer->url; $servicer->key
#   $servicer->listing                          # for a MeshDispatcher

use strict;
use warnings;

use IO::Socket::INET;
use MeshEdge;
use MeshRelay;

our @ISA = ('MeshEdge');

sub new {
    my ($class, %o) = @_;
    my $self = MeshEdge::new($class, workers => 1, %o);
    $self->{host} = "127.0.$o{n}.1";
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => $self->{host})
        or die "no free port: $!";
    $self->{port} = $s->sockport;
    return $self;
}

sub url { return "http://$_[0]{host}:$_[0]{port}" }
sub key { return MeshRelay::public($_[0]{nodes}[0]{keys}[0]) }
sub listing { return $_[0]->key . '@' . $_[0]->url }

sub configure {
    my ($self) = @_;
    $self->SUPER::configure;

    open my $f, '<', "$self->{dir}/nginx.conf" or die $!;
    my $text = do { local $/; <$f> };
    $text =~ s{(listen unix:\S+/edge.sock;)}
              {$1\n        listen $self->{host}:$self->{port};};
    $text =~ s/mesh_edge test;/mesh_edge servicer$self->{n};/;
    $self->write_file('nginx.conf', $text);

    $self->write_file('chains.json', '[' . join(',', map {
        qq({"id":"$_","url":"http://127.0.0.1:$self->{chain}"})
    } @{ $self->{chains} }) . ']', 0600);
}

1;
