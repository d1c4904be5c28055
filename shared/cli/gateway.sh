# A gateway by the gateway.conf of a folder; part of run.
# shellcheck shell=sh disable=SC2034,SC2154

gateway_run() {
    gateway_check
    gateway_link
    gateway_settings

    if [ -z "$own_redis" ]; then
        start_redis
    else
        # the edge's line of it is taken out again
        redis=127.0.0.1:6379
        [ -z "${REDIS:-}" ] \
            || echo "REDIS is not needed: gateway.conf has mesh_redis"
    fi

    if [ -n "${DATADIR:-}" ]; then
        datadir_convert
        [ "$edge_port" != "$port" ] \
            || fail "PORT $port is the edge's own (rpc_port): give another one"
        gateway_beside
    else
        gateway_alone > "$rundir/nginx.conf"
    fi

    start_nginx "http://127.0.0.1:$port"

    wait_for 15 gateway_answers "find/-" || fail "the gateway does not" \
        "answer: $(tail -n 3 "$rundir/error.log")"

    [ -z "${DATADIR:-}" ] || datadir_serves

    echo "The gateway serves on port $port; its files are in $rundir."
    gateway_chains
    echo
    echo "    curl http://127.0.0.1:$port/gateway/find/CHAIN"
    echo
}

gateway_check() {
    [ -d "$GATEWAY" ] || fail "GATEWAY \"$GATEWAY\" is no directory"
    gateway=$(cd "$GATEWAY" && pwd -P)

    [ -r "$gateway/gateway.conf" ] \
        || fail "there is no $gateway/gateway.conf that can be read"

    port=${PORT:-8080}
    case $port in
    0* | *[!0-9]* | ??????*) port=65536 ;;
    esac
    [ "$port" -le 65535 ] || fail "PORT is \"$PORT\", a port is expected"

    command -v curl > /dev/null || fail "there is no curl"
}

# What gateway.conf names relative to itself is found beside nginx.conf, too.
gateway_link() {
    find "$rundir" -maxdepth 1 -type l -exec rm -f {} +
    [ "$gateway" != "$rundir" ] || return 0

    for entry in "$gateway"/* "$gateway"/.[!.]*; do
        entry_name=${entry##*/}

        case $entry_name in
        nginx.conf | nginx.pid | error.log | access.log)
            # of somebody's own nginx
            continue
            ;;
        redis.conf | redis.log | redis.pid | redis.sock | redis.aof \
            | chain.log | chain.pid | node.log | node.pid | nginx.conf.new \
            | answer | demo | lock | url | *_temp)
            fail "$gateway has \"$entry_name\", a name of the run folder's" \
                "own: rename it"
            ;;
        esac

        if [ -e "$entry" ] && [ "$entry" != "$rundir" ]; then
            ln -s "$entry" "$rundir/$entry_name" \
                || fail "cannot link $entry into $rundir"
        fi
    done
}

# What gateway.conf sets, wherever it includes it from: nginx itself tells.
gateway_settings() {
    redis=
    own_redis=yes
    own_zone=yes
    gateway_alone > "$rundir/nginx.conf"

    (cd "$rundir" && "$nginx" -T -q -e "$rundir/error.log" \
        -c "$rundir/nginx.conf" 9>&-) > "$rundir/answer" \
        || fail "nginx does not take $gateway/gateway.conf"

    sed -i 's/#.*//' "$rundir/answer"
    grep -Eq '(^|[;{}[:space:]])mesh_redis([[:space:]]|$)' \
        "$rundir/answer" || own_redis=
    grep -Eq '(^|[;{}[:space:]])mesh_zone([[:space:]]|$)' \
        "$rundir/answer" || own_zone=

    chains=$(grep -Eo \
        '(^|[;{}[:space:]])gateway_chain[[:space:]]+[^[:space:]{]+' \
        "$rundir/answer" | sed 's/.*[[:space:]]//; s/"//g')
}

# The nginx.conf of a gateway, with the other module for its directives.
gateway_alone() {
    cat << END
load_module                     $build/ngx_gateway_select_module.so;
END

    [ -z "${DATADIR:-}" ] || cat << END
load_module                     $build/ngx_mesh_relay_module.so;
END

    echo

    conf_head

    gateway_http
    echo "}"
}

# The edge's nginx.conf with the gateway in it.
gateway_beside() {
    {
        sed -e '$d' -e "/^load_module/a\\
load_module                     $build/ngx_gateway_select_module.so;" \
            ${own_redis:+-e '/^ *mesh_redis /d'} "$rundir/nginx.conf"
        echo
        redis=
        gateway_http
        echo "}"
    } > "$rundir/nginx.conf.new"

    mv "$rundir/nginx.conf.new" "$rundir/nginx.conf"
}

gateway_http() {
    echo "    include                     gateway.conf;"

    if [ -z "$own_redis" ] && [ -n "$redis" ]; then
        echo "    mesh_redis                  $redis;"
    fi

    if [ -z "$own_zone" ]; then
        echo "    mesh_zone                   mesh:32m;"
    fi

    cat << END

    server {
        listen                  $port;

        keepalive_requests      100000;
        keepalive_timeout       300s;

        include                 $root/config/gateway_locations.conf;
    }
END
}

# gateway_answers PATH: the answer is in the file, $code has its status
gateway_answers() {
    code=$(curl -s -m 5 --noproxy '*' -o "$rundir/answer" -w '%{http_code}' \
        "http://127.0.0.1:$port/gateway/$1") && grep -q '^{' "$rundir/answer"
}

# A chain without a node is the network's to mend: it is told, and no error.
gateway_chains() {
    for chain in $chains; do
        if wait_for 5 gateway_found "$chain"; then
            # the host alone: a path may have a key in it
            state=$(sed -n 's|.*"service_url":"[a-z]*://\([^"/?]*\).*|\1|p' \
                "$rundir/answer")
        else
            state="no node yet ($code): $(head -c 200 "$rundir/answer")"
        fi
        echo "chain $chain: $state"
    done
}

gateway_found() {
    gateway_answers "find/$1" && [ "$code" = 200 ]
}
