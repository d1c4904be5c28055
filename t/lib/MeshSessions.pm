package MeshSessions;

# Servicers of sessions, and a gateway of them: a demo full node tells of the
# sessions, edges serve, each in the name of some servicers and with a chain of
# its own; mocks are servicers that are faulty.
#
#   my $net = MeshSessions->start(edges => [2, 1], mocks => 1, height => 6);
#       # servicers s0 and s1 of edge 0, s2 of edge 1, s3 a mock
#   my $gateway = $net->gateway(keys => 'timeout 3s;', http => '...');
#   $gateway->ask('/relay/0021')                # a MeshPool
#   $net->mocks->set(0, status => 500)          # MeshServers
#   $net->chain->set(1, error => '...')         # that of edge 1, the same
#   $net->node->get('/_demo/set?height=+1')     # MeshCtl's demo
#   $net->edge(1)                               # a MeshEdge
#   $net->servicer($answer)                     # number, of Gateway-Node
#   $net->mock(0)                               # number of that servicer
#   $net->end
#
# Each servicer of an edge is an operator of its own.  Options of start: quota,
# http (directives of all edges), tls: by edge { server => directives } if its
# servicers have https URLs, of that name with name => host; without directives
# it does not speak TLS after all.
# Options of gateway: http, server, keys (of the chain), family, interval (of
# checks).

#
# What a mock says, when it is asked for: relayed(TEXT, SIGNATURE) is an answer
# of a relay, refused(CODE) an error of a servicer.

use strict;
use warnings;

use Exporter qw(import);
use FindBin;
use MeshCtl;
use MeshEdge;
use MeshPool;
use MeshRedis;
use MeshRelay;
use MeshServers;

our @EXPORT_OK = qw(relayed refused);

sub relayed {
    my ($text, $signature) = @_;
    $text =~ s/(["\\])/\\$1/g;
    return qq({"response":"$text","signature":"$signature"}\n);
}

sub refused {
    my ($code) = @_;
    return qq({"dispatch":null,"error":{"code":$code,)
        . qq("codespace":"pocketcore","message":"m"}}\n);
}

sub start {
    my ($class, %o) = @_;
    my $self = bless { redis => MeshRedis->start, port => MeshCtl->port,
                       edges => [], n => 0, http => $o{http} // '' }, $class;
    my $mocks = $o{mocks} // 0;

    $self->{mocks} = MeshServers->start($mocks) if $mocks;
    $self->{chain} = MeshServers->start(scalar @{ $o{edges} })
        if @{ $o{edges} };

    my (@of, @servicers);
    for my $n (@{ $o{edges} }) {
        my $tls = $o{tls}[@of];
        push @of, [map { $self->{n}++ } 1 .. $n];
        push @servicers, map {
            my $at = $tls && $tls->{name} ? "$tls->{name}:$self->{port}"
                                          : $self->address($_);
            ("s$_" => ($tls ? 'https' : 'http') . "://$at")
        } @{ $of[-1] };
    }
    for my $i (0 .. $mocks - 1) {
        push @servicers, 's' . $self->{n}++
                         => 'http://127.0.0.1:' . $self->{mocks}->port($i);
    }
    $self->{first} = $self->{n} - $mocks;

    my @known;
    while (my ($name, $url) = splice @servicers, 0, 2) {
        push @known, '--servicer', MeshRelay::public($name) . "\@$url";
    }

    $self->{node} = MeshCtl->demo('node', @known, '--chain', '0021',
        '--app', MeshRelay::public('app') . ':' . ($o{quota} // 100000),
        '--height', $o{height} // 6, '--check-signatures');

    for my $i (0 .. $#of) {
        push @{ $self->{edges} },
             $self->start_edge($i, $o{tls}[$i], @{ $of[$i] });
    }

    return $self;
}

sub address { return '127.0.' . ($_[1] + 1) . ".1:$_[0]{port}" }

sub start_edge {
    my ($self, $i, $tls, @servicers) = @_;
    my $server = $tls && $tls->{server} // '';
    my @listen = map { "listen $_" . ($server && ' ssl') . ';' }
                 map({ $self->address($_) } @servicers),
                 $tls && $tls->{name} ? "127.0.0.1:$self->{port}" : ();

    return MeshEdge->new(
        workers => 1, redis => $self->{redis}->socket,
        chain => 'http://127.0.0.1:' . $self->{chain}->port($i),
        nodes => [{ name => "n$i", url => $self->{node}->url,
                    keys => [map "s$_", @servicers] }],
        http => "$self->{http} mesh_relay_node_check_interval 200ms;
                 server { @listen $server
                          include $FindBin::Bin/../config/mesh_relay.conf; }",
    )->start->serving;
}

sub gateway {
    my ($self, %o) = @_;

    my $gateway = MeshPool->new(%o, http =>
        'gateway_dispatcher ' . $self->{node}->url . ';
         gateway_apps %DIR%/apps.json; ' . ($o{http} // '')
        . 'gateway_chain 0021 { family ' . ($o{family} // 'evm')
        . '; check_interval ' . ($o{interval} // '60s') . ';
                                operator_cap 100%; '
        . ($o{keys} // '') . ' }', server => $o{server} //
        'location /relay/ { client_max_body_size 8m; gateway_relay; }
         location /gateway/find/ { gateway_find; }
         location /gateway/nodes { gateway_nodes; }
         location /gateway/sessions { gateway_sessions; }
         location /gateway/admin/ { gateway_admin; }');

    MeshCtl::write_file("$gateway->{dir}/apps.json",
        '[{"name":"app","priv_key":"' . MeshRelay::private('app') . '"}]',
        0600);
    MeshCtl::write_file("$gateway->{dir}/auth.json", '{"Value":"token"}',
                        0600);
    $gateway->start;
    $gateway->wait(sub {
        $gateway->ask('/gateway/find/0021', get => 1)->{status} == 200
    }, 20) or die "no session:\n" . $gateway->log;
    return $gateway;
}

sub node  { return $_[0]{node} }
sub mocks { return $_[0]{mocks} }
sub chain { return $_[0]{chain} }
sub edge  { return $_[0]{edges}[$_[1]] }
sub mock  { return $_[0]{first} + $_[1] }
sub key   { return MeshRelay::public("s$_[1]") }

sub servicer {
    my ($self, $answer) = @_;
    my ($key) = ($answer->{head} // '') =~ /^Gateway-Node: (\w+)/mi
        or return -1;
    my ($i) = grep { $self->key($_) eq $key } 0 .. $self->{n} - 1;
    return $i // -1;
}

sub end {
    my ($self) = @_;
    $_->end for @{ $self->{edges} };
    $_ && $_->stop for @$self{qw(chain mocks node redis)};
}

1;
