# Guards relays that are on their way when nginx is reloaded, or told to quit:
# each is answered and recorded, once.

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
    redis => $redis->socket, workers => 2,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
);

$edge->{http} = "
    server {
        listen unix:$edge->{dir}/status.sock;
        location / { stub_status; }
    }";

my $ledger = MeshLedger->new($edge, $redis, 'a');

$edge->start->serving;

# waits until n relays are with the chain, which is of the same nginx

sub at_chain {
    my ($n) = @_;
    $edge->wait_for(sub {
        my $s = IO::Socket::UNIX->new(Peer => "$edge->{dir}/status.sock")
            or die "status: $!";
        print $s "GET / HTTP/1.0\r\n\r\n";
        local $/;
        return <$s> =~ /Writing: (\d+)/ && $1 > 2 * $n;
    }) or die "relays do not reach the chain";
}

sub send_slow {
    return map {
        my $s = $edge->connect;
        print $s $edge->request($_);
        $s->flush;
        $s;
    } MeshRelay::relays(shift, height => 5, path => 'slow');
}

sub answered {
    local $/;
    return scalar grep { (<$_> // '') =~ /^HTTP\/1.1 200.*"signature":/s } @_;
}

{
    my @s = send_slow(20);
    at_chain(20);
    $edge->reload;
    is(answered(@s), 20, 'relays at the chain survive a reload');
    is($ledger->sum->{recorded}, 20, 'and are recorded');
}

{
    my @s = send_slow(20);
    at_chain(20);
    $edge->reload for 1 .. 2;
    is(answered(@s), 20, 'and two reloads');
}

{
    $redis->pause;
    my @s = map {
        my $s = $edge->connect;
        print $s $edge->request($_);
        $s->flush;
        $s;
    } MeshRelay::relays(10, height => 5);
    Time::HiRes::sleep(0.3);
    kill 'HUP', $edge->master;
    Time::HiRes::sleep(0.3);
    $redis->resume;
    is(answered(@s), 10, 'relays at the record survive a reload');
}

{
    my @s = send_slow(20);
    at_chain(20);
    $edge->quit;
    is(answered(@s), 20, 'relays at the chain are answered before the end');
}

$edge->start->serving;
ok($edge->wait_for(sub { $ledger->sum->{delivered} == 70 }),
   'each is delivered');
is($ledger->sum->{recorded}, 70, 'each was recorded once');
is($node->stat('twice'), 0, 'none was twice at the node at once');
ok($ledger->adds_up, 'the ledger adds up');
is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;
is(scalar $edge->logged('open socket'), 0, 'no socket was left open');

done_testing();
