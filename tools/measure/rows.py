"""The loads that servers are measured under."""
from dataclasses import dataclass

RATE_SHARE = 0.60  # of the slowest server's peak: the open-loop rate that all get
KEY_BYTES = 4      # by which a client's frame is longer than a server's: its masking key


def frame_bytes(payload):
    """A server's frame (RFC 6455 5.2)."""
    return payload + (2 if payload < 126 else 4 if payload < 65536 else 10)


@dataclass(frozen=True)
class Row:
    name: str
    scenario: str  # of spate-bench
    title: str
    payload: int = 0
    burst: int = 1
    connections: int = 200
    budget: float = 0  # times the floor; 0: none
    least_seconds: float = 0  # shorter windows hold too few arrivals
    beneath: str = ""  # what a message goes through: tls, deflate
    resumed: bool = False  # TLS sessions go on with earlier ones

    @property
    def kind(self):
        """Of server: idle connections and storms want no more than an echo server."""
        return "fanout" if self.scenario == "fanout" else self.beneath or "echo"

    @property
    def scheme(self):
        return "wss" if self.beneath == "tls" else "ws"

    @property
    def countable(self):
        """Whether a client that only counts bytes knows how many a reply has."""
        return self.beneath != "deflate"

    @property
    def unit(self):
        return {"fanout": "delivery", "storm": "handshake"}.get(self.scenario, "message")

    @property
    def units(self):
        return {"fanout": "deliveries", "storm": "handshakes"}.get(self.scenario, "messages")

    @property
    def request_bytes(self):
        return frame_bytes(self.payload) + KEY_BYTES

    @property
    def reply_bytes(self):
        return frame_bytes(self.payload)

    def flags(self):
        """What spate-bench is told, but for the rate and the length."""
        beneath = {"tls": ["--insecure"], "deflate": ["--deflate"]}.get(self.beneath, [])
        beneath += ["--tls-resume"] if self.resumed else []
        if self.scenario == "idle":
            return beneath
        if self.scenario == "storm":
            return ["--connections", str(self.connections), *beneath]
        messages = ["--size", str(self.payload), "--in-flight", str(self.burst), *beneath]
        if self.scenario == "fanout":
            # Few arrivals a second, each of which is many deliveries: by chance alone a Poisson
            # process would make the load of one run half that of another.
            return [*messages, "--subscribers", str(self.connections), "--arrivals", "constant"]
        return [*messages, "--connections", str(self.connections)]

    def arrivals(self, units_per_second):
        """The value of --rate: a fan-out's is in publications, each of which reaches everybody."""
        return units_per_second / (self.connections if self.scenario == "fanout" else 1)


def echo(name, payload, burst, budget=0.0, beneath=""):
    size = f"{payload} B" if payload < 1024 else f"{payload // 1024} KiB"
    title = {"": "echo", "tls": "echo over TLS", "deflate": "echo, compressed"}[beneath]
    title += f", {size}, 200 connections, "
    title += f"bursts of {burst}" if burst > 1 else "one by one"
    return Row(name, "echo", title, payload, burst, budget=budget, beneath=beneath)


def fanout(name, subscribers, burst, budget):
    title = f"fan-out, 64 B to {subscribers:,} subscribers, " + (
        f"bursts of {burst}" if burst > 1 else "one publication at a time")
    # The fewer arrivals a window has, the more it matters which of them lie across its ends.
    least_seconds = 0.5 if subscribers <= 1000 else 1.0 if burst == 1 else 2.0
    return Row(name, "fanout", title, 64, burst, subscribers, budget, least_seconds)


ROWS = {row.name: row for row in (
    echo("echo-20", 20, 1, 1.04),
    echo("echo-1k", 1024, 1, 1.06),
    echo("echo-16k", 16384, 1, 1.15),
    echo("echo-20-x32", 20, 32, 1.15),
    echo("echo-1k-x32", 1024, 32),
    echo("echo-16k-x32", 16384, 32),
    fanout("fanout-1k", 1000, 1, 1.05),
    fanout("fanout-10k", 10000, 1, 1.05),
    fanout("fanout-1k-x16", 1000, 16, 1.10),
    fanout("fanout-10k-x16", 10000, 16, 1.10),
    Row("idle", "idle", "user memory of an idle connection", connections=15000),
    Row("storm", "storm", "storm: connect, upgrade, close, 200 at a time"),
    echo("echo-1k-tls", 1024, 1, beneath="tls"),
    echo("echo-1k-deflate", 1024, 1, beneath="deflate"),
    Row("idle-tls", "idle", "user memory of an idle TLS connection", connections=3000,
        beneath="tls"),
    Row("storm-tls", "storm", "storm over TLS, full handshakes: connect, upgrade, close, 200 at a "
        "time", beneath="tls"),
    Row("storm-tls-resumed", "storm", "storm over TLS, sessions resumed: 200 at a time", beneath="tls", resumed=True),
)}
