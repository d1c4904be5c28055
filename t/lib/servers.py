"""Servers on loopback, in a folder: written, started, waited for, ended.

Benchmarks and the gateway's worlds are made of them.  Only what was started
here is ended.
"""

import os
import signal
import socket
import subprocess
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
NGINX = os.environ.get("NGINX_BINARY") or "nginx"

# what each nginx.conf begins with
HTTP = """
daemon off;
%(user)s
worker_processes %(workers)d;
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log %(level)s;

events {
    worker_connections %(connections)d;
}

http {
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path %(dir)s/body;
    proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi;
    scgi_temp_path %(dir)s/scgi;
"""


class Failure(Exception):
    pass


def conf_names(folder, port, workers):
    """What HTTP names, and what a server that begins with it can name."""
    return {"dir": folder, "port": port, "workers": workers, "build": BUILD,
            "top": TOP, "connections": 1024, "level": "warn",
            "user": "user root;" if os.getuid() == 0 else ""}


def get(url, headers=None, timeout=10):
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read()


def wait_for(what, seconds, ready):
    end = time.monotonic() + seconds

    while not ready():
        if time.monotonic() > end:
            raise Failure("%s: not within %d s" % (what, seconds))
        time.sleep(0.05)


def listens(address, port):
    with socket.socket() as s:
        return s.connect_ex((address, port)) == 0


def write(path, text):
    """A file that only its owner reads, in a folder for all."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              "w") as f:
        f.write(text)


def tree(pid):
    """The process and its children."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [pid] + [p for c in f.read().split() for p in tree(int(c))]


class Process:
    """One program, with its children, if any."""

    all = []

    def __init__(self, name, folder):
        self.name = name
        self.log = os.path.join(folder, name + ".log")
        self.process = None

    def start(self, *command, **options):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            start_new_session=True, **options)
        Process.all.append(self)
        return self

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        with open(self.log) as f:
            return f.read()

    def alive(self):
        if self.process.poll() is not None:
            raise Failure("%s ended: %s" % (self.name, self.text()[-2000:]))
        return True

    def pids(self):
        return tree(self.pid)

    def tell(self, number):
        for pid in self.pids():
            os.kill(pid, number)

    def end(self, how=signal.SIGTERM):
        if self not in Process.all:
            return

        Process.all.remove(self)

        if self.process.poll() is None:
            for pid in self.pids() if how == signal.SIGKILL else ():
                os.kill(pid, how)
            self.process.send_signal(how)
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Redis(Process):
    """On a unix socket, with an append-only file in a folder of its own."""

    def __init__(self, name, folder):
        super().__init__(name, folder)
        self.dir = os.path.join(folder, name)
        self.socket = self.dir + ".sock"

    def run(self):
        os.makedirs(self.dir, exist_ok=True)
        self.start("redis-server", "--port", "0", "--unixsocket", self.socket,
                   "--dir", self.dir, "--save", "", "--appendonly", "yes")
        wait_for(self.name, 10, lambda: self.alive() and self.answers())
        return self

    def say(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.socket)
            s.sendall(command + b"\r\n")
            return s.recv(64)

    def answers(self):
        try:
            return self.say(b"PING").startswith(b"+PONG")
        except OSError:
            return False

    def clear(self):
        self.say(b"FLUSHALL")
