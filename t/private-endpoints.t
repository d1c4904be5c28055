# Guards the operator's endpoints: nobody gets in without the token, and what
# they tell is in the form of the reference.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;

$ENV{TEST_NGINX_ADDRESS} = MeshRelay::address('servicer');
($ENV{TEST_NGINX_CHAINS}) = do {
    open my $f, '<', "$edge->{dir}/chains.json" or die $!;
    local $/;
    my $text = <$f>;
    $text =~ s/\}/,"basic_auth":{"username":"","password":""}}/gr;
};

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(more_headers => 'Authorization: edge-token')
        unless defined $block->more_headers;
    $edge->prepare($block);
});

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: health
--- request
GET /v1/private/mesh/health
--- response_headers
Content-Type: application/json; charset=utf-8
--- response_body
{"full_nodes":1,"servicers":1,"version":"0.1.0"}



=== TEST 2: servicers
--- request
POST /v1/private/mesh/servicers
--- response_headers
Content-Type: application/json; charset=UTF-8
--- response_body eval
qq([{"address":"$ENV{TEST_NGINX_ADDRESS}"}])



=== TEST 3: chains
--- request
POST /v1/private/mesh/chains
{}
--- response_headers
Content-Type: application/json; charset=UTF-8
--- response_body eval
$ENV{TEST_NGINX_CHAINS}



=== TEST 4: the ledger
--- request eval
["POST /v1/client/relay\n" . MeshRelay::relay(height => 5),
 "GET /v1/private/mesh/ledger"]
--- error_code eval
[200, 200]
--- response_body_like eval
['"signature"', '^\[\{"node":"node","servicer":"\w{40}","session_height":5,'
 . '"chain":"0021","app":"\w{64}","recorded":\d+,"queued":\d+,']



=== TEST 5: no token
--- more_headers
X-Authorization: edge-token
--- request eval
[map { /health|ledger/ ? "GET /v1/private/mesh/$_"
                       : "POST /v1/private/mesh/$_\n[]" }
 qw(health ledger chains servicers updatechains stop)]
--- error_code eval
[(401) x 6]
--- response_headers eval
[('Content-Type: application/json; charset=UTF-8') x 6]
--- response_body eval
[(qq({"code":401,"message":"wrong Authorization: "}\n)) x 6]



=== TEST 6: a wrong token
--- more_headers
Authorization: edge-tokem
--- request eval
[map { /health|ledger/ ? "GET /v1/private/mesh/$_"
                       : "POST /v1/private/mesh/$_\n[]" }
 qw(health ledger chains servicers updatechains stop)]
--- error_code eval
[(401) x 6]
--- response_body eval
[(qq({"code":401,"message":"wrong Authorization: edge-tokem"}\n)) x 6]



=== TEST 7: a wrong token that has to be escaped
--- more_headers
Authorization: "<\>
--- request
GET /v1/private/mesh/health
--- error_code: 401
--- response_body
{"code":401,"message":"wrong Authorization: \"\u003c\\\u003e"}



=== TEST 8: a token that goes on
--- more_headers
Authorization: edge-token2
--- request
GET /v1/private/mesh/health
--- error_code: 401



=== TEST 9: nor was stop obeyed
--- relay: data => '{}'
--- response_body_like: signature



=== TEST 10: another path
--- request
GET /v1/private/mesh/secret
--- error_code: 404
--- response_headers
Content-Type: text/plain; charset=utf-8
--- response_body
404 page not found



=== TEST 11: another path is not told without the token
--- more_headers
Authorization: no
--- request
GET /v1/private/mesh/secret
--- error_code: 401



=== TEST 12: other methods
--- request eval
["POST /v1/private/mesh/health", "GET /v1/private/mesh/stop"]
--- error_code eval
[405, 405]
--- response_headers eval
["Allow: GET, OPTIONS", "Allow: OPTIONS, POST"]
--- response_body eval
["Method Not Allowed\n", "Method Not Allowed\n"]



=== TEST 13: the endpoints of the node are not these
--- request
POST /v1/private/mesh/relay
--- error_code: 404
