# Guards the files of an edge: a mistake in one is refused by "nginx -t" with
# the file, the entry and the directive, a file that others can read with the
# command that mends it, and no secret is told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use MeshRelay;
use Test::More;

my $conf = MeshConf->new;
my $key = MeshRelay::private('servicer');
my $other = MeshRelay::private('other');
my $mixed = substr($key, 0, 64) . MeshRelay::public('other');

my %good = map {
    my $path = "$conf->{dir}/$_";
    open my $f, '<', $path or die $!;
    local $/;
    ($_ => scalar <$f>);
} qw(keys.json chains.json auth.json node.json);

my %directive = ('keys.json' => 'mesh_relay_servicers',
                 'chains.json' => 'mesh_relay_chains',
                 'auth.json' => 'mesh_relay_auth',
                 'node.json' => 'mesh_relay_node_auth');

sub refused {
    my ($what, $name, $text, @texts) = @_;
    $conf->file($name, $text);
    $conf->refused("$name: $what", [], qq("$directive{$name}"),
                   qq(%DIR%/$name), @texts);
    $conf->file($name, $good{$name});
}

sub node {
    my ($name, $url, @keys) = @_;
    return sprintf '{"name":"%s","url":"%s","keys":[%s]}', $name, $url,
                   join ',', map { qq("$_") } @keys;
}

# each file

for my $name (sort keys %directive) {
    my $path = "$conf->{dir}/$name";

    unlink $path;
    $conf->refused("$name: missing", [], $path, 'No such file');
    mkdir $path;
    $conf->refused("$name: a directory", [], $directive{$name}, $path);
    rmdir $path;

    refused('empty', $name, '');
    refused('no JSON', $name, 'nothing');
    refused('another type', $name, $name =~ /^(keys|chains)/ ? '{}' : '[]');
    refused('cut', $name, substr $good{$name}, 0, -1);
    refused('more behind it', $name, "$good{$name} x");

    for my $mode (0644, 0640, 0604, 0660) {
        next if $name eq 'chains.json';
        $conf->file($name, $good{$name}, $mode);
        $conf->refused(sprintf('%s: mode %04o', $name, $mode), [],
                       $directive{$name}, "chmod 600 $path");
    }
    $conf->file($name, $good{$name});

    my $value = $name eq 'keys.json' ? 'servicers' : $name;
    $conf->refused("$directive{$name} twice",
                   [http => "$directive{$name} $path;"],
                   $directive{$name}, 'is duplicate');
}

# keys

refused('no entry', 'keys.json', '[]');
refused('no key', 'keys.json', '[' . node('a', 'http://a.test') . ']');
refused('a short key', 'keys.json',
        '[' . node('a', 'http://127.0.0.1:1', substr $key, 2) . ']');
refused('no hex', 'keys.json',
        '[' . node('a', 'http://127.0.0.1:1', 'zz' . substr $key, 2) . ']');
refused('halves of two keys', 'keys.json',
        '[' . node('a', 'http://127.0.0.1:1', $mixed) . ']');
refused('a key twice', 'keys.json',
        '[' . node('a', 'http://127.0.0.1:1', $key, $key) . ']',
        MeshRelay::address('servicer'));
refused('a key at two nodes', 'keys.json',
        '[' . node('a', 'http://127.0.0.1:1', $key) . ','
        . node('b', 'http://127.0.0.1:2', $key) . ']',
        MeshRelay::address('servicer'));
refused('two nodes of one name', 'keys.json',
        '[' . node('same', 'http://127.0.0.1:1', $key) . ','
        . node('same', 'http://127.0.0.1:2', $other) . ']',
        '"same"', 'http://127.0.0.1:1', 'http://127.0.0.1:2');
refused('a brace in a name', 'keys.json',
        '[' . node('a{b}', 'http://127.0.0.1:1', $key) . ']', 'brace');
refused('a name too long', 'keys.json',
        '[' . node('a' x 256, 'http://127.0.0.1:1', $key) . ']', '255');
refused('no url', 'keys.json', '[' . node('a', '', $key) . ']', 'url');
refused("a url: $_", 'keys.json', '[' . node('a', $_, $key) . ']', $_)
    for 'ftp://127.0.0.1', 'http://', 'http://127.0.0.1:99999', '127.0.0.1:1';
