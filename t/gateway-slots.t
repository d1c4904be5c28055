# Guards the places of nodes in the zone: those that went give theirs to new
# ones, which begin with nothing of theirs, but not while they are used; and
# operators beyond those there is room for are one operator.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshGateway;
use MeshHttp;
use Test::More;
use Time::HiRes ();

my $deaf = MeshHttp->deaf;
my $gateway;

sub chain {
    my ($name, @nodes) = @_;
    return "gateway_chain $name { "
        . join(' ', map { "node http://127.0.0.1:$deaf->{port} name=$_;" }
                    @nodes)
        . " }\n";
}

sub configure {
    $gateway->{http} = 'gateway_max_nodes 4; gateway_interval 20ms;'
        . chain('eth', @_);
    $gateway->reload;
}

sub node { $gateway->zone('eth')->{node} }
sub names { join ' ', sort keys %{ node() } }

# two hours later

sub age { $gateway->get('/zone?chain=eth&age=7200000') }

# Is it there, after a while?  A search without success is not made again at
# once.

sub comes {
    my ($name, @nodes) = @_;
    return $gateway->wait_for(sub {
        age();
        configure(@nodes);
        return node()->{$name};
    }, 60);
}

sub tries {
    my ($n, $name) = @_;
    $gateway->wait_for(sub { node()->{$name}{tries} >= $n });
    return node()->{$name}{tries};
}

{
    $gateway = MeshGateway->new(
        workers => 2, server => '
            location /find { mesh_test_find; }
            location /hang {
                gateway_node eth;
                proxy_read_timeout 60s;
                proxy_pass $gateway_node_url;
            }',
        http => 'gateway_max_nodes 4; gateway_interval 20ms;'
                . chain('eth', qw(a b c d)),
    )->start;

    $gateway->leader;
    $gateway->get('/find?chain=eth') for 1 .. 200;
    cmp_ok(tries(1, $_), '>', 0, "$_ was tried") for qw(b c d);

    # none has been away for long

    configure(qw(a e));
    is(names(), 'a b c d', 'a new node has no place');
    is(scalar($gateway->logged('zone "\w+" of "mesh_zone" is full')), 1,
       'which is told');
    like(($gateway->get('/find?chain=eth'))[1], qr/^a /, 'others serve');
}

{
    configure('b');
    my $b = node()->{b};

    my $hung = Time::HiRes::time();
    my $s = $gateway->connect;
    print $s $gateway->request(undef, '/hang');
    $s->flush;
    $gateway->wait_for(sub { node()->{b}{inflight} });

    my %old = map { $_->{slot} => $_ } values %{ node() };

    ok(comes('f', qw(a e f)), 'new nodes have places of old ones');

    # workers of an older configuration are ended after 10 s

  SKIP: {
        skip 'it took long', 1 if Time::HiRes::time() - $hung > 8;
        is(names(), 'a b e f', 'but not that of one with tries in flight');
    }

    my ($e, $f) = @{ node() }{qw(e f)};
    is("$e->{tries} $e->{picked} $f->{tries} $f->{picked}", '0 0 0 0',
       'they begin with nothing');
    ok($old{ $e->{slot} } && $old{ $f->{slot} } && $e->{slot} != $f->{slot},
       'their places are old ones');
    isnt($_->{slot}, $b->{slot}, 'that are free') for $e, $f;

    close $s;
    $gateway->wait_for(sub { !node()->{b}{inflight} });

    ok(comes('g', qw(a e f g)), 'and that one when they have ended');
    is(names(), 'a e f g', 'who is used keeps its place');
    is(node()->{g}{slot}, $b->{slot}, 'the place is the one that was left');

    my %before = map { $_ => node()->{$_}{tries} } qw(a e f g);
    $gateway->get('/find?chain=eth') for 1 .. 200;
    cmp_ok(tries($before{$_} + 1, $_), '>', $before{$_}, "$_ is tried")
        for qw(a e f g);

    is(join('', $gateway->alarms), '', 'no alerts');
    $gateway->finish('TERM');
}

SKIP: {
    skip 'too many nodes', 3 if $ENV{TEST_NGINX_USE_VALGRIND};

    my $n = 8300;
    my $nodes = sub {
        my ($chain) = @_;
        return "gateway_chain $chain {" . join('', map {
            "node http://127.0.0.1:1 name=$_ operator=$chain$_;\n"
        } 1 .. $n) . '}';
    };

    $gateway = MeshGateway->new(
        workers => 1,
        http => 'mesh_zone many:160m;' . $nodes->('x') . $nodes->('y'),
    )->start;

    my %others;
    for my $chain (qw(x y)) {
        $others{$chain} = grep { $_->{operator} == 0 }
                          values %{ $gateway->zone($chain)->{node} };
    }
    is($others{x}, 0, 'operators have numbers of their own');
    is($others{y}, 2 * $n - (128 * 128 - 1), 'until there are too many');
    is(($gateway->get('/gateway/find/y'))[0], 200, 'whose nodes serve, too');
}

done_testing();
