"""A WebSocket client for tests of the server's processes: asyncio, standard library only, literal.

It knows which worker serves a connection by matching the socket's ports with what /proc says, and it
times every connection from the first SYN to the first echo.
"""

import asyncio
import os
import re
import struct
import time

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"


class Gone(Exception):
    """The connection ended; `code` is the close frame's, None when there was none."""

    def __init__(self, code=None):
        super().__init__(f"closed with {code}")
        self.code = code


def frame(payload, first_byte=0x82):
    assert len(payload) < 126
    masked = bytes(b ^ MASK[i % 4] for i, b in enumerate(payload))
    return bytes([first_byte, 0x80 | len(payload)]) + MASK + masked


class Client:
    """One connection to ws://127.0.0.1:port/echo."""

    def __init__(self):
        self.began = self.ready = self.gone = None
        self.count = 0

    async def open(self, port):
        self.began = time.monotonic()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.local_port = self.writer.get_extra_info("sockname")[1]
        self.writer.write(
            b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise Gone()
        await self.echo(b"first")
        self.ready = time.monotonic()
        return self

    async def receive(self):
        """The next message; raises Gone with the code when a close frame or the end comes."""
        try:
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack(">H", await self.reader.readexactly(2))
            payload = await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Gone() from error
        if first == 0x88:
            self.writer.write(frame(payload, 0x88))
            raise Gone(struct.unpack(">H", payload[:2])[0])
        assert first == 0x82, hex(first)
        return payload

    def send(self, payload):
        self.writer.write(frame(payload))

    async def echo(self, payload):
        self.send(payload)
        answer = await self.receive()
        assert answer == payload, (answer, payload)

    async def ended(self):
        """Waits for the server's end of the TCP connection; true when it was no reset."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return False

    def close(self):
        self.writer.close()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def owners(port, pids):
    """{client's port: pid of the worker that has accepted it}, for connections to 127.0.0.1:port."""
    peers = {}
    with open("/proc/net/tcp") as table:
        for line in table:
            match = re.match(r"\s*\d+: 0100007F:(\w{4}) 0100007F:(\w{4}) 01 ", line)
            if match and int(match[1], 16) == port:
                peers[line.split()[9]] = int(match[2], 16)
    found = {}
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                link = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
                if link and link[1] in peers:
                    found[peers[link[1]]] = pid
        except FileNotFoundError:
            pass  # closed, or ended, while we looked
    return found


def alive(pid):
    """Whether it runs: one that has ended and waits to be reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition, what, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        await asyncio.sleep(0.005)
