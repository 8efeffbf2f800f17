"""The servers that Spate is compared with: one entry of PEERS each.

  known()                    all of them, those that the environment names included
  available(kind)            ([Peer], [(name, what is missing)]), kind being one of KINDS
  Peer.command(kind, port, request_bytes, reply_bytes)   the words that start it
  Peer.path(kind)            of the URL
  Peer.flags(kind)           what spate-bench is told further, so that it speaks the peer's protocol
  Peer.version()             of the library that is measured

A server of kind echo sends every message back to where it came from; one of kind fanout sends it to
every other connection, or is spoken to in its own protocol. Of kind tls is one that echoes over TLS,
with a certificate made for the run; of kind deflate one that echoes with permessage-deflate and
keeps no context in either direction. Each is one process with one busy thread, which the caller pins
to a core.

PEER_NAME='/path/to/binary {port}' in the environment adds an echo server, PEER_NAME_FANOUT one for
fan-out; docs/benchmarks.md tells the rest.
"""
import json
import os
import platform
import re
import resource
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import certificate

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
KINDS = ("echo", "fanout", "tls", "deflate")
DESCRIPTORS = 65536  # libwebsockets has a table of as many as it may open, so not all there are


@dataclass(frozen=True)
class Peer:
    """One server. In what it is started with, {here} {build} {port} {request} {reply} are filled
    in, the last two with the bytes of a request's and of a reply's frame; {certificate} and {key}
    with the paths of PEM files."""

    name: str
    title: str
    echo: str = ""  # command; empty: it cannot
    fanout: str = ""
    tls: str = ""
    deflate: str = ""
    packages: tuple = ()  # of Debian, or npm:NAME
    needs: tuple = ()  # programs and files without which it cannot run
    paths: dict = field(default_factory=dict)  # kind -> path of the URL; / unless it is here
    bench: dict = field(default_factory=dict)  # kind -> further flags of spate-bench
    found: str = ""  # how its version is: dpkg PACKAGE, npm PACKAGE, or a command

    def can(self, kind):
        return bool(getattr(self, kind))

    def words(self, kind, port, request_bytes, reply_bytes):
        fills = {"here": HERE, "build": BUILD, "port": port,
                 "request": request_bytes, "reply": reply_bytes}
        command = getattr(self, kind)
        if port and "{certificate}" in command:
            fills |= {"certificate": certificate.certificate(), "key": certificate.key()}
        return [fill(word, fills) for word in shlex.split(command)]

    def command(self, kind, port, request_bytes, reply_bytes):
        """What is started. A shell's 1,024 descriptors are too few, and few servers ask for more
        themselves; the shell that does is replaced by the server."""
        words = self.words(kind, port, request_bytes, reply_bytes)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        if soft == resource.RLIM_INFINITY or soft >= files:
            return words
        return ["sh", "-c", f'ulimit -Sn {files}; exec "$@"', "sh", *words]

    def path(self, kind):
        return self.paths.get(kind, "/")

    def flags(self, kind):
        return shlex.split(self.bench.get(kind, ""))

    def missing(self, kind):
        """Why it cannot run, with what to do about it; empty when it can."""
        words = self.words(kind, 0, 0, 0)
        # What `env` starts stands behind its assignments.
        program = next((word for word in words if word != "env" and "=" not in word), words[0])
        needs = [*(fill(need, {"here": HERE, "build": BUILD}) for need in self.needs), program,
                 *(["openssl"] if kind == "tls" else [])]
        for need in needs:
            there = (ROOT / need).exists() if "/" in need else shutil.which(need)
            if not there and need == "openssl":
                return "openssl is missing, which makes certificates; apt-get install openssl"
            if not there:
                return f"{need} is missing; {self.remedy()}"
        return ""

    def remedy(self):
        if not self.packages:
            return "make" if self in PEERS else f"PEER_{self.name.upper()} must name a program"
        return f"make peers ({', '.join(self.packages)})"

    def version(self):
        how, _, what = self.found.partition(" ")
        try:
            if how == "npm":
                told = (HERE / "node_modules" / what / "package.json").read_text(encoding="utf-8")
                return json.loads(told)["version"]
            words = shlex.split(self.found) or ["false"]
            if how == "dpkg":
                words = ["dpkg-query", "-W", "-f", "${Version}", what]
            words = [fill(word, {"here": HERE, "build": BUILD}) for word in words]
            told = subprocess.run(words, cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT).stdout
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
        number = re.search(r"\d+(\.\d+)+|[0-9a-f]{7,}", told)
        return number[0] if number else "unknown"


