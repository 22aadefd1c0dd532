"""Sealed values and their keys: `lecternctl keys`, on a table of the test's own.

The table lies beside the others in the schema of the instance, so that it is found as theirs are.
All values of the instance stand under its active key already: to that one the test's are moved.
"""
import base64
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile
import threading
import time
import uuid

import psycopg2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg2.extras import execute_values

from lib_domain import People
from lib_factor import FACTOR, begin
from lib_gates import assert_problem
from lib_pool import binary, home, settings_of, wait_until

ROWS = 15000
TABLE = "app.e2e_secrets"
OLD = os.urandom(32)


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def associated(key_id, row, org, table="e2e_secrets", column="token_sealed"):
    texts = ["v1", key_id, table, column]
    return b"".join(len(t).to_bytes(4, "big") + t.encode() for t in texts) + row.bytes + org.bytes


def seal(key, key_id, row, org, plain):
    """The format once more, by another library."""
    nonce = os.urandom(12)
    return f"v1.{key_id}." + b64url(nonce + AESGCM(key).encrypt(nonce, plain.encode(), associated(key_id, row, org)))


def unseal(keys, row, org, sealed):
    version, key_id, text = sealed.split(".")
    assert version == "v1"
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return AESGCM(keys[key_id]).decrypt(data[:12], data[12:], associated(key_id, row, org)).decode()


class Secrets:
    """The table, what it should hold, and lecternctl with an older key besides the active one."""

    def __init__(self, instance, directory):
        self.instance, place = instance, home(instance)
        dsn = psycopg2.extensions.parse_dsn(instance["database_url"])
        self.login = {"host": os.path.realpath(place / "run"), "user": "postgres", "dbname": dsn["dbname"],
                      "port": (place / "state" / "port-database").read_text().strip(),
                      "password": (place / "secrets" / "db-superuser").read_text().strip()}
        settings = settings_of(instance)
        self.active = settings["DATA_ENCRYPTION_ACTIVE_KEY_ID"]
        key = pathlib.Path(settings["DATA_ENCRYPTION_PRIMARY_KEY_FILE"]).read_text().strip()
        self.keys = {self.active: base64.b64decode(key), "older": OLD, "lost": os.urandom(32)}
        self.config = pathlib.Path(directory) / "lectern.env"
        settings["DATA_ENCRYPTION_FALLBACK_KEYS"] = "older:" + base64.b64encode(OLD).decode()
        self.write(settings)
        self.expected = {}
        self.connection = self.connect()
        self.db = self.connection.cursor()
        self.db.execute(f"drop table if exists {TABLE}")
        self.db.execute(f"""
            create table {TABLE} (id uuid primary key, org_id uuid not null, token_sealed text);
            alter table {TABLE} owner to lectern_owner;
            alter table {TABLE} enable row level security;
            alter table {TABLE} force row level security;
            grant select, update on {TABLE} to lectern_definer;
            create policy all_definer on {TABLE} to lectern_definer using (true) with check (true)""")
        self.db.execute("select id from app.orgs limit 1")
        self.org = uuid.UUID(self.db.fetchone()[0])

    def write(self, settings):
        self.settings = settings
        self.config.write_text("".join(f"{n}={v}\n" for n, v in settings.items()))
        self.config.chmod(0o600)

    def connect(self):
        connection = psycopg2.connect(**self.login)
        connection.autocommit = True
        return connection

    def sealed(self, row, plain, key_id):
        return seal(self.keys[key_id], key_id, row, self.org, plain)

    def fill(self, count, key_id="older", plain=lambda n: f"secret {n}"):
        rows = []
        for n in range(count):
            row = uuid.uuid4()
            self.expected[row] = plain(n)
            rows.append((str(row), str(self.org), self.sealed(row, self.expected[row], key_id)))
        execute_values(self.db, f"insert into {TABLE} values %s", rows)
        return uuid.UUID(rows[0][0])

    def put(self, row, sealed, cursor=None):
        (cursor or self.db).execute(f"update {TABLE} set token_sealed = %s where id = %s", (sealed, str(row)))

    def held(self):
        self.db.execute(f"select split_part(token_sealed, '.', 2), count(*) from {TABLE} group by 1")
        return dict(self.db.fetchall())

    def everything_opens(self):
        self.db.execute(f"select id, token_sealed from {TABLE} where token_sealed is not null")
        found = {uuid.UUID(i): unseal(self.keys, uuid.UUID(i), self.org, s) for i, s in self.db.fetchall()}
        assert found == self.expected

    def command(self, *words):
        return [binary(self.instance, "lecternctl"), "keys", *words, "--config", str(self.config)]

    def ctl(self, *words):
        return subprocess.run(self.command(*words), env={"PATH": os.environ["PATH"]}, capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=120, check=False)

    def start(self):
        # A sanitizer would keep a quarter of a gigabyte of what was freed.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        return subprocess.Popen(self.command("reencrypt"), env={"PATH": os.environ["PATH"], "ASAN_OPTIONS": options},
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def secrets(instance):
    with tempfile.TemporaryDirectory(prefix="lectern-keys.", dir="/tmp") as directory:
        made = Secrets(instance, directory)
        yield made
        made.db.execute(f"drop table {TABLE}")
        made.connection.close()


