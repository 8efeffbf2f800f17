"""The gate of tools/instructions: what it must notice, and what it must let pass."""
import importlib.machinery
import importlib.util
import os
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def load(path):
    loader = importlib.machinery.SourceFileLoader("instructions", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("instructions", loader))
    loader.exec_module(module)
    return module


gate = load(os.path.join(ROOT, "tools/instructions"))


def path(instructions, allocations=0.0):
    return {"instructions": instructions, "allocations": allocations}


class Judge(unittest.TestCase):
    def test_a_regression_of_over_three_per_cent_fails_with_both_figures(self):
        worse, _ = gate.judge({"echo": path(1000)}, {"echo": path(1031)})
        self.assertEqual(worse, ["echo: 1031.0 instructions, on record 1000.0 (+3.1 %)"])

    def test_less_passes(self):
        self.assertEqual(gate.judge({"echo": path(1000)}, {"echo": path(1029)}), ([], []))

    def test_a_gain_is_named(self):
        worse, better = gate.judge({"echo": path(1000)}, {"echo": path(900)})
        self.assertEqual((worse, len(better)), ([], 1))

    def test_one_more_allocation_fails(self):
        worse, _ = gate.judge({"echo": path(1000)}, {"echo": path(1000, 1)})
        self.assertEqual(worse, ["echo: 1 allocations, on record 0"])

    def test_a_path_that_is_no_longer_measured_fails(self):
        worse, _ = gate.judge({"echo": path(1000)}, {})
        self.assertEqual(len(worse), 1)

    def test_a_kernel_that_the_cpu_lacks_is_no_loss(self):
        worse, better = gate.judge({"unmask/avx2/20": path(10), "unmask/scalar/20": path(20)},
                                   {"unmask/scalar/20": path(20)})
        self.assertEqual((worse, len(better)), ([], 1))

    def test_what_was_printed_and_callgrinds_totals_come_together(self):
        profile = ("desc: Trigger: Client Request: a/1\nevents: Ir\nfn=x\n1 2\ntotals: 640\n"
                   "desc: Trigger: Client Request: b\nevents: Ir\ntotals: 32\n")
        self.assertEqual(gate.join("12.2.0\na/1 64 0\nb 16 0.5\n", profile),
                         ("12.2.0", {"a/1": path(10.0), "b": path(2.0, 0.5)}))


if __name__ == "__main__":
    unittest.main()
