# Guards backup nodes of a chain: asked when no other is good, or when all
# others have failed a call, and never before.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshReport;
use MeshServers;
use Test::More;

my $servers = MeshServers->start(4);

my @param = ('', '', 'backup', 'backup');
my $gateway = gateway();

sub gateway {
    my ($keys, @n) = @_;
    my $nodes = join '', map {
        'node http://127.0.0.1:' . $servers->port($_)
        . " name=n$_ $param[$_];\n"
    } @n ? @n : 0 .. 3;

    return MeshReport->new(servers => $servers, n => 1,
        http => 'gateway_pass_headers Accept Content-Type X-Test;
            gateway_chain eth { family evm; check_interval 60s; '
            . ($keys // '') . "$nodes }")->start;
}

sub state { return $gateway->nodes('eth')->{"n$_[0]"}{state} }

sub load { return $gateway->load('/relay/eth', callers => 8, @_) }

sub failed { my ($sum) = @_; return $sum->{n} - ($sum->{status}{200} // 0) }

sub node { return $_[0]{head} =~ /^Gateway-Node: (\S+)/mi ? $1 : '' }

sub found {
    my ($status, $body) = $gateway->get('/gateway/find/eth');
    return $status == 200 && $body =~ /"address":"(\w+)"/ ? $1 : $status;
}

is(state(0), 'in', 'a node');
is(state(2), 'backup', 'a backup');

my $sum = load(seconds => 2);
is(failed($sum), 0, 'calls');
is($servers->count(2) + $servers->count(3), 0, 'do not reach a backup');

# one fails: the other is there

$servers->set(0, status => 500);
$servers->reset;
my @answers = map { $gateway->ask('/relay/eth') } 1 .. 30;
is(scalar(grep { $_->{status} != 200 } @answers), 0, 'one node fails');
is($servers->count(2) + $servers->count(3), 0, 'no backup is needed');

# both fail a call, before either is out

$servers->set(1, status => 500);
my $a = $gateway->ask('/relay/eth');
is($a->{status}, 200, 'all others fail: a call is saved');
like(node($a), qr/^n[23]$/, 'by a backup');

# both are out: backups have the calls at once, and are found

$gateway->wait(sub {
    load(seconds => 1);
    return state(0) eq 'out' && state(1) eq 'out';
}, 30);
is(state(0), 'out', 'both are out');
is(state(1), 'out', 'and stay so while a backup is better');
is(state(2), 'backup', 'backups are what they are');
cmp_ok($gateway->nodes('eth')->{n2}{share}, '>', 0, 'and have shares');

$servers->reset;
@answers = map { $gateway->ask('/relay/eth') } 1 .. 40;
is(scalar(grep { $_->{status} != 200 } @answers), 0, 'calls');
is(scalar(grep { node($_) !~ /^n[23]$/ } @answers), 0, 'go to backups');
ok($gateway->wait(sub {
    $gateway->ask('/relay/eth');
    return $servers->count(2) && $servers->count(3);
}, 30), 'each has some');
like(found(), qr/^n[23]$/, 'gateway_find names one');

# a backup that fails, too

$servers->set(2, status => 500);
@answers = map { $gateway->ask('/relay/eth') } 1 .. 40;
is(scalar(grep { $_->{status} != 200 } @answers), 0,
   'one backup fails: nobody sees it');

# back to normal

$servers->set($_, status => 200) for 0, 1, 2;
ok($gateway->wait(sub { state(0) eq 'in' && state(1) eq 'in' }, 60),
   'the others return');
$servers->reset;
@answers = map { $gateway->ask('/relay/eth') } 1 .. 40;
is(scalar(grep { $_->{status} != 200 } @answers), 0, 'calls');
is($servers->count(2) + $servers->count(3), 0, 'leave backups alone again');

$gateway->end;

# a hedge is no reason to ask one, a node that hangs is

$gateway = gateway('hedge always;', 0, 2);
load(seconds => 1);
$servers->set(0, delay => 100);
$servers->reset;
@answers = map { $gateway->ask('/relay/eth') } 1 .. 10;
my @quick = grep { $_->{time} < 0.9 } @answers;
is(scalar(grep { node($_) ne 'n0' } @quick), 0,
   'a node that is slow is waited for');
cmp_ok($servers->count(2), '<=', @answers - @quick,
       'and no backup is asked besides, unless it is overdue');

$servers->set(0, mode => 'hang');
$a = $gateway->ask('/relay/eth');
is($a->{status}, 200, 'it hangs: a call is saved');
is(node($a), 'n2', 'by a backup');
cmp_ok($a->{time}, '<', 9, 'before their time is over');

$gateway->end;
$servers->stop;

done_testing();
