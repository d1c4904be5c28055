# Guards what regions share in Redis, and what they do not: records and who
# checks are a region's own, the chain's height, verbs and evidence are
# everybody's; and all of it outlives a gateway.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshRedis;
use MeshReport;
use MeshServers;
use Test::More;
use Time::HiRes ();

my $redis = MeshRedis->start;
my %servers = map { $_ => MeshServers->start(3, height => 1000,
                                             block_time => 500) }
              qw(east west);

sub gateway {
    my ($region) = @_;
    return MeshReport->new(servers => $servers{$region}, n => 3,
        redis => $redis->socket, http => "mesh_region $region;",
        select => 'family=evm height_tolerance=5 check_interval=300ms')->start;
}

sub key { return "gateway:{u:eth}:$_[0]" }

sub reasons {
    my ($gateway, $i) = @_;
    my $row = $gateway->nodes->{ $gateway->name($i) } // {};
    return join ' ', sort map { $_->{reason} } @{ $row->{excluded} // [] };
}

sub evidence {
    return map { JSON::PP::decode_json($_) }
           @{ $redis->command('LRANGE', key('evidence'), 0, -1) // [] };
}

my $east = gateway('east');

sub ref_height {
    return ($redis->command('GET', key('ref')) // '') =~ /^(\d+) \d{13} \d+$/
        ? $1 : 0;
}

$east->becomes(1, sub { ref_height() >= 1000 ? 1 : 0 },
               "the chain's height is in Redis", 30);

# another region: its records and its checks are its own

my $west = gateway('west');

for (['east', $east], ['west', $west]) {
    my ($region, $gateway) = @$_;
    $gateway->becomes(3, sub {
        scalar @{ $redis->command('HKEYS', key("health:$region")) // [] }
    }, "$region has rows of its own", 30);
    is_deeply([sort @{ $redis->command('HKEYS', key("health:$region")) }],
              [sort map { $gateway->name($_) } 0 .. 2], 'of its nodes');
    like($redis->command('GET', key("lease:$region")) // '',
         qr/^[0-9a-f]{16}$/, 'and checks them itself');
}

isnt($redis->command('GET', key('lease:east')),
     $redis->command('GET', key('lease:west')), 'each by its own gateway');

{
    my $checks = $servers{west}->checks(0);
    $west->wait(sub { $servers{west}->checks(0) > $checks + 2 }, 30)
        or fail('west is checked');
    $checks = $servers{east}->checks(0);
    $east->wait(sub { $servers{east}->checks(0) > $checks + 2 }, 30)
        or fail('east is checked');
}

# one chain: where one region knows a height, all nodes of another lag

sub west_is {
    my ($want, $name) = @_;
    $west->becomes("$want $want $want",
                   sub { join ' ', map { reasons($west, $_) } 0 .. 2 }, $name,
                   60);
}

{
    $servers{west}->set($_, lag => 100) for 0 .. 2;
    west_is('height', 'where all lag, the height of another region tells');
    my $up = grep { $_->{state} =~ /^(in|degraded)$/ } values %{ $west->nodes };
    cmp_ok($up, '>=', 1, 'and the least bad of them is used');
    is(($west->call(1))->{200}, 1, 'by callers');

    my $height = ref_height();
    $east->becomes(1, sub { ref_height() > $height ? 1 : 0 },
                   'the height goes on', 30);
    west_is('height', 'and they are not followed');

    $servers{west}->set($_, lag => 0) for 0 .. 2;
    west_is('', 'until they are as high');
}

# the height outlives the gateways

{
    $_->quit for $east, $west;
    unlink "$_->{dir}/pool.sock" for $east, $west;
    my $height = ref_height();
    cmp_ok($height, '>', 1000, 'the height stays');

    $servers{west}->set($_, lag => 100) for 0 .. 2;
    $west->start;
    west_is('height', 'and is known to one that starts');
    $servers{west}->set($_, lag => 0) for 0 .. 2;
    west_is('', 'which goes on from it');
    $east->start;
}

# evidence of all regions is in one list, and the list is bounded

{
    $redis->command('RPUSH', key('evidence'), ('{"node":"old"}') x 200);
    $servers{east}->set(1, lie => 1);
    $servers{west}->set(2, lie => 2);

    for (['east', $east, 1], ['west', $west, 2]) {
        my ($region, $gateway, $i) = @$_;
        $gateway->becomes('data', sub { reasons($gateway, $i) },
                          "who lies in the $region is out", 30);
        $gateway->becomes($gateway->name($i), sub {
            (map { $_->{node} }
             grep { $_->{node} eq $gateway->name($i) } evidence())[0]
        }, 'by evidence', 30);
    }

    my ($proof) = grep { $_->{node} eq $east->name(1) } evidence();
    is($proof->{check}, 'evm_data_integrity_check', 'of the check');
    cmp_ok($proof->{block}, '>', 800, 'with the block');
    like($proof->{told}, qr/^[0-9a-f]{64}$/, 'what it told');
    like($proof->{agreed}, qr/^[0-9a-f]{64}$/, 'what the others did');
    isnt($proof->{told}, $proof->{agreed}, 'which differ');
    like($proof->{answer}, qr/^\{"jsonrpc":"2\.0",.*\Q$proof->{told}\E/,
         'and its answer');
    cmp_ok(abs($proof->{at} / 1000 - time), '<', 300, 'at the time');

    is($redis->command('LLEN', key('evidence')), 128,
       'the oldest made room for it');
    is((grep { $_->{node} ne 'old' } (evidence())[0 .. 1]), 2,
       'the newest are first');
}

for my $gateway ($east, $west) {
    is($gateway->logged('\[(alert|emerg|crit)\]'), 0, 'no alerts');
    $gateway->quit;
}

done_testing();
