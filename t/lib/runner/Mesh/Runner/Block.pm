package Mesh::Runner::Block;

# The blocks of a test file: "=== NAME" and its sections "--- name filters",
# with the value in the lines below, or after a colon in the same line.

use strict;
use warnings;

our $AUTOLOAD;

my %filters = (
    chomp  => sub { my ($v) = @_; chomp $v; $v },
    chop   => sub { my ($v) = @_; chop $v; $v },
    lines  => sub { [ split /^/, $_[0] ] },
    array  => sub { [ split /\n/, $_[0] ] },
    trim   => sub { trim($_[0]) },
    eval   => \&evaluate,
);

sub parse {
    my ($class, $text) = @_;
    my @blocks;

    $text =~ s/\r\n/\n/g;

    for my $part (split /^(?====[ \t])/m, $text) {
        next unless $part =~ s/^===[ \t]+(.*)\n?//;
        push @blocks, $class->new($1, $part);
    }

    if (my @only = grep { defined $_->ONLY } @blocks) {
        @blocks = $only[0];
    }

    for my $i (0 .. $#blocks) {
        if (defined $blocks[$i]->LAST) {
            $#blocks = $i;
            last;
        }
    }

    return grep { !defined $_->SKIP } @blocks;
}

sub new {
    my ($class, $name, $text) = @_;
    my $self = bless { values => {}, filters => {} }, $class;
    my $section;

    $name =~ s/\s+$//;

    for my $line (split /^/, $text) {
        if ($line =~ /^---[ \t]+(\w+)((?:[ \t]+\w+)*)[ \t]*(?::[ \t]*(.*?))?\s*$/) {
            $section = $1;
            $self->{filters}{$section} = [ split ' ', $2 ];
            $self->{values}{$section} = $3 // '';
            $section = undef if defined $3 && $3 ne '';
            next;
        }
        $self->{values}{$section} .= $line if defined $section;
    }

    for my $key (keys %{ $self->{values} }) {
        my $value = trim($self->{values}{$key});
        for my $filter (@{ $self->{filters}{$key} }) {
            my $code = $filters{$filter}
                or die "$name: unknown filter \"$filter\" of --- $key\n";
            $value = eval { $code->($value) };
            die "$name: --- $key: $@" if $@;
        }
        $self->{values}{$key} = $value;
    }

    $self->{values}{name} = $name;

    return $self;
}

# blank lines around a value are not part of it
sub trim {
    my ($value) = @_;
    $value =~ s/\A(?:[ \t]*\n)+//;
    $value =~ s/(?<=\n)\s*\z//;
    return $value;
}

sub evaluate {
    my @values = eval "package main; no strict; no warnings;\n$_[0]";
    die $@ if $@;
    return $values[0];
}

sub set_value {
    my ($self, $key, $value) = @_;
    $self->{values}{$key} = $value;
}

sub AUTOLOAD {
    my ($self) = @_;
    my $key = $AUTOLOAD;
    $key =~ s/.*:://;
    return if $key eq 'DESTROY';
    return scalar $self->{values}{$key};
}

1;
