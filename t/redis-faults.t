# Guards against a server that does not behave: every command must end with
# the right outcome within its deadline, memory stays bounded, the client
# comes back by itself, and an outage is one line in the log.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshRedis;
use Test::Nginx::Socket;

my $redis = MeshRedis->start(port => 1);
my $master = MeshRedis->start(port => 1);

# a server that sets up well, then answers PING by code of its own

sub answering {
    my ($code, %o) = @_;
    return MeshRedis->fake(sub {
        my ($client) = @_;
        $client->autoflush(1);
        while (my @command = MeshRedis::read_command($client)) {
            my $answer = MeshRedis::setup_answer($command[0], %o);
            if (defined $answer) {
                print $client $answer;

            } elsif ($code) {
                $code->($client, @command) or return;
            }
        }
    })->socket;
}

sub saying { my @text = @_; return sub { print { $_[0] } @text; 1 } }

my %fake = (
    CLOSES    => answering(sub { print { $_[0] } "\$100\r\nabc"; 0 }),
    HANGS_UP  => answering(sub { 0 }),
    SILENT    => answering(sub { 1 }),
    DRIP      => answering(sub {
        my ($client) = @_;
        for my $byte (split //, "*2\r\n\$5\r\nhello\r\n:42\r\n") {
            print $client $byte;
            Time::HiRes::sleep(0.004);
        }
        return 1;
    }),
    ENDLESS   => answering(sub {
        my ($client) = @_;
        print $client "\$100000\r\n";
        for (1 .. 200) {
            print $client 'x' or return 0;
            Time::HiRes::sleep(0.02);
        }
        return 0;
    }),
    GARBAGE   => answering(saying("HTTP/1.1 400 Bad Request\r\n\r\n")),
    DEEP      => answering(saying("*1\r\n" x 20)),
    RESP3     => answering(saying("#t\r\n")),
    BIG       => answering(saying("\$90000\r\n", 'x' x 90000, "\r\n")),
    MANY      => answering(saying("*1000000000\r\n")),
    WIDE      => answering(saying("*3\r\n", ("*900\r\n" . ":1\r\n" x 900) x 3)),
    NEGATIVE  => answering(saying("*-2\r\n")),
    LINE      => answering(saying('+', 'x' x 90000)),
    TWICE     => answering(saying("+PONG\r\n+PONG\r\n")),
    LOADING   => answering(saying("-LOADING Redis is loading\r\n")),
    MASTERDOWN => answering(saying("-MASTERDOWN Link with MASTER is down\r\n")),
    BUSY      => answering(saying("-BUSY Redis is busy running a script\r\n")),
    OLD       => answering(undef, version => '6.2.14'),
    NOVERSION => answering(undef, version => 'x'),
    FULL      => MeshRedis->fake(
        saying("-ERR max number of clients reached\r\n"))->socket,
    MUTE      => MeshRedis->fake(sub { sleep 5 })->socket,
    GREETING  => MeshRedis->fake(sub {
        print { $_[0] } "+hello\r\n"; sleep 1;
    })->socket,
);

$ENV{"TEST_NGINX_$_"} = $fake{$_} for keys %fake;
$ENV{TEST_NGINX_REDIS} = $redis->socket;
$ENV{TEST_NGINX_MASTER_PORT} = $master->port;
$ENV{TEST_NGINX_DEAF_PORT} = MeshRedis->deaf;
$ENV{TEST_NGINX_FREE_PORT} = MeshRedis::free_port();
$ENV{TEST_NGINX_LOG} = server_root() . "/logs/error.log";
$ENV{TEST_NGINX_CONTROL} = MeshRedis->control(
    redis => $redis, master => $master,
);

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");

    # "--- server: ADDRESS" is a client with short time-outs

    $block->set_value(http_config =>
        "mesh_test_redis " . $block->server
        . " timeout=300ms connect_timeout=300ms reconnect_max=50ms"
        . " max_reply_size=64k;\n");

    $block->set_value(config => ($block->config // '') . <<'_EOC_');
    location /ping {
        mesh_test_redis_command PING;
    }
    location /pings {
        mesh_test_redis_command PING;
        mesh_test_redis_repeat 3;
    }
    location /refused {
        mesh_test_redis_wait ready 400ms;
        mesh_test_redis_command PING;
    }
    location /now {
        mesh_test_redis_wait ready 1ms;
        mesh_test_redis_command PING;
    }
    location /status {
        mesh_test_redis_wait ready 0;
        mesh_test_redis_status;
    }
    location /control/ {
        proxy_pass http://unix:$TEST_NGINX_CONTROL:/;
    }
    location /log {
        proxy_pass http://unix:$TEST_NGINX_CONTROL:/grep?$args&file=$TEST_NGINX_LOG;
    }
_EOC_
});

no_shuffle();
plan(tests => 460);
run_tests();

__DATA__

