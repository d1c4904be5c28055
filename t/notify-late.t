# Guards a relay against a worker that stood still while it connected to the
# node: when it goes on, the connection is there, long after another one has
# taken over its slot and sent the relay.  No byte of it may leave then.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Fcntl qw(O_NONBLOCK O_RDWR);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use MeshEdge;
use MeshLedger;
use MeshNode;
use MeshRedis;
use MeshRelay;
use POSIX ();
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);

# a port with a full backlog, which the other address of the node leads to:
# a connection is made once the test makes room

my $gate = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
    or die "listen: $!";
my @fill = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                          PeerPort => $gate->sockport, Blocking => 0)
} 1 .. 4;

sub edge {
    my ($url, $more) = @_;
    return MeshEdge->new(
        redis => $redis->socket, workers => 1,
        nodes => [{ name => 'a', url => $url, keys => ['servicer'] }],
        http => "mesh_relay_slot_lease 3s; $more");
}

# knows the node by what the other one has left in Redis

my $late = edge('http://127.0.0.1:' . $gate->sockport,
                'mesh_relay_node_check_interval 1h;'
                . 'mesh_relay_node_check_timeout 100ms;'
                . 'mesh_relay_node_grace 2h;');
my $edge = edge($node->url, 'mesh_relay_node_check_interval 300ms;');

# A worker that is stopped sees its timers first when it goes on, as its wait
# for events was interrupted.  This one is held by a log that is full, at a
# client that timed out: what it sees first are its connections, as when its
# whole machine was stopped.

my $log = "$late->{dir}/full";
POSIX::mkfifo($log, 0600) or die "$log: $!";
sysopen my $pipe, $log, O_RDWR | O_NONBLOCK or die "$log: $!";

$late->{http} .= "
    server {
        listen unix:$late->{dir}/hold.sock;
        error_log $log info;
        client_header_timeout 200ms;
    }";

my $ledger = MeshLedger->new($edge, $redis, 'a');

sub relays { return MeshRelay::relays(shift, height => 5) }

sub lease { return $redis->command('GET', 'mesh:lease:test:0') // '' }

# connections that the late one's worker is making to the gate

sub making {
    my $to = sprintf '0100007F:%04X', $gate->sockport;
    my %inode;
    open my $f, '<', '/proc/net/tcp' or die "tcp: $!";
    while (my $line = <$f>) {
        my @field = split ' ', $line;
        $inode{ $field[9] } = 1 if $field[2] eq $to && $field[3] eq '02';
    }
    my ($pid) = $late->workers;
    return grep { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ && $inode{$1} }
           glob "/proc/$pid/fd/*";
}

$redis->command('SET', 'mesh:lease:test:0', 'clean');
$edge->start->serving;
is({ $edge->burst(relays(3)) }->{200}, 3, 'a session');
ok($edge->wait_for(sub { $ledger->sum->{delivered} == 3 }), 'is known');
$edge->quit;
is(lease(), 'clean', 'the slot is free');

$late->start;
ok($late->wait_for(sub { lease() =~ /^\w{16}$/ }), 'the late one has it');
ok($late->wait_for(sub { $late->logged('"a" could not be checked')
                         && !making() }), 'and does not reach the node');
my $owner = lease();
$edge->start->serving;

is({ $edge->burst(relays(1)) }->{200}, 1, 'a relay');
ok($late->wait_for(sub { making() == 1 }), 'it connects with it');
1 while syswrite $pipe, ' ' x 512;
1 while syswrite $pipe, ' ';
my $client = IO::Socket::UNIX->new(Peer => "$late->{dir}/hold.sock")
    or die "hold: $!";
ok($edge->wait_for(sub { lease() =~ /^(?!$owner)\w{16}$/ }),
   'it stands still: the other one has the slot');
ok($edge->wait_for(sub { $ledger->sum->{delivered} == 4 }),
   'and sends the relay');

# room: the connection comes by itself, with the next attempt of the kernel

close $_ for splice @fill, 2;
my %fill = map { $_->sockport => 1 } @fill;
my $came;
while (!$came && IO::Select->new($gate)->can_read(60)) {
    my $s = $gate->accept or die "accept: $!";
    $came = $s if !$fill{ $s->peerport };
}
ok($came, 'the connection is made');

1 while sysread $pipe, my $buf, 65536;
ok(IO::Select->new($came)->can_read(60), 'it goes on');
my $text = '';
is(sysread($came, $text, 65536), 0, 'and nothing comes by it') or diag $text;
ok($late->wait_for(sub { $late->logged('lease of slot "test:0" was lost') }),
   'as the lease is lost');
is($node->stat('relay'), 4, 'the node has each once');
ok($ledger->adds_up, 'the ledger adds up');

$_->quit for $late, $edge;
is_deeply([map { $_->alarms } $late, $edge], [], 'no alarms');

done_testing;
