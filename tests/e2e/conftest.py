"""Fixtures of the tests through the real stack.

LECTERN_INSTANCE names an instance.json (default: .lectern of this tree). LECTERN_EXCHANGES, when
set, is a file that gets one JSON line for every exchange.
"""
import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.parse

import psycopg2
import pytest
import requests

from lib_domain import ME, People, Rows, data
from lib_pool import Place
from responder import Responder

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
INSTANCE = pathlib.Path(os.environ.get("LECTERN_INSTANCE", TREE / ".lectern" / "instance.json")).resolve()
_serial = itertools.count(1)


# --- the instance ------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def instance():
    if not INSTANCE.is_file():
        pytest.fail(f"no instance: {INSTANCE} does not exist (deploy/up makes one)")
    return json.loads(INSTANCE.read_text())


@pytest.fixture(scope="session")
def accounts(instance):
    """accounts(role, org, index) → {"role", "email", "password", "org"}"""
    def find(role, org="demo", index=0):
        found = [a for a in instance["accounts"] if a["role"] == role and a.get("org", org) == org]
        assert len(found) > index, f"no account {index} with role {role} in {org}"
        return found[index]
    return find


class Client(requests.Session):
    """A session that knows where the instance is, names its requests and writes them down."""

    def __init__(self, base_url, ca_file, label):
        super().__init__()
        self.base_url, self.ca_file, self.label = base_url, ca_file, label
        self.trust_env = False
        self.account = None

    def request(self, method, url, **kwargs):
        if not urllib.parse.urlsplit(url).scheme:
            url = self.base_url + url
        kwargs.setdefault("timeout", 30)
        kwargs["allow_redirects"] = False  # requests' own get() has asked for them by now
        kwargs.setdefault("verify", self.ca_file)
        headers = dict(kwargs.pop("headers", None) or {})
        if "x-request-id" not in {name.lower() for name in headers}:
            headers["x-request-id"] = f"e2e-{self.label}-{os.getpid()}-{next(_serial)}"
        return super().request(method, url, headers=headers, **kwargs)

    def send(self, request, **kwargs):
        answer = super().send(request, **kwargs)
        _write_down(request, answer)
        return answer


def _text(body):
    if body is None:
        return None
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


def _write_down(request, answer):
    target = os.environ.get("LECTERN_EXCHANGES")
    if not target:
        return
    parts = urllib.parse.urlsplit(request.url)
    line = json.dumps({
        "method": request.method, "path": parts.path, "query": parts.query,
        "request_headers": {_text(k).lower(): _text(v) for k, v in request.headers.items()
                            if _text(k).lower() not in ("authorization", "cookie")},
        "request_body": _text(request.body), "status": answer.status_code,
        "headers": {k.lower(): v for k, v in answer.headers.items()},
        "body": _text(answer.content),
    })
    # One write of a file opened for appending, so that parallel runs do not mix their lines.
    fd = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, line.encode() + b"\n")
    finally:
        os.close(fd)


@pytest.fixture(scope="session")
def new_client(instance):
    """new_client(label) → a session without credentials"""
    return lambda label="anon": Client(instance["base_url"], instance["ca_file"], label)


@pytest.fixture
def anon(new_client):
    return new_client()


@pytest.fixture(scope="session")
def sign_in(new_client):
    """sign_in(account) → a session with the bearer token of a fresh sign-in"""
    def enter(account):
        client = new_client(account["role"])
        answer = client.post("/api/v1/auth/login", json={
            "email": account["email"], "password": account["password"]})
        assert answer.status_code == 200, answer.text
        # The answer sets cookies as well; this is a client of the other kind.
        client.cookies.clear()
        client.headers["authorization"] = "Bearer " + answer.json()["data"]["access_token"]
        client.account = account
        return client
    return enter


@pytest.fixture(scope="session")
def api(accounts, sign_in):
    """api(role, org="demo", index=0) → a signed-in session, made once for each account"""
    made = {}

    def of(role, org="demo", index=0):
        account = accounts(role, org, index)
        if account["email"] not in made:
            made[account["email"]] = sign_in(account)
        return made[account["email"]]
    return of


