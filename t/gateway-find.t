# Guards FindNode: by HTTP, by gateway_find.h from another module, and by the
# variables of gateway_node, whose requests tell how the node did.

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";

use MeshHttp;
use Test::Nginx::Socket;

my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
chmod 0755, "$dir";

open my $auth, '>', "$dir/auth.json" or die $!;
print $auth '{"Value":"find-token","Issued":""}';
close $auth;
chmod 0600, "$dir/auth.json";

$ENV{TEST_NGINX_AUTH} = "$dir/auth.json";
$ENV{TEST_NGINX_LOCATIONS} = "$FindBin::Bin/../config/gateway_locations.conf";

my $deaf = MeshHttp->deaf;
$ENV{TEST_NGINX_DEAF} = $deaf->{port};

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");
    $block->set_value(http_config =>
        $block->http_config // 'gateway_chain eth {
                                    node http://127.0.0.1:$TEST_NGINX_DEAF;
                                }');
    $block->set_value(config =>
        ($block->config // '') . ' include $TEST_NGINX_LOCATIONS;');
    $block->set_value(request => 'GET /gateway/find/eth')
        unless defined $block->request;
});

plan 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: a node
--- response_body_like eval
qr/^\{"chain":"eth","node":\{"address":"127\.0\.0\.1:(\d+)",
"public_key":"","service_url":"http:\/\/127\.0\.0\.1:\1"\},
"session_height":0,"app":"","weight":[\d.e+-]+,"reason":"found"\}\n$/x
--- response_headers
Content-Type: application/json
Cache-Control: no-store



=== TEST 2: HEAD
--- request
HEAD /gateway/find/eth
--- response_body



=== TEST 3: another method
--- request
POST /gateway/find/eth
--- error_code: 405
--- response_headers
Allow: GET, HEAD
--- response_body
{"message":"method not allowed","status":405,"error":null}



=== TEST 4: a chain that is not there
--- request
GET /gateway/find/0021
--- error_code: 503
--- response_body
{"message":"no node can be found","status":503,"error":{"reason":"unknown_chain","attempts":0}}



=== TEST 5: a chain without nodes
--- http_config
    gateway_chain 0021 { family evm; }
--- request
GET /gateway/find/0021
--- error_code: 503
--- response_body
{"message":"no node can be found","status":503,"error":{"reason":"no_nodes","attempts":0}}



=== TEST 6: nothing of the gateway is configured
--- http_config
--- error_code: 503
--- response_body
{"message":"no node can be found","status":503,"error":{"reason":"unknown_chain","attempts":0}}



=== TEST 7: no chain
--- request
GET /gateway/find/
--- error_code: 404
--- response_body
{"message":"no chain is named","status":404,"error":null}



=== TEST 8: more than a chain
--- request
GET /gateway/find/eth/x
--- error_code: 404
--- response_body
{"message":"no chain is named","status":404,"error":null}



=== TEST 9: a server's secret path is not told
--- http_config
    gateway_chain eth { node http://127.0.0.1:1/v3/SECRET?key=SECRET; }
--- response_body_like: "service_url":"http://127.0.0.1:1"
--- response_body_unlike: SECRET



=== TEST 10: a regular location
--- config
    location ~ ^/which/ { gateway_find; }
--- request
GET /which/eth
--- response_body_like: "chain":"eth"



=== TEST 11: a token is needed where that is configured
--- http_config
    gateway_auth $TEST_NGINX_AUTH;
    gateway_find_auth on;
    gateway_chain eth { node http://127.0.0.1:1/v3/SECRET; }
--- request eval
[("GET /gateway/find/eth") x 4]
--- more_headers eval
["", "Authorization: find-tokem", "Authorization: find-token",
 "X-API-Key: find-token"]
--- error_code eval
[401, 401, 200, 200]
--- response_body_like eval
[('^{"message":"a token is needed","status":401,"error":null}$') x 2,
 ('"service_url":"http://127.0.0.1:1/v3/SECRET"') x 2]



=== TEST 12: from another module
--- config
    location /t { mesh_test_find; }
--- request eval
["GET /t?chain=eth", "GET /t?chain=0021"]
--- response_body_like eval
['^127\.0\.0\.1:(\d+) http://127\.0\.0\.1:\1 "" 0 found\n$',
 '^none: unknown_chain\n$']



=== TEST 13: from another module, where nothing is configured
--- http_config
--- config
    location /t { mesh_test_find; }
--- request
GET /t?chain=eth
--- response_body
none: unknown_chain



=== TEST 14: variables: one choice of a request
--- http_config
    gateway_chain eth {
        node http://127.0.0.1:1/a name=a;
        node http://127.0.0.1:2/b name=b;
        node http://127.0.0.1:3/c name=c;
    }
--- config
    location /t {
        gateway_node eth;
        set $first $gateway_node;
        error_page 418 = /u;
        return 418;
    }
    location /u {
        gateway_node eth;
        return 200 "$first $gateway_node $gateway_node_url\n";
    }
--- request eval
[("GET /t") x 10]
--- response_body_like eval
[('^(\w) \1 http://127\.0\.0\.1:\d/\1$') x 10]



=== TEST 15: variables: a chain by variable, and none
--- config
    location /t {
        gateway_node $arg_chain;
        return 200 "[$gateway_node] [$gateway_node_url]\n";
    }
    location /u { return 200 "[$gateway_node]\n"; }
--- request eval
["GET /t?chain=eth", "GET /t?chain=x", "GET /t", "GET /u"]
--- response_body_like eval
['^\[127\.0\.0\.1:(\d+)\] \[http://127\.0\.0\.1:\1\]$', '^\[\] \[\]$',
 '^\[\] \[\]$', '^\[\]$']
