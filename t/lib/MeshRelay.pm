package MeshRelay;

# Keys and signed relays, made with the openssl program and not with the
# project's own code.
#
#   MeshRelay::private('servicer1')             # key of that name, 64 bytes hex
#   MeshRelay::public('servicer1'), MeshRelay::address('servicer1')
#   MeshRelay::relay(height => 5, servicer => 'servicer1', entropy => 7)
#   MeshRelay::relays(100, height => 5, ...)    # of 100 entropies
#   MeshRelay::verify($relay, $answer)          # 1: the signature is right
#
# Names stand for keys: the same name is always the same key.  Other options
# of a relay: app, client, chain, data, method, path, headers (JSON text, keys
# sorted), meta (block height).

use strict;
use warnings;

use Digest::SHA ();
use File::Temp ();
use MIME::Base64 ();

my $dir = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
my (%public, %aat, %hash);
my $entropy = 1;

sub seed { return Digest::SHA::sha256("mesh test key $_[0]") }

sub private { return unpack('H*', seed($_[0])) . public($_[0]) }

sub address {
    return substr Digest::SHA::sha256_hex(pack 'H*', public($_[0])), 0, 40;
}

sub public {
    my ($name) = @_;
    return $public{$name} //= do {
        my $der = openssl('pkey', '-in', pem($name), '-pubout',
                          '-outform', 'DER');
        unpack 'H*', substr $der, -32;
    };
}

sub pem {
    my ($name) = @_;
    my $path = "$dir/" . unpack('H*', $name) . '.pem';
    return $path if -e $path;
    my $der = pack('H*', '302e020100300506032b657004220420') . seed($name);
    return file($path, "-----BEGIN PRIVATE KEY-----\n"
                       . MIME::Base64::encode_base64($der)
                       . "-----END PRIVATE KEY-----\n");
}

sub file {
    my ($path, $text) = @_;
    open my $f, '>', $path or die "$path: $!";
    print $f $text;
    close $f or die "$path: $!";
    return $path;
}

sub openssl {
    my @args = @_;
    open my $f, '-|', 'openssl', @args or die "openssl: $!";
    local $/;
    my $out = <$f>;
    close $f or die "openssl @args: failed";
    return $out;
}

# hex hashes of texts, in one call

sub hashes {
    my @files = map { file("$dir/hash$_", $_[$_]) } 0 .. $#_;
    my $out = openssl('dgst', '-sha3-256', '-r', @files);
    return map { (split ' ')[0] } split /\n/, $out;
}

sub sign {
    my ($name, $hash) = @_;
    my $file = file("$dir/message", pack 'H*', $hash);
    return unpack 'H*', openssl('pkeyutl', '-sign', '-rawin', '-inkey',
                                pem($name), '-in', $file);
}

sub aat {
    my ($app, $client) = @_;
    return $aat{"$app $client"} //= do {
        my $text = sprintf '{"version":"0.0.1","app_pub_key":"%s",'
            . '"client_pub_key":"%s","signature":"', public($app),
            public($client);
        my ($hash) = hashes(qq($text"}));
        { hash => $hash, text => $text . sign($app, $hash) . '"}' };
    };
}

sub relay { return (relays(1, @_))[0] }

sub relays {
    my ($n, %o) = @_;
    %o = (app => 'app', client => 'client', servicer => 'servicer',
          chain => '0021', height => 1, method => 'POST', path => '',
          headers => 'null',
          data => '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}',
          %o);
    $o{meta} //= $o{height};

    (my $data = $o{data}) =~ s/(["\\])/\\$1/g;
    my $payload = qq({"data":"$data","method":"$o{method}",)
        . qq("path":"$o{path}","headers":$o{headers}});
    my $meta = qq({"block_height":$o{meta}});

    my $text = qq({"payload":$payload,"meta":$meta});
    my $request = $hash{$text} //= (hashes($text))[0];
    my $aat = aat($o{app}, $o{client});
    my $servicer = public($o{servicer});

    my @entropy = map { $o{entropy} // $entropy++ } 1 .. $n;
    my @proof = hashes(map { qq({"entropy":$_,)
        . qq("session_block_height":$o{height},)
        . qq("servicer_pub_key":"$servicer","blockchain":"$o{chain}",)
        . qq("signature":"","token":"$aat->{hash}",)
        . qq("request_hash":"$request"}) } @entropy);

    return map { qq({"payload":$payload,"meta":$meta,)
        . qq("proof":{"request_hash":"$request","entropy":$entropy[$_],)
        . qq("session_block_height":$o{height},)
        . qq("servicer_pub_key":"$servicer","blockchain":"$o{chain}",)
        . qq("aat":$aat->{text},"signature":")
        . sign($o{client}, $proof[$_]) . '"}}' } 0 .. $n - 1;
}

# The answer to a relay of these; it is hashed as it stands, which is right as
# long as the chain's bytes were good UTF-8.

sub verify {
    my ($relay, $answer) = @_;
    my ($text, $signature) = ($answer // '')
        =~ /\A\{"response":"(.*)","signature":"([0-9a-f]{128})"\}\n\z/s
        or return 0;
    my %field = map { ($_ => ($relay =~ /"$_":"?([^",}]*)/)[0]) }
                qw(request_hash entropy session_block_height servicer_pub_key
                   blockchain);
    my ($aat, $end) = $relay =~ /"aat":(\{.*?"signature":").*?("\})/;

    my ($token) = hashes("$aat$end");
    my ($proof) = hashes(qq({"entropy":$field{entropy},)
        . qq("session_block_height":$field{session_block_height},)
        . qq("servicer_pub_key":"$field{servicer_pub_key}",)
        . qq("blockchain":"$field{blockchain}","signature":"",)
        . qq("token":"$token","request_hash":"$field{request_hash}"}));
    return signed($field{servicer_pub_key}, $text, $proof, $signature);
}

# Has the servicer of this key signed the text of an answer, as it stands in
# JSON, for the relay with this proof's hash?

sub signed {
    my ($servicer, $text, $proof, $signature) = @_;
    my ($hash) = hashes(qq({"signature":"","payload":"$text",)
                        . qq("Proof":"$proof"}));

    my $der = pack 'H*', "302a300506032b6570032100$servicer";
    my $key = file("$dir/public", "-----BEGIN PUBLIC KEY-----\n"
        . MIME::Base64::encode_base64($der) . "-----END PUBLIC KEY-----\n");
    my $message = file("$dir/message", pack 'H*', $hash);
    my $file = file("$dir/signature", pack 'H*', $signature);
    my $out = qx{openssl pkeyutl -verify -rawin -pubin -inkey $key \\
                 -in $message -sigfile $file 2>&1};

    return $out =~ /Verified Successfully/ ? 1 : 0;
}

1;
