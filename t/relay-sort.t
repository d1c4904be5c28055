# Guards the sorting of answers: where it is on, what is signed and sent is the
# re-marshalled text, and what is no JSON object is left as it is.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(relay => q(method => 'GET'));
    $block->set_value(chain =>
        'location / { root $TEST_NGINX_SERVROOT/html; }');
    $block->set_value(server => 'mesh_relay_sort_response on;')
        unless defined $block->server;
    $block->set_value(user_files => [['index.html', $block->says]]);
    $edge->prepare($block);
});
add_response_body_check(sub { $edge->check(@_) });

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: keys are sorted, spaces go, the last of a repeated key stays
--- says chomp
{ "b" : 1, "a" : { "d": [ 2, 1 ], "c": null }, "b": 1e21 }
--- answer
{\"a\":{\"c\":null,\"d\":[2,1]},\"b\":1e+21}



=== TEST 2: off
--- server: mesh_relay_sort_response off;
--- says chomp
{ "b" : 1, "a" : 2 }
--- answer
{ \"b\" : 1, \"a\" : 2 }



=== TEST 3: an array
--- says chomp
[ {"b": 1, "a": 2} ]
--- answer
[ {\"b\": 1, \"a\": 2} ]



=== TEST 4: no JSON
--- says chomp
{ "b": 1,
--- answer
{ \"b\": 1,



=== TEST 5: nothing
--- says eval
""
--- answer eval
""



=== TEST 6: a large object, which comes in many reads
--- says eval
'{' . join(', ', map { sprintf '"k%05d": %d', $_, $_ } reverse 0 .. 9999) . '}'
--- answer eval
'{' . join(',', map { sprintf '\"k%05d\":%d', $_, $_ } 0 .. 9999) . '}'
