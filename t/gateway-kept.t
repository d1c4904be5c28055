# Guards a start while dispatchers are slow or down: the sessions that Redis
# has kept are served at once, but none that has ended, and nothing is asked
# for again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshDispatcher;
use MeshGateway;
use MeshRedis;
use MeshRelay;
use Test::More;
use Time::HiRes ();

my ($one, $two) = map { MeshRelay::public($_) } qw(app1 app2);
my @hang = map { ("${_}_is" => 'hang') } qw(height app param dispatch);
my @ok = map { ("${_}_is" => 'ok') } qw(height app param dispatch);

my $redis = MeshRedis->start;

sub gateway {
    my ($dispatcher, @apps) = @_;
    my $gateway = MeshGateway->new(workers => 2,
        server => 'location /sessions { mesh_test_sessions; }
                   location /code { mesh_test_session_code; }');
    $gateway->write_file('apps.json', '[' . join(',', map {
        '{"name":"' . $_ . '","priv_key":"' . MeshRelay::private($_) . '"}'
    } @apps) . ']', 0600);
    $gateway->{http} = 'mesh_redis unix:' . $redis->socket . ';
                        gateway_dispatcher ' . $dispatcher->url . ";
                        gateway_apps $gateway->{dir}/apps.json;
                        gateway_chain 0021 { operator_cap 100%; family none; }";
    return $gateway->start;
}

sub found {
    my ($gateway, $chain) = @_;
    my ($status, $body) = $gateway->get('/gateway/find/' . ($chain // '0021'));
    my ($height) = $body =~ /"session_height":(\d+)/;
    return $status == 200 ? $height : $body =~ /"reason":"(\w+)"/ ? $1 : $status;
}

sub becomes {
    my ($code, $want, $name) = @_;
    my $have;
    for (1 .. 1000) {
        last if ($have = $code->()) eq $want;
        Time::HiRes::sleep(0.02);
    }
    is($have, $want, $name);
}

sub key { return 'gateway:{' . ($_[0] // $one) . '}:sessions' }

sub field {
    my ($name, $value, $app) = @_;
    return $redis->command('HGET', key($app), $name) // '' unless defined $value;
    $redis->command('HSET', key($app), $name, $value);
}

# as Redis has it when the gateway has ended

sub kept {
    my ($gateway, @chains) = @_;
    for my $chain (@chains) {
        $gateway->wait_for(sub { field($chain) =~ /"session_height":\d/ })
            or die "session of $chain is not kept";
    }
    $gateway->quit;
}

# a warm start: dispatchers answer nothing at all

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => "$one,$two",
                                           chains => '0021,0001',
                                           max_relays => 4000, faulty => 1);
    my $gateway = gateway($dispatcher, 'app1');
    becomes(sub { found($gateway) }, 5, 'a node, cold');
    $gateway->get('/code?chain=0021&code=25') for 1 .. 20;
    $gateway->wait_for(sub {
        my %row = @{ $redis->command('HGETALL', "gateway:{0021}:used:5:$one")
                     // [] };
        my $sum = 0;
        $sum += $row{$_} for grep { !/ / } keys %row;
        $sum == 20;
    }) or die 'not counted';
    kept($gateway, '0021', '0001');

    like(field(''), qr/^1 6 \d{13} 4 0 4000 2$/, 'stake and blocks are kept');
    like(field('0021'), qr/"chain":"0021","session_height":5},"nodes":\[\{/,
         'and sessions');
    like(field('0021'), qr/,null\]\}\}$/, 'with what was no node in them');
    cmp_ok($redis->command('PTTL', key()), '>', 60000, 'for some time');

    my $asked = $dispatcher->stat("dispatch $one 0021");
    $dispatcher->set(@hang);

    my $from = Time::HiRes::time();
    $gateway->start;
    becomes(sub { found($gateway) }, 5, 'a node, warm');
    diag(sprintf 'a node %.2f s after the start', Time::HiRes::time() - $from);
    becomes(sub { found($gateway, '0001') }, 5, 'on the other chain, too');

    my (undef, $body) = $gateway->get('/sessions?chain=0021');
    like($body, qr/nodes 4 allowance 400 /, 'its nodes and its allowance');
    becomes(sub {
        my (undef, $body) = $gateway->get('/sessions?chain=0021');
        my $sum = 0;
        $sum += $_ for $body =~ / used (\d+)/g;
        $sum;
    }, 20, 'and what was sent');

    # dispatchers are back: what was kept is the session of now

    $dispatcher->set(@ok);
    becomes(sub {
        (($gateway->get('/sessions?chain=0021'))[1] =~ /^height (\d+)/)[0]
    }, 6, 'the height is known');
    $gateway->wait_for(sub { $gateway->logged('application "app1" is staked') });
    Time::HiRes::sleep(1.5);
    is($dispatcher->stat("dispatch $one 0021"), $asked,
       'nothing is asked for again');
    $dispatcher->set(height => 9);
    becomes(sub {
        join ' ', sort { $a <=> $b }
             ($gateway->get('/sessions?chain=0021'))[1] =~ /^session (\d+)/mg
    }, '5 9', 'and the next session comes');
    becomes(sub { field('0021') =~ /"session_height":(\d+)/ ? $1 : '' }, 9,
            'and is kept');

    # Redis loses it, and has it again

    $redis->kill9;
    $redis->start;
    becomes(sub { field('0021') =~ /"session_height":(\d+)/ ? $1 : '' }, 9,
            'what Redis lost it is told again');
    becomes(sub { field('') =~ /^1 9 / ? 1 : 0 }, 1, 'all of it');

    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

# A chain that was given up; one app of two is known to Redis.

{
    $redis->command('FLUSHALL');
    my $dispatcher = MeshDispatcher->start(height => 6, apps => "$one,$two",
                                           chains => '0021,0001');
    my $gateway = gateway($dispatcher, 'app1');
    becomes(sub { found($gateway, '0001') }, 5, 'a node');
    kept($gateway, '0021', '0001');

    $dispatcher->set(@hang);
    $gateway = gateway($dispatcher, 'app2', 'app1');
    becomes(sub { found($gateway, '0001') }, 5, 'beside one that is not kept');
    $dispatcher->set(@ok, chains => '0021');
    becomes(sub { found($gateway, '0001') }, 'no_session',
            'a chain that was given up meanwhile ends');
    becomes(sub {
        scalar(() = ($gateway->get('/sessions?chain=0021'))[1] =~ /^session /mg)
    }, 2, 'the other application has its session');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

# What is stale, of somebody else, or nonsense: the rows of the application
# that is read first.

sub apps {
    my ($gateway) = @_;
    my (undef, $body) = $gateway->get('/sessions?chain=0021');
    return join ' ', sort map { $_ eq substr($one, 0, 8) ? 'one' : 'two' }
                     $body =~ /^session 5 app (\w+)/mg;
}

{
    $redis->command('FLUSHALL');
    my $dispatcher = MeshDispatcher->start(height => 6, apps => "$one,$two");
    my $gateway = gateway($dispatcher, 'app1', 'app2');
    becomes(sub { apps($gateway) }, 'one two', 'sessions');
    $gateway->wait_for(sub { field('0021', undef, $two) }) or die 'kept';
    kept($gateway, '0021');

    my ($stake, $session) = (field(''), field('0021'));
    my $other = field('', undef, $two);
    my ($seen) = $stake =~ /^1 6 (\d+)/;

    for (
        ['of two days ago', '' => $stake =~ s/$seen/$seen - 172800000/er],
        ['of tomorrow', '' => $stake =~ s/$seen/$seen + 86400000/er],
        ['five blocks further', '' => "1 6 $seen 4 1 1000 1"],
        ['of a network that was higher', '' => $stake =~ s/^1 6/1 46/r],
        ['of another application', '0021' => $session =~ s/$one/$two/r],
        ['of another chain', '0021' => $session =~ s/"0021"/"0001"/r],
        ['that begins within another', '0021' => $session =~ s/:5}/:6}/r],
        ['without nodes', '0021' => $session =~ s/\[.*\]/[]/r],
        ['cut off', '0021' => substr $session, 0, 150],
        ['that is empty', '0021' => ''],
        ['of another schema', '' => $stake =~ s/^1/2/r, 1],
        ['without a stake', '' => 'x', 1],
    ) {
        my ($name, $field, $value, $alien) = @$_;
        $dispatcher->set(@hang);
        field('', $stake);
        field('', $other, $two);
        field('0021', $session);
        field($field, $value);
        $gateway->start;
        becomes(sub { apps($gateway) }, 'two', "one $name is not served");

        if ($alien) {
            is(scalar($gateway->logged('"app1" are not kept')), $alien++,
               'which is told');
        }

        $dispatcher->set(@ok);
        becomes(sub { apps($gateway) }, 'one two', 'until it is dispatched');

        if ($alien) {
            Time::HiRes::sleep(0.3);
            is(field($field), $value, 'and left as it is');
        }

        $gateway->quit;
        unlink "$gateway->{dir}/error.log" if $alien;
    }

    is_deeply([$gateway->alarms], [], 'no alarm');
}

# Redis is away at the start: dispatchers are asked, and it is told later.

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => $one);
    $redis->stop;
    my $gateway = gateway($dispatcher, 'app1');
    becomes(sub { found($gateway) }, 5, 'a node without Redis');
    $redis->start;
    becomes(sub { field('0021') =~ /"session_height":(\d+)/ ? $1 : '' }, 5,
            'which is told when it is there');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

done_testing();
