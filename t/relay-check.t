# Guards the relay firewall: what a servicer would refuse does not reach it,
# and what passes reaches it as it came, without Redis and without a record.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;
$ENV{TEST_NGINX_REDIS} = $edge->{redis}->socket;

add_block_preprocessor(sub {
    my ($block) = @_;
    my $dir = $edge->{dir};
    my $type = $block->content // 'proxy_pass http://unix:'
        . "$edge->{faulty}{socket}:/echo;";
    my $redis = $block->redis // '';

    $block->set_value(http_config => <<"EOF");
    mesh_relay_servicers $dir/keys.json;
    mesh_relay_chains $dir/chains.json;
    mesh_relay_node_auth $dir/node.json;
    mesh_relay_node_check_interval 200ms;
    $redis
EOF
    $block->set_value(config => <<"EOF");
    location = /v1/client/relay {
        mesh_relay_check on;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        $type
    }
    location / { return 200 'other'; }
    location = /fallback {
        mesh_relay_check on;
        return 200 'fallback';
    }
EOF
    $edge->prepare($block);

    return unless defined $block->passes;

    my $relay = quotemeta $block->relays->[0];
    $block->set_value(response_body_like => qr/\r\n\r\n$relay\z/);
});
add_response_body_check(sub { $edge->check(@_) });

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a good relay
--- relay: data => '{}'
--- passes



=== TEST 2: in a file
--- relay: data => 'x' x 200000
--- passes
--- error_log
a client request body is buffered to a temporary file



=== TEST 3: in chunks
--- relay: data => '{}'
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
. "Transfer-Encoding: chunked\r\n\r\n<HEXLENGTH>\r\n<RELAY>\r\n0\r\n\r\n"
--- passes



=== TEST 4: in two reads
--- relay: data => 'x' x 20000
--- raw_request eval
["POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
 . "Content-Length: <LENGTH>\r\n\r\n", "<RELAY>"]
--- raw_request_middle_delay: 0.1
--- passes



=== TEST 5: twice, as nothing is recorded
--- relay: entropy => 5
--- times: 2
--- error_code eval
[200, 200]
--- response_body_like eval
["request_hash", "request_hash"]



=== TEST 6: a bad signature
--- relay: data => '{}'
--- edit: s/"entropy":\d+/"entropy":77777/
--- refused: 41 the signature could not be verified with the message and pub key



=== TEST 7: a session that is over
--- relay: height => 1, meta => 5
--- refused: 60 the block height passed is invalid



=== TEST 8: a bad relay in a file
--- relay: data => 'x' x 200000
--- edit: s/xx/yy/
--- refused: 74 the request hash does not match the payload hash



=== TEST 9: other methods are not looked into
--- request
GET /v1/client/relay
--- response_body_like: GET /echo



=== TEST 10: other locations are not checked
--- request
POST /v1/client/dispatch
nothing
--- response_body: other



=== TEST 11: in front of another content handler
--- content: return 200 'content';
--- relay: data => '{}'
--- response_body: content



=== TEST 12: a page after a failure of the servicer
--- content
    proxy_pass http://127.0.0.1:1;
    error_page 502 =200 /fallback;
--- relay: data => '{}'
--- response_body: fallback



=== TEST 13: with Redis
--- redis eval
"mesh_redis unix:$main::ENV{TEST_NGINX_REDIS};"
--- relay: data => '{}'
--- passes
