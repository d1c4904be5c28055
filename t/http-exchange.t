# Guards what an owner of an exchange relies on: the request arrives as it was
# given, the answer arrives whole in whatever pieces and framing it comes.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshHttp;
use Test::Nginx::Socket;

my $peer = MeshHttp->faulty;

$ENV{TEST_NGINX_PEER} = $peer->{port};
$ENV{TEST_NGINX_PEER_SOCKET} = $peer->{socket};

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");
    $block->set_value(request => 'GET /t') unless defined $block->request;
});

# two blocks have two requests

plan tests => repeat_each() * (blocks() + 2) * 5;

no_long_string();
run_tests();

__DATA__

=== TEST 1: a simple answer
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 2: unix socket
--- config
    location /t {
        mesh_test_http http://unix:$TEST_NGINX_PEER_SOCKET:/ok;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 3: IPv6
--- http_config
    server {
        listen [::1]:$TEST_NGINX_RAND_PORT_1;
        location / {
            return 200 "host:$http_host";
        }
    }
--- config
    location /t {
        mesh_test_http http://[::1]:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body_like
^ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:host:\[::1\]:\d+$



=== TEST 4: localhost needs no resolver
--- config
    location /t {
        mesh_test_http http://localhost:$TEST_NGINX_PEER/ok;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 5: the request as the peer sees it
--- http_config
    mesh_test_http_conf user_agent=mesh/1.0;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/echo/?a=b
                       method=POST path=/v1/query args=c=d
                       header=X-One:1 header=Authorization:two
                       body=payload;
    }
--- response_body_like eval
qr{^ok\ read\ status:200\ sent:1\ reused:0\ retried:0
    \ body:POST\ /echo/v1/query\?a=b&c=d\ HTTP/1\.1\r\n
    Host:\ 127\.0\.0\.1:\d+\r\n
    User-Agent:\ mesh/1\.0\r\n
    Content-Length:\ 7\r\n
    X-One:\ 1\r\n
    Authorization:\ two\r\n
    \r\n
    payload$}x



=== TEST 6: paths and arguments join, HEAD has no length
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER?a path=echo args=b;
    }
--- response_body_like eval
qr{body:GET /echo\?a&b HTTP/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n\r\n$}



=== TEST 7: an empty POST has a length
--- config
    location /t {
        mesh_test_http http://unix:$TEST_NGINX_PEER_SOCKET:/echo method=POST;
    }
--- response_body_like eval
qr{body:POST /echo HTTP/1\.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n$}



=== TEST 8: a large body, in parts
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/length
                       method=POST size=5m chain;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:5242880



=== TEST 9: a body as a chain
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/echo
                       method=POST body=one-two-three chain;
    }
--- response_body_like eval
qr{Content-Length: 13\r\n\r\none-two-three$}



=== TEST 10: an answer byte by byte
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/split show=x-test;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 x-test:yes body:dripped



=== TEST 11: chunks with an extension and a trailer
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/chunked repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:hello, world
ok read status:200 sent:1 reused:1 retried:0 body:hello, world



=== TEST 12: chunks that do not fit into the first buffer
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/bigchunks;
    }
--- response_body eval
use Compress::Zlib ();
my $s = CORE::join '', map { chr(64 + $_ % 26) x (1000 + $_) } 1 .. 100;
sprintf "ok read status:200 sent:1 reused:0 retried:0 length:%d crc:%08x\n",
    length $s, Compress::Zlib::crc32($s)



=== TEST 13: many chunks of one byte
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/onebyte max_body=3000;
    }
--- response_body eval
use Compress::Zlib ();
sprintf "ok read status:200 sent:1 reused:0 retried:0 length:3000 crc:%08x\n",
    Compress::Zlib::crc32('x' x 3000)



=== TEST 14: a large answer by length, at the limit
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- user_files eval
">>> big
" . 'z' x 300000
--- config
    location /big {
    }
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_SERVER_PORT/big
                       max_body=300000 repeat=2;
    }
--- response_body eval
use Compress::Zlib ();
CORE::join '', map {
    sprintf "ok read status:200 sent:1 reused:%d retried:0 type:text/plain "
        . "length:300000 crc:%08x\n", $_, Compress::Zlib::crc32('z' x 300000)
} 0, 1



=== TEST 15: a body to the end of the connection
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/eof;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:to the end



=== TEST 16: HTTP/1.0
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/old repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:old
ok read status:200 sent:1 reused:0 retried:0 body:old



=== TEST 17: interim answers are skipped
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/interim repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:final
ok read status:200 sent:1 reused:1 retried:0 body:final



=== TEST 18: answers without a body
--- config
    location /head {
        return 200 "a body";
    }
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/empty204 repeat=2;
    }
    location /h {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_SERVER_PORT/head
                       method=HEAD repeat=2;
    }
--- request eval
["GET /t", "GET /h"]
--- response_body eval
["ok read status:204 sent:1 reused:0 retried:0
ok read status:204 sent:1 reused:1 retried:0
", "ok read status:200 sent:1 reused:0 retried:0 type:text/plain
ok read status:200 sent:1 reused:1 retried:0 type:text/plain
"]



=== TEST 19: an error of the peer is an answer
--- config
    location /fail {
        return 503 "busy";
    }
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_SERVER_PORT/fail;
    }
--- response_body
ok read status:503 sent:1 reused:0 retried:0 type:text/plain body:busy



=== TEST 20: many at once
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok parallel=20;
    }
--- response_body eval
"ok read status:200 sent:1 reused:0 retried:0 body:n:1\n" x 20



=== TEST 21: control characters cannot leave
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok
                       "path=/a b HTTP/1.1";
    }
    location /h {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok
                       "header=X:a
Y: b";
    }
--- request eval
["GET /t", "GET /h"]
--- response_body eval
["none\n", "none\n"]
