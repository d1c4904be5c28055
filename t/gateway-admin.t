# Guards the verbs of the administrator: who may give them, what they do here
# at once and elsewhere soon, and that they stay.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshRedis;
use MeshReport;
use MeshServers;
use Test::More;

my $servers = MeshServers->start(3);
my $redis = MeshRedis->start;

sub gateway {
    my (%o) = @_;
    return MeshReport->new(servers => $servers, n => 3, %o)->start;
}

my @shared = (redis => $redis->socket);
my ($one, $two) = (gateway(@shared, workers => 2), gateway(@shared));

sub admin {
    my ($gateway, $verb, %order) = @_;
    my ($status, $body) = $gateway->post("/gateway/admin/$verb",
                                         { chain => 'u:eth', %order });
    return ($status, eval { JSON::PP::decode_json($body) } // $body);
}

my @name = map { $one->name($_) } 0 .. 2;

# who may

for my $uri ('/gateway/nodes', '/gateway/history/u:eth', '/qosnodes/') {
    is(($one->get($uri, headers => []))[0], 401, "$uri needs a token");
    is(($one->get($uri, headers => ['x-api-key: report-tokem']))[0], 401,
       'the right one');
    is(($one->get($uri, headers => ['Authorization: report-token']))[0], 200,
       'in one header or the other');
}

{
    my ($status, $body) = $one->post('/gateway/admin/cordon',
        { chain => 'u:eth', node => $name[0] }, headers => []);
    is($status, 401, 'verbs need it');
    is($body, qq({"message":"a token is needed","status":401,"error":null}\n),
       'and say so');
    isnt($one->state(0), 'cordoned', 'nothing happened');
}

is(($one->get('/gateway/find/u:eth', headers => []))[0], 200,
   'FindNode is open');

# mistakes

for ([{ chain => 'x', node => $name[0] }, 404, 'there is no chain "x"'],
     [{ chain => 'u:eth', node => 'y"' }, 404, 'the chain has no node "y""'],
     [{ chain => 'u:eth', operator => 'z' }, 404,
      'the chain has no operator "z"'],
     [{ chain => 'u:eth' }, 400,
      '"chain" and one of "node" and "operator" are needed'],
     [{ chain => 'u:eth', node => $name[0], operator => 'a' }, 400,
      '"chain" and one of "node" and "operator" are needed'],
     ['{"chain":5}', 400, qr/"chain"/], ['', 400, qr/not an order/],
     ['{"chain":"u:eth","node":"' . 'x' x 300 . '"}', 404, qr/no node "x+"/])
{
    my ($order, $want, $message) = @$_;
    my ($status, $body) = $one->post('/gateway/admin/cordon', $order);
    is($status, $want, "status $want");
    my $text = eval { JSON::PP::decode_json($body)->{message} } // $body;
    ref $message ? like($text, $message, 'which says why')
                 : is($text, $message, 'which says why');
}

{
    my ($status, $body) = $one->post('/gateway/admin/eject', '{}');
    is($status, 404, 'another verb');
    like($body, qr/there is no verb \\"eject\\"/, 'is named');

    my $answer;
    ($status, $body, $answer) = $one->get('/gateway/admin/cordon');
    is($status, 405, 'GET is no way to give one');
    like($answer->{head}, qr/^Allow: POST\r$/m, 'POST is');

    is(($one->post('/gateway/admin/cordon', 'x' x 5000))[0], 413,
       'an order is short');
}

# cordon

{
    my ($status, $answer) = admin($one, cordon => node => $name[0]);
    is($status, 200, 'a node is cordoned');
    is_deeply($answer, { chain => 'u:eth', node => $name[0], nodes => 1,
                         verb => 'cordon', scope => 'cluster' }, 'everywhere');
    is($one->state(0), 'cordoned', 'here at once');
    $two->becomes('cordoned', sub { $two->state(0) }, 'there soon', 15);

    for my $gateway ($one, $two) {
        $gateway->wait(sub { $gateway->nodes->{ $name[0] }{share} == 0 });
        my ($n, $its) = (0, 0);
        ok($gateway->wait(sub {
            my $sum = $gateway->load('/rpc', seconds => 0.5, callers => 4);
            $its += $sum->{server}{0} // 0;
            return ($n += $sum->{n}) > 10;
        }, 30), 'others get requests');
        is($its, 0, 'it gets none');
    }

    $one->reload;
    is($one->state(0), 'cordoned', 'it stays so over a reload');
    $one->quit;
    unlink "$one->{dir}/pool.sock";
    $one->start;
    $one->becomes('cordoned', sub { $one->state(0) }, 'and over a restart');

    ($status) = admin($two, uncordon => node => $name[0]);
    is($status, 200, 'until it is uncordoned');
    unlike($two->state(0), qr/cordoned/, 'here at once');
    $one->becomes(0, sub { $one->state(0) eq 'cordoned' ? 1 : 0 },
                  'there soon', 15);
}

# drain, and operators

{
    my ($status, $answer) = admin($two, drain => operator => $name[1]);
    is($answer->{nodes}, 1, 'an operator is drained');
    is($two->state(1), 'drained', 'with its node');
    $one->becomes('drained', sub { $one->state(1) }, 'there, too', 15);
    admin($one, uncordon => operator => $name[1]);
    $two->becomes(0, sub { $two->state(1) eq 'drained' ? 1 : 0 },
                  'and is used again', 15);
}

# clear

{
    $servers->set(2, status => 500);
    $one->becomes(1, sub {
        $one->load('/rpc', seconds => 1, callers => 6);
        return scalar @{ $one->nodes->{ $name[2] }{excluded} };
    }, 'a node is out', 60);
    $servers->set(2, status => 200);
    $two->becomes(1, sub { scalar @{ $two->nodes->{ $name[2] }{excluded} } },
                  'at both', 15);

    my ($status, $answer) = admin($one, clear => node => $name[2]);
    is($answer->{nodes}, 1, 'its penalties are cleared');
    is_deeply($one->nodes->{ $name[2] }{excluded}, [], 'here at once');
    is($one->nodes->{ $name[2] }{returned_at}, undef, 'with its slow start');
    $two->becomes(0, sub { scalar @{ $two->nodes->{ $name[2] }{excluded} } },
                  'there soon', 15);
}

# who sticks to a node: cordoned it keeps its callers, drained it does not

{
    my $sticky = gateway(select => 'family=none sticky=$arg_u');
    my $node = $sticky->name(0);
    my $at = sub { return $sticky->ask("/rpc?u=$_[0]")->{server} };
    my @its = grep { $at->($_) eq '0' } 1 .. 100;
    my @others = grep { $at->($_) ne '0' } 1 .. 100;
    my $here = sub { return scalar grep { $at->($_) eq '0' } @_ };

    cmp_ok(scalar @its, '>', 5, 'callers of a node');

    admin($sticky, cordon => node => $node);
    is($here->(@its), @its, 'cordoned it keeps them');
    is($here->(map { "new$_" } 1 .. 100), 0, 'and gets no new ones');
    is($here->(@others), 0, 'nor those of others');
    $sticky->reload;
    is($here->(@its), @its, 'over a reload, too');

    admin($sticky, drain => node => $node);
    is($here->(@its), 0, 'drained it has none');

    admin($sticky, cordon => node => $node);
    is($here->(@its), 0, 'and who left is a new one for it');

    admin($sticky, uncordon => node => $node);
    is($here->(@its), @its, 'all are back when it is');
    $sticky->quit;
}

# who pauses for longer than its time comes back as a new one

{
    my $sticky = gateway(select => 'family=none sticky=$arg_u sticky_time=1s');
    my $node = $sticky->name(0);
    my $at = sub { return $sticky->ask("/rpc?u=$_[0]")->{server} };
    my ($caller) = grep { $at->($_) eq '0' } 1 .. 100;

    admin($sticky, cordon => node => $node);

    # for longer than that; what lasts so long by itself is a pause, too

    my $from = my $last = Time::HiRes::time();
    my ($lost, $pause) = (0, 0);
    while (!$lost && $last < $from + 3) {
        $lost = $at->($caller) ne '0';
        my $now = Time::HiRes::time();
        $pause = $now - $last if $now - $last > $pause;
        $last = $now;
    }
    ok(!$lost || $pause > 1, 'a caller that goes on coming is kept');

    $at->($caller);
    Time::HiRes::sleep(2.5);
    isnt($at->($caller), '0', 'one that pauses is not');
    isnt($at->($caller), '0', 'and stays where it is then');
    $sticky->quit;
}

# at once: also where no table has been made since

{
    my $slow = gateway(workers => 3, http => 'gateway_interval 60s;');
    my $node = $slow->name(1);
    my $found = 0;

    for my $verb (qw(drain cordon) x 3) {
        admin($slow, $verb => node => $node);
        $found += ($slow->get('/gateway/find/u:eth'))[1] =~ /"\Q$node\E"/
            for 1 .. 20;
        admin($slow, uncordon => node => $node);
    }
    is($found, 0, 'no worker finds it from then on');

    admin($slow, drain => node => $_) for map { $slow->name($_) } 0 .. 2;
    my ($status, $body) = $slow->get('/gateway/find/u:eth');
    is($status, 503, 'all are drained');
    like($body, qr/"reason":"excluded"/, 'which is told');
    $slow->quit;
}

# Redis is away: it is told when it is back

{
    $redis->kill9;
    my ($status) = admin($one, cordon => node => $name[1]);
    is($status, 200, 'a verb without Redis');
    is($one->state(1), 'cordoned', 'holds here');
    $redis->start;
    $two->becomes('cordoned', sub { $two->state(1) }, 'and there, later', 15);
    admin($two, uncordon => node => $name[1]);
    $one->becomes(0, sub { $one->state(1) eq 'cordoned' ? 1 : 0 },
                  'uncordoned', 15);
}

# what Redis lost it is told again

{
    admin($one, cordon => node => $name[0]);
    $two->becomes('cordoned', sub { $two->state(0) }, 'cordoned', 15);
    $redis->restart;
    $one->wait(sub { $redis->command('HGET', 'gateway:{u:eth}:admin',
                                     "n$name[0]") }, 10);
    is($redis->command('HGET', 'gateway:{u:eth}:admin', "n$name[0]"),
       'cordon', 'Redis learns it again');
    is($one->state(0), 'cordoned', 'and it holds here');
    is($two->state(0), 'cordoned', 'and there');
}

$_->quit for $one, $two;

# without Redis

{
    my $alone = gateway();
    my ($status, $answer) = admin($alone, cordon => node => $alone->name(0));
    is($answer->{scope}, 'zone', 'without Redis it is a matter of the zone');
    is($alone->state(0), 'cordoned', 'where it holds');
    $alone->reload;
    is($alone->state(0), 'cordoned', 'over reloads');
    admin($alone, uncordon => node => $alone->name(0));
    isnt($alone->state(0), 'cordoned', 'until it is uncordoned');
    $alone->quit;
}

for my $gateway ($one, $two) {
    is($gateway->logged('\[(alert|emerg|crit)\]'), 0, 'no alerts')
        or diag $gateway->log;
}

done_testing();