@pytest.fixture
def db(instance):
    """A connection as the application's role: without an identity it sees nothing."""
    connection = psycopg2.connect(instance["database_url"], connect_timeout=10)
    yield connection
    connection.rollback()
    connection.close()


@pytest.fixture(scope="session")
def place(instance):
    return Place(instance)


@pytest.fixture(scope="module")
def root(place):
    """A cursor as the database's superuser, each statement by itself"""
    with contextlib.closing(place.superuser()) as connection, connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def rows(db, api):
    """The database as the admin may see it"""
    me = data(api("admin").get(ME))
    return Rows(db, me["org_id"], me["id"])


# --- people: of the seed, and made for a file or for a test ----------------------------------------

@pytest.fixture(scope="session")
def admin(api):
    return api("admin")


@pytest.fixture(scope="session")
def people(new_client, admin):
    return People(new_client, admin)


@pytest.fixture(scope="module")
def teacher(people):
    return people.make("teacher")


@pytest.fixture(scope="module")
def colleague(people):
    return people.make("teacher")


@pytest.fixture(scope="module")
def student(people):
    return people.make()


@pytest.fixture
def person(people):
    """Somebody new, who has signed in from 127.0.0.1 alone"""
    return people.make()


# --- nginx alone ---------------------------------------------------------------------------------

class Edge:
    """An nginx of its own, from the same templates, before a responder that tells what it got."""

    def __init__(self, directory, settings="", local=""):
        self.dir = pathlib.Path(directory)
        self.dir.chmod(0o755)
        (self.dir / "settings").write_text(settings)
        (self.dir / "local.env").write_text(local)
        self._run("up")
        self.port = int((self.dir / "state" / "port-https").read_text())
        self.http_port = int((self.dir / "state" / "port-http").read_text())
        self.url = f"https://localhost:{self.port}"
        self.ca = str(self.dir / "tls" / "ca.pem")
        run = pathlib.Path(os.path.realpath(self.dir / "run"))
        run.chmod(0o755)
        self.pools = {name: Responder(str(run / f"{name}.sock"), name) for name in ("api", "auth")}
        for pool in self.pools.values():
            pool.start()

    def _run(self, verb):
        done = subprocess.run([str(HERE / "edge_alone"), verb, str(self.dir)], timeout=60,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def request(self, method, path, **kwargs):
        """Through curl, which sends paths as they are: answer with status, headers, body."""
        return self.curl("-X", method, *kwargs.pop("args", ()), self.url + path, **kwargs)

    def curl(self, *args, data=None):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--path-as-is", "--max-time", "20", "--include",
             "--cacert", self.ca, "--globoff"] + (["--data-binary", "@-"] if data is not None else [])
            + list(args), input=data, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return Answer(done.stdout)

    def logs(self):
        return "".join(p.read_text(errors="replace") for p in (self.dir / "log").iterdir())

    def log_lines(self, name="nginx-access.log"):
        return [json.loads(line) for line in (self.dir / "log" / name).read_text().splitlines()]

    def logged(self, request_id, count=1, name="nginx-access.log"):
        """The lines of a request; nginx writes them a moment after it has answered."""
        for _ in range(50):
            found = [line for line in self.log_lines(name) if line["request_id"] == request_id]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{len(found)} log lines of {request_id} instead of {count}")

    def close(self):
        self._run("down")
        for pool in self.pools.values():
            pool.stop()


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        while head.split(b"\r\n")[0].split()[1:2] == [b"100"]:
            head, _, self.body = self.body.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.protocol, self.status = lines[0].split()[0], int(lines[0].split()[1])
        self.fields = [(n.lower(), v.strip()) for n, _, v in (l.partition(":") for l in lines[1:])]

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} is sent {len(values)} times"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def params(self, name):
        return [value for param, value in self.json()["params"] if param == name]


@pytest.fixture(scope="session")
def new_edge():
    """new_edge(settings, local) → Edge; all are stopped at the end"""
    made, places = [], []

    def make(settings="", local=""):
        # Not pytest's own directory: its parents are closed to the service user.
        place = tempfile.TemporaryDirectory(prefix="lectern-edge.", dir="/tmp")
        places.append(place)
        edge = Edge(place.name, settings, local)
        made.append(edge)
        return edge
    yield make
    for edge in made:
        edge.close()
    for place in places:
        place.cleanup()
