"""docs/operations/key-rotation.md, step by step on the running instance, under load: no request fails.

The blocks of the page run in one shell as they stand, but for the first one, which says where things
are. At the end the instance has its own keys back.
"""
import base64
import json
import os
import pathlib
import re
import shlex
import subprocess
import threading

import jwt
import pytest

from conftest import TREE
from lib_factor import answer, challenge, enrol
from lib_gates import ME, V1, assert_problem, registered
from lib_pool import alive, children, home, settings_of, wait_until
from test_data_keys import OURS, TABLE, Secrets, counted
from test_process import Load

PAGE = TREE / "docs" / "operations" / "key-rotation.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
WHERE, KEYSET, NEXT, ACTIVATE, RETIRE, LEARN, SEAL, MOVE, FORGET = BLOCKS


class Operator:
    """Someone with a shell on the host of the instance."""

    def __init__(self, instance):
        self.place = home(instance)
        self.secrets, self.config = self.place / "secrets", self.place / "lectern.env"
        kept = [self.secrets / "jwt-keyset", self.config]
        self.kept = {path: (path.read_bytes(), path.stat()) for path in kept}
        self.made = set(self.secrets.iterdir())
        ctl = shlex.quote(str(self.place / "root" / "usr" / "bin" / "lecternctl"))
        self.lines = [f"config={self.config} secrets={self.secrets} group=$(stat -c %G {self.secrets}/refresh)",
                      f'lecternctl() {{ {ctl} "$@"; }}', "reload() { :; }", KEYSET]
        self.names = {}

    def run(self, block):
        """The names that a block gives are there in the next one, as in one shell."""
        kept = "".join(f"{n}={shlex.quote(v)}\n" for n, v in self.names.items())
        script = "set -eu\n" + "\n".join(self.lines) + f"\n{kept}{block}\ndeclare -p active primary new old 2>/dev/null || :\n"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found = re.findall(r'^declare -- (\w+)="(.*)"$', done.stdout, re.M)
        self.names.update(found)
        if re.search("^reload$", block, re.M):
            self.reload()
        return done.stdout

    def reload(self):
        """SIGHUP to every process, and wait until each has said that it is done, and the last of the old
        workers has ended: told to, it may still take a request."""
        logs = {name: self.place / "log" / f"{name}.log" for name in ("api", "auth", "jobs")}
        told = {name: self.count(log) for name, log in logs.items()}
        pids = {name: int((self.place / "state" / f"{name}.pid").read_text().split()[0]) for name in logs}
        old = [worker for name in ("api", "auth") for worker in children(pids[name])]
        for pid in pids.values():
            os.kill(pid, 1)
        for name, log in logs.items():
            wait_until(lambda: self.count(log) > told[name], 60)
        wait_until(lambda: not any(alive(worker) for worker in old), 60)

    @staticmethod
    def count(log):
        return log.read_bytes().count(b'"message":"reloaded"')

    def restore(self):
        for path, (content, status) in self.kept.items():
            path.write_bytes(content)
            os.chown(path, status.st_uid, status.st_gid)
            path.chmod(status.st_mode & 0o777)
        self.reload()
        for path in set(self.secrets.iterdir()) - self.made:
            path.unlink()


@pytest.fixture
def operator(instance):
    made = Operator(instance)
    yield made
    made.restore()


class Client:
    """Refreshes, and uses what it got at once: fresh tokens of every worker meet every other one."""

    def __init__(self, new_client):
        self.new_client, self.own = new_client, threading.local()

    def __call__(self):
        own = self.own
        if not hasattr(own, "client"):
            own.client = self.new_client("rotation")
            own.turn, answer = 0, own.client.post(V1 + "/auth/login", json=registered(own.client))
            own.client.cookies.clear()
            own.given = answer.json()["data"]
        own.turn += 1
        if own.turn % 4 == 0:
            answer = own.client.post(V1 + "/auth/refresh", json={"refresh_token": own.given["refresh_token"]})
            if answer.status_code == 200:
                own.given = answer.json()["data"]
            return answer
        return own.client.get(ME, headers={"authorization": "Bearer " + own.given["access_token"]})


def fresh(client, account):
    answer = client.post(V1 + "/auth/login", json=account)
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return answer.json()["data"]["access_token"]


def status_of(client, token):
    return client.get(ME, headers={"authorization": f"Bearer {token}"}).status_code


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def published(client):
    keys = client.get("/.well-known/jwks.json", headers={"cache-control": "no-cache"}).json()["keys"]
    return {key["kid"]: key["alg"] for key in keys}


def states(operator):
    keys = json.loads(base64.b64decode((operator.secrets / "jwt-keyset").read_text()))["keys"]
    return {key["kid"]: key["state"] for key in keys}, {key["kid"] for key in keys if "private_pem" in key}