def counted(text):
    """{(column, key): (word, values)} of the summary."""
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") == 3]
    return {(column, key): (word, int(count)) for column, key, word, count in rows}


OURS = "e2e_secrets.token_sealed"


def test_all_values_move_to_the_active_key(secrets):
    row = secrets.fill(500)
    secrets.fill(50, secrets.active)
    secrets.db.execute(f"insert into {TABLE} values (%s, %s, null)", (str(uuid.uuid4()), str(secrets.org)))
    before = secrets.ctl("list")
    assert before.returncode == 0, before.stderr
    assert counted(before.stdout)[OURS, "older"] == ("fallback", 500)
    done = secrets.ctl("reencrypt")
    assert done.returncode == 0, done.stderr
    mine = {key: value for (column, key), value in counted(done.stdout).items() if column == OURS}
    assert mine == {secrets.active: ("active", 550)}
    assert f"{OURS}: 551 rows read, 500 values moved, done" in done.stderr
    secrets.everything_opens()
    secrets.db.execute(f"select token_sealed from {TABLE} where id = %s", (str(row),))
    kept = secrets.db.fetchone()[0]
    again = secrets.ctl("reencrypt")
    assert again.returncode == 0 and f"{OURS}: 551 rows read, 0 values moved, done" in again.stderr
    secrets.db.execute(f"select token_sealed from {TABLE} where id = %s", (str(row),))
    assert secrets.db.fetchone()[0] == kept, "what stands under the active key is left as it is"
    for out in (before, done, again):
        for key in secrets.keys.values():
            assert base64.b64encode(key).decode() not in out.stdout + out.stderr
        assert "secret 1" not in out.stdout + out.stderr


class Writers:
    """Put new values into rows while others move them: some under the old key, as workers do that have not reloaded."""

    def __init__(self, secrets):
        self.secrets, self.stopped, self.written = secrets, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, args=(rows,))
                        for rows in (sorted(secrets.expected)[0::2], sorted(secrets.expected)[1::2])]

    def run(self, rows):
        connection = self.secrets.connect()
        with connection.cursor() as cursor:
            while not self.stopped.is_set():
                row = random.choice(rows)
                plain = f"written {uuid.uuid4()}"
                key = random.choice([self.secrets.active, self.secrets.active, "older"])
                self.secrets.put(row, self.secrets.sealed(row, plain, key), cursor)
                self.secrets.expected[row] = plain
                self.written += 1
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def test_killed_at_any_point_and_run_again(secrets):
    secrets.fill(ROWS)
    midway = 0
    with Writers(secrets) as writers:
        for part in (0, 0.02, 0.1, 0.2, 0.3, 0.1):
            old = secrets.held().get("older", 0)
            process = secrets.start()
            while process.poll() is None and secrets.held().get("older", 0) > old * (1 - part):
                pass
            midway += process.poll() is None
            process.kill()
            process.wait()
        assert midway >= 4 and secrets.held().get("older", 0) > 1000, "the runs were not killed midway"
        last = secrets.ctl("reencrypt")
        assert last.returncode in (0, 75), last.stderr  # the writers may have been last
    assert writers.written > 100
    done = secrets.ctl("reencrypt")
    assert done.returncode == 0, done.stderr
    assert secrets.held() == {secrets.active: ROWS}
    secrets.everything_opens()


def test_two_runs_at_once(secrets):
    secrets.fill(3000)
    both = [secrets.start(), secrets.start()]
    assert {p.wait(60) for p in both} <= {0, 75}
    assert secrets.ctl("reencrypt").returncode == 0
    assert secrets.held() == {secrets.active: 3000}
    secrets.everything_opens()


def test_a_row_that_is_held_is_not_waited_for(secrets):
    row = secrets.fill(300)
    other = secrets.connect()
    other.autocommit = False
    with other.cursor() as cursor:
        cursor.execute(f"select from {TABLE} where id = %s for update", (str(row),))
        begun = time.monotonic()
        done = secrets.ctl("reencrypt")
        assert done.returncode == 75 and "1 values are under other keys still" in done.stderr
        assert time.monotonic() - begun < 10
        assert secrets.held() == {secrets.active: 299, "older": 1}
        other.rollback()
    other.close()
    assert secrets.ctl("reencrypt").returncode == 0
    secrets.everything_opens()


