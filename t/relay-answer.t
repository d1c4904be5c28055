# Guards the answer of a relay: what the chain said, in the protocol's form and
# signed by the servicer, however the request came in and whatever the chain's
# answer looks like.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;

add_block_preprocessor(sub { $edge->prepare($_[0]) });
add_response_body_check(sub { $edge->check(@_) });

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a relay
--- relay: data => '{}'
--- answer
{\"result\":\"0x21\"}



=== TEST 2: a body that does not fit into its buffer comes from a file
--- relay: data => 'x' x 200000
--- answer
{\"result\":\"0x21\"}
--- error_log
a client request body is buffered to a temporary file



=== TEST 3: a body in several reads
--- relay: data => 'x' x 20000
--- raw_request eval
["POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
 . "Content-Length: <LENGTH>\r\n\r\n", "<RELAY>"]
--- raw_request_middle_delay: 0.1
--- answer
{\"result\":\"0x21\"}



=== TEST 4: a chunked body
--- relay: data => '{}'
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n\r\n<HEXLENGTH>\r\n<RELAY>\r\n0\r\n\r\n"
--- answer
{\"result\":\"0x21\"}



=== TEST 5: an empty answer
--- chain: location / { return 200; }
--- relay: data => '{}'
--- answer eval
""



=== TEST 6: no content
--- relay: chain => '0001', path => 'empty204'
--- answer eval
""



=== TEST 7: the status of the chain is of no interest
--- chain: location / { return 500 'out of "gas"'; }
--- relay: data => '{}'
--- answer
out of \"gas\"



=== TEST 8: nor are redirects followed
--- chain: location / { return 302 http://127.0.0.1:1/; }
--- relay: data => '{}'
--- error_code: 200
--- response_body_like: 302 Found.*"signature":"[0-9a-f]{128}"\}\n$



=== TEST 9: chunks
--- relay: chain => '0001', path => 'chunked'
--- answer
hello, world



=== TEST 10: an answer that ends with its connection
--- relay: chain => '0001', path => 'eof'
--- answer
to the end



=== TEST 11: an answer in single bytes
--- relay: chain => '0001', path => 'split'
--- answer
dripped



=== TEST 12: a large answer in many chunks
--- relay: chain => '0001', path => 'bigchunks'
--- answer eval
CORE::join '', map { chr(64 + $_ % 26) x (1000 + $_) } 1 .. 100



=== TEST 13: what has to be escaped, over the ends of buffers
--- chain
    location / { root $TEST_NGINX_SERVROOT/html; }
--- user_files eval
[["index.html", "<&>\x{0}\x{8}\t\n\"\\\xe2\x80\xa8\xf0\x9f\x98\x80" x 20000]]
--- relay: method => 'GET'
--- answer eval
my $s = '\u003c\u0026\u003e\u0000\u0008\t\n\"\\\\\u2028' . "\xf0\x9f\x98\x80";
$s x 20000



=== TEST 14: bad UTF-8 is sent as U+FFFD
--- chain
    location / { root $TEST_NGINX_SERVROOT/html; }
--- user_files eval
[["index.html", "a\xffb\xe2\x82"]]
--- relay: method => 'GET'
--- error_code: 200
--- response_body_like eval
qr/^\{"response":"a\xef\xbf\xbdb\xef\xbf\xbd\xef\xbf\xbd","signature":"[0-9a-f]{128}"\}\n\z/



=== TEST 15: the answer to a HEAD has no body
--- relay: chain => '0021', method => 'HEAD'
--- answer eval
""



=== TEST 16: an answer by buffers, temporary files and a cache
--- http
    proxy_cache_path $TEST_NGINX_SERVROOT/cache keys_zone=chain:1m;
--- chain
    location / { root $TEST_NGINX_SERVROOT/html; }
--- server
    location = /_cached {
        internal;
        proxy_pass              $mesh_relay_chain_url;
        proxy_http_version      1.1;
        proxy_set_header        Connection "";
        proxy_buffers           2 4k;
        proxy_busy_buffers_size 4k;
        proxy_cache             chain;
        proxy_cache_key         a;
        proxy_cache_valid       1m;
    }
    mesh_relay_chain_location /_cached;
--- user_files eval
[["index.html", "0123456789" x 50000]]
--- relay: method => 'GET'
--- answer eval
"0123456789" x 50000



=== TEST 17: an answer from the cache's file
--- http
    proxy_cache_path $TEST_NGINX_SERVROOT/cache keys_zone=chain:1m;
--- chain
    location / { root $TEST_NGINX_SERVROOT/html; }
--- server
    location = /_cached {
        internal;
        proxy_pass              $mesh_relay_chain_url;
        proxy_cache             chain;
        proxy_cache_key         a;
        proxy_cache_valid       1m;
    }
    mesh_relay_chain_location /_cached;

    location = /warm {
        proxy_pass              http://unix:%DIR%/chain.sock:/;
        proxy_cache             chain;
        proxy_cache_key         a;
        proxy_cache_valid       1m;
    }
--- user_files eval
[["index.html", "0123456789" x 50000]]
--- init: MeshBlocks::get('/warm')
--- relay: method => 'GET'
--- answer eval
"0123456789" x 50000
