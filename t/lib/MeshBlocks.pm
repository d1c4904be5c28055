package MeshBlocks;

# An edge for the blocks of a Test::Nginx file: Redis, a full node, chains of
# every kind, keys, and sections that build, send and verify relays.
#
#   use MeshBlocks;
#   my $edge = MeshBlocks->new(chains => { '0042' => 'http://...' });
#   add_block_preprocessor(sub { $edge->prepare($_[0]) });
#   add_response_body_check(sub { $edge->check(@_) });
#
# Sections of a block, besides those of Test::Nginx:
#
#   relay     options of MeshRelay::relay; the request is that relay
#   times     so many of them, one after the other, each of its own entropy
#   post_to   its URI, when it is not /v1/client/relay
#   edit      perl code that changes $_, the relay's text, before it is sent
#   answer    the chain's answer as it is escaped; its signature is verified
#   refused   CODE MESSAGE of pocketcore (of sdk for code 1), status 400
#   http, server, chain    directives for http{}, the edge's server{} and that
#             of chain 0021
#
# A block without config is a whole edge, with config/mesh_relay.conf.  Chains:
# 0021 is a server of the same nginx, 0001 the faulty one of MeshHttp, 0002
# refuses connections, 0003 never accepts them, 0004 is 0001 by its unix
# socket, 0005 is 0021 by [::1].

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use MeshHttp;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More ();

my @headers = (
    'Content-Type: application/json; charset=utf-8',
    'Access-Control-Allow-Origin: *',
    'Access-Control-Allow-Methods: POST',
    'Access-Control-Allow-Headers: Accept, Content-Type, Content-Length, '
    . 'Accept-Encoding, X-CSRF-Token, Authorization',
);

sub new {
    my ($class, %o) = @_;
    my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
    my $faulty = MeshHttp->faulty;
    my $hole = MeshHttp->black_hole;
    my $port6 = MeshRedis::free_port();
    chmod 0755, "$dir";

    my $self = bless {
        dir => $dir, port6 => $port6, hole => $hole, faulty => $faulty,
        keys => ['servicer'], redis => MeshRedis->start,
        node => MeshNode->start(height => 6), %o,
    }, $class;

    $self->{chains} = {
        '0021' => "http://unix:$dir/chain.sock:/",
        '0001' => "http://127.0.0.1:$faulty->{port}/",
        '0002' => 'http://127.0.0.1:' . MeshHttp->closed_port . '/',
        '0003' => "http://127.0.0.1:$hole->{port}/",
        '0004' => "http://unix:$faulty->{socket}:/",
        '0005' => "http://[::1]:$port6/",
        %{ $o{chains} || {} },
    };

    $self->write_files;
    return $self;
}

sub write_file {
    my ($self, $name, $text, $mode) = @_;
    open my $f, '>', "$self->{dir}/$name" or die "$self->{dir}/$name: $!";
    print $f $text;
    close $f;
    chmod $mode // 0600, "$self->{dir}/$name";
}

