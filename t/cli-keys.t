# Guards "meshctl keys": that a key file is refused with the reason and a code
# that scripts can act on, and that nothing secret is ever printed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use MeshCtl;
use Test::More;

my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);

sub key_file {
    my ($text, $mode) = @_;
    write_file("$dir/key.json", $text, $mode // 0600);
    return "$dir/key.json";
}

my ($code, $out, $err) = ctl('keys', 'new', "$dir/new.json", '--url',
                             'http://node.example:8081', '--count', 3);
is($code, 0, 'new keys') or diag $err;
my @public = $out =~ /^[0-9a-f]{40}  ([0-9a-f]{64})$/mg;
is(scalar @public, 3, 'their addresses and public keys are printed');
is((stat "$dir/new.json")[2] & 0777, 0600, 'the file is its owner\'s alone');

my $text = slurp("$dir/new.json");
my @private = $text =~ /"([0-9a-f]{128})"/g;
is(scalar @private, 3, 'the file holds the keys');
unlike($out, qr/\Q$_\E/, 'a private key is not printed')
    for map { $_, substr $_, 0, 64 } @private;

($code, $out, $err) = ctl('keys', 'new', "$dir/new.json");
is($code, 2, 'a file that is there is not written over');
like($err, qr/File exists/, 'and the reason is given');
is(slurp("$dir/new.json"), $text, 'it is as it was');

($code, $out, $err) = ctl('keys', 'check', "$dir/new.json");
is($code, 0, 'a good file');
is($err, '', 'without complaint');
like($out, qr/^node\.example  http:\/\/node\.example:8081  3 servicers$/m,
     'node and url');
like($out, qr/^  [0-9a-f]{40}  $_$/m, 'servicer') for @public;
unlike($out . $err, qr/$_/, 'no secret') for map { substr $_, 0, 64 } @private;


for my $mode (0640, 0604, 0660, 0602, 0610) {
    chmod $mode, "$dir/new.json";
    ($code, $out, $err) = ctl('keys', 'check', "$dir/new.json");
    is($code, 1, sprintf 'mode %04o is refused', $mode);
    like($err, qr/chmod 600 \Q$dir\E\/new\.json/, 'with the remedy');
    is($out, '', 'nothing of it is printed');
}

my $one = $private[0];
my @bad = (
    [ 'no JSON', '[', 'parse error' ],
    [ 'an empty list', '[]', '\w' ],
    [ 'no url', qq([{"keys":["$one"]}]), 'url' ],
    [ 'no keys', '[{"url":"http://a:1","keys":[]}]', 'key' ],
    [ 'a short key', '[{"url":"http://a:1","keys":["' . ('ab' x 32) . '"]}]',
      '64 bytes' ],
    [ 'halves that do not match',
      '[{"url":"http://a:1","keys":["' . ('ab' x 64) . '"]}]', 'halves' ],
    [ 'a key twice', qq([{"url":"http://a:1","keys":["$one","$one"]}]),
      'twice' ],
);

for my $case (@bad) {
    my ($name, $text, $why) = @$case;
    ($code, $out, $err) = ctl('keys', 'check', key_file($text));
    is($code, 1, "$name: refused");
    like($err, qr/^meshctl: "\Q$dir\E\/key\.json": .*$why/, "$name: why");
    is(scalar(() = $err =~ /\n/g), 1, "$name: one line");
    unlike($err, qr/[0-9a-f]{64}/, "$name: no secret");
}

($code, $out, $err) = ctl('keys', 'check', key_file(
    qq([{"priv_key":"$one","servicer_url":"http://old.example:8081/"}])));
is($code, 0, 'the older format');
like($out, qr/^old\.example  .*  1 servicer$/m, 'its node');

($code, $out, $err) = ctl('keys', 'check', "$dir/none");
is($code, 2, 'a file that is not there');
like($err, qr/No such file/, 'is said so');

($code) = ctl('keys', 'check', "$dir");
isnt($code, 0, 'a directory is no file');

for my $args ([], ['check'], ['check', 'a', 'b'], ['look', 'a'],
              ['new'], ['new', 'a', '--count', 0], ['new', 'a', '--count', 2],
              ['new', 'a', '--what'])
{
    ($code, $out, $err) = ctl('keys', @$args);
    is($code, 2, "usage: keys @$args");
    isnt($err, '', 'with a word about it');
}

done_testing();
