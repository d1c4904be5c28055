# Guards "nginx -t" of what the gateway has in locations: an endpoint that is
# misplaced, repeated or beside another content handler, a bad value, a chain
# that is not there; and that no directive is without such a test.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use Test::More;

my $conf = MeshConf->new;

sub http { return (edge => 0, server => '', http => $_[0]) }
sub server { return (edge => 0, server => $_[0], http => $_[1] // '') }
sub location { return server("location /x { $_[0] }", $_[1]) }
sub upstream { return http("upstream u { server 127.0.0.1:1; $_[0] }") }

# endpoints

my @endpoints = map { "gateway_$_" }
                qw(find nodes sessions qosnodes history metrics admin relay);

for my $name (@endpoints) {
    my ($other) = grep { $_ ne $name } @endpoints;

    $conf->accepted($name, [location("$name;")]);
    $conf->refused("$name twice", [location("$name; $name;")],
                   $name, 'is duplicate');
    $conf->refused("$name and $other", [location("$name; $other;")],
                   $other, '/x', 'another content handler');
    $conf->refused("$name before proxy_pass",
                   [location("$name; proxy_pass http://127.0.0.1:1;")],
                   $name, '/x', 'another content handler');
    $conf->refused("$name after proxy_pass",
                   [location("proxy_pass http://127.0.0.1:1; $name;")],
                   $name, '/x', 'another content handler');
    $conf->refused("$name of values", [location("$name a b;")],
                   $name, 'invalid number of arguments');
    $conf->refused("$name in server{}", [server("$name;")],
                   $name, 'directive is not allowed here');
    $conf->refused("$name in http{}", [http("$name;")],
                   $name, 'directive is not allowed here');
    $conf->refused("$name in upstream{}", [upstream("$name;")],
                   $name, 'directive is not allowed here');
}

for my $name (grep { $_ ne 'gateway_relay' } @endpoints) {
    $conf->refused("$name of a value", [location("$name on;")],
                   $name, 'invalid number of arguments');
}

# what belongs to them: good values, bad ones

my @settings = (
    ['gateway_headers', ['on', 'off'], ['yes', '1', '""']],
    ['gateway_buffer', ['64k', '1m'], ['x', '0', '-1', '1s', '""']],
    ['gateway_max_answer', ['1m'], ['x', '0', '-1', '""']],
    ['gateway_deadline', ['5s', '500ms'], ['x', '0', '-1s', '""']],
    ['gateway_pass_headers', ['X-A', 'X-A X-B'],
     ['"a b"', 'Host', 'a:', 'Connection', '""']],
    ['gateway_node', ['eth', '$arg_a'], ['$absent', 'none']],
    ['gateway_client', ['$arg_a', '"$arg_a $arg_b"', 'off'],
     ['$absent', 'constant', '""']],
);
my $chain = 'gateway_chain eth { }';

for (@settings) {
    my ($name, $good, $bad) = @$_;
    my $use = "$name $good->[0];";

    $conf->accepted("$name $_", [location("$name $_;", $chain)]) for @$good;

    for my $value (@$bad) {
        (my $shown = $value) =~ s/["\$]//g;
        my @names = $value =~ /^\$/ ? () : $name;
        $conf->refused("$name $value", [location("$name $value;", $chain)],
                       @names, $shown);
    }

    $conf->accepted("$name in server{}", [server($use, $chain)]);
    $conf->accepted("$name in http{}", [http("$chain $use")]);
    $conf->refused("$name twice", [location("$use $use", $chain)],
                   $name, 'is duplicate');
    $conf->refused("$name without a value", [location("$name;", $chain)],
                   $name, 'invalid number of arguments');
    $conf->refused("$name in upstream{}", [upstream($use)],
                   $name, 'directive is not allowed here');
}

# chains: those of the configuration, unless applications may bring others

$conf->file('apps.json', '[{"priv_key":"' . MeshRelay::private('app1')
                         . '"}]');
my $apps = 'gateway_dispatcher http://127.0.0.1:1;
            gateway_apps %DIR%/apps.json;';

for my $name (qw(gateway_node gateway_relay)) {
    $conf->accepted("$name of a chain below",
                    [location("$name eth;", $chain)]);
    $conf->refused("$name of another one", [location("$name no;", $chain)],
                   'unknown chain "no"', $name);
    $conf->accepted("$name of the network's", [location("$name no;", $apps)]);
    $conf->accepted("$name of a variable", [location("$name \$arg_a;")]);
}

$conf->accepted('gateway_node of an upstream', [location('gateway_node u:p;',
    'upstream p { server 127.0.0.1:1; gateway_select; }')]);

# blocks and lists of http{}

for my $name (qw(gateway_check gateway_operator gateway_hedge gateway_weights
                 gateway_dispatcher gateway_apps))
{
    my $block = $name eq 'gateway_check';
    my $use = $block ? 'gateway_check a { request GET /; value a;
                                          role height; }' : "$name off x;";
    $conf->refused("$name in server{}", [server($use)],
                   $name, 'directive is not allowed here');
    $conf->refused("$name in a location", [location($use)],
                   $name, 'directive is not allowed here');
    $conf->refused("$name without a value", [http("$name;")],
                   $name, 'invalid number of arguments') unless $block;
}

$conf->refused("gateway_operator of $_", [http("gateway_operator a $_;
                                                gateway_operator b $_;")],
               'gateway_operator', $_, 'duplicate')
    for '*.example.com', '10.0.0.0/8', '::1', '127.0.0.1';
$conf->refused('a host in other letters',
               [http('gateway_operator a x.org X.org;')],
               'gateway_operator', 'X.org', 'duplicate');
$conf->accepted('networks of other lengths',
                [http('gateway_operator a 10.0.0.0/8 10.0.0.0/9;')]);

# none is forgotten

sub text { local (@ARGV, $/) = @_; return join '', <> }

my $tests = text(glob "$FindBin::Bin/gateway-{conf,upstream-conf}*.t");
my $module = "$FindBin::Bin/../ngx_gateway_select_module";
my @names = text(glob "$module/*.c")
    =~ /\{\s*ngx_string\("(gateway_\w+)"\),\s*NGX_\w+CONF/g;
push @names, text("$module/ngx_gateway_select_conf_key.c")
    =~ /\{\s*ngx_string\("(\w+)"\),\s*NGX_GATEWAY/g;

cmp_ok(scalar @names, '>', 30, 'directives and keys');
is(join(' ', grep { $tests !~ /\b(?:gateway_)?\Q$_\E\b/ }
             map { s/^gateway_//r } @names), '', 'have tests');

done_testing();