=== TEST 1: a port where nobody listens; one line for many attempts
--- server: 127.0.0.1:$TEST_NGINX_FREE_PORT
--- request eval
["GET /refused", "GET /status", "GET /log?text=is%20down", "GET /log?text=connect()"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason connect\(\) failed \(111: Connection refused\)\n(.*\n)*connects 0\nlosses 0\nfailures some\ncommands 0\nrefused 1$/m,
 qr/^1$/, qr/^1$/]



=== TEST 2: a unix socket that is not there
--- server: unix:/nowhere/redis.sock
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason connect\(\) failed \(2: No such file or directory\)$/m]



=== TEST 3: an address that does not answer to connect()
--- server: 127.0.0.1:$TEST_NGINX_DEAF_PORT
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason connect\(\) failed \(110: Connection timed out\)$/m]



=== TEST 4: accepts and says nothing
--- server: unix:$TEST_NGINX_MUTE
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason no answer for 300ms while connecting$/m]



=== TEST 5: hangs up with its reason
--- server: unix:$TEST_NGINX_FULL
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason (CLIENT SETNAME: )?ERR max number of clients reached$/m]



=== TEST 6: speaks first
--- server: unix:$TEST_NGINX_GREETING
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason (answer to no command|no answer for 300ms while connecting)$/m]



