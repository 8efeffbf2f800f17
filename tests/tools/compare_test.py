"""The parts of tools/compare that need no server."""
import io
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "bench" / "peers")]

import peers  # noqa: E402
from compare import base, charts, markdown, plan, summary, text  # noqa: E402
from compare.matrix import Matrix, able, check  # noqa: E402
from compare.progress import Progress, duration  # noqa: E402
from measure import MeasureError  # noqa: E402
from measure.rows import ROWS  # noqa: E402

TITLES = {"floor": "the floor", "spate": "Spate", "slow": "Slow <&> Co", "like": "Like"}


def run(server, what, number, cpu=1000.0, p99_9=5000, valid=True, count=50_000, per_second=1e5):
    return {"server": server, "what": what, "round": number, "cpu_ns": cpu,
            "per_second": per_second,
            "valid": {"throughput": valid, "latency": valid, "cpu_per_message": True},
            "latency_ns": {"count": count, "p50": p99_9 / 5, "p99": p99_9 / 2, "p99_9": p99_9}}


def row_of(cpus, rounds=5, servers=None, **more):
    """A row in which a server's CPU per message grows by 1 % each round, as the machine drifts."""
    runs = [run(server, "equal", number, cpu * (1 + number / 100), **more)
            for number in range(rounds) for server, cpu in cpus.items()]
    runs += [run(server, "peak", -1, per_second=1e8 / cpu) for server, cpu in cpus.items()]
    return {"row": "echo-20", "title": "echo, 20 B", "scenario": "echo", "unit": "message",
            "units": "messages", "connections": 200, "servers": servers or list(cpus), "runs": runs,
            "failures": [], "equal_rate": 60000.0, "slowest": "slow", "rounds": rounds}


def idle_of(bytes_of):
    return {"row": "idle", "title": "idle", "scenario": "idle", "unit": "message",
            "units": "messages",
            "connections": 15000, "first_mark": 1000, "servers": list(bytes_of), "failures": [],
            "runs": [{"server": server, "what": "idle", "round": number, "valid": {},
                      "user_bytes": user + number}
                     for server, user in bytes_of.items() for number in range(3)]}


def record_of(*rows):
    return {"date": "2026-01-02", "command": "make compare", "server_cores": "0", "load_cores": "1",
            "machine": {"cpu": "Some CPU", "cores": 2, "virtual": True, "kernel": "6.1",
                        "congestion_control": "cubic", "load_average_before": 0.5,
                        "commit": "abc1234", "uncommitted_changes": False},
            "settings": {"seconds": 1.0, "warmup": 0.5}, "missing": [["other", "gone is missing"]],
            "left_out": ["storm"], "rows": list(rows),
            "servers": [{"name": name, "title": title, "version": "1"}
                        for name, title in TITLES.items()]}


def page_of(cpus, **more):
    return markdown.page(record_of(row_of(cpus, **more)), [])


class Plan(unittest.TestCase):
    def choose(self, seconds, servers):
        return plan.choose(list(ROWS.values()), lambda row: servers, plan.within(seconds))

    def test_every_row_has_its_priority(self):
        self.assertEqual(sorted(plan.PRIORITY), sorted(ROWS))

    def test_what_is_kept_fits_with_the_least_rounds(self):
        for servers in (2, 3, 6, 14, 20):
            for seconds in (60, 285, 900):
                kept, _ = self.choose(seconds, servers)
                needs = sum(plan.row_seconds(row, servers, plan.within(seconds)) for row in kept)
                self.assertLessEqual(needs, seconds)

    def test_nothing_is_lost(self):
        kept, left_out = self.choose(285, 14)
        self.assertEqual(sorted(row.name for row in kept + left_out), sorted(ROWS))
        self.assertIn("echo-20", [row.name for row in kept])
        self.assertTrue(left_out)

    def test_fewer_servers_leave_time_for_more_rows(self):
        self.assertGreater(len(self.choose(285, 3)[0]), len(self.choose(285, 14)[0]))

    def test_without_a_limit_everything_runs(self):
        kept, left_out = plan.choose(list(ROWS.values()), lambda row: 20, plan.Settings())
        self.assertEqual((len(kept), left_out), (len(ROWS), []))

    def test_a_slow_machine_keeps_less(self):
        rows, settings = list(ROWS.values()), plan.within(285)
        self.assertLess(len(plan.choose(rows, lambda row: 14, settings, 3.0)[0]),
                        len(plan.choose(rows, lambda row: 14, settings)[0]))

    def test_shares_are_the_whole(self):
        rows, settings = list(ROWS.values()), plan.within(285)
        shares = [plan.share(row, rows, lambda row: 3, settings, 200) for row in rows]
        self.assertAlmostEqual(sum(shares), 200)

    def test_rounds_are_what_fits_but_one_at_least(self):
        self.assertEqual(plan.rounds_in(10, 2), 5)
        self.assertEqual(plan.rounds_in(-1, 2), 1)
        self.assertEqual(plan.rounds_in(1e9, 2), plan.MOST_ROUNDS)


