# Guards the merge of records in Redis: the script gives, number by number,
# what gateway_record_merge() gives.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshRedis;
use Test::More;

my $build = $ENV{BUILD} || "$FindBin::Bin/../build";
my $program = "$build/unit/test_gateway_merge";

plan skip_all => "no $program" unless -x $program;

# the part of the script that merges, and a call of it

my $script = `$program script`;
$script =~ s/^local health, revs.*//ms or die 'the script has changed';
$script .= 'local r = merge(parse(ARGV[1], 77), parse(ARGV[2], 83), '
    . "tonumber(ARGV[3]))\nreturn format(r)\n";

my ($conf, @cases) = split /\n/, `$program cases 2000`;
my @conf = split ' ', $conf;

my $redis = MeshRedis->start;
my ($worst, @differ) = (0);

for (@cases) {
    my ($now, $row, $delta, $want) = split /\t/;
    my $have = $redis->command('EVAL', $script, 0, $row, $delta, $now, '',
                               @conf);
    my @have = split ' ', $have, 78;
    my @want = split ' ', $want, 78;

    my $same = @have == @want;

    # sums are of millionths; the row has rounded them once already
    for my $i (0 .. $#want) {
        next if ($have[$i] // '') eq $want[$i];
        my $sum = $i >= 1 && $i <= 6 || $i >= 36 && $i < 68;
        my $off = $sum ? abs $have[$i] - $want[$i] : 1e9;
        $worst = $off if $off > $worst && $sum;
        $same = 0 if $off > 2 + 1e-9 * $want[$i];
    }

    push @differ, "$row\n$delta\n$want\n$have\n" unless $same;
}

is(scalar @cases, 2000, 'cases');
is(scalar @differ, 0, 'are merged alike by both') or diag $differ[0];
cmp_ok($worst, '<=', 3, 'up to the last digit of a sum');

# a row as Redis keeps it is a row again, byte by byte

{
    my ($now, $row) = split /\t/, $cases[0];
    my $same = $redis->command('EVAL', $script =~ s/merge\(parse\(ARGV\[1\], 77\).*?\)\)\n/parse(ARGV[1], 77)\n/sr,
                               0, $row, '', '', '', @conf);
    is($same, $row, 'parsing and formatting change nothing');
}

done_testing();