=== TEST 7: too old
--- server: unix:$TEST_NGINX_OLD
--- request eval
["GET /refused", "GET /status", "GET /log?text=is%20down"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason the server's version is "6.2.14", 7.0 or later is required$/m, qr/^1$/]



=== TEST 8: of no version
--- server: unix:$TEST_NGINX_NOVERSION
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason the server's version is "x", 7.0 or later is required$/m]



=== TEST 9: closes in the middle of a reply
--- server: unix:$TEST_NGINX_CLOSES
--- request eval
["GET /ping", "GET /ping", "GET /log?text=closed%20the%20connection"]
--- response_body_like eval
[qr/^lost$/, qr/^lost$/, qr/^2$/]



=== TEST 10: closes instead of replying; all that had left is lost
--- server: unix:$TEST_NGINX_HANGS_UP
--- request eval
["GET /pings", "GET /status"]
--- response_body_like eval
[qr/^3 lost\n1 writes$/, qr/^losses 1\n(.*\n)*answered 0\nerrors 0\nunknown 3$/m]



=== TEST 11: never replies: the first of the pending is timed out
--- server: unix:$TEST_NGINX_SILENT
--- request eval
["GET /pings", "GET /ping", "GET /log?text=no%20answer%20for%20300ms"]
--- response_body_like eval
[qr/^2 lost\n1 timeout\n1 writes$/, qr/^timeout$/, qr/^2$/]



=== TEST 12: drips
--- server: unix:$TEST_NGINX_DRIP
--- request
GET /ping
--- response_body
answered [hello, 42]



=== TEST 13: drips beyond the deadline
--- server: unix:$TEST_NGINX_ENDLESS
--- request
GET /ping
--- response_body
timeout



=== TEST 14: garbage
--- server: unix:$TEST_NGINX_GARBAGE
--- request eval
["GET /ping", "GET /log?text=invalid%20answer:%20Protocol%20error,%20got%20%22H%22"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 15: arrays in arrays without end
--- server: unix:$TEST_NGINX_DEEP
--- request eval
["GET /ping", "GET /log?text=invalid%20answer"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 16: a type of RESP3
--- server: unix:$TEST_NGINX_RESP3
--- request eval
["GET /ping", "GET /log?text=invalid%20answer"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 17: a reply above the limit
--- server: unix:$TEST_NGINX_BIG
--- request eval
["GET /ping", "GET /log?text=the%20reply%20is%20larger%20than%20max_reply_size"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 18: an array that claims a billion elements
--- server: unix:$TEST_NGINX_MANY
--- request eval
["GET /ping", "GET /log?text=the%20reply%20is%20larger%20than%20max_reply_size"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 19: small bytes that make a large reply
--- server: unix:$TEST_NGINX_WIDE
--- request eval
["GET /ping", "GET /log?text=the%20reply%20is%20larger%20than%20max_reply_size"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 20: an array of less than no elements
--- server: unix:$TEST_NGINX_NEGATIVE
--- request eval
["GET /ping", "GET /log?text=invalid%20answer"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 21: a line without an end
--- server: unix:$TEST_NGINX_LINE
--- request eval
["GET /ping", "GET /log?text=the%20reply%20is%20larger%20than%20max_reply_size"]
--- response_body_like eval
[qr/^lost$/, qr/^1$/]



=== TEST 22: two replies to one command
--- server: unix:$TEST_NGINX_TWICE
--- request eval
["GET /ping", "GET /log?text=answer%20to%20no%20command"]
--- response_body_like eval
[qr/^answered PONG$/, qr/^1$/]



=== TEST 23: LOADING: not executed, each pending command hears it, then it reconnects
--- server: unix:$TEST_NGINX_LOADING
--- request eval
["GET /pings", "GET /ping", "GET /log?text=is%20down:%20LOADING", "GET /status"]
--- response_body_like eval
[qr/^3 refused\n1 writes$/, qr/^refused LOADING Redis is loading$/, qr/^2$/,
 qr/^errors 4\nunknown 0$/m]



=== TEST 24: MASTERDOWN
--- server: unix:$TEST_NGINX_MASTERDOWN
--- request
GET /ping
--- response_body
refused MASTERDOWN Link with MASTER is down



=== TEST 25: BUSY: not executed, the connection stays
--- server: unix:$TEST_NGINX_BUSY
--- request eval
["GET /ping", "GET /ping", "GET /status"]
--- response_body_like eval
[qr/^refused BUSY /, qr/^refused BUSY /, qr/^connects 1\nlosses 0$/m]



=== TEST 26: READONLY: a master that became a replica, and a master again
--- server: 127.0.0.1:$TEST_NGINX_MASTER_PORT
--- config
    location /set {
        mesh_test_redis_command SET readonly 1;
        mesh_test_redis_repeat 2;
    }
--- request eval
["GET /set",
 "GET /control/master/command?REPLICAOF&127.0.0.1&$ENV{TEST_NGINX_FREE_PORT}",
 "GET /set", "GET /refused", "GET /status",
 "GET /control/master/command?REPLICAOF&NO&ONE", "GET /set",
 "GET /log?wait=1&text=is%20connected%20again"]
--- response_body_like eval
[qr/^2 answered\n1 writes$/, qr/^OK$/, qr/^2 refused\n1 writes$/,
 qr/^not accepted: down$/, qr/^reason the server is a read-only replica$/m,
 qr/^OK$/, qr/^2 answered\n1 writes$/, qr/^1$/]



=== TEST 27: a stopped server, which then goes on
--- server: unix:$TEST_NGINX_REDIS
--- request eval
["GET /ping", "GET /control/redis/pause", "GET /pings", "GET /refused",
 "GET /control/redis/resume", "GET /ping", "GET /log?wait=1&text=is%20connected%20again"]
--- response_body_like eval
[qr/^answered PONG$/, qr/^done$/, qr/^2 lost\n1 timeout\n1 writes$/,
 qr/^not accepted: down$/, qr/^done$/, qr/^answered PONG$/, qr/^1$/]



=== TEST 28: a server that pauses writes
--- server: unix:$TEST_NGINX_REDIS
--- config
    location /set {
        mesh_test_redis_command SET paused 1;
        mesh_test_redis_repeat 3;
    }
--- request eval
["GET /ping", "GET /control/redis/command?CLIENT&PAUSE&60000&WRITE", "GET /set",
 "GET /control/redis/command?CLIENT&UNPAUSE", "GET /set"]
--- response_body_like eval
[qr/^answered PONG$/, qr/^OK$/, qr/^2 lost\n1 timeout\n1 writes$/, qr/^OK$/,
 qr/^3 answered\n1 writes$/]



=== TEST 29: killed with a pending command, and restarted
--- server: unix:$TEST_NGINX_REDIS
--- config
    location /pop {
        mesh_test_redis_command BLPOP nothing 0;
        mesh_test_redis_repeat 2;
    }
    location /script {
        mesh_test_redis_eval 'one=return 1' 0;
    }
--- request eval
["GET /script", "GET /control/redis/kill9?blocked=redis", "GET /pop", "GET /refused",
 "GET /control/redis/start", "GET /script", "GET /status"]
--- response_body_like eval
[qr/^answered 1$/, qr/^later$/, qr/^2 lost\n1 writes$/, qr/^not accepted: down$/,
 qr/^done$/, qr/^answered 1$/, qr/^connects 2\nlosses 1\nfailures some\n(.*\n)*reloads 0$/m]



=== TEST 30: killed while idle
--- server: unix:$TEST_NGINX_REDIS
--- request eval
["GET /ping", "GET /control/redis/kill9", "GET /now", "GET /control/redis/start",
 "GET /ping"]
--- response_body_like eval
[qr/^answered PONG$/, qr/^done$/, qr/^not accepted: down$/, qr/^done$/,
 qr/^answered PONG$/]



=== TEST 31: what cannot leave was not executed
--- server: unix:$TEST_NGINX_REDIS
--- config
    location /big {
        set $a "0123456789012345678901234567890123456789012345678901234567890123";
        set $b "$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a";
        set $c "$b$b$b$b$b$b$b$b$b$b$b$b$b$b$b$b";
        set $d "$c$c$c$c$c$c$c$c$c$c$c$c$c$c$c$c";
        mesh_test_redis_command RPUSH big $d;
        mesh_test_redis_repeat 40;
    }
--- request eval
["GET /ping", "GET /control/redis/pause", "GET /big", "GET /control/redis/resume",
 "GET /ping"]
--- response_body_like eval
[qr/^answered PONG$/, qr/^done$/, qr/^\d+ refused\n(\d+ lost\n)?(1 timeout\n)?\d writes$/, qr/^done$/,
 qr/^answered PONG$/]
