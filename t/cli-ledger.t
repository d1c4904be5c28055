# Guards "meshctl ledger": that an edge and Redis itself tell the same of the
# same relays, and that what cannot be read is never shown as nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP ();
use MeshCtl;
use MeshEdge;
use MeshRedis;
use MeshRelay;
use Test::More;

my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
my $redis = MeshRedis->start(port => 1, config => { requirepass => 'secret' });
my $open = MeshRedis->start;
my $node = MeshCtl->demo('node', '--height', 6);

write_file("$dir/password", "secret\n", 0600);
write_file("$dir/token", '{"Value":"edge-token"}', 0600);


# An edge, and what it has recorded.

my $edge = MeshEdge->new(
    redis => $open->socket, workers => 1, chains => ['0001', '0021'],
    nodes => [{ name => 'near', url => $node->url, keys => ['s1', 's2'] }],
    http => 'mesh_relay_node_check_interval 200ms;',
);
$edge->start;
$edge->wait_for(sub { ($edge->relay('{"proof":{"servicer_pub_key":"'
    . MeshRelay::public('s1') . '"}}'))[1] =~ /"code":25/ })
    or die 'the edge does not serve';

my @edge = ('--url', "http://unix:$edge->{dir}/edge.sock:",
            '--token-file', "$dir/token");
my @redis = ('--redis', 'unix:' . $open->socket);

sub rows {
    my ($code, $out, $err) = ctl('ledger', @_, '--json');
    diag $err if $code;
    return [ map { JSON::PP::decode_json($_) } split /\n/, $out ];
}

{
    my ($code, $out) = ctl('ledger', @edge);
    is($code, 0, 'an empty ledger');
    like($out, qr/\ANODE .*\nall +0 +0 +0 +0  0\n\z/, 'is a head and a sum');
}

for my $relay (MeshRelay::relays(3, servicer => 's1', height => 5),
               MeshRelay::relays(2, servicer => 's2', height => 5),
               MeshRelay::relays(1, servicer => 's1', height => 5,
                                 chain => '0001'))
{
    is(($edge->relay($relay))[0], 200, 'a relay');
}

ok(wait_for(sub { !grep { $_->{queued} } @{ rows(@edge) } }),
   'all of them are told to the node');
