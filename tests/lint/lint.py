"""What the lints share: the tree, C text without comments, functions, findings, ratchets."""

import os
import re
import subprocess
import sys

GENERATED = {"app/statements.h", "app/schema_version.h", "api/statements.h", "jobs/statements.h"}
RATCHET = "tests/lint/ratchet"
FOLDERS = ("fcgi", "db", "nginx", "tests", "deploy", "docs")
RULES = ("columns", "complexity", "file-length", "function-length", "parameters", "banned",
         "printf")


def root():
    """The tree to look at: the argument, or the one that the lint lives in."""
    if len(sys.argv) > 1:
        return os.path.abspath(sys.argv[1])
    return os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Source:
    """One C file: as it is, without comments, and without strings as well. All three have the
    same length, so that a position in one is the same place in the others."""

    def __init__(self, base, path):
        self.path = path
        with open(os.path.join(base, path), encoding="utf-8", errors="replace") as f:
            self.text = f.read()
        self.uncommented = blank(self.text, strings=False)
        self.code = blank(self.text, strings=True)
        self.bare = blank_directives(self.code)

    def line(self, position):
        return self.text.count("\n", 0, position) + 1


def c_files(base, *folders):
    """The C files of the folders, sorted, without what the build writes."""
    for folder in folders:
        for directory, names, files in os.walk(os.path.join(base, folder)):
            names[:] = sorted(n for n in names if not n.startswith("."))
            for name in sorted(files):
                path = os.path.relpath(os.path.join(directory, name), base)
                if not name.endswith((".c", ".h")) or re.search(r"(^|/)statements\.[ch]$", path):
                    continue
                yield Source(base, path)


def tree(base):
    """Paths of the files that belong to the project. Without a repository, in an unpacked archive
    perhaps with a build in it: those in its own folders and the texts at the top."""
    listed = git(base, "ls-files", "-co", "--exclude-standard", "-z")
    if listed:
        return sorted(p for p in listed.split("\0") if p)
    found = [n for n in os.listdir(base) if n.endswith((".md", ".am", ".ac"))]
    for folder in FOLDERS:
        for directory, names, files in os.walk(os.path.join(base, folder)):
            names[:] = [n for n in names if not n.startswith((".", "node_modules"))]
            found += [os.path.relpath(os.path.join(directory, f), base) for f in files]
    return sorted(found)


TOKEN = re.compile(r"""//(?:\\\n|[^\n])* | /\*.*?(?:\*/|\Z)
                       | "(?:\\.|[^"\\\n])*"? | '(?:\\.|[^'\\\n])*'?""", re.S | re.X)


def blank(text, strings):
    """The text with comments, and strings when asked, overwritten by spaces; lines stay."""

    def hide(match):
        token = match.group()
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        if not strings or len(token) < 2:
            return token
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]

    return TOKEN.sub(hide, text)


def blank_directives(code):
    """Without preprocessor lines: a macro's braces must not count."""
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group()), code,
                  flags=re.M)


class Function:
    def __init__(self, source, name, params, start, opening, end):
        self.name = name
        self.params = params
        self.first = source.line(start)
        self.last = source.line(end)
        self.body = source.bare[opening:end + 1]
        self.start = start
        self.end = end


SIGNATURE = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


def functions(source):
    """The function definitions of a file, by braces and what stands before them."""
    code = source.bare
    found = []
    depth = 0
    since = 0
    opening = None
    for match in re.finditer(r"[{};]", code):
        token = match.group()
        at = match.start()
        if token == "{":
            if depth == 0:
                opening = (at, definition(code, since, at))
            depth += 1
        elif token == "}":
            depth = max(0, depth - 1)
            if depth == 0 and opening is not None:
                if opening[1] is not None:
                    name, params, start = opening[1]
                    found.append(Function(source, name, params, start, opening[0], at))
                opening = None
                since = at + 1
        elif depth == 0:
            since = at + 1
    return found


def definition(code, since, opening):
    """Name, parameters and start of the function whose body opens here, or None."""
    head = code[since:opening]
    if "=" in re.sub(r"\([^()]*\)", "", head):
        return None
    for match in SIGNATURE.finditer(head):
        if match.group(1) in ("__attribute__", "_Alignas", "alignas"):
            continue
        end = closing(head, match.end() - 1)
        if end is None:
            return None
        start = since + len(head) - len(head.lstrip())
        return match.group(1), head[match.end():end], start
    return None


