"""Processes of a gateway's world: chains, edges, proxies that fail on purpose,
a full node, Redis, and the gateway itself; all on loopback, in one folder.

The rig (LOCALNET) has the programs: relaygen is chain and proxy, localnet the
full node (POCKET_CORE).  Only what was started here is ended.
"""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../lib"))

from servers import (BUILD, Failure, HTTP, NGINX, Process, Redis, TOP,
                     conf_names, get, listens, wait_for, write)

RIG = os.environ.get("LOCALNET", os.path.join(TOP,
                                              "../shared/rigs/localnet"))
RELAYGEN = os.path.join(RIG, "bin/relaygen")
FAKETIME = glob.glob("/usr/lib*/faketime/libfaketimeMT.so.1") \
    + glob.glob("/usr/lib*/*/faketime/libfaketimeMT.so.1")
CHAIN = "0021"
TOKEN = "gateway-token"
CHECK = 5           # s, between two checks of a node
BLOCK = 5           # s; a session is four
APP = "app1"

EDGE = "load_module %(build)s/ngx_mesh_relay_module.so;\n" + HTTP + """
    mesh_redis unix:%(redis)s;
    mesh_relay_servicers %(dir)s/keys.json;
    mesh_relay_chains %(dir)s/chains.json;
    mesh_relay_auth %(net)s/edge/auth.json;
    mesh_relay_node_auth %(net)s/edge/servicer-auth.json;
    mesh_relay_node_check_interval 1s;
    mesh_relay_sort_response on;

    server {
        listen %(address)s:%(port)d;
        include %(top)s/config/mesh_relay.conf;
    }
}
"""

GATEWAY = """%(environment)s
load_module %(build)s/ngx_gateway_select_module.so;
""" + HTTP + """
    mesh_zone gateway:16m;
    gateway_auth %(dir)s/auth.json;
%(http)s

    gateway_chain %(chain)s {
        family %(family)s;
        height_tolerance 5;
        check_interval %(check)ds;
%(keys)s
    }

    server {
        listen 127.0.0.1:%(port)d;
        include %(top)s/config/gateway_locations.conf;
    }
}
"""


def ports(n):
    """So many in a row that are free, and none that clients are given."""
    base = 20000

    while base < 32000:
        taken = [socket.socket() for _ in range(n)]
        try:
            for i, s in enumerate(taken):
                s.bind(("0.0.0.0", base + i))
            return list(range(base, base + n))
        except OSError:
            base += 10
        finally:
            for s in taken:
                s.close()

    raise Failure("there are no free ports")


def keys():
    with open(os.path.join(RIG, "keys.json")) as f:
        return json.load(f)


class Nginx(Process):
    conf = ""
    workers = 1
    address = "127.0.0.1"

    def __init__(self, name, folder, port, **names):
        super().__init__(name, folder)
        self.dir = os.path.join(folder, name)
        self.port = port
        self.names = {**conf_names(self.dir, port, self.workers),
                      "connections": 2048, "level": "info", **names}

    def configure(self):
        path = os.path.join(self.dir, "nginx.conf")
        write(path, self.conf % self.names)
        return path

    def run(self, **options):
        path = self.configure()
        self.start(NGINX, "-p", self.dir, "-c", path,
                   "-e", self.dir + "/error.log", **options)
        wait_for(self.name, 10,
                 lambda: self.alive() and listens(self.address, self.port))
        return self


class Edge(Nginx):
    conf = EDGE


