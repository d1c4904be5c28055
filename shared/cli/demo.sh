# A demo of both roles on loopback; part of run.
#
# Three servicers of one full node, each behind an address of its own where
# one edge serves for it: the second is slow, the third lies about blocks.
# Their operators are two, told apart by address.  A gateway finds out.
# shellcheck shell=sh disable=SC2034,SC2154

demo_run() {
    demo_files
    start_redis
    demo_servers
    demo_conf > "$rundir/nginx.conf"

    start_nginx "$gateway"
    wait_edge "$edge" "$rundir/demo/auth.json"

    wait_for 30 demo_called || fail "no call is answered:" \
        "$(cat "$rundir/answer"), $(tail -n 3 "$rundir/error.log")"
    cp "$rundir/answer" "$rundir/demo/first"

    # checks find out who lies; callers find out who is slow
    wait_for 60 demo_judged || fail "nobody finds out who lies:" \
        "$(cat "$rundir/answer"), $(tail -n 3 "$rundir/error.log")"

    demo_calls
    demo_tell

    wait_for 20 demo_delivered || fail "relays were not delivered:" \
        "$(cat "$rundir/answer"), $(tail -n 3 "$rundir/error.log")"

    demo_tell_ledger
    demo_tell_next
}

# All of a demo is new each time: its node begins at height 1 again.
demo_files() {
    rm -rf "$rundir/demo" "$rundir"/redis.aof
    mkdir -m 700 "$rundir/demo"
    cd "$rundir/demo" || exit

    app=$("$ctl" keys new app.key | cut -d ' ' -f 3)

    (umask 077 && printf '[{"name":"demo","priv_key":"%s"}]\n' \
        "$(cat app.key)" > apps.json)

    for file in auth node-auth; do
        (umask 077 && printf '{"Value":"%s","Issued":""}\n' \
            "$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')" > $file.json)
    done

    give "$rundir/demo"
}

# The chain and the full node, and where nginx is to listen.
demo_servers() {
    port=${PORT:-$("$demo" port)}
    gateway=http://127.0.0.1:$port
    edge_port=$("$demo" port)
    edge=http://127.0.0.1:$edge_port

    demo_start chain
    (umask 077 && printf '[{"id":"0021","url":"%s/0021"}]\n' "$url" \
        > "$rundir/demo/chains.json")

    # the node must know the servicers before it has told its own url
    node=127.0.0.1:$("$demo" port)
    host=0
    servicers=$("$ctl" keys new "$rundir/demo/key.json" --name demo \
        --url "http://$node" --count 3 | sed 's/.* //' \
        | while read -r key; do
              host=$((host + 1))
              echo "--servicer $key@http://127.0.0.$host:$edge_port"
          done)

    # shellcheck disable=SC2086
    demo_start node --listen "$node" --block-time 15000 --chain 0021 \
        --app "$app" --token-file "$rundir/demo/node-auth.json" \
        --check-signatures $servicers

    give "$rundir/demo"
}

demo_conf() {
    cat << END
# Written by "make run": edges and a gateway in one nginx.

load_module                     $build/ngx_mesh_relay_module.so;
load_module                     $build/ngx_gateway_select_module.so;

END

    conf_head

    cat << END
    keepalive_requests          100000;
    keepalive_timeout           300s;

    mesh_redis                  $redis;


    # The edges, for three servicers of one full node: the same chain, but
    # for what two of them make of it.

    mesh_relay_servicers        demo/key.json;
    mesh_relay_chains           demo/chains.json;
    mesh_relay_auth             demo/auth.json;
    mesh_relay_node_auth        demo/node-auth.json;

    server {
        listen                  127.0.0.1:$edge_port;
        include                 $root/config/mesh_relay.conf;
    }
END

    demo_conf_edge 127.0.0.2 latency/250
    demo_conf_edge 127.0.0.3 lie

    cat << END


    # The gateway.  Whose servicers are one operator's is told by domains; here
    # by addresses.  With two operators each had at least half of the calls.

    gateway_auth                demo/auth.json;
    gateway_dispatcher          http://$node;
    gateway_apps                demo/apps.json;

    gateway_operator            north 127.0.0.1;
    gateway_operator            south 127.0.0.2 127.0.0.3;

    gateway_chain 0021 {
        family                  evm;
        operator_cap            100%;
        check_interval          2s;
    }

    server {
        listen                  127.0.0.1:$port;
        include                 $root/config/gateway_locations.conf;
    }
}
END
}