sub write_files {
    my ($self) = @_;
    my $keys = join ',', map { '"' . MeshRelay::private($_) . '"' }
                         @{ $self->{keys} };
    my $chains = join ',', map { qq({"id":"$_","url":"$self->{chains}{$_}"}) }
                           sort keys %{ $self->{chains} };

    $self->write_file('keys.json', '[{"name":"node","url":"'
        . $self->{node}->url . qq(","keys":[$keys]}]));
    $self->write_file('chains.json', "[$chains]");
    $self->write_file('auth.json', '{"Value":"edge-token","Issued":""}');
    $self->write_file('node.json', '{"Value":"node-token","Issued":""}');
}

# the directives of http{}

sub directives {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $redis = $self->{redis}->socket;
    return <<"EOF";
    mesh_edge test;
    mesh_redis unix:$redis;
    mesh_relay_servicers $dir/keys.json;
    mesh_relay_chains $dir/chains.json;
    mesh_relay_auth $dir/auth.json;
    mesh_relay_node_auth $dir/node.json;
    mesh_relay_node_check_interval 200ms;
EOF
}

sub prepare {
    my ($self, $block) = @_;
    my $http = $block->http // '';
    my $chain = $block->chain
        // q(location / { return 200 '{"result":"0x21"}'; });

    if (!defined $block->http_config) {
        $block->set_value(http_config => $self->directives . <<"EOF");
    $http
    server {
        listen unix:$self->{dir}/chain.sock;
        listen [::1]:$self->{port6};
        access_log off;
        default_type application/json;
        $chain
    }
EOF
    }

    if (!defined $block->config) {
        my $server = $block->server // '';
        $server =~ s/%DIR%/$self->{dir}/g;
        $block->set_value(config => <<"EOF");
    $server
    include \$TEST_NGINX_TOP/config/mesh_relay.conf;
EOF
    }

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]")
        unless defined $block->no_error_log || defined $block->must_die;

    $self->request($block) if defined $block->relay;
    $self->expect($block);
}

sub request {
    my ($self, $block) = @_;
    my %o = eval $block->relay;
    die $block->name . ": relay: $@" if $@;

    my @relays = MeshRelay::relays($block->times // 1, height => 5, %o);

    if (defined $block->edit) {
        for (@relays) {
            eval $block->edit;
            die $block->name . ": edit: $@" if $@;
        }
    }

    $block->set_value(relays => \@relays);

    if (defined(my $raw = $block->raw_request)) {
        $block->set_value(raw_request => ref $raw
            ? [map { fill($_, $relays[0]) } @$raw] : fill($raw, $relays[0]));
        return;
    }

    return if defined $block->request;

    my $uri = $block->post_to // '/v1/client/relay';
    my @requests = map { "POST $uri\n$_" } @relays;

    $block->set_value(request => @requests > 1 ? \@requests : $requests[0]);
}

# <RELAY>, <LENGTH> and <HEXLENGTH> of a raw request

sub fill {
    my ($raw, $text) = @_;
    my %is = (RELAY => $text, LENGTH => length $text,
              HEXLENGTH => sprintf '%x', length $text);
    $raw =~ s/<(RELAY|LENGTH|HEXLENGTH)>/$is{$1}/g;
    return $raw;
}

sub expect {
    my ($self, $block) = @_;

    return unless defined($block->refused // $block->answer);

    $block->set_value(recorded_before => $self->recorded);

    if (defined $block->refused) {
        my ($code, $message) = $block->refused =~ /\A(\d+) (.*?)\n?\z/s
            or die $block->name . ": refused: CODE MESSAGE";
        my $space = $code == 1 ? 'sdk' : 'pocketcore';

        $block->set_value(error_code => 400)
            unless defined $block->error_code;
        $block->set_value(response_body => qq({"dispatch":null,"error":{)
            . qq("code":$code,"codespace":"$space",)
            . qq("message":"$message"}}\n));
    }

    $block->set_value(response_headers => join "\n", @headers)
        unless defined $block->response_headers;

    my $n = $block->times // 1;

    for my $name ($n > 1 ? qw(error_code response_body response_headers) : ())
    {
        my $value = $block->$name // ($name eq 'error_code' ? 200 : next);
        $block->set_value($name => [($value) x $n]) unless ref $value;
    }
}

# a request beside that of the block: init, or a body check

sub get {
    my ($uri) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $ENV{TEST_NGINX_SERVER_PORT}) or die "edge: $!";
    print $s "GET $uri HTTP/1.0\r\n\r\n";
    local $/;
    my (undef, $body) = split /\r\n\r\n/, <$s> // '', 2;
    return $body;
}

# relays recorded by all blocks until now

sub recorded {
    my ($self) = @_;
    my $rows = $self->{redis}->command('HVALS', 'mesh:{node}:ledger');
    my $sum = 0;
    $sum += (split /,/, $_)[0] for ref $rows ? @$rows : ();
    return $sum;
}

# for add_response_body_check(): what was recorded, the answer's text and its signature

sub check {
    my ($self, $block, $body, $i) = @_;
    my $name = $block->name;

    return unless defined($block->refused // $block->answer);

    my $recorded = $self->recorded - $block->recorded_before;

    Test::More::is($recorded, 0, "$name - nothing is recorded")
        if defined $block->refused;

    return unless defined $block->answer;

    Test::More::is($recorded, $i + 1, "$name - it is recorded");

    (my $answer = $block->answer) =~ s/\n\z//;
    my ($text) = ($body // '')
        =~ /\A\{"response":"(.*)","signature":"[0-9a-f]{128}"\}\n\z/s;

    Test::More::is($text, $answer, "$name - the chain's answer");
    Test::More::ok(MeshRelay::verify($block->relays->[$i], $body),
                   "$name - its signature");
}

1;
