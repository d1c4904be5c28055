# Guards what an owner of a Redis connection relies on: an answer of any size
# arrives whole and once, commands of one turn leave together, scripts survive
# SCRIPT FLUSH, and an error reply says whether anything was executed.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshRedis;
use Test::Nginx::Socket;

my $redis = MeshRedis->start(port => 1, config => {
    'proto-max-bulk-len' => '64mb', databases => 4,
});

sub secret {
    my ($name, $text, $mode) = @_;
    my $path = $redis->dir . "/$name";
    open my $f, '>', $path or die "$path: $!";
    print $f $text;
    close $f;
    chmod $mode // 0600, $path;
    return $path;
}

my $auth = MeshRedis->start(config => {
    requirepass => 'sesame', user => 'edge on >s3cret ~* &* +@all -flushall',
});

$ENV{TEST_NGINX_REDIS} = $redis->socket;
$ENV{TEST_NGINX_REDIS_PORT} = $redis->port;
$ENV{TEST_NGINX_AUTH} = $auth->socket;
$ENV{TEST_NGINX_PASSWORD} = secret('password', "sesame\n");
$ENV{TEST_NGINX_USER_PASSWORD} = secret('user', "s3cret");
$ENV{TEST_NGINX_WRONG_PASSWORD} = secret('wrong', "sesam\n");
$ENV{TEST_NGINX_OPEN_PASSWORD} = secret('open', "sesame\n", 0640);
$ENV{TEST_NGINX_EMPTY_PASSWORD} = secret('empty', "\n");
$ENV{TEST_NGINX_LOG} = server_root() . "/logs/error.log";
$ENV{TEST_NGINX_CONTROL} = MeshRedis->control(
    redis => $redis, auth => $auth,
);

add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->must_die;

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]")
        unless defined $block->no_error_log;

    $block->set_value(http_config =>
        "mesh_test_redis unix:$ENV{TEST_NGINX_REDIS};\n")
        unless defined $block->http_config;

    $block->set_value(config => $block->config . <<'_EOC_');
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
plan(tests => 326);
run_tests();

__DATA__

=== TEST 1: a command over a unix socket
--- config
    location /t {
        mesh_test_redis_command ECHO "hello, \"world\"";
    }
--- request
GET /t
--- response_body
answered hello, "world"



=== TEST 2: a command over TCP
--- http_config
    mesh_test_redis 127.0.0.1:$TEST_NGINX_REDIS_PORT;
--- config
    location /t {
        mesh_test_redis_command PING;
    }
--- request
GET /t
--- response_body
answered PONG



=== TEST 3: a host name without a resolver
--- http_config
    mesh_test_redis localhost:$TEST_NGINX_REDIS_PORT;
--- config
    location /t {
        mesh_test_redis_command PING;
    }
--- request
GET /t
--- response_body
answered PONG



=== TEST 4: every kind of reply
--- config
    location /integer {
        mesh_test_redis_eval 'integer=return -7' 0;
    }
    location /nil {
        mesh_test_redis_command GET absent;
    }
    location /empty {
        mesh_test_redis_command ECHO "";
    }
    location /array {
        mesh_test_redis_eval 'array=return {1, "two", {3, {}, false}, redis.status_reply("OK")}' 0;
    }
    location /error {
        mesh_test_redis_command HGET;
    }
--- request eval
["GET /integer", "GET /nil", "GET /empty", "GET /array", "GET /error"]
--- response_body eval
["answered -7\n", "answered nil\n", "answered \n",
 "answered [1, two, [3, [], nil], OK]\n",
 "failed ERR wrong number of arguments for 'hget' command\n"]



=== TEST 5: arguments are binary-safe
--- config
    location ~ "(?s)^/t/(.*)$" {
        mesh_test_redis_command EVAL "return {#ARGV[1], redis.sha1hex(ARGV[1])}" 0 $1;
    }
--- request
GET /t/%ff%0d%0a*1%0d%0a
--- response_body
answered [7, ad8bd9b339df45e36a59d64fe38242fc7dbb2cf1]



