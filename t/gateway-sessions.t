# Guards the sessions of a gateway: they come from dispatchers of which some
# lag, rave or are down, begin at the first sight of their height, and end by
# it; and an application without a stake takes nothing from the others.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshClock;
use MeshDispatcher;
use MeshGateway;
use MeshRelay;
use Test::More;
use Time::HiRes ();

my ($one, $two) = map { MeshRelay::public($_) } qw(app1 app2);

sub apps {
    return '[' . join(',', map {
        '{"name":"' . $_ . '","priv_key":"' . MeshRelay::private($_) . '"}'
    } @_) . ']';
}

# a gateway of these dispatchers, and how long it took to the first node

sub gateway {
    my ($dispatchers, @apps) = @_;
    my $urls = join ' ', map { ref $_ ? $_->url : $_ } @$dispatchers;
    my $gateway = MeshGateway->new(workers => 2,
        server => 'location /sessions { mesh_test_sessions; }
                   location /code { mesh_test_session_code; }');
    $gateway->{dispatchers} = [grep { ref } @$dispatchers];
    $gateway->write_file('apps.json', apps(@apps), 0600);
    $gateway->write_file('auth.json', '{"Value":"token","Issued":""}', 0600);
    $gateway->{http} = "gateway_dispatcher $urls;
                        gateway_apps $gateway->{dir}/apps.json;
                        gateway_auth $gateway->{dir}/auth.json;"
        . join '', map { "gateway_chain $_ { family none; }" }
                       qw(0001 0021 0040);
    return $gateway->start;
}

sub found {
    my ($gateway, $chain) = @_;
    my ($status, $body) = $gateway->get('/gateway/find/' . ($chain // '0021'));
    my ($height) = $body =~ /"session_height":(\d+)/;
    return $status == 200 ? $height : $body =~ /"reason":"(\w+)"/ ? $1 : $status;
}

# [{ height, app, nodes, allowance, ramp, node => { KEY => {...} } }, ...]

sub sessions {
    my ($gateway, $chain) = @_;
    my (undef, $body) = $gateway->get('/sessions?chain=' . ($chain // '0021'));
    my @sessions;
    for (split /\n/, $body) {
        if (/^session (\d+) (.*)/) {
            push @sessions, { height => $1, split / /, $2 };
        } elsif (/^node (\w+) (.*)/) {
            $sessions[-1]{node}{$1} = { split / /, $2 };
        }
    }
    @sessions = sort { $a->{height} <=> $b->{height} } @sessions;
    return @sessions;
}

sub heights { return join ' ', map { $_->{height} } sessions(@_) }

sub within {
    my ($gateway, $seconds, $code, $name) = @_;
    my $clock = MeshClock->new($gateway, @{ $gateway->{dispatchers} });
    my $ok = $gateway->wait_for($code, $seconds * 4 + 30);
    my $took = $clock->elapsed;
    ok($ok && $took < $seconds, $name)
        or diag(sprintf 'took %.2f s', $took);
}

sub clean {
    my ($gateway, $name) = @_;
    is_deeply([$gateway->alarms], [], "$name: no alarm");
    $gateway->quit;
}

# A cold start; allowance, boundaries, ends.

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => "$one,$two",
                                           chains => '0021,0001');
    my $gateway = gateway([$dispatcher], 'app1');

    within($gateway, 5, sub { found($gateway) eq 5 }, 'a node, cold');
    within($gateway, 2, sub { found($gateway, '0001') eq 5 },
           'the other chain');

    my ($session) = sessions($gateway);
    is($session->{nodes}, 5, 'nodes of the session');
    is($session->{allowance}, 100, 'relays by chains and nodes');
    is($session->{app}, substr($one, 0, 8), 'its application');
    is_deeply([sort keys %{ $session->{node} }],
              [sort map { substr MeshDispatcher::servicer($_), 0, 8 } 1 .. 5],
              'its servicers');
    is($dispatcher->stat("dispatch $one 0021"), 1, 'asked for once');
    is(found($gateway, '0002'), 'unknown_chain', 'a chain of nobody');

    $dispatcher->set(height => 8);
    Time::HiRes::sleep(1.5);
    is($dispatcher->stat("dispatch $one 0021"), 1,
       'not asked for within the session');

    $dispatcher->set(height => 9, shift => 2);
    within($gateway, 3, sub { heights($gateway) eq '5 9' },
           'the next session beside the last');
    ok((sessions($gateway))[1]{ramp} < 1, 'its weight rises');
    within($gateway, 4, sub { (sessions($gateway))[1]{ramp} == 1 },
           'to all of it');
    within($gateway, 1, sub { (sessions($gateway))[0]{ramp} < 0.05 },
           'while that of the last falls');

    $dispatcher->set(height => 10);
    within($gateway, 3, sub { heights($gateway) eq '9' },
           'which ends a block later');
    is(found($gateway), 9, 'a node of the session');
    clean($gateway, 'boundaries');
}

# The chain's own pace: polled closely, and every boundary is met.

{
    my $dispatcher = MeshDispatcher->start(height => 5, apps => $one,
                                           block_time => 1000);
    my $gateway = gateway([$dispatcher], 'app1');
    my @failed;

    within($gateway, 5, sub { found($gateway) =~ /^\d+$/ }, 'a node');

    my $from = Time::HiRes::time();
    my (%seen, $last);
    while (keys %seen < 4 && Time::HiRes::time() < $from + 90) {
        my $now = found($gateway);
        $now =~ /^\d+$/ ? $seen{$now}++ : push @failed, $now;
        Time::HiRes::sleep(0.02);
    }
    is("@failed", '', 'never without a node');
    cmp_ok(scalar(keys %seen), '>=', 4, 'over boundaries');
    is(join(' ', sort { $a <=> $b } map { $_ % 4 } keys %seen),
       join(' ', (1) x keys %seen), 'sessions begin where they should');
    clean($gateway, 'pace');
}

# One that is not staked, one without a session, and the good one.

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => "$one,$two",
                                           unstaked => $two);
    my $gateway = gateway([$dispatcher], 'app2', 'app1');

    within($gateway, 5, sub { found($gateway) eq 5 },
           'beside one that is not staked');
    is(scalar(sessions($gateway)), 1, 'which has no session');
    is(scalar($gateway->logged('application "app2" is not staked')), 1,
       'and is told of, once');
    clean($gateway, 'unstaked');

    $dispatcher->set(unstaked => '', empty => $two);
    $gateway = gateway([$dispatcher], 'app2', 'app1');
    within($gateway, 5, sub { found($gateway) eq 5 },
           'beside one whose dispatch has no session');
    is(scalar(sessions($gateway)), 1, 'which has none');
    my $asked = $dispatcher->stat("dispatch $two 0021");
    Time::HiRes::sleep(3);
    cmp_ok($dispatcher->stat("dispatch $two 0021") - $asked, '<=', 5,
           'and is asked for less and less');

    $dispatcher->set(empty => '');
    within($gateway, 20, sub { scalar(sessions($gateway)) == 2 },
           'it comes when it is there');
    is($dispatcher->stat("dispatch $one 0021"), 2,
       'without the other, once for each start');
    is($dispatcher->stat('dispatch_same'), 1, 'each by one question at a time');
    clean($gateway, 'empty');
}

# A servicer in the sessions of two applications: it has the allowances of
# both, and the share of one servicer.

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => "$one,$two",
                                           nodes => 3, max_relays => 300,
                                           "shift_$two" => 2);
    my $gateway = gateway([$dispatcher], 'app1', 'app2');
    within($gateway, 20, sub { scalar(sessions($gateway)) == 2 },
           'sessions of two applications');

    my @keys = map { MeshDispatcher::servicer($_) } 1 .. 5;
    my %row;
    $gateway->wait_for(sub {
        my ($status, $body) = $gateway->send(undef,
            '/gateway/nodes?chain=0021', 'Authorization: token');
        %row = map { $_->{node} => $_ } @{ JSON::PP::decode_json($body) }
            if $status == 200;
        return 5 == grep { $row{$_} && $row{$_}{share} } @keys;
    }) or fail('all of them are told of');

    is(join(' ', map { $row{$_}{sessions} } @keys), '1 1 2 1 1',
       'one is in both');
    is(join(' ', map { $row{$_}{allowance} } @keys), '100 100 200 100 100',
       'and has the allowance of both');

    my %n;
    my $finds = 0;
    while ($finds < 1000) {
        my (undef, $body) = $gateway->get('/gateway/find/0021');
        my ($key) = $body =~ /"public_key":"(\w+)"/ or next;
        $n{$key}++;
        $finds++;
    }
    is(scalar(keys %n), 5, 'all are found');

    # a fifth each: five times the deviation of 1,000 draws is 0.063
    for my $i (0 .. 4) {
        cmp_ok(abs($n{ $keys[$i] } / $finds - 0.2), '<', 0.065,
               "servicer $i has its share");
    }
    clean($gateway, 'seats');
}

