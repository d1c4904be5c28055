# Guards the count of what was sent in a session: gateways of one Redis spend
# one allowance, and none of it twice, whatever happens to Redis and to them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use MeshDispatcher;
use MeshGateway;
use MeshRedis;
use MeshRelay;
use Test::More;
use Time::HiRes ();

my $app = MeshRelay::public('app1');
my @keys = map { MeshDispatcher::servicer($_) } 0 .. 5;

my $redis = MeshRedis->start;
my $dispatcher = MeshDispatcher->start(height => 6, apps => $app,
                                       max_relays => 500);

sub gateway {
    my ($socket) = @_;
    my $gateway = MeshGateway->new(workers => 2,
        server => 'location /sessions { mesh_test_sessions; }
                   location /code { mesh_test_session_code; }');
    $gateway->write_file('apps.json', '[{"name":"app1","priv_key":"'
                         . MeshRelay::private('app1') . '"}]', 0600);
    $gateway->{http} = "mesh_redis unix:$socket;
                        gateway_dispatcher " . $dispatcher->url . ";
                        gateway_apps $gateway->{dir}/apps.json;
                        gateway_chain 0021 { operator_cap 100%; family none; }";
    return ready($gateway->start);
}

sub ready {
    my ($gateway) = @_;
    $gateway->wait_for(sub {
        ($gateway->get('/gateway/find/0021'))[0] == 200
    }) or die 'no node';
    return $gateway;
}

# relays sent to a node; how many of n it still took

sub spend {
    my ($gateway, $node, $n) = @_;
    my $id = substr $keys[$node], 0, 8;
    my $taken = 0;
    for (1 .. $n) {
        my (undef, $told)
            = $gateway->get("/code?chain=0021&node=$id&code=25");
        $taken++ if $told !~ /^none/;
    }
    return $taken;
}

sub used {
    my ($gateway, $node, $height) = @_;
    my $id = substr $keys[$node], 0, 8;
    my (undef, $body) = $gateway->get('/sessions?chain=0021');
    for (split /^(?=session )/m, $body) {
        next if $height && !/^session $height /;
        return $1 if /^node $id used (\d+)/m;
    }
    return 'none';
}

sub becomes {
    my ($gateway, $node, $want, $name) = @_;
    my $used;
    $gateway->wait_for(sub { ($used = used($gateway, $node)) eq $want }, 20);
    is($used, $want, $name);
}

sub key { return "gateway:{0021}:used:$_[0]:$app" }

sub calls {
    my ($verb) = @_;
    return ($redis->command('INFO', 'commandstats')
            =~ /^cmdstat_\Q$verb\E:calls=(\d+)/m)[0] // 0;
}

my ($one, $two) = map { gateway($redis->socket) } 1, 2;

# one allowance for both

{
    is(spend($one, 1, 30), 30, 'one gateway spends');
    becomes($two, 1, 30, 'the other one knows');
    is(spend($two, 1, 20), 20, 'which spends, too');
    becomes($one, 1, 50, 'and is known');

    is($redis->command('HGET', key(5), $keys[1]), 50, 'the sum is in Redis');
    my %row = @{ $redis->command('HGETALL', key(5)) };
    is(join(' ', sort { $a <=> $b }
                 map { $row{$_} } grep { / \Q$keys[1]\E$/ } keys %row),
       '20 30', 'and what each has sent');
    cmp_ok($redis->command('PTTL', key(5)), '>', 60000,
           'for longer than the session');

    is(spend($one, 1, 30), 30, 'more of it');
    becomes($two, 1, 80, 'and known');
    is(spend($two, 1, 30), 20, 'up to the allowance of both');
    becomes($one, 1, 100, 'which is then used up');
    is(spend($one, 1, 1), 0, 'for both');
}

# in batches

{
    my $calls = calls('hincrby');
    my $from = Time::HiRes::time();
    spend($one, 2, 40);
    becomes($two, 2, 40, 'a burst');
    cmp_ok(calls('hincrby') - $calls, '<=',
           2 + Time::HiRes::time() - $from, 'is told in a few calls');

    $calls = calls('hincrby');
    is(spend($one, 2, 1), 1, 'one more');
    becomes($two, 2, 41, 'is told');
    cmp_ok(calls('hincrby') - $calls, '<=', 1, 'as one number');
}

# a gateway that starts again, and one that reloads

{
    $one->quit;
    ready($one->start);
    becomes($one, 1, 100, 'after a restart all is known');
    becomes($one, 2, 41, 'of each node');
    is(spend($one, 1, 1), 0, 'and what is used up is so');

    $one->reload;
    is(spend($one, 2, 4), 4, 'after a reload it spends');
    becomes($two, 2, 45, 'and tells it');
    becomes($one, 2, 45, 'and counts it once');
}

# Redis is away, and has lost everything when it is back

{
    $redis->kill9;
    is(spend($one, 3, 10), 10, 'without Redis a gateway goes on');
    is(spend($two, 3, 20), 20, 'as does the other one');
    is(used($one, 3), 10, 'by its own count');

    $redis->start;
    becomes($one, 3, 30, 'which they share again');
    becomes($two, 3, 30, 'both');
    $one->wait_for(sub {
        ($redis->command('HGET', key(5), $keys[2]) // 0) == 45
            || ($redis->command('HGET', key(5), $keys[2]) // 0) == 4
    });
    is(used($one, 2), 45, 'what was sent before is not forgotten');
    is(used($two, 2), 45, 'by nobody');
}

# an answer that is lost: it is told again, and counts once

{
    my $flag = File::Temp->new;
    my $cut = "$flag.cut";
    my $front = $redis->before(sub {
        my ($reply, @command) = @_;
        exit 0 if -e $cut && "@command" =~ /\{0021\}:used/;
        return $reply;
    });

    my $three = gateway($front->socket);
    becomes($three, 3, 30, 'a third gateway');

    open my $f, '>', $cut or die $!;
    is(spend($three, 3, 5), 5, 'spends');
    becomes($two, 3, 35, 'what it tells arrives');
    $three->wait_for(sub { $three->logged('redis .*(closed|lost)') }, 5);
    unlink $cut;
    is(spend($three, 3, 1), 1, 'and once more');
    becomes($two, 3, 36, 'nothing of it is counted again');
    becomes($three, 3, 36, 'here, too');
    is_deeply([$three->alarms], [], 'no alarm');
    $three->quit;
}

# a key that is something else: said once, and the others go on

{
    $redis->command('DEL', key(5));
    $redis->command('SET', key(5), 'x');
    $one->wait_for(sub {
        $one->logged('session 5 on chain "0021" are not counted')
    });
    Time::HiRes::sleep(2.2);
    is(scalar($one->logged('are not counted with other gateways: '
                           . 'redis says ".*WRONGTYPE')), 1,
       'what is wrong with the key is said once');
    is(spend($one, 4, 2), 2, 'relays go on');
    $redis->command('DEL', key(5));
    becomes($two, 4, 2, 'and are told when it is right again');
}

# the next session has a count of its own

{
    $dispatcher->set(height => 9);
    for ($one, $two) {
        my $gateway = $_;
        $gateway->wait_for(sub { used($gateway, 1, 9) eq '0' });
        is(used($gateway, 1, 9), 0, 'the next session begins with nothing');
    }
    $dispatcher->set(height => 10);
    $one->wait_for(sub { used($one, 1, 5) eq 'none' });
    is(spend($one, 1, 7), 7, 'and is spent');
    becomes($two, 1, 7, 'by both');
    is($redis->command('HGET', key(9), $keys[1]), 7, 'under a key of its own');
}

for my $gateway ($one, $two) {
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

done_testing();
