# Guards "nginx -t" of the gateway: a bad value, a repeated, lacking or
# misplaced directive is refused with an error that names it, and good ones
# raise no warning.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use Test::More;

my $conf = MeshConf->new;

sub http { return (edge => 0, server => '', http => $_[0]) }
sub chain { return http("gateway_chain eth { $_[0] }") }
sub check { return http("gateway_check tip { $_[0] }") }

sub pool {
    return http("upstream pool { server 127.0.0.1:1; gateway_select $_[0]; }");
}

$conf->accepted('the module without a directive', [http('')]);
$conf->accepted('an empty chain', [chain('')]);

# directives of http{}

my @http = (
    ['gateway_weights', ['latency=8', 'success=0 correctness=1.25',
                         'liveliness=64 latency=0.01'],
     ['latency', 'latency=', 'latency=-1', 'latency=x', 'latency=65',
      'speed=1', '=1', 'latency=1 latency=2']],
    ['gateway_interval', ['200ms', '1s'], ['0', 'x', '-1', '""']],
    ['gateway_max_nodes', ['1', '16384'], ['0', '16385', 'x', '-1']],
    ['gateway_find_auth', ['off'], ['yes', '1', '""']],
    ['gateway_ssl_verify', ['off', 'on'], ['yes', '0', '""']],
    ['gateway_ssl_verify_depth', ['0', '3'], ['x', '-1', '""']],
    ['gateway_auth', ['%DIR%/auth.json'], ['%DIR%/none', '%DIR%', '""']],
);

for (@http) {
    my ($name, $good, $bad) = @$_;
    $conf->accepted("$name $_", [http("$name $_;")]) for @$good;
    $conf->refused("$name $_", [http("$name $_;")], $name) for @$bad;
    $conf->refused("$name without a value", [http("$name;")], $name,
                   'invalid number of arguments');
    $conf->refused("$name twice", [http("$name $good->[0]; " x 2)], $name)
        if $name ne 'gateway_weights';
    $conf->refused("$name in server{}",
                   [edge => 0, server => "$name $good->[0];"],
                   $name, 'directive is not allowed here');
}

$conf->refused('a weight twice', [http('gateway_weights latency=8; ' x 2)],
               'gateway_weights', 'latency=8', 'duplicate');
$conf->accepted('weights in two places',
                [http('gateway_weights latency=8; gateway_weights success=1;')]);

# TLS of nodes

my $https = 'gateway_chain eth { node https://127.0.0.1:1; }';

system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca "
       . "-keyout $conf->{dir}/ca.key -out $conf->{dir}/ca.crt 2> /dev/null")
    == 0 or die 'no certificate';

for (['gateway_ssl_trusted_certificate', '%DIR%/ca.crt',
      ['%DIR%/none.crt', '%DIR%/auth.json'], []],
     ['gateway_ssl_conf_command', 'MinProtocol TLSv1.3',
      ['MinProtocol TLSv9', 'NoSuch x', 'Certificate %DIR%/none.crt'],
      ['Ciphers']])
{
    my ($name, $good, $bad, $few) = @$_;
    $conf->accepted("$name $good", [http("$name $good; $https")]);
    $conf->refused("$name $_", [http("$name $_; $https")], (split)[-1])
        for @$bad;
    $conf->refused("$name $_", [http("$name $_;")], $name,
                   'invalid number of arguments') for '', @$few;
    $conf->refused("$name in server{}",
                   [edge => 0, server => "$name $good;"],
                   $name, 'directive is not allowed here');
}

$conf->refused('gateway_ssl_trusted_certificate twice',
               [http('gateway_ssl_trusted_certificate %DIR%/ca.crt; ' x 2)],
               'gateway_ssl_trusted_certificate', 'duplicate');
$conf->accepted('gateway_ssl_conf_command twice',
                [http('gateway_ssl_conf_command MinProtocol TLSv1.2;
                       gateway_ssl_conf_command MaxProtocol TLSv1.3; '
                      . $https)]);

# operators

$conf->accepted("gateway_operator $_", [http("gateway_operator acme $_;")])
    for 'example.com', '*.example.com .example.org', '10.0.0.0/8',
        '2001:db8::/32 192.0.2.7', '*';