class Gateway(Nginx):
    conf = GATEWAY
    workers = 2
    environment = {}

    def run(self):
        write(self.dir + "/auth.json", json.dumps({"Value": TOKEN}))
        self.names["environment"] = "".join("env %s;\n" % name
                                            for name in self.environment)
        return super().run(env={**os.environ, **self.environment})

    def own_clock(self):
        """The time of day of this gateway alone, which step() changes."""
        self.step(0)
        self.environment = {"LD_PRELOAD": FAKETIME[0],
                            "FAKETIME_TIMESTAMP_FILE": self.dir + "/clock",
                            "FAKETIME_NO_CACHE": "1",
                            "DONT_FAKE_MONOTONIC": "1"}

    def step(self, seconds):
        path = self.dir + "/clock"
        write(path + ".new", "%+d\n" % seconds)
        os.rename(path + ".new", path)

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def serves(self):
        try:
            get(self.url("/gateway/find/" + CHAIN))
            return True
        except OSError:
            return False

    def nodes(self):
        return json.loads(get(self.url("/gateway/nodes?chain=" + CHAIN),
                              {"x-api-key": TOKEN}))

    def quiet(self):
        """No checks from here on: other workers, with the same zone."""
        old = set(self.pids()[1:])
        self.names["family"] = "none"
        self.configure()
        self.process.send_signal(signal.SIGHUP)
        wait_for("a reload", 30, lambda: len(self.pids()) > self.workers
                 and not old & set(self.pids()))

    def report(self, path):
        """What became of the relays, by meshctl; to a file, and given."""
        subprocess.run([os.path.join(BUILD, "meshctl"), "gateway", "report",
                        "--url", self.url(""), "--token-file",
                        self.dir + "/auth.json", "--output", path],
                       check=True)
        with open(path) as f:
            return json.load(f)["rows"]


