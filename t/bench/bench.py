"""What the benchmarks share: servers, loads, and how they are measured.

CPU is that of all threads of a server; the chain, the full node and Redis
are common to all that is compared.  Nothing is gated on a time.
"""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../lib"))

import servers
from servers import (BUILD, Failure, HTTP, NGINX, Process, Redis, conf_names,
                     listens, tree, wait_for, write)

FULL = os.environ.get("BENCH") == "full"

CONNECTIONS = 16
WORKERS = 2
TOKEN = "bench"
REPEATS = 5 if FULL else 3
RATE = 300
LOADS = ("%d/s" % RATE, "saturation")

PROXY = HTTP + """
    upstream chain {
        server 127.0.0.1:%(chain)d;
        keepalive 64;
    }

    server {
        listen 127.0.0.1:%(port)d;

        location / {
            proxy_pass http://chain;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }
}
"""

EDGE = "load_module %(build)s/ngx_mesh_relay_module.so;\n" + HTTP + """
    mesh_redis unix:%(redis)s;
    mesh_relay_servicers %(keys)s;
    mesh_relay_chains %(dir)s/chains.json;
    mesh_relay_auth %(dir)s/auth.json;
    mesh_relay_node_auth %(dir)s/auth.json;

    server {
        listen 127.0.0.1:%(port)d;
        include %(top)s/config/mesh_relay.conf;
    }
}
"""


def program(name):
    return os.path.join(BUILD, name)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path, headers=None):
    return json.loads(servers.get("http://127.0.0.1:%d%s" % (port, path),
                                  headers, timeout=30))


# Processes.

def cpu_us(pids):
    """CPU time of all their threads."""
    total = 0

    for pid in pids:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as f:
                total += int(f.read().split()[0])

    return total / 1000


def memory_mb(pids, field):
    total = 0

    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            total += int(re.search(r"^%s:\s+(\d+)" % field, f.read(),
                                   re.M).group(1))

    return total / 1024


class Server(Process):
    """A server of the bench: started with it, ended with it."""

    def __init__(self, name, command, folder):
        super().__init__(name, folder)
        open(self.log, "w").close()
        self.start(*command, cwd=folder)

    def listening(self, port):
        return self.alive() and listens("127.0.0.1", port)


class Bench:
    """The chain, the full node and Redis, common to all targets."""

    def __init__(self, folder):
        self.dir = folder
        self.entropy = 1
        self.relayed = 0

        self.chain = self.demo("chain")
        self.node = self.demo("node")

        self.redis = Redis("redis", folder).run()

        self.keys = os.path.join(folder, "keys.json")
        self.make_keys(self.keys, 1)

        self.payload = os.path.join(folder, "payload")
        write(self.payload, '{"jsonrpc":"2.0","id":1,'
              '"method":"eth_blockNumber","params":[]}\n')

    def demo(self, what, *options):
        server = Server(what, [program("meshdemo"), what, *options], self.dir)
        wait_for(what, 10, lambda: server.alive()
                 and server.text().startswith("ready "))
        server.port = int(server.text().split()[1].rsplit(":", 1)[1])
        return server

    def make_keys(self, path, count):
        subprocess.run([program("bench/relays"), "keys", path,
                        "http://127.0.0.1:%d" % self.node.port, str(count)],
                       check=True)

    def relays(self, count, size):
        """A file of relays never sent before."""
        path = os.path.join(self.dir, "relays")

        with open(path, "w") as f:
            subprocess.run([program("bench/relays"), "make", str(count),
                            str(self.entropy), "size/%d" % size],
                           stdout=f, check=True)

        self.entropy += count
        return path

    def delivered(self, node):
        return get(node.port, "/_demo/stats")["delivered"]


class Target:
    """Something that serves, on a port of its own."""

    recorded = True         # what it answers is told to the full node
    redis = False

    def __init__(self, bench):
        self.bench = bench
        self.port = free_port()
        self.dir = os.path.join(bench.dir, self.name)
        os.makedirs(self.dir)
        self.node = bench.node
        self.server = None

    def pids(self):
        return tree(self.server.pid)

    def requests(self, count, size):
        """What it is sent: a path, and a file of bodies."""
        return "/v1/client/relay", self.bench.relays(count, size)

    def load(self, count, size, rate=0, connections=CONNECTIONS):
        """One measurement: CPU until all that it caused is done."""
        bench = self.bench

        path, bodies = self.requests(count, size)

        if self.recorded:
            before = bench.delivered(self.node)

        pids = self.pids()
        cpu, redis = cpu_us(pids), cpu_us([bench.redis.pid])

        out = subprocess.run([program("bench/load"), str(self.port), path,
                              bodies, str(connections), str(count), str(rate)],
                             check=True, capture_output=True, text=True)
        r = json.loads(out.stdout)
        r["drain"] = 0.0

        if self.recorded:
            end = time.monotonic()
            wait_for("the backlog of " + self.name, 300,
                     lambda: bench.delivered(self.node) - before
                     >= r["answered"])
            r["drain"] = time.monotonic() - end
            time.sleep(0.3)

        r["cpu"] = (cpu_us(pids) - cpu) / count
        r["redis"] = (cpu_us([bench.redis.pid]) - redis) / count
        r["total"] = r["cpu"] + (r["redis"] if self.recorded else 0)

        if r["answered"] != r["sent"]:
            raise Failure("%s: %d of %d answered, last status %d, see %s"
                          % (self.name, r["answered"], r["sent"],
                             r["status"], self.dir))

        return r

    def end(self):
        self.server.end(signal.SIGQUIT)


