"""What a fault does to those who have no part in it: latency of other clients, size of processes."""
import time

from instance import expect, resident_kb

GROWTH_KB = 16 * 1024
# The machine does other things too; what counts is the ratio. The short form must not fail by them:
# whoever is held up by a stalled peer waits for hundreds of milliseconds.
TOLERANCE_MS = {"short": 100, "long": 20}


class Phases:
    """Latencies of other clients while it is quiet and while it is not"""

    def __init__(self, run):
        self.quiet, self.loud = [], []
        self.tolerance_ms = run.of(TOLERANCE_MS["short"], TOLERANCE_MS["long"])

    def measure(self, seconds, quiet=True):
        begun = time.monotonic()
        time.sleep(seconds)
        (self.quiet if quiet else self.loud).append((begun, time.monotonic()))

    def p99(self, load, spans):
        found = sorted(s.seconds for s in load.seen if s.status < 300 and
                       any(a <= s.at < b for a, b in spans))
        expect(len(found) >= 50, f"only {len(found)} answers in a phase")
        return found[int((len(found) - 1) * 0.99)] * 1000

    def compare(self, load):
        quiet, loud = self.p99(load, self.quiet), self.p99(load, self.loud)
        expect(loud <= 2 * quiet + self.tolerance_ms,
               f"p99 of other clients {loud:.1f} ms, {quiet:.1f} ms while quiet")
        return f"p99 of other clients {loud:.1f} ms ({quiet:.1f} ms while quiet)"


class Sizes:
    """Resident memory of processes before and after"""

    def __init__(self, *pids):
        self.before = {pid: resident_kb(pid) for pid in pids}

    def growth(self):
        grown = {pid: resident_kb(pid) - kb for pid, kb in self.before.items()}
        most = max(grown.values())
        expect(most <= GROWTH_KB, f"a process grew by {most} KB")
        return f"no process grew by more than {max(most, 0)} KB"
