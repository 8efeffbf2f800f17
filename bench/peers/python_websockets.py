"""Python's websockets: echo, or every message to all other connections.

  python_websockets.py echo|fanout PORT
"""
import asyncio
import sys

import uvloop
import websockets

connections = set()


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def fanout(connection):
    connections.add(connection)
    try:
        async for message in connection:
            websockets.broadcast(connections - {connection}, message)
    finally:
        connections.remove(connection)


async def main(kind, port):
    async with websockets.serve(kind, "127.0.0.1", port, compression=None, backlog=4096,
                                ping_interval=None, max_size=64 * 1024 * 1024):
        await asyncio.Future()


uvloop.install()
asyncio.run(main({"echo": echo, "fanout": fanout}[sys.argv[1]], int(sys.argv[2])))