# Dispatchers: down, garbage, lagging, stale, hanging.

for (
    ['closed', undef],
    ['garbage', { height_is => 'garbage' }],
    ['500', { height_is => '500' }],
    ['hanging', { height_is => 'hang' }],
    ['lagging', { lag => 20 }],
    ['far ahead', { lag => -1000000 }, 5],
    ['garbage dispatches', { dispatch_is => 'garbage' }],
    ['failing dispatches', { dispatch_is => '500' }],
    ['hanging dispatches', { dispatch_is => 'hang' }],
    ['closing dispatches', { dispatch_is => 'close' }],
    ['stale dispatches', { stale => 1 }],
) {
    my ($name, $set, $seconds) = @$_;
    my %network = (height => 46, apps => $one);
    my $good = MeshDispatcher->start(%network);
    my $other = MeshDispatcher->start(%network);
    my $bad = MeshDispatcher->start(%network, %{ $set || {} });
    $bad->stop unless $set;

    my $gateway = gateway([$bad, $good, $other], 'app1');
    within($gateway, 8, sub { found($gateway) eq 45 }, "$name: a node");
    if ($name =~ /lagging|far ahead/) {
        is(scalar($gateway->logged('is left out: its height')), 1,
           "$name: is told of, once");
    }
    $_->set(height => 49) for $good, $other, $set ? $bad : ();
    within($gateway, 8, sub { heights($gateway) =~ /\b49$/ },
           "$name: the next session");
    clean($gateway, $name);
}

