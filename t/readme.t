# Guards README.md as somebody reads it who types what it says: that each
# example of an nginx.conf is taken by "nginx -t", and that its tables of
# directives, parameters and variables are those of the sources, with their
# contexts.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename);
use File::Temp ();
use FindBin;
use Test::More;

my $root = abs_path("$FindBin::Bin/..");
my $build = abs_path($ENV{BUILD} || "$root/build");
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $ctl = "$build/meshctl";

plan skip_all => "no $ctl" unless -x $ctl;
plan skip_all => 'no openssl' if system('openssl version > /dev/null 2>&1');

my $readme = slurp("$root/README.md");
my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
prepare();

my %word = (NGX_HTTP_MAIN_CONF => 'http', NGX_HTTP_SRV_CONF => 'server',
            NGX_HTTP_LOC_CONF => 'location', NGX_HTTP_UPS_CONF => 'upstream',
            NGX_HTTP_LIF_CONF => 'if in location');


# The examples.  What is no whole file stands in the block it is meant for.

my @examples = $readme =~ /^```nginx\n(.*?)^```$/msg;
cmp_ok(scalar @examples, '>=', 4, 'examples');
is(scalar(grep { /load_module .*mesh_relay/ } @examples), 1,
   'one is a whole edge');
cmp_ok(scalar(grep { /load_module .*gateway_select/ } @examples), '>=', 1,
       'one is a whole gateway');

