# Guards the sums by the minute and hour: of one gateway in its zone, of all in
# Redis, which are written once a minute and are kept for a time.

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

my $servers = MeshServers->start(2);
my $redis = MeshRedis->start;

sub gateway { return MeshReport->new(servers => $servers, @_)->start }

sub history {
    my ($gateway, $more) = @_;
    my ($status, $body) = $gateway->get('/gateway/history/u:eth'
                                        . ($more // ''));
    return $status == 200 ? JSON::PP::decode_json($body) : {};
}

sub total {
    my ($history, $unit, $field) = @_;
    my $sum = 0;
    $sum += $_->{$field} for @{ $history->{$unit} };
    return $sum;
}

my $alone = gateway();
my ($one, $two) = map { gateway(redis => $redis->socket) } 1, 2;

# not just before the next minute

Time::HiRes::sleep(61 - time % 60) if time % 60 > 50;

$servers->set(1, delay => 20);
$_->call(30) for $alone, $one, $two;

{
    $alone->becomes(30, sub { total(history($alone), 'minutes', 'tries') },
                    'a minute in the zone');
    my $history = history($alone);
    is(total($history, 'hours', 'tries'), 30, 'and its hour');
    is(total($history, 'minutes', 'picked'), 30, 'picks');
    is(total($history, 'minutes', 'successes'), 30, 'successes');
    is_deeply([@$history{qw(chain node source)}], ['u:eth', undef, 'zone'],
              'whose it is');
    like($history->{minutes}[0]{at}, qr/:00\.000Z$/, 'when it began');
    like($history->{hours}[0]{at}, qr/:00:00\.000Z$/, 'and the hour');

    my @node = map { history($alone, '?node=' . $alone->name($_)) } 0, 1;
    is(total($node[0], 'minutes', 'tries') + total($node[1], 'hours', 'tries'),
       30, 'each node has its own');
    is($node[1]{node}, $alone->name(1), 'by name');
    cmp_ok($node[1]{minutes}[0]{latency}, '>=', 19, 'with its latency');

    $alone->reload;
    is(total(history($alone), 'minutes', 'tries'), 30, 'kept over a reload');

    my ($status, $body) = $alone->get('/gateway/history/u:eth?node=no');
    is($status, 404, 'no such node');
    is(JSON::PP::decode_json($body)->{message}, 'there is no node "no"',
       'which is named');
    ($status) = $alone->get('/gateway/history/none');
    is($status, 404, 'no such chain');
    $alone->quit;
}

# in Redis when the minute is over

{
    my $until = 60 - time % 60 + 12;
    $one->becomes(60, sub { total(history($one), 'minutes', 'tries') },
                  'both gateways in one minute', $until);
    $two->becomes(60, sub { total(history($two), 'minutes', 'tries') },
                  'seen from both');
    $one->becomes(60, sub { total(history($one), 'hours', 'tries') },
                  'and in the hour');

    my $history = history($one, '?node=' . $one->name(1));
    is($history->{source}, 'redis', 'Redis is where it is from');
    cmp_ok(total($history, 'minutes', 'tries'), '>', 0, 'of a node, too');

    my ($key) = @{ $redis->command('KEYS', 'gateway:{u:eth}:rollup:default:m:*') };
    ok($key, 'a minute has a key');
    my $ttl = $redis->command('TTL', $key);
    cmp_ok($ttl, '>', 7000, 'which lives for two hours');
    cmp_ok($ttl, '<', 7600, 'and no longer');
    ($key) = @{ $redis->command('KEYS', 'gateway:{u:eth}:rollup:default:h:*') };
    $ttl = $redis->command('TTL', $key);
    cmp_ok($ttl, '>', 600000, 'an hour for a week');
    cmp_ok($ttl, '<', 610000, 'and no longer');
}

# a gateway that starts anew finds what was

{
    $one->quit;
    unlink "$one->{dir}/pool.sock";
    $one->start;
    $one->becomes(60, sub { total(history($one), 'hours', 'tries') },
                  'after a restart');
}

{
    $redis->kill9;
    $one->becomes('zone', sub { history($one)->{source} },
                  'without Redis it is what the zone has');
}

is($_->logged('\[(alert|emerg|crit)\]'), 0, 'no alerts') for $one, $two;
$_->quit for $one, $two;

done_testing();
