package MeshRun;

# "make run" and "make stop" of the project, for tests.
#
#   my $dir = MeshRun->dir;                        # for run folders and files
#   my ($code, $out, $err) = script('run', RUNDIR => "$dir/one", WORKERS => 2);
#       # as => ['setpriv', ...]; relative => 1: from the project's folder
#   processes("$dir/one")                          # names of those that run
#   others("$dir/one")                             # those that are not nginx
#   users("$dir/one")                              # name => user, of each
#   refused($name, qr/why/, REDIS => 'none');      # ends so, leaving nothing
#   for_users($tests, sub { my ($name, $uid, $rundir, @how) = @_; ... });
#       # a test as a normal user, and as root for one; @how is for script()
#
# What script() has started is ended with the test.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Temp ();
use FindBin;
use MeshCtl;
use Test::More;

our @EXPORT = qw(script processes others users refused for_users);

my $root = abs_path("$FindBin::Bin/..");
my $build = abs_path($ENV{BUILD} || "$root/build");

# short: a unix address has 107 bytes; readable by workers of another user
my $temp = File::Temp->newdir('mesh-XXXXXX', TMPDIR => 1);
chmod 0755, "$temp";

my $owner = $$;
my @rundirs;

END {
    if ($$ == $owner) {
        my $status = $?;
        system("RUNDIR=$_ $root/shared/cli/stop > /dev/null 2>&1")
            for @rundirs;
        $? = $status;
    }
}

plan skip_all => 'no redis-server'
    if system('redis-server --version > /dev/null 2>&1');

sub dir { return abs_path("$temp") }

sub script {
    my ($name, %env) = @_;
    push @rundirs, $env{RUNDIR} unless grep { $_ eq $env{RUNDIR} } @rundirs;
    my @as = @{ delete $env{as} || [] };
    my $top = delete $env{relative} ? '.' : $root;
    return run_command('/usr/bin/env',
                       (map { ('-u', $_) }
                        qw(DATADIR REDIS WORKERS PORT GATEWAY)),
                       "BUILD=$build",
                       "NGINX_BINARY=" . ($ENV{TEST_NGINX_BINARY} || 'nginx'),
                       'NGINX=nobody', 'http_proxy=http://127.0.0.1:1',
                       (map { "$_=$env{$_}" } sort keys %env), @as,
                       "$top/shared/cli/$name");
}

# by what their working directory is
sub processes {
    my ($rundir) = @_;
    return sort map { (split ' ', slurp("/proc/$_/comm"))[0] }
           grep { (readlink("/proc/$_/cwd") // '') eq $rundir }
           map { m{/proc/(\d+)$} ? $1 : () } glob '/proc/[0-9]*';
}

sub others { return [ grep { $_ ne 'nginx' } processes(@_) ] }

sub refused {
    my ($name, $why, %env) = @_;
    $env{RUNDIR} //= dir() . '/bad';

    my ($code, $out, $err) = script('run', %env);
    isnt($code, 0, "$name: a code");
    like($err, $why, "$name: the reason");
    is_deeply([ processes($env{RUNDIR}) ], [], "$name: nothing is left");
}

sub for_users {
    my ($tests, $code) = @_;

  SKIP: {
        my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
        skip 'not root', $tests if $> != 0 || !defined $uid;
        skip 'no setpriv', $tests
            if system('setpriv --version > /dev/null 2>&1');

        my @as = ('setpriv', '--reuid', $uid, '--regid', $gid,
                  '--clear-groups');
        skip 'a normal user cannot read the build', $tests
            if system(@as, 'test', '-r', "$build/ngx_mesh_relay_module.so")
               || system(@as, 'test', '-x', "$root/shared/cli/run");

        for my $case ([ 'as a normal user', as => \@as ],
                      [ 'as root for a normal user' ])
        {
            my ($name, @how) = @$case;
            my $rundir = dir() . '/user' . @how;
            mkdir $rundir;
            chown $uid, $gid, $rundir;

            $code->($name, $uid, $rundir, @how);

            script('stop', RUNDIR => $rundir, @how);
            is_deeply([ processes($rundir) ], [], "$name: make stop");
        }
    }
}

# user of each of a run folder's processes, by its name
sub users {
    my ($rundir) = @_;
    return map { ((split ' ', slurp("$_/comm"))[0]
                  . (slurp("$_/cmdline") =~ /master/ ? ' master' : '')
                  => (stat $_)[4]) }
           grep { (readlink("$_/cwd") // '') eq $rundir }
           glob '/proc/[0-9]*';
}

1;
