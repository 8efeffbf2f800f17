"""The server trees that are measured, and spate-bench at the other end."""
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from measure import ROOT, MeasureError
from million import limits


def all_descriptors():
    """Before exec: as many descriptors as can be had."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Tree:
    """A server's processes, under one parent, for as long as the with block lasts."""

    told_to_stop = False

    def start(self, command):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log, cwd=ROOT,
                                        start_new_session=True, preexec_fn=all_descriptors)

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def until(self, condition, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise MeasureError(f"{what}: not within {seconds} s; it said: {self.text()[-1000:]}")
            time.sleep(0.02)

    def stop(self, seconds=60):
        """Tells the group to end. How long that took."""
        began = time.monotonic()
        self.told_to_stop = True
        if self.process.poll() is None:
            self.tell(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Spate(Tree):
    name = "spate"

    def __init__(self, binary, workers, *flags, drain_seconds=1, path="/echo"):
        self.start([binary, "--workers", str(workers), "--echo", "/echo", "--listen", "127.0.0.1:0",
                    "--internal-listen", "127.0.0.1:0", "--drain-seconds", str(drain_seconds), *flags])
        try:
            self.until(lambda: "ready: " in self.text(), "the server's start")
        except MeasureError:
            self.stop()
            raise
        self.url = f"ws://127.0.0.1:{self.port_after('listening on 127.0.0.1:')}{path}"
        self.internal = self.port_after("internal listener on 127.0.0.1:")

    def port_after(self, phrase):
        return int(self.text().split(phrase)[1].split()[0])

    def tell(self, which):
        self.process.send_signal(which)

    def warnings(self):
        return [line for line in self.text().splitlines() if " warn " in line or " error " in line]

    def metrics(self, by_worker=False):
        """Every sample by its name and labels."""
        url = f"http://127.0.0.1:{self.internal}/metrics" + ("?by=worker" if by_worker else "")
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                lines = answer.read().decode().splitlines()
        except (OSError, http.client.HTTPException) as error:
            raise MeasureError(f"{url}: {error!r}") from error
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


    def call(self, method, body, timeout):
        """A call of the server API: its result."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.internal}/api/{method}",
                                         json.dumps(body, separators=(",", ":")).encode())
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise MeasureError(f"{method}: {error!r}") from error
        answer = json.loads(text)
        if "result" not in answer:
            raise MeasureError(f"{method}: {text}")
        return answer["result"]


class Floors(Tree):
    """As many floors on one port, children of one shell."""
    name = "floor"

    def __init__(self, binary, count, request, reply):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        script = 'for i in $(seq "$1"); do "$2" echo "$3" "$4" "$5" & done; wait'
        self.start(["sh", "-c", script, "floors", str(count), binary, str(port), str(request), str(reply)])
        self.url = f"ws://127.0.0.1:{port}/"
        try:
            self.until(lambda: self.listening(port) == count, f"{count} floors' start")
        except MeasureError:
            self.stop()
            raise

    @staticmethod
    def listening(port):
        address, listen = f"0100007F:{port:04X}", "0A"
        rows = [line.split() for line in limits.read("/proc/net/tcp").splitlines()[1:]]
        return sum(row[1] == address and row[3] == listen for row in rows)

    def tell(self, which):
        os.killpg(self.process.pid, which)


def sockets():
    """TCP sockets on this machine, two for each of our connections: half as many."""
    words = next(line.split() for line in limits.read("/proc/net/sockstat").splitlines() if line.startswith("TCP:"))
    return int(words[words.index("inuse") + 1]) // 2


def bench(binary, server, flags, say, look=lambda: None, every=1.0, scenario="mix"):
    """Runs spate-bench; calls look() now and then; its JSON."""
    with tempfile.NamedTemporaryFile() as out, tempfile.TemporaryFile(mode="w+") as log:
        command = [binary, scenario, server.url, "--quiet", "--json", out.name, "--server-pid", str(server.process.pid),
                   *flags]
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=all_descriptors)
        told, before = time.monotonic(), sockets()
        try:
            while process.poll() is None:
                if limits.available_bytes() < limits.LEAST_BYTES:
                    raise MeasureError("memory is running out: ended before the kernel ends something")
                if server.process.poll() is not None and not server.told_to_stop:
                    raise MeasureError(f"{server.name} has ended: {server.text()[-1000:]}")
                look()
                if time.monotonic() - told >= 5:
                    told = time.monotonic()
                    say(f"{max(0, sockets() - before):,} connections, "
                        f"{limits.available_bytes() / limits.GIB:.1f} GiB available")
                try:
                    process.wait(every)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        report = out.read()
        if not report:
            log.seek(0)
            raise MeasureError(f"{' '.join(command)} came to nothing: {log.read()[-1000:]}")
        return json.loads(report)