def turn_over(operator, load, algorithm):
    """One rotation by the page; the kid of the new key."""
    before = set(states(operator)[0])
    operator.run(NEXT.replace("--next", f"--next --alg {algorithm}"))
    load.after(60)
    new, = set(states(operator)[0]) - before
    assert states(operator)[0][new] == "next"
    operator.run(ACTIVATE)
    load.after(60)
    now, private = states(operator)
    assert now[new] == "active" and [k for k, s in now.items() if s == "active"] == [new]
    assert private == {new}, "who signs no more keeps no secret"
    return new


def test_token_keys_rotate_without_a_failed_request(operator, new_client, anon):
    account = registered(anon)
    oldest = fresh(anon, account)
    with Load(Client(new_client), 4) as load:
        second = turn_over(operator, load, "ES256")
        middle = fresh(anon, account)
        assert kid_of(middle) == second and jwt.get_unverified_header(middle)["alg"] == "ES256"
        third = turn_over(operator, load, "RS256")
        newest = fresh(anon, account)
        assert kid_of(newest) == third and jwt.get_unverified_header(newest)["alg"] == "RS256"
        assert {kid_of(oldest): "RS256", second: "ES256", third: "RS256"}.items() <= published(anon).items()
        assert [status_of(anon, t) for t in (oldest, middle, newest)] == [200] * 3
        operator.run(RETIRE)
        load.after(60)
    assert operator.names["old"] == second
    assert set(load.seen) == {200}, (load.seen, [a.text for a in load.answers[:3]])
    assert sum(load.seen.values()) > 300
    assert_problem(anon.get(ME, headers={"authorization": f"Bearer {middle}"}), 401, "token_invalid")
    assert [status_of(anon, t) for t in (oldest, newest)] == [200] * 2
    assert second not in published(anon)


def test_a_rotation_at_once_is_for_emergencies(operator, anon):
    """A leaked key: its tokens end with the second reload, and the client refreshes."""
    given = anon.post(V1 + "/auth/login", json=registered(anon)).json()["data"]
    anon.cookies.clear()
    leaked = kid_of(given["access_token"])
    operator.run("into_place lecternctl jwt rotate\nreload\n")
    operator.run(f"into_place lecternctl jwt retire {leaked}\nreload\n")
    assert_problem(anon.get(ME, headers={"authorization": "Bearer " + given["access_token"]}), 401, "token_invalid")
    again = anon.post(V1 + "/auth/refresh", json={"refresh_token": given["refresh_token"]})
    assert again.status_code == 200
    assert status_of(anon, again.json()["data"]["access_token"]) == 200


@pytest.fixture
def secrets(instance, tmp_path):
    made = Secrets(instance, tmp_path)
    made.config = home(instance) / "lectern.env"  # the instance's own settings, whatever they become
    yield made
    made.db.execute(f"drop table {TABLE}")
    made.connection.close()


def test_data_keys_rotate_by_the_page(instance, operator, secrets, people, new_client):
    own = secrets.active
    secrets.fill(400, own)
    person = people.make("student")
    app, _ = enrol(person)
    try:
        with Load(Client(new_client), 2) as load:
            operator.run(LEARN)
            new = operator.names["new"]
            secrets.keys[new] = base64.b64decode((operator.secrets / new).read_text())
            assert counted(secrets.ctl("list").stdout)[OURS, own] == ("active", 400)
            operator.run(SEAL)
            assert counted(secrets.ctl("list").stdout)[OURS, own] == ("fallback", 400)
            counts = counted(operator.run(MOVE))
            assert counts[OURS, new] == ("active", 400)
            assert {key for _, key in counts} == {new}, "every value of the instance has moved"
            assert counts["second_factors.sealed", new][1] >= 1
            client = new_client("factor")
            assert answer(client, challenge(client, person.email), app.code(1)).status_code == 200
            counts = counted(operator.run(FORGET))
            assert {key for _, key in counts} == {new}
            load.after(30)
        assert set(load.seen) == {200}, (load.seen, [a.text for a in load.answers[:3]])
        settings = settings_of(instance)
        assert settings["DATA_ENCRYPTION_ACTIVE_KEY_ID"] == new and "DATA_ENCRYPTION_FALLBACK_KEYS_FILE" not in settings
        assert not (operator.secrets / "data-keyring").exists()
        secrets.everything_opens()
    finally:
        back_to(operator, secrets, own)
    secrets.everything_opens()


def back_to(operator, secrets, own):
    """The instance gets its own settings back, and all its values with them."""
    new = operator.names.get("new")
    if new is None or not (operator.secrets / new).exists():
        return
    settings = operator.kept[operator.config][0].decode()
    secrets.config = pathlib.Path(secrets.config.parent) / "rotation-test.env"
    key = (operator.secrets / new).read_text().strip()
    secrets.config.write_text(f"{settings}\nDATA_ENCRYPTION_FALLBACK_KEYS={new}:{key}\n")
    secrets.config.chmod(0o600)
    try:
        operator.restore()
        done = secrets.ctl("reencrypt")
        assert done.returncode == 0, done.stderr
        assert secrets.held() == {own: 400}
    finally:
        secrets.config.unlink()
