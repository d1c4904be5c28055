# Guards what gateways share: nothing is lost or counted twice, whatever
# happens to Redis and to the gateways themselves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use MeshRedis;
use MeshReport;
use MeshServers;
use Test::More;
use Time::HiRes ();

my $servers = MeshServers->start(2);
my $redis = MeshRedis->start;

sub gateway {
    my (%o) = @_;
    return MeshReport->new(servers => $servers, redis => $redis->socket,
                           http => 'mesh_region test;', %o)->start;
}

my ($one, $two) = (gateway(), gateway());

sub total { my ($gateway) = @_; return sub { $gateway->sum('tries') } }

{
    $one->call(60);
    $one->becomes(60, total($one), 'what one gateway counted');
    $two->becomes(60, total($two), 'the other one knows');

    $two->call(40);
    $one->becomes(100, total($one), 'and so it is the other way');
    $two->becomes(100, total($two), 'round');

    my ($a, $b) = map { $_->nodes->{ $one->name(0) } } $one, $two;
    cmp_ok(abs($a->{p90} - $b->{p90}), '<', 0.01 * $a->{p90},
           'they see one latency');
}

{
    is(scalar @{ $redis->command('HKEYS', 'gateway:{u:eth}:health:test') }, 2,
       'a row for each node');
    is($redis->command('GET', 'gateway:{u:eth}:schema'), 1, 'and a schema');
    like($redis->command('HGET', 'gateway:{u:eth}:health:test', $one->name(0)),
         qr/^1 \d+ \d+ /, 'rows have a version');
}

{
    $one->quit;
    unlink "$one->{dir}/pool.sock";
    $one->start;
    $one->becomes(100, total($one), 'a gateway that starts has the records');

    $one->reload;
    $one->call(10);
    $one->becomes(110, total($one), 'and after a reload');
    $two->becomes(110, total($two), 'still shares them');
}

# Redis is away, and has lost everything when it is back

{
    $redis->kill9;
    $one->call(20);
    $two->call(30);
    $one->becomes(130, total($one), 'without Redis a gateway goes on');
    $two->becomes(140, total($two), 'with what it knows itself');

    $redis->start;
    $one->becomes(160, total($one), 'what Redis lost the gateways know', 20);
    $two->becomes(160, total($two), 'and nothing is counted twice', 20);

    Time::HiRes::sleep(2.5);
    is($one->sum('tries'), 160, 'nor later');
}

# Redis is away, and still has it all

{
    $redis->command('CONFIG', 'SET', 'appendonly', 'yes');
    $redis->{config} = { appendonly => 'yes', appendfsync => 'always' };
    $one->wait(sub { $redis->command('INFO', 'persistence')
                         =~ /aof_rewrite_in_progress:0/
                     && -d $redis->dir . '/appendonlydir' });
    $redis->kill9;
    $one->call(15);
    $redis->start;
    $two->becomes(175, total($two), 'deltas wait for Redis', 20);
    $one->becomes(175, total($one), 'and are told once', 20);
}

# an answer that is lost: the push is repeated, and counts once

{
    my $flag = File::Temp->new;
    my $cut = "$flag.cut";
    my $front = $redis->before(sub {
        my ($reply, @command) = @_;
        exit 0 if -e $cut && $command[0] eq 'EVALSHA' && @command > 30;
        return $reply;
    });

    my $three = gateway(redis => $front->socket);
    $three->becomes(175, total($three), 'a third gateway');

    open my $f, '>', $cut or die $!;
    $three->call(25);
    $two->becomes(200, total($two), 'its push arrives, and the answer is lost');
    Time::HiRes::sleep(2.5);
    unlink $cut;
    $three->call(5);
    $two->becomes(205, total($two), 'the next one arrives');
    Time::HiRes::sleep(2.5);
    is($two->sum('tries'), 205, 'and the first is not counted again');
    $three->becomes(205, total($three), 'by nobody');
    $three->quit;
}

# a node that fails at one gateway is out at both

{
    $servers->set(0, status => 500);
    my $name = $one->name(0);
    $two->becomes('response', sub {
        $one->call(10);
        ($two->nodes->{$name}{excluded} // [])->[0]{reason} // 'none'
    }, 'a penalty is known to the other gateway', 15);
    $servers->set(0, status => 200);

    $two->becomes('none', sub {
        ($two->nodes->{$name}{excluded} // [])->[0]{reason} // 'none'
    }, 'and so is its end', 30);
}

# one gateway of a region checks

{
    my ($lease) = $redis->command('GET', 'gateway:{u:eth}:lease:test');
    like($lease, qr/^[0-9a-f]{16}$/, 'one gateway has the lease');

    my %held;
    for (1 .. 20) {
        $held{ $redis->command('GET', 'gateway:{u:eth}:lease:test') // '' }++;
        Time::HiRes::sleep(0.1);
    }
    is_deeply([keys %held], [$lease], 'and keeps it');

    my $ttl = $redis->command('PTTL', 'gateway:{u:eth}:lease:test');
    cmp_ok($ttl, '>', 3000, 'which it renews in time');

    # whoever has it goes
    my @gateways = ($one, $two);
    $_->quit for @gateways;
    is($redis->command('GET', 'gateway:{u:eth}:lease:test'), undef,
       'who ends lets it go');
    unlink "$_->{dir}/pool.sock" for @gateways;
    $_->start for @gateways;
    $one->becomes(1, sub {
        defined $redis->command('GET', 'gateway:{u:eth}:lease:test')
    }, 'and another takes it');
}

# keys of another version

{
    $redis->command('SET', 'gateway:{u:eth}:schema', 2);
    ok($one->wait(sub { $one->logged('not shared.* has schema "2"') }),
       'another schema is refused');
    my $before = $redis->command('HGET', 'gateway:{u:eth}:health:test',
                                 $one->name(0));
    $one->call(10);
    Time::HiRes::sleep(2);
    is($redis->command('HGET', 'gateway:{u:eth}:health:test', $one->name(0)),
       $before, 'nothing is written then');
    is($one->logged('not shared.* has schema "2"'), 1, 'which is said once');
}

for my $gateway ($one, $two) {
    is($gateway->logged('\[(alert|emerg|crit)\]'), 0, 'no alerts')
        or diag $gateway->log;
    $gateway->quit;
}

done_testing();
