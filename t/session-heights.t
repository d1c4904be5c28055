# Guards what a session's height decides: clients ahead of the node at a
# session's start lose nothing, sessions that are over make room for new ones.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshEdge;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 7);

my $edge = MeshEdge->new(
    redis => $redis->socket, chains => [map { sprintf '%04d', $_ } 1 .. 60],
    nodes => [{ name => 'a', url => $node->url, keys => ['s1'] }],
    http => 'mesh_zone small:128k;
             mesh_relay_node_check_interval 200ms;',
);

sub relays {
    my ($n, %o) = @_;
    return MeshRelay::relays($n, servicer => 's1', height => 5, %o);
}

sub height {
    my ($height) = @_;
    my $from = $node->stat('check');
    $node->set(height => $height);
    $edge->wait_for(sub { $node->stat('check') >= $from + 2 });
}

$edge->start;
ok($edge->wait_for(sub { $edge->code((relays(1))[0]) == 200 }), 'served');
ok($edge->wait_for(sub { $node->stat('delivered') == 1 }), 'and delivered');


# tolerance

is($edge->code((relays(1, height => 1, meta => 7))[0]), 60,
   'a session before the last is refused');
is($edge->code((relays(1, height => 9, meta => 7))[0]), 90,
   'one ahead in the middle of a session too');


# the node is at the end of its session, the client one ahead

height(8);
{
    my $from = $node->stat('session');
    my %n = $edge->burst(relays(10, height => 9));
    is($n{200}, 10, 'an optimistic session is served');
    is($edge->code((relays(1, height => 13, meta => 8))[0]), 90,
       'one two sessions ahead is not');
    Time::HiRes::sleep(1.5);
    is($node->stat('session'), $from,
       'the node is not asked about it before it is there');
    is($node->stat('relay'), 1, 'nor told of its relays');
    height(9);
    ok($edge->wait_for(sub { $node->stat('session') == $from + 1 }),
       'but when it is');
    ok($edge->wait_for(sub { $node->stat('delivered') == 11 }),
       'and is told of each relay');
    is($edge->code((relays(1, height => 9))[0]), 200, 'and served on');
    is($edge->code((relays(1, height => 5, meta => 9))[0]), 60, 'the old one is over');
}


# sessions that are over leave the zone: 128k hold less than all of these

sub sessions {
    my ($height, $app) = @_;
    return $edge->burst(map {
        relays(1, height => $height, app => $app, chain => $_)
    } @{ $edge->{chains} });
}

for my $i (1 .. 5) {
    my $from = $node->stat('session');
    height(9 + 20 * $i);
    is_deeply({ sessions(9 + 20 * $i, 'app') }, { 200 => 60 },
              '60 sessions of height ' . (9 + 20 * $i));
    $edge->wait_for(sub { $node->stat('session') >= $from + 60 });
    Time::HiRes::sleep(1.2);
}

is(scalar $edge->logged('zone "small" of "mesh_zone" is full'), 0,
   'no session in use was dropped');

height(113);
ok($edge->wait_for(sub {
    60 == grep { ($edge->relay($_))[1] =~ /"dispatch":\{.*"code":60/s }
          map { relays(1, height => 109, meta => 113, app => 'app',
                       chain => $_) } @{ $edge->{chains} } }),
   'and there was room for their dispatches');


# more than there is room for: none is refused for it

is_deeply({ sessions(113, "app$_") }, { 200 => 60 },
          'a full zone refuses no relay') for 1 .. 4;
is(scalar $edge->logged('zone "small" of "mesh_zone" is full'), 1,
   'but warns, once');

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
