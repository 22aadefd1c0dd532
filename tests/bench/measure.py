"""Processor time of groups of processes, and one run each of wrk, pgbench and pace."""
import dataclasses
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()
HERE = pathlib.Path(__file__).resolve().parent


# --- processes -----------------------------------------------------------------------------------

def _stat(pid):
    """Parent and processor seconds, those of its children that have ended included."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2:].split()
    return int(fields[1]), sum(int(n) for n in fields[11:15]) / TICK


def processes(root):
    """The process and its descendants."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                table[int(name)] = _stat(name)
            except (OSError, ValueError):
                continue
    found, new = [], [root] if root in table else []
    while new:
        found += new
        new = [pid for pid, (parent, _) in table.items() if parent in new]
    return {pid: table[pid][1] for pid in found}


def _busy():
    """Processor seconds of everything on the machine."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = [int(n) for n in fields]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICK


def _children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def private_kb(pid):
    """Memory that the process shares with no other."""
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1])
    return total


# --- one measurement -----------------------------------------------------------------------------

@dataclasses.dataclass
class Sample:
    rate: float  # answers or transactions a second
    us: dict  # group → processor microseconds an answer
    noise: float  # share of the machine that went to others
    p50: float = 0.0  # milliseconds
    p99: float = 0.0


class Watch:
    """Processor time of the named groups ({name: pid of the topmost process}) during a block."""

    def __init__(self, groups):
        self.groups = groups

    def _read(self):
        return ({name: sum(processes(pid).values()) for name, pid in self.groups.items()},
                _children(), _busy(), time.monotonic())

    def __enter__(self):
        self.begin = self._read()
        return self

    def __exit__(self, *_):
        groups, children, busy, at = self._read()
        self.seconds = at - self.begin[3]
        self.used = {n: groups[n] - self.begin[0][n] for n in groups}
        own = sum(self.used.values()) + children - self.begin[1]
        self.used["client"] = children - self.begin[1]
        self.noise = max(0.0, (busy - self.begin[2] - own) / (CORES * self.seconds))

    def sample(self, answers, seconds, **more):
        us = {n: round(v * 1e6 / max(answers, 1), 1) for n, v in self.used.items()}
        return Sample(answers / seconds, us, self.noise, **more)


class Faulty(Exception):
    """A run whose answers were not what was asked for measures nothing."""


def _run(command, seconds, env=None, stdin=None):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False,
                          env={**os.environ, **(env or {})}, input=stdin)
    if done.returncode != 0:
        raise Faulty(f"{command[0]}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def wrk(url, seconds, connections, groups, token, body=None):
    env = {"BENCH_TOKEN": token}
    if body is not None:
        env.update(BENCH_METHOD="POST", BENCH_BODY=body)
    with Watch(groups) as watch:
        out = _run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "report.lua"),
                    url], seconds, env)
    got = json.loads(out.splitlines()[-1])
    if got["answers"] == 0 or got["other"] + got["failed"] > 0:
        raise Faulty(f"wrk {url}: {got}")
    return watch.sample(got["answers"], got["us"] / 1e6, p50=got["p50"] / 1000, p99=got["p99"] / 1000)


def pgbench(script, seconds, clients, groups, conninfo, variables):
    command = ["pgbench", "-n", "-M", "prepared", "-T", str(seconds), "-c", str(clients), "-j", "1",
               "-f", str(script)]
    for name, value in variables.items():
        command += ["-D", f"{name}={value}"]
    with Watch(groups) as watch:
        out = _run(command, seconds, conninfo)
    rate = float(re.search(r"^tps = ([0-9.]+)", out, re.M).group(1))
    count = int(re.search(r"actually processed: (\d+)", out).group(1))
    failed = re.search(r"failed transactions: (\d+)", out)
    if count == 0 or (failed and int(failed.group(1)) > 0):
        raise Faulty(out)
    return watch.sample(count, count / rate)


def pace(program, port, connections, rate, seconds, requests):
    """The figures of pace, latencies in microseconds; requests as they go over the wire."""
    out = _run([str(program), str(port), str(connections), str(rate), str(seconds)], seconds,
               stdin="".join(r + ("" if r.endswith("\n") else "\n") + ".\n" for r in requests))
    return json.loads(out)


# --- rounds --------------------------------------------------------------------------------------

NOISE_MAX = 0.10


def alternate(subjects, rounds, again):
    """{name: function → Sample} in turn, rounds times; {name: [Sample]}. A sample taken while others
    used more than NOISE_MAX of the machine is taken again, `again` times in all for each subject;
    of the tries the quietest stays."""
    taken = {name: [] for name in subjects}
    left = {name: again for name in subjects}
    for _ in range(rounds):
        for name, take in subjects.items():
            sample = take()
            while sample.noise > NOISE_MAX and left[name] > 0:
                left[name] -= 1
                sample = min(sample, take(), key=lambda s: s.noise)
            taken[name].append(sample)
    return taken


def median(samples, what=lambda s: s.rate):
    return statistics.median(what(s) for s in samples)


def cost(sample):
    """Processor microseconds of all processes an answer: what neighbours take does not count."""
    return sum(sample.us.values())


def paired(one, other):
    """The median of the rounds' own ratios: what a neighbour does to a round it does to both."""
    return statistics.median(a.rate / b.rate for a, b in zip(one, other))
