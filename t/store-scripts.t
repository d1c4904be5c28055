# Guards the scripts that are all of a relay's life in Redis: a relay counts
# once whatever is asked again, nothing is changed by a refusal, and the rows
# of the ledger add up to the stream after each call.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshRedis;
use Test::More;

my $source = "$FindBin::Bin/../ngx_mesh_relay_module/ngx_mesh_relay_script.c";
my %script;

{
    open my $f, '<', $source or die "$source: $!";
    local $/;
    my $text = <$f>;
    while ($text =~ /ngx_string\("relay_(\w+)"\),\s*
                     ngx_string\(((?:\s*"(?:[^"\\]|\\.)*")+)\)/gx)
    {
        my ($name, $literal) = ($1, $2);
        $script{$name} = join '', $literal =~ /"((?:[^"\\]|\\.)*)"/g;
        $script{$name} =~ s/\\n/\n/g;
        $script{$name} =~ s/\\(.)/$1/g;
    }
}

my $redis = MeshRedis->start;
my %key = map { ($_ => "mesh:{n}:$_") }
          qw(version relays sessions ledger dead session proofs);

sub call { return $redis->command(@_) }

sub run {
    my ($name, $nkeys, @args) = @_;
    return call('EVAL', $script{$name}, $nkeys, @args);
}