class Nginx(Target):
    def names(self):
        """What else its configuration names."""
        return {}

    def start(self, keys=None):
        bench = self.bench
        names = {**conf_names(self.dir, self.port, WORKERS),
                 "redis": bench.redis.socket, "keys": keys or bench.keys,
                 "chain": bench.chain.port, **self.names()}
        conf = os.path.join(self.dir, "nginx.conf")
        write(conf, self.conf % names)
        self.server = Server(self.name, [NGINX, "-p", self.dir, "-c", conf,
                                         "-e", self.dir + "/error.log"],
                             self.dir)
        wait_for(self.name, 10, lambda: self.server.listening(self.port)
                 and len(self.pids()) == WORKERS + 1)
        return self


class Proxy(Nginx):
    name = "proxy"
    conf = PROXY
    recorded = False

    def requests(self, count, size):
        return "/0021/size/%d" % size, self.bench.payload


class Edge(Nginx):
    name = "edge"
    conf = EDGE
    redis = True

    def start(self, keys=None):
        chain = "http://127.0.0.1:%d/0021" % self.bench.chain.port
        write(self.dir + "/chains.json",
              json.dumps([{"id": "0021", "url": chain}]))
        write(self.dir + "/auth.json", json.dumps({"Value": TOKEN}))
        return super().start(keys)

    def ledger(self):
        return get(self.port, "/v1/private/mesh/ledger",
                   {"Authorization": TOKEN})


# Measuring.

def median(results, field):
    return statistics.median(r[field] for r in results)


def summary(results):
    return {field: median(results, field) for field in results[0]}


def crypto_us(whose="crypto"):
    """The crypto floor at each load."""
    out = subprocess.run([program("bench/crypto"), str(RATE)], check=True,
                         capture_output=True, text=True).stdout
    return {load: float(re.search(r"^%s_%s (.*)$" % (whose, name), out,
                                  re.M).group(1))
            for load, name in zip(LOADS, ("floor_paced_us", "floor_us"))}


def crypto(results, whose="crypto"):
    """What is measured before anything else runs."""
    results["crypto"] = summary([crypto_us(whose) for _ in range(REPEATS)])
    print("Crypto floor (verify, sign, hashes): "
          + ", ".join("%.1f us at %s" % (us, load)
                      for load, us in results["crypto"].items()))


def cost(targets, sizes, results):
    """CPU, rates and latencies, by size of the answer and load."""
    print("\n%-9s %-10s %-10s %9s %9s %9s %9s %9s %7s"
          % ("answer", "load", "target", "workers", "redis", "p50", "p99",
             "rate", "drain"))
    print("%-9s %-10s %-10s %9s %9s %9s %9s %9s %7s"
          % ("B", "", "", "us/relay", "us/relay", "us", "us", "1/s", "s"),
          flush=True)

    for size, counts in sizes.items():
        for load, count, rate in zip(LOADS, counts, (RATE, 0)):
            rows = {t.name: [] for t in targets}

            for _ in range(REPEATS):
                for t in targets:
                    rows[t.name].append(t.load(count, size, rate))

            for t in targets:
                r = results[size, load, t.name] = summary(rows[t.name])
                print("%-9d %-10s %-10s %9.1f %9s %9.0f %9.0f %9.0f %7.1f"
                      % (size, load, t.name, r["cpu"],
                         "%.1f" % r["redis"] if t.redis else "-",
                         r["p50_us"], r["p99_us"], r["rps"], r["drain"]),
                      flush=True)


class Goals:
    def __init__(self):
        print("\nGoals:")

    def say(self, text, value, limit, unit="", most=True):
        good = value <= limit if most else value >= limit
        print("  %-3s %s: %.2f%s of %s %.2f%s"
              % ("yes" if good else "no", text, value, unit,
                 "at most" if most else "at least", limit, unit))


def machine():
    with open("/proc/cpuinfo") as f:
        names = re.findall(r"^model name\s*:\s*(.*)$", f.read(), re.M)

    print("%d x %s, load %.1f; nginx with %d workers, %d connections, "
          "medians of %d" % (os.cpu_count(), names[0] if names else "CPU",
                             os.getloadavg()[0], WORKERS, CONNECTIONS,
                             REPEATS))


def main(doc, known, run):
    """Runs the parts that are named, or all; files are kept after a fault."""
    parts = sys.argv[1:] or known

    if set(parts) - set(known):
        sys.exit(doc)

    folder = tempfile.mkdtemp(prefix="mesh-bench.")
    failed = True

    try:
        run(Bench(folder), parts)
        failed = False
    except (Failure, OSError, subprocess.CalledProcessError) as e:
        print("bench: %s" % e, file=sys.stderr)
    finally:
        for server in reversed(list(Process.all)):
            server.end()
        if failed:
            print("bench: its files are in %s" % folder, file=sys.stderr)
        else:
            shutil.rmtree(folder)

    sys.exit(1 if failed else 0)
