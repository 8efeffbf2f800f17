"""The line that stays while it runs: what is measured, and how much longer it takes."""
import sys
import time

EVERY_SECONDS = 20  # between lines where none can be overwritten


def duration(seconds):
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """Foreseen seconds go in; what really passed corrects what is said about the rest."""

    def __init__(self, foreseen, out=sys.stderr, clock=time.monotonic, limit=0):
        self.out, self.clock, self.limit = out, clock, limit
        self.began = clock()
        self.left, self.done = foreseen, 0.0
        self.said = float("-inf")
        self.live = out.isatty()

    @property
    def elapsed(self):
        return self.clock() - self.began

    @property
    def pace(self):
        """Seconds passed for each that was foreseen; 1 until that can be said."""
        return self.elapsed / self.done if self.done > 5 else 1.0

    def foresee(self, seconds_left):
        self.left = seconds_left

    def step(self, what, foreseen):
        """`what` begins, and was foreseen to take so long."""
        now = self.clock()
        if self.live or now - self.said >= EVERY_SECONDS:
            rest = self.left * self.pace
            if self.limit:
                rest = min(rest, max(0, self.limit - self.elapsed))
            whole = self.elapsed + rest
            line = (f"[{100 * self.elapsed / whole if whole > 0 else 100:3.0f} %] "
                    f"{duration(rest)} left  {what}")
            self.out.write(f"\r\033[K{line[:110]}" if self.live else line + "\n")
            self.out.flush()
            self.said = now
        self.left = max(0.0, self.left - foreseen)
        self.done += foreseen

    def note(self, line):
        """A line that stays."""
        self.out.write(f"\r\033[K{line}\n" if self.live else line + "\n")
        self.out.flush()

    def end(self):
        if self.live:
            self.out.write("\r\033[K")
            self.out.flush()