$conf->refused("gateway_operator $_", [http("gateway_operator acme $_;")],
               'gateway_operator', (split)[0])
    for '10.0.0.0/33', '10.0.0.0/x', 'name/24', 'https://example.com',
        'host:80', '"a b"';
$conf->refused('gateway_operator without a pattern',
               [http('gateway_operator acme;')], 'gateway_operator',
               'invalid number of arguments');
$conf->refused('an operator\'s name', [http('gateway_operator "a b" x;')],
               'gateway_operator', 'a b');

# keys of a chain, in gateway_chain {} and in gateway_select

my @keys = (
    ['family', [qw(evm solana pokt cosmos generic none)], ['EVM', 'eth']],
    ['height_tolerance', ['0', '5', '1000000'], ['-1', 'x', '1000001']],
    ['operator_cap', ['40%', '100%', '12.5%'],
     ['0%', '101%', '40', '0.4', '%', 'x%']],
    ['max_ejected', ['50%'], ['0%', '50', 'x']],
    ['timeout', ['3s', '500ms'], ['0', 'x', '-1s']],
    ['check_interval', ['10s'], ['0', 'x']],
    ['witness', ['http://127.0.0.1:1/x', 'https://127.0.0.1'],
     ['127.0.0.1', 'ftp://127.0.0.1', 'http://', 'http://127.0.0.1:x']],
    ['weights', ['latency=8'], ['latency', 'speed=1', 'latency=x']],
);

for (@keys) {
    my ($name, $good, $bad) = @$_;
    $conf->accepted("$name $_", [chain("$name $_;")]) for @$good;
    $conf->accepted("$name=$_", [pool("$name=$_")]) for @$good;
    $conf->refused("$name $_", [chain("$name $_;")], qq("$name"), $_)
        for @$bad;
    $conf->refused("$name=$_", [pool("$name=$_")], qq("$name"), $_)
        for @$bad;
    $conf->refused("$name twice", [chain("$name $good->[0]; " x 2)],
                   qq("$name"), 'eth', 'duplicate');
    $conf->refused("$name= twice", [pool("$name=$good->[0] " x 2)],
                   qq("$name"), 'u:pool', 'duplicate');
    $conf->refused("$name without a value", [chain("$name;")],
                   qq("$name"), 'eth');
    $conf->refused("$name= without a value", [pool("$name=")],
                   qq("$name"), 'u:pool');
    $conf->refused("$name of two values", [chain("$name $good->[0] x;")],
                   qq("$name"), 'eth');
}

# keys of gateway_chain {} alone, and those of calls

my @calls = (
    ['verify', ['always', 'off', '10%', '0.5%', '100%'],
     ['on', '101%', '10', '%', 'x%']],
    ['hedge', ['always', 'off', '5%', '0.5%', '100%'],
     ['on', '101%', '5', '%', 'x%']],
    ['altruist', ['http://127.0.0.1:1/x'], ['127.0.0.1', 'ftp://a']],
);

for (@calls) {
    my ($name, $good, $bad) = @$_;
    $conf->accepted("$name $_", [chain("$name $_;")]) for @$good;
    $conf->refused("$name $_", [chain("$name $_;")], qq("$name"), $_)
        for @$bad;
    $conf->refused("$name twice", [chain("$name $good->[0]; " x 2)],
                   qq("$name"), 'eth', 'duplicate');
    $conf->refused("$name= of a pool", [pool("$name=$good->[0]")],
                   qq("$name"), 'u:pool');

    next if $name eq 'altruist';
    $conf->accepted("gateway_$name $_", [http("gateway_$name $_;")])
        for @$good;
    $conf->refused("gateway_$name $_", [http("gateway_$name $_;")],
                   "gateway_$name", $_) for @$bad;
    $conf->refused("gateway_$name twice",
                   [http("gateway_$name $good->[0]; " x 2)], "gateway_$name");
}

$conf->accepted("header $_", [chain("header $_;")])
    for 'X-Key secret', 'X-Key "a b"', 'X-A 1; header X-B 2';
$conf->refused("header $_", [chain("header $_;")], '"header"', 'eth')
    for 'X-Key', '"X Key" 1', 'Host a', 'content-length 1', 'X-Key 1 2',
        'Accept-Encoding gzip';
