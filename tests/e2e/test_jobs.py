"""The background daemon of a running instance, and lecternctl where it needs a database."""
import contextlib
import datetime
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import psycopg2
import pytest

from lib_pool import master_of

PASSWORD = "correct horse battery 9\n"


class Daemon:
    """A lectern-jobs beside the instance's own, and what it tells its service manager."""

    def __init__(self, place, directory, config=None):
        path = os.path.join(directory, "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.log = pathlib.Path(directory) / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(place.bin / "lectern-jobs"), "--config", str(config or place.config)], stderr=log,
                stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": path})

    def told(self, text, seconds=5):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.notify.settimeout(left)
            with contextlib.suppress(socket.timeout):
                if text in self.notify.recv(1024).decode():
                    return True
        return False

    def lines(self, **wanted):
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in found if wanted.items() <= line.items()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def second(place):
    with tempfile.TemporaryDirectory(prefix="lectern-jobs.", dir="/tmp") as directory:
        daemon = Daemon(place, directory)
        yield daemon
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        daemon.notify.close()


def leaders(cursor):
    cursor.execute("select a.pid from pg_locks l join pg_stat_activity a using (pid)"
                   " where l.locktype = 'advisory' and a.application_name = 'lectern-jobs'"
                   " and l.granted and a.datname = current_database()")
    return [pid for (pid,) in cursor.fetchall()]


def await_true(question, seconds=5):
    until = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < until:
        time.sleep(0.05)
    return answer


# --- the daemon ----------------------------------------------------------------------------------

def test_events_have_partitions_for_months_to_come(db):
    with db.cursor() as cursor:
        cursor.execute("select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
                       " where i.inhparent = 'app.events'::regclass")
        there = {name for (name,) in cursor.fetchall()}
    now = datetime.datetime.now(datetime.timezone.utc)
    months = [now.year * 12 + now.month - 1 + ahead for ahead in range(4)]
    assert {f"events_{m // 12:04}{m % 12 + 1:02}" for m in months} <= there


def test_it_logs_each_run(place):
    lines = [json.loads(line) for line in (place.dir / "log" / "jobs.log").read_text().splitlines()
             if line.startswith("{")]
    for kind in ("partitions", "purge"):
        runs = [line for line in lines
                if line.get("kind") == kind and line["message"] == "job done"]
        assert runs, f"no run of {kind}"
        assert all(isinstance(r["rows"], int) and r["rows"] >= 0 and r["us"] > 0 for r in runs)


def test_another_one_stands_by_and_leaves_when_told(second, root):
    assert await_true(lambda: leaders(root), 75)
    assert second.told("STATUS=Standing by")
    assert len(leaders(root)) == 1
    begun = time.monotonic()
    assert second.stop() == 0
    assert time.monotonic() - begun < 5
    assert not second.lines(message="leading") and not second.lines(message="job done")


def test_another_one_takes_over_and_cleans_up(instance, second, root):
    assert await_true(lambda: leaders(root), 75)
    assert second.told("STATUS=Standing by")
    first = master_of(instance, "jobs")
    root.execute("insert into app.idempotency_keys"
                 " (org_id, user_id, key, route, digest, created_at, expires_at)"
                 " select u.org_id, u.id, 'stale-' || n, 'POST /x', sha256('x'),"
                 "        now() - interval '2 days', now() - interval '1 day'"
                 " from generate_series(1, 2345) n,"
                 "      (select id, org_id from app.users order by id limit 1) u")
    # Held still, so that it is not the first again to ask for the lead.
    os.kill(first, signal.SIGSTOP)
    try:
        for pid in leaders(root):
            root.execute("select pg_terminate_backend(%s)", (pid,))
        assert second.told("STATUS=Leading", 15)
    finally:
        os.kill(first, signal.SIGCONT)
    assert await_true(lambda: second.lines(kind="purge"))
    # Full batches follow each other at once.
    await_true(lambda: sum(r["rows"] for r in second.lines(kind="purge")) >= 2345)
    rows = [r["rows"] for r in second.lines(kind="purge", message="job done")]
    assert sum(rows) >= 2345 and len(rows) >= 3 and rows[-1] < 1000
    assert [r["rows"] for r in second.lines(kind="partitions")] == [0]
    root.execute("select count(*) from app.idempotency_keys where key like 'stale-%'")
    assert root.fetchone() == (0,)
    assert len(leaders(root)) == 1
    assert second.stop() == 0
    assert master_of(instance, "jobs") == first, "the first one has ended"
    # It finds out by its next run that its connection is gone, and leads again.
    assert await_true(lambda: leaders(root), 75)


@pytest.fixture
def elsewhere(place, root):
    """elsewhere(statement) → a daemon on a database without our schema, after that statement of its superuser"""
    name, daemons = f"lectern_jobs_{os.getpid()}", []
    env = place.superuser_environment()
    root.execute(f"create database {name} template template0")
    with tempfile.TemporaryDirectory(prefix="lectern-jobs.", dir="/tmp") as directory:
        def start(statement=None):
            if statement:
                connection = psycopg2.connect(host=env["PGHOST"], port=env["PGPORT"], user=env["PGUSER"],
                                              password=env["PGPASSWORD"], dbname=name, connect_timeout=10)
                with contextlib.closing(connection), connection, connection.cursor() as cursor:
                    cursor.execute(statement)
            lines = place.config.read_text().splitlines()
            url = next(line for line in lines if line.startswith("JOBS_DATABASE_URL=")).partition("=")[2]
            other = urllib.parse.urlsplit(url)._replace(path="/" + name).geturl()
            config = pathlib.Path(directory) / "env"
            config.touch(0o600)
            config.write_text("\n".join(line for line in lines if not line.startswith("JOBS_DATABASE_URL="))
                              + f"\nJOBS_DATABASE_URL={other}\n")
            daemons.append(Daemon(place, directory, config))
            return daemons[-1]
        yield start
        for daemon in daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait()
            daemon.notify.close()
    root.execute(f"drop database {name} with (force)")


def test_a_job_that_fails_stops_neither_the_others_nor_the_daemon(elsewhere):
    daemon = elsewhere()
    assert daemon.told("STATUS=Leading")
    (leading,) = daemon.lines(message="leading")
    assert leading["kinds"] > 1

    def failed():
        return {line["kind"] for line in daemon.lines(message="job failed")}
    assert await_true(lambda: len(failed()) == leading["kinds"], 15), failed()
    assert not daemon.lines(message="job done")
    assert {(line["level"], line["code"]) for line in daemon.lines(message="job failed")} == {("warn", "internal_error")}
    # They had one connection, and it is good: only what failed was undone.
    assert not daemon.lines(message="no longer leading: the database connection was lost")
    assert daemon.stop() == 0


def test_who_may_not_lead_says_so_and_runs_nothing(elsewhere):
    daemon = elsewhere("revoke execute on function pg_catalog.pg_try_advisory_lock(bigint) from public")
    assert await_true(lambda: daemon.lines(message="leadership cannot be asked for", level="error"))
    assert daemon.told("STATUS=Waiting for the database")
    assert not daemon.lines(message="leading") and not daemon.lines(message="job failed")
    assert daemon.stop() == 0


# --- lecternctl ----------------------------------------------------------------------------------

def test_audit_verify_finds_what_was_changed(place, root, api):
    made = api("teacher").post("/api/v1/courses", json={"title": "Soon deleted"})
    gone = api("teacher").delete("/api/v1/courses/" + made.json()["data"]["id"],
                                 headers={"if-match": made.headers["etag"]})
    assert gone.status_code == 204, gone.text
    done = place.ctl("audit", "verify")
    assert done.returncode == 0 and done.stdout.startswith("The audit log is whole.\nhead "), done.stderr
    root.execute("select chain, seq, id, action from app.audit_logs"
                 " order by created_at desc, seq desc limit 1")
    chain, seq, row, action = root.fetchone()

    def write(value):
        root.execute("begin; set local session_replication_role = replica;"
                     " update app.audit_logs set action = %s where chain = %s and seq = %s; commit",
                     (value, chain, seq))
    write(action + "x")
    try:
        done = place.ctl("audit", "verify")
    finally:
        write(action)
    assert done.returncode == 1
    assert without_heads(done) == [f"chain {chain} seq {seq} id {row}: edited or moved", "1 problem in the audit log."]
    assert place.ctl("audit", "verify").returncode == 0


def without_heads(done):
    return [line for line in done.stdout.splitlines() if not line.startswith("head ")]


def deleted(api, count):
    for _ in range(count):
        made = api("teacher").post("/api/v1/courses", json={"title": "Soon deleted"})
        gone = api("teacher").delete("/api/v1/courses/" + made.json()["data"]["id"])
        assert gone.status_code == 204, gone.text


TAMPERED = "begin; set local session_replication_role = replica; "


def test_audit_verify_names_rows_that_are_gone(place, root, api):
    while True:  # until one chain has three rows, of which the middle and the last may go
        deleted(api, 3)
        root.execute("select chain, max(seq) from app.audit_logs group by chain having count(*) >= 3")
        if found := root.fetchone():
            break
    chain, last = found
    root.execute("create temp table kept as select * from app.audit_logs where chain = %s and seq >= %s", (chain, last - 1))
    try:
        root.execute(TAMPERED + "delete from app.audit_logs where chain = %s and seq = %s; commit", (chain, last - 1))
        one = place.ctl("audit", "verify")
        root.execute(TAMPERED + "delete from app.audit_logs where chain = %s and seq = %s; commit", (chain, last))
        two = place.ctl("audit", "verify")
    finally:
        root.execute(TAMPERED + "insert into app.audit_logs select * from kept on conflict do nothing; commit")
        root.execute("drop table kept")
    assert one.returncode == two.returncode == 1
    assert without_heads(one) == [f"chain {chain} seq {last - 1}: removed", "1 problem in the audit log."]
    assert without_heads(two) == [f"chain {chain} seq {last - 1}: removed, up to seq {last}", "1 problem in the audit log."]
    assert place.ctl("audit", "verify").returncode == 0


def test_audit_verify_against_heads_that_were_kept(place, root, api, tmp_path):
    """Who has all rights winds a chain back with its head: what was printed before tells"""
    deleted(api, 2)
    kept = tmp_path / "heads"
    kept.write_text(place.ctl("audit", "verify").stdout)
    deleted(api, 2)
    again = place.ctl("audit", "verify", "--expect", str(kept))
    assert again.returncode == 0 and without_heads(again) == ["The audit log is whole."], again.stdout
    root.execute("select chain, seq from app.audit_heads() order by seq desc limit 1")
    chain, seq = root.fetchone()
    root.execute("select hash from app.audit_heads() where chain = %s", (chain,))
    text = f"noise\nhead {chain} {seq} {root.fetchone()[0]}\n"
    kept.write_text(text)
    assert place.ctl("audit", "verify", "--expect", str(kept)).returncode == 0
    kept.write_text(text.replace(f"head {chain} {seq} ", f"head {chain} {seq + 100} "))
    gone = place.ctl("audit", "verify", "--expect", str(kept))
    assert gone.returncode == 1 and without_heads(gone)[0] == f"chain {chain} seq {seq + 100}: expected, and not there"
    kept.write_text(f"head {chain} {seq} {'0' * 64}\n")
    other = place.ctl("audit", "verify", "--expect", str(kept))
    assert other.returncode == 1 and other.stdout.startswith(f"chain {chain} seq {seq} id ")
    assert ": not what was expected\n" in other.stdout


@pytest.mark.parametrize("text", ["", "nothing of ours\n", "head 1 2\n", "head 1 2 " + "0" * 63 + "\n",
                                  "head 1 2 " + "0" * 65 + "\n", "head 1 x " + "0" * 64 + "\n",
                                  "head 1 2 " + "0" * 64 + " more\n"])
def test_audit_verify_refuses_what_holds_no_heads(place, tmp_path, text):
    kept = tmp_path / "heads"
    kept.write_text(text)
    done = place.ctl("audit", "verify", "--expect", str(kept))
    assert done.returncode == 65 and done.stdout == "", done.stdout
    assert place.ctl("audit", "verify", "--expect", str(tmp_path / "none")).returncode == 66


def test_audit_verify_without_database_or_rights(place, instance):
    away = place.ctl("audit", "verify", JOBS_DATABASE_URL="postgresql://x@/x?host=/nonexistent")
    assert away.returncode == 69 and away.stdout == "" and "cannot be reached" in away.stderr
    app = place.ctl("audit", "verify", JOBS_DATABASE_URL=instance["database_url"])
    assert app.returncode == 70 and app.stdout == "" and "forbidden" in app.stderr


def test_seed_gives_the_script_its_variables(place, tmp_path):
    script = tmp_path / "script.sql"
    script.write_text("select :'password_hash' like '$argon2id$v=19$%' as hashed,"
                      " :scale + 1 as more, current_user as who \\gset\n"
                      "\\echo :hashed :more :who\n")
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    env = {**place.superuser_environment(), "PGDATABASE": "postgres"}
    for options in ((), ("--password-file", str(secret)), ("--database", "dbname=template1")):
        done = place.ctl("seed", "--scale", "7", "--script", str(script), *options, stdin=PASSWORD, **env)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == "t 8 postgres"
        assert PASSWORD.strip() not in done.stdout + done.stderr


@pytest.mark.parametrize("options, stdin, status", [
    ((), PASSWORD, 64),
    (("--scale", "0"), PASSWORD, 64),
    (("--scale", "1000"), PASSWORD, 64),
    (("--scale", "1; drop"), PASSWORD, 64),
    (("--scale", "1", "more"), PASSWORD, 64),
    (("--scale", "1", "--kid", "k"), PASSWORD, 64),
    (("--scale", "1"), "short\n", 65),
    (("--scale", "1"), "", 65),
    (("--scale", "1", "--password-file", "/nonexistent"), "", 66),
    (("--scale", "1", "--script", "/nonexistent"), PASSWORD, 66),
    (("--scale", "1", "--database", "host=/nonexistent"), PASSWORD, 69),
])
def test_seed_refuses(place, tmp_path, options, stdin, status):
    script = tmp_path / "script.sql"
    script.write_text("\\echo ran\n")
    if "--script" not in options:
        options = ("--script", str(script), *options)
    done = place.ctl("seed", *options, stdin=stdin, PGHOST="/nonexistent")
    assert done.returncode == status, done.stderr
    assert "ran" not in done.stdout and done.stderr.startswith(("lecternctl: ", "psql: "))


def test_seed_tells_of_a_failed_script(place, tmp_path):
    script = tmp_path / "script.sql"
    script.write_text("select 1/0;\n\\echo went on\n")
    done = place.ctl("seed", "--scale", "1", "--script", str(script), stdin=PASSWORD,
                     **{**place.superuser_environment(), "PGDATABASE": "postgres"})
    assert done.returncode == 70 and "went on" not in done.stdout
