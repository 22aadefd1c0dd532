"""Workers of a test's own: lectern-api with changed settings, spoken to in FastCGI without nginx."""
import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import psycopg2

BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
# What a sanitizer says on standard error, and the end of it.
REPORT = re.compile(r"^.*(?:runtime error:|ERROR: \w+Sanitizer)(?:.*\n){1,20}", re.M)
# Where tests/sanitized/run wants to find the reports of programs built with sanitizers.
SANITIZERS = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}


def home(instance):
    """The directory of the instance; deploy/up puts the certificate authority at tls/ca.pem in it."""
    return pathlib.Path(instance["ca_file"]).resolve().parent.parent


class Place:
    """That directory, with what only its owner reads"""

    def __init__(self, instance):
        self.dir, self.database = home(instance), psycopg2.extensions.parse_dsn(instance["database_url"])["dbname"]
        self.bin = self.dir / "root" / "usr" / "bin"
        self.config = self.dir / "lectern.env"

    def text(self, name):
        return (self.dir / name).read_text().strip()

    def keyset(self):
        return json.loads(base64.b64decode(self.text("secrets/jwt-keyset")))

    def superuser_environment(self):
        """libpq's, without a database"""
        return {"PGHOST": str((self.dir / "run").resolve()), "PGPORT": self.text("state/port-database"),
                "PGUSER": "postgres", "PGPASSWORD": self.text("secrets/db-superuser")}

    def superuser(self):
        to = {name.removeprefix("PG").lower(): value for name, value in self.superuser_environment().items()}
        connection = psycopg2.connect(**to, dbname=self.database, connect_timeout=10)
        connection.autocommit = True
        return connection

    def ctl(self, *args, stdin="", **env):
        """lecternctl, as the instance is set"""
        return subprocess.run([str(self.bin / "lecternctl"), *args, "--config", str(self.config)],
                              input=stdin, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env},
                              capture_output=True, text=True, timeout=120, check=False)


def binary(instance, name="lectern-api"):
    return str(home(instance) / "root" / "usr" / "bin" / name)


