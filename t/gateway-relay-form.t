# Guards what nodes are sent of a caller's request, and what callers are sent
# besides the answer: paths, queries, headers, CORS, methods, limits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use MeshPool;
use MeshServers;
use Test::More;

my $servers = MeshServers->start(2, echo => 1);
my $base = 'http://127.0.0.1:' . $servers->port(0) . '/v3/KEY';

my $gateway = MeshPool->new(
    http => qq(
        gateway_chain eth { family evm; check_interval 60s; node $base name=n;
                            header X-Key secret; header Accept text/plain; }
        gateway_chain bare { node http://127.0.0.1:) . $servers->port(0) . qq(
                                  name=n; }
        gateway_chain query { node $base?a=1 name=n; }
        gateway_chain fallen { node http://127.0.0.1:1 name=n;
                               altruist $base; }),
    server => '
        client_max_body_size 8m;
        location /relay/ { gateway_relay; }
        location /open/ { gateway_relay bare;
                          gateway_pass_headers X-One X-Two; }
        location /quiet/ { gateway_relay bare; gateway_headers off; }
        location ~ ^/re/ { gateway_relay bare; }
        location = /one { gateway_relay bare; }
        location /by/ { set $chain bare; gateway_relay $chain; }
        location /none/ { set $chain ""; gateway_relay $chain; }',
)->start;

# what the node was sent
sub seen {
    my ($uri, %o) = @_;
    my $answer = $gateway->ask($uri, %o);
    my $json = eval { JSON::PP->new->latin1->decode($answer->{body}) } // {};
    my $result = ref $json->{result} ? $json->{result} : {};
    my $head = $result->{head} // '';
    my ($line, @lines) = split /\r\n/, $head;
    return { %$answer, line => $line // '', sent => $result->{body} // '',
             header => { map { /^(\S+): (.*)/ ? (lc $1 => $2) : () }
                         @lines } };
}

sub reason { return $_[0]{body} =~ /"reason":"(\w*)"/ ? $1 : '' }

# a request of a method of its own
sub raw {
    my ($text) = @_;
    my $s = $gateway->connect;
    print $s $text;
    my ($in, $answer) = ('');
    my $select = IO::Select->new($s);
    while ($select->can_read(10)) {
        my $n = sysread $s, $in, 65536, length $in;
        last if !$n;
        last if $answer = MeshPool::parse(\$in);
    }
    return $answer // { status => 0, head => '', body => '' };
}

# path and query

my @paths = (
    ['/relay/eth', '/v3/KEY'],
    ['/relay/eth/', '/v3/KEY/'],
    ['/relay/eth/a/b', '/v3/KEY/a/b'],
    ['/relay/eth?x=1&y=%20', '/v3/KEY?x=1&y=%20'],
    ['/relay/eth/a%2Fb%20c', '/v3/KEY/a%2Fb%20c'],
    ['/relay/bare/a', '/a'],
    ['/relay/query/a?b=2', '/v3/KEY/a?a=1&b=2'],
    ['/open/a/b?c', '/a/b?c'],
    ['/re/a/b', '/re/a/b'],
    ['/one', '/'],
    ['/by/bare/a', '/a'],
    ['/by/a', '/a'],
);

for my $case (@paths) {
    my ($uri, $path) = @$case;
    is(seen($uri)->{line}, "POST $path HTTP/1.1", $uri);
}

is(seen('/none/a')->{status}, 400, 'a variable that is empty');

# headers

my $seen = seen('/relay/eth', headers => ['X-Own: 1', 'Authorization: s',
                                          'Cookie: c', 'Accept: a/b',
                                          'Accept-Encoding: gzip']);
is($seen->{header}{'content-type'}, 'application/json',
   'JSON where the caller says nothing');
is($seen->{header}{'x-key'}, 'secret', 'a header of the chain');
is($seen->{header}{accept}, 'text/plain', 'which counts more than the same '
   . 'of the caller');
