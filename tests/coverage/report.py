#!/usr/bin/python3 -B
"""Lines and branches of fcgi/ that were reached, by folder, from the gcov data below directories.

  report.py TREE [--uncovered FOLDER] DIR...

Ends with 1 when a figure of tests/coverage/ratchet is not reached, or a figure there has been lowered.
"""
import collections
import json
import pathlib
import subprocess
import sys

# What the project wants; the ratchet holds what it has.
GOALS = {"all": (90.0, 80.0), "auth": (95.0, 0.0), "wire": (95.0, 0.0), "shm": (95.0, 0.0)}


class Source:
    """Counts of one file, added up over every object and process it was part of"""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = collections.Counter()

    def add(self, lines):
        for line in lines:
            number = line["line_number"]
            self.lines[number] += line["count"]
            for i, branch in enumerate(line["branches"]):
                self.branches[number, i] += branch["count"]


def share(counts):
    """(reached, all) of counts"""
    return sum(1 for count in counts.values() if count > 0), len(counts)


def read(build, tree, found):
    """Add to {path below fcgi/: Source}"""
    for note in sorted(str(path) for path in (build / "fcgi").rglob("*.gcno")):
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", note], cwd=build,
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            print(f"{note}: no counts: {done.stderr.strip()}")
        for part in filter(None, done.stdout.splitlines()):
            for file in json.loads(part)["files"]:
                path = (build / file["file"]).resolve()
                if path.is_relative_to(tree / "fcgi"):
                    found[str(path.relative_to(tree / "fcgi"))].add(file["lines"])


def percent(pair):
    return 100.0 * pair[0] / pair[1] if pair[1] else 100.0


def figures(found):
    """{folder: ((lines reached, all), (branches reached, all))}, and of all together"""
    sums = collections.defaultdict(lambda: [[0, 0], [0, 0]])
    for path, source in found.items():
        for folder in (path.split("/")[0], "all"):
            for i, counts in enumerate((source.lines, source.branches)):
                for k, n in enumerate(share(counts)):
                    sums[folder][i][k] += n
    return sums


def ratchet_of(text):
    """folder lines branches"""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {folder: (float(lines), float(branches)) for folder, lines, branches in rows}


def lowered(tree, now):
    """Figures that are lower than those of the last commit"""
    before = subprocess.run(["git", "-C", str(tree), "show", "HEAD:tests/coverage/ratchet"], capture_output=True,
                            text=True, timeout=20, check=False)
    for folder, values in (ratchet_of(before.stdout) if before.returncode == 0 else {}).items():
        if any(new < old for new, old in zip(now.get(folder, (0, 0)), values)):
            yield f"the ratchet of {folder} has been lowered"


def uncovered(found, folder):
    for path in sorted(found):
        if path.startswith(folder):
            source = found[path]
            missed = sorted(number for number, count in source.lines.items() if count == 0)
            half = sorted({number for (number, _), count in source.branches.items() if count == 0} - set(missed))
            print(f"{path}: lines {missed}")
            print(f"{path}: branches in {half}")


def main():
    tree, rest = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    folder = rest[1] if rest[0] == "--uncovered" else None
    found = collections.defaultdict(Source)
    for directory in rest[2 if folder else 0:]:
        read(pathlib.Path(directory).resolve(), tree, found)
    if folder:
        uncovered(found, folder)
        return 0
    now, faults = figures(found), []
    ratchet = ratchet_of((tree / "tests/coverage/ratchet").read_text())
    faults += lowered(tree, ratchet)
    print(f"{'folder':8} {'lines':>18} {'branches':>20}   goal")
    for folder in sorted(now, key=lambda name: (name == "all", name)):
        lines, branches = now[folder]
        got = percent(lines), percent(branches)
        goal = GOALS.get(folder)
        print(f"{folder:8} {got[0]:6.1f} % {lines[0]:5}/{lines[1]:<5} {got[1]:6.1f} % {branches[0]:5}/{branches[1]:<6}"
              + (f"   {goal[0]:.0f} / {goal[1]:.0f}" if goal else ""))
        for what, value, least in zip(("lines", "branches"), got, ratchet.get(folder, (0.0, 0.0))):
            if value < least:
                faults.append(f"{folder}: {value:.1f} % of {what} instead of {least}")
    for fault in faults:
        print(fault)
    print(f"{len(now) - min(len(faults), len(now))} passed, {len(faults)} failed")
    return 1 if faults else 0


sys.exit(main())