$conf->accepted('write_method', [chain('write_method a b; write_method c;')]);
$conf->refused('write_method of no name', [chain('write_method "a b";')],
               'a b', '"write_method"', 'eth');

# gateway_relay and what belongs to it

sub relay {
    return (edge => 0, server => "location /r/ { $_[0] }",
            http => 'gateway_chain eth { }');
}

$conf->accepted($_, [relay($_)])
    for 'gateway_relay;', 'gateway_relay eth;', 'gateway_relay $arg_c;',
        'gateway_relay; gateway_headers off; gateway_buffer 64k; '
        . 'gateway_max_answer 1m; gateway_deadline 5s; '
        . 'gateway_pass_headers X-A X-B;';
$conf->refused($_, [relay($_)], (split /[ ;]/)[0])
    for 'gateway_relay "";', 'gateway_relay a b;',
        'gateway_relay; gateway_relay;', 'gateway_headers yes;',
        'gateway_buffer x;', 'gateway_max_answer x;', 'gateway_deadline 0;',
        'gateway_deadline x;', 'gateway_pass_headers;',
        'gateway_pass_headers "a b";', 'gateway_pass_headers Host;';
$conf->refused('gateway_relay beside proxy_pass',
               [relay('gateway_relay; proxy_pass http://127.0.0.1:1;')],
               'gateway_relay', 'proxy_pass');

$conf->accepted('several weights', [chain('weights latency=8 success=1;')]);
$conf->accepted('several weights=', [pool('weights=latency=8,success=1')]);
$conf->refused('a weight twice', [chain('weights latency=8 latency=9;')],
               'latency=9', 'weights', 'duplicate');

$conf->accepted("$_ of a pool", [pool($_)])
    for 'host=rpc.example', 'uri=/x', 'tls=on', 'tls=off';
$conf->refused("$_ of a pool", [pool($_)], (split /=/)[0], 'u:pool')
    for 'host=a/b', 'host=', 'uri=x', 'uri=', 'tls=maybe', 'node=http://a',
        'nothing=1';
$conf->refused("$_ of a chain", [chain("$_;")], (split)[0], 'eth')
    for 'host a', 'uri /', 'tls on', 'nothing 1', 'server 127.0.0.1:1';

# nodes

$conf->accepted("node $_", [chain("node $_;")])
    for 'http://127.0.0.1:1', 'https://127.0.0.1/v3/KEY operator=acme',
        'http://[::1]:1', 'http://unix:/tmp/x.sock weight=5 down',
        'http://127.0.0.1:1 backup', 'http://127.0.0.1 name=own weight=65535';
$conf->refused("node $_", [chain("node $_;")], 'node', (split)[-1], 'eth')
    for '127.0.0.1:1', 'ws://127.0.0.1', 'http://',
        'http://127.0.0.1:1 weight=0', 'http://127.0.0.1:1 weight=65536',
        'http://127.0.0.1:1 weight=x', 'http://127.0.0.1:1 weight=',
        'http://127.0.0.1:1 weight=1 weight=2', 'http://127.0.0.1:1 name=',
        'http://127.0.0.1:1 name=a/b', 'http://127.0.0.1:1 operator=',
        'http://127.0.0.1:1 operator=a/b', 'http://127.0.0.1:1 down=1',
        'http://127.0.0.1:1 down down', 'http://127.0.0.1:1 up',
        'http://127.0.0.1:1 backup backup', 'http://127.0.0.1:1 backup=1',
        'http://127.0.0.1:1/' . 'a' x 500;
$conf->refused('a node twice',
               [chain('node http://127.0.0.1:1; node http://127.0.0.1:1;')],
               'duplicate', '127.0.0.1:1', 'eth');