=== TEST 6: keys and arguments of a script arrive in order
--- config
    location /t {
        mesh_test_redis_eval 'order=return {KEYS[1], KEYS[2], ARGV[1], ARGV[2]}' 2 k1 k2 $arg_a "";
    }
--- request
GET /t?a=v1
--- response_body
answered [k1, k2, v1, ]



=== TEST 7: replies of 20 KB and 3 MB, which need many reads
--- config
    location /20k {
        mesh_test_redis_eval 'size=return string.rep(ARGV[1], ARGV[2])' 0 x 20000;
    }
    location /3m {
        mesh_test_redis_eval 'size=return string.rep(ARGV[1], ARGV[2])' 0 abc 1048576;
    }
    location /elements {
        mesh_test_redis_eval 'elements=local t = {} for i = 1, 200000 do t[i] = i end return t' 0;
    }
    location /ping {
        mesh_test_redis_command PING;
    }
--- request eval
["GET /20k", "GET /3m", "GET /elements", "GET /ping"]
--- response_body_like eval
[qr/^answered 20000 bytes crc 41654703$/, qr/^answered 3145728 bytes crc fbbf1f13$/,
 qr/^answered \[1, 2, .*, 200, of 200000\]$/, qr/^answered PONG$/]



=== TEST 8: an argument larger than a block of output and than the socket's buffer
--- config
    location /big {
        set $a "0123456789012345678901234567890123456789012345678901234567890123";
        set $b "$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a";
        set $c "$b$b$b$b$b$b$b$b$b$b$b$b$b$b$b$b";
        set $d "$c$c$c$c$c$c$c$c$c$c$c$c$c$c$c$c";
        mesh_test_redis_command EVAL "return #ARGV[1]" 0 $d;
        mesh_test_redis_repeat 8;
    }
    location /one {
        set $a "0123456789012345678901234567890123456789012345678901234567890123";
        set $b "$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a$a";
        set $c "$b$b$b$b$b$b$b$b$b$b$b$b$b$b$b$b";
        set $d "$c$c$c$c$c$c$c$c$c$c$c$c$c$c$c$c";
        mesh_test_redis_command EVAL "return #ARGV[1]" 0 $d;
    }
--- request eval
["GET /big", "GET /one"]
--- response_body_like eval
[qr/^8 answered\n\d+ writes$/, qr/^answered 262144$/]



=== TEST 9: commands of one turn leave in one write and come back in order
--- config
    location /t {
        mesh_test_redis_command INCR pipelined;
        mesh_test_redis_repeat 100;
    }
    location /one {
        mesh_test_redis_command GET pipelined;
    }
    location /del {
        mesh_test_redis_command DEL pipelined;
    }
--- request eval
["GET /t", "GET /one", "GET /del"]
--- response_body eval
["100 answered\n1 writes\n", "answered 100\n", "answered 1\n"]



=== TEST 10: ten thousand commands
--- config
    location /t {
        mesh_test_redis_command INCR many;
        mesh_test_redis_repeat 10000;
    }
    location /one {
        mesh_test_redis_command GETDEL many;
    }
--- request eval
["GET /t", "GET /one"]
--- response_body_like eval
[qr/^10000 answered\n\d+ writes$/, qr/^answered 10000$/]



=== TEST 11: canceled commands are executed, their handlers not called
--- config
    location /t {
        mesh_test_redis_command INCR canceled;
        mesh_test_redis_repeat 3;
        mesh_test_redis_cancel on;
    }
    location /one {
        mesh_test_redis_command GETDEL canceled;
    }
--- request eval
["GET /t", "GET /one"]
--- response_body eval
["canceled 3\n", "answered 3\n"]



=== TEST 12: scripts are there from the start, and come back after SCRIPT FLUSH
--- config
    location /t {
        mesh_test_redis_eval 'incr=return redis.call("INCR", KEYS[1])' 1 script;
    }
    location /many {
        mesh_test_redis_eval 'incr=return redis.call("INCR", KEYS[1])' 1 script;
        mesh_test_redis_repeat 50;
    }
    location /del {
        mesh_test_redis_command DEL script;
    }