# demo_conf_edge ADDRESS STEER: the demo chain takes the end of its path for
# what its answer is to be
demo_conf_edge() {
    cat << END

    server {
        listen                  $1:$edge_port;
        include                 $root/config/mesh_relay.conf;

        mesh_relay_chain_location  /_demo_chain;

        location = /_demo_chain {
            internal;
            proxy_pass          \$mesh_relay_chain_url/$2;
            proxy_http_version  1.1;
            proxy_set_header    Host \$mesh_relay_chain_host;
            proxy_set_header    Connection "";
        }
    }
END
}

demo_request='{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

demo_called() {
    code=$(curl -s -m 5 --noproxy '*' -D "$rundir/demo/headers" \
        -o "$rundir/answer" -w '%{http_code}' -d "$demo_request" \
        "$gateway/relay/0021") && [ "$code" = 200 ]
}

demo_calls() {
    yes "url = $gateway/relay/0021" | head -n 100 \
        | curl -s -m 60 --noproxy '*' -d "$demo_request" -K - \
            > "$rundir/answer" 2>&1 || fail "calls end: curl says $?"
}

# Who lies is found out as soon as the others have told of the same block.
demo_judged() {
    demo_nodes && grep -q '127\.0\.0\.3:.* out .*data' "$rundir/answer"
}

demo_nodes() {
    "$ctl" gateway nodes --url "$gateway" \
        --token-file "$rundir/demo/auth.json" > "$rundir/answer" 2>&1
}

demo_tell() {
    demo_nodes || fail "$(cat "$rundir/answer")"

    liar=$(sed -n 's/^0021  *\([0-9a-f]*\)  *127\.0\.0\.3:.*/\1/p' \
        "$rundir/answer")

    echo "A call through the gateway, which signed it for one of three"
    echo "servicers and verified the signature of the answer:"
    echo
    sed 's/^/    /' "$rundir/demo/first"
    echo
    sed -n 's/^\(Gateway-.*\)\r$/    \1/p' "$rundir/demo/headers"
    echo
    echo "Who got the next 100: the second is slow, the third lies."
    echo
    sed 's/^/    /' "$rundir/answer"
    echo
    echo "Why the third got none:"
    echo

    "$ctl" gateway why 0021 "$liar" --url "$gateway" \
        --token-file "$rundir/demo/auth.json" > "$rundir/answer" 2>&1 || true
    grep -E '^(state|excluded|latency|correctness|weight|last error)' \
        "$rundir/answer" | sed 's/^/    /'
}

demo_delivered() {
    edge_answers "$edge" "$rundir/demo/auth.json" \
        && awk '$1 == "all" { exit !($2 > 0 && $2 == $4) }' "$rundir/answer"
}

demo_tell_ledger() {
    echo
    echo "The edges' ledger: what was recorded in Redis, and delivered to the"
    echo "full node.  Checks of the gateway are relays, too."
    echo
    sed 's/^/    /' "$rundir/answer"
}

demo_tell_next() {
    with="--url $gateway --token-file $rundir/demo/auth.json"

    echo
    echo "Next: a call, the ranking, all about one node, a relay of your own to"
    echo "an edge, the full node's side of the ledger."
    echo
    echo "    curl $gateway/relay/0021 -d '$demo_request'"
    echo "    $ctl gateway nodes $with"
    echo "    $ctl gateway why 0021 $liar $with"
    echo "    $ctl relay $edge --app-key $rundir/demo/app.key --chain 0021"
    echo "    curl http://$node/_demo/claims"
    echo
    echo "The gateway serves on $gateway; the edges on"
    echo "$edge, 127.0.0.2 and 127.0.0.3; files are in $rundir."
}