class Net:
    """The rig's full node: chain, dispatcher, claims."""

    def __init__(self, folder, port, block):
        self.dir = os.path.join(folder, "net")
        self.port = port
        self.block = block
        self.url = "http://127.0.0.1:%d" % self.port

    def run(self, servicers):
        """servicers: name to URL"""
        options = [x for name, url in servicers.items()
                   for x in ("--servicer-url", name + "=" + url)]
        self.tool("up", "--session-allowance", "2", "--port", str(self.port),
                  "--block-time", str(self.block), *options)
        return self

    def height(self):
        request = urllib.request.Request(self.url + "/v1/query/height", b"{}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["height"]

    def tool(self, *arguments, **options):
        out = subprocess.run([os.path.join(RIG, "localnet"), *arguments],
                             env={**os.environ, "LOCALNET_DIR": self.dir},
                             capture_output=True, text=True)
        if out.returncode and not options.get("may_fail"):
            raise Failure("localnet %s: %s%s" % (" ".join(arguments),
                                                 out.stdout, out.stderr))
        return out

    def end(self):
        if os.path.exists(self.dir):
            self.tool("down", may_fail=True)


class Node:
    """One of the pool: a chain behind a proxy, or an edge between them."""

    def __init__(self, world, i, taken):
        self.world = world
        self.i = i
        self.name = "servicer%d" % (i + 1)
        self.address = "127.0.0.%d" % (11 + i)
        self.chain_port, self.edge_port, self.port = taken
        self.url = "http://%s:%d" % (self.address, self.port)
        self.chain = self.edge = self.proxy = None
        self.key = [s for s in keys()["servicers"]
                    if s["name"] == self.name][0]

    def label(self):
        """As the gateway calls it."""
        return self.key["pub"] if self.world.net else self.name

    def run(self):
        self.run_chain()
        if self.world.net:
            self.run_edge()
        if self.world.proxies:
            self.run_proxy()

    def run_chain(self, *options):
        if self.chain:
            self.chain.end()
        self.chain = Process("chain%d" % self.i, self.world.dir)
        self.chain.start(RELAYGEN, "chain", "-port", str(self.chain_port),
                         "-latency", "%dms" % self.world.latency, *options)
        wait_for(self.chain.name, 10,
                 lambda: listens("127.0.0.1", self.chain_port))

    def run_edge(self):
        world = self.world
        self.edge = Edge("edge%d" % self.i, world.dir, self.edge_port,
                         redis=world.redis.socket, net=world.net.dir,
                         address=self.address)
        self.edge.address = self.address
        write(self.edge.dir + "/keys.json", json.dumps(
            [{"name": self.name, "url": world.net.url,
              "keys": [self.key["priv"]]}]))
        write(self.edge.dir + "/chains.json", json.dumps(
            [{"id": c, "url": "http://127.0.0.1:%d/%s" % (self.chain_port, c)}
             for c in ("0001", "0002", "0021")]))
        self.edge.run()

    def run_proxy(self, *options):
        self.proxy = Process("proxy%d" % self.i, self.world.dir)
        self.proxy.start(RELAYGEN, "proxy", "-listen",
                         "%s:%d" % (self.address, self.port), "-target",
                         "http://%s:%d" % self.behind(), *options)
        wait_for(self.proxy.name, 10,
                 lambda: listens(self.address, self.port))

    def edge_url(self):
        return "http://%s:%d" % (self.address, self.edge_port)

    def behind(self):
        """What the proxy stands before."""
        return ((self.address, self.edge_port) if self.edge
                else ("127.0.0.1", self.chain_port))

    def set(self, text):
        get(self.url + "/_proxy/" + text)


class World:
    """A pool of five and a gateway before it; net: of servicers."""

    def __init__(self, folder, net=False, latency=20, nodes=5, proxies=True,
                 block=BLOCK):
        os.chmod(folder, 0o755)
        self.dir = folder
        self.proxies = proxies
        self.latency = latency
        taken = ports(3 * nodes + 9)
        self.nodes = [Node(self, i, taken[3 * i:3 * i + 3])
                      for i in range(nodes)]
        (self.port, self.altruist_port, self.witness_port,
         self.dispatcher_port, net_port) = taken[3 * nodes:][:5]
        self.net = Net(folder, net_port, block) if net else None
        self.redis = Redis("redis", folder)     # of the edges
        self.store = Redis("store", folder)     # of the gateway
        self.witness = self.altruist = None

    def run(self):
        self.store.run()
        if self.net:
            self.redis.run()
            self.net.run({n.name: n.url if self.proxies else n.edge_url()
                          for n in self.nodes})
        for node in self.nodes:
            node.run()
        return self

    def run_gateway(self, keys="", operators=None, witness=False,
                    altruist=False, dispatchers=None, own_clock=False):
        """operators: names, in the order of the nodes"""
        names = operators or [n.name for n in self.nodes]
        http = "    mesh_redis unix:%s;\n" % self.store.socket

        if self.net:
            http += self.net_conf(names, dispatchers or [self.net.url])

        if witness:
            self.witness = self.witness or self.honest(self.witness_port)
            keys += "        witness http://127.0.0.1:%d/%s;\n" % (
                self.witness_port, CHAIN)

        if altruist:
            self.altruist = self.altruist or self.honest(self.altruist_port)
            keys += "        altruist http://127.0.0.1:%d/%s;\n" % (
                self.altruist_port, CHAIN)

        if not self.net:
            keys += "".join("        node %s/%s name=%s operator=%s;\n"
                            % (n.url, CHAIN, n.name, name)
                            for n, name in zip(self.nodes, names))

        gateway = Gateway("gateway", self.dir, self.port, http=http,
                          chain=CHAIN, check=CHECK, keys=keys,
                          family="evm")
        if own_clock:
            gateway.own_clock()

        return gateway.run()

    def honest(self, port):
        """A chain that is none of the nodes'."""
        return Process("chain%d" % port, self.dir).start(
            RELAYGEN, "chain", "-port", str(port))

    def net_conf(self, operators, dispatchers):
        app = [a for a in keys()["apps"] if a["name"] == APP][0]
        path = os.path.join(self.dir, "apps.json")
        write(path, json.dumps([{"name": APP, "priv_key": app["priv"]}]))

        return ("    gateway_dispatcher %s;\n    gateway_apps %s;\n"
                % (" ".join(dispatchers), path)
                + "".join("    gateway_operator %s %s/32;\n"
                          % (name, n.address)
                          for n, name in zip(self.nodes, operators)))

    def end(self):
        for process in reversed(list(Process.all)):
            process.end()
        if self.net:
            self.net.end()


def wipe(folder):
    shutil.rmtree(folder, ignore_errors=True)
