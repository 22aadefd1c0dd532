"""Faults of PostgreSQL: restarts, kills, cut connections, silence, a full disk."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

from instance import Http, Missing, Pool, alive, children, expect, give, until
from ledger import Course, Load
from postgres_proxy import Proxy

BACK_SECONDS = 3
ROUND_SECONDS = 0.7


def durable(run):
    """The instance flushes what it commits: without that the cases below would prove nothing"""
    rows = run.instance.sql("select name, setting from pg_settings where name in "
                            "('fsync', 'full_page_writes', 'synchronous_commit')")
    off = [name for name, value in rows if value != "on"]
    expect(len(rows) == 3 and not off, f"off: {off}")
    return "fsync, full_page_writes, synchronous_commit are on"


def _disturbed(run, disturb, rounds):
    """Load over some disturbances; each gives the time when the server accepted again"""
    connected = run.instance.settled()
    backs = []
    with Load(run.instance.target, run.token("teacher")) as load:
        for _ in range(rounds):
            time.sleep(ROUND_SECONDS)
            begun = time.monotonic()
            accepts = disturb()
            until(lambda: run.instance.connected() >= connected,
                  BACK_SECONDS - (time.monotonic() - accepts),
                  "all workers of all pools are connected", 0.03)
            backs.append((begun, accepts, time.monotonic()))
    figures = load.reckon({503})
    expect(load.failed(), "no request met the fault: it proves nothing")
    for n, (_, _, back) in enumerate(backs):
        next_ = backs[n + 1][0] if n + 1 < rounds else float("inf")
        late = [s for s in load.failed() if back < s.at and s.at + s.seconds < next_]
        expect(not late, f"{len(late)} refused after all workers were back")
    last = max(back - accepts for _, accepts, back in backs)
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
    """pg_terminate_backend of every connection, several times a second: 503 at worst, or 409 to who
    repeats a write before the backend has let go of it"""
    with Load(run.instance.target, run.token("teacher")) as load:
        end, ended = time.monotonic() + run.of(3, 60), 0
        while time.monotonic() < end:
            ended += run.instance.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                                      "where usename = 'lectern_app'")[0][0]
            time.sleep(0.25)
    return f"{ended} connections ended, {load.reckon({503, 409})}"


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


# --- a full disk ---------------------------------------------------------------------------------

class SmallDisk:
    """A file system of a few megabytes that can be filled up and emptied"""

    def __init__(self, megabytes):
        if os.geteuid() != 0:
            raise Missing("only root can mount a small file system")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lectern-faults-disk.", dir="/tmp"))
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755",
                                  "lectern-faults", str(self.dir)], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.dir.rmdir()
            raise Missing("no file system can be mounted here")
        give(self.dir)
        self.ballast = self.dir / "ballast"

    def place(self, name):
        (self.dir / name).mkdir(0o700)
        give(self.dir / name)
        return self.dir / name

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as out:
            try:
                while out.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def empty(self):
        self.ballast.unlink(missing_ok=True)

    def remove(self):
        subprocess.run(["umount", str(self.dir)], check=True)
        self.dir.rmdir()


def data_disk_full(run):
    """The disk of a table is full: 503 for writes that need room, reads go on, and once there is
    room again all is written, without a restart"""
    disk = SmallDisk(64)
    try:
        run.instance.sql(f"create tablespace faults location '{disk.place('tables')}'")
        run.instance.sql("alter table app.announcements set tablespace faults")
        with Load(run.instance.target, run.token("teacher")) as load:
            time.sleep(0.3)
            disk.fill()
            full = time.monotonic()
            time.sleep(run.of(2, 30))
            empty = time.monotonic()
            disk.empty()
            time.sleep(0.7)
        expect(run.instance.process("api"), "the master")
        figures = load.reckon({503})
        refused = [s for s in load.failed() if s.kind == "write"]
        expect(refused, "no write met the full disk: it proves nothing")
        reads = [s for s in load.seen if s.kind == "read" and full < s.at < empty]
        expect(all(s.status == 200 for s in reads), "reads were refused while the disk was full")
        expect(len(reads) > 20, f"only {len(reads)} reads while the disk was full")
        back = max(s.at + s.seconds for s in refused) - empty
        expect(back < 1, f"refused for {back:.1f} s with room on the disk")
        return f"{figures}; {len(reads)} reads while it was full"
    finally:
        disk.empty()
        run.instance.sql("alter table app.announcements set tablespace pg_default")
        run.instance.sql("drop tablespace if exists faults")
        run.instance.sql("checkpoint")
        disk.remove()


def log_disk_full(run):
    """The disk of PostgreSQL's write-ahead log is full, so that the server gives up: 503 meanwhile;
    started with room again, all workers are back within 3 s and nothing acknowledged is lost"""
    wal, kept = run.instance.pg / "pg_wal", run.instance.pg / "pg_wal.kept"
    run.instance.sql("checkpoint")
    files = [f for f in wal.iterdir() if f.is_file()]
    disk = SmallDisk(sum(f.stat().st_size for f in files) // 2**20 + 48)
    moved = False
    try:
        run.instance.pg_ctl("-m", "fast", "-w", "stop")
        place = disk.place("wal")
        subprocess.run(["cp", "-a", f"{wal}/.", f"{place}/"], check=True)
        wal.rename(kept)
        wal.symlink_to(place)
        moved = True
        run.instance.pg_ctl("-w", "start")
        connected = run.instance.settled()
        with Load(run.instance.target, run.token("teacher"), settle=20) as load:
            time.sleep(0.5)
            disk.fill()
            postmaster = run.instance.postmaster()
            until(lambda: _use_up(run) or not alive(postmaster), 20, "the server gives up", 0.02)
            until(lambda: _server_ended(run), 20, "the server ended", 0.05)
            time.sleep(0.3)
            disk.empty()
            run.instance.pg_start_again()
            accepts = _accepting(run)
            until(lambda: run.instance.connected() >= connected, BACK_SECONDS,
                  "all workers are connected", 0.03)
            back = time.monotonic() - accepts
        return f"{load.reckon({503})}; all workers back {back:.2f} s after it accepts"
    finally:
        if moved:
            disk.empty()
            run.instance.pg_ctl("-m", "fast", "-w", "stop", check=False)
            wal.unlink()
            kept_segments = disk.dir / "wal"
            shutil.rmtree(kept)
            subprocess.run(["cp", "-a", str(kept_segments), str(wal)], check=True)
        if not run.instance.pg_accepts():
            run.instance.pg_start_again()
        disk.remove()


def _use_up(run):
    """Segments of the log, so that a new one is needed; true when the server does not answer"""
    try:
        run.instance.sql("select pg_switch_wal(), pg_logical_emit_message(false, 'faults', 'x')")
    except psycopg2.Error:
        return not run.instance.pg_accepts()
    return False


def _server_ended(run):
    try:
        postmaster = run.instance.postmaster()
    except (FileNotFoundError, ValueError):
        return True
    if not alive(postmaster):
        return True
    # It tries to recover for as long as it is let: an operator would stop it too.
    run.instance.pg_ctl("-m", "immediate", "-w", "stop", check=False)
    return False


# --- a server that is there and says nothing -----------------------------------------------------

class Silence:
    """The postmaster and all its children stopped; they go on at the end, whatever happens"""

    def __init__(self, run):
        self.postmaster, self.stopped = run.instance.postmaster(), []

    def __enter__(self):
        self._stop(self.postmaster)  # first, so that nobody is born meanwhile
        for child in children(self.postmaster):
            self._stop(child)
        return self

    def _stop(self, pid):
        self.stopped.append(pid)
        os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *ignored):
        for pid in self.stopped:
            if alive(pid):
                os.kill(pid, signal.SIGCONT)


def silent(run):
    """PostgreSQL stops without closing anything: 503 with Retry-After once a statement's time, 5 s
    of grace and that of connecting are over, for bodies too that fill every buffer; all workers are
    back within 3 s after it goes on, and a pause that is shorter than that costs no request"""
    statement_ms, connect, workers = 1000, 2, 9
    settings = {"DB_STATEMENT_TIMEOUT_MS": statement_ms, "DB_CONNECT_TIMEOUT_SECONDS": connect}
    # A read is tried a second time; connecting may take its time before and after that.
    bound = statement_ms / 1000 + 5 + 2 * connect
    with Pool(run.instance, settings, workers=workers) as pool:
        other = Course(pool.target, run.token("teacher"))
        with Load(pool.target, run.token("teacher")) as load:
            time.sleep(ROUND_SECONDS)
            with Silence(run):
                time.sleep(statement_ms / 2000)
            time.sleep(ROUND_SECONDS)
            with Silence(run):
                silenced = time.monotonic()
                large = _large(other, run.of(3, 6), bound)
                time.sleep(max(0, bound + run.of(0, 30) - (time.monotonic() - silenced)))
            again = time.monotonic()
            time.sleep(BACK_SECONDS + 1)
        figures = load.reckon({503, 409})
        failed = load.failed()
        expect(not [s for s in failed if s.at + s.seconds < silenced], "the short pause cost requests")
        refused = [s for s in failed if s.status == 503]
        expect(len(refused) > workers, f"only {len(refused)} requests met the silence")
        slowest = max(s.seconds for s in load.seen)
        expect(slowest < bound, f"a request took {slowest:.1f} s, stated are {bound:.0f}")
        late = [s for s in failed if s.at > again + BACK_SECONDS]
        expect(not late, f"{len(late)} refused {BACK_SECONDS} s after it went on")
        return f"{figures}; slowest {slowest:.1f} s, with a large body {large:.1f} s of {bound:.0f}"


def _large(course, count, bound):
    """The longest that a write of more than the buffers of a socket takes; all are refused"""
    body, took = "\U0001f600" * 100000, 0
    for number in range(count):
        http, begun = Http(course.target, course.token, timeout=4 * bound), time.monotonic()
        answer = http.request("POST", course.path, raw=json.dumps(
            {"title": f"large {number}", "body": body}, ensure_ascii=False).encode())
        expect(answer.status == 503 and "retry-after" in answer.fields,
               f"a large write: {answer.status} {answer.body[:160]!r}")
        took = max(took, time.monotonic() - begun)
        http.close()
    expect(took < bound, f"a large write took {took:.1f} s, stated are {bound:.0f}")
    return took


CASES = [durable, database_restart, backend_kill, postmaster_kill, backends_ended, cut, silent,
         data_disk_full, log_disk_full]
