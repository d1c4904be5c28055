# Guards the pool: connections are reused when they may be and closed when
# not, a stale one costs no error, and nothing that must not be sent twice is.

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

# requests beyond the first of a block

plan tests => repeat_each() * (blocks() + 5) * 5;

no_long_string();
run_tests();

__DATA__

=== TEST 1: one connection serves one exchange after another
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok repeat=3;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:1 retried:0 body:n:2
ok read status:200 sent:1 reused:1 retried:0 body:n:3



=== TEST 2: the same over clients and URLs of one server
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok?a;
    }
    location /u {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok/b method=POST;
    }
--- request eval
["GET /t", "GET /u"]
--- response_body eval
["ok read status:200 sent:1 reused:0 retried:0 body:n:1\n",
 "ok read status:200 sent:1 reused:1 retried:0 body:n:2\n"]



=== TEST 3: no reuse between servers
--- config
    location /a {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok;
    }
    location /b {
        mesh_test_http http://unix:$TEST_NGINX_PEER_SOCKET:/ok;
    }
    location /c {
        mesh_test_http http://localhost:$TEST_NGINX_PEER/ok;
    }
--- request eval
["GET /a", "GET /b", "GET /c", "GET /a"]
--- response_body eval
["ok read status:200 sent:1 reused:0 retried:0 body:n:1\n",
 "ok read status:200 sent:1 reused:0 retried:0 body:n:1\n",
 "ok read status:200 sent:1 reused:0 retried:0 body:n:1\n",
 "ok read status:200 sent:1 reused:1 retried:0 body:n:2\n"]



=== TEST 4: keepalive 0 says so, and keeps none
--- http_config
    mesh_test_http_conf keepalive=0;
--- config
    location /t {
        mesh_test_http http://unix:$TEST_NGINX_PEER_SOCKET:/echo repeat=2;
    }
--- response_body eval
my $s = "ok read status:200 sent:1 reused:0 retried:0 body:GET /echo HTTP/1.1"
    . "\r\nHost: localhost\r\nConnection: close\r\n\r\n\n";
$s . $s



=== TEST 5: the cap: of four connections two stay
--- http_config
    mesh_test_http_conf keepalive=2;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok parallel=4;
    }
--- request eval
["GET /t", "GET /t"]
--- response_body_like eval
["^(?:ok .* reused:0 .*\\n){4}\$",
 "^(?=(?:.*\\n)*?.*reused:0.*\\n(?:.*\\n)*?.*reused:0.*\\n)"
 . "(?=(?:.*\\n)*?.*reused:1.*\\n(?:.*\\n)*?.*reused:1.*\\n)(?:.*\\n){4}\$"]



=== TEST 6: the idle time
--- http_config
    mesh_test_http_conf keepalive_timeout=100ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok repeat=3
                       pause=250ms;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 7: the idle time does not end an exchange
--- http_config
    mesh_test_http_conf keepalive_timeout=300ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/slow repeat=3;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:slow
ok read status:200 sent:1 reused:1 retried:0 body:slow
ok read status:200 sent:1 reused:1 retried:0 body:slow



=== TEST 8: a stale connection is replaced
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/stale repeat=2
                       method=POST size=100k chain;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:fresh
ok read status:200 sent:1 reused:0 retried:1 body:fresh



=== TEST 9: a stale connection is not replaced once bytes may have reached the peer
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/stale repeat=2 once;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:fresh
closed wait status:0 sent:1 reused:1 retried:0 reason:peer closed connection



=== TEST 10: it is replaced no more than once
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/first repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:first
closed wait status:0 sent:1 reused:0 retried:1 reason:peer closed connection



=== TEST 11: a new connection is not replaced
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/nothing;
    }
--- response_body
closed wait status:0 sent:1 reused:0 retried:0 reason:peer closed connection



=== TEST 12: a connection closed while idle is not used
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/lie repeat=3 once
                       pause=50ms;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 13: nor costs a try
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/lie repeat=3
                       pause=50ms;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 14: Connection: close
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/close repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 15: bytes behind an answer
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/trailing repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:0 retried:0 body:n:1



=== TEST 16: an answer before the end of the request
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/early repeat=2
                       method=POST size=20m;
    }
--- response_body
ok send status:413 sent:1 reused:0 retried:0 body:big
ok send status:413 sent:1 reused:0 retried:0 body:big
