package Test::Nginx::Socket;

# A small runner of Test::Nginx files, for machines without the genuine
# library: the part of its language that the tests here use, with perl's own
# modules only.  It stands outside the usual include paths, so that it never
# shadows the genuine one; t/lib/run-one decides.

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use List::Util qw(shuffle);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use lib dirname(__FILE__) . '/../..';

use Mesh::Runner::Block;
use Mesh::Runner::Client;
use Mesh::Runner::Server;

our @EXPORT = (@Test::More::EXPORT, qw(
    add_block_preprocessor add_cleanup_handler add_response_body_check
    add_test_cleanup_handler bail_out blocks check_accum_error_log
    config_preamble env_to_nginx html_dir is_str log_level master_off
    master_on master_process_enabled no_long_string no_root_location
    no_shuffle repeat_each run_tests server_addr server_name server_port
    server_port_for_client server_root timeout use_hup worker_connections
    workers
));

my $server = Mesh::Runner::Server->new;
my $repeat_each = 1;
my $timeout = $ENV{TEST_NGINX_TIMEOUT} || 3;
my $shuffle = !$ENV{TEST_NGINX_NO_SHUFFLE};
my ($blocks, $last_config, %ports, $previous);
my (@preprocessors, @cleanups, @test_cleanups, @body_checks);

# "use Test::Nginx::Socket 'no_plan'" or "tests => 5"
sub import_extra {
    my ($class, @plan) = @_;
    plan(@plan == 1 && $plan[0] eq 'no_plan' ? 'no_plan' : @plan) if @plan;
}

{
    no warnings 'redefine';
    my $export = \&import;
    *import = sub {
        my ($class, @plan) = @_;
        strict->import;
        warnings->import;
        import_extra($class, @plan);
        @_ = ($class);
        goto &$export;
    };
}

sub add_block_preprocessor(&)   { push @preprocessors, @_ }
sub add_cleanup_handler($)      { push @cleanups, @_ }
sub add_test_cleanup_handler($) { push @test_cleanups, @_ }
sub add_response_body_check($)  { push @body_checks, @_ }
sub bail_out(@)                 { $server->stop(1); BAIL_OUT("@_") }
sub check_accum_error_log()     { $server->{log_accumulates} = 1 }
sub config_preamble($)          { $server->{preamble} = $_[0] }
sub env_to_nginx(@)             { push @{ $server->{env} }, @_ }
sub html_dir()                  { $server->html_dir }
sub master_off()                { $server->{master} = 'off' }
sub master_on()                 { $server->{master} = 'on' }
sub no_long_string()            { }
sub no_root_location()          { $server->{location} = 0 }
sub no_shuffle()                { $shuffle = 0 }
sub server_port_for_client(@)   { server_port(@_) }
sub server_root()               { $server->{root} }
sub use_hup()                   { $server->{hup} = 1 }

sub log_level(@)          { setting(\$server->{log_level}, @_) }
sub repeat_each(@)        { setting(\$repeat_each, @_) }
sub server_addr(@)        { setting(\$server->{addr}, @_) }
sub server_name(@)        { setting(\$server->{name}, @_) }
sub server_port(@)        { setting(\$server->{port}, @_) }
sub timeout(@)            { setting(\$timeout, @_) }
sub worker_connections(@) { setting(\$server->{connections}, @_) }
sub workers(@)            { setting(\$server->{workers}, @_) }

sub master_process_enabled(@) {
    return $server->{master} eq 'on' unless @_;
    $server->{master} = $_[0] ? 'on' : 'off';
}

sub setting {
    my ($place, @value) = @_;
    $$place = $value[0] if @value;
    return $$place;
}

sub is_str(@) {
    my ($got, $expected, $name) = @_;
    return like($got, $expected, $name) if ref $expected eq 'Regexp';
    return is($got, $expected, $name);
}

sub blocks() {
    $blocks //= do {
        no strict 'refs';
        no warnings 'once';
        my $text = join '', readline *{'main::DATA'};
        [ Mesh::Runner::Block->parse($text) ];
    };
    return wantarray ? @$blocks : scalar @$blocks;
}

