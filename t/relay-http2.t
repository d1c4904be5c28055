# Guards relays by HTTP/2, whose bodies, ends and resets come in another way
# than those of HTTP/1.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshEdge;
use MeshLedger;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

plan skip_all => 'curl without HTTP/2' if `curl --version` !~ /\bHTTP2\b/;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);
my $port = MeshRedis::free_port();
my $firewall = MeshRedis::free_port();

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 1,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 200ms;',
);

$edge->{http} .= "
    server {
        listen 127.0.0.1:$port http2;
        include $FindBin::Bin/../config/mesh_relay.conf;
    }
    server {
        listen 127.0.0.1:$firewall http2;
        location / {
            mesh_relay_check on;
            proxy_pass http://unix:$edge->{dir}/edge.sock;
        }
    }";

my $ledger = MeshLedger->new($edge, $redis, 'a');

$edge->start->serving;

sub relay { return MeshRelay::relay(height => 5, @_) }

sub curl {
    my ($to, $body, @options) = @_;
    $edge->write_file('relay.json', $body);
    my @command = ('curl', '-s', '-i', '--http2-prior-knowledge', '-m', 20,
                   '-H', 'Expect:', @options, '--data-binary',
                   "\@$edge->{dir}/relay.json",
                   "http://127.0.0.1:$to/v1/client/relay");
    open my $f, '-|', @command or die "curl: $!";
    local $/;
    my $text = <$f> // '';
    close $f;
    my ($head, $answer) = split /\r\n\r\n/, $text, 2;
    return ($head // '', $answer // '');
}

# An answer before the body's end is followed by a reset, at which curl may
# forget the answer, whichever server it comes from.

sub early {
    for (1 .. 50) {
        my @answer = curl(@_);
        return @answer if $answer[0] ne '';
    }
    return ('', '');
}

for ([$port, 'the edge'], [$firewall, 'the firewall']) {
    my ($to, $what) = @$_;

    for my $size (2, 40000, 200000) {
        my $relay = relay(data => 'x' x $size);
        my ($head, $body) = curl($to, $relay);
        like($head, qr/^HTTP\/2 200/, "$what: $size bytes");
        ok(MeshRelay::verify($relay, $body), "$what: and its signature");
    }

    my ($head, $body) = curl($to, relay(chain => '00AA'));
    like($head, qr/^HTTP\/2 400/, "$what: a refusal");
    like($body, qr/"code":26,/, "$what: with its code");
}

{
    my ($head, $body) = curl($port, '', '-X', 'OPTIONS');
    like($head, qr/^HTTP\/2 200/, 'a preflight');
    like($head, qr/^access-control-allow-origin: \*\r?$/mi, 'and its headers');

    ($head, $body) = early($port, '{}', '-X', 'PUT');
    like($head, qr/^HTTP\/2 405/, 'another method');
}

# streams that are reset at the chain

{
    my $from = $ledger->sum->{recorded};
    for (1 .. 3) {
        my ($head) = curl($port, relay(path => 'slow'), '-m', 0.3);
        is($head, '', 'a client that goes');
    }
    Time::HiRes::sleep(1.5);
    is($ledger->sum->{recorded}, $from, 'nothing is recorded');
    my ($head) = curl($port, relay());
    like($head, qr/^HTTP\/2 200/, 'and the next is served');
}

ok($ledger->adds_up, 'the ledger adds up');
is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;
is(scalar $edge->logged('open socket'), 0, 'no socket was left open');

done_testing();
