# Guards "nginx -t" against configurations whose parts do not fit: each would
# serve nothing, or lose relays, and is refused with the names of both.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use Test::More;

my $conf = MeshConf->new;

sub location { return (server => "location = /x { $_[0] }") }

# two contents of one location

for my $role (qw(mesh_relay mesh_relay_simulate mesh_relay_private)) {
    for my $other ('proxy_pass http://127.0.0.1:1;', 'stub_status;') {
        $conf->refused("$role before $other",
                       [location("$role on; $other")], $role, '/x');
        $conf->refused("$role after $other",
                       [location("$other $role on;")], $role, '/x')
            if $other =~ /proxy_pass/;
    }
    for my $other (qw(mesh_relay mesh_relay_simulate mesh_relay_private)) {
        $conf->refused("$role and $other",
                       [location("$role on; $other on;")], $role, $other);
    }
}

$conf->accepted('one beside the other', [server =>
    'location /a { mesh_relay on; } location /b { mesh_relay_private on; }
     location /c { mesh_relay_simulate on; }']);
$conf->accepted('an if in the location', [location(
    'mesh_relay on; if ($arg_a) { set $a 1; } limit_except POST { deny all; }')]);
$conf->accepted('an if with another content', [location(
    'mesh_relay on; if ($arg_a) { proxy_pass http://127.0.0.1:1; }')]);

# what a location needs

$conf->refused("$_ without servicers", [edge => 0, location("$_ on;")],
               $_, 'mesh_relay_servicers')
    for qw(mesh_relay mesh_relay_simulate mesh_relay_private mesh_relay_check);

$conf->refused('private without a token',
               [without => 'mesh_relay_auth', location('mesh_relay_private on;')],
               'mesh_relay_private', 'mesh_relay_auth');
$conf->accepted('a relay without a token of the operator',
                [without => 'mesh_relay_auth', location('mesh_relay on;')]);

# what servicers need

$conf->refused("servicers without $_",
               [without => $_, location('mesh_relay on;')],
               'mesh_relay_servicers', $_)
    for qw(mesh_relay_chains mesh_relay_node_auth);

for my $role (qw(mesh_relay mesh_relay_private)) {
    $conf->refused("$role without Redis",
                   [without => 'mesh_redis', location("$role on;")],
                   $role, 'mesh_redis');
}
$conf->accepted('a firewall without Redis',
                [without => 'mesh_redis', location(
                    'mesh_relay_check on; proxy_pass http://127.0.0.1:1;')]);
$conf->accepted('simulated relays without Redis',
                [without => 'mesh_redis',
                 location('mesh_relay_simulate on;')]);

# relays without the location of chains are told when they come, as any
# location can answer for it

$conf->accepted('an upstream{} that a chain names, below', [
    http => 'upstream later { server 127.0.0.1:1; }']);

done_testing();
