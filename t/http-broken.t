# Guards against peers that break off, talk nonsense or too much: each is an
# error of its own kind, no byte of a broken answer passes for an answer.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshHttp;
use Test::Nginx::Socket;

my $peer = MeshHttp->faulty;

$ENV{TEST_NGINX_PEER} = $peer->{port};

# A section "faults" has a path of the faulty server and the outcome, a line
# each: a location, a request and an expected body are made of it.

add_block_preprocessor(sub {
    my ($block) = @_;
    my (@requests, @bodies, $config);

    for (split /\n/, $block->faults) {
        my ($path, $outcome) = split ' ', $_, 2;
        push @requests, "GET /$path";
        push @bodies, "$outcome\n";
        $config .= <<"_EOC_";
    location = /$path {
        mesh_test_http http://127.0.0.1:\$TEST_NGINX_PEER/$path;
    }
_EOC_
    }

    $block->set_value(config => $config);
    $block->set_value(request => \@requests);
    $block->set_value(response_body => \@bodies);
    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");
});

plan tests => repeat_each() * 5 * 26;

no_long_string();
run_tests();

__DATA__

=== TEST 1: the peer closes before the end
--- faults
nothing     closed wait status:0 sent:1 reused:0 retried:0 reason:peer closed connection
instatus    closed read status:0 sent:1 reused:0 retried:0 reason:peer closed connection
inheaders   closed read status:0 sent:1 reused:0 retried:0 reason:peer closed connection
inbody      closed read status:200 sent:1 reused:0 retried:0 reason:peer closed connection
inchunk     closed read status:200 sent:1 reused:0 retried:0 reason:peer closed connection
nolastchunk closed read status:200 sent:1 reused:0 retried:0 reason:peer closed connection
reset       closed read status:200 sent:1 reused:0 retried:0 reason:reading failed
kill9       closed read status:200 sent:1 reused:0 retried:0 reason:peer closed connection



=== TEST 2: not HTTP
--- faults
garbage     protocol read status:0 sent:1 reused:0 retried:0 reason:invalid status line
http2       protocol read status:0 sent:1 reused:0 retried:0 reason:invalid status line
zero        protocol read status:0 sent:1 reused:0 retried:0 reason:invalid status line
upgrade     protocol read status:0 sent:1 reused:0 retried:0 reason:invalid status line
badheader   protocol read status:0 sent:1 reused:0 retried:0 reason:invalid header line
folded      protocol read status:0 sent:1 reused:0 retried:0 reason:invalid header line
negative    protocol read status:0 sent:1 reused:0 retried:0 reason:invalid Content-Length
overflow    protocol read status:0 sent:1 reused:0 retried:0 reason:invalid Content-Length
twolengths  protocol read status:0 sent:1 reused:0 retried:0 reason:invalid Content-Length
both        protocol read status:0 sent:1 reused:0 retried:0 reason:misplaced Transfer-Encoding
gzip        protocol read status:0 sent:1 reused:0 retried:0 reason:unsupported Transfer-Encoding
badchunk    protocol read status:200 sent:1 reused:0 retried:0 reason:invalid chunk



=== TEST 3: too much
--- faults
hugelength  too_large read status:200 sent:1 reused:0 retried:0 reason:too large Content-Length
hugechunk   too_large read status:200 sent:1 reused:0 retried:0 reason:too large body
longheader  too_large read status:0 sent:1 reused:0 retried:0 reason:too large header
manyheaders too_large read status:0 sent:1 reused:0 retried:0 reason:too many headers



=== TEST 4: too much, with small limits
--- http_config
    mesh_test_http_conf max_body=10000;
--- faults
big         too_large read status:200 sent:1 reused:0 retried:0 reason:too large body
bigchunks   too_large read status:200 sent:1 reused:0 retried:0 reason:too large body
