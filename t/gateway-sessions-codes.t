# Guards what servicers' errors do to a session: who is out, who is not ready,
# and which other session a servicer may tell of.

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
my @keys = map { substr MeshDispatcher::servicer($_), 0, 8 } 0 .. 9;

sub gateway {
    my ($dispatcher, $http) = @_;
    my $gateway = MeshGateway->new(workers => 1,
        server => 'location /sessions { mesh_test_sessions; }
                   location /code { mesh_test_session_code; }');
    $gateway->write_file('apps.json', '[{"name":"app1","priv_key":"'
                         . MeshRelay::private('app1') . '"}]', 0600);
    $gateway->{http} = 'gateway_dispatcher ' . $dispatcher->url . ";
                        gateway_apps $gateway->{dir}/apps.json;
                        gateway_chain 0021 { operator_cap 100%; family none; } "
                       . ($http // '');
    $gateway->start;
    $gateway->wait_for(sub { heights($gateway) }) or die 'no session';
    $gateway->wait_for(sub {
        ($gateway->get('/gateway/find/0021'))[0] == 200
    }) or die 'no node';
    return $gateway;
}

# what a try at the node is taken for that is answered by this code

sub told {
    my ($gateway, $node, $code, $dispatch) = @_;
    $dispatch = defined $dispatch
        ? '&dispatch=' . $dispatch =~ s/([^\w.])/sprintf '%%%02x', ord $1/ger
        : '';
    my (undef, $body) = $gateway->get("/code?chain=0021&node=$keys[$node]"
                                      . "&code=$code$dispatch");
    chomp $body;
    return $body;
}

# the same, once the node is picked again

sub tried {
    my @args = @_;
    my $told;
    $args[0]->wait_for(sub { ($told = told(@args)) ne 'none' }, 5);
    return $told;
}

sub sessions {
    my ($gateway) = @_;
    my (undef, $body) = $gateway->get('/sessions?chain=0021');
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
sub node { my ($gateway, $i) = @_;
           return (sessions($gateway))[-1]{node}{ $keys[$i] } }

# 71, 90, and what else a servicer might say

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => $app,
                                           max_relays => 5000);
    my $gateway = gateway($dispatcher);

    is(told($gateway, 1, 25), 'fault', '25 is a fault');
    is(told($gateway, 1, 1), 'fault', 'so is 1');
    is(told($gateway, 1, 60), 'fault', '60 far from a boundary');
    is(told($gateway, 1, 14), 'fault', '14, too');
    is(told($gateway, 1, 75), 'fault', '75, too');
    is(node($gateway, 1)->{used}, 5, 'all of them were counted');

    is(told($gateway, 1, 71), 'out', 'code 71');
    is(node($gateway, 1)->{refused}, 1, 'is out for the session');
    is(told($gateway, 1, 71), 'none', 'and never picked again');

    # 90: three times, over two blocks

    is(told($gateway, 2, 90), 'not ready', '90, once');
    is(node($gateway, 2)->{waiting}, 1, 'waits for a moment');
    is(told($gateway, 2, 90), 'none', 'and is not picked');
    for my $n (2 .. 4) {
        $gateway->wait_for(sub { !node($gateway, 2)->{waiting} });
        is(tried($gateway, 2, 90), 'not ready', "90, $n times in a block");
    }
    $dispatcher->set(height => 7);
    $gateway->wait_for(sub { ($gateway->get('/sessions?chain=0021'))[1]
                             =~ /^height 7 /m }) or die 'height';
    $gateway->wait_for(sub { !node($gateway, 2)->{waiting} });
    is(tried($gateway, 2, 90), 'out', 'and in another one');

    # the next session forgets

    $dispatcher->set(height => 9);
    $gateway->wait_for(sub { heights($gateway) eq '5 9' }) or die 'session';
    is(node($gateway, 1)->{refused}, 0, 'the next session begins anew');
    is(node($gateway, 1)->{used}, 0, 'with nothing used');

    is(told($gateway, 3, 60), 'not ready', '60 at the boundary');
    is(told($gateway, 4, 14), 'not ready', '14 at the boundary');
    is(told($gateway, 5, 75), 'not ready', '75 at the boundary');
    $gateway->wait_for(sub {
        !grep { $_->{waiting} } map { values %{ $_->{node} } }
                                    sessions($gateway)
    }) or fail('none waits for long');

    # even if all say so there is a node

    told($gateway, 1 + $_ % 5, 60) for 1 .. 40;
    is(($gateway->get('/gateway/find/0021'))[0], 200,
       'never do all of them wait');

    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

# The allowance: spent is spent.

{
    my $dispatcher = MeshDispatcher->start(height => 6, apps => $app,
                                           max_relays => 15);
    my $gateway = gateway($dispatcher);
    my %told;

    $told{ told($gateway, 1, 25) }++ for 1 .. 3;
    is($told{fault}, 3, 'a node takes its part');
    is(told($gateway, 1, 25), 'none', 'and no more');

    my %given;
    for (1 .. 40) {
        my (undef, $body) = $gateway->get('/code?chain=0021&code=25');
        chomp $body;
        $given{$body}++;
    }
    is($given{fault}, 12, 'nor do the others');
    like(($gateway->get('/gateway/find/0021'))[1], qr/"reason":"excluded"/,
         'then there is none');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

# Dispatches of servicers, while no dispatcher knows of the session.

{
    my %network = (height => 8, apps => $app);
    my $dispatcher = MeshDispatcher->start(%network);
    my $ahead = bless { set => { %{ $dispatcher->{set} }, blocks => 4, stale => 0,
                                 nodes => 5, faulty => 0, shift => 2 } },
                'MeshDispatcher';
    my $gateway = gateway($dispatcher);
    my $next = $ahead->dispatch($app, '0021', 9);

    $dispatcher->stop;

    is(told($gateway, 1, 60, 'nonsense'), 'not ready', 'nonsense');
    is(told($gateway, 2, 60, $ahead->dispatch($app, '0021', 8)), 'not ready',
       'the session that is known');
    is(told($gateway, 3, 60, $ahead->dispatch($app, '0021', 1009)),
       'not ready', 'a session that cannot be');
    is(told($gateway, 4, 60,
            $ahead->dispatch(MeshRelay::public('x'), '0021', 9)),
       'not ready', "another application's");
    is(tried($gateway, 1, 60, $next), 'not ready', 'the next one');
    Time::HiRes::sleep(0.3);
    is(heights($gateway), '5', 'of one servicer alone it is not taken');

    is(tried($gateway, 2, 60, $next), 'not ready', 'of another operator');
    ok($gateway->wait_for(sub { heights($gateway) eq '5 9' }, 3),
       'it is');
    is_deeply([sort keys %{ (sessions($gateway))[-1]{node} }],
              [sort @keys[3 .. 7]], 'with its servicers');

    # the dispatcher's word counts for more

    $dispatcher->start;
    $dispatcher->set(height => 9, shift => 3);
    ok($gateway->wait_for(sub {
        my $last = (sessions($gateway))[-1];
        $last->{height} == 9 && $last->{node}{ $keys[8] };
    }, 20), 'what the dispatcher says replaces it');
    is_deeply([$gateway->alarms], [], 'no alarm');
    $gateway->quit;
}

done_testing();
