"""Workers are killed, stopped and starved under load; what must hold is checked from outside.

  supervision.py BINARY SCENARIO [--rounds N]

  kill         a worker dies by SIGKILL
  all          every worker dies by SIGKILL at once
  stop         a worker is stopped until the stall limit, then replaced
  descriptors  a worker may open no more descriptors
  drain        the master is told to leave
  orphan       the master dies by SIGKILL

In the first three, connections of the other workers go on, and a connection begun after the blow is
served within 300 ms. In the last two, replies have no holes, every client gets a close frame, the end of
TCP is no reset, and nothing is left behind.
"""

import argparse
import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from ws_probe import Client, Gone, alive, children, owners, until

WORKERS = 8
PACE = 0.7  # seconds a round: a slot that dies three times within ten is restarted with a pause
RESIDENTS = 60
LIMIT = 0.3  # seconds until a new connection must have been served


class Server:
    def __init__(self, binary, *flags):
        self.pid_file = tempfile.mktemp(prefix="spate-test-")
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [binary, "--echo", "/echo", "--listen", "127.0.0.1:0", "--internal-listen",
             "127.0.0.1:0", "--workers", str(WORKERS), "--pid-file", self.pid_file, *flags],
            stdout=subprocess.DEVNULL, stderr=self.log)

    async def ready(self):
        await until(lambda: "internal listener on" in self.text(), "the server's start")
        self.port = self.port_after("listening on 127.0.0.1:")
        self.internal_port = self.port_after("internal listener on 127.0.0.1:")
        await until(lambda: len(self.workers()) == WORKERS, "its workers")
        return self

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def port_after(self, phrase):
        return int(self.text().split(phrase)[1].split()[0])

    def workers(self):
        return [pid for pid in children(self.process.pid) if alive(pid)]

    def metric(self, name):
        url = f"http://127.0.0.1:{self.internal_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        values = [float(l.rsplit(" ", 1)[1]) for l in lines if l.split("{")[0].split(" ")[0] == name]
        assert values, f"no metric {name}"
        return sum(values)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self):
        """What a test that failed leaves: the master, and workers that would drain for a while."""
        if self.process.poll() is None:
            for pid in [self.process.pid, *self.workers()]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
            sys.stderr.write(self.text())


class Load:
    """Residents that echo without a pause, and probes that connect all the time."""

    def __init__(self, server):
        self.server = server
        self.residents = []
        self.probes = []  # (began, seconds, error)
        self.stopping = False

    async def start(self):
        self.residents = [await Client().open(self.server.port) for _ in range(RESIDENTS)]
        self.tasks = [asyncio.create_task(self.chatter(c)) for c in self.residents]
        self.tasks += [asyncio.create_task(self.probe()) for _ in range(3)]

    async def chatter(self, client):
        try:
            while not self.stopping:
                await client.echo(b"message %d" % client.count)
                client.count += 1
                await asyncio.sleep(0.002)
        except (Gone, ConnectionError) as error:
            client.gone = error

    async def probe(self):
        while not self.stopping:
            began = time.monotonic()
            try:
                client = await asyncio.wait_for(Client().open(self.server.port), 5)
                self.probes.append((began, client.ready - began, None))
                client.close()
            except Exception as error:
                self.probes.append((began, time.monotonic() - began, repr(error)))
            await asyncio.sleep(0.005)

    def owned_by(self, pids):
        owner = owners(self.server.port, pids)
        return {c: owner.get(c.local_port) for c in self.residents if c.gone is None}

    async def check_untouched(self, clients):
        before = {c: c.count for c in clients}
        await until(lambda: all(c.gone or c.count > before[c] for c in clients), "echoes to go on")
        lost = [c for c in clients if c.gone]
        assert not lost, f"{len(lost)} connections of other workers were lost: {lost[0].gone}"

    def check_probes(self, since):
        """Those begun after `since`: all served, in time. The slowest."""
        new = [p for p in self.probes if p[0] > since]
        failed = [p for p in new if p[2]]
        assert new and not failed, f"{len(failed)} of {len(new)} new connections failed: {failed[:3]}"
        slowest = max(p[1] for p in new)
        assert slowest <= LIMIT, f"a new connection waited {slowest * 1000:.0f} ms"
        return slowest

    async def refill(self):
        self.residents = [c for c in self.residents if c.gone is None]
        while len(self.residents) < RESIDENTS:
            client = await Client().open(self.server.port)
            self.residents.append(client)
            self.tasks.append(asyncio.create_task(self.chatter(client)))

    async def stop(self):
        self.stopping = True
        await asyncio.gather(*self.tasks)
        for client in self.residents:
            client.close()


