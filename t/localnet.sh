#!/bin/sh
# The edge before a real full node: every relay answered is claimed.
#
#   t/localnet.sh [SCENARIO ...]      default: all of them
#
#   plain     three sessions, two apps, two chains, 50 connections
#   outage    the same, the node stopped for 60 s in the middle
#   reload    the same, "nginx -s reload" every 5 s
#   restart   the same, nginx stopped and started again every 10 s
#   height    clients with a wrong meta.block_height, and others beside them
#   equal     relays of one payload
#   burst     600 relays of an application that has 250
#   exchanges the rig's recorded exchanges, compared with the reference's
#
# and these, when they are named:
#
#   gateway          five edges behind a gateway, over 10 ends of sessions
#   gateway-faults   of one servicer of five, each for some time
#   gateway-servers  the same of plain servers
#
# LOCALNET names the rig's folder (default: ../shared/rigs/localnet beside the
# project), POCKET_CORE the node's program, BUILD the build folder.  Without
# them the script says so and ends with 0.  Ends with "N passed, N failed".

set -u

here=$(cd "$(dirname "$0")/.." && pwd)
rig=${LOCALNET:-$here/../shared/rigs/localnet}
build=${BUILD:-$here/build}
nginx=${NGINX_BINARY:-nginx}

skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed"
    exit 0
}

[ -x "$rig/localnet" ] || skip "no rig in $rig (LOCALNET)"
[ -x "${POCKET_CORE:-}" ] || skip "POCKET_CORE names no program"
command -v python3 >/dev/null || skip "no python3"
[ -f "$build/ngx_mesh_relay_module.so" ] || skip "no module in $build: make"

work=$(mktemp -d "${TMPDIR:-/tmp}/mesh-localnet.XXXXXX")
passed=0
failed=0

port() {
    python3 -c 'import socket
s = [socket.socket() for i in range(4)]
b = 20000
while True:
    try:
        for i in range(4):
            s[i].bind(("127.0.0.1", b + i))
        break
    except OSError:
        for x in s:
            x.close()
        s = [socket.socket() for i in range(4)]
        b += 10
print(b)'
}

rpc=$(port)
edge=$((rpc + 5))
chain=$((rpc + 6))
net="$rig/localnet"

LOCALNET_DIR=$work/net
export LOCALNET_DIR POCKET_CORE


check() {    # check TEXT COMMAND...
    text=$1
    shift

    if "$@" >"$work/check.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok - $text"
    else
        failed=$((failed + 1))
        echo "not ok - $text"
        sed 's/^/#   /' "$work/check.log" | head -n 40
    fi
}


cleanup() {
    edge_stop
    [ -f "$work/redis.pid" ] && kill "$(cat "$work/redis.pid")" 2>/dev/null
    [ -f "$work/up.log" ] && "$net" down >/dev/null 2>&1
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}

trap cleanup EXIT
trap 'exit 1' INT TERM


