# Guards the change of chains at run time: all workers serve the new set at
# once, the file has it for the next start, and a change that fails changes
# nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshEdge;
use MeshNode;
use MeshRedis;
use MeshRelay;
use Test::More;

my $redis = MeshRedis->start;
my $node = MeshNode->start(height => 6);

my $edge = MeshEdge->new(
    redis => $redis->socket, workers => 4,
    nodes => [{ name => 'a', url => $node->url, keys => ['servicer'] }],
    http => 'mesh_relay_node_check_interval 200ms;',
);
my $file = "$edge->{dir}/chains.json";
my $url = "http://unix:$edge->{dir}/chain.sock:/";

# workers of another user replace the file
chmod 0777, "$edge->{dir}";

$edge->start->serving;
my ($uid, $gid) = (stat '/proc/' . ($edge->workers)[0])[4, 5];
chown $uid, $gid, $file;
chmod 0640, $file;

sub text { return '[' . join(',', map { qq({"id":"$_","url":"$url"}) } @_) . ']' }

sub update {
    my ($text) = @_;
    return $edge->send($text, '/v1/private/mesh/updatechains',
                       'Authorization: edge-token');
}

sub content {
    open my $f, '<', $file or die "$file: $!";
    local $/;
    return scalar <$f>;
}

sub mode { return sprintf '%04o', (stat $file)[2] & 07777 }

# each of the workers, as far as many connections reach them

sub all {
    my ($chain) = @_;
    my %n = $edge->burst(MeshRelay::relays(24, height => 5, chain => $chain));
    return join ' ', map { "$_ x $n{$_}" } sort keys %n;
}

is(all('0021'), '200 x 24', 'the chain of the file');
is(all('0040'), '26 x 24', 'another one is not hosted');

{
    my ($status, $body) = update(text('0040', '0001'));
    is($status, 200, 'an update');
    my $auth = '"basic_auth":{"password":"","username":""}';
    is($body, qq({"0001":{$auth,"id":"0001","url":"$url"},)
       . qq("0040":{$auth,"id":"0040","url":"$url"}}\n),
       'its answer is the set by its ids');
}
is(all('0040'), '200 x 24', 'is in force in all workers');
is(all('0021'), '26 x 24', 'and the set before is not');
is(content(), text('0040', '0001'), 'the file has it');
is(mode(), '0640', 'with its mode');
is_deeply([grep { !/chains\.json$/ } glob "$edge->{dir}/chains.json*"], [],
          'nothing else is left');
ok($edge->wait_for(sub {
    $node->last('check') =~ /"Chains":\["0040","0001"\]/ }),
   'the node is asked for it');

# what is refused

for (['nothing', 'no JSON', ''], ['{}', 'no array', ''],
     ['[{"id":"xyz","url":"http://a"}]', 'a bad id', 'xyz'],
     ['[{"id":"0001","url":"http://a"},{"id":"0001","url":"http://b"}]',
      'an id twice', '0001'],
     ['[{"id":"0001","url":"ftp://a"}]', 'a bad url', '0001'])
{
    my ($text, $what, $named) = @$_;
    my ($status, $body) = update($text);
    is($status, 400, $what);
    like($body, qr/^\{"code":400,"message":".*\Q$named\E.*"\}\n$/,
         "$what: in the form of errors");
    is(content(), text('0040', '0001'), "$what: the file is as it was");
}
is(all('0040'), '200 x 24', 'and so is the set');

# what cannot be written

SKIP: {
    skip 'root writes anywhere', 4 if $uid == 0;
    chmod 0755, "$edge->{dir}";
    my ($status, $body) = update(text('0041'));
    is($status, 500, 'a directory that cannot be written to');
    like($body, qr/"\\"\Q$file\E\\" cannot be written: .*Permission denied/,
         'the file is named');
    is(all('0040'), '200 x 24', 'nothing has changed');
    is(all('0041'), '26 x 24', 'for any worker');
    chmod 0777, "$edge->{dir}";
}

# several at once: one of them is in force, and in the file, again and again

for my $round (1 .. 5) {
    my @many = map { sprintf('0%03x', $_) } 0x100 .. 0x1ff;
    my @s = map {
        my $s = $edge->connect;
        print $s $edge->request(text("00$_", @many),
                                '/v1/private/mesh/updatechains',
                                'Authorization: edge-token');
        $s->flush;
        $s;
    } 50 .. 69;
    local $/;
    my %status;
    $status{ (<$_> =~ /^HTTP\/1.1 (\d+)/)[0] }++ for @s;
    is_deeply(\%status, { 200 => 20 }, 'twenty updates at once');
    my ($id) = content() =~ /"id":"(00[56]\d)"/;
    is(length content(), length text('0050', @many), 'the file is whole');
    ok(scalar(grep { "00$_" eq $id } 50 .. 69), 'and one of them');
    is(all($id), '200 x 24', 'which is in force');
}

# one whose worker died does not keep others from it

{
    my $s = $edge->connect;
    print $s $edge->request(text('0046'), '/v1/private/mesh/updatechains',
                            'Authorization: edge-token');
    $s->flush;
    $edge->kill_worker($_) for $edge->workers;
    $edge->wait_for(sub { $edge->workers == 4 });
    is((update(text('0047')))[0], 200, 'an update after a crash');
    is(content(), text('0047'), 'is in the file');
    is(all('0047'), '200 x 24', 'and in force');
}

# a reload takes the file

is((update(text('0042')))[0], 200, 'an update');
{
    my %old = map { ($_ => 1) } $edge->workers;
    open my $f, '>', $file or die "$file: $!";
    print $f text('0043');
    close $f;
    kill 'HUP', $edge->master;
    $edge->wait_for(sub { my @now = $edge->workers;
                          @now == 4 && !grep { $old{$_} } @now });
    is(all('0043'), '200 x 24', 'a reload takes the file');
    is(all('0042'), '26 x 24', 'and not what was in force before');
}

# a link stays one: what it leads to is replaced

{
    my $target = "$edge->{dir}/chains-of-all.json";
    my %left = map { ($_ => 1) } glob "$edge->{dir}/*.new";
    rename $file, $target or die "$target: $!";
    symlink 'chains-of-all.json', $file or die "$file: $!";
    is((update(text('0044')))[0], 200, 'an update of a link');
    ok(-l $file, 'it is still one');
    ok(!-l $target, 'to a file');
    is(content(), text('0044'), 'that has it');
    is_deeply([grep { !$left{$_} } glob "$edge->{dir}/*.new"], [],
              'nothing else is left');
    unlink $target;
    is((update(text('0045')))[0], 500, 'a link to nothing');
    is(all('0044'), '200 x 24', 'changes nothing');
}

is(scalar $edge->alarms, 0, 'no alarm') or diag $edge->alarms;
$edge->quit;

done_testing();