--- request eval
["GET /t", "GET /control/redis/command?SCRIPT&FLUSH", "GET /t",
 "GET /control/redis/command?SCRIPT&FLUSH", "GET /many", "GET /t",
 "GET /del", "GET /status"]
--- response_body_like eval
[qr/^answered 1$/, qr/^OK$/, qr/^answered 2$/,
 qr/^OK$/, qr/^50 answered\n/, qr/^answered 53$/,
 qr/^answered 1$/, qr/^reloads 2$/m]



=== TEST 13: a script that fails
--- config
    location /t {
        mesh_test_redis_eval 'fails=return redis.error_reply("MINE broken")' 0;
    }
--- request
GET /t
--- response_body
failed MINE broken



=== TEST 14: a script that does not compile is a failure to connect
--- config
    location /t {
        mesh_test_redis_wait ready 500ms;
        mesh_test_redis_eval 'broken=return (' 0;
    }
--- request eval
["GET /t", "GET /status", "GET /log?text=SCRIPT%20LOAD:%20ERR%20Error%20compiling"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason SCRIPT LOAD: ERR Error compiling script/m, qr/^1$/]



=== TEST 15: OOM: not executed, the connection stays
--- config
    location /set {
        mesh_test_redis_eval 'set=return redis.call("SET", KEYS[1], ARGV[1])' 1 oom 1;
    }
    location /plain {
        mesh_test_redis_command SET oom 1;
    }
    location /get {
        mesh_test_redis_command GET oom;
    }
--- request eval
["GET /control/redis/command?CONFIG&SET&maxmemory&1", "GET /set", "GET /plain",
 "GET /get", "GET /control/redis/command?CONFIG&SET&maxmemory&0", "GET /status",
 "GET /log?text=refused%20a%20command:%20OOM%20command%20not%20allowed"]
--- response_body_like eval
[qr/^OK$/, qr/^oom OOM command not allowed/, qr/^oom OOM command not allowed/,
 qr/^answered nil$/, qr/^OK$/,
 qr/^connects 1\nlosses 0\n(.*\n)*errors 2$/m, qr/^1$/]



=== TEST 16: a password
--- http_config
    mesh_test_redis unix:$TEST_NGINX_AUTH password_file=$TEST_NGINX_PASSWORD;
--- config
    location /t {
        mesh_test_redis_command ACL WHOAMI;
    }
--- request
GET /t
--- response_body
answered default



=== TEST 17: an ACL user; what it may not do
--- http_config
    mesh_test_redis unix:$TEST_NGINX_AUTH user=edge password_file=$TEST_NGINX_USER_PASSWORD;
--- config
    location /t {
        mesh_test_redis_command ACL WHOAMI;
    }
    location /not {
        mesh_test_redis_command FLUSHALL;
    }
--- request eval
["GET /t", "GET /not", "GET /t", "GET /log?text=refused%20a%20command:%20NOPERM"]
--- response_body_like eval
[qr/^answered edge$/, qr/^failed NOPERM /, qr/^answered edge$/, qr/^1$/]



=== TEST 18: a wrong password is said once, and never shown
--- http_config
    mesh_test_redis unix:$TEST_NGINX_AUTH password_file=$TEST_NGINX_WRONG_PASSWORD reconnect_max=50ms;
--- config
    location /t {
        mesh_test_redis_wait ready 1s;
        mesh_test_redis_command PING;
    }
--- request eval
["GET /t", "GET /status", "GET /log?text=is%20down:%20AUTH:%20WRONGPASS"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason AUTH: WRONGPASS /m, qr/^1$/]
--- no_error_log
[alert]
[emerg]
[crit]
sesam



=== TEST 19: no password where one is needed
--- http_config
    mesh_test_redis unix:$TEST_NGINX_AUTH;
--- config
    location /t {
        mesh_test_redis_wait ready 300ms;
        mesh_test_redis_command PING;
    }
--- request
GET /t
--- response_body
not accepted: down
--- error_log
is down: CLIENT SETNAME: NOAUTH Authentication required.



