# Guards the directives that both modules carry: with one module loaded, or
# both in either order, each loaded module must get the same values, although
# nginx calls the setter of the first one only.  One left out would count on
# another zone, or work without Redis, and say nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use Test::More;

my $conf = MeshConf->new;

my $relay = 'ngx_mesh_relay_module';
my $gateway = 'ngx_gateway_select_module';
my $test = 'ngx_mesh_test_module';

my $shared = 'mesh_region eu-west; mesh_edge edge-7; mesh_zone common:5124k;
              mesh_redis unix:%DIR%/none.sock;';
my $chain = 'gateway_chain eth { node http://127.0.0.1:1; }';
my $size = 5124 * 1024;

my @orders = (
    ['the relay module alone', $relay],
    ['the gateway module alone', $gateway],
    ['the relay module first', $relay, $gateway],
    ['the gateway module first', $gateway, $relay],
);

# the edge's own directives but those under test
my @edge = map { "mesh_relay_$_;" }
    'servicers %DIR%/keys.json', 'chains %DIR%/chains.json',
    'auth %DIR%/auth.json', 'node_auth %DIR%/node.json';

sub options {
    my ($modules, $http, $server) = @_;
    my $used = join ' ', (grep { $_ eq $relay } @$modules) ? @edge : (),
                         (grep { $_ eq $gateway } @$modules) ? $chain : ();
    return (edge => 0, modules => [@$modules, $test], http => "$used $http",
            server => $server // '');
}

for (@orders) {
    my ($what, @modules) = @$_;
    my $body = $conf->answer('/', options(\@modules, $shared,
                                          'location / { mesh_test_conf; }'));
    $body //= '';

    for my $module (@modules) {
        my ($line) = $body =~ /^($module .*)$/m;
        is($line, "$module region=eu-west edge=edge-7 zone=common:$size "
                  . "redis=unix:$conf->{dir}/none.sock", "$what: $module");
    }

    my @zones = sort $body =~ /^zone (common\S*)$/mg;
    my %zone = ($relay => "common:relay:$size",
                $gateway => "common:gateway:$size");
    is("@zones", join(' ', sort map { $zone{$_} } @modules), "$what: zones");

    # what is not configured is the same too, the edge's name for one

    my %name = map { $_ => 1 }
        ($conf->answer('/', options(\@modules, 'mesh_redis unix:/x;',
                                    'location / { mesh_test_conf; }')) // '')
        =~ /(edge=\S+ zone=\S+)/g;
    is(scalar(keys %name), 1, "$what: defaults");

    for my $name (qw(mesh_region mesh_edge mesh_zone mesh_redis)) {
        my ($directive) = $shared =~ /($name [^;]*;)/;
        $conf->refused("$what: $name twice",
                       [options(\@modules, $directive x 2)],
                       $name, 'is duplicate');
        $conf->refused("$what: $name in server{}",
                       [options(\@modules, '', $directive)],
                       $name, 'directive is not allowed here');
    }

    $conf->refused("$what: mesh_zone of a bad size",
                   [options(\@modules, 'mesh_zone common:x;')],
                   'mesh_zone', 'common:x');
}

# the consequence

$conf->refused('a relay module without Redis, whatever the gateway has',
               [options([$gateway, $relay], '',
                        'location / { mesh_relay on; }')],
               'mesh_redis');
$conf->accepted('a relay module with the Redis that the gateway read',
                [options([$gateway, $relay], $shared,
                         'location / { mesh_relay on; }')]);

done_testing();
