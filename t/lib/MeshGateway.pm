package MeshGateway;

# A gateway with several workers, for tests of what happens between processes.
# It is a MeshEdge without relays:
#
#   my $gateway = MeshGateway->new(workers => 3, http => '...',
#                                  server => 'locations');
#   $gateway->start; $gateway->reload; $gateway->kill_worker($pid)
#   my ($status, $body) = $gateway->get('/gateway/find/eth');
#   my $zone = $gateway->zone('eth');
#       # { pid, leader, generation, rows, chains, nodes, entries,
#       #   node => { NAME => { inflight, picked, tries, ... } } }
#   $gateway->leader                            # waits until one leads
#
# The test module's mesh_test_find_zone is what tells of the zone.

use strict;
use warnings;

use FindBin;
use MeshEdge;

our @ISA = ('MeshEdge');

sub configure {
    my ($self) = @_;
    my $dir = "$self->{dir}";

    my $build = $ENV{BUILD} || "$FindBin::Bin/../build";
    my $modules = $ENV{TEST_NGINX_LOAD_MODULES}
                  || "$build/ngx_gateway_select_module.so "
                     . "$build/test/ngx_mesh_test_module.so";
    my $load = join '', map { "load_module $_;\n" } split ' ', $modules;

    $self->write_file('nginx.conf', <<"EOF");
$load
worker_processes $self->{workers};
worker_shutdown_timeout 10s;
pid $dir/nginx.pid;
error_log $dir/error.log @{[$self->{log} || 'info']};
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    $self->{http}
    server {
        listen unix:$dir/edge.sock;
        include $FindBin::Bin/../config/gateway_locations.conf;
        location /zone { mesh_test_find_zone; }
        @{[$self->{server} // '']}
    }
}
EOF
}

sub get { my ($self, $uri) = @_; return $self->send(undef, $uri) }

sub zone {
    my ($self, $chain) = @_;
    my ($status, $body) = $self->get("/zone?chain=$chain");
    die "zone: status $status" if $status != 200;

    my ($first, @lines) = split /\n/, $body;
    my %zone = $first =~ /(\w+) (\S+)/g;

    for my $line (@lines) {
        my ($name, $values) = $line =~ /^(\S+) (.*)/;
        $zone{node}{$name} = { $values =~ /(\w+)=(\S+)/g };
    }

    return \%zone;
}

sub leader {
    my ($self) = @_;
    my $pid;
    $self->wait_for(sub {
        $pid = $self->zone('none')->{leader};
        return grep { $_ == $pid } $self->workers;
    }) or die 'no worker leads';
    return $pid;
}

1;
