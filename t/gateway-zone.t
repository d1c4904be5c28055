# Guards what the workers of a gateway share: records over reloads, tries in
# flight of workers that were killed, one leader, and a zone that is full.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshClock;
use MeshGateway;
use MeshHttp;
use Test::More;
use Time::HiRes ();

my $deaf = MeshHttp->deaf;

sub chain {
    my ($name, @nodes) = @_;
    return "gateway_chain $name { "
        . join(' ', map { "node http://127.0.0.1:$deaf->{port} name=$_;" }
                    @nodes)
        . " }\n";
}

# "own" is a chain of some configurations only
my $locations = <<'EOF';
    set $own own;
    location /find { mesh_test_find; }
    location /own {
        gateway_node $own;
        proxy_pass $gateway_node_url/give$is_args$args;
    }
    location /only { gateway_node $own; return 200 $gateway_node; }
    location /give {
        if ($arg_status = 500) { return 500; }
        if ($arg_status = 429) { return 429; }
        if ($arg_status = 404) { return 404; }
        if ($arg_status = 444) { return 444; }
        return 200 ok;
    }
    location /hang {
        gateway_node eth;
        proxy_read_timeout 60s;
        proxy_pass $gateway_node_url;
    }
EOF

my $gateway = MeshGateway->new(
    workers => 2, server => $locations,
    http => 'gateway_interval 20ms;' . chain('eth', qw(a b c)),
)->start;

sub nodes { join ' ', sort keys %{ $gateway->zone(shift)->{node} } }

# sum of a field over the nodes of the chain

sub total {
    my ($field) = @_;
    my $sum = 0;
    $sum += $_->{$field} for values %{ $gateway->zone('eth')->{node} };
    return $sum;
}

# waits for it

sub becomes {
    my ($want, $field, $what) = @_;
    my $have;
    $gateway->wait_for(sub { ($have = total($field)) == $want });
    is($have, $want, $what);
}

# connections that wait for an answer from a node that gives none

sub hang {
    my ($n) = @_;
    return map {
        my $s = $gateway->connect;
        print $s $gateway->request(undef, '/hang');
        $s->flush;
        $s;
    } 1 .. $n;
}

# which nodes FindNode gives, of many

sub found {
    my ($chain, $n) = @_;
    my %seen;
    for (1 .. ($n // 60)) {
        my ($status, $body) = $gateway->get("/gateway/find/$chain");
        $seen{ $status == 200 ? ($body =~ /"address":"([^"]*)"/)[0]
                              : ($body =~ /"reason":"([^"]*)"/)[0] }++;
    }
    return join ' ', sort keys %seen;
}

{
    is(nodes('eth'), 'a b c', 'servers are there from the start');
    is(found('eth'), 'a b c', 'and each is found');

    $gateway->get('/find?chain=eth') for 1 .. 50;
    becomes(50, 'successes', 'tries of all workers are folded');
}

{
    $gateway->{http} .= 'gateway_chain own { node '
                        . "http://unix:$gateway->{dir}/edge.sock: name=n; }";
    $gateway->reload;

    my @status = map { ($gateway->get("/own?status=$_"))[0] }
                     200, 404, 429, 500, 444;
    is("@status", '200 404 429 500 502', 'requests by gateway_node');
    is(($gateway->get('/only'))[1], 'n', 'and one without an upstream');

    $gateway->wait_for(sub { $gateway->zone('own')->{node}{n}{picked} == 6 });

    my $n = $gateway->zone('own')->{node}{n};
    is("$n->{inflight} $n->{successes}", '0 2', 'count for the node');
    is($n->{tries}, 4, 'but those that tell nothing of it, or were too many');
}

{
    my $before = $gateway->zone('eth')->{node}{a}{tries};
    my $generation = $gateway->zone('eth')->{generation};

    $gateway->{http} = 'gateway_interval 20ms;'
        . chain('eth', qw(a c d)) . chain('new', 'x');
    $gateway->reload;
    $gateway->leader;

    ok($gateway->zone('eth')->{generation} > $generation, 'a reload');
    is(nodes('eth'), 'a b c d', 'keeps nodes, and adds new ones');
    is($gateway->zone('eth')->{node}{a}{tries}, $before, 'and keeps records');
    is(found('new', 5), 'x', 'a new chain has a table at once');
    is($gateway->zone('eth')->{entries}, 3, 'the table has the new ones');
    is($gateway->zone('eth')->{node}{b}{chosen}, 0, 'and nothing else');
    unlike(found('eth'), qr/b/, 'which is not found');
}