sub run_tests() {
    $ENV{TEST_NGINX_SERVER_PORT} //= $server->{port};
    $server->version;

    for my $block ($shuffle ? shuffle(blocks) : blocks) {
        $_->($block) for @preprocessors;
        $block->set_value(name => "$0 " . $block->name);
        eval { run_block($block); 1 }
            or bail_out($block->name . " - $@");
        $_->($block) for @test_cleanups;
        $previous = $block;
    }

    finish();
}

sub finish {
    if (!$server->stop($timeout)) {
        diag("nginx did not quit in $timeout s and was killed");
    }
    check_shutdown_log();
    $_->() for splice @cleanups;
}

END {
    my $status = $?;
    finish() if $server->{owner} == $$;
    $? = $status;
}

# $TEST_NGINX_* of a text; the random ports are the block's
sub expand {
    my ($text) = @_;
    return $text if !defined $text || ref $text;
    $text =~ s{\$(TEST_NGINX_[_A-Z0-9]+)}{ variable($1) }ge;
    return $text;
}

sub variable {
    my ($name) = @_;
    return $ports{$name} //= Mesh::Runner::Server::free_port()
        if $name =~ /^TEST_NGINX_RAND_PORT_\d+$/;
    return $ENV{$name} // die "$name is not in the environment\n";
}

sub run_block {
    my ($block) = @_;
    my $name = $block->name;
    my ($count, $reason) = skipped($block);

    %ports = ();

    if ($count) {
      SKIP: {
            skip("$name - $reason", $count * $repeat_each);
        }
        return;
    }

    my $config = expand($block->config) // $last_config
        // die "no --- config\n";
    $last_config = $config;

    if (defined $block->must_die) {
        local $server->{hup};
        local $server->{valgrind};
        stop_server($block);
        prepare($block, $config);
        die_as_told($block);
        return;
    }

    serve($block, $config);

    if (defined $block->init) {
        Mesh::Runner::Block::evaluate($block->init);
    }

    for my $i (0 .. $repeat_each - 1) {
        $server->write_user_files(expanded_files($block)) if $i;
        my $peer = listen_for($block);
        run_requests($block, $i);
        settle_peer($block, $peer) if $peer;
    }

    stop_server($block) if $server->{valgrind} && !$server->{hup};
}

# --- skip_nginx: N: < 1.2.3: reason; --- skip_eval: N: code
sub skipped {
    my ($block) = @_;

    if (defined(my $spec = $block->skip_eval)) {
        $spec =~ /^\s*(\d+)\s*:\s*(.*)/s
            or die "invalid --- skip_eval: $spec\n";
        my ($count, $code) = ($1, $2);
        return ($count, 'skip_eval')
            if Mesh::Runner::Block::evaluate($code);
    }

    my $spec = $block->skip_nginx // return;
    $spec =~ /^\s*(\d+)\s*:\s*([<>]=?)\s*(\d+)\.(\d+)\.(\d+)
              \s*(?::\s*(.*?))?\s*$/x
        or die "invalid --- skip_nginx: $spec\n";
    my ($count, $op, @wanted) = ($1, $2, $3, $4, $5);
    my $reason = $6 // "nginx $op " . join('.', @wanted);
    my $have = $server->version;
    my $order = $have->[0] <=> $wanted[0] || $have->[1] <=> $wanted[1]
        || $have->[2] <=> $wanted[2];

    my $hit = $op eq '<' ? $order < 0 : $op eq '<=' ? $order <= 0
            : $op eq '>' ? $order > 0 : $order >= 0;

    return $hit ? ($count, $reason) : ();
}

sub expanded_files {
    my ($block) = @_;
    my $files = $block->user_files // return [];
    return expand($files) unless ref $files;
    return [ map { [ $_->[0], expand($_->[1]), $_->[2] ] } @$files ];
}

