# Guards the checks of families other than evm: that their own requests are
# asked and their own answers read, by lying nodes being found.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha256_hex);
use MeshPool;
use MeshServers;
use Test::More;
use Time::HiRes qw(sleep);

sub gateway {
    my ($family, $http, @urls) = @_;
    my $n = 0;
    my $nodes = join '', map { $n++; "node $_ name=n$n operator=o$n;\n" } @urls;

    return MeshPool->new(
        http => "$http
            gateway_chain c { family $family; height_tolerance 3; timeout 3s;
                              check_interval 1s; max_ejected 90%; $nodes }",
        server => 'location /gateway/find/ { gateway_find; }',
    )->start;
}

sub finds_liar {
    my ($pool, $family) = @_;

    ok($pool->wait(sub {
        $pool->logged(qq("n4".* is out, .*${family}_data_integrity_check))
    }, 60), "$family: another hash is outvoted");
    sleep 2;
    is($pool->logged('"n[123]".* is out'), 0, "$family: nobody else is out")
        or diag $pool->log;
    is($pool->logged('the answer'), 0, "$family: all answers are understood")
        or diag grep { /the answer/ } split /^/, $pool->log;
    is($pool->logged('\[(alert|crit|emerg)\]'), 0, "$family: no alert");
    $pool->end;
}

# nodes of REST are servers of the same nginx: four, the last one lies
sub rest {
    my (%locations) = @_;
    return map {
        my $hash = uc sha256_hex($_ == 4 ? 'lie' : 'block');
        my $text = join '', map {
            my $body = $locations{$_} =~ s/HASH/$hash/r;
            "location = $_ { default_type application/json;
                             return 200 '$body'; }\n"
        } sort keys %locations;
        "server { listen unix:%DIR%/n$_.sock; $text
                  location / { return 404; } }\n";
    } 1 .. 4;
}

my @sockets = map { "http://unix:%DIR%/n$_.sock:/" } 1 .. 4;

finds_liar(gateway('cosmos', join('', rest(
    '/status' => '{"result":{"sync_info":{"latest_block_height":"1000"}}}',
    '/block' => '{"result":{"block_id":{"hash":"HASH"}}}')), @sockets),
    'cosmos');

finds_liar(gateway('pokt', join('', rest(
    '/v1/query/height' => '{"height":1000}',
    '/v1/query/block' => '{"block_id":{"hash":"HASH"}}')), @sockets), 'pokt');

# every third slot of this chain has no block

my $servers = MeshServers->start(4, height => 2000, block_time => 400);
$servers->set(3, lie => 1);

finds_liar(gateway('solana', '', map {
    'http://127.0.0.1:' . $servers->port($_) . '/'
} 0 .. 3), 'solana');

done_testing();