$conf->refused('a name of nodes twice',
               [chain('node http://127.0.0.1:1 name=a;
                       node http://127.0.0.1:2 name=a;')],
               'duplicate', '"a"', 'eth');
$conf->accepted('two paths of a host',
                [chain('node http://127.0.0.1/a; node http://127.0.0.1/b;')]);

# chains

$conf->refused('a chain twice',
               [http('gateway_chain eth { } gateway_chain eth { }')],
               'duplicate', 'eth');
$conf->refused('a chain in two forms',
               [http('gateway_chain u:pool { }
                      upstream pool { server 127.0.0.1:1; gateway_select
                                      family=evm; }')], 'duplicate', 'u:pool');
$conf->refused("a chain named $_", [http("gateway_chain $_ { }")], 'chain')
    for '""', '"a b"', 'a/b', 'a' x 256;
$conf->refused('a chain without a name', [http('gateway_chain { }')],
               'gateway_chain', 'invalid number of arguments');
$conf->refused('a chain without a block', [http('gateway_chain eth;')],
               'gateway_chain', 'has no opening "{"');
$conf->refused('a block in a chain', [chain('node { }')], 'unexpected "{"');
$conf->refused('a chain in server{}',
               [edge => 0, server => 'gateway_chain eth { }'],
               'gateway_chain', 'directive is not allowed here');

$conf->file('nodes.conf', "node http://127.0.0.1:1;\n");
$conf->file('bad.conf', "node 127.0.0.1:1;\n");
$conf->accepted('an include in a chain',
                [chain('family evm; include %DIR%/nodes.conf;')]);
$conf->refused('a fault in an include', [chain('include %DIR%/bad.conf;')],
               'node', '127.0.0.1:1', '%DIR%/bad.conf:1');

# configured checks

my $need = 'request POST /; value result; role height;';

$conf->accepted("check $_", [check($_)])
    for $need, 'request POST; value $; role height;',
        'request GET /a/$height?b=$id; value a[0].b; role identifier;',
        'request GET /$height_hex; value a; role identifier; offset 1 1;',
        'request GET /; value a; role equals 0x1;',
        'request GET /; value a; role equals "";',
        'request GET /; value a; role pattern ^0x[0-9a-f]+$;',
        "$need interval 3s; penalty 1m; mode direct; header X-Key secret;",
        "$need mode relayed; body '{\"id\":\$id}';";

for (['request', 'post /', 'POST x', 'POST "/a b"', '"" /', 'POST / /'],
     ['value', '[', 'a..b', 'a[x]'],
     ['role', 'size', 'height 1', 'equals', 'pattern', 'pattern ('],
     ['header', 'a', '"a b" c', 'a: b', "a \"b\x01\""],
     ['interval', '0', 'x', '-1s'],
     ['penalty', '0', 'x'],
     ['mode', 'auto', 'x'],
     ['offset', '1', '2 1', 'x 1', '1 x', '1 1000001'])
{
    my ($name, @bad) = @$_;
    my $rest = $need =~ s/\b$name [^;]*;//r;
    $rest =~ s{POST /}{POST /\$height} if $name eq 'offset';
    $rest =~ s{role height}{role identifier} if $name eq 'offset';
    for my $value (@bad) {
        (my $shown = "check $name $value") =~ s/[\x00-\x1f]/?/g;
        $conf->refused($shown, [check("$rest $name $value;")], $name);
    }
    $conf->refused("check without a value of $name", [check("$rest $name;")],
                   $name);
}

for my $name (qw(request value role)) {
    my $rest = $need =~ s/\b$name [^;]*;//r;
    $conf->refused("check without $name", [check($rest)], "no \"$name\"",
                   'tip');
}

$conf->refused("check $_ twice", [check("$need $_; $_;")], 'duplicate',
               (split)[0], 'tip')
    for 'request GET /', 'value a', 'role height', 'body a', 'header a b',
        'interval 1s', 'penalty 1s', 'mode direct';
$conf->refused('an offset without a block',
               [check("$need offset 1 2;")], 'offset', 'tip', '$height');
$conf->refused("a block, and role $_",
               [check("request GET /\$height; value a; role $_;")],
               'role identifier', 'tip', '$height')
    for 'height', 'equals 1', 'pattern 1';
$conf->refused('an unknown directive of a check', [check("$need retry 1;")],
               'retry', 'tip');
$conf->refused("a check named $_", [http("gateway_check $_ { $need }")],
               'gateway_check')
    for '""', '"a b"', 'a/b', 'a' x 33;
$conf->refused('a check twice',
               [http("gateway_check a { $need } gateway_check a { $need }")],
               'duplicate', 'gateway_check', '"a"');

$conf->accepted('a check of a chain, before and after it',
                [http("gateway_check a { $need } gateway_chain eth
                       { check a b; } gateway_check b { $need }")]);
$conf->accepted('a check of a pool',
                [http("gateway_check a { $need } upstream pool
                       { server 127.0.0.1:1; gateway_select check=a; }")]);
$conf->refused('a check twice in a chain',
               [http("gateway_check a { $need } gateway_chain eth
                       { check a a; }")], 'duplicate', '"a"', 'check', 'eth');
$conf->refused('a check twice in a pool',
               [http("gateway_check a { $need } upstream pool
                       { server 127.0.0.1:1; gateway_select check=a,a; }")],
               'duplicate', '"a"', 'check', 'u:pool');
$conf->accepted('a check that is built in', [chain('check evm_syncing_check;')]);
$conf->refused('a check that is not there', [chain('check absent;')],
               'gateway_check', 'absent', 'eth');
$conf->refused('a check of a pool that is not there', [pool('check=absent')],
               'gateway_check', 'absent', 'u:pool');

# endpoints, and what belongs to locations

sub location { return (edge => 0, server => "location /x { $_[0] }") }

$conf->accepted('gateway_find', [location('gateway_find;')]);
$conf->accepted('gateway_find and an if',
                [location('gateway_find; if ($arg_a) { set $a 1; }
                           limit_except GET { deny all; }')]);
$conf->accepted('gateway_find and an if with another content',
                [location('gateway_find; if ($arg_a) { return 204; }')]);
$conf->refused('gateway_find twice', [location('gateway_find; ' x 2)],
               'gateway_find', 'is duplicate');
$conf->refused("gateway_find before $_", [location("gateway_find; $_")],
               'gateway_find', '/x', 'proxy_pass')
    for 'proxy_pass http://127.0.0.1:1;', 'stub_status;';
$conf->refused("gateway_find after $_", [location("$_ gateway_find;")],
               'gateway_find', '/x', 'proxy_pass')
    for 'proxy_pass http://127.0.0.1:1;', 'stub_status;';
$conf->refused('gateway_find with a value', [location('gateway_find on;')],
               'gateway_find', 'invalid number of arguments');
$conf->refused('gateway_find in server{}',
               [edge => 0, server => 'gateway_find;'],
               'gateway_find', 'directive is not allowed here');

for my $name (qw(gateway_node gateway_client)) {
    $conf->accepted("$name in a location", [location("$name \$arg_a;")]);
    $conf->refused("$name twice", [location("$name \$arg_a; " x 2)],
                   $name, 'is duplicate');
    $conf->refused("$name without a value", [location("$name;")],
                   $name, 'invalid number of arguments');
    $conf->refused("$name of a variable that is not there",
                   [location("$name \$absent;")], 'absent');
}

$conf->refused('gateway_client without a variable',
               [location('gateway_client constant;')],
               'gateway_client', 'constant');

# an upstream

$conf->accepted('gateway_select without parameters', [pool('')]);
$conf->refused('gateway_select twice', [pool('family=evm; gateway_select')],
               'gateway_select', 'is duplicate');
$conf->refused('gateway_select in http{}', [http('gateway_select;')],
               'gateway_select', 'directive is not allowed here');
$conf->refused('gateway_select family', [pool('family')],
               '"family"', 'gateway_select');
$conf->refused('gateway_select sticky=constant', [pool('sticky=constant')],
               '"sticky"', 'constant', 'gateway_select');
$conf->refused('sticky twice', [pool('sticky=$arg_a sticky=$arg_b')],
               'sticky', 'gateway_select', 'duplicate');

# the token

$conf->accepted('both of gateway_auth and gateway_find_auth',
                [http('gateway_auth %DIR%/auth.json; gateway_find_auth on;')]);
$conf->refused('gateway_find_auth without a token',
               [http('gateway_find_auth on;')], 'gateway_find_auth',
               'gateway_auth');
$conf->file('open.json', '{"Value":"open-token"}', 0644);
$conf->file('shape.json', '{"Value":5}');
$conf->refused('an open token', [http('gateway_auth %DIR%/open.json;')],
               'gateway_auth', 'open.json', 'chmod 600');
$conf->refused('a token of another shape',
               [http('gateway_auth %DIR%/shape.json;')],
               'gateway_auth', 'shape.json');
unlike($conf->dump(http('gateway_auth %DIR%/auth.json;')),
       qr/edge-token-secret/, 'no token in nginx -T');

done_testing();
