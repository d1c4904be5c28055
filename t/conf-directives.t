# Guards "nginx -t": a bad value, a repeated or a misplaced directive is
# refused with an error that names it, and good ones raise no warning.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use Test::More;

my $conf = MeshConf->new;

$conf->accepted('a whole edge', []);
$conf->accepted('the module without a directive', [edge => 0, server => '']);

# directives of http{}: good values, bad values

my @times = map { [$_, ['1s', '500ms', '2m'], ['x', '-1', '', '0', '1z']] }
    qw(mesh_relay_node_check_interval mesh_relay_node_check_timeout
       mesh_relay_session_timeout mesh_relay_record_timeout
       mesh_relay_notify_interval mesh_relay_notify_timeout);

my @flags = map { [$_, ['on', 'off'], ['yes', '1', '']] }
    qw(mesh_relay_node_ssl_verify mesh_relay_check mesh_relay_sort_response);

my @others = (
    ['mesh_relay_node_grace', ['1h', '15m', '10s'], ['x', '-1', '9s', '0']],
    ['mesh_relay_session_retries', ['0', '10', '1000'], ['-1', 'x', '1001']],
    ['mesh_relay_unvalidated_max', ['1', '65536'], ['0', 'x', '65537']],
    ['mesh_relay_notify_concurrency', ['1', '65536'], ['0', 'x', '65537']],
    ['mesh_relay_notify_window', ['1', '1024 8m', '65536 64k'],
     ['0', 'x', '65537', '1024 x', '1024 1k']],
    ['mesh_relay_retry_wait', ['1s 1s', '100ms 1m'],
     ['2s 1s', '0 1s', 'x 1s', '1s x']],
    ['mesh_relay_slot_lease', ['2s', '10s'], ['1s', 'x', '0']],
    ['mesh_relay_ledger_keep', ['1d', '7d'], ['x', '-1']],
    ['mesh_relay_dead_max', ['0', '10000000', '10 1024m'],
     ['-1', 'x', '10000001', '10 x', '10 1k']],
    ['mesh_relay_user_agent', ['a', '"a/1.0 (b)"'], ["\"a\x01b\""]],
    ['mesh_relay_max_response', ['1', '16m', '1024m'], ['0', 'x', '-1']],
    ['mesh_relay_chain_location', ['/a'], ['a', '@a', '""']],
    ['mesh_region', ['eu-west'], ['""']],
    ['mesh_zone', ['mesh:32m', 'other:8m'], ['mesh', 'mesh:x', 'mesh:1k']],
);

for (@times, @flags, @others) {
    my ($name, $good, $bad) = @$_;
    $conf->accepted("$name $_", [http => "$name $_;"]) for @$good;
    for my $value (@$bad) {
        (my $shown = $value) =~ s/\s+/ /g;
        $conf->refused("$name $shown", [http => "$name $value;"], qq($name));
    }
    $conf->refused("$name twice", [http => "$name $good->[0]; " x 2],
                   $name, 'is duplicate');
    $conf->refused("$name without a value", [http => "$name;"],
                   'invalid number of arguments', $name);
}

# the value is told

for (['mesh_relay_unvalidated_max', 'abc'], ['mesh_relay_slot_lease', '1s'],
     ['mesh_relay_session_retries', '1001'], ['mesh_relay_dead_max', '-1'],
     ['mesh_relay_notify_window', '99999'], ['mesh_relay_retry_wait', '9s 1s'],
     ['mesh_relay_chain_location', 'relative'], ['mesh_zone', 'mesh:tiny'],
     ['mesh_relay_node_check_timeout', '0'])
{
    my ($name, $value) = @$_;
    $conf->refused("the value of $name", [http => "$name $value;"], $name,
                   (split ' ', $value)[0]);
}

# contexts

for my $name (qw(mesh_redis mesh_relay_servicers mesh_relay_chains
                 mesh_relay_auth mesh_relay_node_auth mesh_edge mesh_zone
                 mesh_relay_slot_lease mesh_relay_node_ssl_verify))
{
    $conf->refused("$name in server{}", [server => "$name on;"], $name,
                   'directive is not allowed here');
}

for my $name (qw(mesh_relay mesh_relay_simulate mesh_relay_private)) {
    $conf->refused("$name in server{}", [server => "$name on;"], $name,
                   'directive is not allowed here');
    $conf->refused("$name maybe",
                   [server => "location /x { $name maybe; }"],
                   $name, 'maybe');
    $conf->accepted("$name off", [server => "location /x { $name off; }"]);
}

done_testing();
