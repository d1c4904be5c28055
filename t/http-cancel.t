# Guards cancellation in every stage: the handler is not called, nothing stays
# open, and the client that went away takes its exchange along.

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

# one block has two requests, one has no response

plan tests => repeat_each() * (blocks() * 5 + 5 - 1);

no_long_string();
run_tests();

__DATA__

=== TEST 1: in the turn it began in
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok parallel=3 cancel=0;
    }
    location /u {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/ok;
    }
--- request eval
["GET /t", "GET /u"]
--- response_body eval
["canceled by us\n" x 3,
 "ok read status:200 sent:1 reused:0 retried:0 body:n:1\n"]



=== TEST 2: a result that is known but not told
--- config
    location /t {
        mesh_test_http http://unix:/tmp parallel=2 cancel=0;
    }
--- response_body
canceled by us
canceled by us



=== TEST 3: while connecting
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_HOLE/ cancel=100ms;
    }
--- response_body
canceled by us



=== TEST 4: in the TLS handshake
--- config
    location /t {
        mesh_test_http https://127.0.0.1:$TEST_NGINX_DEAF/ cancel=100ms;
    }
--- response_body
canceled by us



=== TEST 5: while sending
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_DEAF/ method=POST size=20m
                       cancel=100ms;
    }
--- response_body
canceled by us



=== TEST 6: while waiting for the answer
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/mute cancel=100ms;
    }
--- response_body
canceled by us



=== TEST 7: in the answer
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/half cancel=100ms;
    }
--- response_body
canceled by us



=== TEST 8: some are done, some are not
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/slow parallel=4
                       repeat=2 cancel=600ms;
    }
--- response_body eval
"ok read status:200 sent:1 reused:0 retried:0 body:slow\n" x 4
. "canceled by us\n" x 4



=== TEST 9: the client is gone
--- config
    location /t {
        mesh_test_http http://127.0.0.1:$TEST_NGINX_PEER/mute;
    }
--- timeout: 0.3
--- abort
--- ignore_response
--- wait: 2
--- error_log
mesh test: client is gone, 1 canceled
