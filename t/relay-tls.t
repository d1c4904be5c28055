# Guards against a chain's answer from anybody else: certificates are verified
# unless the operator says otherwise, against the name of the url.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $certs = MeshHttp->certificates;
my $port = MeshRedis::free_port();
my $edge = MeshBlocks->new(chains => {
    '0031' => "https://localhost:$port/",
    '0032' => "https://127.0.0.1:$port/",
});

add_block_preprocessor(sub {
    my ($block) = @_;
    my $name = $block->certificate // 'node';
    my $verify = $block->verify // "proxy_ssl_verify on;\n"
        . "        proxy_ssl_trusted_certificate $certs/ca.crt;";

    $block->set_value(http => <<"EOF");
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $certs/$name.crt;
        ssl_certificate_key $certs/$name.key;
        location / { return 200 "sni \$ssl_server_name"; }
    }
EOF
    $block->set_value(server => <<"EOF") unless defined $block->shipped;
    location = /_tls {
        internal;
        proxy_pass             \$mesh_relay_chain_url;
        proxy_ssl_server_name  on;
        proxy_ssl_name         \$mesh_relay_chain_name;
        $verify
    }
    mesh_relay_chain_location /_tls;
EOF
    $block->set_value(relay => q(chain => '0031'))
        unless defined $block->relay;
    $edge->prepare($block);
});
add_response_body_check(sub { $edge->check(@_) });

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a good certificate
--- answer: sni localhost



=== TEST 2: of another name
--- certificate: wrong
--- refused: 28 error executing the http request: blockchain request for CHAIN=0031 PATH= METHOD=POST
--- error_log
upstream SSL certificate does not match "localhost"



=== TEST 3: expired
--- certificate: expired
--- refused: 28 error executing the http request: blockchain request for CHAIN=0031 PATH= METHOD=POST
--- error_log
upstream SSL certificate verify error: (10:certificate has expired)



=== TEST 4: signed by itself
--- certificate: self
--- refused: 28 error executing the http request: blockchain request for CHAIN=0031 PATH= METHOD=POST
--- error_log
upstream SSL certificate verify error



=== TEST 5: the operator does not want to know
--- certificate: self
--- verify: proxy_ssl_verify off;
--- answer: sni localhost



=== TEST 6: an authority that the system does not trust, at the shipped location
--- shipped
--- refused: 28 error executing the http request: blockchain request for CHAIN=0031 PATH= METHOD=POST
--- error_log
upstream SSL certificate verify error



=== TEST 7: at an address, which core does not find in a good certificate
--- relay: chain => '0032'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0032 PATH= METHOD=POST
--- error_log
upstream SSL certificate does not match "127.0.0.1"
chain "0032" in
