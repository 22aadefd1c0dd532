"""Figures of a run as the tables of docs/performance.md, between two marks."""
import os
import pathlib
import platform
import subprocess

BEGIN, END = "<!-- figures: written by tests/bench/run --write -->\n", "<!-- end of figures -->\n"


def _version(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in text.splitlines()
                  if line.startswith("model name")), platform.machine())
    kernel = platform.release().split("-")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{model}, {os.cpu_count()} processors, {memory:.0f} GB, Linux {kernel}; "
            f"{_version('psql', '--version')}, {_version('nginx', '-v')}, "
            f"node {_version('node', '--version')}")


def _row(cells):
    return "| " + " | ".join(str(c) for c in cells) + " |\n"


def tables(f, targets):
    out = [f"\nMachine: {machine()}.\n{f['rounds']} rounds, {f['workers']} workers. Others used "
           f"{f['noise_median']:.0%} of the machine while it was measured (at worst "
           f"{f['noise_max']:.0%}).\n\n", _row(("figure", "measured", "wanted")), "|---|---|---|\n"]
    for name, bound, more in targets:
        wanted = "" if bound is None else f"{'≥' if more else '≤'} {bound}"
        out.append(_row((f"`{name}`", f[name], wanted)))
    out += ["\nThe list of 20, at full load; microseconds of processor time a request.\n\n",
            _row(("subject", "a second", "all", "PostgreSQL", "nginx", "server", "client", "p50 ms",
                  "p99 ms")), "|---|---|---|---|---|---|---|---|---|\n"]
    for name in ("ceiling", "plain", "tls", "bare", "fastify_tuned", "fastify_pipelined", "fastify", "express"):
        us = f[f"list_{name}_us"]
        server = us.get("worker", us.get("bare", us.get("node", "")))
        out.append(_row((name, round(f[f"list_{name}_rate"]), round(sum(us.values())), us["postgres"],
                         us.get("nginx", ""), server, us["client"], f.get(f"list_{name}_p50_ms", ""),
                         f.get(f"list_{name}_p99_ms", ""))))
    out += ["\n", _row(("besides", "")), "|---|---|\n"]
    rest = {
        "their processor time a request, of ours": ", ".join(
            f"{n} {f['cost_of_' + n]}" for n in ("ceiling", "fastify_tuned", "fastify_pipelined", "fastify", "express")),
        "TLS, of plain": f["list_tls_of_plain"],
        f"half load ({f['half_rate']:.0f}/s): p50, p99, p99 of a typical tenth of a second":
            f"{f['p50_half_ms']} ms, {f['p99_half_ms']} ms, {f['p99_half_typical_ms']} ms",
        "16 kept connections: fewest answers, of most": f["fairness"],
        "write: a second, worker's µs, p99": f"{f['write_rate']:.0f}, {f['write_worker_us']}, "
                                             f"{f['write_p99_ms']} ms",
        "50 sign-ins a second offered: p99 of reads, quiet and during": f"{f['storm_p99_quiet_ms']} ms, "
                                                              f"{f['storm_p99_during_ms']} ms",
    }
    return "".join(out + [_row(pair) for pair in rest.items()])


def write(path, figures, targets):
    text = path.read_text()
    head, rest = text.split(BEGIN)
    path.write_text(head + BEGIN + tables(figures, targets) + END + rest.split(END)[1])