refused('the older form without a url', 'keys.json',
        qq([{"priv_key":"$key","servicer_url":""}]));

for ('[' . node('a', 'https://127.0.0.1:1/x/', $key, $other) . ']',
     '[' . node('', 'http://[::1]:1', $key) . ']',
     qq([{"priv_key":"$key","servicer_url":"http://127.0.0.1:1"},)
     . qq({"priv_key":"$other","servicer_url":"http://127.0.0.1:1"}]))
{
    $conf->file('keys.json', $_);
    (my $shown = $_) =~ s/\w{128}/KEY/g;
    $conf->accepted("keys.json: $shown",
                    [http => 'mesh_relay_node_ssl_verify off;']);
}
$conf->file('keys.json', $good{'keys.json'});

# chains

sub chain { return qq([{"id":"$_[0]","url":"$_[1]"}]) }

refused("an id: $_", 'chains.json', chain($_, 'http://127.0.0.1:1'), $_)
    for 'xyz', '001', '0123456789';
refused('no id', 'chains.json', chain('', 'http://127.0.0.1:1'));
refused('an id twice', 'chains.json',
        '[{"id":"0021","url":"http://127.0.0.1:1"},'
        . '{"id":"0021","url":"http://127.0.0.1:2"}]', '0021');
refused("a url: $_", 'chains.json', chain('0021', $_), '0021')
    for 'ftp://127.0.0.1', '127.0.0.1:8545', 'http://';
refused('no url', 'chains.json', chain('0021', ''), 'url');

for my $text (chain('0021', 'http://u:pass@127.0.0.1:1'),
              '[{"id":"0021","url":"http://127.0.0.1:1",'
              . '"basic_auth":{"username":"u","password":"pass"}}]')
{
    $conf->file('chains.json', $text, 0644);
    $conf->refused('chains.json: a password, and others can read it', [],
                   'mesh_relay_chains', "chmod 600 $conf->{dir}/chains.json");
    $conf->file('chains.json', $text, 0600);
    $conf->accepted('chains.json: a password', []);
}
for my $url ('https://127.0.0.1:1/x', 'https://[::1]/') {
    $conf->file('chains.json', chain('0021', $url));
    my ($ok, $text) = $conf->test;
    ok($ok, "$url: accepted");
    like($text, qr/\[warn\].*chain "0021" in "\S+" is https by an address/,
         "$url: with a warning");
}
$conf->file('chains.json', chain('0021', $_)), $conf->accepted($_, [])
    for 'https://localhost:1/127.0.0.1', 'http://127.0.0.1:1';
$conf->file('chains.json', $good{'chains.json'}, 0644);
$conf->accepted('chains.json: no password, others can read it', []);
$conf->file('chains.json', $good{'chains.json'});

# tokens

refused('no value', 'auth.json', '{"Issued":""}', 'Value');
refused('an empty value', 'auth.json', '{"Value":""}', 'Value');
refused('a value for two headers', 'node.json', '{"Value":"a\r\nX-B: c"}');
refused('a value of another type', 'auth.json', '{"Value":1}');

# nothing secret is told

{
    $conf->file('chains.json', chain('0021', 'http://u:hidden@127.0.0.1:1'));
    my $text = $conf->dump;
    like($text, qr/mesh_relay_servicers/, 'a dump of the configuration');
    unlike($text, qr/$key|token-secret|hidden/i, 'has no secret');
    $conf->file('chains.json', chain('0021', 'ftp://u:hidden@127.0.0.1:1'));
    $text = ($conf->test)[1];
    unlike($text, qr/hidden/, 'nor has an error of a url');
    $conf->file('chains.json', $good{'chains.json'});
    for my $bad ($mixed, "$key$key", substr $key, 1) {
        $conf->file('keys.json', '[' . node('a', 'http://a.test', $bad) . ']');
        $text = ($conf->test)[1];
        my $half = substr $key, 8, 40;
        unlike($text, qr/$half/i, 'nor has an error of a key');
    }
    $conf->file('keys.json', $good{'keys.json'});
}

done_testing();
