# Guards what a chain is asked: the payload and nothing of the client's own
# request, no header that a payload could smuggle in, the operator's password
# for this chain only.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new(chains => {});
my $base = $edge->{chains}{'0001'};
$edge->{chains}{'0011'} = "${base}echo";
(my $secret = $base) =~ s{//}{//user:pass\@};
$edge->{chains}{'0012'} = "${secret}echo";
$edge->{chains}{'0013'} = 'http://balanced/echo';
$edge->{chains}{'0014'} = "${base}echo/?key=1";
$edge->write_files;
($ENV{TEST_NGINX_ADDR}) = $base =~ m{//(.*)/};

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(http => <<"EOF") unless defined $block->http;
    upstream balanced {
        server $ENV{TEST_NGINX_ADDR};
        keepalive 4;
    }
EOF
    $edge->prepare($block);
});
add_response_body_check(sub { $edge->check(@_) });

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: method, path, body, the default type, and nothing else
--- relay: chain => '0001', path => '/echo/a b/', data => '{"x":1}'
--- more_headers
Cookie: secret
X-Client: secret
Authorization: secret
Accept-Encoding: gzip
--- response_body_like eval
qr/^\{"response":"POST \/echo\/a%20b HTTP\/1\.1\\r\\nHost: $ENV{TEST_NGINX_ADDR}\\r\\nContent-Length: 7\\r\\nContent-Type: application\/json\\r\\nUser-Agent: mesh-node\\r\\n\\r\\n\{\\"x\\":1\}",/



=== TEST 2: the payload's headers replace the default ones
--- relay: chain => '0011', headers => '{"User-Agent":"own","X-A":"b"}'
--- response_body_like: User-Agent: own
--- response_body_unlike: Content-Type|mesh-node



=== TEST 3: and are all there
--- relay: chain => '0011', headers => '{"User-Agent":"own","X-A":"b"}'
--- response_body_like: X-A: b



=== TEST 4: but for those of the connection
--- relay
    chain => '0011', headers => '{"Connection":"close","Content-Length":"1","Host":"evil","Trailer":"X","Transfer-Encoding":"chunked","X-A":"b"}'
--- response_body_like eval
qr/"POST \/echo HTTP\/1\.1\\r\\nHost: $ENV{TEST_NGINX_ADDR}\\r\\nContent-Length: 47\\r\\nUser-Agent: mesh-node\\r\\nX-A: b\\r\\n\\r\\n/



=== TEST 5: a header in a header's value
--- relay: chain => '0011', headers => '{"X-A":"b\r\nX-B: c"}'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0011 PATH= METHOD=POST



=== TEST 6: a header in a header's name
--- relay: chain => '0011', headers => '{"X-A: b\r\nX-B":"c"}'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0011 PATH= METHOD=POST



=== TEST 7: a request in the path
--- relay: chain => '0001', path => 'echo\r\nX-B: c'
--- refused: 28 error executing the http request: unable to process blockchain request



=== TEST 8: a request in the method
--- relay: chain => '0011', method => 'GET / HTTP/1.1\r\nX-B: c\r\n\r\nGET'
--- refused: 28 error executing the http request: unable to process blockchain request



=== TEST 9: other methods
--- relay: chain => '0011', method => 'PROPFIND', data => 'x'
--- response_body_like: ^\{"response":"PROPFIND /echo HTTP/1.1



=== TEST 10: a GET without a body
--- relay: chain => '0001', method => 'GET', path => 'echo?a=b', data => ''
--- response_body_like: ^\{"response":"GET /echo\?a=b HTTP/1.1



=== TEST 11: the password of a chain
--- relay: chain => '0012'
--- response_body_like: Authorization: Basic dXNlcjpwYXNz\\r



=== TEST 12: which a payload replaces
--- relay: chain => '0012', headers => '{"Authorization":"own"}'
--- response_body_like: Authorization: own\\r
--- response_body_unlike: Basic



=== TEST 13: an upstream{} of the operator
--- relay: chain => '0013'
--- response_body_like: ^\{"response":"POST /echo HTTP/1.1\\r\\nHost: balanced\\r



=== TEST 14: a host that is not found, and no upstream{} of that name
--- http
    # none
--- suppress_stderr
--- relay: chain => '0013'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0013 PATH= METHOD=POST
--- error_log
host of chain "0013" in



=== TEST 15: a unix socket
--- relay: chain => '0004', path => 'echo'
--- response_body_like: ^\{"response":"POST /echo HTTP/1.1\\r\\nHost: localhost\\r



=== TEST 16: IPv6
--- relay: chain => '0005'
--- response_body_like: 0x21



=== TEST 17: a query in the url of the chain
--- relay: chain => '0014', path => 'more'
--- response_body_like: ^\{"response":"POST /echo



=== TEST 18: a body above the limit of the server, allowed for relays
--- http
    upstream balanced {
        server $TEST_NGINX_ADDR;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        client_max_body_size 1k;
        location = /v2/relay {
            mesh_relay on;
            client_max_body_size 1m;
        }
        include $TEST_NGINX_TOP/config/mesh_relay.conf;
    }
--- server
    location = /v2/relay {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- relay: chain => '0001', path => 'length', data => 'x' x 10000
--- post_to: /v2/relay
--- response_body_like: ^\{"response":"10000"



=== TEST 19: $upstream_* tell of the chain's call, its own variables are not mixed up
--- http
    upstream balanced {
        server $TEST_NGINX_ADDR;
    }
    log_format chain '$upstream_addr|$upstream_status|$mesh_relay_chain_url|';
--- server
    access_log $TEST_NGINX_SERVROOT/logs/access.log chain;
    set $early "$mesh_relay_chain_host$mesh_relay_chain_url";
--- relay: chain => '0011'
--- response_body_like: POST /echo
--- access_log eval
"$ENV{TEST_NGINX_ADDR}|200|-|"