def fill(text, values):
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


NODE = "{here}/node_modules"
BUN = f"{NODE}/@oven/bun-linux-{'aarch64' if platform.machine() == 'aarch64' else 'x64'}/bin/bun"

# MQTT 3.1.1: CONNECT without a name, SUBSCRIBE and SUBACK of identifier 1, PUBLISH; topic c, QoS 0.
MQTT_CONNECT = r"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0"
MQTT = ("--header 'Sec-WebSocket-Protocol: mqtt' "
        f"--subscribe-frame '{MQTT_CONNECT}' --publisher-frame '{MQTT_CONNECT}' "
        r"--subscribe-frame '\x82\x06\0\x01\0\x01c\0' --ready-when '\x90\x03\0\x01\0' "
        r"--publish-frame '\x30{{payload_varint+3}}\0\x01c{{payload}}'")
NATS_CONNECT = r'CONNECT {"verbose":false}\r\n'
NATS = (f"--subscribe-frame '{NATS_CONNECT}SUB c 1\\r\\nPING\\r\\n' --ready-when PONG "
        f"--publisher-frame '{NATS_CONNECT}' "
        r"--publish-frame 'PUB c {{payload_bytes}}\r\n{{payload}}\r\n' "
        r"--app-ping 'PING\r\n' --app-pong 'PONG\r\n'")
SOCKETIO = "--text --ready-when 40{ --app-ping 2 --app-pong 3 "


SPATE = "{build}/spate --workers 1 --internal-listen '' --echo /echo"
SPATE_HUB = "{build}/spate --workers 1 --internal-listen '' --config {here}/hub.json"


def own(name, title, packages, found, binary="", can=(), **more):
    """A peer of a program of bench/peers, which is told `echo` or `fanout`, and the port; and what
    else of KINDS it `can`, by flags."""
    echo = f"{binary or f'{{build}}/peers/{name}'} echo {{port}}"
    flags = {"tls": "--certificate {certificate} --key {key}", "deflate": "--deflate"}
    return Peer(name, title, packages=packages, found=found, echo=echo,
                fanout=echo.replace(" echo ", " fanout "),
                **{kind: f"{echo} {flags[kind]}" for kind in can}, **more)