def settings_of(instance):
    lines = (home(instance) / "lectern.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def wait_until(what, seconds=20, every=0.05):
    """The first true value of what(); fails after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(every)


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def alive(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def master_of(instance, name):
    pid = int((home(instance) / "state" / f"{name}.pid").read_text().split()[0])
    assert alive(pid)
    return pid


# --- FastCGI -----------------------------------------------------------------------------------------

def _length(n):
    return bytes([n]) if n < 128 else struct.pack(">I", n | 0x80000000)


def _record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def _stream(kind, data):
    whole = b"".join(_record(kind, data[i:i + 65535]) for i in range(0, len(data), 65535))
    return whole + _record(kind, b"")


class Reply:
    def __init__(self, raw):
        head, _, self.content = raw.partition(b"\r\n\r\n")
        self.fields = [(n.lower(), v.strip()) for n, _, v in
                       (line.partition(":") for line in head.decode("latin-1").split("\r\n"))]
        self.headers = dict(self.fields)
        self.status_code = int(self.headers.pop("status", "200").split()[0])
        self.text = self.content.decode("utf-8", "replace")
        # What nginx would add; assert_problem compares it.
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            self.headers.setdefault("x-request-id", self.json().get("request_id"))

    def json(self):
        return json.loads(self.content)


def _receive(conn):
    data, out = b"", b""
    while True:
        part = conn.recv(65536)
        if not part:
            break
        data += part
    while len(data) >= 8:
        _, kind, _, length, padding = struct.unpack(">BBHHB", data[:7])
        if kind == STDOUT:
            out += data[8:8 + length]
        data = data[8 + length + padding:]
    return out


def ask(path, method, uri, headers=(), body=b"", address="127.0.0.1", timeout=20, listen=True):
    """One request to the socket at `path`, as nginx would send it; gone before the answer unless `listen`."""
    uri, _, query = uri.partition("?")
    headers = dict(headers)
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        headers.setdefault("content-type", "application/json")
    params = {"REQUEST_METHOD": method, "DOCUMENT_URI": uri, "QUERY_STRING": query,
              "CONTENT_TYPE": headers.pop("content-type", ""), "CONTENT_LENGTH": str(len(body)) if body else "",
              "REQUEST_ID": headers.pop("x-request-id", f"pool-{time.monotonic_ns()}"), "REMOTE_ADDR": address,
              "SERVER_PROTOCOL": "HTTP/1.1", "HTTPS": "on"}
    if not params["CONTENT_TYPE"]:
        del params["CONTENT_TYPE"]
    params |= {"HTTP_" + n.upper().replace("-", "_"): v for n, v in headers.items()}
    pairs = b"".join(_length(len(n)) + _length(len(v)) + n + v
                     for n, v in ((n.encode(), v.encode()) for n, v in params.items()))
    with socket.socket(socket.AF_UNIX) as conn:
        conn.settimeout(timeout)
        conn.connect(str(path))
        conn.sendall(_record(BEGIN, struct.pack(">HB5x", 1, 0)) + _stream(PARAMS, pairs) + _stream(STDIN, body))
        if not listen:
            return None
        raw = _receive(conn)
    assert raw, "closed without an answer"
    return Reply(raw)


# --- a pool --------------------------------------------------------------------------------------------

class Pool:
    """One master with its workers. `start` says how it gets its listener."""

    def __init__(self, instance, directory, name="api", workers=2, start="itself", **settings):
        self.instance, self.dir, self.name, self.workers, self.start = instance, directory, name, workers, start
        self.socket = self.dir / f"{name}.sock"
        self.log = self.dir / f"{name}.log"
        self.config = self.dir / f"{name}.env"
        values = {**settings_of(instance), "SHARED_DIR": str(directory), "WORKERS": str(workers), **settings}
        self.write(values)
        self.process = self._launch()
        self.pid = self.process.pid
        wait_until(self.ready)

    def write(self, values):
        self.values = values
        new = self.config.with_suffix(".new")
        new.write_text("".join(f"{n}={v}\n" for n, v in values.items()))
        new.chmod(0o600)
        new.rename(self.config)

    def _launch(self):
        program = [binary(self.instance), "--pool", self.name, "--config", str(self.config)]
        command = {
            "itself": program + ["--socket", str(self.socket)],
            "spawn-fcgi": ["spawn-fcgi", "-n", "-s", str(self.socket), "-M", "0660", "--", *program],
            "systemd": ["systemd-socket-activate", "--listen", str(self.socket), "--", *program],
        }[self.start]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **SANITIZERS},
                                    start_new_session=True)

    def ready(self):
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError, AssertionError):
            return self.ask("GET", "/api/v1/health/live").status_code == 200
        return False

    def ask(self, method, uri, headers=(), body=b"", **more):
        return ask(self.socket, method, uri, headers, body, **more)

    def worker_pids(self):
        return children(self.pid)

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def logged(self, message, count=1):
        return wait_until(lambda: [x for x in self.lines() if x.get("message", x.get("msg")) == message][count - 1:])

    def tell(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, seconds=20):
        if self.process.poll() is None:
            self.tell(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        report = REPORT.search(self.log.read_text(errors="replace"))
        assert not report, report.group()
        return self.process.returncode


@contextlib.contextmanager
def pools(instance):
    """make(name, workers, …) → Pool; pools of one `shared` directory count together."""
    made, places = [], {}

    def make(shared="one", **settings):
        if shared not in places:
            places[shared] = pathlib.Path(tempfile.mkdtemp(prefix="lectern-pool.", dir="/tmp"))
        pool = Pool(instance, places[shared], **settings)
        made.append(pool)
        return pool
    try:
        yield make
    finally:
        for pool in made:
            pool.stop()
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)
