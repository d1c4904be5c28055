# Guards what nginx -t says of gateway_select and gateway_client: each wrong
# value is named, and so is what would have no effect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use Test::More;

my $conf = MeshConf->new;

sub upstream {
    my ($lines, $location) = @_;
    return [http => "upstream pool {\n$lines\n}", server =>
        "location / {\nproxy_pass http://pool;\n" . ($location // '') . "\n}"];
}

my $server = 'server 127.0.0.1:8545;';

sub accepted { $conf->accepted($_[0], upstream(@_[1 .. $#_])) }

sub refused {
    my ($name, $lines, $location, @texts) = @_;
    $conf->refused($name, upstream($lines, $location), @texts);
}

accepted('nothing but the directive', "gateway_select; $server");
accepted('servers before it', "$server gateway_select family=evm;");
accepted('all of its keys', "gateway_select family=evm height_tolerance=5
    operator_cap=50% max_ejected=40% weights=latency=4,success=2 timeout=5s
    check_interval=2s host=rpc.example.com uri=/v1 tls=on
    sticky=\$remote_addr\$arg_key sticky_time=1h;
    server 127.0.0.1:8545 weight=3 max_conns=10;
    server unix:/tmp/node.sock backup; server 127.0.0.2:8545 down;
    keepalive 16; zone pool 128k;", 'gateway_client $http_x_client;');
accepted('heights are not minded', "gateway_select; $server",
         'gateway_client off;');

refused('twice', "gateway_select; gateway_select; $server", '',
        '"gateway_select" directive is duplicate');
refused('no value', "gateway_select family; $server", '',
        'invalid parameter "family" of "gateway_select"');
refused('unknown key', "gateway_select colour=red; $server", '', 'colour');
refused('unknown family', "gateway_select family=foo; $server", '', 'foo');
refused('a node in upstream{}', "gateway_select node=http://a/; $server", '',
        'node');
refused('sticky without a variable', "gateway_select sticky=me; $server", '',
        'invalid value "me" of "sticky" of "gateway_select"');
refused('sticky twice',
        "gateway_select sticky=\$arg_a sticky=\$arg_b; $server", '',
        'duplicate "sticky"');
refused('no time to stick', "gateway_select sticky_time=0; $server", '',
        'invalid value "0" of "sticky_time" of "gateway_select"');
refused('a time to stick that is none',
        "gateway_select sticky_time=ever; $server", '',
        'invalid value "ever" of "sticky_time" of "gateway_select"');
refused('two times to stick',
        "gateway_select sticky_time=1s sticky_time=2s; $server", '',
        'duplicate "sticky_time"');
refused('sticky by an unknown variable',
        "gateway_select sticky=\$no_such; $server", '', 'no_such');
refused('client without a variable', "gateway_select; $server",
        'gateway_client me;', 'invalid value "me" of "gateway_client"');
refused('client twice', "gateway_select; $server",
        'gateway_client $arg_a; gateway_client $arg_b;',
        '"gateway_client" directive is duplicate');
refused('no server', 'gateway_select;', '', 'no servers are inside upstream');
refused('a bad host', "gateway_select family=evm host=a/b:x; $server", '',
        'a/b:x');

my ($version) = `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{nginx/1\.(\d+)\.(\d+)};

SKIP: {
    skip 'keepalive may stand anywhere', 1
        if defined $version && ($1 > 29 || ($1 == 29 && $2 >= 7));
    refused('keepalive above', "keepalive 8; gateway_select; $server", '',
            '"keepalive" must stand below "gateway_select" in upstream "pool"');
}

{
    my ($ok, $text) = $conf->test(@{ upstream(
        "least_conn; gateway_select; $server") });
    ok($ok, 'another method above is given up');
    like($text, qr/load balancing method redefined/, 'with a warning');

    ($ok, $text) = $conf->test(@{ upstream(
        'gateway_select; server 127.0.0.1:1 max_fails=3;') });
    ok($ok, 'max_fails is taken');
    like($text, qr/"max_fails" and .* of server "127.0.0.1:1" have no effect/,
         'and said to do nothing');
}

done_testing;
