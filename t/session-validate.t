# Guards the validation of sessions: one question per session whatever the
# number of workers, relays served before the answer are bounded, what the
# node says holds for every worker at once, and a question that got lost or no
# usable answer is asked again.

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
my $node = MeshNode->start(height => 6);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 4, chains => ['0021', '0001'],
    nodes => [{ name => 'a', url => $node->url, keys => ['s1', 's2'] }],
    http => 'mesh_relay_node_check_interval 200ms;
             mesh_relay_node_check_timeout 5s;
             mesh_relay_record_timeout 10s;
             mesh_relay_session_timeout 4s;
             mesh_relay_session_retries 1;
             mesh_relay_unvalidated_max 5;',
);

$edge->start;
ok($edge->wait_for(sub {
    $edge->code('{"proof":{"servicer_pub_key":"' . MeshRelay::public('s1')
                . '"}}') == 25
}), 'the node is known');

# each part has an application of its own, so that all its sessions are new
my $part = 0;

sub relays {
    my ($n, %o) = @_;
    return MeshRelay::relays($n, servicer => 's1', height => 5, meta => 6,
                             app => "app$part", %o);
}

sub asked { return $node->stat('session') }

# of the sessions of this part alone

sub asked_here {
    return $node->stat('session of ' . MeshRelay::public("app$part"));
}


# one question, few unvalidated relays, all the others wait for the answer

$part++;
$node->set(session_delay => 500);
{
    my $from = asked();
    my %n = $edge->burst(relays(40));
    is($n{200}, 40, 'all relays of a new session are served');
    is(asked() - $from, 1, 'by one question');
    is($node->stat('session_same'), 1, 'and not two at once');
    is($edge->code((relays(1))[0]), 200, 'and later ones');
    is(asked() - $from, 1, 'without another');
}

$part++;
$node->set(session => 'hang');
{
    my $from = asked();
    my %n = $edge->burst(relays(20));
    is($n{200}, 5, 'no answer: a few are served');
    is($n{19}, 15, 'the others refused in time');
    $node->set(session => 'ok', session_delay => 0);
    ok($edge->wait_for(sub { $edge->code((relays(1))[0]) == 200 }),
       'a question that timed out is asked again');
    cmp_ok(asked() - $from, '>=', 2, 'of the node');
    is($node->stat('session_same'), 1, 'one at a time');
}


# sessions are told apart by application, chain, servicer and height

$part++;
{
    my $from = asked();
    $edge->burst(map { relays(3, %$_) } {}, { chain => '0001' },
                 { servicer => 's2' }, { app => 'other' });
    ok($edge->wait_for(sub { asked() - $from == 4 }),
       'four sessions, four questions');
    $edge->burst(map { relays(1, %$_) } {}, { chain => '0001' },
                 { servicer => 's2' }, { app => 'other' });
    is(asked() - $from, 4, 'and no more');
}


# errors of the node, for every worker and over a reload and a restart

for my $code (13, 14, 17, 45, 71, 90) {
    $part++;
    $node->set(session => $code);
    $edge->code((relays(1))[0]);
    ok($edge->wait_for(sub { $edge->code((relays(1))[0]) == $code }),
       "a session refused with $code");
    my ($from, $calls) = (asked(), $edge->chain_calls);
    my %n = $edge->burst(relays(10));
    is($n{$code}, 10, 'is refused by all workers');
    is(asked(), $from, 'without asking the node again');
    is($edge->chain_calls, $calls, 'nor the chain');
}

$node->set(session => 60);
$part++;
$edge->code((relays(1))[0]);
$edge->wait_for(sub { $node->last('session') =~ MeshRelay::public("app$part") });
is_deeply({ $edge->burst(relays(10)) }, { 200 => 10 },
          'a session answered with 60 is served');
$node->set(session => 'ok');

$part--;
$edge->reload;
is($edge->code((relays(1))[0]), 90, 'a refusal survives a reload');
{
    my $from = asked();
    $edge->quit;
    $edge->start;
    ok($edge->wait_for(sub { $edge->code((relays(1))[0]) == 90 }),
       'and a restart');
    is(asked(), $from, 'as Redis knows it');
}


# retries, then refusal, then a good check

$part++;
$part++;
for my $how (500, 401, 'noerror', 'garbage', 1, 75) {
    $part++;
    $node->set(session => $how);
    my $from = asked();
    $edge->code((relays(1))[0]);
    ok($edge->wait_for(sub {
        ($edge->relay((relays(1))[0]))[1] =~ /"code":1,"codespace":"sdk"/
    }), "no usable answer ($how): refused in the end");
    cmp_ok(asked() - $from, '>=', 3, 'after 1 and 2 retries');
    $node->set(session => 'ok');
    ok($edge->wait_for(sub { $edge->code((relays(1))[0]) == 200 }),
       'asked again after the next good check');
}


# a node out of reach uses up no retry

$part++;
{
    my $port = $node->port;
    $edge->code((relays(1, app => 'warm'))[0]);
    $node->kill9;
    is($edge->code((relays(1))[0]), 200, 'first free without the node');
    Time::HiRes::sleep(5);
    isnt($edge->code((relays(1))[0]), 1, 'no retry was used up in 5 s');
    $node->start;
    ok($edge->wait_for(sub { asked() }), 'asked when it is back');
    ok($edge->wait_for(sub { $edge->code((relays(1))[0]) == 200 }), 'and good');
}


# the worker that asks dies; the relay fails at the chain, so that nothing is
# queued for which a notifier would ask

$part++;
$node->set(session => 'hang');
{
    is($edge->code((relays(1, path => 'fail'))[0]), 28, 'a failure');
    ok($edge->wait_for(sub { asked_here() }), 'a question is on its way');
    $edge->kill_worker($_) for $edge->workers;
    my $from = asked_here();
    $node->set(session => 'ok');
    ok($edge->wait_for(sub { asked_here() > $from }),
       'another worker asks again, without a relay that wants it');
    is_deeply({ $edge->burst(relays(10)) }, { 200 => 10 }, 'and all is good');
}

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
