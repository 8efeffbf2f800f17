"""How long things take, and what fits into the time that there is."""
from dataclasses import dataclass

# What is left out last comes first.
PRIORITY = ("echo-20", "idle", "fanout-1k", "echo-1k-tls", "echo-1k", "echo-1k-deflate",
            "storm-tls", "storm-tls-resumed", "idle-tls", "echo-20-x32", "echo-16k", "storm",
            "fanout-1k-x16", "fanout-10k", "fanout-10k-x16", "echo-1k-x32", "echo-16k-x32")
LEAST_ROUNDS, MOST_ROUNDS = 5, 15  # five are the fewest of which a median has a 90 % interval
START_SECONDS = 0.15       # of a server and of spate-bench, and their ends
CONNECTS_PER_SECOND = {"ws": 5000, "wss": 1000}
TLS_HELD_SHARE = 5         # of the connections of row idle: opening one over TLS takes as much longer
SETTLE_SECONDS = 1.2       # spate-bench waits before it reads memory
IDLE_SECONDS = 0.2         # an idle run's window: its figure is read before that


@dataclass(frozen=True)
class Settings:
    seconds: float = 1.0     # of a window
    warmup: float = 0.5
    rounds: int = 7          # runs at the rate that all get
    own_rounds: int = 3      # runs at 70 % of the server's own peak
    peak_rounds: int = 3     # runs as fast as it goes, after the one that gives the rates
    idle_rounds: int = 3
    idle_connections: int = 15000
    budget_seconds: float = 0  # for everything; 0: as long as it takes

    @property
    def quick(self):
        return self.budget_seconds > 0


def within(seconds):
    """Settings with which much can be seen in so little time; rounds are what may grow."""
    return Settings(seconds=0.4, warmup=0.3, rounds=LEAST_ROUNDS, own_rounds=1, peak_rounds=0,
                    idle_rounds=1, idle_connections=6000, budget_seconds=seconds)


def held(row, settings):
    """Connections of a row that holds them."""
    return settings.idle_connections // (TLS_HELD_SHARE if row.beneath == "tls" else 1)


def run_seconds(row, settings):
    """A server's start, one run, and its end."""
    connects = CONNECTS_PER_SECOND[row.scheme]
    if row.scenario == "idle":
        return START_SECONDS + held(row, settings) / connects + SETTLE_SECONDS + IDLE_SECONDS
    connections = 0 if row.scenario == "storm" else row.connections
    return (START_SECONDS + connections / connects + settings.warmup +
            max(settings.seconds, row.least_seconds))


def runs(row, settings):
    """Of one server in a row."""
    if row.scenario == "idle":
        return settings.idle_rounds
    own = 0 if row.scenario == "storm" else settings.own_rounds
    return 1 + settings.peak_rounds + settings.rounds + own


def row_seconds(row, servers, settings, pace=1.0):
    """`pace`: how much longer than foreseen things have taken so far."""
    return servers * runs(row, settings) * run_seconds(row, settings) * pace


def choose(rows, servers_of, settings, pace=1.0):
    """(rows that fit, rows left out), both in the order given; priority says which go."""
    if not settings.quick:
        return list(rows), []
    left, kept = settings.budget_seconds, set()
    for row in sorted(rows, key=lambda row: PRIORITY.index(row.name)):
        needs = row_seconds(row, servers_of(row), settings, pace)
        if needs <= left:
            kept.add(row.name)
            left -= needs
    return [row for row in rows if row.name in kept], [row for row in rows if row.name not in kept]


def share(row, rows, servers_of, settings, seconds_left):
    """The seconds of those left that belong to `row`, which is the first of `rows`."""
    weight = {other.name: row_seconds(other, servers_of(other), settings) for other in rows}
    return seconds_left * weight[row.name] / sum(weight.values())


def rounds_in(seconds, round_seconds):
    """How many rounds fit, within reason."""
    fit = int(seconds / round_seconds) if round_seconds > 0 else MOST_ROUNDS
    return max(1, min(MOST_ROUNDS, fit))
