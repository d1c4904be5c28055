# Guards "meshctl convert": that every setting of a mesh client's config.json
# becomes what it means or is named as not needed, that nothing of it is lost
# in silence, and that nginx takes what comes out.

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use MeshCtl;
use Test::More;

my $root = abs_path("$FindBin::Bin/..");
my $build = $ENV{BUILD} || "$root/build";
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

my $temp = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
my $dir = abs_path("$temp");
mkdir "$dir/$_" or die $! for qw(data data/config data/key data/chains run);
my $data = "$dir/data";

# the settings of the mesh client, each once: value, and what it becomes
my @settings = (
    [ data_dir => '"/nowhere/at/all"', qr/files are in \Q$data\E/ ],
    [ rpc_port => '"8085"', 'listen 8085' ],
    [ client_rpc_timeout => 1000 ],
    [ client_rpc_read_timeout => 1001, 'client_body_timeout 1001ms' ],
    [ client_rpc_read_header_timeout => 1002,
      'client_header_timeout 1002ms' ],
    [ client_rpc_write_timeout => 1003, 'send_timeout 1003ms' ],
    [ client_rpc_max_bytes_size => 12345, 'client_max_body_size 12345' ],
    [ log_level => '"*:info, main:debug"',
      "error_log $dir/run/error.log notice" ],
    [ log_relay_request => 'true' ],
    [ log_chain_request => 'true' ],
    [ log_chain_response => 'true' ],
    [ user_agent => '"a \"b\" // {c};"',
      'mesh_relay_user_agent "a \"b\" // {c};"' ],
    [ auth_token_file => '"key/auth.json"',
      "mesh_relay_auth $data/key/auth.json" ],
    [ json_sort_relay_responses => 'false', 'mesh_relay_sort_response off' ],
    [ chains_name => '"chains/chains.json"',
      "mesh_relay_chains $data/chains/chains.json" ],
    [ chains_name_map => '"names.json"' ],
    [ remote_chains_name_map => '"https://a.example/names.json"' ],
    [ chain_rpc_timeout => 2000, 'proxy_connect_timeout 2000ms',
      'proxy_send_timeout 2000ms', 'proxy_read_timeout 2000ms' ],
    [ chain_rpc_max_idle_connections => 1 ],
    [ chain_rpc_max_conns_per_host => 1 ],
    [ chain_rpc_max_idle_conns_per_host => 1 ],
    [ chain_drop_connections => 'true',
      'proxy_set_header Connection "close"' ],
    [ chain_request_path_cleanup => 'true' ],
    [ relay_cache_file => '"data/relays.pkt"' ],
    [ relay_cache_background_sync_interval => 1 ],
    [ relay_cache_background_compaction_interval => 1 ],
    [ keys_hot_reload_interval => 1 ],
    [ chains_hot_reload_interval => 1 ],
    [ servicer_worker_strategy => '"lazy"' ],
    [ servicer_max_workers => 30, 'mesh_relay_notify_concurrency 10' ],
    [ servicer_max_workers_capacity => 1 ],
    [ servicer_workers_idle_timeout => 1 ],
    [ servicer_private_key_file => '"key/key.json"',
      "mesh_relay_servicers $data/key/key.json" ],
    [ servicer_rpc_timeout => 3000, 'mesh_relay_notify_timeout 3000ms' ],
    [ servicer_rpc_max_idle_connections => 1 ],
    [ servicer_rpc_max_conns_per_host => 1 ],
    [ servicer_rpc_max_idle_conns_per_host => 1 ],
    [ servicer_auth_token_file => '"key/node.json"',
      "mesh_relay_node_auth $data/key/node.json" ],
    [ servicer_retry_max_times => 1 ],
    [ servicer_retry_wait_min => 20, 'mesh_relay_retry_wait 20ms 180000ms' ],
    [ servicer_retry_wait_max => 180000,
      'mesh_relay_retry_wait 20ms 180000ms' ],
    [ session_storage_worker_strategy => '"lazy"' ],
    [ session_storage_max_workers => 1 ],
    [ session_storage_max_workers_capacity => 1 ],
    [ session_storage_workers_idle_timeout => 1 ],
    [ session_storage_validate_retry_max_times => 7,
      'mesh_relay_session_retries 7' ],
    [ node_check_interval => 25, 'mesh_relay_node_check_interval 25s' ],
    [ session_cache_clean_up_interval => 1 ],
    [ pocket_prometheus_port => '"8083"' ],
    [ prometheus_max_open_files => 1 ],
    [ metrics_moniker => '"m"' ],
    [ metrics_worker_strategy => '"lazy"' ],
    [ metrics_max_workers => 1 ],
    [ metrics_max_workers_capacity => 1 ],
    [ metrics_workers_idle_timeout => 1 ],
    [ metrics_attach_servicer_label => 'true' ],
    [ metrics_report_interval => 1 ],
);

