# Guards the accounts of sessions: what became of each relay is counted for its
# servicer and session, once, whatever became of it and of the session; so that
# what servicers claim beyond what callers were told can be named.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshSessions qw(refused relayed);
use Test::More;

my $auth = 'gateway_auth %DIR%/auth.json;';
my @kinds = qw(answered checks rejected code_28 hedges timeouts refused);

# it is never sent beside another

my $send = '{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction",'
           . '"params":["0x00"]}';

sub session { return $_[0]{head} =~ /^Gateway-Session: (\d+)/mi ? $1 : -1 }

sub attempts { return $_[0]{head} =~ /^Gateway-Attempts: (\d+)/mi ? $1 : -1 }

sub get {
    my ($gateway, $uri, @headers) = @_;
    return $gateway->ask($uri, get => 1, headers => \@headers);
}

sub rows {
    my ($gateway, $uri) = @_;
    my $answer = get($gateway, $uri // '/gateway/sessions?chain=0021',
                     'Authorization: token');
    my $text = $answer->{body} // '';
    my $json = '';
    while ($text =~ /\G([0-9a-f]+)\r\n/gci) {
        my $n = hex $1 or last;
        $json .= substr $text, pos $text, $n;
        pos($text) += $n + 2;
    }
    return JSON::PP::decode_json($json);
}

# of servicer $i, in that session (5)

