# Guards what the edge passes on to the full node: the node's own endpoints as
# they came, nothing else, and never those that only edges may use.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;
my $port = MeshRedis::free_port();

# a node of these blocks' own, in the same nginx
my $key = MeshRelay::private('servicer');
$edge->write_file('keys.json', qq([{"name":"node",)
    . qq("url":"http://127.0.0.1:$port/base/","keys":["$key"]}]));
$ENV{TEST_NGINX_NODE} = "127.0.0.1:$port";

our @endpoints = (
    qw(client/challenge client/dispatch client/rawtx
       private/stop private/chains private/nodes),
    map { "query/$_" } qw(account accounts accounttxs acl allparams app
    appparams apps balance block blocktxs daoowner height node nodeclaim
    nodeclaims nodeparams nodes param pocketparams signinginfo state supply
    supportedchains tx unconfirmedtx unconfirmedtxs upgrade));

our @wrong = qw(/ /v2 /v1/ /v1/query /v1/query/ /v1/query/heights
    /v1/query/height/more /v1/client /v1/client/sim /v1/private/mesh
    /v1/private/updatechains /index.html);

our @hidden = (
    map({ "/v1/private/mesh/$_" } qw(check session relay)),
    '/v1/query/../private/mesh/relay', '/v1/query/%2e%2e/private/mesh/relay',
    '//v1/private/mesh/relay', '/v1/private/mesh/../mesh/relay',
    '/v1/private%2fmesh/relay');

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(http => <<"EOF") unless defined $block->http;
    server {
        listen 127.0.0.1:$port;
        location / {
            add_header X-Host \$http_host;
            add_header X-Length \$http_content_length;
            add_header X-Auth \$http_authorization;
            return 200 "\$request_method \$request_uri";
        }
    }
EOF
    $block->set_value(no_error_log => '[alert]');
    $edge->prepare($block);
});

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a query, as it came
--- request
POST /v1/query/height?a=%20b
{"x":1}
--- more_headers
Authorization: client
--- response_headers eval
"X-Host: $ENV{TEST_NGINX_NODE}\nX-Length: 7\nX-Auth: client"
--- response_body chomp
POST /base/v1/query/height?a=%20b



=== TEST 2: the version
--- request
GET /v1
--- response_body chomp
GET /base/v1



=== TEST 3: health
--- request
GET /v1/health
--- response_body chomp
GET /base/v1/health



=== TEST 4: a dispatch
--- request
POST /v1/client/dispatch
{}
--- response_body chomp
POST /base/v1/client/dispatch



=== TEST 5: its preflight
--- request
OPTIONS /v1/client/dispatch
--- response_body chomp
OPTIONS /base/v1/client/dispatch



=== TEST 6: all the node's endpoints
--- request eval
[map { "POST /v1/$_\n{}" } @main::endpoints]
--- error_code eval
[(200) x @main::endpoints]
--- response_body eval
[map { "POST /base/v1/$_" } @main::endpoints]



=== TEST 7: nothing else
--- request eval
[map { "POST $_\n{}" } @main::wrong]
--- error_code eval
[(404) x @main::wrong]
--- response_headers eval
[("Content-Type: text/plain; charset=utf-8\n"
  . "X-Content-Type-Options: nosniff") x @main::wrong]
--- response_body eval
[("404 page not found\n") x @main::wrong]



=== TEST 8: the endpoints of edges are never reached
--- request eval
[map { "POST $_\n{}" } @main::hidden]
--- more_headers
Authorization: edge-token
--- error_code eval
[(404) x @main::hidden]



=== TEST 9: the node is down
--- http
    # none
--- request
POST /v1/query/height
--- error_code: 502



=== TEST 10: and the edge says so of relays
--- http
    # none
    mesh_relay_session_timeout 200ms;
--- relay: data => '{}'
--- refused: 1 pocket node is currently unavailable
