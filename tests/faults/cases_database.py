"""Faults of PostgreSQL: restarts, kills, cut connections, a full disk."""
import os
import random
import signal
import time

from instance import Http, Pool, alive, expect, until
from ledger import Course, Load
from postgres_proxy import Proxy

BACK_SECONDS = 3


def durable(run):
    """The instance flushes what it commits: without that the cases below would prove nothing"""
    rows = run.instance.sql("select name, setting from pg_settings where name in "
                            "('fsync', 'full_page_writes', 'synchronous_commit')")
    off = [name for name, value in rows if value != "on"]
    expect(len(rows) == 3 and not off, f"off: {off}")
    return "fsync, full_page_writes, synchronous_commit are on"


def _disturbed(run, disturb, rounds):
    """Load over some disturbances; each gives the time when the server accepted again"""
    connected = run.instance.metric("db_connections")
    backs = []
    with Load(run.instance.target, run.token("teacher")) as load:
        for _ in range(rounds):
            time.sleep(0.7)
            accepts = disturb()
            until(lambda: run.instance.metric("db_connections") >= connected,
                  BACK_SECONDS - (time.monotonic() - accepts),
                  "all workers of all pools are connected", 0.03)
            backs.append(time.monotonic() - accepts)
    last = max(backs)
    figures = load.reckon({503})
    expect(load.failed(), "no request met the fault: it proves nothing")
    return f"{rounds} times, {figures}; all workers back {last:.2f} s after it accepts"


def _accepting(run, seconds=20):
    until(run.instance.pg_accepts, seconds, "PostgreSQL accepts")
    return time.monotonic()


def database_restart(run):
    """Fast restart of PostgreSQL: 503 with Retry-After meanwhile, all workers back within 3 s"""
    def disturb():
        run.instance.pg_ctl("-m", "fast", "-w", "restart")
        return _accepting(run)
    return _disturbed(run, disturb, run.of(2, 20))


def backend_kill(run):
    """kill -9 of a backend, so that the server recovers: 503 meanwhile, back within 3 s"""
    def disturb():
        backends = run.instance.sql("select pid from pg_stat_activity where usename = 'lectern_app'")
        os.kill(random.choice(backends)[0], signal.SIGKILL)
        time.sleep(0.05)
        return _accepting(run)
    return _disturbed(run, disturb, run.of(2, 20))


def postmaster_kill(run):
    """kill -9 of the postmaster, started again: 503 meanwhile, back within 3 s"""
    def disturb():
        postmaster = run.instance.postmaster()
        os.kill(postmaster, signal.SIGKILL)
        until(lambda: not alive(postmaster), 5, "the postmaster is gone")
        run.instance.pg_start_again()
        return _accepting(run)
    return _disturbed(run, disturb, run.of(1, 10))


def backends_ended(run):
    """pg_terminate_backend of every connection, several times a second: 503 at worst"""
    with Load(run.instance.target, run.token("teacher")) as load:
        end, ended = time.monotonic() + run.of(3, 60), 0
        while time.monotonic() < end:
            ended += run.instance.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                                      "where usename = 'lectern_app'")[0][0]
            time.sleep(0.25)
    return f"{ended} connections ended, {load.reckon({503})}"


def cut(run):
    """The connection is cut after the Nth message of a write, either way, for every N: 503, and
    under the same key the write then is there exactly once"""
    with Proxy(run.instance.db_socket_dir, run.instance.db_port) as proxy:
        settings = {"DATABASE_URL": proxy.url(run.instance.settings["DATABASE_URL"])}
        with Pool(run.instance, settings, workers=1) as pool:
            course = Course(pool.target, run.token("teacher"))
            told = [f"{count} cuts {where} ({kept} after the commit)"
                    for where in ("to the server", "to the worker")
                    for count, kept in [_cut_each(proxy, course, where, again) for again in (True,)]]
            told += [f"{count} cuts {where} of a first use" for where in ("to the server",)
                     for count, _ in [_cut_each(proxy, course, where, False)]]
            return ", ".join(told)


def _cut_each(proxy, course, where, prepared):
    """Cut after 0, 1, 2 … messages until a write gets through"""
    http, kept, sent = Http(course.target, course.token), 0, {}
    for number in range(200):
        if not prepared:
            proxy.cut_all()
        _warm(http, course, prepared)
        title = f"w-{where}-{prepared}-{number}"
        sent[title] = None
        proxy.arm(where, number)
        first = _post(http, course, title)
        struck = proxy.disarm()
        if first.status != 201:
            expect(first.status == 503 and "retry-after" in first.fields,
                   f"cut {where} after {number} messages: {first.status} {first.body[:200]!r}")
            second = until(lambda: (a := _post(http, course, title)).status == 201 and a, 5,
                           f"the write is acknowledged (cut {where} after {number})")
            kept += second.fields.get("idempotency-replayed") == "1"
            sent[title] = second.json()["data"]["id"]
            continue
        sent[title] = first.json()["data"]["id"]
        if not struck:
            break
    expect(number > 3, f"only {number} cuts: it proves nothing")
    expect(not struck, f"200 cuts {where} and no end")
    rows = course.titles()
    for title, row in sent.items():
        expect(rows.get(title) == [row], f"{title}: {rows.get(title)} instead of once {row}")
    return number, kept


def _warm(http, course, prepared):
    """A live connection, with the statements of a write prepared or with none of them"""
    path = course.path + "?limit=1" if not prepared else "/api/v1/health/ready"
    until(lambda: http.request("GET", path).status == 200, 5, "the worker is connected")
    if prepared:
        until(lambda: _post(http, course, f"warm-{time.monotonic_ns()}").status == 201, 5, "a write")


def _post(http, course, title):
    return http.request("POST", course.path, {"title": title, "body": "b"},
                        {"idempotency-key": f"cut-{course.id}-{title.replace(' ', '-')}"})


CASES = [durable, database_restart, backend_kill, postmaster_kill, backends_ended, cut]