def test_an_unknown_key_is_named_and_its_values_stay(secrets):
    secrets.fill(20)
    row = secrets.fill(3, "lost")
    secrets.db.execute(f"select token_sealed from {TABLE} where id = %s", (str(row),))
    before = secrets.db.fetchone()
    for words in ("list", "reencrypt", "reencrypt"):
        done = secrets.ctl(words)
        assert done.returncode == 1
        assert f"{OURS}: 3 values are under the unknown key lost" in done.stderr
        assert counted(done.stdout)[OURS, "lost"] == ("unknown", 3)
    assert secrets.held() == {secrets.active: 20, "lost": 3}
    secrets.db.execute(f"select token_sealed from {TABLE} where id = %s", (str(row),))
    assert secrets.db.fetchone() == before
    secrets.everything_opens()


def test_broken_values_are_told_and_stay(secrets):
    secrets.fill(20)
    rows = sorted(secrets.expected)
    secrets.put(rows[0], secrets.sealed(rows[1], "of another row", "older"))
    secrets.put(rows[2], "no sealed text")
    done = secrets.ctl("reencrypt")
    assert done.returncode == 1
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    named = {line["row"] for line in told if line.get("table") == "e2e_secrets"}
    assert named == {str(rows[0]), str(rows[2])}
    assert f"{OURS}: 1 values are no sealed texts" in done.stderr
    assert secrets.held() == {secrets.active: 18, "older": 1, "": 1}
    secrets.put(rows[2], None)
    done = secrets.ctl("reencrypt")
    assert done.returncode == 1 and "1 values do not open" in done.stderr


def test_memory_stays_bounded_for_large_values(secrets):
    text = "x" * 900_000
    secrets.fill(60, plain=lambda n: f"{n}{text}")
    process, peak = secrets.start(), 0
    while process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *(int(n) for n in re.findall(r"VmHWM:\s+(\d+) kB", status))])
        time.sleep(0.01)
    assert process.returncode == 0
    assert 1024 < peak < 96 * 1024, f"{peak} KiB for 72 MB of sealed texts"
    secrets.everything_opens()


def test_no_key_and_no_database(secrets):
    settings = dict(secrets.settings)
    secrets.write({n: v for n, v in settings.items() if not n.startswith("DATA_ENCRYPTION")})
    done = secrets.ctl("reencrypt")
    assert done.returncode == 78 and "DATA_ENCRYPTION_ACTIVE_KEY_ID is not set" in done.stderr
    secrets.write({**settings, "JOBS_DATABASE_URL": "postgresql://lectern_jobs:x@127.0.0.1:1/lectern"})
    assert secrets.ctl("reencrypt").returncode == 69
    assert secrets.ctl("list").returncode == 69


def logged(instance, key_id, before):
    def lines():
        text = "".join((home(instance) / "log" / f"{pool}.log").read_text()[size:] for pool, size in before.items())
        return [json.loads(line) for line in text.splitlines() if f'"data_key_id":"{key_id}"' in line]
    return wait_until(lines)


def test_a_value_under_an_unknown_key_is_an_internal_error(instance, secrets, new_client, api):
    """Named in the log and nowhere else, and nothing is taken for an empty secret."""
    person = People(new_client, api("admin")).make("student")
    app = begin(person)
    secrets.db.execute("select sealed from app.second_factors where user_id = %s", (person.id,))
    sealed = secrets.db.fetchone()[0]

    def put(text):
        secrets.db.execute("update app.second_factors set sealed = %s where user_id = %s", (text, person.id))

    before = {pool: len((home(instance) / "log" / f"{pool}.log").read_text()) for pool in ("api", "auth")}
    version, _, text = sealed.split(".")
    put(f"{version}.gone-for-good.{text}")
    failed = person.post(FACTOR + "/confirm", json={"code": app.code()})
    assert_problem(failed, 500, "internal_error")
    assert "gone-for-good" not in failed.text + str(failed.headers) and "data_key" not in failed.text
    line, = logged(instance, "gone-for-good", before)
    assert (line["table"], line["column"], line["row"], line["level"]) == ("second_factors", "sealed", person.id, "error")
    put(sealed[:-8] + ("AAAAAAAA" if sealed[-8:] != "AAAAAAAA" else "BBBBBBBB"))
    assert_problem(person.post(FACTOR + "/confirm", json={"code": app.code()}), 500, "internal_error")
    done = secrets.ctl("reencrypt")
    assert done.returncode == 0, "it stands under the active key: that it is broken shows when it is opened"
    put(sealed)
    assert person.post(FACTOR + "/confirm", json={"code": app.code()}).status_code == 200
