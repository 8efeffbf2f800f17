"""The parts of tools/measure that need no server."""
import subprocess
import sys
import unittest
from math import comb
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from measure import machine, order, rows, stats  # noqa: E402


def binomial_below(k, n):
    return sum(comb(n, i) for i in range(k)) / 2 ** n


class MedianInterval(unittest.TestCase):
    def test_ranks_are_those_of_binomial_tables(self):
        # The largest k with P(Binomial(n, 1/2) < k) <= 5 %.
        for n, k in {1: 0, 4: 0, 5: 1, 7: 1, 8: 2, 10: 2, 11: 3, 13: 4, 20: 6, 40: 15}.items():
            self.assertEqual(stats.rank(n), k, f"n = {n}")

    def test_rank_is_the_largest_that_covers(self):
        for n in range(5, 60):
            k = stats.rank(n)
            self.assertLessEqual(binomial_below(k, n), 0.05)
            self.assertGreater(binomial_below(k + 1, n), 0.05)

    def test_takes_order_statistics_whatever_the_order(self):
        self.assertEqual(stats.median_interval([9, 1, 8, 2, 7, 3, 6, 4, 5, 10]), (2, 9))

    def test_few_values_give_their_range(self):
        self.assertEqual(stats.median_interval([3, 1, 2]), (1, 3))

    def test_coverage_is_the_binomial_one(self):
        for n in range(2, 41):
            k = max(1, stats.rank(n))
            self.assertAlmostEqual(stats.coverage(n), 1 - 2 * binomial_below(k, n))
        self.assertAlmostEqual(stats.coverage(3), 0.75)
        self.assertEqual(stats.coverage(1), 0)
        self.assertLess(stats.coverage(4), 0.90)
        self.assertGreaterEqual(stats.coverage(5), 0.90)

    def test_summary_of_nothing_is_nothing(self):
        self.assertIsNone(stats.summary([]))
        self.assertEqual(stats.summary([2, 1, 3]), {"median": 2, "low": 1, "high": 3, "n": 3})


class Order(unittest.TestCase):
    def test_pairs_cancel_an_even_drift(self):
        clock = iter(range(1000))
        # Both sides cost the same, plus what has drifted: the ratio must be 1.
        figures = order.pairs(lambda side: 100 + next(clock), most=8, within=0.0)
        self.assertEqual({round(ratio, 12) for ratio in figures["ratios"]}, {1.0})

    def test_pairs_find_the_ratio_and_stop_when_it_is_narrow(self):
        figures = order.pairs(lambda side: (100, 150)[side], most=40)
        self.assertEqual((figures["ratio"], figures["pairs"]), (1.5, 6))
        self.assertEqual((figures["a_ns"], figures["b_ns"]), (100, 150))

    def test_pairs_go_on_while_it_is_wide(self):
        costs = iter([1, 2, 2, 1, 4, 1, 1, 4] * 20)
        self.assertEqual(order.pairs(lambda side: next(costs), most=12)["pairs"], 12)

    def test_rounds_hold_everybody_once(self):
        for number in range(12):
            self.assertEqual(sorted(order.round_order("abcde", number)), list("abcde"))

    def test_rounds_go_back_and_forth_and_turn(self):
        taken = ["".join(order.round_order("abc", number)) for number in range(6)]
        self.assertEqual(taken, ["abc", "cba", "bca", "acb", "cab", "bac"])

    def test_everybody_has_the_same_mean_place_after_two_rounds(self):
        for first in (0, 2, 4):
            places = {name: sum(order.round_order("abcd", number).index(name)
                                for number in (first, first + 1)) for name in "abcd"}
            self.assertEqual(set(places.values()), {3})


class Rows(unittest.TestCase):
    def test_frame_lengths_are_those_of_the_rfc(self):
        for payload, bytes_ in ((0, 2), (125, 127), (126, 130), (65535, 65539), (65536, 65546)):
            self.assertEqual(rows.frame_bytes(payload), bytes_)

    def test_a_request_is_longer_by_its_masking_key(self):
        for row in rows.ROWS.values():
            self.assertEqual(row.request_bytes, row.reply_bytes + 4)

    def test_a_fanouts_rate_is_in_publications(self):
        self.assertEqual(rows.ROWS["fanout-1k"].arrivals(300_000), 300)
        self.assertEqual(rows.ROWS["echo-20"].arrivals(300_000), 300_000)


class Budget(unittest.TestCase):
    def refusal(self, *flags):
        budget = Path(__file__).resolve().parents[2] / "tools" / "budget"
        done = subprocess.run([sys.executable, budget, *flags], text=True, capture_output=True,
                              check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        return done.stderr

    def test_refuses_what_cannot_be_measured_and_says_what_can(self):
        for flags, words in ((["echo-21"], "no such row: echo-21; rows are echo-20"),
                             (["--clients", "fanout-1k", "--b", "x"], "the bare client only echoes"),
                             (["--self-check", "idle"], "not with --clients or --self-check")):
            self.assertIn(words, " ".join(self.refusal(*flags).split()))


class Slug(unittest.TestCase):
    def test_names_processor_and_cores_and_no_host(self):
        for cpu, cores, slug in (
                ("Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz", 2, "xeon-platinum-8370c-2c"),
                ("AMD EPYC", 2, "epyc-2c"),
                ("AMD Ryzen 9 7950X 16-Core Processor", 32, "ryzen-9-7950x-32c"),
                ("Intel(R) Xeon(R) Processor", 4, "xeon-4c")):
            self.assertEqual(machine.slug(cpu, cores), slug)


if __name__ == "__main__":
    unittest.main()
