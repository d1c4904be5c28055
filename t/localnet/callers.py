"""Callers of a gateway: as many calls a second as wanted, or each as soon as
the last one is answered; and a look at what the gateway says meanwhile.
"""

import asyncio
import json
import time

BALANCE = "0xde0b6b3a7640000"       # what honest chains of the rig answer


class Calls:
    """What became of each call; times are of time.monotonic()."""

    def __init__(self):
        # (due, seconds, status, fault, node, attempts, session)
        self.rows = []

    def between(self, begin, end):
        return [r for r in self.rows if begin <= r[0] < end]

    @staticmethod
    def failed(rows):
        return [r for r in rows if r[3]]

    @staticmethod
    def quantile(rows, q):
        times = sorted(r[1] for r in rows)
        return times[min(int(len(times) * q), len(times) - 1)] if times else 0


def judge(status, body, number):
    """What is wrong with an answer, or None."""
    if status != 200:
        return "status %d" % status
    try:
        answer = json.loads(body)
    except ValueError:
        return "no JSON"
    if not isinstance(answer, dict) or answer.get("id") != number:
        return "another id"
    if "error" in answer:
        return "JSON-RPC error"
    return None if answer.get("result") == BALANCE else "wrong"


class Caller:
    def __init__(self, port, path):
        self.port = port
        self.path = path
        self.reader = self.writer = None

    async def ask(self, number):
        body = json.dumps({"jsonrpc": "2.0", "id": number,
                           "method": "eth_getBalance",
                           "params": ["0x%x" % number, "latest"]})
        text = ("POST %s HTTP/1.1\r\nHost: gateway\r\nContent-Type: "
                "application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (self.path, len(body), body))

        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", self.port)

        self.writer.write(text.encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        fields = {k.lower(): v for k, _, v in
                  (line.partition(": ") for line in lines[1:])}
        body = await self.reader.readexactly(int(fields["content-length"]))
        status = int(lines[0].split()[1])

        if fields.get("connection") == "close":
            self.close()

        return (status, judge(status, body, number),
                fields.get("gateway-node"),
                int(fields.get("gateway-attempts", 0)),
                int(fields.get("gateway-session", 0)))

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


class Load:
    """rate: calls a second; 0: each caller waits for its answer only."""

    def __init__(self, port, path, callers, rate):
        self.calls = Calls()
        self.port, self.path = port, path
        self.rate = rate
        self.number = 0
        self.begun = time.monotonic()
        self.stopped = False
        self.tasks = [asyncio.create_task(self.run()) for _ in
                      range(callers)]

    async def run(self):
        caller = Caller(self.port, self.path)

        while not self.stopped:
            number = self.number
            self.number += 1
            due = time.monotonic()

            if self.rate:
                due = self.begun + number / self.rate
                await asyncio.sleep(max(0, due - time.monotonic()))

            try:
                row = await asyncio.wait_for(caller.ask(number), 60)
            except (OSError, EOFError, asyncio.TimeoutError) as e:
                caller.close()
                row = (0, type(e).__name__, None, 0, 0)

            self.calls.rows.append((due, time.monotonic() - due, *row))

        caller.close()

    async def stop(self):
        self.stopped = True
        await asyncio.gather(*self.tasks)


class Watch:
    """What the gateway says of its nodes, several times a second."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.samples = []       # (time, {node: what is said})
        self.stopped = False
        self.task = asyncio.create_task(self.run())

    async def run(self):
        while not self.stopped:
            now = time.monotonic()
            try:
                nodes = await asyncio.to_thread(self.gateway.nodes)
                self.samples.append((now, {n["node"]: n for n in nodes}))
            except (OSError, ValueError):
                pass
            await asyncio.sleep(max(0, now + 0.1 - time.monotonic()))

    async def stop(self):
        self.stopped = True
        await self.task