def closing(text, opening):
    """The position of the bracket that closes the one at `opening`, or None."""
    depth = 0
    for i in range(opening, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return None


def split_top(text):
    """Parts between commas outside brackets."""
    parts = [""]
    depth = 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


class Findings:
    """Findings by rule. An excuse is a comment `lint-allow: <rule>: reason` in or right above a
    function, for all of it; elsewhere on the line, or the line above."""

    def __init__(self, base, rules):
        self.base = base
        self.rules = rules
        self.items = {rule: [] for rule in rules}
        self.always = []

    def add(self, path, line, text):
        """A finding that no excuse and no ratchet admits."""
        self.always.append(f"{path}:{line}: {text}")

    def file(self, source, found):
        """Takes (rule, line, text) of one file, less what is excused."""
        excuses = self.excuses(source)
        for rule, line, text in found:
            excuse = next((e for e in excuses if e["rule"] == rule and
                           e["first"] <= line <= e["last"]), None)
            if excuse is not None:
                excuse["used"] = True
            else:
                self.items[rule].append(f"{source.path}:{line}: {rule}: {text}")
        for e in excuses:
            if not e["used"]:
                self.add(source.path, e["line"], f"lint-allow: {e['rule']}: nothing to allow here")

    def excuses(self, source):
        spans = [(comment_top(source, f.first), f.last) for f in functions(source)]
        result = []
        for match in re.finditer(r"lint-allow:[ ]*([\w-]*):?[ ]*([^\n*]*)", source.text):
            line = source.line(match.start())
            if source.code[match.start()] != " ":
                continue
            rule, reason = match.group(1), match.group(2).strip()
            if rule not in RULES or len(reason) < 3:
                self.add(source.path, line, "lint-allow takes a known rule and a reason")
            elif rule in self.rules:
                first, last = next((s for s in spans if s[0] <= line <= s[1]), (line, line + 1))
                if rule == "file-length":
                    first, last = 1, sys.maxsize
                result.append({"rule": rule, "line": line, "first": first, "last": last,
                               "used": False})
        return result

    def finish(self):
        """Prints what is left after the ratchets and ends the program."""
        held = ratchet_now(self.base)
        lowest = ratchet_lowest(self.base)
        bad = list(self.always)
        for rule in self.rules:
            count = len(self.items[rule])
            limit, line = held.get(rule, (None, 1))
            where = f"{RATCHET}:{line}: {rule}"
            if limit is None:
                bad.append(f"{where}: not listed")
            elif limit > lowest.get(rule, limit):
                bad.append(f"{where}: {limit} was {lowest[rule]} before; it may only go down")
            elif count > limit:
                bad += self.items[rule]
                bad.append(f"{where}: {count} found, {limit} held")
            elif count < limit:
                bad.append(f"{where}: only {count} left: lower it from {limit}")
        end(bad)


def comment_top(source, line):
    """The first line of the comment that stands right above the line."""
    lines = source.text.split("\n")
    code = source.uncommented.split("\n")
    while line > 1 and lines[line - 2].strip() and not code[line - 2].strip():
        line -= 1
    return line


def parse_ratchet(text):
    counts = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split("#")[0].split()
        if len(words) == 2 and words[1].isdigit():
            counts[words[0]] = (int(words[1]), number)
    return counts


def ratchet_now(base):
    try:
        with open(os.path.join(base, RATCHET), encoding="utf-8") as f:
            return parse_ratchet(f.read())
    except OSError:
        return {}


def ratchet_lowest(base):
    """The lowest count that each rule ever had in the history, when there is one."""
    lowest = {}
    for commit in git(base, "log", "--format=%H", "--", RATCHET).split():
        for rule, (count, _) in parse_ratchet(git(base, "show", f"{commit}:./{RATCHET}")).items():
            lowest[rule] = min(count, lowest.get(rule, count))
    return lowest


def git(base, *arguments):
    """What git prints, or nothing when the tree itself is no repository."""
    if not os.path.exists(os.path.join(base, ".git")):
        return ""
    done = subprocess.run(["git", "-C", base, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode("utf-8", "replace")


def end(bad):
    """Prints the findings and ends the program: 1 when there is one."""
    for text in bad:
        print(text)
    sys.exit(1 if bad else 0)