class ProgressLine(unittest.TestCase):
    def test_what_really_passes_corrects_the_time_left(self):
        now, out = [0.0], io.StringIO()
        progress = Progress(100, out, lambda: now[0])
        progress.step("first", 50)
        now[0] = 100.0  # twice as long as foreseen
        progress.step("second", 50)
        self.assertEqual(out.getvalue().splitlines()[0], "[  0 %] 1 min 40 s left  first")
        self.assertEqual(out.getvalue().splitlines()[1], "[ 50 %] 1 min 40 s left  second")

    def test_durations(self):
        self.assertEqual([duration(s) for s in (0, 59.6, 61, 7260)],
                         ["0 s", "1 min 0 s", "1 min 1 s", "2 h 1 min"])


class Summary(unittest.TestCase):
    row = row_of({"floor": 1000, "spate": 1100, "slow": 5000, "like": 1100})

    def test_ratios_are_taken_round_by_round(self):
        ratio = summary.ratio(self.row, "cpu", "slow", "floor")
        self.assertAlmostEqual(ratio["median"], 5.0)
        self.assertAlmostEqual(ratio["low"], 5.0)  # the drift is in both, so it falls out
        self.assertEqual((ratio["n"], ratio["valid"]), (5, True))

    def test_ratio_table_has_everybody_but_the_base(self):
        self.assertEqual(sorted(summary.ratios(self.row, "cpu", "floor")),
                         ["like", "slow", "spate"])

    def test_equal_is_not_ahead(self):
        places = summary.standing(self.row, "cpu")
        self.assertEqual([peer for peer, _ in places["ahead"]], ["slow"])
        self.assertEqual([peer for peer, _ in places["level"]], ["like"])

    def test_cheaper_peer_is_ahead_of_spate(self):
        places = summary.standing(row_of({"floor": 900, "spate": 1100, "like": 1000}), "cpu")
        self.assertEqual([peer for peer, _ in places["behind"]], ["like"])

    def test_more_is_better_for_a_peak(self):
        row = dict(self.row, runs=[dict(one, what="peak", per_second=1e8 / one["cpu_ns"])
                                   for one in self.row["runs"]])
        places = summary.standing(row, "peak")
        self.assertEqual([peer for peer, _ in places["ahead"]], ["slow"])

    def test_single_runs_are_not_judged(self):
        places = summary.standing(self.row, "peak")
        self.assertEqual([peer for peer, _ in places["unjudged"]], ["slow", "like"])

    def test_invalid_latency_is_not_judged(self):
        places = summary.standing(row_of({"floor": 1, "spate": 2, "slow": 9}, valid=False), "p99_9")
        self.assertEqual([peer for peer, _ in places["unjudged"]], ["slow"])

    def test_one_invalid_run_of_many_is_left_out(self):
        row = row_of({"spate": 1000})
        row["runs"][0] |= {"valid": {"latency": False},
                           "latency_ns": {"count": 50_000, "p99_9": 10 ** 9}}
        cell = summary.cell(row, "spate", "p99_9")
        self.assertEqual((cell["median"], cell["valid"], cell["invalid_runs"]), (5000, True, 1))

    def test_mostly_invalid_is_shown_whole_and_marked(self):
        row = row_of({"spate": 1000}, valid=False)
        self.assertEqual({key: summary.cell(row, "spate", "p99")[key] for key in ("valid", "n")},
                         {"valid": False, "n": 5})

    def test_the_checked_peak_is_used_only_when_it_is_the_only_one(self):
        row = row_of({"spate": 1000})
        self.assertEqual(summary.cell(row, "spate", "peak")["median"], 1e5)
        row["runs"] += [run("spate", "peak", number, per_second=2e5) for number in range(3)]
        self.assertEqual(summary.cell(row, "spate", "peak"),
                         {"median": 2e5, "low": 2e5, "high": 2e5, "n": 3, "valid": True,
                          "invalid_runs": 0})

    def test_percentiles_of_few_samples_are_not_given(self):
        row = row_of({"spate": 1000}, count=500)
        self.assertIsNone(summary.cell(row, "spate", "p99_9"))
        self.assertIsNotNone(summary.cell(row, "spate", "p99"))


