# Guards every wait: each ends at its own deadline and all at the overall one,
# and the result says in which stage, and whether the peer may know.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshHttp;
use Test::Nginx::Socket;

my $peer = MeshHttp->faulty;
my $hole = MeshHttp->black_hole;
my $deaf = MeshHttp->deaf;

$ENV{TEST_NGINX_PEER} = $peer->{port};
$ENV{TEST_NGINX_HOLE} = $hole->{port};
$ENV{TEST_NGINX_DEAF} = $deaf->{port};

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");
    $block->set_value(request => 'GET /t') unless defined $block->request;
});

plan tests => repeat_each() * blocks() * 5;

no_long_string();
run_tests();

__DATA__

=== TEST 1: a black hole
--- http_config
    mesh_test_http_conf connect_timeout=200ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_HOLE/ within=1s;
    }
--- response_body
timeout connect status:0 sent:0 reused:0 retried:0 within:1 reason:connect timed out



=== TEST 2: a black hole, and the overall deadline
--- http_config
    mesh_test_http_conf connect_timeout=10s;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_HOLE/ timeout=200ms
                       within=1s;
    }
--- response_body
timeout connect status:0 sent:0 reused:0 retried:0 within:1 reason:deadline has passed



=== TEST 3: no TLS handshake
--- http_config
    mesh_test_http_conf connect_timeout=200ms;
--- config
    location /t {
        mesh_test_http https://127.0.0.1:$TEST_NGINX_DEAF/ within=1s;
    }
--- response_body
timeout handshake status:0 sent:0 reused:0 retried:0 within:1 reason:TLS handshake timed out



=== TEST 4: the peer does not read
--- http_config
    mesh_test_http_conf send_timeout=200ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_DEAF/ method=POST size=20m
                       within=2s;
    }
--- response_body
timeout send status:0 sent:1 reused:0 retried:0 within:1 reason:sending timed out



=== TEST 5: the peer does not answer
--- http_config
    mesh_test_http_conf read_timeout=200ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/mute within=1s;
    }
--- response_body
timeout wait status:0 sent:1 reused:0 retried:0 within:1 reason:waiting for the answer timed out



=== TEST 6: the peer stops in its answer
--- http_config
    mesh_test_http_conf read_timeout=200ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/half within=1s;
    }
--- response_body
timeout read status:200 sent:1 reused:0 retried:0 within:1 reason:reading the answer timed out



=== TEST 7: the read timeout is between reads
--- http_config
    mesh_test_http_conf read_timeout=300ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/pauses within=500ms;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 within:0 body:p



=== TEST 8: a drip, and the overall deadline
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/drips timeout=500ms
                       within=1s;
    }
--- response_body
timeout read status:0 sent:1 reused:0 retried:0 within:1 reason:deadline has passed



=== TEST 9: a flood, and the overall deadline
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/spam timeout=500ms
                       within=1s;
    }
--- response_body
timeout read status:200 sent:1 reused:0 retried:0 within:1 reason:deadline has passed



=== TEST 10: a timed out connection is not kept
--- http_config
    mesh_test_http_conf read_timeout=200ms;
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/half repeat=2;
    }
--- response_body
timeout read status:200 sent:1 reused:0 retried:0 reason:reading the answer timed out
timeout read status:200 sent:1 reused:0 retried:0 reason:reading the answer timed out



=== TEST 11: what is not permitted any more does not leave
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok method=POST
                       body=text permit=0 repeat=2 once;
    }
--- response_body
canceled send status:0 sent:0 reused:0 retried:0 reason:not permitted any more
canceled send status:0 sent:0 reused:0 retried:0 reason:not permitted any more



=== TEST 12: nor does the rest of it
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok method=POST
                       size=20m permit=1 once;
    }
--- response_body
canceled send status:0 sent:1 reused:0 retried:0 reason:not permitted any more



=== TEST 13: what is permitted leaves, on a kept connection, too
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok method=POST
                       body=text permit=1 repeat=2 once;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
canceled send status:0 sent:0 reused:1 retried:0 reason:not permitted any more
