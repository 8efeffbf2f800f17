"""Python's websockets as a client. What is printed, and for whom: see run."""

import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Opcode
from websockets.legacy.client import WebSocketClientProtocol

FIRST, SECOND, THIRD = sys.argv[1:4]
SIZES = [0, 1, 125, 126, 65535, 65536]
LIMIT_BYTES = 65536
PINGS = 20  # more than the server sends to one that does not answer


class PingCounter(WebSocketClientProtocol):
    """Counts the pings that it answers."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.answered = 0
        self.enough = asyncio.Event()

    async def pong(self, data=b""):
        await super().pong(data)
        self.answered += 1
        if self.answered == PINGS:
            self.enough.set()


def connect(url=FIRST, path="/echo", **options):
    return websockets.connect(url + path, max_size=2**20, ping_interval=None, **options)


def same(got, expected):
    if got != expected:
        raise AssertionError(f"expected {expected!r:.200}, got {got!r:.200}")


async def echoes(message):
    async with connect() as socket:
        await socket.send(message)
        same(await socket.recv(), message)


async def echoes_text():
    async with connect() as socket:
        for size in SIZES:
            text = ("abcdefghijklm" * (size // 13 + 1))[:size]
            await socket.send(text)
            same(await socket.recv(), text)


async def echoes_binary():
    async with connect() as socket:
        for size in SIZES:
            data = bytes(i * 7 % 256 for i in range(size))
            await socket.send(data)
            same(await socket.recv(), data)


async def echoes_non_ascii():
    for text in ["Grüße, Jürgen", "日本語のテキスト", "🦀🚀🇫🇷", "\0 \U0010ffff \x7f", "é" * 32768]:
        await echoes(text)


async def compresses():
    messages = [
        *(f'{{"id":{i % 97},"name":"user"}},' * (i % 60 + 1) for i in range(1000)),
        "x" * 131072,
        bytes(i * i * 7 % 251 for i in range(3000)),
    ]
    # The library's own choice, and without contexts.
    plain = ClientPerMessageDeflateFactory(
        server_no_context_takeover=True, client_no_context_takeover=True
    )
    for options in ({}, {"compression": None, "extensions": [plain]}):
        async with connect(url=THIRD, **options) as socket:
            same([extension.name for extension in socket.extensions], ["permessage-deflate"])
            for message in messages:
                await socket.send(message)
                same(await socket.recv(), message)


async def keeps_order():
    messages = [f"{i} " + "x" * (i % 300 if i % 100 else 20000) for i in range(2000)]
    async with connect() as socket:

        async def send_all():
            for message in messages:
                await socket.send(message)

        sender = asyncio.create_task(send_all())
        for message in messages:
            same(await socket.recv(), message)
        await sender


async def sends_fragments():
    async with connect() as socket:
        await socket.send(["frag", "", "men", "ts äö"])
        same(await socket.recv(), "fragments äö")
        await socket.send([bytes([i]) * 300 for i in range(200)])
        same(await socket.recv(), b"".join(bytes([i]) * 300 for i in range(200)))


async def gets_pong():
    async with connect() as socket:
        for payload in [b"", b"here?", bytes(range(1, 126))]:
            await asyncio.wait_for(await socket.ping(payload), 10)


async def answers_pings():
    async with connect(SECOND, create_protocol=PingCounter) as socket:
        await asyncio.wait_for(socket.enough.wait(), 20)
        await socket.send("still here")
        same(await socket.recv(), "still here")


async def agrees_on_subprotocol():
    async with connect(subprotocols=["chat.v1", "chat.v2"]) as socket:
        same(socket.subprotocol, "chat.v2")
    async with connect(subprotocols=["chat.v1", "other"]) as socket:
        same(socket.subprotocol, "chat.v1")
    async with connect(subprotocols=["other"]) as socket:
        same(socket.subprotocol, None)


async def closes():
    for code in [1000, 3000, 4001]:
        async with connect() as socket:
            await socket.close(code, "bye")
            same(socket.close_code, code)


async def closes_without_code():
    async with connect() as socket:
        await socket.write_frame(True, Opcode.CLOSE, b"")
        await asyncio.wait_for(socket.wait_closed(), 10)
        same(socket.close_code, 1005)


async def closed_with(code, send):
    async with connect() as socket:
        try:
            await send(socket)
        except websockets.ConnectionClosed:
            pass  # it may be told before it has sent everything
        await asyncio.wait_for(socket.wait_closed(), 10)
        same(socket.close_code, code)


async def is_closed_past_limit():
    await closed_with(1009, lambda socket: socket.send("x" * (LIMIT_BYTES + 1)))
    await closed_with(1009, lambda socket: socket.send(b"x" * 2**20))
    await closed_with(1009, lambda socket: socket.send(["x" * LIMIT_BYTES, "x"]))


async def is_closed_for_bad_text():
    await closed_with(1007, lambda socket: socket.write_frame(True, Opcode.TEXT, b"caf\xe9"))
    await closed_with(1007, lambda socket: socket.write_frame(True, Opcode.TEXT, b"\xed\xa0\x80"))


async def refused_with(status, **options):
    try:
        async with connect(**options):
            raise AssertionError(f"expected {status}, got a connection")
    except websockets.InvalidStatusCode as refusal:
        same(refusal.status_code, status)


async def is_refused_at_unknown_path():
    await refused_with(404, path="/nothing")
    await refused_with(404, path="/")


async def is_refused_from_other_origin():
    await refused_with(403, origin="http://elsewhere.example")
    await refused_with(403, origin="http://127.0.0.1")
    await refused_with(403, origin="null")
    await refused_with(403, url=SECOND, origin="https://example.com.evil.test")


async def is_welcome_from_allowed_origin():
    for url, origin in [
        (FIRST, FIRST.replace("ws:", "http:")),
        (SECOND, "http://127.0.0.1:1234"),
        (SECOND, "https://app.example.com"),
    ]:
        async with connect(url, origin=origin) as socket:
            await socket.send("welcome")
            same(await socket.recv(), "welcome")


async def is_refused_for_version():
    host, port = FIRST.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /echo HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 12\r\n\r\n".encode()
    )
    head, *_ = (await asyncio.wait_for(reader.read(), 10)).decode().split("\r\n\r\n")
    writer.close()
    same(head.split("\r\n")[0].split(" ")[1], "426")
    same("\r\nsec-websocket-version: 13" in head.lower(), True)


async def is_told_when_server_leaves():
    async with connect() as socket:
        await socket.send("before")
        same(await socket.recv(), "before")
        print("leave", flush=True)
        await asyncio.wait_for(socket.wait_closed(), 20)
        same(socket.close_code, 1001)


CHECKS = {
    "echoes text": echoes_text,
    "echoes binary": echoes_binary,
    "echoes text that is not ASCII": echoes_non_ascii,
    "gets many messages back in order": keeps_order,
    "sends a message in fragments": sends_fragments,
    "gets a pong for its ping": gets_pong,
    "answers the server's pings": answers_pings,
    "agrees on a subprotocol": agrees_on_subprotocol,
    "closes with a code and gets it back": closes,
    "closes without a code": closes_without_code,
    "is closed with 1009 past the limit": is_closed_past_limit,
    "is closed with 1007 for bad text": is_closed_for_bad_text,
    "is refused with 404 at an unknown path": is_refused_at_unknown_path,
    "is refused with 403 from another origin": is_refused_from_other_origin,
    "is welcome from its own and from an allowed origin": is_welcome_from_allowed_origin,
    "is refused with 426 for another version": is_refused_for_version,
    "compresses": compresses,
    "is told 1001 when the server leaves": is_told_when_server_leaves,
}


async def main():
    failed = False
    for name, check in CHECKS.items():
        try:
            await asyncio.wait_for(check(), 20)
            print(f"ok {name}", flush=True)
        except Exception as error:  # each check tells its own failure
            failed = True
            print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)
    return failed


sys.exit(asyncio.run(main()))