=== TEST 20: a database, and the connection's name
--- http_config
    mesh_test_redis unix:$TEST_NGINX_REDIS db=3;
--- config
    location /set {
        mesh_test_redis_command SET indb 3;
    }
    location /name {
        mesh_test_redis_command CLIENT GETNAME;
    }
--- request eval
["GET /set", "GET /control/redis/command?GET&indb", "GET /name"]
--- response_body_like eval
[qr/^answered OK$/, qr/^nil$/, qr/^answered test-0-\d+$/]



=== TEST 21: a database that is not there
--- http_config
    mesh_test_redis unix:$TEST_NGINX_REDIS db=4;
--- config
    location /t {
        mesh_test_redis_wait ready 300ms;
        mesh_test_redis_command PING;
    }
--- request
GET /t
--- response_body
not accepted: down
--- error_log
is down: SELECT: ERR DB index is out of range



=== TEST 22: the server's identity
--- config
    location /t {
        mesh_test_redis_command PING;
    }
--- request eval
["GET /t", "GET /status"]
--- response_body_like eval
[qr/PONG/, qr/^run_id 40\nreplication_id 40$/m]



=== TEST 23: the bound of pending commands
--- http_config
    mesh_test_redis unix:$TEST_NGINX_REDIS max_pending=10;
--- config
    location /t {
        mesh_test_redis_command PING;
        mesh_test_redis_repeat 11;
    }
    location /again {
        mesh_test_redis_command PING;
        mesh_test_redis_repeat 10;
    }
--- request eval
["GET /t", "GET /again"]
--- response_body eval
["not accepted: busy\n10 answered\n1 writes\n", "10 answered\n1 writes\n"]



=== TEST 24: the bound of pending bytes
--- http_config
    mesh_test_redis unix:$TEST_NGINX_REDIS max_pending_size=200;
--- config
    location /t {
        mesh_test_redis_command ECHO 0123456789012345678901234567890123456789;
        mesh_test_redis_repeat 3;
    }
    location /one {
        mesh_test_redis_command PING;
    }
--- request eval
["GET /t", "GET /one"]
--- response_body eval
["not accepted: busy\nanswered 0123456789012345678901234567890123456789\n", "answered PONG\n"]



=== TEST 25: a password file that others can read
--- http_config
    mesh_test_redis unix:/nowhere password_file=$TEST_NGINX_OPEN_PASSWORD;
--- config
--- must_die
--- error_log eval
qr/"mesh_test_redis": "[^"]+\/open" is open to group or others \(mode 0640\), run "chmod 600 [^"]+\/open" in/



=== TEST 26: a password file without a password
--- http_config
    mesh_test_redis unix:/nowhere password_file=$TEST_NGINX_EMPTY_PASSWORD;
--- config
--- must_die
--- error_log
no password in



=== TEST 27: a missing password file
--- http_config
    mesh_test_redis unix:/nowhere password_file=/nowhere/password;
--- config
--- must_die
--- error_log
"mesh_test_redis": open() "/nowhere/password" failed (2: No such file or directory)



=== TEST 28: a directory in the place of a password file
--- http_config
    mesh_test_redis unix:/nowhere password_file=/;
--- config
--- must_die
--- error_log
is not a regular file



=== TEST 29: a user without a password
--- http_config
    mesh_test_redis unix:/nowhere user=edge;
--- config
--- must_die
--- error_log
"user=edge" requires "password_file="



=== TEST 30: an unknown parameter
--- http_config
    mesh_test_redis unix:/nowhere colour=red;
--- config
--- must_die
--- error_log
"mesh_test_redis": invalid parameter "colour=red"



=== TEST 31: a value that is no time
--- http_config
    mesh_test_redis unix:/nowhere timeout=soon;
--- config
--- must_die
--- error_log
"mesh_test_redis": invalid value in "timeout=soon"



=== TEST 32: a port that is none
--- http_config
    mesh_test_redis 127.0.0.1:70000;
--- config
--- must_die
--- error_log
"mesh_test_redis": invalid port in "127.0.0.1:70000"
