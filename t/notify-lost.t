# Guards commands and answers that are lost between edge and Redis: a record is
# asked for again and counts once, so does what was settled, and entries that
# were read are not forgotten.

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

# Between edge and Redis: loses the next command with a text, or the answer to
# it, and with that the connection, when a file of that connection's role is
# there.

my $drop = $redis->dir . '/drop';

sub lose {
    my ($role, $what, $text) = @_;
    open my $f, '>', "$drop.new" or die "$drop: $!";
    print $f "$what $text";
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
                    my ($what, $of) = split ' ', <$f>;
                    $lose = $what if index($text, $of) >= 0;
                }
                if ($lose eq 'command') {
                    unlink "$drop-$role";
                    return;
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

for my $n (1 .. 3) {
    for my $what ('command', 'answer') {
        my $name = "record $n, $what";
        lose('relay', $what, 'proofs');
        my ($body) = relays(1);
        is($edge->code($body), 200, "$name: answered");
        ok(!-e "$drop-relay", "$name: after it was lost");
        is($edge->code($body), 37, "$name: a copy is none");
        $total++;
        delivered($name);
    }
}

for my $n (1 .. 3) {
    for my $what ('command', 'answer') {
        my $name = "settling $n, $what";
        lose('notify', $what, 'dead');
        is({ $edge->burst(relays(5)) }->{200}, 5, "$name: answered");
        $total += 5;
        ok($edge->wait_for(sub { !-e "$drop-notify" }), "$name: lost");
        delivered($name);
    }
}

for my $n (1 .. 3) {
    for my $what ('command', 'answer') {
        my $name = "reading $n, $what";
        is({ $edge->burst(relays(5)) }->{200}, 5, "$name: answered");
        lose('notify', $what, '>');
        $total += 5;
        ok($edge->wait_for(sub { !-e "$drop-notify" }), "$name: lost");
        delivered($name);
    }
}

is($node->stat('delivered'), $total, 'the node has all');
is($node->stat('relay'), $total, 'and each was sent once');
is_deeply([$edge->alarms], [], 'no alarms');

done_testing;