system("$build/meshctl keys new $data/key/key.json"
       . ' --url http://127.0.0.1:1 > /dev/null') == 0 or die 'keys';
write_file("$data/key/$_.json", '{"Value":"t"}', 0600) for qw(auth node);
write_file("$data/chains/chains.json",
           '[{"id":"0021","url":"http://127.0.0.1:1/"}]', 0600);

my @given = ('--rundir', "$dir/run", '--modules', $build, '--include',
             "$root/config/mesh_relay.conf", '--redis',
             "unix:$dir/redis.sock", '--workers', 3);


# All at once, with comments of both kinds.

{
    config("{ // \"rpc_port\": \"1\",\n/* \"rpc_port\": \"2\", */\n"
           . join(",\n", map { qq("$_->[0]": $_->[1] /* "//" */) } @settings)
           . "\n} // the end");

    my ($code, $out, $err) = ctl('convert', $data, @given);
    is($code, 0, 'all settings') or diag $err;
    is($err, '', 'without complaint');

    my %said = $out =~ /^# (\w+)  +(\S.*)$/mg;
    my @directives = directives($out);

    for my $setting (@settings) {
        my ($name, undef, @become) = @$setting;

        if (!@become) {
            like($said{$name}, qr/^not needed: ./, "$name is not needed");
            next;
        }

        unlike($said{$name}, qr/not needed/, "$name is needed");

        for my $become (@become) {
            if (ref $become) {
                like($said{$name}, $become, "$name is said");
            } else {
                is(scalar(grep { $_ eq $become } @directives), 1,
                   "$name: $become") or diag $out;
            }
        }
    }

    is(scalar(keys %said), scalar(@settings), 'one line for each');
    is($out =~ /^load_module +(\S+);/m && $1,
       "$build/ngx_mesh_relay_module.so", 'the module');
    nginx_takes($out, 'all settings');
}


# The mesh client's defaults.