is($seen->{header}{$_}, undef, "\"$_\" is not passed")
    for qw(x-own authorization cookie accept-encoding);
is($seen->{sent}, '{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[]}',
   'the body as it was');

is(seen('/relay/eth', headers => ['Content-Type: text/x-own'])
       ->{header}{'content-type'}, 'text/x-own', 'the type of the caller');

$seen = seen('/open/', headers => ['X-One: 1', 'x-two: 2', 'Accept: a/b']);
is($seen->{header}{'x-one'}, 1, 'what the configuration names is passed');
is($seen->{header}{'x-two'}, 2, 'in any case');
is($seen->{header}{accept}, undef, 'and nothing else');

# methods

is(seen('/relay/eth/a', get => 1)->{line}, 'GET /v3/KEY/a HTTP/1.1', 'GET');

for my $method (qw(PUT DELETE)) {
    my $a = raw("$method /relay/eth/a HTTP/1.1\r\nHost: a\r\n"
                . "Content-Length: 2\r\n\r\n{}");
    like($a->{body}, qr/"head":"$method \/v3\/KEY\/a HTTP/, $method);
}

my $a = raw("OPTIONS /relay/eth HTTP/1.1\r\nHost: a\r\n"
            . "Content-Length: 0\r\n\r\n");
is($a->{status}, 200, 'OPTIONS');
like($a->{head}, qr/^Access-Control-Allow-Methods: POST, GET, PUT, DELETE,/mi,
     'says what is allowed');

$a = raw("PATCH /relay/eth HTTP/1.1\r\nHost: a\r\n\r\n");
is($a->{status}, 405, 'PATCH');
is(reason($a), 'bad_method', 'its reason');
like($a->{head}, qr/^Allow: POST, GET, PUT, DELETE, OPTIONS\r/mi,
     'what is allowed');

# headers of answers

$a = $gateway->ask('/relay/eth');
like($a->{head}, qr/^$_: /mi, $_)
    for qw(Gateway-Node Gateway-Attempts Access-Control-Allow-Origin
           Access-Control-Allow-Headers);
like($a->{head}, qr/^Content-Type: application\/json\r/mi,
     'the type of the answer');

$a = $gateway->ask('/quiet/');
unlike($a->{head}, qr/^Gateway-/mi, 'gateway_headers off');
like($a->{head}, qr/^Access-Control-Allow-Origin: /mi, 'CORS all the same');

# the reference's error body

$a = $gateway->ask('/relay/', get => 1);
is($a->{status}, 400, 'no chain');
is_deeply(JSON::PP::decode_json($a->{body}),
          { message => 'Incorrect chain id', status => 400,
            error => { reason => 'bad_chain', attempts => 0 } }, 'its body');
like($a->{head}, qr/^Content-Type: application\/json\r/mi, 'its type');
like($a->{head}, qr/^Access-Control-Allow-Origin: /mi, 'CORS');

# a body whose length is told late

my $chunk = sprintf("%x\r\n%s\r\n", 100000, 'x' x 100000);
$a = raw("POST /relay/eth HTTP/1.1\r\nHost: a\r\n"
         . "Transfer-Encoding: chunked\r\n\r\n" . $chunk x 11 . "0\r\n\r\n");
is($a->{status}, 413, 'chunks that no servicer reads');
is(reason($a), 'too_large', 'its reason');

$a = raw("POST /relay/eth HTTP/1.1\r\nHost: a\r\n"
         . "Transfer-Encoding: chunked\r\n\r\n" . $chunk x 10 . "0\r\n\r\n");
is($a->{status}, 200, 'chunks that just are');

# the altruist gets the same

$seen = seen('/relay/fallen/a?b=1', headers => ['Content-Type: text/x-own']);
is($seen->{line}, 'POST /v3/KEY/a?b=1 HTTP/1.1',
   'the altruist: method, path and query');
is($seen->{header}{'content-type'}, 'text/x-own', 'type');
like($seen->{sent}, qr/eth_call/, 'body');

$gateway->end;
$servers->stop;

done_testing();
