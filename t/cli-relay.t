# Guards "meshctl relay": that what it signs is what a full node takes, that it
# believes no answer whose signature is bad, and that its exit codes tell an
# error of the relay from one of the network.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use MeshCtl;
use MeshRelay;
use POSIX ();
use Test::More;

my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
my $key = "$dir/app.key";
write_file($key, MeshRelay::private('app') . "\n", 0600);

my @relay = ('--app-key', $key, '--chain', '0021');
my $servicer = MeshRelay::public('servicer');


# What it prints, a full node that checks signatures takes.

my $node = MeshCtl->demo('node', '--height', 6, '--check-signatures',
                         '--servicer', $servicer, '--chain', '0021');

for my $case ([ 'as it comes' ], [ 'with data', '--data', "a\"\\\x01<\xc3\xa4" ],
              [ 'with a path', '--path', 'v1/x', '--method', 'GET' ],
              [ 'with headers', '--header', 'B: 1', '--header', 'A:2' ],
              [ 'with a client key', '--client-key',
                MeshRelay::private('client') ],
              [ 'with entropy', '--entropy', 7 ])
{
    my ($name, @more) = @$case;
    my ($code, $out, $err) = ctl('relay', $node->url, @relay, '--print',
                                 @more);
    is($code, 0, "$name: printed") or diag $err;
    unlike($out . $err, qr/${\ substr MeshRelay::private('app'), 0, 64}/,
           "$name: no secret");
    chomp $out;
    is_deeply([ $node->get('/v1/private/mesh/relay', body => $out) ],
              [ 200, qq({"dispatch":null,"error":null,"signature":true}\n) ],
              "$name: a node takes it");
    like($out, qr/"session_block_height":5,/, "$name: the dispatch's session");
    like($out, qr/"block_height":6\}/, "$name: and height");
    like($out, qr/"servicer_pub_key":"$servicer"/, "$name: and servicer");
}

{
    my ($code, $out) = ctl('relay', 'http://unused', @relay, '--print',
                           '--servicer', $servicer, '--session-height', 9);
    is($code, 0, 'all given: no dispatch is asked for');
    like($out, qr/"block_height":9\}.*"session_block_height":9,/,
         'a height is the session\'s');

    ($code, $out) = ctl('relay', $node->url, @relay, '--data', '@-',
                        '--print');
    is($code, 0, 'data of the input');
    like($out, qr/"data":""/, 'which is empty');

    write_file("$dir/aat", '{"version":"0.0.1","app_pub_key":"aa",'
               . '"client_pub_key":"bb","signature":"cc"}');
    ($code, $out) = ctl('relay', $node->url, '--chain', '0021', '--print',
                        '--aat', "$dir/aat", '--client-key',
                        MeshRelay::private('client'));
    is($code, 0, 'a token of a file');
    like($out, qr/"aat":\{"version":"0.0.1","app_pub_key":"aa","client_pub_key":"bb","signature":"cc"\}/,
         'is sent as it is');
}


# Answers.  The servicer's is made here, by other code than ours.

