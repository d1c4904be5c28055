# Guards the identity of peers: no request leaves before the certificate was
# checked against trusted ones and against the name that was asked for.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshHttp;
use Test::Nginx::Socket;

my $peer = MeshHttp->faulty;
my $dns = MeshHttp->names;
my $certs = MeshHttp->certificates;

$ENV{TEST_NGINX_PEER} = $peer->{port};
$ENV{TEST_NGINX_SOCKET} = "$certs/tls.sock";
$ENV{TEST_NGINX_CERTS} = "$certs";
$ENV{TEST_NGINX_DNS} = "resolver 127.0.0.1:$dns->{port} ipv6=off;";

# A section "certificate" names that of the peer, "trusted" what is trusted.

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->must_die;

    my $name = $block->certificate // 'node';
    my $trusted = defined $block->trusted ? $block->trusted
        : 'ssl_trusted_certificate=$TEST_NGINX_CERTS/ca.crt';

    $block->set_value(http_config => ($block->http_config // '') . <<"_EOC_");
    \$TEST_NGINX_DNS
    mesh_test_http_conf keepalive=8 $trusted;

    server {
        listen unix:\$TEST_NGINX_SOCKET ssl;
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_1 ssl;
        listen [::1]:\$TEST_NGINX_RAND_PORT_1 ssl;
        ssl_certificate \$TEST_NGINX_CERTS/$name.crt;
        ssl_certificate_key \$TEST_NGINX_CERTS/$name.key;
        client_max_body_size 0;

        location / {
            return 200 "sni:\$ssl_server_name n:\$connection_requests";
        }
        location /once {
            keepalive_timeout 0;
            return 200 "sni:\$ssl_server_name resumed:\$ssl_session_reused";
        }
        location /pass {
            proxy_pass http://unix:$peer->{socket}:/length;
        }
    }
_EOC_

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");
    $block->set_value(request => 'GET /t') unless defined $block->request;
});

# two blocks have two requests, one must not start

plan tests => repeat_each() * (blocks() * 5 + 2 * 5 - 3);

no_long_string();
run_tests();

__DATA__

=== TEST 1: a trusted certificate of the right name, and reuse
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/ repeat=2;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni:node.test n:1
ok read status:200 sent:1 reused:1 retried:0 type:text/plain body:sni:node.test n:2



=== TEST 2: an address, which goes without SNI
--- config
    location /t {
        mesh_test_http https://127.0.0.1:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni: n:1



=== TEST 3: an IPv6 address
--- config
    location /t {
        mesh_test_http https://[::1]:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni: n:1



=== TEST 4: a unix socket is localhost
--- config
    location /t {
        mesh_test_http https://unix:$TEST_NGINX_SOCKET:/;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni: n:1



=== TEST 5: a large body
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/pass
                       method=POST size=5m chain;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 body:5242880



=== TEST 6: another name
--- certificate chomp
wrong
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body
tls handshake status:0 sent:0 reused:0 retried:0 reason:certificate does not match "node.test"



=== TEST 7: another address
--- certificate chomp
wrong
--- config
    location /t {
        mesh_test_http https://127.0.0.1:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body
tls handshake status:0 sent:0 reused:0 retried:0 reason:certificate does not match "127.0.0.1"



=== TEST 8: a certificate that nobody vouches for
--- certificate chomp
self
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body_like eval
qr/^tls handshake status:0 sent:0 reused:0 retried:0 reason:certificate verify error \(18:self.signed certificate\)\n$/



=== TEST 9: verification is on by default, with the bundle of the system
--- trusted
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body_like eval
qr/^tls handshake status:0 sent:0 reused:0 retried:0 reason:certificate verify error \(2[01]:unable to .*\)\n$/



=== TEST 10: an expired certificate
--- certificate chomp
expired
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body
tls handshake status:0 sent:0 reused:0 retried:0 reason:certificate verify error (10:certificate has expired)



=== TEST 11: verification off
--- certificate chomp
wrong
--- trusted chomp
ssl_verify=0
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni:node.test n:1



=== TEST 12: connections are not shared between names of one address
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/;
    }
    location /u {
        mesh_test_http https://evil.test:$TEST_NGINX_RAND_PORT_1/;
    }
--- request eval
["GET /t", "GET /u"]
--- response_body eval
["ok read status:200 sent:1 reused:0 retried:0 type:text/plain "
 . "body:sni:node.test n:1\n",
 "tls handshake status:0 sent:0 reused:0 retried:0 "
 . "reason:certificate does not match \"evil.test\"\n"]



=== TEST 13: a peer that does not speak TLS
--- config
    location /t {
        mesh_test_http https://127.0.0.1:$TEST_NGINX_PEER/;
    }
--- response_body
tls handshake status:0 sent:0 reused:0 retried:0 reason:TLS handshake failed



=== TEST 14: another connection resumes the session
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/once repeat=3;
    }
--- response_body
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni:node.test resumed:.
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni:node.test resumed:r
ok read status:200 sent:1 reused:0 retried:0 type:text/plain body:sni:node.test resumed:r



=== TEST 15: a session is not one of another name
--- config
    location /t {
        mesh_test_http https://node.test:$TEST_NGINX_RAND_PORT_1/once;
    }
    location /u {
        mesh_test_http https://localhost:$TEST_NGINX_RAND_PORT_1/once;
    }
--- request eval
["GET /t", "GET /u"]
--- response_body eval
["ok read status:200 sent:1 reused:0 retried:0 type:text/plain "
 . "body:sni:node.test resumed:.\n",
 "ok read status:200 sent:1 reused:0 retried:0 type:text/plain "
 . "body:sni:localhost resumed:.\n"]



=== TEST 16: a missing file of trusted certificates
--- http_config
    mesh_test_http_conf ssl_trusted_certificate=/no/such.crt;
--- config
    location /t {
        mesh_test_http https://node.test/;
    }
--- must_die
--- error_log
/no/such.crt
