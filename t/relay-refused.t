# Guards against relays served that a full node would refuse, and against
# refusals whose code does not tell the client what to do: the checks of a
# relay in their order, each with its own code.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::Nginx::Socket 'no_plan';
use MeshBlocks;

my $edge = MeshBlocks->new;
my $foreign = MeshRelay::public('foreign');

add_block_preprocessor(sub { $edge->prepare($_[0]) });
add_response_body_check(sub { $edge->check(@_) });

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: no JSON
--- request
POST /v1/client/relay
nothing
--- refused: 1 lexical error: invalid string in json text. at byte 1



=== TEST 2: an empty body is the zero relay
--- request
POST /v1/client/relay
--- refused: 1 could not convert servicer hex to public key



=== TEST 3: another servicer
--- relay: servicer => 'foreign'
--- refused: 1 failed to find correct servicer PK



=== TEST 4: no payload
--- relay: data => ''
--- refused: 25 the payload data of the relay request is empty



=== TEST 5: a height far from the node's
# of an application with no session yet, whose dispatch would be told
--- relay: meta => 17, app => 'far'
--- refused: 75 the request block height is out of sync with the current block height



=== TEST 6: as far as it may be
--- relay: meta => 16
--- answer
{\"result\":\"0x21\"}



=== TEST 7: no hex in the application's key
--- relay: data => '{}'
--- edit: s/"app_pub_key":"../"app_pub_key":"zz/
--- refused: 6 error decoding the string into hex bytes



=== TEST 8: a short key of the application
--- relay: data => '{}'
--- edit: s/"app_pub_key":"../"app_pub_key":"/
--- refused: 42 the public key is not the correct cap



=== TEST 9: no chain
--- relay: chain => ''
--- refused: 8 the non-native chain is of Length 0



=== TEST 10: another request than the one that was hashed
--- relay: data => '{}'
--- edit: s/\{\}/[]/
--- refused: 74 the request hash does not match the payload hash



=== TEST 11: a chain that is not hosted
--- relay: chain => '00AA'
--- refused: 26 the blockchain in the relay request is not supported on this node



=== TEST 12: a session that is over
--- relay: height => 1, meta => 5
--- refused: 60 the block height passed is invalid



=== TEST 13: a session that is no session
--- relay: height => -3, meta => 5
--- refused: 60 the block height passed is invalid



=== TEST 14: a negative entropy
--- relay: entropy => -1
--- refused: 29 the entropy included in the relay request is invalid



=== TEST 15: no version of the AAT
--- relay: data => '{}'
--- edit: s/"version":"0.0.1"/"version":""/
--- refused: 4 the application authentication token is invalid : the application authentication token version is missing



=== TEST 16: another version of the AAT
--- relay: data => '{}'
--- edit: s/"version":"0.0.1"/"version":"0.0.2"/
--- refused: 4 the application authentication token is invalid : the application authentication token version is not supported



=== TEST 17: no key of the client
--- relay: data => '{}'
--- edit: s/"client_pub_key":"\w+"/"client_pub_key":""/
--- refused: 4 the application authentication token is invalid : the client public key included in the AAT is not valid



=== TEST 18: no hex in the client's key
--- relay: data => '{}'
--- edit: s/"client_pub_key":"../"client_pub_key":"zz/
--- refused: 4 the application authentication token is invalid : ERROR:\nCodespace: pocketcore\nCode: 6\nMessage: \"error decoding the string into hex bytes\"\n



=== TEST 19: an AAT for another client
--- relay: data => '{}'
--- edit: my $k = MeshRelay::public('other'); s/"client_pub_key":"\w+"/"client_pub_key":"$k"/
--- refused: 4 the application authentication token is invalid : the application signature on the AAT is not valid



=== TEST 20: a signature that is no hex
--- relay: data => '{}'
--- edit: s/..("\}\})$/zz$1/
--- refused: 39 the signature could not be message decoded



=== TEST 21: a short signature
--- relay: data => '{}'
--- edit: s/..("\}\})$/$1/
--- refused: 38 the signature Length is invalid



=== TEST 22: a signature of another relay
--- relay: data => '{}'
--- edit: s/"entropy":\d+/"entropy":77777/
--- refused: 41 the signature could not be verified with the message and pub key



=== TEST 23: the checks keep their order
--- relay: data => '{}', chain => '00AA'
--- edit: s/"entropy":\d+/"entropy":-1/
--- refused: 26 the blockchain in the relay request is not supported on this node



=== TEST 24: a method that is none
--- relay: method => 'NO METHOD'
--- refused: 28 error executing the http request: unable to process blockchain request



=== TEST 25: a refusal leaves the connection open
--- relay: data => '{}', chain => '00AA'
--- raw_request eval
"POST /v1/client/relay HTTP/1.1\r\nHost: a\r\nContent-Length: <LENGTH>\r\n\r\n"
. "<RELAY>GET /v1/client/relay HTTP/1.0\r\n\r\n"
--- ignore_response
--- error_log
relay refused with code 26
"GET /v1/client/relay HTTP/1.0"
--- no_error_log
[alert]
