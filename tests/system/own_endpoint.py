"""docs/handlers.md, done as it says: the library is installed, the page's blocks are written to files, its
commands are run, and the programs that come of it are talked to.

  own_endpoint.py BUILD_TREE PAGE

A block is a file when the paragraph before it begins with its name, `shout.cc`. The commands are the lines of the
console blocks: those that call cmake are run as they stand; those that start a server get a port of the
kernel's choice from the environment.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from ws_probe import KEY, frame

PATIENCE = 30  # seconds for anything but a compiler
TEXT, CLOSE = 0x81, 0x88


def blocks(page):
    """(name of the file or None, language, text) of each fenced block."""
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.M | re.S):
        before = page[:match.start()].strip().rsplit("\n\n", 1)[-1]
        name = re.match(r"`([\w.]+)`", before)
        found.append((name and name.group(1), match.group(1), match.group(2)))
    return found


class Server:
    """A program that the page made, started by the page's command."""

    def __init__(self, command, folder):
        self.log = tempfile.TemporaryFile(mode="w+")
        environment = os.environ | {"SPATE_LISTEN": "127.0.0.1:0", "SPATE_INTERNAL_LISTEN": "127.0.0.1:0"}
        self.process = subprocess.Popen(shlex.split(command), cwd=folder, env=environment, stderr=self.log)
        deadline = time.monotonic() + PATIENCE
        while "ready: " not in self.text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.01)
        self.port = self.port_after("master: listening on 127.0.0.1:")
        self.internal_port = self.port_after("internal listener on 127.0.0.1:")

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def port_after(self, phrase):
        return int(self.text().split(phrase)[1].split()[0])

    def metric(self, name):
        url = f"http://127.0.0.1:{self.internal_port}/metrics"
        text = urllib.request.urlopen(url, timeout=PATIENCE).read().decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))

    def leave(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Client:
    """One WebSocket connection; `status` is what the handshake was answered with."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.stream = self.socket.makefile("rb")
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY.decode()}\r\n\r\n".encode())
        self.status = int(self.stream.readline().split()[1])
        while self.stream.readline() not in (b"\r\n", b""):
            pass

    def say(self, text, first_byte=TEXT):
        self.socket.sendall(frame(text.encode(), first_byte))

    def hear(self):
        """The next text, or the code of the close frame, which is answered."""
        first, length = self.stream.read(2)
        payload = self.stream.read(length)
        if first == CLOSE:
            self.socket.sendall(frame(payload, CLOSE))
            self.socket.shutdown(socket.SHUT_WR)
            return int.from_bytes(payload[:2], "big")
        assert first == TEXT, hex(first)
        return payload.decode()


def expect(found, wanted):
    assert found == wanted, f"{found!r} instead of {wanted!r}"


def shout(server):
    client = Client(server.port, "/shout")
    client.say("hello")
    expect(client.hear(), "HELLO")
    expect(server.metric("spate_messages_received_total{opcode=\"text\"}"), 1)
    expect(server.metric("spate_handler_exceptions_total{endpoint=\"/shout\"}"), 0)
    server.process.send_signal(signal.SIGTERM)
    expect(client.hear(), 1001)
    expect(server.process.wait(PATIENCE), 0)


def chat(server):
    ann, bob = Client(server.port, "/chat"), Client(server.port, "/chat")
    expect(Client(server.port, "/chat").status, 503)  # --chat-places 2
    ann.say("Ann")
    bob.say("Bob")
    ann.say("hello")
    expect(ann.hear(), "Ann: hello")
    expect(bob.hear(), "Ann: hello")
    expect(server.metric("chat_people"), 2)
    expect(server.metric("chat_messages_total"), 1)
    bob.say("binary", 0x82)
    expect(bob.hear(), 1003)
    cid = Client(server.port, "/chat")
    expect(cid.status, 101)  # Bob's place is free again
    cid.say("")
    expect(cid.hear(), 4000)
    ann.say("", CLOSE)
    expect(ann.stream.read(2)[0], CLOSE)
    ann.socket.shutdown(socket.SHUT_WR)
    expect(server.leave(), 0)


def main():
    build_tree, page = sys.argv[1:]
    found = blocks(open(page).read())
    with tempfile.TemporaryDirectory(prefix="spate-own-endpoint-") as top:
        prefix, folder = os.path.join(top, "prefix"), os.path.join(top, "project")
        os.mkdir(folder)
        subprocess.run(["cmake", "--install", build_tree, "--component", "library", "--prefix", prefix],
                       check=True, stdout=subprocess.DEVNULL)
        for name, language, text in found:
            if name and language in ("cmake", "cpp"):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
        commands = re.findall(r"^\$ (.*)$", "".join(text for _, kind, text in found if kind == "console"), re.M)
        builds = [command for command in commands if command.startswith("cmake ")]
        servers = [command for command in commands if command.startswith("build/")]
        expect((len(builds), [command.split()[0] for command in servers]), (2, ["build/shout", "build/chat"]))
        for command in builds:
            subprocess.run(command, shell=True, check=True, cwd=folder, stdout=subprocess.DEVNULL,
                           env=os.environ | {"CMAKE_PREFIX_PATH": prefix})
        for command, talk in zip(servers, (shout, chat)):
            with Server(command, folder) as server:
                try:
                    talk(server)
                except Exception:
                    print(server.text(), file=sys.stderr)
                    raise


if __name__ == "__main__":
    main()
