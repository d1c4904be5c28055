# Guards against a broken chain being told, signed or recorded as an answer:
# each way to fail is error 28 with its reason, in bounded time and memory, and
# leaves the client's connection and the next relay alone.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;

add_block_preprocessor(sub { $edge->prepare($_[0]) });
add_response_body_check(sub { $edge->check(@_) });

# the shipped location has its own times
$ENV{TEST_NGINX_CHAIN} = <<'EOF';
location = /_short {
    internal;
    proxy_pass             $mesh_relay_chain_url;
    proxy_http_version     1.1;
    proxy_set_header       Host $mesh_relay_chain_host;
    proxy_set_header       Connection "";
    proxy_buffering        off;
    proxy_connect_timeout  300ms;
    proxy_read_timeout     300ms;
}
mesh_relay_chain_location /_short;
EOF

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: refused
--- relay: chain => '0002', path => 'a/b', method => 'GET'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0002 PATH=a/b METHOD=GET
--- error_log
connect() failed (111: Connection refused) while connecting to upstream



=== TEST 2: never accepted
--- server: $TEST_NGINX_CHAIN
--- relay: chain => '0003'
--- refused: 28 error executing the http request: request timeout for CHAIN=0003 PATH= METHOD=POST
--- error_log
upstream timed out



=== TEST 3: no answer
--- server: $TEST_NGINX_CHAIN
--- relay: chain => '0001', path => 'mute'
--- refused: 28 error executing the http request: request timeout for CHAIN=0001 PATH=mute METHOD=POST



=== TEST 4: half an answer, then nothing
--- server: $TEST_NGINX_CHAIN
--- relay: chain => '0001', path => 'half'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 5: closed without an answer
--- relay: chain => '0001', path => 'nothing'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0001 PATH=nothing METHOD=POST



=== TEST 6: cut in the header
--- relay: chain => '0001', path => 'inheaders'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0001 PATH=inheaders METHOD=POST



=== TEST 7: cut in the body
--- relay: chain => '0001', path => 'inbody'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 8: reset in the body
--- relay: chain => '0001', path => 'reset'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 9: cut in a chunk
--- relay: chain => '0001', path => 'inchunk'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 10: cut before the last chunk
--- relay: chain => '0001', path => 'nolastchunk'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 11: a bad chunk
--- relay: chain => '0001', path => 'badchunk'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 12: no HTTP
--- relay: chain => '0001', path => 'garbage'
--- server: $TEST_NGINX_CHAIN
--- error_code: 400
--- response_body_like: "code":28



=== TEST 13: an answer cut off from buffers of the operator's own location
--- server
    location = /_buffered {
        internal;
        proxy_pass  $mesh_relay_chain_url;
    }
    mesh_relay_chain_location /_buffered;
--- relay: chain => '0001', path => 'inbody'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 14: too large by its Content-Length
--- server: mesh_relay_max_response 1000;
--- chain: location / { root $TEST_NGINX_SERVROOT/html; }
--- user_files eval
[["index.html", "x" x 1001]]
--- relay: method => 'GET'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 15: as large as it may be
--- server: mesh_relay_max_response 1000;
--- chain: location / { root $TEST_NGINX_SERVROOT/html; }
--- user_files eval
[["index.html", "x" x 1000]]
--- relay: method => 'GET'
--- answer eval
"x" x 1000



=== TEST 16: too large without a length
--- server: mesh_relay_max_response 50k;
--- relay: chain => '0001', path => 'bigchunks'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 17: too large, ended by its connection, through buffers
--- server
    location = /_buffered {
        internal;
        proxy_pass  $mesh_relay_chain_url;
    }
    mesh_relay_chain_location /_buffered;
    mesh_relay_max_response 50k;
--- relay: chain => '0001', path => 'big'
--- refused: 28 error executing the http request: unable to process blockchain response payload



=== TEST 18: after a failure the client's connection goes on
--- relay: chain => '0001', path => 'bigchunks'
--- server: mesh_relay_max_response 50k;
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nContent-Length: <LENGTH>\r\n\r\n"
. "<RELAY>POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Content-Length: 2\r\n\r\n{}"
--- ignore_response
--- error_log
relay refused with code 28
relay refused with code 1: "could not convert servicer hex to public key"



=== TEST 19: a location that is not there
--- server: mesh_relay_chain_location /missing;
--- relay: data => '{}'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0021 PATH= METHOD=POST
--- error_log
no chain was asked: location "/missing" of "mesh_relay_chain_location" is not there



=== TEST 20: a page of nginx itself in the chain's location
--- server
    location = /_deny {
        internal;
        return 403;
        proxy_pass  $mesh_relay_chain_url;
    }
    mesh_relay_chain_location /_deny;
--- relay: data => '{}'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0021 PATH= METHOD=POST



=== TEST 21: an answer of nginx itself in the chain's location
--- server
    location = /_own {
        internal;
        return 200 '{"result":"0x21"}';
    }
    mesh_relay_chain_location /_own;
--- relay: data => '{}'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0021 PATH= METHOD=POST
--- error_log
no chain was asked: location "/_own" of "mesh_relay_chain_location" is not there, or makes no use of "$mesh_relay_chain_url"



=== TEST 22: X-Accel-Redirect of a chain is not followed
--- chain
    location / {
        add_header X-Accel-Redirect /v1/private/mesh/health;
        return 200 'not followed';
    }
--- relay: data => '{}'
--- answer
not followed



=== TEST 23: where the operator lets it be followed, it is the answer still
--- chain
    location / {
        add_header X-Accel-Redirect /other;
        return 200 'followed';
    }
--- server
    location = /_accel {
        internal;
        proxy_pass  $mesh_relay_chain_url;
    }
    location /other { internal; root $TEST_NGINX_SERVROOT/html; }
    mesh_relay_chain_location /_accel;
--- user_files
>>> other
elsewhere
--- relay: data => '{}', method => 'GET'
--- answer
elsewhere\n
