# Guards against name servers: a name that is not found, not answered or
# answered late is an outcome, and never keeps nginx from its start.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshHttp;
use Test::Nginx::Socket;

my $peer = MeshHttp->faulty;
my $dns = MeshHttp->names;

$ENV{TEST_NGINX_PEER} = $peer->{port};
$ENV{TEST_NGINX_CLOSED} = MeshHttp->closed_port;
$ENV{TEST_NGINX_DNS} = "resolver 127.0.0.1:$dns->{port} ipv6=off;";

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->must_die;

    $block->set_value(no_error_log =>
        ($block->no_error_log // '') . "[alert]\n[emerg]\n[crit]");
    $block->set_value(request => 'GET /t');
});

# six blocks must not start, one looks for another line

plan tests => repeat_each() * (blocks() * 5 - 6 * 3 + 1);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a name
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://good.test:$TEST_NGINX_PEER/ok repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:n:1
ok read status:200 sent:1 reused:1 retried:0 body:n:2



=== TEST 2: the name goes into Host
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://good.test:$TEST_NGINX_PEER/echo;
    }
--- response_body_like eval
qr/Host: good\.test:\d+\r\n/



=== TEST 3: one address refuses, the next one does not
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://two.test:$TEST_NGINX_PEER/ok once parallel=10;
    }
--- response_body eval
"ok read status:200 sent:1 reused:0 retried:0 body:n:1\n" x 10



=== TEST 4: NXDOMAIN
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://nx.test:$TEST_NGINX_PEER/ok repeat=2;
    }
--- response_body
dns resolve status:0 sent:0 reused:0 retried:0 reason:nx.test could not be resolved (3: Host not found)
dns resolve status:0 sent:0 reused:0 retried:0 reason:nx.test could not be resolved (3: Host not found)



=== TEST 5: SERVFAIL
--- http_config
    $TEST_NGINX_DNS
    mesh_test_http_conf timeout=1s;
    resolver_timeout 500ms;
--- config
    location /t {
        mesh_test_http http://fail.test:$TEST_NGINX_PEER/ok within=2s;
    }
--- response_body_like
^(?:dns resolve status:0 sent:0 reused:0 retried:0 within:1 reason:fail.test could not be resolved \(2: Server failure\)|timeout resolve status:0 sent:0 reused:0 retried:0 within:1 reason:.*)$



=== TEST 6: a name without an address
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://empty.test:$TEST_NGINX_PEER/ok;
    }
--- response_body
dns resolve status:0 sent:0 reused:0 retried:0 reason:empty.test could not be resolved (3: Host not found)



=== TEST 7: a name server that does not answer
--- http_config
    $TEST_NGINX_DNS
    resolver_timeout 300ms;
--- config
    location /t {
        mesh_test_http http://mute.test:$TEST_NGINX_PEER/ok within=1s;
    }
--- response_body
timeout resolve status:0 sent:0 reused:0 retried:0 within:1 reason:resolver timed out



=== TEST 8: the same, and the overall deadline
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://mute.test:$TEST_NGINX_PEER/ok timeout=300ms
                       within=1s;
    }
--- response_body
timeout resolve status:0 sent:0 reused:0 retried:0 within:1 reason:deadline has passed



=== TEST 9: a slow name server
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://slow.test:$TEST_NGINX_PEER/ok parallel=3;
    }
--- response_body eval
"ok read status:200 sent:1 reused:0 retried:0 body:n:1\n" x 3



=== TEST 10: canceled before the name server answers
--- http_config
    $TEST_NGINX_DNS
--- config
    location /t {
        mesh_test_http http://slow.test:$TEST_NGINX_PEER/ok parallel=3
                       cancel=100ms;
    }
--- response_body eval
"canceled by us\n" x 3
--- wait: 2
--- no_error_log eval
"connect to 127.0.0.1:$ENV{TEST_NGINX_PEER}\n"



=== TEST 11: without a resolver a start goes on
--- http_config
    resolver_timeout 300ms;
--- config
    location /t {
        mesh_test_http http://no-such-name.invalid:$TEST_NGINX_PEER/ok;
    }
--- response_body_like eval
qr/^(?:dns|timeout) resolve status:0 sent:0 reused:0 retried:0 reason:/



=== TEST 12: no scheme
--- config
    location /t {
        mesh_test_http node.test:8081;
    }
--- must_die
--- error_log
no http:// or https:// prefix in "node.test:8081"



=== TEST 13: no host
--- config
    location /t {
        mesh_test_http http://:80/;
    }
--- must_die
--- error_log
no host in "http://:80/"



=== TEST 14: a bad port
--- config
    location /t {
        mesh_test_http http://127.0.0.1:99999/;
    }
--- must_die
--- error_log
invalid port in "http://127.0.0.1:99999/"



=== TEST 15: a user name
--- config
    location /t {
        mesh_test_http http://user:secret@127.0.0.1/;
    }
--- must_die
--- error_log
user name in URL is not supported



=== TEST 16: a space
--- config
    location /t {
        mesh_test_http "http://127.0.0.1/a b";
    }
--- must_die
--- error_log
space or control character in "http://127.0.0.1/a b"



=== TEST 17: a fragment
--- config
    location /t {
        mesh_test_http http://127.0.0.1/a#b;
    }
--- must_die
--- error_log
fragment in URL is not supported