edge_conf() {
    install -d -m 755 "$work/edge"
    chmod 600 "$LOCALNET_DIR"/edge/*.json

    user=
    [ "$(id -u)" = 0 ] && user="user root;"

    cat >"$work/nginx.conf" <<CONF
load_module $build/ngx_mesh_relay_module.so;

$user
worker_processes 2;
pid $work/nginx.pid;
error_log $work/error.log info;

events {
    worker_connections 4096;
}

http {
    access_log off;
    client_body_temp_path $work/edge/body;
    proxy_temp_path $work/edge/proxy;
    fastcgi_temp_path $work/edge/fastcgi;
    uwsgi_temp_path $work/edge/uwsgi;
    scgi_temp_path $work/edge/scgi;

    keepalive_requests 1000000;

    mesh_redis unix:$work/redis.sock;
    mesh_relay_servicers $LOCALNET_DIR/edge/keys.json;
    mesh_relay_chains $LOCALNET_DIR/edge/chains.json;
    mesh_relay_auth $LOCALNET_DIR/edge/auth.json;
    mesh_relay_node_auth $LOCALNET_DIR/edge/servicer-auth.json;
    mesh_relay_node_check_interval 1s;
    mesh_relay_sort_response on;

    server {
        listen 127.0.0.1:$edge backlog=4096;

        location = /v1/client/sim {
            mesh_relay_simulate on;
        }

        include $here/config/mesh_relay.conf;
    }
}
CONF
}


edge_start() {
    "$nginx" -p "$work/edge" -c "$work/nginx.conf"
}


edge_stop() {
    [ -f "$work/nginx.pid" ] || return 0
    pid=$(cat "$work/nginx.pid")
    "$nginx" -p "$work/edge" -c "$work/nginx.conf" -s quit 2>/dev/null

    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.1
    done
}


up() {
    "$net" up --session-allowance 2 --port "$rpc" --edge-url "http://127.0.0.1:$edge" \
        --chain-url "http://127.0.0.1:$chain" >"$work/up.log" 2>&1 \
        || { cat "$work/up.log"; exit 1; }
    "$net" chain up >>"$work/up.log" 2>&1

    redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" \
        --appendonly yes --save '' --daemonize yes \
        --pidfile "$work/redis.pid" --logfile "$work/redis.log" >/dev/null

    edge_conf
    edge_start || exit 1
}


gen() {    # gen NAME ARG...: relays of the generator, report in NAME.json
    name=$1
    shift

    "$rig/bin/relaygen" run -keys "$rig/keys.json" -q \
        -url "http://127.0.0.1:$edge" \
        -dispatch-url "http://127.0.0.1:$rpc" \
        -report "$work/$name.json" "$@" \
        >"$work/$name.log" 2>&1
}


ledger() {
    token=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["Value"])' "$LOCALNET_DIR/edge/auth.json")
    curl -sf -H "Authorization: $token" \
        "http://127.0.0.1:$edge/v1/private/mesh/ledger"
}


# the ledger's rows of a report's sessions equal what was answered

ledger_equal() {
    ledger >"$work/ledger.json" || return 1
    python3 - "$work/ledger.json" "$@" <<'PY'
import json, sys

led = {}

for x in json.load(open(sys.argv[1])):
    led[(x["session_height"], x["chain"], x["app"], x["servicer"])] = x

got, bad = {}, 0

for name in sys.argv[2:]:
    for x in json.load(open(name))["rows"]:
        k = (x["session"], x["chain"], x["app"], x["servicer"])
        got[k] = got.get(k, 0) + x["answered"]

for k, n in sorted(got.items()):
    x = led.get(k)

    if x is None:
        bad += n > 0
        print(k, "not in the ledger, answered", n)
        continue

    refused = sum(x["refused"].values())

    if (x["recorded"] != n or x["queued"] or x["expired"]
            or x["delivered"] + refused != x["recorded"]):
        bad += 1
        print(k, "answered", n, x)

print("%d rows compared, %d differ" % (len(got), bad))
sys.exit(1 if bad or not got else 0)
PY
}


clean_report() {    # clean_report FILE MINIMUM: no error, all verified
    python3 - "$1" "$2" <<'PY'
import json, sys

r = json.load(open(sys.argv[1]))
print({k: r[k] for k in ("sent", "answered", "bad_signatures", "errors")})
sessions = {x["session"] for x in r["rows"] if x["answered"]}
sys.exit(0 if r["answered"] >= int(sys.argv[2]) and not r["errors"]
         and r["bad_signatures"] == 0 and len(sessions) >= 3 else 1)
PY
}


# every proof transaction of the blocks was accepted

proofs_accepted() {
    python3 - "http://127.0.0.1:$rpc" <<'PY'
import json, sys, urllib.request


def post(path, body):
    rq = urllib.request.Request(sys.argv[1] + path, json.dumps(body).encode(),
                                {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(rq))


top, bad, seen = post("/v1/query/height", {})["height"], 0, 0

for h in range(1, top):
    for tx in post("/v1/query/blocktxs",
                   {"height": h, "per_page": 1000}).get("txs") or []:
        if tx["stdTx"]["msg"]["type"] == "pocketcore/proof":
            seen += 1
            if tx["tx_result"]["code"]:
                bad += 1
                print("height", h, tx["tx_result"])

print("%d proofs, %d refused" % (seen, bad))
sys.exit(1 if bad or not seen else 0)
PY
}


quiet_log() {    # no line of these levels in the edge's log
    ! grep -E '\[(alert|emerg|crit)\]' "$work/error.log"
}


claims_equal() {
    "$net" compare --wait "$@"
}


verify() {    # verify NAME: what each scenario must show
    check "$1: the claims show the relays answered" \
        claims_equal "$work/$1.json"
    check "$1: the ledger shows them" ledger_equal "$work/$1.json"
    check "$1: all proof transactions accepted" proofs_accepted
    check "$1: no alert in the log" quiet_log
}


load="-n 0 -duration 75s -rate 150 -c 50 -rollover
      -app app1,app2 -chain 0001,0021"

# shellcheck disable=SC2086
scenario_plain() {
    gen plain $load
    check "plain: no error, signatures verified" \
        clean_report "$work/plain.json" 5000
    verify plain
}


# The chain stands still while its only producer is away, and the
# generator asks the node for sessions: one session, without -rollover.

# shellcheck disable=SC2086
scenario_outage() {
    "$net" wait-height session >/dev/null
    gen outage_before $load

    # a node that is stopped while it is about to claim forgets that claim

    "$net" wait-height +10 >/dev/null
    "$net" wait-height session >/dev/null
    gen outage -n 10500 -rate 150 -c 50 -app app1,app2 -chain 0001,0021 &
    generator=$!
    sleep 5
    "$net" node stop >/dev/null
    sleep 60
    "$net" node start >/dev/null
    wait "$generator"

    check "outage: no error, signatures verified" \
        outage_report "$work/outage.json"
    check "outage: the claims show the relays answered" \
        claims_equal "$work/outage_before.json" "$work/outage.json"
    check "outage: the ledger shows them" \
        ledger_equal "$work/outage_before.json" "$work/outage.json"
    check "outage: all proof transactions accepted" proofs_accepted
    check "outage: no alert in the log" quiet_log
}


outage_report() {
    python3 - "$1" <<'PY'
import json, sys

r = json.load(open(sys.argv[1]))
print({k: r[k] for k in ("sent", "answered", "bad_signatures", "errors")})
sys.exit(0 if r["answered"] == r["sent"] == 10500 and not r["errors"]
         and r["bad_signatures"] == 0 else 1)
PY
}


# shellcheck disable=SC2086
scenario_reload() {
    gen reload $load &
    generator=$!

    while kill -0 "$generator" 2>/dev/null; do
        sleep 5
        "$nginx" -p "$work/edge" -c "$work/nginx.conf" -s reload 2>&1 \
            | grep -v 'signal process started'
    done

    wait "$generator"
    check "reload: no error, signatures verified" \
        clean_report "$work/reload.json" 5000
    verify reload
}


# Clients see refused connections while nginx is away: not errors of the
# edge; what was answered must be claimed all the same.

# shellcheck disable=SC2086
scenario_restart() {
    gen restart $load &
    generator=$!

    while kill -0 "$generator" 2>/dev/null; do
        sleep 10
        edge_stop
        edge_start
    done

    wait "$generator"
    verify restart
}


one() {
    "$rig/bin/relaygen" one -keys "$rig/keys.json" \
        -url "http://127.0.0.1:$edge" \
        -dispatch-url "http://127.0.0.1:$rpc" "$@"
}


scenario_height() {
    "$net" wait-height session >/dev/null
    gen height_before -n 200 -c 10 -app app1 -chain 0021
    one -app app1 -chain 0021 -spoil meta-height \
        >"$work/height.one" 2>&1
    gen height -n 200 -c 10 -app app1 -chain 0021

    check "height: refused with code 75" grep -q '"code":75' "$work/height.one"
    check "height: the session goes on" all_answered "$work/height.json" 200
    check "height: the claims show the relays answered" \
        claims_equal "$work/height_before.json" "$work/height.json"
}


all_answered() {
    python3 - "$1" "$2" <<'PY'
import json, sys

r = json.load(open(sys.argv[1]))
print(r["answered"], r["errors"])
sys.exit(0 if r["answered"] == int(sys.argv[2]) and not r["errors"] else 1)
PY
}


scenario_equal() {
    "$net" wait-height session >/dev/null
    gen equal -n 500 -c 20 -same -app app2 -chain 0001
    check "equal: all answered" all_answered "$work/equal.json" 500
    check "equal: the claims show the relays answered" \
        claims_equal "$work/equal.json"
    check "equal: the ledger shows them" ledger_equal "$work/equal.json"
}


# unpaid at most what the node took for known at a first sending

burst_claimed() {
    "$net" compare --wait --json "$work/burst.json" >"$work/burst.cmp"
    ledger >"$work/ledger.json" || return 1
    python3 - "$work/burst.json" "$work/burst.cmp" "$work/ledger.json" <<'PY'
import json, sys

r, c, led = (json.load(open(x)) for x in sys.argv[1:])
rows = {(x["session"], x["chain"], x["app"], x["servicer"])
        for x in r["rows"]}
by37 = sum(x["delivered_by_37"] for x in led
           if (x["session_height"], x["chain"], x["app"], x["servicer"])
           in rows)
print("answered", r["answered"], "missing", c["missing"], "by 37", by37,
      "errors", r["errors"])
sys.exit(0 if r["answered"] == 250 and c["missing"] <= by37 else 1)
PY
}


scenario_burst() {
    "$net" wait-height session >/dev/null
    gen burst -n 600 -c 50 -app app3 -chain 0021
    check "burst: 250 answered of 600, and claimed" burst_claimed
}


exchanges_alike() {
    "$rig/record" --dir "$LOCALNET_DIR" --edge "http://127.0.0.1:$edge" \
        --out "$work/exchanges" >/dev/null \
        && "$here/t/lib/exchanges" "$rig/exchanges" "$work/exchanges"
}


scenario_exchanges() {
    # late enough for a session that ended long ago
    "$net" wait-height 6 >/dev/null
    "$net" wait-height session >/dev/null
    check "exchanges: as the reference's, but for what is better" \
        exchanges_alike
    check "exchanges: no alert in the log" quiet_log
}


# Those of a gateway have processes of their own, and count themselves.

apart() {    # apart PROGRAM [ARGUMENT...]
    program=$here/t/localnet/$1
    shift

    LOCALNET=$rig BUILD=$build NGINX_BINARY=$nginx \
        "$program" "$@" 2>&1 | tee "$work/apart.log" \
        | grep -v '^[0-9]* passed, [0-9]* failed$'
    passed=$((passed + $(grep -c '^ok - ' "$work/apart.log")))
    failed=$((failed + $(grep -c '^not ok - ' "$work/apart.log")))
    grep -q '^[0-9]* passed, [0-9]* failed$' "$work/apart.log" \
        || failed=$((failed + 1))
}


scenario() {
    echo "# $1"

    case $1 in
    gateway)
        apart sessions
        return
        ;;
    gateway-faults)
        apart faults -s
        return
        ;;
    gateway-servers)
        apart faults
        return
        ;;
    esac

    if [ ! -f "$work/up.log" ]; then
        up
    fi

    "scenario_$1"
}


for s in "${@:-plain outage reload restart height equal burst exchanges}"; do
    for name in $s; do
        scenario "$name"
    done
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
