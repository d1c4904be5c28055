package MeshServicer;

# A servicer of sessions: an edge of one worker with the key of that name, its
# chain a server of MeshServers, at an address that is an operator of its own.
#
#   my $servicer = MeshServicer->new(redis => $redis->socket, n => 3,
#       nodes => [{ name => 'a', url => $node->url, keys => ['s3'] }],
#       chain => $servers->port(2));              # n: of its address
#   $servicer->start; $servicer->url; $servicer->key
#   $servicer->listing                          # for a MeshDispatcher

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use MeshEdge;
use MeshRelay;

our @ISA = ('MeshEdge');

sub new {
    my ($class, %o) = @_;
    my $host = "127.0.$o{n}.1";
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => $host)
        or die "no free port: $!";
    my $address = "$host:" . $s->sockport;

    return MeshEdge::new($class, workers => 1, %o, address => $address,
        edge => "servicer$o{n}", chain => "http://127.0.0.1:$o{chain}",
        http => ($o{http} // '') . "
            server {
                listen $address;
                include $FindBin::Bin/../config/mesh_relay.conf;
            }");
}

sub url { return "http://$_[0]{address}" }
sub key { return MeshRelay::public($_[0]{nodes}[0]{keys}[0]) }
sub listing { return $_[0]->key . '@' . $_[0]->url }

1;