sub prepare {
    my ($block, $config) = @_;

    $server->make_root;

    if (defined $block->post_setup_server_root) {
        Mesh::Runner::Block::evaluate($block->post_setup_server_root);
    }

    $server->write_user_files(expanded_files($block));
    $server->write_conf(
        config           => $config,
        map({ $_ => expand($block->$_) // '' }
            qw(http_config main_config post_main_config)),
        server_name      => $block->server_name // $server->{name},
        log_level        => $block->log_level,
        http2            => defined $block->http2,
    );
}

sub serve {
    my ($block, $config) = @_;

    if ($server->{hup} && $server->pid) {
        my $failing = defined $block->reload_fails;
        $server->reopen_logs;
        prepare($block, $config);
        $server->reload($failing)
            or die "nginx does not answer by the reloaded configuration\n"
                 . join('', $server->log_lines);
        return;
    }

    stop_server($block);
    prepare($block, $config);
    $server->{log_pos} = 0;

    my $status = $server->start(defined $block->suppress_stderr);
    die "cannot start nginx (status $status):\n"
        . join('', $server->log_lines) if $status;
}

sub stop_server {
    my ($block) = @_;
    my $grace = $server->{valgrind} ? 5 * $timeout : $timeout;

    if (!$server->stop($grace)) {
        fail($block->name . " - nginx quits in $grace s");
    }
    check_shutdown_log();
}

sub die_as_told {
    my ($block) = @_;
    my $name = $block->name;
    my $wanted = $block->must_die;

    for my $i (0 .. $repeat_each - 1) {
        $server->{log_pos} = 0 unless $i;
        my $status = $server->start(1);

        if ($status & 127) {
            fail("$name - die by itself, not of a signal");
        } elsif ($wanted =~ /^\s*\d+\s*$/) {
            is($status >> 8, $wanted + 0, "$name - die with the exit code");
        } else {
            isnt($status, 0, "$name - die as expected");
        }

        check_error_log($block, $i);
        $server->stop($timeout) if $status == 0;
    }
}

sub run_requests {
    my ($block, $repeated) = @_;
    my @requests = Mesh::Runner::Client::requests($block, $server->{name});
    my $pipelined = $block->pipelined_requests;
    my $each = $pipelined ? @$pipelined : 1;
    my $total = $each * @requests;
    my $index = 0;

    for my $request (@requests) {
        my $text = join '', map { $_->{value} } @$request;
        $_->{value} = expand($_->{value}) for @$request;

        my $answer = exchange($block, $request);
        my $is_head = $text =~ /^\s*HEAD\s/;

        for (1 .. $each) {
            ($answer, my $left) = check_answer($block, $answer, $is_head,
                                               $index, $total, $repeated);
            sleep $block->wait if defined $block->wait;
            check_error_log($block, $repeated);
            check_access_log($block, $repeated);
            $answer = $left;
            $index++;
        }
    }
}

sub exchange {
    my ($block, $request) = @_;
    my $seconds = $block->timeout // $timeout;
    $seconds =~ s/\s*s?\s*$//;
    $seconds *= 1 / 1000 if $seconds =~ s/m$//;

    my $how = defined $block->http2
        ? \&Mesh::Runner::Client::exchange_http2
        : \&Mesh::Runner::Client::exchange;
    my ($answer, $fault) = $how->(
        $request,
        addr     => $block->server_addr_for_client // $server->{addr},
        port     => $server->{port},
        timeout  => $server->{valgrind} ? 10 * $seconds : $seconds,
        shutdown => $block->shutdown,
    );

    if (defined $fault && !defined $block->abort) {
        fail($block->name . " - client: $fault");
    }

    return $answer;
}

# What is expected of request number $index: many requests, many values.
sub expected {
    my ($value, $index, $total) = @_;
    return $value->[$index] if ref $value eq 'ARRAY';
    die "many requests, but one expected value\n" if $total > 1;
    return $value;
}

sub check_answer {
    my ($block, $text, $is_head, $index, $total, $repeated) = @_;
    my $name = $block->name;
    my ($answer, $left) = Mesh::Runner::Client::parse($text, $is_head);

    return ($answer, $left) if defined $block->ignore_response;

    fail("$name - $answer->{fault}") if defined $answer->{fault};

    if (defined(my $like = $block->error_code_like)) {
        my $pattern = expected($like, $index, $total);
        like($answer->{code}, qr/$pattern/sm, "$name - status code ok");
    } else {
        my $code = expected($block->error_code // 200, $index,
                            defined $block->error_code ? $total : 1);
        $code =~ s/^\s+|\s+$//g;
        is($answer->{code}, $code, "$name - status code ok");
    }

    check_headers($block, $answer, $index, $total);
    check_body($block, $answer, $index, $total, $repeated);

    return ($answer, $left);
}

sub check_headers {
    my ($block, $answer, $index, $total) = @_;
    my $name = $block->name;
    my $head = $answer->{head};

    for my $section (qw(raw_response_headers_like
                        raw_response_headers_unlike))
    {
        my $pattern = $block->$section // next;
        $pattern = expected($pattern, $index, $total);
        my $check = $section =~ /unlike/ ? \&unlike : \&like;
        $check->($head, qr/$pattern/s, "$name - $section");
    }

    for my $section (qw(response_headers response_headers_like)) {
        my $text = $block->$section // next;
        $text = expected($text, $index, $total);

        for my $line (grep { /\S/ } split /\n/, $text) {
            $line =~ s/^\s+|\s+$//g;

            if ($line =~ s/^!\s*//) {
                unlike($head, qr/^\s*\Q$line\E\s*:/mi,
                       "$name - header $line not present");
                next;
            }

            my ($key, $value) = split /\s*:\s*/, $line, 2;
            my $got = $answer->{headers}{lc $key} // '';
            $value = server_port_in($value // '');

            if ($section eq 'response_headers') {
                is($got, $value, "$name - header $key ok");
            } else {
                like($got, qr/^$value$/, "$name - header $key like ok");
            }
        }
        last;
    }
}

sub server_port_in {
    my ($text) = @_;
    $text =~ s/\$ServerPort(?:ForClient)?\b/$server->{port}/g;
    return $text;
}

sub check_body {
    my ($block, $answer, $index, $total, $repeated) = @_;
    my $name = $block->name . " - response_body";
    my $body = filtered($block->response_body_filters, $answer->{body});

    if (defined(my $wanted = $block->response_body)) {
        $wanted = expected($wanted, $index, $total);
        $wanted = expand(server_port_in($wanted)) unless ref $wanted;
        is_str($body, $wanted, "$name is expected (request $index)");

    } elsif (defined(my $like = $block->response_body_like)) {
        my $pattern = server_port_in(expected($like, $index, $total));
        like($body, qr/$pattern/s, "${name}_like (request $index)");

    } elsif (defined(my $unlike = $block->response_body_unlike)) {
        my $pattern = server_port_in(expected($unlike, $index, $total));
        unlike($body, qr/$pattern/s, "${name}_unlike (request $index)");
    }

    $_->($block, $body, $index, $repeated, 0) for @body_checks;
}

sub filtered {
    my ($filters, $body) = @_;
    $filters = [ split ' ', $filters // '' ] unless ref $filters eq 'ARRAY';

    for my $filter (@$filters) {
        my $code = ref $filter eq 'CODE' ? $filter
            : main->can($filter) || CORE->can($filter)
              || die "unknown filter \"$filter\"\n";
        $body = $code->($body);
    }

    return $body;
}

# The patterns of a section: lines, one regexp, or a list of either.
sub patterns {
    my ($value) = @_;
    return () unless defined $value;
    return @$value if ref $value eq 'ARRAY';
    return $value if ref $value;
    return grep { length } split /\n+/, $value;
}

sub matches {
    my ($line, $pattern) = @_;
    return ref $pattern ? $line =~ /$pattern/ : $line =~ /\Q$pattern\E/;
}

sub check_lines {
    my ($what, $lines, $wanted, $unwanted) = @_;

    for my $pattern (grep { defined } patterns($wanted)) {
        ok(scalar(grep { matches($_, $pattern) } @$lines),
           "$what: \"$pattern\" matches a line");
    }

    for my $pattern (grep { defined } patterns($unwanted)) {
        my @hits = grep { matches($_, $pattern) } @$lines;
        ok(!@hits, "$what: \"$pattern\" matches no line");
        diag(@hits > 10 ? @hits[0 .. 9] : @hits) if @hits;
    }
}

sub check_error_log {
    my ($block, $repeated) = @_;
    my $name = $block->name . " - error log (repetition $repeated)";
    my @lines = $server->log_lines;
    my $pattern = $block->grep_error_log;

    if (defined $pattern) {
        $pattern = $pattern->[$repeated] if ref $pattern eq 'ARRAY';
        my $regexp = ref $pattern ? $pattern : qr/\Q$pattern\E/;
        my $wanted = $block->grep_error_log_out;
        $wanted = $wanted->[$repeated] if ref $wanted eq 'ARRAY';
        my $got = join '', map { /($regexp)/ ? "$1\n" : () } @lines;
        is_str($got, expand($wanted), "$name: grep_error_log_out");
    }

    check_lines($name, \@lines, $block->error_log, $block->no_error_log);

    my @bad = grep { /AddressSanitizer|runtime error:|\bAssertion .* failed/ }
              @lines;
    fail("$name: @bad") if @bad;
}

sub check_access_log {
    my ($block, $repeated) = @_;
    return unless defined($block->access_log // $block->no_access_log);

    # a line is written after its answer has left
    my @lines;
    for (1 .. 40) {
        sleep 0.05;
        open my $file, '<', server_root() . '/logs/access.log' or return;
        @lines = <$file>;
        last unless grep { my $wanted = $_;
                           defined && !grep { matches($_, $wanted) } @lines }
                         patterns($block->access_log);
    }

    check_lines($block->name . " - access log (repetition $repeated)",
                \@lines, $block->access_log, $block->no_access_log);
}

sub check_shutdown_log {
    my $block = $previous // return;
    my ($wanted, $unwanted)
        = ($block->shutdown_error_log, $block->no_shutdown_error_log);
    my $what = $block->name . ' - error log of the shutdown';

    undef $previous;
    return unless defined($wanted // $unwanted);

    if ($server->{hup}) {
      SKIP: {
            skip($what, patterns($wanted) + patterns($unwanted));
        }
        return;
    }

    check_lines($what, [ $server->log_lines ], $wanted, $unwanted);
}

# --- tcp_listen: a peer of one connection, which answers with --- tcp_reply
sub listen_for {
    my ($block) = @_;
    my $where = expand($block->tcp_listen) // return;
    my $listener = $where =~ /^\s*(\d+)\s*$/
        ? IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $1,
                                Listen => 5, ReuseAddr => 1)
        : do {
              require IO::Socket::UNIX;
              unlink $where;
              IO::Socket::UNIX->new(Local => $where, Listen => 5);
          };
    die "cannot listen on $where: $!\n" unless $listener;

    my $length = $block->tcp_query_len;
    $length //= length $block->tcp_query if defined $block->tcp_query;

    pipe my $reader, my $writer or die "pipe: $!\n";
    my $pid = fork // die "cannot fork: $!\n";

    if ($pid == 0) {
        close $reader;
        local $SIG{PIPE} = 'IGNORE';
        answer_peer($block, $listener->accept, $writer, $length);
        POSIX::_exit(0);
    }

    return { pid => $pid, reader => $reader, where => $where };
}

sub answer_peer {
    my ($block, $client, $writer, $length) = @_;
    my ($query, $how) = ('', $block->tcp_shutdown);

    if (defined $how) {
        sleep $block->tcp_shutdown_delay if defined $block->tcp_shutdown_delay;
        shutdown $client, $how;
    }

    if (!defined $how || $how == 1) {
        while (sysread $client, $query, 65536, length $query) {
            last if !$length || length $query >= $length;
        }
        syswrite $writer, $query;
    }
    close $writer;

    sleep $block->tcp_reply_delay =~ s/\s*s$//r
        if defined $block->tcp_reply_delay;

    if (!defined $how || $how == 0) {
        my $reply = $block->tcp_reply;
        $reply = $reply->($query) if ref $reply eq 'CODE';
        syswrite $client, $_ for ref $reply ? @$reply : $reply // ();
    }

    sleep if defined $block->tcp_no_close;
    close $client;
}

sub settle_peer {
    my ($block, $peer) = @_;
    my $name = $block->name;
    my $wanted = $block->tcp_query;
    my $length = $block->tcp_query_len;

    if (defined($wanted // $length)) {
        my $query = '';
        while (IO::Select->new($peer->{reader})->can_read($timeout)) {
            sysread $peer->{reader}, $query, 65536, length $query or last;
        }
        is_str($query, $wanted, "$name - tcp_query ok") if defined $wanted;
        is(length $query, $length, "$name - tcp_query_len ok")
            if defined $length;
    }

    kill KILL => $peer->{pid};
    waitpid $peer->{pid}, 0;
    unlink $peer->{where} if $peer->{where} =~ m{/};
}

1;