# All down: sessions stay as long as they may, whatever the time.

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => $one);
    my $gateway = gateway([$dispatcher], 'app1');

    within($gateway, 5, sub { found($gateway) eq 5 }, 'a node');
    $dispatcher->stop;
    Time::HiRes::sleep(3);
    is(found($gateway), 5, 'the session stays while nobody answers');
    $dispatcher->start;
    $dispatcher->set(height => 9);
    within($gateway, 20, sub { heights($gateway) =~ /\b9$/ },
           'and is followed when somebody does');

    # a reload goes on with what there is

    $dispatcher->set(dispatch_is => '500', height_is => '500');
    $gateway->reload;
    Time::HiRes::sleep(0.5);
    like(found($gateway), qr/^\d+$/, 'the session stays over a reload');

    # another file of applications

    $dispatcher->set(dispatch_is => 'ok', height_is => 'ok',
                     apps => "$one,$two");
    $gateway->write_file('apps.json', apps('app2'), 0600);
    $gateway->reload;
    within($gateway, 10, sub {
        join(' ', map { $_->{app} } sessions($gateway)) eq substr $two, 0, 8
    }, 'another application by a reload');
    clean($gateway, 'down');
}

# Stake and chains change.

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => $one);
    my $gateway = gateway([$dispatcher], 'app1');

    within($gateway, 5, sub { found($gateway) eq 5 }, 'a node');
    $dispatcher->set(chains => '0021,0040', max_relays => 4000);
    within($gateway, 60, sub { found($gateway, '0040') eq 5 },
           'a new chain needs no new session height');
    is((sessions($gateway))[0]{allowance}, 400, 'the allowance is that of now');
    $dispatcher->set(chains => '0040');
    within($gateway, 60, sub { found($gateway) eq 'no_session' },
           'a chain that was given up');
    is(found($gateway, '0040'), 5, 'the other stays');
    clean($gateway, 'stake');
}

done_testing();
