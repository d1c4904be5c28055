# Guards calls that are relayed to the servicers of sessions: each is signed,
# each answer verified, and callers do not see what one servicer does wrong.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use JSON::PP ();
use MeshSessions qw(refused relayed);
use Test::More;
use Time::HiRes ();

my $ok = '{"jsonrpc":"2.0","id":1,"result":"forged"}';

sub failures {
    my ($sum) = @_;
    return $sum->{n} - ($sum->{status}{200} // 0) + $sum->{open};
}

sub attempts { return $_[0]{head} =~ /^Gateway-Attempts: (\d+)/mi ? $1 : -1 }

sub reason { return $_[0]{body} =~ /"reason":"(\w*)"/ ? $1 : '' }

# what /gateway/nodes tells of a servicer

sub told {
    my ($gateway, $net, $i) = @_;
    my $answer = $gateway->ask('/gateway/nodes?chain=0021', get => 1,
                               headers => ['Authorization: token']);
    my ($node) = grep { $_->{node} eq $net->key($i) }
                 @{ JSON::PP::decode_json(unchunked($answer->{body})) };
    return $node;
}

sub excluded { return join ' ', map { $_->{reason} } @{ $_[0]{excluded} } }

my $auth = 'gateway_auth %DIR%/auth.json;';

# good servicers: the form of answers

my $net = MeshSessions->start(edges => [2, 1], mocks => 1);
my $mock = $net->mock(0);

{
    $net->mocks->set(0, mode => 'refuse');
    my $gateway = $net->gateway;
    my $a = $gateway->ask('/relay/0021');
    is($a->{status}, 200, 'answered');
    like($a->{body}, qr/^\{"jsonrpc":"2.0","id":1,"result":"server \d"\}$/,
         "by the chain, in its words");
    like($a->{head}, qr/^Content-Type: application\/json/mi, 'JSON');
    like($a->{head}, qr/^Content-Length: \d/mi, 'a whole one');
    like($a->{head}, qr/^Gateway-Session: 5\r/mi, 'of a session');
    cmp_ok($net->servicer($a), '>=', 0, "and of a servicer's");

    my %of;
    $gateway->wait(sub {
        $of{ $net->servicer($gateway->ask('/relay/0021')) }++;
        return keys %of == 3;
    }, 30);
    is_deeply([sort keys %of], [0, 1, 2], 'all of them serve');

    $a = $gateway->ask('/relay/0021', body => "\"\xff\"");
    is($a->{status}, 400, 'what is not UTF-8');
    is(reason($a), 'not_utf8', 'its reason');

    $a = $gateway->ask('/relay/0021', body => '["' . '\\"' x 400000 . '"]');
    is($a->{status}, 413, 'what is too long as a relay');
    is(reason($a), 'too_large', 'its reason');

    # faults of the caller pass at once, those of a servicer's chain do not

    $net->chain->set($_, error => '{"code":-32602,"message":"bad"}')
        for 0, 1;
    $a = $gateway->ask('/relay/0021');
    like($a->{body}, qr/"code":-32602,/, 'a fault of the caller');

    $net->chain->set(1, error => '{"code":-32603,"message":"broken"}');
    my @all = map { $gateway->ask('/relay/0021') } 1 .. 30;
    is(scalar(grep { $_->{body} =~ /-32602/ } @all), 30,
       "a fault of a servicer's chain: another is asked");
    is(scalar(grep { $net->servicer($_) == 2 } @all), 0, 'never that one');

    $net->chain->set(0, error => '{"code":-32603,"message":"broken"}');
    $net->mocks->set(0, mode => '', status => 400, body => refused(71));
    $a = $gateway->ask('/relay/0021');
    is($a->{status}, 200, 'all that serve say the same: it passes');
    like($a->{body}, qr/"code":-32603,"message":"broken"/, 'in their words');

    $net->chain->set($_, error => '') for 0, 1;
    is($gateway->logged('\[alert\]'), 0, 'no alert');
    $gateway->end;
}

# one of four fails, each in its way: no caller sees it

my @faults = (
    ['a wrong signature', body => relayed($ok, '0' x 128)],
    ['no signature', body => relayed($ok, '')],
    ['HTML', body => '<html>'],
    ['JSON of another kind', body => $ok],
    ['half an answer', mode => 'half'],
    ['status 500', status => 500],
    ['a limit', status => 429],
    ['no connection', mode => 'refuse'],
    ['a closed connection', mode => 'close'],
    ['nothing at all', mode => 'hang'],
    map { ["code $_", status => 400, body => refused($_)] }
        1, 14, 28, 60, 71, 75, 90,
);

for (@faults) {
    my ($name, %set) = @$_;
    $net->mocks->set(0, mode => '', status => 200, body => $ok, %set);
    $net->mocks->reset;

    my $gateway = $net->gateway(http => $auth, keys => 'timeout 4s;');
    my $asked = ($set{mode} // '') eq 'refuse';
    my %sum = (n => 0, failed => 0, forged => 0);

    for (1 .. 20) {
        my $sum = $gateway->load('/relay/0021', seconds => 0.5, callers => 5,
            each => sub { $sum{forged}++ if $_[0]{body} =~ /forged/ });
        $sum{n} += $sum->{n};
        $sum{failed} += failures($sum);
        $asked ||= $net->mocks->checks(0);
        last if $asked;
    }

    is($sum{failed}, 0, "$name: no failure");
    is($sum{forged}, 0, "$name: no answer of its own");
    ok($asked, "$name: it was asked");
    is($gateway->logged('\[alert\]'), 0, "$name: no alert");

    is(excluded(told($gateway, $net, $mock)), '', "$name: no penalty")
        if $name =~ /^code (71|90)$/;
    $gateway->end;
}

# a wrong signature: out at once, and why; without checks, which see it, too

{
    $net->mocks->set(0, mode => '', status => 200,
                     body => relayed($ok, '0' x 128));
    my $gateway = $net->gateway(http => $auth, family => 'none');
    ok($gateway->wait(sub {
        $gateway->ask('/relay/0021');
        return excluded(told($gateway, $net, $mock)) eq 'signature';
    }, 30), 'it is out for its signature');

    my $node = told($gateway, $net, $mock);
    is($node->{error}{text}, 'a wrong signature', 'as its last error says');
    cmp_ok($node->{correctness}, '<', 1, 'it counts as incorrect');

    $net->mocks->reset;
    my $sum = $gateway->load('/relay/0021', seconds => 1, callers => 5);
    is(failures($sum), 0, 'no failure');
    is($net->mocks->checks(0), 0, 'it is not asked any more');

    # with what proves it, whoever keeps the evidence

    my $long = '{"jsonrpc":"2.0","id":1,"result":"' . 'x' x 20_000 . '"}';
    $net->mocks->set(0, body => relayed($long, '0' x 128));
    my $kept = $net->gateway(family => 'none',
        http => 'mesh_redis unix:' . $net->{redis}->socket . ';');
    my @evidence;
    ok($kept->wait(sub {
        $kept->ask('/relay/0021') if !$kept->logged('signed another answer');
        @evidence = map { JSON::PP::decode_json($_) }
            @{ $net->{redis}->command('LRANGE', 'gateway:{0021}:evidence', 0,
                                      -1) // [] };
        return @evidence;
    }, 30), 'there is evidence of a call');
    my $proof = $evidence[0];
    is($proof->{check}, 'signature', 'of its signature');
    is($proof->{node}, $net->key($mock), 'which was its');
    is($proof->{signature}, '0' x 128, 'is this');
    is($proof->{answer}, $long, 'of this answer, all of it');
    is($proof->{size}, length $long, 'as its size says');
    my ($hash) = MeshRelay::hashes('{"signature":"","payload":"'
        . $long =~ s/(["\\])/\\$1/gr . qq(","Proof":"$proof->{proof}"}));
    is($proof->{hash}, $hash, 'it should be of this hash');
    is(MeshRelay::signed($proof->{node}, $long =~ s/(["\\])/\\$1/gr,
                         $proof->{proof}, $proof->{signature}), 0,
       'and is not');
    $kept->end;
    $net->mocks->set(0, body => relayed($ok, '0' x 128));

    # who does not verify, does not know

    my $blind = $net->gateway(family => 'none', keys => 'verify off;');
    my @answers;
    ok($blind->wait(sub {
        push @answers, $blind->ask('/relay/0021');
        return $answers[-1]{body} eq $ok;
    }, 30), 'without verification it passes');
    is(scalar(grep { $_->{status} != 200 } @answers), 0, 'none fails');
    $blind->end;

    my $some = $net->gateway(family => 'none', http => 'gateway_verify 50%;');
    ok($some->wait(sub {
        $some->ask('/relay/0021');
        return $some->logged('signed another answer');
    }, 60), 'a share of it is found out');
    $some->end;
    $gateway->end;
}

# a write is not repeated, unless it was refused before it was done

{
    my $send = '{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction",'
               . '"params":["0x00"]}';

    $net->mocks->set(0, status => 400, body => refused(75));
    my $gateway = $net->gateway;
    my @all = map { $gateway->ask('/relay/0021', body => $send) } 1 .. 30;
    is(scalar(grep { $_->{status} == 200 } @all), 30,
       'writes that a servicer refuses go elsewhere');
    $gateway->end;

    $net->mocks->set(0, body => refused(28));
    $gateway = $net->gateway(family => 'none',
        keys => 'write_method eth_sendRawTransaction;');
    my $a;
    ok($gateway->wait(sub {
        $a = $gateway->ask('/relay/0021', body => $send);
        return $a->{status} != 200;
    }, 30), 'a write that may have been done');
    is($a->{status}, 502, 'fails');
    is(reason($a), 'not_repeated', 'its reason');
    $gateway->end;
}

# long answers: held where they are verified, streamed where they are not

{
    my $long = '{"jsonrpc":"2.0","id":1,"result":"' . "\x{e9}\\n" x 200000
               . '"}';
    utf8::encode($long);
    $net->mocks->set(0, mode => 'refuse');
    $net->chain->set($_, body => $long) for 0, 1;

    my $gateway = $net->gateway(http => 'gateway_buffer 64k;');
    my $a = $gateway->ask('/relay/0021');
    is($a->{status}, 200, 'held');
    ok($a->{body} eq $long, 'whole, and as it was');
    like($a->{head}, qr/^Content-Length: /mi, 'its length is known');
    ok($gateway->logged('temporary file'), 'in a file');
    $gateway->end;

    $gateway = $net->gateway(http => "gateway_buffer 64k; $auth",
                             keys => 'verify off; hedge off;');
    $a = $gateway->ask('/gateway/admin/cordon',
        headers => ['Authorization: token'],
        body => '{"chain":"0021","node":"' . $net->key($mock) . '"}');
    is($a->{status}, 200, 'the one that refuses is taken out');
    ok($gateway->wait(sub {
        told($gateway, $net, $mock)->{state} eq 'cordoned';
    }), 'and is not asked');
    $a = $gateway->ask('/relay/0021');
    is($a->{status}, 200, 'streamed');
    like($a->{head}, qr/^Transfer-Encoding: chunked/mi, 'in chunks');
    ok(unchunked($a->{body}) eq $long, 'whole, and as it was');
    is(attempts($a), 1, 'at once');

    # a caller that takes its time

    my $s = $gateway->connect;
    print $s $gateway->request('/relay/0021', headers =>
                               ['Connection: close']);
    ok($gateway->wait(sub { $gateway->logged('temporary file') }),
       'what a caller does not take is held');
    my $text = do { local $/; <$s> };
    ok(unchunked($text =~ s/^.*?\r\n\r\n//sr) eq $long, 'and then sent');

    # one that leaves

    $s = $gateway->connect;
    print $s $gateway->request('/relay/0021');
    IO::Select->new($s)->can_read(10);
    close $s;
    is($gateway->ask('/relay/0021')->{status}, 200, 'a caller left');
    ok($gateway->quit, 'with nothing behind');
    is($gateway->logged('\[alert\]'), 0, 'no alert');
    $gateway->end;

    $gateway = $net->gateway(http => 'gateway_max_answer 100k;');
    $a = $gateway->ask('/relay/0021');
    is($a->{status}, 502, 'longer than is held');
    is(reason($a), 'answer_too_long', 'its reason');
    $gateway->end;

    # one that breaks off within what is held

    my $half = '{"jsonrpc":"2.0","id":1,"result":"' . 'x' x 100000 . '"}';
    $net->chain->set($_, body => '') for 0, 1;
    $net->mocks->set(0, mode => 'half', body => relayed($half, ''));

    $gateway = $net->gateway(keys => 'verify off;');
    my $sum = $gateway->load('/relay/0021', seconds => 1, callers => 4);
    is(failures($sum), 0, 'broken off within 64k: no caller sees it');
    $gateway->end;
}

# a servicer that is killed under load

{
    $net->mocks->set(0, mode => 'refuse');
    my $gateway = $net->gateway;
    my $killed = 0;
    my $from = Time::HiRes::time();
    my $sum = $gateway->load('/relay/0021', seconds => 3, callers => 8,
        tick => sub {
            return if $killed || Time::HiRes::time() < $from + 1;
            $killed = 1;
            $net->edge(1)->kill9;
        });
    ok($killed, 'an edge was killed');
    is(failures($sum), 0, 'no caller sees it');
    is($gateway->logged('\[alert\]'), 0, 'no alert');
    $gateway->end;
}

# only one is left, and breaks off after what is held

{
    $net->edge(0)->kill9;

    my $half = '{"jsonrpc":"2.0","id":1,"result":"' . 'x' x 400000 . '"}';
    $net->mocks->set(0, mode => 'half', status => 200,
                     body => relayed($half, ''));

    my $gateway = $net->gateway(keys => 'verify off;');
    my $a = $gateway->ask('/relay/0021');
    is($a->{status}, 0, 'the caller sees that it is not whole');
    ok($gateway->logged('ended within an answer'), 'as the log says');
    is($gateway->logged('\[alert\]'), 0, 'no alert');
    $gateway->end;
}

$net->end;

done_testing();

sub unchunked {
    my ($text) = @_;
    my $out = '';
    while ($text =~ /\G([0-9a-f]+)\r\n/gci) {
        my $n = hex $1;
        last if $n == 0;
        $out .= substr $text, pos $text, $n;
        pos($text) += $n + 2;
    }
    return $out;
}
