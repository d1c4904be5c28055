# Guards "nginx -t" of dispatchers and applications: what is wrong with a file
# of keys is told by entry and field, and no key is ever told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshConf;
use MeshRelay;
use Test::More;

my $conf = MeshConf->new;
my $key = MeshRelay::private('app1');
my $other = MeshRelay::private('app2');
my $dispatcher = 'gateway_dispatcher http://127.0.0.1:1;';

sub http { return (edge => 0, server => '', http => $_[0]) }
sub both { return http("$dispatcher gateway_apps $_[0];") }

$conf->file('apps.json', qq([{"name":"one","priv_key":"$key"},)
                         . qq({"priv_key":") . uc($other) . '"}]');

$conf->accepted('both', [both('%DIR%/apps.json')]);
$conf->accepted('several dispatchers', [http(
    'gateway_dispatcher http://127.0.0.1:1 http://127.0.0.1:2/a/ https://[::1];
     gateway_dispatcher http://127.0.0.1:2/b;
     gateway_apps %DIR%/apps.json;')]);

unlike($conf->dump(both('%DIR%/apps.json')), qr/\Q$key\E/,
       'no key in what nginx -T shows');

# URLs

for (['ftp://a', 'invalid URL "ftp://a"'], ['x', 'invalid URL "x"'],
     ['""', 'invalid URL ""'], ['http://', 'invalid URL "http://"'],
     ['http://127.0.0.1:1/?a=b', 'must have no arguments'],
     ['http://127.0.0.1:1/a http://127.0.0.1:1/a/', 'duplicate URL'])
{
    my ($url, $error) = @$_;
    $conf->refused("gateway_dispatcher $url",
                   [http("gateway_dispatcher $url;
                          gateway_apps %DIR%/apps.json;")],
                   'gateway_dispatcher', $error);
}

$conf->refused('gateway_dispatcher without a value',
               [http('gateway_dispatcher;')], 'gateway_dispatcher',
               'invalid number of arguments');
$conf->refused('gateway_dispatcher alone', [http($dispatcher)],
               '"gateway_dispatcher" needs "gateway_apps"');
$conf->refused('gateway_apps alone', [http('gateway_apps %DIR%/apps.json;')],
               '"gateway_apps" needs "gateway_dispatcher"');

for my $name ('gateway_dispatcher http://127.0.0.1:1',
              'gateway_apps %DIR%/apps.json')
{
    $conf->refused("$name in server{}", [edge => 0, server => "$name;"],
                   'directive is not allowed here');
}

# the file itself

$conf->refused('gateway_apps twice',
               [both('%DIR%/apps.json; gateway_apps %DIR%/apps.json')],
               'gateway_apps', 'duplicate');
$conf->refused('no file', [both('%DIR%/none')], 'gateway_apps', '/none');
$conf->refused('a folder', [both('%DIR%')], 'gateway_apps');

$conf->file('open.json', qq([{"priv_key":"$key"}]), 0644);
$conf->refused('a file that others may read', [both('%DIR%/open.json')],
               'gateway_apps', '/open.json');

# what is in it

for (
    ['nothing', '', ''],
    ['no list', '{}', 'array'],
    ['an empty list', '[]', 'there are no entries'],
    ['a broken list', '[{', ''],
    ['an empty entry', '[{}]', 'entry 1', 'priv_key'],
    ['both forms', qq([{"priv_key":"$key","aat":{}}]), 'entry 1'],
    ['a number', '[{"priv_key":1}]', 'entry 1: "priv_key" must be a string'],
    ['no hex', '[{"priv_key":"zz"}]', '"priv_key" is not hexadecimal'],
    ['half a key', '[{"priv_key":"' . substr($key, 0, 64) . '"}]',
     '"priv_key" is not 64 bytes long'],
    ['other halves', '[{"priv_key":"' . substr($key, 0, 64)
     . substr($other, 64) . '"}]', 'entry 1', 'do not belong together'],
    ['an application twice', qq([{"priv_key":"$key"},{"priv_key":"$other"},)
     . '{"priv_key":"' . uc($key) . '"}]',
     'entry 3: application ' . MeshRelay::address('app1')
     . ' is entry 1 already'],
    ['a long name', '[{"name":"' . 'a' x 65 . qq(","priv_key":"$key"}]),
     'entry 1: "name"'],
    ['a token of another version',
     qq([{"aat":{"version":"1"},"client_priv_key":"$key"}]),
     'entry 1: "aat.version"'],
    ['a token without a key',
     '[{"aat":{"version":"0.0.1","app_pub_key":"' . MeshRelay::public('app1')
     . '","client_pub_key":"' . MeshRelay::public('app1')
     . '","signature":"' . '00' x 64 . '"}}]',
     'entry 1: "client_priv_key" is missing'],
    ['a token that nobody signed',
     '[{"aat":{"version":"0.0.1","app_pub_key":"' . MeshRelay::public('app1')
     . '","client_pub_key":"' . MeshRelay::public('app2')
     . '","signature":"' . '00' x 64 . qq("},"client_priv_key":"$other"}]),
     'entry 1: "aat.signature"'],
    ['a token of another client',
     '[{"aat":{"version":"0.0.1","app_pub_key":"' . MeshRelay::public('app1')
     . '","client_pub_key":"' . MeshRelay::public('app2')
     . '","signature":"' . '00' x 64 . qq("},"client_priv_key":"$key"}]),
     'entry 1: "client_priv_key" is not the key'],
) {
    my ($name, $text, @errors) = @$_;
    $conf->file('bad.json', $text);
    $conf->refused($name, [both('%DIR%/bad.json')], 'gateway_apps',
                   '/bad.json', grep { length } @errors);
    my (undef, $said) = $conf->test(both('%DIR%/bad.json'));
    unlike($said, qr/\Q@{[substr $key, 0, 32]}\E/i, "$name: no key is told");
}

done_testing();
