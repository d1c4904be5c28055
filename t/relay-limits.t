# Guards the edges of a relay's request: bodies above the limit, methods and
# preflights are answered as a client of the reference expects, and never by a
# page of nginx.

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

=== TEST 1: above the limit by Content-Length
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Content-Length: 31457281\r\n\r\n"
--- server: lingering_close off; lingering_timeout 100ms;
--- error_code: 413
--- response_headers
Content-Type: text/plain; charset=utf-8
X-Content-Type-Options: nosniff
--- response_body
{"code":413,"message":"Request body too large. Max allowed bytes is: 31457280"}



=== TEST 2: above the limit by the length of a chunk
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1e00000\r\nx"
--- server: lingering_close off; lingering_timeout 100ms;
--- error_code: 413
--- response_headers
Content-Type: text/plain; charset=utf-8
X-Content-Type-Options: nosniff
--- response_body
{"code":413,"message":"Request body too large. Max allowed bytes is: 31457280"}



=== TEST 3: above the limit by a chunk that comes later
--- raw_request eval
["POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
 . "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "1e00000\r\nx"]
--- raw_request_middle_delay: 0.2
--- server: lingering_close off; lingering_timeout 100ms;
--- error_code: 413
--- response_headers
Content-Type: text/plain; charset=utf-8
--- response_body
{"code":413,"message":"Request body too large. Max allowed bytes is: 31457280"}



=== TEST 4: a chunk that is none
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n\r\nzz\r\n"
--- server: lingering_close off; lingering_timeout 100ms;
--- error_code: 400



=== TEST 5: a preflight
--- request
OPTIONS /v1/client/relay
--- response_headers
Access-Control-Allow-Origin: *
Access-Control-Allow-Methods: POST
Access-Control-Allow-Headers: Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization
Content-Length: 0
--- response_body



=== TEST 6: another method
--- request
GET /v1/client/relay
--- error_code: 405
--- response_headers
Allow: OPTIONS, POST
Content-Type: text/plain; charset=utf-8
Access-Control-Allow-Origin: *
--- response_body
Method Not Allowed



=== TEST 7: another method with a body
--- request
PUT /v1/client/relay
{"payload":1}
--- error_code: 405
--- response_body
Method Not Allowed



=== TEST 8: HEAD
--- request
HEAD /v1/client/relay
--- error_code: 405
--- response_headers
Allow: OPTIONS, POST



=== TEST 9: requests one behind the other in one packet
--- relay: data => '{}'
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nContent-Length: <LENGTH>\r\n\r\n"
. "<RELAY>"
. "OPTIONS /v1/client/relay HTTP/1.1\r\nHost: a\r\n\r\n"
. "PUT /v1/client/relay HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
. "POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
. "POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Content-Length: <LENGTH>\r\n\r\n<RELAY>"
--- ignore_response
--- grep_error_log eval
qr/relay refused with code \d+|client sent invalid/
--- grep_error_log_out
relay refused with code 1
relay refused with code 37



=== TEST 10: an "if" in the location
--- config
    location = /v1/client/relay {
        if ($http_x_test) {
            set $test 1;
        }
        mesh_relay on;
        limit_except POST OPTIONS {
            deny all;
        }
    }
    location /_mesh_relay_chain {
        internal;
        proxy_pass $mesh_relay_chain_url;
    }
--- relay: data => '{}'
--- more_headers
X-Test: 1
--- answer
{\"result\":\"0x21\"}



=== TEST 11: an answer is compressed where the operator wants it
--- http
    gzip on;
    gzip_types application/json;
    gzip_min_length 1;
--- relay: data => '{}'
--- more_headers
Accept-Encoding: gzip
--- response_headers
Content-Encoding: gzip
Content-Type: application/json; charset=utf-8
--- response_body_like eval
qr/^\x1f\x8b/



=== TEST 12: a charset of the operator does not change the type
--- http
    charset koi8-r;
    charset_types *;
--- relay: data => '{}'
--- answer
{\"result\":\"0x21\"}
