package MeshConf;

# "nginx -t" on small configurations, for tests of what it says.
#
#   my $conf = MeshConf->new;                       # good files of an edge
#   my ($ok, $text) = $conf->test(http => '...', server => '...');
#   $conf->refused('what', [http => '...'], 'text', 'text');
#   $conf->accepted('what', [http => '...']);       # without any warning
#   $conf->file('name', $text, 0600);               # its path
#   my $text = $conf->dump(...)                     # nginx -T
#   my $body = $conf->answer('/uri', http => '...') # of nginx, started for it
#
# Options: http, server (default: the shipped locations), edge (1: with the
# directives of a whole edge, see directives()), without (a directive that is
# to be left out of these), modules (the names of those to load, in order).
# %DIR% is the directory.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use IO::Socket::UNIX;
use MeshRelay;
use Test::More ();
use Time::HiRes ();

sub new {
    my ($class) = @_;
    my $self = bless { dir => File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1) },
                     $class;
    my $key = MeshRelay::private('servicer');
    $self->file('keys.json',
                qq([{"name":"a","url":"http://127.0.0.1:1","keys":["$key"]}]));
    $self->file('chains.json', '[{"id":"0021","url":"http://127.0.0.1:1/"}]');
    $self->file('auth.json', '{"Value":"edge-token-secret","Issued":""}');
    $self->file('node.json', '{"Value":"node-token-secret","Issued":""}');
    return $self;
}

sub file {
    my ($self, $name, $text, $mode) = @_;
    my $path = "$self->{dir}/$name";
    unlink $path;
    open my $f, '>', $path or die "$path: $!";
    print $f $text;
    close $f;
    chmod $mode // 0600, $path;
    return $path;
}

my @directives = (
    'mesh_edge test;',
    'mesh_redis 127.0.0.1:6379;',
    'mesh_relay_servicers %DIR%/keys.json;',
    'mesh_relay_chains %DIR%/chains.json;',
    'mesh_relay_auth %DIR%/auth.json;',
    'mesh_relay_node_auth %DIR%/node.json;',
);

sub configure {
    my ($self, %o) = @_;
    my $build = $ENV{BUILD} || "$FindBin::Bin/../build";
    my $modules = $ENV{TEST_NGINX_LOAD_MODULES}
                  || "$build/ngx_mesh_relay_module.so";
    my @modules = split ' ', $modules;
    @modules = map { my $name = $_; grep { m{/\Q$name\E\.so$} } @modules }
               @{ $o{modules} } if $o{modules};
    my $load = join '', map { "load_module $_;\n" } @modules;
    my $without = $o{without} // 'none';
    my $edge = join "\n    ", ($o{edge} // 1)
        ? grep { !/^$without / } @directives : ();
    my $http = $o{http} // '';
    my $server = $o{server} // "include $FindBin::Bin/../config/mesh_relay.conf;";
    my $text = <<"EOF";
$load
pid %DIR%/nginx.pid;
error_log stderr;
events { }
http {
    client_body_temp_path %DIR%/body;
    proxy_temp_path %DIR%/proxy;
    fastcgi_temp_path %DIR%/fastcgi;
    uwsgi_temp_path %DIR%/uwsgi;
    scgi_temp_path %DIR%/scgi;
    access_log off;
    $edge
    $http
    server {
        listen unix:%DIR%/nginx.sock;
        $server
    }
}
EOF
    $text =~ s/%DIR%/$self->{dir}/g;
    $self->file('nginx.conf', $text);
}

sub nginx {
    my ($self, $option) = @_;
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my $dir = $self->{dir};
    my $text = qx{$nginx $option -p $dir/ -e stderr -c $dir/nginx.conf 2>&1};
    return ($? == 0, $text, $?);
}

sub test {
    my ($self, %o) = @_;
    $self->configure(%o);
    return $self->nginx('-t');
}

sub dump {
    my ($self, %o) = @_;
    $self->configure(%o);
    return ($self->nginx('-T'))[1];
}

# The body of the answer; undef: nginx did not start.
sub answer {
    my ($self, $uri, %o) = @_;
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my $dir = $self->{dir};
    $self->configure(%o);
    unlink "$dir/nginx.sock";

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', "$dir/error.log";
        exec $nginx, '-p', "$dir/", '-e', 'stderr', '-c', "$dir/nginx.conf",
             '-g', 'daemon off;';
        exit 127;
    }

    my ($sock, $body);
    for (1 .. 300) {
        last if waitpid($pid, 1) == $pid;
        $sock = IO::Socket::UNIX->new(Peer => "$dir/nginx.sock") and last;
        Time::HiRes::sleep(0.1);
    }

    if ($sock) {
        print $sock "GET $uri HTTP/1.0\r\nHost: test\r\n\r\n";
        local $/;
        (undef, $body) = split /\r\n\r\n/, <$sock>, 2;
        kill QUIT => $pid;
        waitpid $pid, 0;
    }

    return $body;
}

# each of the texts has to be in the one line of the error

sub refused {
    my ($self, $what, $o, @texts) = @_;
    my ($ok, $text, $status) = $self->test(@$o);
    my ($line) = grep { /\[emerg\]/ } split /\n/, $text;
    $line //= '';
    my @missing = grep { ref $_ ? $line !~ $_ : index($line, $_) < 0 }
                  map { ref $_ ? $_ : s/%DIR%/$self->{dir}/gr } @texts;
    Test::More::ok(!$ok && !($status & 127) && !@missing, $what)
        or Test::More::diag("missing: @missing\n$text");
}

sub accepted {
    my ($self, $what, $o) = @_;
    my ($ok, $text) = $self->test(@$o);
    Test::More::ok($ok && $text !~ /\[(?:warn|error|crit|alert|emerg)\]/,
                   $what) or Test::More::diag($text);
}

1;
