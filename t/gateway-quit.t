# Guards what is under way when a worker is told to end: reports that are
# written in steps, and calls, go on to their end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use JSON::PP ();
use MeshReport;
use MeshServers;
use Test::More;

my $servers = MeshServers->start(2);
my $many = join '', map { "node http://127.0.0.1:1 name=n$_ operator=o$_;\n" }
                        1 .. 400;

sub gateway {
    return MeshReport->new(
        servers => $servers,
        http => 'gateway_pass_headers Content-Type X-Test;'
                . "gateway_chain many { $many } gateway_chain eth { node "
                . 'http://127.0.0.1:' . $servers->port(0) . '; }',
    )->start;
}

# connections that have sent this
sub sent {
    my ($gateway, $n, $uri, @o) = @_;
    return map {
        my $s = $gateway->connect;
        print $s $gateway->request($uri, headers =>
            ['Connection: close', "x-api-key: $MeshReport::token"], @o);
        $s->flush;
        $s;
    } 1 .. $n;
}

# their answers; begun: called once, when all have one that has begun
sub answers {
    my ($begun, @s) = @_;
    my %text = map { ($_ => '') } @s;
    my $select = IO::Select->new(@s);

    while ($select->count) {
        my @ready = $select->can_read(30) or last;
        for my $s (@ready) {
            next if sysread $s, $text{$s}, 65536, length $text{$s};
            $select->remove($s);
        }
        if ($begun && !grep { !length } values %text) {
            $begun->();
            undef $begun;
        }
    }

    return map { $text{$_} } @s;
}

for my $uri ('/gateway/nodes', '/qosnodes/') {
    my $gateway = gateway();
    my $pid = $gateway->master;
    my @texts = answers(sub { kill 'QUIT', $pid },
                        sent($gateway, 8, $uri, get => 1));
    my @rows = grep { ref && @$_ == 403 } map {
        my ($head, $body) = split /\r\n\r\n/, $_, 2;
        eval { JSON::PP::decode_json(MeshReport::body(
            { head => $head, body => $body })) };
    } @texts;
    is(scalar @rows, 8, "$uri: all of each report");
    ok($gateway->wait(sub { !kill 0, $pid }, 15), "$uri: and it ends");
    is($gateway->logged('\[(alert|crit|emerg)\]'), 0, "$uri: no alert")
        or diag grep { /\[(alert|crit|emerg)\]/ } split /^/, $gateway->log;
}

{
    my $gateway = gateway();
    my $pid = $gateway->master;
    $servers->set(0, delay => 700);
    my @s = sent($gateway, 5, '/relay/eth');
    ok($gateway->wait(sub { $servers->count(0) == 5 }), 'calls are under way');
    kill 'QUIT', $pid;
    is(scalar(grep { /^HTTP\/1\.1 200 / } answers(undef, @s)), 5,
       'all are answered');
    ok($gateway->wait(sub { !kill 0, $pid }, 15), 'and it ends');
    is($gateway->logged('\[(alert|crit|emerg)\]'), 0, 'no alert');
}

done_testing();
