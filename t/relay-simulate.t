# Guards simulated relays: the chain's answer as one JSON string, for tests of
# the operator's own, and nothing recorded by them.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;

add_block_preprocessor(sub {
    my ($block) = @_;
    my $more = $block->server // '';
    $block->set_value(server => <<"EOF");
    location = /v1/client/sim {
        mesh_relay_simulate on;
        $more
    }
EOF
    $edge->prepare($block);
});

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: an answer
--- request
POST /v1/client/sim
{"relay_network_id":"0021","payload":{"data":"{}"}}
--- response_headers
Content-Type: application/json; charset=UTF-8
Access-Control-Allow-Origin: *
--- response_body chomp
"{\"result\":\"0x21\"}"



=== TEST 2: what the chain is asked
--- request
POST /v1/client/sim
{"relay_network_id":"0001","payload":{"data":"a","method":"PUT","path":"echo"}}
--- response_body_like: ^"PUT /echo HTTP/1.1\\r\\n.*\\r\\n\\r\\na"$



=== TEST 3: a stale connection
--- request eval
[("POST /v1/client/sim\n"
  . '{"relay_network_id":"0001","payload":{"data":"a","path":"stale"}}') x 3]
--- error_code eval
[200, 200, 200]
--- response_body eval
['"fresh"', '"fresh"', '"fresh"']



=== TEST 4: bad UTF-8
--- chain: location / { root $TEST_NGINX_SERVROOT/html; }
--- user_files eval
[["index.html", "a\xffb"]]
--- request
POST /v1/client/sim
{"relay_network_id":"0021","payload":{"method":"GET"}}
--- response_body chomp
"a\ufffdb"



=== TEST 5: sorted
--- server: mesh_relay_sort_response on;
--- chain: location / { return 200 '{"b":1, "a":2}'; }
--- request
POST /v1/client/sim
{"relay_network_id":"0021","payload":{"data":"{}"}}
--- response_body chomp
"{\"a\":2,\"b\":1}"



=== TEST 6: a chain that is not hosted
--- request
POST /v1/client/sim
{"relay_network_id":"00AA","payload":{"data":"{}"}}
--- error_code: 400
--- response_body
{"code":400,"message":"ERROR:\nCodespace: pocketcore\nCode: 46\nMessage: \"the blockchain requested is not hosted\"\n"}



=== TEST 7: no JSON
--- request
POST /v1/client/sim
nothing
--- error_code: 400
--- response_body_like: ^\{"code":400,"message":"[^"]+"\}\n$



=== TEST 8: a chain that does not answer
--- request
POST /v1/client/sim
{"relay_network_id":"0002","payload":{"data":"{}"}}
--- error_code: 400
--- response_body_like: ^\{"code":400,"message":".*CHAIN=0002



=== TEST 9: too large
--- server: mesh_relay_max_response 1000;
--- request
POST /v1/client/sim
{"relay_network_id":"0001","payload":{"path":"bigchunks"}}
--- error_code: 400
--- response_body_like: ^\{"code":400,"message":"



=== TEST 10: other methods
--- request
GET /v1/client/sim
--- error_code: 405



=== TEST 11: a preflight
--- request
OPTIONS /v1/client/sim
--- response_headers
Access-Control-Allow-Origin: *
--- response_body



=== TEST 12: not where it is not switched on
--- request
POST /v1/client/simulate
{"relay_network_id":"0021","payload":{"data":"{}"}}
--- error_code: 404
