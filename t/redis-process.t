# Guards the life of a connection in nginx's processes: names are resolved
# without blocking, a quitting worker waits for pending commands and only for
# them, and no end of a worker leaves an alert or an open connection.

use FindBin;
use lib "$FindBin::Bin/lib";

use MeshRedis;
use Test::Nginx::Socket $ENV{TEST_NGINX_USE_HUP}
    ? (skip_all => 'counts the ends of workers') : ();

my $redis = MeshRedis->start(port => 1);

my $dns = MeshRedis->dns({
    'redis.test' => ['127.0.0.1'],
    'slow.test' => ['127.0.0.1', 2],
    'silent.test' => [undef],
});

$ENV{TEST_NGINX_REDIS} = $redis->socket;
$ENV{TEST_NGINX_REDIS_PORT} = $redis->port;
$ENV{TEST_NGINX_DNS_PORT} = $dns;
$ENV{TEST_NGINX_PIDFILE} = server_root() . "/logs/nginx.pid";
$ENV{TEST_NGINX_LOG} = server_root() . "/logs/error.log";
$ENV{TEST_NGINX_CONTROL} = MeshRedis->control(redis => $redis);

master_on();
workers(1);

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(no_error_log => "[alert]\n[emerg]\n[crit]");

    $block->set_value(http_config =>
        ($block->http_config // '')
        . "mesh_test_redis " . $block->server . " reconnect_max=50ms;\n");

    $block->set_value(config => ($block->config // '') . <<'_EOC_');
    location /ping {
        mesh_test_redis_command PING;
    }
    location /pop {
        mesh_test_redis_command BLPOP nothing 1;
    }
    location /refused {
        mesh_test_redis_wait ready 400ms;
        mesh_test_redis_command PING;
    }
    location /status {
        mesh_test_redis_wait ready 0;
        mesh_test_redis_status;
    }
    location /pid {
        return 200 $pid;
    }
    location /control/ {
        proxy_pass http://unix:$TEST_NGINX_CONTROL:/;
    }
    location /signal {
        proxy_pass http://unix:$TEST_NGINX_CONTROL:/signal?$args&pidfile=$TEST_NGINX_PIDFILE;
    }
    location /log {
        proxy_pass http://unix:$TEST_NGINX_CONTROL:/grep?$args&file=$TEST_NGINX_LOG;
    }
_EOC_
});

no_shuffle();
plan(tests => 210);
run_tests();

__DATA__

=== TEST 1: a host name by nginx's resolver
--- http_config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
--- server: redis.test:$TEST_NGINX_REDIS_PORT
--- request
GET /ping
--- response_body
answered PONG



=== TEST 2: a slow answer of DNS does not block the worker
--- http_config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
--- server: slow.test:$TEST_NGINX_REDIS_PORT
--- request eval
["GET /status", "GET /ping"]
--- response_body_like eval
[qr/^state connecting\n/, qr/^answered PONG$/]
--- timeout: 10



=== TEST 3: a name that is not there
--- http_config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
--- server: absent.test
--- request eval
["GET /refused", "GET /status", "GET /log?text=is%20down"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason host not found \(3: Host not found\)$/m, qr/^1$/]



=== TEST 4: no answer from DNS
--- http_config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
    resolver_timeout 200ms;
--- server: silent.test
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason host not found \(110: Operation timed out\)$/m]



=== TEST 5: no resolver and no such name: nginx starts
--- server: absent.invalid
--- request eval
["GET /refused", "GET /status"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^reason host not found, and no resolver is defined$/m]



=== TEST 6: a reload waits for the pending command, then the old worker ends
--- server: unix:$TEST_NGINX_REDIS
--- request eval
["GET /ping", "GET /signal?name=HUP&blocked=redis", "GET /pop", "GET /ping",
 "GET /log?wait=1&text=exited%20with%20code%200", "GET /log?text=%5balert%5d"]
--- response_body_like eval
[qr/^answered PONG$/, qr/^later$/, qr/^answered nil$/, qr/^answered PONG$/,
 qr/^1$/, qr/^0$/]



=== TEST 7: an old worker whose Redis is away does not stay
--- server: unix:/nowhere/redis.sock
--- request eval
["GET /refused", "GET /signal?name=HUP", "GET /refused",
 "GET /log?wait=1&text=exited%20with%20code%200", "GET /log?text=%5balert%5d"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^done$/, qr/^not accepted: down$/, qr/^1$/, qr/^0$/]



=== TEST 8: an old worker that waits for DNS does not stay
--- http_config
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
--- server: silent.test
--- request eval
["GET /refused", "GET /signal?name=HUP", "GET /refused",
 "GET /log?wait=1&text=exited%20with%20code%200", "GET /log?text=%5balert%5d"]
--- response_body_like eval
[qr/^not accepted: down$/, qr/^done$/, qr/^not accepted: down$/, qr/^1$/, qr/^0$/]



=== TEST 9: worker_shutdown_timeout ends what is pending
--- main_config
    worker_shutdown_timeout 300ms;
--- server: unix:$TEST_NGINX_REDIS
--- config
    location /fire {
        mesh_test_redis_command BLPOP nothing 2.5;
        mesh_test_redis_repeat 5;
        mesh_test_redis_cancel on;
    }
--- request eval
["GET /fire", "GET /signal?name=HUP",
 "GET /log?text=gracefully%20shutting%20down&wait=1",
 "GET /log?text=the%20worker%20is%20shutting%20down&wait=1",
 "GET /log?text=exited%20with%20code%200&wait=1", "GET /log?text=%5balert%5d"]
--- response_body_like eval
[qr/^canceled 5$/, qr/^done$/, qr/^1$/, qr/^1$/, qr/^1$/, qr/^0$/]



=== TEST 10: a worker that is terminated closes its connection
--- server: unix:$TEST_NGINX_REDIS
--- request eval
["GET /ping", "GET /signal?name=TERM&worker=1&blocked=redis", "GET /pop",
 "GET /ping", "GET /log?text=exited%20with%20code%200&wait=1",
 "GET /log?text=%5balert%5d"]
--- error_code eval
["200", "200", "", "200", "200", "200"]
--- response_body_like eval
[qr/^answered PONG$/, qr/^later$/, qr/^$/, qr/^answered PONG$/, qr/^1$/, qr/^0$/]



=== TEST 11: canceled commands hold a quit too, as they may have left
--- server: unix:$TEST_NGINX_REDIS
--- config
    location /fire {
        mesh_test_redis_command BLPOP nothing 0.5;
        mesh_test_redis_cancel on;
    }
--- request eval
["GET /fire", "GET /signal?name=HUP", "GET /ping", "GET /log?text=%5balert%5d"]
--- response_body_like eval
[qr/^canceled 1$/, qr/^done$/, qr/^answered PONG$/, qr/^0$/]
