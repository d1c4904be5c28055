# Guards answers of Redis that are lost on their way, after it did what it was
# asked: a record is asked for again and counts once, so does what was settled,
# and entries that were read are not forgotten.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::UNIX;
use MeshEdge;
use MeshLedger;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);

# Between edge and Redis: loses the next answer with a text, and with it the
# connection, when a file of that connection's role is there.

my $drop = $redis->dir . '/drop';

sub lose {
    my ($role, $text) = @_;
    open my $f, '>', "$drop.new" or die "$drop: $!";
    print $f $text;
    close $f;
    rename "$drop.new", "$drop-$role";
}

sub carry {
    my ($client) = @_;
    my $server = IO::Socket::UNIX->new(Peer => $redis->socket) or return;
    my $select = IO::Select->new($client, $server);
    my ($role, $lose) = ('', '');
    while (my @ready = $select->can_read) {
        for my $from (@ready) {
            my $to = $from == $client ? $server : $client;
            sysread $from, my $text, 65536 or return;
            if ($from == $client) {
                $role = $1 if $text =~ /\b(relay|notify)\b/;
                if (!$lose && open my $f, '<', "$drop-$role") {
                    my $what = <$f>;
                    $lose = index($text, $what) >= 0;
                }
            } elsif ($lose) {
                unlink "$drop-$role";
                return;
            }
            syswrite $to, $text;
        }
    }
}

my $between = MeshRedis->fake(sub {
    my ($client) = @_;
    local $SIG{CHLD} = 'IGNORE';
    return if fork;
    carry($client);
    POSIX::_exit(0);
});

my $edge = MeshEdge->new(
    redis => $between->socket, workers => 1,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 300ms;'
            . 'mesh_relay_slot_lease 4s;',
);

my $ledger = MeshLedger->new($edge, $redis, 'a');
my $total = 0;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

sub delivered {
    my ($name) = @_;
    ok($edge->wait_for(sub { $ledger->sum->{delivered} == $total }),
       "$name: delivered");
    my $sum = $ledger->sum;
    is($sum->{recorded}, $total, "$name: recorded once");
    is($sum->{delivered_by_37}, 0, "$name: sent once");
    ok($ledger->adds_up, "$name: the ledger adds up");
}

$edge->start;
$edge->serving;
is($edge->code(relays(1)), 200, 'a relay');
$total++;
delivered('at first');

for my $n (1 .. 5) {
    lose('relay', 'proofs');
    my ($body) = relays(1);
    is($edge->code($body), 200, "record $n: answered");
    ok(!-e "$drop-relay", "record $n: its first answer was lost");
    is($edge->code($body), 37, "record $n: a copy is none");
    $total++;
    delivered("record $n");
}

for my $n (1 .. 5) {
    lose('notify', 'dead');
    is({ $edge->burst(relays(5)) }->{200}, 5, "settling $n: answered");
    $total += 5;
    ok($edge->wait_for(sub { !-e "$drop-notify" }),
       "settling $n: an answer was lost");
    delivered("settling $n");
}

for my $n (1 .. 5) {
    is({ $edge->burst(relays(5)) }->{200}, 5, "reading $n: answered");
    lose('notify', '>');
    $total += 5;
    ok($edge->wait_for(sub { !-e "$drop-notify" }),
       "reading $n: an answer was lost");
    delivered("reading $n");
}

is($node->stat('delivered'), $total, 'the node has all');
is($node->stat('relay'), $total, 'and each was sent once');
is_deeply([$edge->alarms], [], 'no alarms');

done_testing;