for my $i (0 .. $#examples) {
    my $text = $examples[$i];
    my ($first) = $text =~ /^\s*(\w+ [^;{]*)/;
    $first =~ s/\s+$//;

    if ($text =~ /^\s*location/) {
        $text = "load_module modules/ngx_mesh_relay_module.so;\n"
            . "load_module modules/ngx_gateway_select_module.so;\n"
            . "events {}\nhttp {\n mesh_relay_servicers key/key.json;\n"
            . " mesh_relay_chains chains/chains.json;\n"
            . " mesh_relay_node_auth key/auth.json;\n"
            . " upstream servicer { server 127.0.0.1:1; }\n"
            . " server {\n listen 80;\n$text }\n}\n";
    }

    my ($status, $out) = check("example-$i.conf", $text);
    is($status, 0, "example $i, $first: nginx takes it") or diag $out;
    unlike($out, qr/\[(warn|error)\]/, "example $i: without a warning");
}

# this test would not see anything else either
isnt((check('bad.conf', $examples[0] =~ s/mesh_region/mesh_rejion/r))[0], 0,
     'a mistake does not pass');


# Directives with their contexts.

my %documented;
for ($readme =~ /^\| (`(?:mesh|gateway)_.*)$/mg) {
    my ($name, $context) = /^`(\w+).*?` \| ([^|]+?) \|/ or next;
    is($documented{$name}, undef, "$name is told of once");
    $documented{$name} = $context;
}

my %known;
for my $path (glob "$root/shared/*.[ch] $root/ngx_*_module/*.[ch]") {
    my $source = slurp($path);
    while ($source =~ /\{\s*ngx_string\("((?:mesh|gateway)_\w+)"\),[\s\\]*
                       (NGX_[A-Z0-9_|\s\\]+)/xg)
    {
        my ($name, $flags) = ($1, $2);
        my %flag = map { $_ => 1 } $flags =~ /(NGX_\w+)/g;
        $known{$name} = join ', ', map { $flag{$_} ? $word{$_} : () }
            qw(NGX_HTTP_MAIN_CONF NGX_HTTP_UPS_CONF NGX_HTTP_SRV_CONF
               NGX_HTTP_LOC_CONF NGX_HTTP_LIF_CONF);
    }
}

cmp_ok(scalar keys %known, '>', 50, 'directives in the sources');
for my $name (sort keys %known) {
    is($documented{$name}, $known{$name}, "$name: its contexts");
}
is_deeply([ grep { !$known{$_} } sort keys %documented ], [],
          'README tells of no others');


# Parameters: each name in a table of a source, as a word of its section.

for my $case ([ 'conf_key', 'gateway_chain' ], [ 'conf_node', 'node' ],
              [ 'conf_check', 'gateway_check' ])
{
    my ($file, $of) = @$case;
    my $source = slurp(
        "$root/ngx_gateway_select_module/ngx_gateway_select_$file.c");
    my @names = map { s/=$//r } $source =~ /^    \{ ngx_string\("(\w+=?)"\)/mg;
    cmp_ok(scalar @names, '>', 3, "parameters of $of");

    my ($section) = $readme =~ /^### Of the gateway\n(.*?)^## /ms;
    is_deeply([ grep { $section !~ /`[^`|]*\b$_\b/ } @names ], [],
              "parameters of $of: all are told of");
}

my @redis = slurp("$root/shared/mesh_redis_conf.c")
            =~ /ngx_string\("(\w+)="\)/g;
is_deeply([ grep { $readme !~ /`$_=/ } @redis ], [],
          'parameters of mesh_redis');

my %variable;
for my $path (glob "$root/ngx_*_module/*.c") {
    $variable{$_} = 1
        for slurp($path) =~ /\{ ngx_string\("((?:mesh|gateway)_\w+)"\), NULL/g;
}
cmp_ok(scalar keys %variable, '>', 5, 'variables in the sources');
is_deeply([ grep { $readme !~ /`\$$_`/ } sort keys %variable ], [],
          'each is told of');
is_deeply([ grep { !$variable{$_} }
            $readme =~ /`\$((?:mesh_relay|gateway)_\w+)`/g ], [],
          'and no others');


# Verbs of meshctl, targets of make.

{
    my ($section) = $readme =~ /^## meshctl\n(.*?)^## /ms;
    for (`$ctl help` =~ /^  (\w[\w-]*) /mg) {
        next if /^(help|version)$/;
        like($section, qr/^ +meshctl $_ /m, "meshctl $_");
    }

    my $makefile = slurp("$root/Makefile");
    my %target = map { $_ => 1 } 'help', $makefile =~ /^#: make ([\w-]+)/mg;
    is_deeply([ grep { !$target{$_} }
                $readme =~ /(?:^ {4}(?:sudo )?|`)make ([a-z][\w-]*)/mg ], [],
              'each target of make');
    ok(-e "$root/$_", "$_ is there")
        for sort { $a cmp $b } keys %{ { map { $_ => 1 }
            $readme =~ m{[` ]((?:docker|t)/[\w./-]+\.\w+|config/\w+\.conf)\b}g
        } };
}

done_testing();


# nginx's prefix has modules/, the folder of the file has the rest
sub prepare {
    mkdir "$dir/$_" or die "$dir/$_: $!"
        for qw(modules conf conf/key conf/chains conf/ssl);

    for my $module (qw(ngx_mesh_relay_module ngx_gateway_select_module)) {
        symlink "$build/$module.so", "$dir/modules/$module.so" or die $!;
    }
    for my $include (qw(mesh_relay gateway_locations)) {
        symlink "$root/config/$include.conf", "$dir/conf/$include.conf"
            or die $!;
    }

    system("$ctl keys new $dir/conf/key/key.json --url http://127.0.0.1:8081"
           . ' > /dev/null') == 0 or die 'keys';
    write_file("$dir/conf/chains/chains.json",
               '[{"id":"0021","url":"https://localhost:8545/0021"}]');
    write_file("$dir/conf/${_}auth.json", '{"Value":"token"}')
        for '', 'key/';

    system("$ctl keys new $dir/conf/app > /dev/null") == 0 or die 'key';
    write_file("$dir/conf/apps.json", '[{"name":"app","priv_key":"'
               . slurp("$dir/conf/app") =~ s/\s//gr . '"}]');

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
           . " -nodes -days 1 -subj /CN=edge.example -keyout"
           . " $dir/conf/ssl/all.key -out $dir/conf/ssl/all.pem"
           . ' 2> /dev/null') == 0 or die 'certificate';
}

# as it stands, but on sockets, with a certificate that is there, and without
# names to be looked up
sub check {
    my ($name, $text) = @_;
    my $n = 0;
    $text =~ s/listen(\s+)\d+\b/'listen' . $1 . "unix:$dir\/" . $n++/ge;
    $text =~ s{https://[\w.-]+\.example\.org}{'https://127.0.0.' . ++$n}ge;
    $text =~ s{/etc/ssl/\w+/\w+\.(key|pem)}{ssl/all.$1}g;
    write_file("$dir/conf/$name", $text);
    my $out = `$nginx -t -p $dir/ -c $dir/conf/$name -e $dir/error.log \\
        -g 'pid $dir/nginx.pid;' 2>&1`;
    return ($? >> 8, $out);
}

sub slurp {
    my ($name) = @_;
    open my $file, '<', $name or die "$name: $!";
    local $/;
    return scalar <$file>;
}

sub write_file {
    my ($name, $text) = @_;
    open my $file, '>', $name or die "$name: $!";
    print $file $text;
    close $file or die "$name: $!";
    chmod 0600, $name;
}
