#!/usr/bin/env python3
"""What the rig's programs do not do: answers that come byte by byte, chains
that say errors of their own, and nodes that stand still.

    stub.py drip ADDRESS:PORT TARGET MS          each byte so late
    stub.py error ADDRESS:PORT CODE MESSAGE      in JSON-RPC
    stub.py still ADDRESS:PORT TARGET            again what it said first
"""

import asyncio
import json
import sys


async def request(reader):
    """The text of one request, or nothing at the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = 0

    for line in head.decode().split("\r\n"):
        if line.lower().startswith("content-length:"):
            size = int(line.split(":")[1])

    return head, await reader.readexactly(size)


async def asked(target, head, body):
    """Its answer."""
    reader, writer = await asyncio.open_connection(*target.split(":"))
    writer.write(head + body)
    try:
        return await request(reader)
    finally:
        writer.close()


async def drip(head, body, writer, target, ms):
    head, body = await asked(target, head, body)
    writer.write(head)

    for i in range(len(body)):
        await asyncio.sleep(int(ms) / 1000)
        writer.write(body[i:i + 1])
        await writer.drain()


async def error(head, body, writer, code, message):
    body = json.dumps({"jsonrpc": "2.0", "id": json.loads(body).get("id"),
                       "error": {"code": int(code),
                                 "message": message}}).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


said = {}


async def still(head, body, writer, target):
    key = head.split(b"\r\n")[0], body
    if key not in said:
        said[key] = await asked(target, head, body)
    writer.write(b"".join(said[key]))


async def serve(reader, writer, how, options):
    try:
        while True:
            head, body = await request(reader)
            await how(head, body, writer, *options)
            await writer.drain()
    except (OSError, EOFError, ValueError):
        pass
    finally:
        writer.close()


async def main(how, listen, *options):
    address, port = listen.split(":")
    server = await asyncio.start_server(
        lambda r, w: serve(r, w, how, options), address, int(port),
        reuse_address=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main({"drip": drip, "error": error, "still": still}
                     [sys.argv[1]], *sys.argv[2:]))
