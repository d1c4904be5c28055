package MeshReport;

# A gateway over MeshServers, and what its endpoints tell of it.  It is a
# MeshPool with all of config/gateway_locations.conf and a token:
#
#   my $gateway = MeshReport->new(servers => $servers, redis => $redis->socket,
#                                 http => '...', select => 'family=none');
#   $gateway->start;
#   $gateway->call(20, '/rpc')                # requests, one after another
#   my $nodes = $gateway->nodes;              # name => row
#   my ($status, $body) = $gateway->get('/gateway/history/u:eth');
#   my ($status, $body) = $gateway->post('/gateway/admin/cordon', { ... });
#   $gateway->becomes(sub { ... }, $seconds)
#
# The upstream is "eth", its chain "u:eth"; its servers are named s0, s1, ...
# by $gateway->name(0): host and port.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use MeshPool;

our @ISA = ('MeshPool');
our $token = 'report-token';

sub new {
    my ($class, %o) = @_;
    my $servers = delete $o{servers};
    my $n = delete $o{n} // 2;
    my $redis = delete $o{redis};
    my $select = delete $o{select} // 'family=none';
    my $http = delete $o{http} // '';
    my $more = delete $o{more} // '';
    my @names = map { '127.0.0.1:' . $servers->port($_) } 0 .. $n - 1;

    my $self = MeshPool::new($class, %o);
    $self->{names} = \@names;

    open my $f, '>', "$self->{dir}/auth.json" or die $!;
    print $f qq({"Value":"$token","Issued":""});
    close $f;
    chmod 0600, "$self->{dir}/auth.json";

    $self->{http} = ($redis ? "mesh_redis unix:$redis;\n" : '')
        . "gateway_auth %DIR%/auth.json;\n$http\n"
        . 'upstream eth {' . join('', map { "server $_;\n" } @names)
        . "gateway_select $select; }\n";
    $self->{server} = <<"EOF" . $more;
        include $FindBin::Bin/../config/gateway_locations.conf;
        location /rpc {
            proxy_pass http://eth;
            proxy_read_timeout 5s;
            proxy_next_upstream off;
        }
        location /quick { return 204; }
EOF
    return $self;
}

sub name { return $_[0]{names}[$_[1]] }

sub call {
    my ($self, $n, $uri) = @_;
    my %status;
    $status{ $self->ask($uri // '/rpc')->{status} }++ for 1 .. $n;
    return \%status;
}

sub body {
    my ($answer) = @_;
    my $body = $answer->{body} // '';
    return $body unless ($answer->{head} // '') =~ /^Transfer-Encoding: chunked/mi;
    my $text = '';
    while ($body =~ s/^([0-9a-f]+)\r\n//i) {
        my $n = hex $1 or last;
        $text .= substr $body, 0, $n, '';
        $body =~ s/^\r\n//;
    }
    return $text;
}

sub get {
    my ($self, $uri, %o) = @_;
    my $answer = $self->ask($uri, get => 1,
                            headers => $o{headers} // ["x-api-key: $token"]);
    return ($answer->{status}, body($answer), $answer);
}

sub post {
    my ($self, $uri, $body, %o) = @_;
    my $answer = $self->ask($uri, %o,
        body => ref $body ? JSON::PP::encode_json($body) : $body,
        headers => $o{headers} // ["Authorization: $token"]);
    return ($answer->{status}, body($answer), $answer);
}

sub rows {
    my ($self, $uri) = @_;
    my ($status, $body) = $self->get($uri // '/gateway/nodes');
    return unless $status == 200;
    return JSON::PP::decode_json($body);
}

sub nodes {
    my ($self, $chain) = @_;
    my $rows = $self->rows($chain ? "/gateway/nodes?chain=$chain" : undef);
    return { map { $_->{node} => $_ } @{ $rows // [] } };
}

# a field's sum over all nodes

sub sum {
    my ($self, $field) = @_;
    my $sum = 0;
    $sum += $_->{$field} for values %{ $self->nodes };
    return $sum;
}

sub state { return $_[0]->nodes->{ $_[0]->name($_[1]) }{state} // '' }

sub becomes {
    my ($self, $want, $code, $what, $seconds) = @_;
    my $have;
    $self->wait(sub { ($have = $code->() // '') eq $want }, $seconds // 10);
    Test::More::is($have, $want, $what);
}

1;
