# Guards the ready configurations of config/: that nginx takes each of them as
# it stands, with files of the names that they give, and that the location that
# "meshctl convert" writes is that of mesh_relay.conf.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename);
use File::Temp ();
use FindBin;
use Test::More;

my $root = abs_path("$FindBin::Bin/..");
my $build = $ENV{BUILD} || "$root/build";
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $ctl = "$build/meshctl";

plan skip_all => "no $ctl" unless -x $ctl;
plan skip_all => 'no openssl' if system('openssl version > /dev/null 2>&1');

my @confs = sort grep { !/mesh_relay|gateway_locations/ }
                 glob "$root/config/*.conf";
is(scalar @confs, 6, 'configurations for people');

my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
prepare();

for my $conf (@confs) {
    my $name = basename($conf);
    my $text = slurp($conf);
    my ($status, $out);

    unlike($text, qr/[^\n]{81}/, "$name: 80 columns");

    ($status, $out) = check($name, $text);
    is($status, 0, "$name: nginx takes it") or diag $out;

    my @odd = grep { !/syntax is ok|test is successful|^$/
                     && !/"user" directive makes sense only/
                     && !/mlock|RLIMIT_MEMLOCK/ } split /\n/, $out;
    is_deeply(\@odd, [], "$name: without a warning");

    # a mistake must not pass: this test would not see anything else either
    my $file = $name =~ /gateway/ ? 'gateway_auth' : 'mesh_relay_servicers';
    (my $bad = $text) =~ s{($file\s+)\S+;}{$1mesh/none.json;};
    ($status, $out) = check($name, $bad);
    isnt($status, 0, "$name: a missing file is found");
    like($out, qr/$file.*none\.json/s, "$name: and named");
}

like(slurp("$root/config/region-$_.conf"),
     qr/^\s+mesh_region\s+\Q$_\E;$/m, "region $_ says so")
    for qw(eu-west us-east ap-southeast);

# a location that "meshctl convert" writes stands in mesh_relay.conf too
{
    write_file("$dir/config.json", '{"rpc_port": "8081"}');
    my $made = `$ctl convert $dir/config.json`;
    my @made = directives($made =~ /location = \S+_timed (\{.*?\n {8}\})/s);
    my @ours = directives(slurp("$root/config/mesh_relay.conf")
                          =~ /location = \/_mesh_relay_chain (\{.*?\n\})/s);
    my $timeout = qr/^proxy_(connect|send|read)_timeout/;

    cmp_ok(scalar @ours, '>', 10, 'the location of the chains is found');
    is_deeply([ grep { !/$timeout/ } @made ], [ grep { !/$timeout/ } @ours ],
              'but for its time-outs it is that of "meshctl convert"');
    is(scalar(grep { /$timeout.* 1200ms$/ } @made), 3,
       'whose time-outs are the mesh client\'s');
}

done_testing();


# nginx's prefix has modules/, the folder of the file has the rest
sub prepare {
    mkdir "$dir/$_" or die "$dir/$_: $!"
        for qw(modules conf conf/mesh conf/mesh/tls);

    for my $module (qw(ngx_mesh_relay_module ngx_gateway_select_module)) {
        symlink "$build/$module.so", "$dir/modules/$module.so" or die $!;
    }
    for my $include (qw(mesh_relay gateway_locations)) {
        symlink "$root/config/$include.conf", "$dir/conf/$include.conf"
            or die $!;
    }

    my $mesh = "$dir/conf/mesh";
    system("$ctl keys new $mesh/key.json --url http://127.0.0.1:8081"
           . ' > /dev/null') == 0 or die 'keys';
    write_file("$mesh/chains.json",
               '[{"id":"0021","url":"https://localhost:8545/0021"}]');
    write_file("$mesh/$_.json", '{"Value":"token"}') for qw(auth node-auth);
    write_file("$mesh/redis.password", "secret\n");

    system("$ctl keys new $mesh/app > /dev/null") == 0 or die 'key';
    write_file("$mesh/apps.json", '[{"name":"app","priv_key":"'
               . slurp("$mesh/app") =~ s/\s//gr . '"}]');

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
           . " -nodes -days 1 -subj /CN=edge.example -keyout"
           . " $mesh/tls/edge.key -out $mesh/tls/edge.crt 2> /dev/null") == 0
        or die 'certificate';
    link "$mesh/tls/edge.$_", "$mesh/tls/gateway.$_" or die $! for qw(crt key);
}

# as it stands, but on ports that need no privilege and are nobody's
sub check {
    my ($name, $text) = @_;
    $text =~ s/listen(\s+)443 /listen$1unix:$dir\/edge.sock /g;
    $text =~ s/^user /user root; #/m if $> == 0 && !getpwnam 'www-data';
    write_file("$dir/conf/$name", $text);
    my $out = `$nginx -t -p $dir/ -c $dir/conf/$name -e $dir/error.log \\
        -g 'pid $dir/nginx.pid;' 2>&1`;
    return ($? >> 8, $out);
}

sub directives {
    my ($block) = @_;
    $block =~ s/#.*//g;
    $block =~ s/[{}]//g;
    return map { s/\s+/ /gr =~ s/^ | $//gr } grep { /\S/ } split /;/, $block;
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