ok(wait_for(sub { ($node->get('/_demo/stats') // '') =~ /"delivered":6,/ }),
   'which says so') or diag scalar $node->get('/_demo/stats');

{
    my $rows = rows(@edge);
    is_deeply([ map { [ @$_{qw(node servicer session_height chain app recorded
                               queued delivered delivered_by_37 expired)} ] }
                @$rows ],
              [ map { [ 'near', MeshRelay::address($_->[0]), 5, $_->[1],
                        MeshRelay::public('app'), $_->[2], 0, $_->[2], 0, 0 ] }
                sort { MeshRelay::address($a->[0])
                       cmp MeshRelay::address($b->[0])
                       || $a->[1] cmp $b->[1] }
                [ 's1', '0001', 1 ], [ 's1', '0021', 3 ],
                [ 's2', '0021', 2 ] ],
              'one row a session and servicer, sorted');
    is_deeply(rows(@redis), $rows, 'Redis itself tells the same');
    is_deeply(rows(@redis, '--node', 'near'), $rows, 'of this node');
    is_deeply(rows(@redis, '--node', 'far'), [], 'of no other');
    is_deeply(rows(@edge, '--node', 'far'), [], 'the edge neither');

    my ($code, $out) = ctl('ledger', @edge);
    like($out, qr/^all +6 +0 +6 +0  0$/m, 'the sum');
    like($out, qr/^near  ${\ MeshRelay::address('s2')} +5 0021 +\w{12} +2 +0 +2 +0  0$/m,
         'a line');
}


# Rows that no edge of ours would answer with now: refused and expired.

{
    my $id = 'a' x 40 . ':' . 'b' x 64 . ':0021:9';
    my $key = 'mesh:{far away}:ledger';
    $open->command('HSET', $key, $id, '20,10,2,3,1700000000,60=1,90=4');

    my @row = grep { $_->{node} eq 'far away' } @{ rows(@redis) };
    is_deeply(\@row, [ { node => 'far away', servicer => 'a' x 40,
                         session_height => 9, chain => '0021',
                         app => 'b' x 64, recorded => 20, queued => 2,
                         delivered => 10, delivered_by_37 => 2, expired => 3,
                         refused => { 60 => 1, 90 => 4 } } ],
              'refused by code, expired, queued is the rest');

    my ($code, $out) = ctl('ledger', @redis, '--node', 'far away');
    like($out, qr/ 20 +2 +10 +3  5 \(60:1 90:4\)$/m, 'in the table too');

    for my $bad ('', '1', '1,2,3,4', '1,2,3,4,5x', '1,2,3,4,5,60',
                 '1,2,3,4,5,60=', 'a,2,3,4,5')
    {
        $open->command('HSET', $key, $id, $bad);
        my ($code, $out, $err) = ctl('ledger', @redis);
        is($code, 1, "row \"$bad\"");
        like($err, qr/cannot be read/, 'is not passed over');
        is($out, '', 'no half of a ledger');
    }

    $open->command('DEL', $key);
    for my $bad ('', 'a:b:c', 'a:b:c:x', 'a:b:c:1:2') {
        $open->command('HSET', $key, $bad, '1,1,0,0,1');
        my ($code, undef, $err) = ctl('ledger', @redis);
        is($code, 1, "row of \"$bad\"");
        $open->command('DEL', $key);
    }
}


# Refusals.

{
    my ($code, $out, $err);

    write_file("$dir/wrong", '{"Value":"wrong"}', 0600);
    ($code, $out, $err) = ctl('ledger', @edge[0, 1], '--token-file',
                              "$dir/wrong");
    is($code, 1, 'a wrong token');
    like($err, qr/status 401/, 'is refused by the edge');
    unlike($err, qr/edge-token/, 'and nothing leaks');

    chmod 0644, "$dir/wrong";
    ($code, $out, $err) = ctl('ledger', @edge[0, 1], '--token-file',
                              "$dir/wrong");
    is($code, 1, 'a token that others can read');
    like($err, qr/chmod 600/, 'is refused');

    my @tcp = ('--redis', '127.0.0.1:' . $redis->port);
    ($code, $out, $err) = ctl('ledger', @tcp);
    is($code, 1, 'Redis wants a password');
    like($err, qr/NOAUTH/, 'and says so');

    ($code, $out, $err) = ctl('ledger', @tcp, '--password-file',
                              "$dir/password");
    is($code, 0, 'and has it') or diag $err;

    write_file("$dir/other", 'other', 0600);
    ($code, $out, $err) = ctl('ledger', @tcp, '--password-file',
                              "$dir/other");
    is($code, 1, 'a wrong one');
    like($err, qr/WRONGPASS/, 'is none');
    unlike($err, qr/other/, 'and is not shown');

    ($code, $out, $err) = ctl('ledger', @tcp, '--password-file',
                              "$dir/password", '--db', 3);
    is($code, 0, 'another database');
    ($code, $out, $err) = ctl('ledger', @redis, '--db', 99999);
    is($code, 1, 'one that is not there');

    $open->command('SET', 'mesh:{odd}:ledger', 'x');
    ($code, $out, $err) = ctl('ledger', @redis);
    is($code, 1, 'a key of another type');
    like($err, qr/WRONGTYPE/, 'is named');

    for my $args ([], [ @redis, @edge ], [ @edge[0, 1] ], [ @redis, 'x' ],
                  [ @redis, '--db', -1 ], [ '--redis', '' ],
                  [ '--redis', "unix:$dir/none" ],
                  [ '--redis', '127.0.0.1:' . MeshCtl->port ],
                  [ '--redis', '127.0.0.1:x' ],
                  [ @redis, '--what' ])
    {
        ($code, $out, $err) = ctl('ledger', @$args);
        is($code, 2, "usage, network: @$args");
        isnt($err, '', 'with a word about it');
    }
}

$edge->quit;
done_testing();