sub record {
    my ($proof, $attempt, %o) = @_;
    my $id = $o{id} // 's1';
    my $r = run('record', 5, $key{relays}, "$key{session}:$id",
                "$key{proofs}:$id", @key{qw(ledger sessions)},
                $proof, $attempt, $o{relay} // "relay $proof", $id, 1000, 5,
                @{ $o{doubt} // [] });
    return ref $r ? join(' ', @$r) : $r;
}

# a record that was acknowledged before

sub again { return record(@_, doubt => [900, 1]) }

sub session {
    my ($state, $code, $count, %o) = @_;
    my $id = $o{id} // 's1';
    my $r = run('session', 3, "$key{session}:$id", @key{qw(ledger sessions)},
                $id, 5, $state, $code, $o{message} // '', $count,
                $o{dispatch} // '');
    return ref $r ? join(' ', @$r) : $r;
}

sub settle {
    my (@entries) = @_;
    my (%place, @ids);
    for (@entries) {
        my $id = $_->[2] // 's1';
        next if $place{$id};
        push @ids, $id;
        $place{$id} = @ids;
    }
    return run('settle', 3, @key{qw(relays ledger dead)}, 2000, 100,
               10000, scalar @ids, @ids,
               map { ($_->[0], $place{ $_->[2] // 's1' }, $_->[1]) }
                   @entries);
}

sub take {
    my ($n, $consumer) = @_;
    my $r = call('XREADGROUP', 'GROUP', 'edge', $consumer // 'e:0', 'COUNT',
                 $n, 'STREAMS', $key{relays}, '>');
    return map { $_->[0] } @{ $r->[0][1] // [] };
}

sub row { return call('HGET', $key{ledger}, $_[0] // 's1') }

sub adds_up {
    my ($name) = @_;
    my %rows = @{ call('HGETALL', $key{ledger}) };
    my $queued = 0;
    for (values %rows) {
        my ($recorded, $delivered, $by37, $expired, $time, @codes) = split /,/;
        $queued += $recorded - $delivered - $expired;
        $queued -= (split /=/)[1] for @codes;
    }
    is($queued, call('XLEN', $key{relays}), "$name: the ledger adds up");
}

sub fresh {
    call('FLUSHALL');
    run('open', 2, @key{qw(version relays)}, 1);
}


# open

is(run('open', 2, @key{qw(version relays)}, 1), 1, 'stream and group are made');
is(run('open', 2, @key{qw(version relays)}, 1), 1, 'and found');
is(run('open', 2, @key{qw(version relays)}, 2), '1', 'another schema is told');
is(scalar @{ call('XINFO', 'GROUPS', $key{relays}) }, 1, 'one group');
call('DEL', $key{relays});
call('SET', $key{relays}, 'x');
like(run('open', 2, @key{qw(version relays)}, 1) // '', qr/WRONGTYPE/,
     'what is no stream is an error');

# record

fresh();
is(record('p1', 'a1'), '0 -1', 'a first relay is recorded without a count');
is(record('p1', 'a1'), '0 -1', 'the same attempt again is the same record');
is(record('p1', 'a2'), '37 ', 'another attempt is a duplicate');
is(record('p2', 'a3'), '0 -1', 'another proof is recorded');
is(call('XLEN', $key{relays}), 2, 'two entries');
is(row(), '2,0,0,0,1000', 'two recorded');
is(call('ZSCORE', $key{sessions}, 's1'), 5, 'the session is listed');
adds_up('record');

{
    my $entry = call('XRANGE', $key{relays}, '-', '+')->[0][1];
    is_deeply($entry, ['s', 's1', 'r', 'relay p1', 't', 1000],
              'what an entry holds');
}

# sessions

is(session('v', 0, 5, dispatch => 'D'), 'v 0  3 D',
   'the count is less what is recorded');
is(session('v', 0, 500), 'v 0  3 D', 'the first answer counts');
is(record('p3', 'a4'), '0 2', 'relays are counted down');
is(record('p3', 'a4'), '0 2', 'once each');
is(record('p3', 'a5'), '37 ', 'a duplicate counts nothing');
is(record('p4', 'a6'), '0 1', 'one left');
is(record('p5', 'a7'), '0 0', 'the last one');
is(record('p6', 'a8'), '90 ', 'then the session is used up');
is(record('p5', 'a7'), '0 0', 'a lost answer is still given');
is(call('XLEN', $key{relays}), 5, 'five entries');
is(session('v', 0, 500), 'i 90  0 D', 'and stays so');
adds_up('session');

fresh();
is(session('i', 1, -1, message => 'no answer'), 'i 1 no answer -1',
   'not verified');
is(record('p1', 'a1'), '1 no answer', 'is refused with its code');
is(session('v', 0, -1), 'v 0  -1', 'and may become valid');
is(record('p1', 'a1'), '0 -1', 'and is served without a count');
is(session('v', 0, 10), 'v 0  9', 'a count may follow');
is(session('i', 1, -1), 'v 0  9', 'what is valid is not unverified');
is(session('i', 14, -1, message => 'not in session'),
   'i 14 not in session 9', 'the node may end it');
is(session('i', 71, -1), 'i 14 not in session 9', 'once');
is(record('p2', 'a2'), '14 not in session', 'with its code and message');
is(call('EXISTS', "$key{proofs}:s1"), 1, 'proofs of one session');
is(call('HLEN', "$key{proofs}:s1"), 1, 'no proof of those refused');

fresh();
record('p1', 'a1');
is(session('v', 0, 1), 'i 90  0', 'a quota may be used up at once');

# records that may have been lost

fresh();
is(record('p1', 'a1'), '0 -1', 'a record');
is(record('p1', 'a1', doubt => [900]), '0 -1', 'asked again it is the same');
is(record('p2', 'a2', doubt => [900]), '0 -1', 'or is made');
is(again('p1', 'a1'), '0 -1', 'one that is known is not repeated');
is(again('p2', 'other'), '0 -1', 'nor one that another attempt recorded');
is(again('p3', 'a3'), '0 -1 1', 'one that was lost is recorded again');
is(again('p3', 'a3'), '0 -1', 'once');
is(row(), '3,0,0,0,1000', 'three recorded');
is_deeply([map { $_->[1][7] } @{ call('XRANGE', $key{relays}, '-', '+') }],
          [undef, 900, 900], 'what was asked again is in doubt');
session('v', 0, 4);
is(again('p4', 'a4'), '0 0 1', 'it counts down');
is(record('p5', 'a5'), '90 ', 'to the end');
is(again('p5', 'a5'), '0 0 1', 'which does not refuse it');
session('i', 14, -1, id => 's2', message => 'not in session');
is(again('q1', 'b1', id => 's2'), '0 -1 1', 'nor does an invalid session');
is(record('q2', 'b2', id => 's2'), '14 not in session',
   'which keeps its code');
is(record('q3', 'b3', id => 's2', doubt => [900]), '14 not in session',
   'what was never acknowledged is refused');
adds_up('repeat');

# settle

fresh();
record("p$_", "a$_") for 1 .. 6;
record('q1', 'b1', id => 's2');
my @ids = take(10);
is(scalar @ids, 7, 'all are read');
is(settle([$ids[0], 'd'], [$ids[1], 'f'], [$ids[2], 'e'], [$ids[3], 'r71'],
          [$ids[6], 'd', 's2']), 5, 'five are settled');
is(row(), '6,2,1,1,2000,71=1', 'by outcome');
is(row('s2'), '1,1,0,0,2000', 'and session');
adds_up('settle');
is(settle([$ids[0], 'd'], [$ids[3], 'r71']), 0, 'settled ones count no more');
is(row(), '6,2,1,1,2000,71=1', 'nothing changed');
settle([$ids[4], 'r71'], [$ids[5], 'r13']);
like(row(), qr/^6,2,1,1,2000,(71=2,13=1|13=1,71=2)$/, 'codes add up');
is(call('XLEN', $key{relays}), 0, 'the stream is empty');
is(call('XPENDING', $key{relays}, 'edge')->[0], 0, 'nothing is pending');
adds_up('all settled');

{
    my $dead = call('XRANGE', $key{dead}, '-', '+');
    is(scalar @$dead, 4, 'refused and expired ones are kept apart');
    is_deeply($dead->[1][1], ['s', 's1', 'r', 'relay p4', 't', 1000,
                              'w', 'r71', 'n', 2000, 'b', 50],
              'with the reason');
}

record('p7', 'a7');
my ($unread) = map { $_->[0] } @{ call('XRANGE', $key{relays}, '-', '+') };
is(settle([$unread, 'd']), 0, 'what was not read is not settled');
adds_up('unread');

call('XADD', $key{relays}, '*', 'foreign', 'x');
@ids = take(10);
is(settle([$ids[1], 'x']), 1, 'what is no relay goes');
is(call('XLEN', $key{relays}), 1, 'out of the stream');
adds_up('foreign');

{
    fresh();
    record("p$_", "a$_") for 1 .. 256;
    is(settle(map { [$_, 'r71'] } take(256)), 256, 'a whole batch');
    cmp_ok(call('XLEN', $key{dead}), '<=', 256, 'the dead are capped');
    adds_up('batch');

    # 100 of them at most, and 10000 bytes

    fresh();
    for my $n (1, 6, 16) {
        record("$n p$_", "a$_", relay => 'x' x 1500) for 1 .. $n;
        settle(map { [$_, 'r71'] } take($n));
        my $dead = call('XRANGE', $key{dead}, '-', '+');
        my $sum = 0;
        $sum += length $_->[1][3] for @$dead;
        cmp_ok($sum, '<=', 12000, "the dead are capped by their size: $n");
        cmp_ok($sum, '>=', $n > 6 ? 9000 : 1500 * $n, 'and not below it');
        is($dead->[-1][1][3], 'x' x 1500, 'the last one is there');
    }
}

# leases

sub lease   { return run('lease', 1, 'mesh:lease:e:0', @_) }
sub release { return run('release', 1, 'mesh:lease:e:0', @_, 60000) }

is(lease('t1', 5000, 0), 0, 'no lease to renew');
is(lease('t1', 5000, 1), 3, 'a first lease: nobody let go');
is(lease('t1', 5000, 0), 1, 'it is ours');
is(lease('t2', 5000, 1), 0, 'and not another\'s');
is(release('t2', 'clean'), 0, 'who does not let go');
cmp_ok(call('PTTL', 'mesh:lease:e:0'), '<=', 5000, 'it ends by itself');
is(release('t1', 'clean'), 1, 'we do');
is(lease('t2', 5000, 1), 2, 'cleanly');
is(release('t2', 'doubt:1000'), 1, 'or with something in doubt');
is(lease('t1', 5000, 0), 0, 'what was let go is not renewed');
is(lease('t1', 5000, 1), 'doubt:1000', 'and the next owner is told');
is(lease('t2', 5000, 1), 0, 'there is one owner');

# adoption

fresh();
record("p$_", "a$_") for 1 .. 5;
take(3, 'e:1');
is(run('adopt', 1, $key{relays}, 'e:1', 'e:0', 2), 2, 'two are moved');
is(run('adopt', 1, $key{relays}, 'e:1', 'e:0', 2), 1, 'then the third');
is(run('adopt', 1, $key{relays}, 'e:1', 'e:0', 2), 0, 'then none');
is(scalar @{ call('XINFO', 'CONSUMERS', $key{relays}, 'edge') }, 1,
   'and the consumer is gone');
is(scalar @{ call('XPENDING', $key{relays}, 'edge', '-', '+', 10, 'e:0') }, 3,
   'they are pending here');
adds_up('adopt');

# sweep and prune

fresh();
record('p1', 'a1');
record('q1', 'b1', id => 's2');
session('v', 0, 10);
settle([(take(1))[0], 'd']);

sub sweep {
    return run('sweep', 2 + 2 * @_, @key{qw(ledger sessions)},
               (map { ("$key{session}:$_", "$key{proofs}:$_") } @_), @_);
}

is(sweep('s1', 's2'), 1, 'a session with a queue stays');
is_deeply(call('ZRANGE', $key{sessions}, 0, -1), ['s2'], 'in the list');
is(call('EXISTS', "$key{session}:s1", "$key{proofs}:s1"), 0, 'the other goes');
is(call('EXISTS', "$key{proofs}:s2"), 1, 'with its own keys only');
is(row(), '1,1,0,0,2000', 'its row stays');
is(run('prune', 1, $key{ledger}, 's1', 'changed', 's2', row('s2')), 1,
   'rows that have changed stay');
is_deeply([scalar row('s1'), scalar row('s2')], ['1,1,0,0,2000', undef], 'the others go');

# OOM: all or nothing

fresh();
record('p1', 'a1');
@ids = take(1);
call('CONFIG', 'SET', 'maxmemory', 1);
like(record('p2', 'a2'), qr/OOM/, 'without memory nothing is recorded');
is(call('EXISTS', "$key{proofs}:s1") && call('HLEN', "$key{proofs}:s1"), 1,
   'no proof');
is(settle([$ids[0], 'd']), 1, 'but what is delivered is settled');
call('CONFIG', 'SET', 'maxmemory', 0);
is(record('p2', 'a2'), '0 -1', 'and it goes on');
adds_up('out of memory');

done_testing;