{
    my @s = hang(6);
    becomes(6, 'inflight', 'tries in flight are counted');

  SKIP: {
        # workers that end are told by their titles

        skip 'titles of processes', 1 if $ENV{TEST_NGINX_USE_VALGRIND};

        $gateway->reload;
        is(total('inflight'), 6, 'over a reload, too');
    }

    close $_ for @s;
    becomes(0, 'inflight', 'and end with their requests');
}

{
    my @s = hang(8);
    becomes(8, 'inflight', 'tries in flight');

    my %old = map { ($_ => 1) } $gateway->workers;
    $gateway->kill_worker($_) for keys %old;

    $gateway->wait_for(sub {
        my @now = $gateway->workers;
        return @now == 2 && !grep { $old{$_} } @now;
    });

    becomes(0, 'inflight', 'do not outlive the workers that are killed');
    my $rows;
    $gateway->wait_for(sub {
        ($rows = $gateway->zone('eth')->{rows}) == 2;
    });
    is($rows, 2, 'whose rows are taken again');
}

{
    my @s = hang(4);
    becomes(4, 'inflight', 'tries in flight of workers');

    # workers of the old configuration stay for them, and have no successors

    my @old = $gateway->workers;
    $gateway->reload;
    $gateway->kill_worker($_) for @old;

    becomes(0, 'inflight', 'that were killed while they ended');
}

{
    my $leader = $gateway->leader;

    # sooner than its lease, of 5 s, is over

    my $clock = MeshClock->new($gateway);
    $gateway->kill_worker($leader);

    isnt($gateway->leader, $leader, 'another worker leads after a leader');
    cmp_ok($clock->elapsed, '<', 4, 'that is gone, at once');

    my $before = total('successes');
    $gateway->get('/find?chain=eth') for 1 .. 20;
    becomes($before + 20, 'successes', 'and folds');
}

{
    my $leader = $gateway->leader;
    my ($other) = grep { $_ != $leader } $gateway->workers;

    # one that is stopped does not renew its lease

    kill 'STOP', $leader;
    my $zone = '';
    $gateway->wait_for(sub {
        local $SIG{ALRM} = sub { die };
        eval { alarm 1; $zone = $gateway->zone('eth')->{leader}; 1 };
        alarm 0;
        return $zone eq $other;
    }, 60);
    is($zone, $other, 'another leads when the lease is over');
    kill 'CONT', $leader;
}

{
    # all requests are answered while configurations come and go

    my $child = fork // die "fork: $!";

    if (!$child) {
        my $failed = 0;
        my $until = Time::HiRes::time() + 3;
        while (Time::HiRes::time() < $until) {
            my ($status) = eval { $gateway->get('/gateway/find/eth') };
            $failed++ if ($status // 0) != 200;
        }
        POSIX::_exit($failed > 100 ? 100 : $failed);
    }

    for my $i (1 .. 5) {
        $gateway->{http} = 'gateway_interval 1ms;'
            . chain('eth', 'a', "n$i") . chain("new$i", 'x');
        $gateway->reload;
    }

    waitpid $child, 0;
    is($? >> 8, 0, 'no request fails while nginx is reloaded');

    $gateway->leader;
    is($gateway->zone('eth')->{node}{n5}{chosen}, 1,
       'the last configuration counts');
    is(found('new4', 5), 'unknown_chain', 'a chain that went is not there');
}

is(join('', $gateway->alarms), '', 'no alerts');
$gateway->finish('TERM');

{
    $gateway = MeshGateway->new(
        workers => 1, server => $locations,
        http => 'mesh_zone small:200k; gateway_interval 20ms;'
                . chain('eth', map { "n$_" } 1 .. 500),
    );
    ok(!eval { $gateway->start; 1 }, 'a zone too small is refused');
    like(join('', $gateway->logged('emerg')),
         qr/zone "small" of "mesh_zone" has room for \d+ of 500 servers of /,
         'with what it has room for');
}

{
    $gateway = MeshGateway->new(
        workers => 2, server => $locations,
        http => 'mesh_zone small:400k; gateway_interval 20ms;'
                . chain('eth', qw(a b)),
    )->start;

    $gateway->{http} = 'mesh_zone small:400k; gateway_interval 20ms;'
        . chain('eth', 'a', map { "n$_" } 1 .. 500);
    $gateway->reload;
    $gateway->leader;

    my $nodes = $gateway->zone('eth')->{nodes};

    ok($nodes > 2 && $nodes < 500, 'a zone that becomes full has some nodes');
    is(scalar($gateway->logged('zone "small" of "mesh_zone" is full')), 1,
       'and warns once');
    is(($gateway->get('/gateway/find/eth'))[0], 200, 'and serves');
    is(join('', $gateway->alarms), '', 'without alerts');
}

done_testing();
