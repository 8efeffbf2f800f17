"""What tools/budget and tools/compare share: a server for the length of a run, a run of spate-bench
against it, the order in which runs alternate, and what can be said about a median."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class MeasureError(Exception):
    """A server that does not serve, or a run that counted errors: what happened, for people."""