sub row {
    my ($gateway, $net, $i, $session) = @_;
    my @rows = grep { $_->{node}{public_key} eq $net->key($i)
                      && $_->{session_height} == ($session // 5) }
               @{ rows($gateway) };
    is(scalar @rows, 1, "one account of servicer $i") if @rows > 1;
    return $rows[0] // {};
}

# "answered 3 hedges 1": what is not 0

sub counts {
    my ($row) = @_;
    return join ' ', map { $row->{$_} ? "$_ $row->{$_}" : () } @kinds;
}

sub total { my $n = 0; $n += $_[0]{$_} // 0 for @kinds; return $n }

my $net = MeshSessions->start(edges => [2], mocks => 1);
my $mock = $net->mock(0);

# good answers

{
    $net->mocks->set(0, mode => 'refuse');
    my $gateway = $net->gateway(http => $auth, family => 'none',
                                keys => 'hedge off;');

    my %of;
    $of{ $net->servicer($_) }++
        for map { $gateway->ask('/relay/0021', body => $send) } 1 .. 40;
    is_deeply([sort keys %of], [0, 1], 'two servicers serve');
    is(counts(row($gateway, $net, $_)), "answered $of{$_}",
       "all of servicer $_") for 0, 1;
    is(counts(row($gateway, $net, $mock)), '',
       'nothing of the one that does not listen');

    my $row = row($gateway, $net, 0);
    is($row->{chain}, '0021', 'chain');
    is($row->{app}, MeshRelay::public('app'), 'application');
    is($row->{node}{address}, MeshRelay::address('s0'), 'address');
    is($row->{state}, 'served', 'state');

    is(get($gateway, '/gateway/sessions')->{status}, 401, 'a token is needed');
    is(get($gateway, '/gateway/sessions?chain=no',
           'Authorization: token')->{status}, 404, 'a chain that is not there');
    is($gateway->ask('/gateway/sessions',
                     headers => ['Authorization: token'])->{status}, 405,
       'no POST');
    is(scalar @{ rows($gateway, '/gateway/sessions') }, 3, 'all chains');

    $gateway->reload;
    $of{ $net->servicer($_) }++
        for map { $gateway->ask('/relay/0021', body => $send) } 1 .. 10;
    is(counts(row($gateway, $net, $_)), "answered $of{$_}",
       "servicer $_ after a reload") for 0, 1;

    $gateway->end;
}

# one that is faulty: each relay it was sent is counted as what it became

my @faults = (
    ['a wrong signature', 'rejected',
     body => relayed('{"jsonrpc":"2.0","id":1,"result":"a"}', '0' x 128)],
    ['HTML', 'timeouts', body => '<html>'],
    ['a closed connection', 'timeouts', mode => 'close'],
    ['half an answer', 'timeouts', mode => 'half'],
    ['a limit', 'refused', status => 429],
    ['code 28', 'code_28', status => 400, body => refused(28)],
    ['code 1', 'code_28', status => 400, body => refused(1)],
    ['code 71', 'refused', status => 400, body => refused(71)],
    ['nothing at all', 'hedges', mode => 'hang'],
);

for (@faults) {
    my ($name, $kind, %set) = @$_;
    $net->mocks->set(0, mode => '', status => 200, body => '<>', %set);
    $net->mocks->reset;

    my $gateway = $net->gateway(http => $auth, family => 'none',
                                keys => 'timeout 20s;' . ($kind eq 'hedges'
                                        ? '' : 'hedge off;'));
    my ($answered, $attempts) = (0, 0);

    ok($gateway->wait(sub {
        my $answer = $gateway->ask('/relay/0021',
                                   $kind eq 'hedges' ? () : (body => $send));
        $answered += $answer->{status} == 200;
        $attempts += attempts($answer);
        return $net->mocks->checks(0);
    }, 30), "$name: it was asked");

    my $n = $net->mocks->checks(0);
    is(counts(row($gateway, $net, $mock)), "$kind $n", "$name: $kind");

    my ($one, $two) = map { row($gateway, $net, $_) } 0, 1;
    is($one->{answered} + $two->{answered}, $answered,
       "$name: the others have answered");
    is(total($one) + total($two) + $n, $attempts, "$name: and nothing else");
    $gateway->end;
}

# a fault of its chain, in an answer that it has signed

{
    $net->mocks->set(0, mode => 'refuse');
    $net->chain->set(0, error => '{"code":-32603,"message":"broken"}');
    $net->chain->reset;
    my $gateway = $net->gateway(http => $auth, family => 'none');
    is($gateway->ask('/relay/0021')->{status}, 502, 'none is good');
    is(row($gateway, $net, 0)->{rejected} + row($gateway, $net, 1)->{rejected},
       $net->chain->checks(0), 'all answers of their chain are rejected');
    $net->chain->set(0, error => undef);
    $gateway->end;
}

# a caller that leaves, of a call that is not asked elsewhere

{
    $net->chain->set(0, mode => 'wait');
    $net->chain->reset;
    my $gateway = $net->gateway(http => $auth, family => 'none');
    my $s = $gateway->connect;
    print $s $gateway->request('/relay/0021', body => $send);
    ok($gateway->wait(sub { $net->chain->checks(0) }, 30), 'it was sent');
    close $s;
    ok($gateway->wait(sub {
        'timeouts 1' eq join '', map { counts(row($gateway, $net, $_)) } 0, 1;
    }), 'a caller that has left');
    $net->chain->set(0, mode => '');
    $gateway->end;
}

# checks

{
    my $gateway = $net->gateway(http => $auth, interval => '1s');
    ok($gateway->wait(sub {
        2 == grep { (row($gateway, $net, $_)->{checks} // 0) >= 3 } 0, 1
    }, 30), 'checks');
    is(row($gateway, $net, 0)->{answered}, 0, 'and no answer');
    $gateway->end;

    $net->mocks->set(0, mode => '', status => 400, body => refused(28));
    $gateway = $net->gateway(http => $auth, interval => '1s');
    ok($gateway->wait(sub {
        (row($gateway, $net, $mock)->{code_28} // 0) >= 2
    }, 30), 'checks that a chain fails');
    is(row($gateway, $net, $mock)->{checks}, 0, 'and no other');
    $gateway->end;
    $net->mocks->set(0, mode => 'refuse');
}

# An answer that outlasts its session, whose place another one has by then:
# both the caller and the account are told of the one it was signed for.

{
    $net->chain->set(0, mode => 'wait');
    $net->chain->reset;
    my $gateway = $net->gateway(family => 'none', http => "$auth
                                gateway_deadline 100s;",
                                keys => 'timeout 100s;');
    my $s = $gateway->connect;
    print $s $gateway->request('/relay/0021', body => $send);
    ok($gateway->wait(sub { $net->chain->checks(0) }, 30), 'it was sent');

    for my $session (13, 17, 21) {
        $net->node->get('/_demo/set?height=' . ($session + 1));
        ok($gateway->wait(sub {
            get($gateway, '/gateway/find/0021')->{body}
                =~ /"session_height":$session,/
            && 3 == grep { $_->{state} eq 'served' } @{ rows($gateway) }
        }, 30), "session $session alone is served");
    }

    $net->chain->set(0, mode => '');
    my $text = '';
    1 while sysread $s, $text, 65536, length $text
            and !($text =~ /\r\n\r\n.*\}$/s);
    my $answer = MeshPool::parse(\$text) // { head => '', status => 0 };
    is($answer->{status}, 200, 'answered in the end');
    is(session($answer), 5, 'of the session it was sent in');

    my $i = $net->servicer($answer);
    is(counts(row($gateway, $net, $i)), 'answered 1', 'as its account says');
    is(row($gateway, $net, $i)->{state}, 'ended', 'which has ended');
    is(join('', map { counts(row($gateway, $net, $i, $_)) } 13, 17, 21), '',
       'those of the others say nothing');
    is($gateway->logged('\[alert\]'), 0, 'no alert');
    $gateway->end;
}

$net->end;

done_testing();