async def strike(server, scenario, rounds):
    """kill, stop, descriptors: a blow to one worker, again and again."""
    load = Load(server)
    await load.start()
    slowest, lost = 0, 0
    for _ in range(rounds):
        workers = server.workers()
        victim = workers[0]  # the oldest, so that they take turns
        owned = load.owned_by(workers)
        others = [c for c, pid in owned.items() if pid not in (None, victim)]
        own = [c for c, pid in owned.items() if pid == victim]
        began = time.monotonic()
        if scenario == "descriptors":
            limits = resource.prlimit(victim, resource.RLIMIT_NOFILE)
            used = max(int(fd) for fd in os.listdir(f"/proc/{victim}/fd")) + 1
            resource.prlimit(victim, resource.RLIMIT_NOFILE, (used, limits[1]))
            await asyncio.sleep(1.0)
            resource.prlimit(victim, resource.RLIMIT_NOFILE, limits)
            others += own
        else:
            os.kill(victim, signal.SIGKILL if scenario == "kill" else signal.SIGSTOP)
            await until(lambda: victim not in server.workers(), "the victim's end")
            await until(lambda: len(server.workers()) == WORKERS, "its replacement")
            await until(lambda: all(c.gone for c in own), "its connections' end")
            lost += len(own)
            await asyncio.sleep(max(0.35, began + PACE - time.monotonic()))  # probes of the aftermath
        await load.check_untouched(others)
        slowest = max(slowest, load.check_probes(began))
        await load.refill()
    await load.stop()
    if scenario != "descriptors":
        restarts = server.metric("spate_worker_restarts_total")
        assert restarts == rounds, f"{restarts} restarts counted, {rounds} made"
    await until(lambda: server.metric("spate_connections") <= 1, "the gauge of connections to fall")
    assert server.stop() == 0
    print(f"ok {scenario}: {rounds} rounds, {len(load.probes)} new connections, the slowest of those "
          f"begun after a blow {slowest * 1000:.0f} ms, {lost} connections died with their worker, "
          f"none of another")


async def massacre(server, rounds):
    """all: nobody is left. Served again within a second, also when that happens again and again."""
    slowest = 0
    for _ in range(rounds):
        workers = server.workers()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: not set(workers) & set(server.workers()), "the workers' end")
        began = time.monotonic()
        client = await asyncio.wait_for(Client().open(server.port), 5)
        slowest = max(slowest, client.ready - began)
        client.close()
    assert slowest <= 1, f"nobody served for {slowest:.1f} s"
    assert server.stop() == 0
    print(f"ok all: every worker killed {rounds} times; served again after {slowest * 1000:.0f} ms at most")


async def leave(server, scenario):
    """drain, orphan: the whole server goes."""
    workers = server.workers()
    clients = [await Client().open(server.port) for _ in range(300)]

    async def pump(client):
        """Bursts of messages, until told to go. True when the end was in order."""
        sent = answered = 0
        try:
            while True:
                for _ in range(8):
                    client.send(b"%d" % sent)
                    sent += 1
                for _ in range(8):
                    payload = await client.receive()
                    assert payload == b"%d" % answered, "a hole in the replies"
                    answered += 1
        except Gone as gone:
            assert gone.code == 1001, f"closed with {gone.code}"
        return await client.ended(), answered

    pumps = [asyncio.create_task(pump(client)) for client in clients]
    await asyncio.sleep(0.5)  # of load
    began = time.monotonic()
    os.kill(server.process.pid, signal.SIGTERM if scenario == "drain" else signal.SIGKILL)
    results = await asyncio.wait_for(asyncio.gather(*pumps), 20)
    seconds = time.monotonic() - began
    in_order = sum(1 for ok, _ in results if ok)
    assert in_order == len(clients), f"{len(clients) - in_order} clients saw a reset"
    code = server.process.wait(timeout=10)
    assert code == (0 if scenario == "drain" else -signal.SIGKILL), code
    await until(lambda: not any(alive(pid) for pid in workers), "the workers' end")
    assert time.monotonic() - began < 2 + 5 + 1, "left too late"
    assert not os.path.exists(server.pid_file), "the pid file was left behind"
    print(f"ok {scenario}: {len(clients)} clients under load, {sum(n for _, n in results)} replies "
          f"without a hole, all closed with 1001 and no reset, over {seconds:.1f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("scenario", choices=["kill", "all", "stop", "descriptors", "drain", "orphan"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(play(options))


async def play(options):
    flags = {"stop": ["--stall-ms", "2000"], "drain": ["--drain-seconds", "2"],
             "orphan": ["--drain-seconds", "2"]}.get(options.scenario, [])
    server = await Server(options.binary, *flags).ready()
    try:
        if options.scenario in ("drain", "orphan"):
            await leave(server, options.scenario)
        elif options.scenario == "all":
            await massacre(server, options.rounds)
        else:
            await strike(server, options.scenario, options.rounds)
    finally:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