{
    my ($code, $out) = ctl('relay', 'http://unused', @relay, '--print',
                           '--servicer', $servicer, '--session-height', 5,
                           '--entropy', 7);
    my $body = answer($out, 'x"y');
    my @given = (@relay, '--servicer', $servicer, '--session-height', 5,
                 '--entropy', 7);

    my $server = Canned->new($body);
    ($code, $out, my $err) = ctl('relay', $server->url, @given);
    is($code, 0, 'a good answer') or diag $err;
    is($out, "x\"y\n", 'is printed');
    like($err, qr/^signature verified: servicer $servicer, chain 0021, session 5$/m,
         'and its signature verified');

    for my $case ([ 'of another text', $body =~ s/x/z/r ],
                  [ 'of zeros', $body =~ s/"signature":"\K[0-9a-f]+/'0' x 128/er ],
                  [ 'too short', $body =~ s/"signature":"\K[0-9a-f]+/ab/r ],
                  [ 'no hex', $body =~ s/"signature":"\K[0-9a-f]/x/r ],
                  [ 'missing', '{"response":"x"}' ])
    {
        my ($name, $bad) = @$case;
        $server = Canned->new($bad);
        ($code, $out, $err) = ctl('relay', $server->url, @given);
        is($code, 1, "a signature $name");
        like($err, qr/bad signature/, 'is said to be bad');
        unlike($err, qr/signature verified/, 'and not to be good');
    }

    for my $case (
        [ 400, '{"dispatch":null,"error":{"code":60,"codespace":"pocketcore",'
               . '"message":"the block height passed is invalid"}}', 1,
          'status 400, code 60 \(pocketcore\): the block height' ],
        [ 503, '{"error":{"code":1,"codespace":"sdk","message":"no"}}', 1,
          'status 503, code 1' ],
        [ 413, 'too large', 1, 'status 413.*too large' ],
        [ 200, '<html>', 1, 'no JSON' ],
        [ 200, '', 1, 'no JSON' ])
    {
        my ($status, $text, $want, $why) = @$case;
        $server = Canned->new($text, $status);
        ($code, $out, $err) = ctl('relay', $server->url, @given);
        is($code, $want, "status $status: code");
        like($err, qr/$why/, "status $status: why");
        is($out, '', "status $status: no answer is printed");
    }

    $server = Canned->new($body, 200, chunked => 1);
    ($code, $out) = ctl('relay', $server->url, @given);
    is($code, 0, 'a chunked answer');
    is($out, "x\"y\n", 'is put together');

    $server = Canned->new($body, 200, until_close => 1);
    ($code, $out) = ctl('relay', $server->url, @given);
    is($code, 0, 'an answer that ends with the connection');

    for my $cut (0, 5, 60, -3) {
        $server = Canned->new($body, 200, cut => $cut);
        ($code, $out, $err) = ctl('relay', $server->url, @given);
        is($code, 2, "an answer cut off after $cut bytes");
        is($out, '', 'is none');
        isnt($err, '', 'and said so');
    }

    $server = Canned->new($body, 200, unix => "$dir/sock");
    ($code, $out, $err) = ctl('relay', "http://unix:$dir/sock:", @given);
    is($code, 0, 'over a unix socket') or diag $err;
}


# Network and usage.

{
    my $port = MeshCtl->port;
    my @given = (@relay, '--servicer', $servicer, '--session-height', 5);

    my ($code, $out, $err) = ctl('relay', "http://127.0.0.1:$port", @given);
    is($code, 2, 'nobody listens');
    like($err, qr/cannot connect to 127\.0\.0\.1 port $port: Connection refused/,
         'is named');

    my $hole = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1');
    ($code, $out, $err) = ctl('relay', 'http://127.0.0.1:' . $hole->sockport,
                              @given, '--timeout', 1);
    is($code, 2, 'no answer');
    like($err, qr/no answer in time/, 'is a time-out');

    ($code, $out, $err) = ctl('relay', $node->url, '--app-key', $key,
                              '--chain', '9999');
    is($code, 1, 'no session');
    like($err, qr/no session: .*Code: 17/, 'and the node\'s reason');

    chmod 0644, $key;
    ($code, $out, $err) = ctl('relay', $node->url, @given);
    is($code, 1, 'a key that others can read');
    like($err, qr/chmod 600/, 'is refused');
    chmod 0600, $key;

    for my $case (
        [ [], 'one URL' ],
        [ [ $node->url ], '--chain is missing' ],
        [ [ $node->url, '--chain', '0021' ], '--app-key is missing' ],
        [ [ 'ftp://x', @given ], 'invalid URL "ftp://x"' ],
        [ [ 'http://', @given ], 'invalid URL' ],
        [ [ 'http://a:b', @given ], 'invalid URL' ],
        [ [ $node->url, @given, '--session-height', 'x' ], 'invalid value "x"' ],
        [ [ $node->url, @given, '--header', 'x' ], 'invalid value "x"' ],
        [ [ $node->url, @given, '--timeout', 0 ], 'invalid value "0"' ],
        [ [ $node->url, @given, '--wrong' ], 'unrecognized option' ],
        [ [ $node->url, '--chain', '0021', '--app-key', 'abcd' x 32 ],
          'do not match' ],
        [ [ $node->url, '--chain', '0021', '--app-key', "$dir/none" ],
          'No such file' ],
        [ [ $node->url, '--chain', '0021', '--aat', "$dir/aat" ],
          '--aat needs --client-key' ],
        [ [ $node->url, @given, '--data', "\@$dir/none" ], 'No such file' ])
    {
        my ($args, $why) = @$case;
        ($code, $out, $err) = ctl('relay', @$args);
        is($code, 2, "usage: $why");
        like($err, qr/\Q$why\E/, 'is said');
    }
}


# https

SKIP: {
    skip 'no openssl', 9 if system('openssl version > /dev/null 2>&1');

    my ($port, $pid) = tls_server('127.0.0.1');

    my @given = (@relay, '--servicer', $servicer, '--session-height', 5,
                 '--timeout', 1);
    my ($code, $out, $err) = ctl('relay', "https://127.0.0.1:$port", @given);
    is($code, 2, 'https is verified');
    like($err, qr/certificate of 127\.0\.0\.1 port $port: self-signed/,
         'and the reason given');

    ($code, $out, $err) = ctl('relay', "https://127.0.0.1:$port", @given,
                              '--cacert', "$dir/tls.crt");
    unlike($err, qr/certificate|TLS/, 'good by an authority of one\'s own');

    ($code, $out, $err) = ctl('relay', "https://localhost:$port", @given,
                              '--cacert', "$dir/tls.crt");
    is($code, 2, 'another name than the certificate\'s');
    like($err, qr/hostname mismatch/i, 'is refused');

    ($code, $out, $err) = ctl('relay', "https://localhost:$port", @given,
                              '--insecure');
    unlike($err, qr/certificate|TLS/, 'unless nobody is to look');

    ($code, $out, $err) = ctl('relay', "https://127.0.0.1:$port", @given,
                              '--cacert', "$dir/none");
    is($code, 2, 'no authorities');
    like($err, qr/none/, 'are named');

    kill 'TERM', $pid;
    waitpid $pid, 0;

    ($port, $pid) = tls_server('127.0.0.9');
    ($code, $out, $err) = ctl('relay', "https://127.0.0.1:$port", @given,
                              '--cacert', "$dir/tls.crt");
    like($err, qr/IP address mismatch/i, 'nor is another address');
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

done_testing();


# The port and process of a server whose certificate is for an address.
sub tls_server {
    my ($address) = @_;
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
           . " -nodes -days 1 -subj /CN=edge.example"
           . " -addext subjectAltName=IP:$address -keyout $dir/tls.key"
           . " -out $dir/tls.crt 2> /dev/null") == 0 or die 'openssl req';

    my $port = MeshCtl->port;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        no warnings;
        exec 'openssl', 's_server', '-quiet', '-accept', "127.0.0.1:$port",
             '-cert', "$dir/tls.crt", '-key', "$dir/tls.key", '-WWW';
        POSIX::_exit(127);
    }

    wait_for(sub { IO::Socket::INET->new("127.0.0.1:$port") });
    return ($port, $pid);
}


# What a servicer answers to this relay with this text.
sub answer {
    my ($relay, $text) = @_;
    my $json = $text =~ s/(["\\])/\\$1/gr;
    my ($aat) = $relay =~ /"aat":(\{.*?\})/;
    my ($rest) = $relay =~ /"proof":\{(.*)"aat"/;
    my ($request, $entropy, $height, $key, $chain) = $rest
        =~ /^"request_hash":"(\w+)","entropy":(\d+),"session_block_height":(\d+),"servicer_pub_key":"(\w+)","blockchain":"(\w+)",$/
        or die "relay: $relay";

    my ($token) = MeshRelay::hashes($aat =~ s/"signature":"\K\w+//r);
    my ($proof) = MeshRelay::hashes(
        qq({"entropy":$entropy,"session_block_height":$height,)
        . qq("servicer_pub_key":"$key","blockchain":"$chain",)
        . qq("signature":"","token":"$token","request_hash":"$request"}));
    my ($hash) = MeshRelay::hashes(
        qq({"signature":"","payload":"$json","Proof":"$proof"}));

    return qq({"response":"$json","signature":")
        . MeshRelay::sign('servicer', $hash) . qq("}\n);
}


package Canned;

# A server that gives one answer.
sub new {
    my ($class, $body, $status, %o) = @_;

    my $listen = $o{unix}
        ? IO::Socket::UNIX->new(Listen => 8, Local => $o{unix})
        : IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1');
    die "listen: $!" unless $listen;

    my $text = 'HTTP/1.1 ' . ($status // 200) . " Some\r\n"
        . ($o{chunked} ? "Transfer-Encoding: chunked\r\n"
           : $o{until_close} ? '' : 'Content-Length: ' . length($body) . "\r\n")
        . "\r\n";

    if ($o{chunked}) {
        $text .= sprintf "%x\r\n%s\r\n", length, $_
            for grep { length } substr($body, 0, 5), substr($body, 5);
        $text .= "0\r\n\r\n";
    } else {
        $text .= $body;
    }

    if (defined $o{cut}) {
        $text = substr $text, 0, $o{cut};
    }

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        alarm 60;
        my $s = $listen->accept or POSIX::_exit(1);
        my $got = '';
        until ($got =~ /\r\n\r\n(.*)/s
               && length($1) >= ($got =~ /Content-Length: (\d+)/)[0])
        {
            sysread $s, $got, 65536, length $got or last;
        }
        syswrite $s, $text if length $text;
        POSIX::_exit(0);
    }

    return bless { pid => $pid, url => $o{unix} ? '' : 'http://127.0.0.1:'
                                       . $listen->sockport }, $class;
}

sub url { return $_[0]{url} }

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}
