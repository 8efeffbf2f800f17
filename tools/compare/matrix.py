"""Measures rows, server after server in turns, and keeps every figure.

A row of traffic goes so: each server once as fast as it goes, every reply checked. That gives the
rates: 60 % of the slowest one's peak, which all get, and 70 % of its own. Then rounds; in each,
every server at the equal rate, and in the first few also at its own and again as fast as it goes.
"""
from compare import plan
from measure import MeasureError
from measure.order import round_order
from measure.rows import RATE_SHARE
from measure.server import Server

OWN_SHARE = 0.70
FIRST_MARK = 1000  # connections from which the slope of memory is taken
RESUMED_SHARE = 0.9  # of the handshakes of a row that resumes, but for the first of each slot


def figures(row, report):
    """Of a run's report, what is kept. Times in nanoseconds."""
    server = report["server"]
    kept = {
        "received": report[row.units]["received"],
        "per_second": report[row.units]["per_second"],
        "valid": report["valid"],
        "invalid_because": report["invalid_because"],
        "busiest_load_core": report["client"]["busiest_core"],
        "late_share": report["client"]["late_share"],
        "client_cpu_ns": report["client"].get(f"cpu_ns_per_{row.unit}"),
        "cpu_ns": server.get(f"cpu_ns_per_{row.unit}"),
        "pss_bytes": server["pss_bytes"],
        "processes": server["processes"],
    }
    for histogram in ("latency_ns", "last_latency_ns"):
        if histogram in report:
            kept[histogram] = {key: report[histogram][key]
                               for key in ("count", "p50", "p90", "p99", "p99_9", "max")}
    if row.scenario == "storm" and row.beneath == "tls":
        kept["tls_handshakes"] = report["tls_handshakes"]
    if row.scenario == "idle":
        kept["user_bytes"] = server["user_bytes_per_connection"]
        kept["kernel_bytes"] = report["kernel_bytes_per_connection"]
        kept["open_at_end"] = report["connections"]["open_at_end"]
    return kept


def check(row, report):
    """What spate-bench does not call an error, and the row cannot do with."""
    if not row.resumed:
        return
    full, resumed = (report["tls_handshakes"][kind] for kind in ("full", "resumed"))
    if resumed < RESUMED_SHARE * (full + resumed - row.connections):
        raise MeasureError(f"of {full + resumed} TLS sessions it resumed {resumed}")


def able(row, servers):
    """Those that can be in a row. Where nothing is said but the handshake, servers with a protocol
    of their own would not hold what they hold for a client."""
    if row.scenario in ("idle", "storm"):
        return [peer for peer in servers if set(peer.flags(row.kind)) <= {"--raw"}]
    return servers


class Matrix:
    def __init__(self, settings, bench, server_cores, progress):
        self.settings, self.bench = settings, bench
        self.server_cores, self.progress = server_cores, progress

    def measure(self, row, servers, seconds=0):
        """All runs of a row, within so many seconds if there is a limit to them."""
        result = {"row": row.name, "title": row.title, "unit": row.unit, "units": row.units,
                  "scenario": row.scenario, "connections": row.connections,
                  "servers": [peer.name for peer in servers], "runs": [], "failures": []}
        began = self.progress.clock()
        if row.scenario == "idle":
            result |= {"connections": plan.held(row, self.settings),
                       "first_mark": self._first_mark(row)}
            for number in range(self.settings.idle_rounds):
                for peer in round_order(servers, number):
                    self._run(result, row, peer, "idle", number)
            return result
        peaks = self._peaks(result, row, servers)
        if not peaks:
            return result
        slowest = min(peaks, key=peaks.get)
        result |= {"equal_rate": RATE_SHARE * peaks[slowest], "slowest": slowest, "peaks": peaks}
        spent = self.progress.clock() - began
        servers = [peer for peer in servers if peer.name in peaks]
        rounds = self._rounds(len(servers), spent, seconds, row)
        for number in range(rounds):
            for peer in round_order(servers, number):
                self._turn(result, row, peer, number)
        result["rounds"] = rounds
        return result

    def _rounds(self, servers, spent, seconds, row):
        if not seconds:
            return self.settings.rounds
        run = spent / servers  # what a run has just been seen to take
        own = 0 if row.scenario == "storm" else self.settings.own_rounds
        rounds = plan.rounds_in(seconds - spent - servers * own * run, servers * run)
        self.progress.note(f"compare: {row.name}: {rounds} rounds fit")
        return rounds

    def _peaks(self, result, row, servers):
        """name -> units a second, of those that pass the check of every reply."""
        for peer in servers:
            self._run(result, row, peer, "peak", -1)
        return {run["server"]: run["per_second"] for run in result["runs"] if run["per_second"] > 0}

    def _turn(self, result, row, peer, number):
        self._run(result, row, peer, "equal", number, result["equal_rate"])
        if number < self.settings.own_rounds and row.scenario != "storm":
            self._run(result, row, peer, "own", number, OWN_SHARE * result["peaks"][peer.name])
        if number < self.settings.peak_rounds:
            self._run(result, row, peer, "peak", number)

    def _run(self, result, row, peer, what, number, rate=0):
        self.progress.step(f"{row.name}  {what} {max(0, number) + 1}  {peer.name}",
                           plan.run_seconds(row, self.settings))
        def command(port):
            return peer.command(row.kind, port, row.request_bytes, row.reply_bytes)

        try:
            with Server(command, self.server_cores) as server:
                report = self.bench.run(server, row.scenario, peer.path(row.kind),
                                        self._flags(row, peer, checked=number < 0),
                                        self._seconds(row), row.arrivals(rate), row.scheme)
                check(row, report)
        except MeasureError as error:
            result["failures"].append({"server": peer.name, "what": what, "round": number,
                                       "error": str(error)})
            return
        result["runs"].append({"server": peer.name, "what": what, "round": number,
                               "rate": rate, **figures(row, report)})

    def _first_mark(self, row):
        return min(FIRST_MARK, plan.held(row, self.settings) // 2)

    def _seconds(self, row):
        if row.scenario == "idle":
            return plan.IDLE_SECONDS
        return max(self.settings.seconds, row.least_seconds)

    def _flags(self, row, peer, checked):
        """After the check, echo servers get a client that only counts bytes, as the floor must:
        what the client does between two messages decides in part how many of them meet in the
        server."""
        own = peer.flags(row.kind)
        if row.scenario == "idle":
            size = ["--connections", str(plan.held(row, self.settings)),
                    "--first-mark", str(self._first_mark(row))]
            return [*size, *row.flags(), *own]
        # A storm that checked would wait for close frames, which the floor does not send.
        count = row.countable and (row.scenario == "storm" or row.scenario == "echo" and not checked)
        return [*row.flags(), *(own or ["--raw"] if count else own)]
