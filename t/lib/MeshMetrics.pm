package MeshMetrics;

# A strict reader of Prometheus' text format 0.0.4:
#
#   my $metrics = MeshMetrics->read($text);     # dies of what is wrong
#   $metrics->value('name', chain => 'eth')     # the sum of all that match
#   $metrics->has('name', chain => 'eth')       # how many lines do
#   $metrics->type('name')
#   $metrics->less($older)                      # counters that went back

use strict;
use warnings;

my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"/;

sub read {
    my ($class, $text) = @_;
    my $self = bless { type => {}, lines => [], known => {} }, $class;
    my ($metric, %over);

    die "no end of the last line\n" if length $text && $text !~ /\n\z/;

    for my $line (split /\n/, $text) {

        if ($line =~ /^# HELP ($name) (\S.*)$/) {
            die "$1 comes twice\n" if $over{$1}++;
            die "$metric has no line\n"
                if defined $metric && !$self->{samples}{$metric};
            $metric = $1;
            die "a wrong escape: $line\n" if $2 =~ /\\(?![\\n])/;

        } elsif ($line =~ /^# TYPE ($name) (counter|gauge|histogram)$/) {
            die "TYPE of another metric: $line\n"
                if $1 ne ($metric // '') || $self->{type}{$1};
            $self->{type}{$1} = $2;

        } elsif ($line =~ /^($name)(\{$label(?:,$label)*\})? (\d+(?:\.\d+)?)$/) {
            $self->sample($metric, $line, $1, $2 // '', $3);

        } else {
            die "no line of the format: $line\n";
        }
    }

    $self->histograms;
    return $self;
}

sub sample {
    my ($self, $metric, $line, $own, $labels, $value) = @_;
    my $type = $self->{type}{ $metric // '' } or die "no TYPE: $line\n";
    my $suffix = $type eq 'histogram' ? qr/_(?:bucket|sum|count)/ : qr//;

    die "not of $metric: $line\n" unless $own =~ /^$metric$suffix$/;
    die "a counter's name: $metric\n"
        if ($type eq 'counter') != ($metric =~ /_total$/);
    die "twice: $own$labels\n" if exists $self->{known}{"$own$labels"};

    my %labels;
    while ($labels =~ /(\w+)="((?:[^"\\]|\\.)*)"/g) {
        die "label $1 twice: $line\n" if exists $labels{$1};
        $labels{$1} = $2;
    }

    $self->{known}{"$own$labels"} = $value;
    $self->{samples}{$metric}++;
    push @{ $self->{lines} }, { name => $own, labels => \%labels,
                                type => $type, value => $value,
                                key => "$own$labels" };
}

# buckets rise to +Inf, which is the count
sub histograms {
    my ($self) = @_;
    my %last;

    for my $line (@{ $self->{lines} }) {
        next if $line->{type} ne 'histogram';
        my %labels = %{ $line->{labels} };
        my $le = delete $labels{le};
        (my $of = $line->{name}) =~ s/_(bucket|sum|count)$//;
        $of .= join ',', map { "$_=$labels{$_}" } sort keys %labels;

        if ($line->{name} =~ /_bucket$/) {
            my $bound = $le eq '+Inf' ? 9**9**9 : $le;
            my ($before, $n) = @{ $last{$of} // [-1, 0] };
            die "buckets of $of\n" if $bound <= $before
                                      || $line->{value} < $n;
            $last{$of} = [$bound, $line->{value}];

        } elsif ($line->{name} =~ /_count$/) {
            die "count of $of\n" if $last{$of}[0] != 9**9**9
                                    || $last{$of}[1] != $line->{value};
        }
    }
}

sub matching {
    my ($self, $name, %labels) = @_;
    return grep {
        my $line = $_;
        $line->{name} eq $name
            && !grep { ($line->{labels}{$_} // '') ne $labels{$_} }
                     keys %labels;
    } @{ $self->{lines} };
}

sub has { return scalar matching(@_) }

sub value {
    my $sum = 0;
    $sum += $_->{value} for matching(@_);
    return $sum;
}

sub type { return $_[0]{type}{ $_[1] } }

sub less {
    my ($self, $older) = @_;
    return grep { $older->{known}{$_} > ($self->{known}{$_} // -1) }
           map { $_->{key} } grep { $_->{type} ne 'gauge' }
           @{ $older->{lines} };
}

1;