PEERS = [
    Peer("floor", "the floor: bare epoll, nothing parsed", found="git rev-parse --short HEAD",
         echo="{build}/peers/floor echo {port} {request} {reply}",
         fanout="{build}/peers/floor fanout {port} {request} {reply}",
         bench={"echo": "--raw", "fanout": "--raw"}),
    Peer("spate", "Spate", found="{build}/spate --version",
         paths=dict.fromkeys(("echo", "tls", "deflate"), "/echo") |
         {"fanout": "/connection/websocket"},
         bench={"fanout": "--protocol centrifuge"},
         fanout=f"{SPATE_HUB} --listen 127.0.0.1:{{port}}",
         echo=f"{SPATE} --listen 127.0.0.1:{{port}}",
         tls=f"{SPATE} --listen tls:127.0.0.1:{{port}} --tls-cert {{certificate}} --tls-key {{key}}",
         deflate=f"{SPATE} --listen 127.0.0.1:{{port}} --deflate"),
    own("bun", "Bun (µWebSockets)", ("npm:bun",), "npm bun", f"{BUN} {{here}}/bun.js",
        can=("tls", "deflate")),
    own("ws", "Node ws", ("nodejs", "npm:ws", "npm:bufferutil"), "npm ws", "node {here}/ws.js",
        can=("tls", "deflate"), needs=(f"{NODE}/ws", f"{NODE}/bufferutil")),
    own("socketio", "Socket.IO", ("nodejs", "npm:socket.io"), "npm socket.io",
        "node {here}/socketio.js", needs=(f"{NODE}/socket.io",),
        paths=dict.fromkeys(KINDS, "/socket.io/?EIO=4&transport=websocket"),
        bench={"echo": SOCKETIO + """--hello-frame 40 --message-frame '42["m","{{payload}}"]'""",
               "fanout": SOCKETIO + "--subscribe-frame 40 --publisher-frame 40 "
                                    """--publish-frame '42["m","{{payload}}"]'"""}),
    own("gorilla", "Go gorilla/websocket", ("golang-go", "golang-github-gorilla-websocket-dev"),
        "dpkg golang-github-gorilla-websocket-dev", "{build}/peers/go_gorilla",
        can=("tls", "deflate")),
    own("nhooyr", "Go nhooyr.io/websocket", ("golang-go", "golang-nhooyr-websocket-dev"),
        "dpkg golang-nhooyr-websocket-dev", "{build}/peers/go_nhooyr", can=("deflate",)),
    own("beast", "Boost.Beast", ("libboost-dev", "libssl-dev"), "dpkg libboost-dev",
        can=("tls", "deflate")),
    own("libwebsockets", "libwebsockets", ("libwebsockets-dev",), "dpkg libwebsockets-dev"),
    own("websocketpp", "websocketpp", ("libwebsocketpp-dev", "libboost-dev"),
        "dpkg libwebsocketpp-dev"),
    own("wslay", "wslay on libev", ("libwslay-dev", "libev-dev"), "dpkg libwslay-dev"),
    own("websockets", "Python websockets", ("python3-websockets", "python3-uvloop"),
        "dpkg python3-websockets", "/usr/bin/python3 {here}/python_websockets.py",
        needs=("/usr/lib/python3/dist-packages/websockets",
               "/usr/lib/python3/dist-packages/uvloop")),
    Peer("nats", "NATS", packages=("nats-server",), found="dpkg nats-server",
         needs=("nats-server",), fanout="{here}/launch nats {port}", bench={"fanout": NATS}),
    Peer("mosquitto", "mosquitto (MQTT)", packages=("mosquitto",), found="dpkg mosquitto",
         needs=("/usr/sbin/mosquitto",), fanout="{here}/launch mosquitto {port}",
         bench={"fanout": MQTT}),
    Peer("nchan", "nginx with nchan", packages=("nginx-light", "libnginx-mod-nchan"),
         found="dpkg libnginx-mod-nchan", fanout="{here}/launch nginx {port}",
         needs=("/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_nchan_module.so")),
]


def from_environment(environment):
    """PEER_NAME, PEER_NAME_FANOUT, PEER_NAME_TLS and PEER_NAME_DEFLATE are commands; with _FLAGS and
    _PATH behind, what belongs to them. PEER_NAME_VERSION is a command that prints the version."""
    names = {match[1] for key in environment
             if (match := re.fullmatch(r"PEER_([A-Z0-9]+)(_FANOUT|_TLS|_DEFLATE)?", key))}
    for name in sorted(names):
        if name.lower() in (peer.name for peer in PEERS):
            sys.exit(f"PEER_{name}: {name.lower()} is in bench/peers/peers.py; "
                     "give yours another name")
        def of(suffix, name=name):
            return environment.get(f"PEER_{name}{suffix}", "")
        suffixes = {kind: "" if kind == "echo" else f"_{kind.upper()}" for kind in KINDS}
        yield Peer(name.lower(), of("_TITLE") or name.lower(), found=of("_VERSION"),
                   paths={kind: of(suffix + "_PATH") or of("_PATH") or "/"
                          for kind, suffix in suffixes.items()},
                   bench={kind: of(suffix + "_FLAGS") for kind, suffix in suffixes.items()},
                   **{kind: of(suffix) for kind, suffix in suffixes.items()})


def known():
    return [*PEERS, *from_environment(os.environ)]


def available(kind):
    there, skipped = [], []
    for peer in known():
        if not peer.can(kind):
            continue
        if why := peer.missing(kind):
            skipped.append((peer.name, why))
        else:
            there.append(peer)
    return there, skipped