class Page(unittest.TestCase):
    def test_says_where_spate_is_not_ahead(self):
        page = page_of({"floor": 900, "spate": 1100, "like": 1000, "slow": 5000})
        self.assertIn("- CPU per message: **behind** Like (0.91 [0.91, 0.91] × Spate); "
                      "ahead of Slow", page)
        self.assertIn("not ahead of Like", page)  # latency is alike
        self.assertIn("other: gone is missing", page)
        self.assertIn("| left out | storm |", page)

    def test_marks_what_is_invalid(self):
        page = page_of({"floor": 900, "spate": 1100, "like": 900}, valid=False)
        self.assertIn("5.00 µs ✗", page)
        self.assertIn("p50, p99, p99.9, peak: not judged, the figures are invalid or "
                      "single runs.", page)

    def test_few_rounds_are_called_a_range(self):
        page = page_of({"floor": 900, "spate": 1100, "slow": 9000}, rounds=3)
        self.assertIn("it holds the median with 75 %", page)

    def test_fanout_without_spate_says_why(self):
        page = page_of({"floor": 900, "slow": 1000})
        self.assertIn("| Spate | not measured |", page)

    def test_a_failed_server_has_its_reason(self):
        row = row_of({"floor": 900, "spate": 1000}, servers=["floor", "spate", "slow"])
        row["failures"] = [{"server": "slow", "what": "peak", "round": -1, "error": "ended with 1"}]
        page = markdown.page(record_of(row), [])
        self.assertIn("| failed |", page)
        self.assertIn("`ended with 1`", page)

    def test_figures_have_three_digits(self):
        self.assertEqual([text.significant(n) for n in (0, 0.01234, 1.5, 10.9, 999.6, 1234567)],
                         ["0", "0.0123", "1.50", "10.9", "1,000", "1,230,000"])
        self.assertEqual([text.nanoseconds(n) for n in (420, 1500, 2.5e6, 3e9)],
                         ["420 ns", "1.50 µs", "2.50 ms", "3.00 s"])


    def test_without_the_floor_there_is_no_column_for_it(self):
        page = page_of({"spate": 1000, "slow": 2000})
        self.assertIn("| server | CPU per message | × Spate | p50", page)
        self.assertIn("2.00 [2.00, 2.00]", page)


class FakePeer:
    def __init__(self, name, *flags):
        self.name, self._flags = name, list(flags)

    def flags(self, _kind):
        return self._flags


class Flags(unittest.TestCase):
    floor, plain, own = FakePeer("floor", "--raw"), FakePeer("ws"), FakePeer("io", "--text")

    def flags(self, row, peer, checked):
        return Matrix(plan.Settings(), None, (0,), None)._flags(ROWS[row], peer, checked)

    def test_the_first_echo_run_checks_every_reply_and_the_others_count(self):
        self.assertNotIn("--raw", self.flags("echo-20", self.plain, checked=True))
        self.assertIn("--raw", self.flags("echo-20", self.plain, checked=False))

    def test_raw_is_given_once_and_never_with_a_protocol(self):
        self.assertEqual(self.flags("storm", self.floor, checked=False).count("--raw"), 1)
        self.assertNotIn("--raw", self.flags("echo-20", self.own, checked=False))

    def test_compressed_replies_cannot_be_counted(self):
        self.assertNotIn("--raw", self.flags("echo-1k-deflate", self.plain, checked=False))
        self.assertIn("--deflate", self.flags("echo-1k-deflate", self.plain, checked=False))

    def test_tls_rows_say_so(self):
        self.assertEqual(ROWS["echo-1k-tls"].scheme, "wss")
        self.assertIn("--insecure", self.flags("idle-tls", self.plain, checked=False))
        self.assertNotIn("--tls-resume", self.flags("storm-tls", self.plain, checked=False))
        self.assertIn("--tls-resume", self.flags("storm-tls-resumed", self.plain, checked=False))

    def test_a_server_that_resumes_too_little_is_out_of_the_row(self):
        few, most, begun = ({"tls_handshakes": {"full": full, "resumed": resumed}}
                            for full, resumed in ((500, 800), (300, 1000), (200, 1)))
        check(ROWS["storm-tls-resumed"], most)
        check(ROWS["storm-tls-resumed"], begun)  # no slot has one to go on with yet
        check(ROWS["storm-tls"], few)
        with self.assertRaises(MeasureError):
            check(ROWS["storm-tls-resumed"], few)

    def test_deliveries_are_always_checked(self):
        self.assertNotIn("--raw", self.flags("fanout-1k", self.plain, checked=False))

    def test_a_protocol_of_ones_own_is_not_idle(self):
        servers = [self.floor, self.plain, self.own]
        self.assertEqual(able(ROWS["idle"], servers), [self.floor, self.plain])
        self.assertEqual(able(ROWS["echo-20"], servers), servers)


