# Guards against what clients leave behind that go away in the middle: nothing
# is recorded that they cannot have an answer to, what was recorded stays, and
# no connection, timer or place in a session is lost.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshEdge;
use MeshLedger;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 1,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'keepalive_timeout 0;
             mesh_relay_node_check_interval 200ms;
             mesh_relay_unvalidated_max 3;
             mesh_relay_session_timeout 2s;',
);

$edge->{http} .= "
    server {
        listen unix:$edge->{dir}/status.sock;
        location / { stub_status; }
    }";

my $ledger = MeshLedger->new($edge, $redis, 'a');
my $app = 0;

$edge->start->serving;

sub relays { return MeshRelay::relays(shift, height => 5, @_) }

# connections of clients, without the one that asks

sub connections {
    my $s = IO::Socket::UNIX->new(Peer => "$edge->{dir}/status.sock")
        or die "status: $!";
    print $s "GET / HTTP/1.0\r\n\r\n";
    local $/;
    my ($n) = <$s> =~ /Active connections: (\d+)/;
    return $n - 1;
}

sub sent {
    my ($text) = @_;
    my $s = $edge->connect;
    print $s $text;
    $s->flush;
    return $s;
}

sub gone {
    my ($what) = @_;
    ok($edge->wait_for(sub { connections() == 0 }),
       "$what: no connection is left") or diag connections();
}

sub recorded {
    return $ledger->sum->{recorded};
}

# a place in a session's unvalidated ones is given back by each

sub gone_in {
    my ($what, $body, $pause) = @_;
    my $from = recorded();
    my @s = map { sent($edge->request($_)) } @$body;
    Time::HiRes::sleep($pause);
    close $_ for @s;
    gone($what);
    is(recorded() - $from, 0, "$what: nothing is recorded");
}

is($edge->code(relays(1)), 200, 'a relay');

# in the body

{
    my ($relay) = relays(1);
    for my $n (0, 1, 100) {
        my $text = $edge->request($relay);
        my $head = index($text, "\r\n\r\n") + 4;
        my $s = sent(substr $text, 0, $head + $n);
        Time::HiRes::sleep(0.1);
        close $s;
    }
    gone('in the body');
    is($edge->code($relay), 200, 'the same relay comes again');
}

# while the session is asked for

$node->set(session => 'hang');
{
    my @first = relays(3, app => 'waiting', path => 'slow');
    my @s = map { sent($edge->request($_)) } @first;
    Time::HiRes::sleep(0.2);
    my @more = map { sent($edge->request($_)) } relays(5, app => 'waiting');
    Time::HiRes::sleep(0.3);
    close $_ for @more, @s;
    gone('waiting for a session');
}
$node->set(session => 'ok');

# while the chain works; each gives back its place among the unvalidated

$node->set(session => 'hang');
for my $round (1 .. 3) {
    gone_in("at the chain, round $round",
            [relays(3, app => 'chain', path => 'slow')], 0.2);
}
{
    my %n = $edge->burst(relays(3, app => 'chain'));
    is_deeply(\%n, { 200 => 3 }, 'their places are free again');
}
$node->set(session => 'ok');

# while Redis works: it counts

{
    my ($relay) = relays(1, app => 'record');
    my ($from, $calls) = (recorded(), $edge->chain_calls);
    $redis->pause;
    my $s = sent($edge->request($relay));
    $edge->wait_for(sub { $edge->chain_calls > $calls });
    Time::HiRes::sleep(0.3);
    close $s;
    Time::HiRes::sleep(0.1);
    $redis->resume;
    gone('at the record');
    ok($edge->wait_for(sub { recorded() == $from + 1 }), 'it is recorded');
    is($edge->code($relay), 37, 'and known');
}

# while the answer is sent

{
    my $s = sent($edge->request(relays(1, app => 'answer')));
    close $s;
    gone('at the answer');
}

ok($edge->wait_for(sub { $ledger->sum->{queued} == 0 }), 'all is delivered');
ok($ledger->adds_up, 'the ledger adds up');
is($edge->code(relays(1)), 200, 'a relay');
is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;
is(scalar $edge->logged('open socket'), 0, 'no socket was left open');

done_testing();
