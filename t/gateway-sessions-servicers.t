# Guards the sessions of a gateway without dispatchers: its servicers are asked
# for the next ones, and no operator of them is believed alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshDispatcher;
use MeshGateway;
use MeshRelay;
use Test::More;
use Time::HiRes ();

my $app = MeshRelay::public('app1');

# full nodes of three operators, which are the servicers of all sessions

sub servicers {
    my (%network) = @_;
    my @servicers = map {
        MeshDispatcher->start(%network, apps => $app, address => "127.0.$_.1")
    } 1 .. 3;
    my $list = join ',', map {
        MeshDispatcher::servicer($_) . '@' . $servicers[$_]->url
    } 0 .. 2;
    $_->set(servicers => $list) for @servicers;
    return ($list, @servicers);
}

sub gateway {
    my ($dispatcher) = @_;
    my $gateway = MeshGateway->new(workers => 2,
        server => 'location /sessions { mesh_test_sessions; }');
    $gateway->write_file('apps.json', '[{"name":"app1","priv_key":"'
                         . MeshRelay::private('app1') . '"}]', 0600);
    $gateway->{http} = 'gateway_dispatcher ' . $dispatcher->url . ";
                        gateway_apps $gateway->{dir}/apps.json;
                        gateway_chain 0021 {
                            operator_cap 100%; family none;
                        }";
    $gateway->start;
    becomes($gateway, '5', 'a session');
    return $gateway;
}

sub sessions {
    my ($gateway) = @_;
    my (undef, $body) = $gateway->get('/sessions?chain=0021');
    my @sessions;
    for (split /\n/, $body) {
        if (/^session (\d+) /) {
            push @sessions, { height => $1 };
        } elsif (/^node (\w+) /) {
            push @{ $sessions[-1]{nodes} }, $1;
        }
    }
    @sessions = sort { $a->{height} <=> $b->{height} } @sessions;
    return @sessions;
}

sub heights { return join ' ', map { $_->{height} } sessions(@_) }

sub nodes { return join ' ', sort @{ (sessions(@_))[-1]{nodes} } }

sub keys_of {
    return join ' ', sort map { substr MeshDispatcher::servicer($_), 0, 8 } @_;
}

sub becomes {
    my ($gateway, $heights, $name) = @_;
    $gateway->wait_for(sub { heights($gateway) eq $heights }, 60);
    is(heights($gateway), $heights, $name);
}

sub asked {
    my $n = 0;
    $n += $_->stat('dispatch_is') for @_;
    return $n;
}

# The only dispatcher is away for several sessions.

{
    my ($list, @servicers) = servicers(height => 8);
    my $dispatcher = MeshDispatcher->start(height => 8, apps => $app,
                                           servicers => $list);
    my $gateway = gateway($dispatcher);

    is(asked(@servicers), 0, 'servicers are not asked');
    $dispatcher->stop;
    $gateway->wait_for(sub { asked(@servicers) > 3 }, 60)
        or fail('until the dispatcher is away');
    is(heights($gateway), '5', 'the session goes on');

    $servicers[0]->set(height => 9, servicers => join ',', map {
        MeshDispatcher::servicer($_) . '@http://127.0.9.1'
    } 6 .. 9);
    my $asked = $servicers[0]->stat('dispatch_is');
    $gateway->wait_for(sub {
        $servicers[0]->stat('dispatch_is') > $asked + 2
    }, 60) or fail('the first is asked');
    is(heights($gateway), '5', 'no servicer is believed alone');

    $_->set(height => 9) for @servicers[1, 2];
    becomes($gateway, '5 9', 'two are');
    is(nodes($gateway), keys_of(0 .. 2), 'with what they tell alike');

    $_->set(height => 10) for @servicers[1, 2];
    becomes($gateway, '9', 'the last ends');

    for my $height (13, 17) {
        $_->set(height => $height) for @servicers[1, 2];
        $gateway->wait_for(sub { heights($gateway) =~ /\b$height$/ }, 60);
        like(heights($gateway), qr/\b$height$/, "session $height");
    }

    # the dispatcher's word counts for more

    $dispatcher->start;
    $dispatcher->set(height => 18, servicers => '');
    $gateway->wait_for(sub { nodes($gateway) eq keys_of(1 .. 5) }, 60);
    is(nodes($gateway), keys_of(1 .. 5), 'the dispatcher knows better');

    is(scalar(() = $gateway->logged('no dispatcher tells the height')), 1,
       'it is told once');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

# A dispatcher that knows the height, and tells no sessions.

{
    my ($list, @servicers) = servicers(height => 8);
    my $dispatcher = MeshDispatcher->start(height => 8, apps => $app,
                                           servicers => $list);
    my $gateway = gateway($dispatcher);

    $dispatcher->set(dispatch_is => 500);
    $_->set(height => 9) for @servicers, $dispatcher;
    becomes($gateway, '5 9', 'servicers tell of the session');
    is(nodes($gateway), keys_of(0 .. 2), 'and of its servicers');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

done_testing();