{
    mkdir "$data/auth";
    mkdir "$data/chains.d";
    config('{}');
    my ($code, $out, $err) = ctl('convert', $data);
    is($code, 0, 'no settings at all') or diag $err;
    my @directives = directives($out);

    for my $want ('listen 8081', 'client_max_body_size 1048576',
                  'client_header_timeout 50000ms',
                  'client_body_timeout 60000ms', 'send_timeout 90000ms',
                  'error_log /var/log/nginx/error.log error',
                  'mesh_redis 127.0.0.1:6379', 'worker_processes auto',
                  'mesh_relay_user_agent mesh-node',
                  'mesh_relay_sort_response on',
                  "mesh_relay_servicers $data/key/key.json",
                  "mesh_relay_chains $data/chains.json",
                  "mesh_relay_auth $data/auth/mesh.json",
                  "mesh_relay_node_auth $data/auth/servicer.json",
                  'mesh_relay_retry_wait 10ms 1200ms',
                  'mesh_relay_session_retries 10',
                  'mesh_relay_notify_timeout 60000ms',
                  'mesh_relay_node_check_interval 10s',
                  'proxy_read_timeout 1200ms', 'include mesh_relay.conf',
                  'proxy_set_header Connection ""')
    {
        ok(scalar(grep { $_ eq $want } @directives), $want) or diag $out;
    }

    unlike($out, qr/^# \w+  /m, 'nothing is said of what is not there');
}


# Where things are.

{
    config('{"data_dir": "' . "$dir/run" . '"}');
    my ($code, $out) = ctl('convert', "$data/config/config.json");
    like($out, qr{ $dir/run/key/key\.json;}, 'data_dir, when it is there');

    ($code, $out) = ctl('convert', "$data/config/config.json", '--datadir',
                        $data);
    like($out, qr{ $data/key/key\.json;}, '--datadir instead');

    ($code, $out) = ctl('convert', $data);
    like($out, qr{ $data/key/key\.json;}, 'the directory itself');

    config('{"data_dir": "/nowhere", "chains_name": "/a/chains.json",'
           . '"servicer_private_key_file": "/key/key.json"}');
    ($code, $out) = ctl('convert', "$data/config/config.json");
    like($out, qr{mesh_relay_servicers +$data/key/key\.json;},
         'else the folder above config/; "/key" is in it too');
    like($out, qr{mesh_relay_chains +/a/chains\.json;}, 'or an absolute name');

    write_file("$dir/run/config.json", '{"rpc_port": 8099}');
    ($code, $out) = ctl('convert', "$dir/run");
    is($code, 0, 'config.json without config/');
    like($out, qr{mesh_relay_servicers +$dir/run/key}, 'beside it');
    like($out, qr{listen +8099;}, 'a number for a string');
    unlink "$dir/run/config.json";
}


# Other settings, odd and wrong ones.

{
    my %level = ('*:debug' => 'info', '*:info' => 'notice',
                 '*:error' => 'error', '*:none' => 'crit', 'info' => 'notice',
                 'main:info,*:none,x:debug' => 'crit', '' => 'error',
                 'what' => 'error');
    for my $level (sort keys %level) {
        config(qq({"log_level": "$level"}));
        my ($code, $out) = ctl('convert', $data);
        like($out, qr/^error_log +\S+ $level{$level};/m, "log_level $level");
    }

    config('{"node_check_interval": 0, "servicer_rpc_timeout": 0,'
           . '"servicer_retry_wait_min": 0, "servicer_retry_wait_max": 0,'
           . '"chain_rpc_timeout": 0, "client_rpc_write_timeout": 0,'
           . '"session_storage_validate_retry_max_times": 5000,'
           . '"servicer_max_workers": 0, "chains_name": "chains/chains.json",'
           . '"auth_token_file": "key/auth.json",'
           . '"servicer_auth_token_file": "key/node.json"}');
    my ($code, $out) = ctl('convert', $data, @given, '--region', 'eu-west',
                           '--listen', "unix:$dir/edge.sock");
    is($code, 0, 'zeros');
    like($out, qr/mesh_relay_retry_wait +1ms 1ms;/, 'no wait is the least');
    like($out, qr/mesh_relay_session_retries +1000;/, 'too much is the most');
    unlike($out, qr/(check_interval|_timeout) +0/, 'no time-out of 0');
    like($out, qr/mesh_region +eu-west;/, '--region');
    like($out, qr/listen +unix:\S+;/, '--listen');
    nginx_takes($out, 'zeros');

    config('{"Rpc_Port": "8086", "Unknown": 1, "rpc_port2": "1"}');
    ($code, $out) = ctl('convert', $data);
    like($out, qr/listen +8086;/, 'names match without case, as in Go');
    like($out, qr/^# $_ +not needed: no setting/m, "$_ is named")
        for qw(Unknown rpc_port2);

    config('{"rpc_port": null, "user_agent": null}');
    ($code, $out) = ctl('convert', $data);
    like($out, qr/listen +8081;/, 'null leaves the default');

    for my $case ([ '{', 'parse error' ], [ '', '.' ], [ '[]', 'object' ],
                  [ '{"rpc_port": true}', '"rpc_port" is true, a string' ],
                  [ '{"rpc_port": "x"}', '"rpc_port" is "x", a port' ],
                  [ '{"rpc_port": "0"}', 'a port' ],
                  [ '{"rpc_port": "65536"}', 'a port' ],
                  [ '{"rpc_port": "80;"}', 'a port' ],
                  [ '{"user_agent": "a\nb"}', 'one line' ],
                  [ '{"node_check_interval": "5"}', 'a number' ],
                  [ '{"node_check_interval": -1}', 'a number' ],
                  [ '{"node_check_interval": 1.5}', 'a number' ],
                  [ '{"json_sort_relay_responses": 1}', 'true or false' ],
                  [ '{"a": 1 /* }', '.' ])
    {
        my ($text, $why) = @$case;
        config($text);
        my ($code, $out, $err) = ctl('convert', $data);
        is($code, 1, "refused: $text");
        like($err, qr{^meshctl: "$data/config/config\.json": .*$why},
             'with the reason');
        is($out, '', 'and nothing printed');
    }

    for my $args ([], [ $data, 'x' ], [ $data, '--workers', 0 ],
                  [ $data, '--redis', '' ], [ $data, '--region', "a\nb" ],
                  [ $data, '--what' ], [ "$dir/none" ],
                  [ $data, '--datadir', "$dir/none" ])
    {
        config('{}');
        my ($code, $out, $err) = ctl('convert', @$args);
        is($code, 2, "usage: @$args");
        isnt($err, '', 'with a word about it');
        is($out, '', 'and nothing printed');
    }
}

done_testing();


sub config { write_file("$data/config/config.json", $_[0]) }

sub directives {
    my ($text) = @_;
    my @lines = grep { !/^#/ } split /\n/, $text;
    return map { s/\s+/ /gr =~ s/^ //r =~ s/;$//r }
           grep { /;$/ } @lines;
}

sub nginx_takes {
    my ($conf, $name) = @_;
    $conf =~ s/listen( +)\d+;/listen$1unix:$dir\/other.sock;/;
    write_file("$dir/run/nginx.conf", $conf);
    my ($code, undef, $err) = run_command('/bin/sh', '-c',
        "exec $nginx -t -q -e $dir/run/error.log -c $dir/run/nginx.conf");
    is($code, 0, "$name: nginx takes it") or diag $err;
    is($err, '', "$name: without a warning");
}
