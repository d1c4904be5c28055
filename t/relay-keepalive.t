# Guards the kept connections to chains: they are used again, one that the
# chain has closed costs no relay, and no request is sent more often than that
# explains.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;
my $base = $edge->{chains}{'0001'};
$edge->{chains}{'0011'} = 'http://kept/';
$edge->write_files;
($ENV{TEST_NGINX_ADDR}) = $base =~ m{//(.*)/};

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(http => <<"EOF");
    upstream kept {
        server $ENV{TEST_NGINX_ADDR};
        keepalive 4;
    }
EOF
    $edge->prepare($block);
});
add_response_body_check(sub {
    my ($block, $body, $i) = @_;
    $edge->check($block, $body, $i);

    # after the last of the requests: how often, and what
    return if $i + 1 < ($block->times // 1) || !defined $block->logged;
    my ($n, $text) = $block->logged =~ /^(\d+) (.*)/;
    open my $log, '<', "$ENV{TEST_NGINX_SERVROOT}/logs/error.log" or die $!;
    is(scalar(grep { /\Q$text\E/ } <$log>), $n, $block->name . " - $text");
});

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: connections of a declared upstream are kept
--- relay: chain => '0001', path => 'ok'
--- times: 3
--- response_body_like eval
['"n:1"', '"n:2"', '"n:3"']



=== TEST 2: those of an upstream{} of the operator, too
--- relay: chain => '0011', path => 'ok'
--- times: 3
--- response_body_like eval
['"n:1"', '"n:2"', '"n:3"']



=== TEST 3: after a chunked answer
--- relay: chain => '0001', path => 'bigchunks'
--- times: 2
--- response_body_like eval
['AAAAA', 'AAAAA']
--- logged: 1 get keepalive peer: using connection



=== TEST 4: closed by the chain after an answer
--- relay: chain => '0001', path => 'close'
--- times: 2
--- answer: n:1



=== TEST 5: closed without a word when it is used again: asked once more
--- relay: chain => '0001', path => 'stale'
--- times: 4
--- answer: fresh



=== TEST 6: the same with a GET
--- relay: chain => '0001', path => 'stale', method => 'GET', data => ''
--- times: 3
--- answer: fresh



=== TEST 7: only once more
--- relay: chain => '0001', path => 'first'
--- times: 2
--- error_code eval
[200, 400]
--- response_body_like eval
['"response":"first"', 'blockchain request for CHAIN=0001 PATH=first']
--- logged: 2 upstream prematurely closed connection



=== TEST 8: a new connection that fails is not tried again
--- relay: chain => '0001', path => 'nothing'
--- refused: 28 error executing the http request: blockchain request for CHAIN=0001 PATH=nothing METHOD=POST
--- logged: 1 upstream prematurely closed connection