class PeersOfTheEnvironment(unittest.TestCase):
    def test_each_kind_of_server_has_a_command_flags_and_a_path(self):
        peer, = peers.from_environment({
            "PEER_UWS": "echo {port}", "PEER_UWS_TLS": "tls {port} {certificate} {key}",
            "PEER_UWS_TLS_FLAGS": "--text", "PEER_UWS_PATH": "/a", "PEER_UWS_TLS_PATH": "/b"})
        self.assertEqual([kind for kind in peers.KINDS if peer.can(kind)], ["echo", "tls"])
        self.assertEqual([peer.path(kind) for kind in ("echo", "tls")], ["/a", "/b"])
        self.assertEqual([peer.flags(kind) for kind in ("echo", "tls")], [[], ["--text"]])

    def test_one_kind_is_enough(self):
        peer, = peers.from_environment({"PEER_UWS_DEFLATE": "x {port}"})
        self.assertEqual([kind for kind in peers.KINDS if peer.can(kind)], ["deflate"])

    def test_a_certificate_is_made_when_a_server_starts(self):
        peer, = peers.from_environment({"PEER_UWS_TLS": "tls {port} {certificate} {key}"})
        self.assertEqual(peer.words("tls", 0, 0, 0)[2:], ["{certificate}", "{key}"])
        _, _, certificate, key = peer.words("tls", 1, 0, 0)
        self.assertIn("BEGIN CERTIFICATE", Path(certificate).read_text())
        self.assertIn("PRIVATE KEY", Path(key).read_text())


class Base(unittest.TestCase):
    def test_a_difference_is_one_only_when_the_whole_interval_is(self):
        for low, ratio, high, words in ((0.90, 0.95, 0.99, "5.0 % less CPU per message"),
                                        (1.01, 1.05, 1.09, "5.0 % MORE CPU per message"),
                                        (0.97, 0.99, 1.01, "no difference seen")):
            self.assertEqual(base.verdict({"low": low, "ratio": ratio, "high": high}), words)


class Charts(unittest.TestCase):
    record = record_of(
        row_of({"floor": 1000, "spate": 1100, "slow": 50_000, "like": 1200}, valid=False),
        idle_of({"floor": 0, "spate": 130, "slow": 5192}))

    def test_all_three_are_well_formed_and_labelled(self):
        drawings = charts.draw(self.record)
        self.assertEqual([name for name, _, _ in drawings], ["cpu", "p99.9", "memory"])
        for _, title, svg in drawings:
            texts = [part.text for part in ElementTree.fromstring(svg).iter()
                     if part.tag.endswith("text")]
            self.assertIn(title, texts)
            self.assertIn("Slow <&> Co", texts)
            self.assertIn("prefers-color-scheme: dark", svg)

    def test_rows_without_the_floor_have_a_drawing_of_their_own(self):
        drawings = charts.draw(record_of(row_of({"spate": 1000, "slow": 2000})))
        self.assertEqual([name for name, _, _ in drawings], ["cpu-tls"])

    def test_wide_ratios_are_on_a_logarithmic_axis(self):
        self.assertIn("logarithmic axis", charts.draw(self.record)[0][2])
        near = record_of(row_of({"floor": 1000, "spate": 1100, "like": 2000}))
        self.assertNotIn("logarithmic axis", charts.draw(near)[0][2])

    def test_longer_bars_are_larger_figures(self):
        for values in ([1.04, 3.0], [1.04, 50.0]):
            scale = charts.Scale(values)
            self.assertLess(scale.at(values[0]), scale.at(values[1]))
            self.assertGreaterEqual(scale.at(values[0]), charts.LEFT)
            self.assertLessEqual(scale.at(values[1]), charts.WIDTH - charts.RIGHT)
            self.assertGreaterEqual(len(scale.ticks()), 3)

    def test_invalid_bars_look_so(self):
        self.assertIn("peer invalid", charts.draw(self.record)[1][2])
        self.assertNotIn("peer invalid", charts.draw(self.record)[0][2])


if __name__ == "__main__":
    unittest.main()
