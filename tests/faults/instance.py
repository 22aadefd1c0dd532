"""An instance that deploy/up made, the processes of it, and worker pools of one's own beside it."""
import http.client
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import psycopg2

SERVICE_USER = "lectern"


class Failure(Exception):
    """A case whose stated outcome did not come true"""


class Missing(Exception):
    """A case that cannot run here, and why"""


def expect(true, text):
    if not true:
        raise Failure(text)


def until(check, seconds, what, pause=0.02):
    """Wait for a check to be true, and give what it said"""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        expect(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(pause)


# --- processes -----------------------------------------------------------------------------------

def process_state(pid):
    """(state, start) of a process, None when it is gone"""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else (fields[0], fields[19])


def alive(pid):
    return process_state(pid) is not None


def children(pid):
    try:
        found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in found if alive(int(child))]


def resident_kb(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"^VmRSS:\s+(\d+)", status, re.M)
    return int(found.group(1)) if found else 0


def as_service(command):
    """The command as the service user, when we are root"""
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={SERVICE_USER}", f"--regid={SERVICE_USER}", "--clear-groups",
            "--inh-caps=-all", "--no-new-privs"] + command


def give(path):
    if os.geteuid() == 0:
        user = pwd.getpwnam(SERVICE_USER)
        os.chown(path, user.pw_uid, user.pw_gid)


# --- HTTP ----------------------------------------------------------------------------------------

class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Target:
    """Where requests go: an address, and the authority of its certificate when it speaks TLS"""

    def __init__(self, port, ca=None):
        self.port, self.ca = port, ca
        self.context = ssl.create_default_context(cafile=ca) if ca else None

    def connect(self, timeout=30):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is None:
            return raw
        return self.context.wrap_socket(raw, server_hostname="localhost")


class Http:
    """One connection kept open; not for several threads"""

    def __init__(self, target, token=None, timeout=30):
        self.target, self.token, self.timeout = target, token, timeout
        self.sock, self.file = None, None

    def close(self):
        if self.sock is not None:
            self.file.close()
            self.sock.close()
        self.sock = None

    def request(self, method, path, body=None, headers=None, raw=None):
        """The answer, or OSError when there was none"""
        if self.sock is None:
            self.sock = self.target.connect(self.timeout)
            self.file = self.sock.makefile("rb", 65536)
        lines = [f"{method} {path} HTTP/1.1", "host: localhost"]
        if self.token:
            lines.append(f"authorization: Bearer {self.token}")
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            lines += ["content-type: application/json", f"content-length: {len(raw)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        try:
            self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (raw or b""))
            return self._answer()
        except (OSError, ValueError, http.client.HTTPException) as fault:
            self.close()
            raise ConnectionError(f"{type(fault).__name__}: {fault}") from fault

    def _answer(self):
        line = self.file.readline()
        if not line.startswith(b"HTTP/1.1 "):
            raise ConnectionError(f"no answer, but {line[:60]!r}")
        fields = {}
        while (field := self.file.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = field.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        status = int(line.split()[1])
        body = self._body(status, fields)
        if fields.get("connection") == "close":
            self.close()
        return Answer(status, fields, body)

    def _body(self, status, fields):
        if status in (204, 304):
            return b""
        if "content-length" in fields:
            return self._exactly(int(fields["content-length"]))
        if fields.get("transfer-encoding") != "chunked":
            return self.file.read()
        body = b""
        while (size := int(self.file.readline(), 16)) > 0:
            body += self._exactly(size)
            self.file.readline()
        self.file.readline()
        return body

    def _exactly(self, size):
        body = self.file.read(size)
        if len(body) != size:
            raise ConnectionError(f"the answer is cut off at {len(body)} of {size} bytes")
        return body


# --- the instance --------------------------------------------------------------------------------

class Instance:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory).resolve()
        told = json.loads((self.dir / "instance.json").read_text())
        self.told, self.state = told, self.dir / "state"
        self.run = pathlib.Path(os.path.realpath(self.dir / "run"))
        self.settings = dict(line.split("=", 1) for line in
                             (self.dir / "lectern.env").read_text().splitlines()
                             if "=" in line and not line.startswith("#"))
        url = urllib.parse.urlsplit(self.settings["DATABASE_URL"])
        place = urllib.parse.parse_qs(url.query)
        self.db_socket_dir, self.db_port = place["host"][0], int(place["port"][0])
        self.run = pathlib.Path(self.db_socket_dir)
        self.count = int(self.settings["WORKERS"])
        self.bin = self.dir / "root/usr/bin"
        self.target = Target(urllib.parse.urlsplit(told["base_url"]).port, told["ca_file"])
        self.pg = self.dir / "pg"
        self.pgbin = pathlib.Path(max(pathlib.Path("/usr/lib/postgresql").glob("*/bin")))
        self.secret = (self.dir / "secrets/db-superuser").read_text().strip()

    def account(self, role):
        return next(a for a in self.told["accounts"] if a["role"] == role and a["org"] == "demo")

    def sign_in(self, role="teacher", target=None):
        account = self.account(role)
        answer = Http(target or self.target).request("POST", "/api/v1/auth/login", {
            "email": account["email"], "password": account["password"]})
        expect(answer.status == 200, f"sign-in: {answer.status} {answer.body[:200]!r}")
        return answer.json()["data"]["access_token"]

    def process(self, name):
        """The number of a process that deploy/up started, by number and start"""
        pid, start = (self.state / f"{name}.pid").read_text().split()
        found = process_state(int(pid))
        expect(found and found[1] == start, f"{name} does not run")
        return int(pid)

    def workers(self, pool="api"):
        return children(self.process(pool))

    def metric(self, name):
        told = self.told["metrics"]
        answer = Http(self.target, told["bearer_token"]).request("GET", "/metrics")
        found = re.search(rf"^{name} ([0-9.]+)$", answer.body.decode(), re.M)
        expect(answer.status == 200 and found, f"/metrics: {answer.status} without {name}")
        return float(found.group(1))

    def connected(self):
        """Connections of workers, as the server counts them; 0 while it does not answer"""
        try:
            return self.sql("select count(*) from pg_stat_activity where usename = 'lectern_app' "
                            "and application_name like 'lectern-api %'")[0][0]
        except psycopg2.Error:
            return 0

    def settled(self):
        """Wait until every worker of every pool is connected; how many those are"""
        count = len(self.workers("api")) + len(self.workers("auth"))
        until(lambda: self.connected() >= count, 10, "all workers are connected", 0.05)
        return count

    # --- PostgreSQL

    def superuser(self):
        connection = psycopg2.connect(host=self.db_socket_dir, port=self.db_port, user="postgres",
                                      password=self.secret, dbname="lectern", connect_timeout=5)
        connection.autocommit = True
        return connection

    def sql(self, statement, *values):
        connection = self.superuser()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def pg_accepts(self):
        try:
            self.sql("select 1")
        except psycopg2.Error:
            return False
        return True

    def pg_ctl(self, *args, check=True):
        done = subprocess.run(as_service(
            [str(self.pgbin / "pg_ctl"), "-D", str(self.pg), "-s", "-t", "30",
             "-l", str(self.dir / "log/postgres.log")] + list(args)),
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=60, check=False)
        expect(not check or done.returncode == 0, f"pg_ctl {' '.join(args)} failed")
        return done.returncode == 0

    def postmaster(self):
        return int((self.pg / "postmaster.pid").read_text().split("\n")[0])

    def pg_start_again(self):
        """After the postmaster was killed: its children must be gone first"""
        until(lambda: self.pg_ctl("-w", "start", check=False), 20, "PostgreSQL starts again", 0.1)


# --- a pool of one's own -------------------------------------------------------------------------

class Pool:
    """Worker processes with settings of their own, behind an nginx of their own without TLS that
    has the instance's configuration but for `edge_changes` (old text, new text). `sign_in`: the
    pool takes the requests of the auth pool too. `holder`: the listener is not the master's own.
    Everything is in one directory that goes away at the end."""

    def __init__(self, instance, settings=None, workers=4, nginx=True, environment=None,
                 holder=False, stderr=None, edge_changes=(), sign_in=False):
        self.instance, self.processes, self.listener = instance, [], None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lectern-faults.", dir="/tmp"))
        self.dir.chmod(0o755)
        give(self.dir)
        self.socket = str(self.dir / "api.sock")
        self.log = self.dir / "api.log"
        self.stderr, self.count = stderr, workers
        self.environment = environment or {}
        self.edge_changes, self.serves_sign_in = edge_changes, sign_in
        (self.dir / "shared").mkdir()
        give(self.dir / "shared")
        self._write_settings(settings or {})
        try:
            if holder:
                self._hold()
            self.master = None
            self.start()
            if nginx:
                self.edge()
                until(self.answers, 10, "the pool answers")
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.stop()

    def _write_settings(self, settings):
        values = {**self.instance.settings, "SHARED_DIR": str(self.dir / "shared"), **settings}
        path = self.dir / "lectern.env"
        path.touch(0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        give(path)

    def _hold(self):
        """A listener that outlives the master, as a service manager keeps one"""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        os.chmod(self.socket, 0o660)
        give(self.socket)
        self.listener.listen(511)

    def _launch(self, command, log, stdin=subprocess.DEVNULL, environment=None):
        out = open(log, "ab") if not hasattr(log, "fileno") else log
        process = subprocess.Popen(
            command, cwd="/", stdin=stdin, stdout=out, stderr=out, start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **(environment or {})})
        if out is not log:
            out.close()
        self.processes.append(process)
        return process

    def start(self):
        command = [str(self.instance.bin / "lectern-api"), "--config", str(self.dir / "lectern.env"),
                   "--pool", "api", "--workers", str(self.count)]
        if self.listener is None:
            command += ["--socket", self.socket]
        self.master = self._launch(
            as_service(command), self.stderr or self.log,
            stdin=subprocess.DEVNULL if self.listener is None else self.listener,
            environment=self.environment)
        if self.listener is None:
            until(lambda: os.path.exists(self.socket) or self.master.poll() is not None, 10,
                  "the pool listens")
        expect(self.master.poll() is None, f"the pool ended: {self.log_end()}")

    def log_end(self):
        return self.log.read_text(errors="replace")[-600:] if self.log.exists() else ""

    def workers(self):
        return children(self.master.pid)

    def edge(self):
        """The instance's nginx configuration, with this pool for api and a plain port"""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        source, own = self.instance.dir, self.dir / "nginx"
        shutil.copytree(source / "nginx", own)
        for name in ("body", "fastcgi", "proxy", "scgi", "uwsgi"):
            (self.dir / "nginx-temp" / name).mkdir(parents=True)
        give(self.dir / "nginx-temp")
        for path in [own / "nginx.conf", *own.glob("lectern/*.conf")]:
            text = path.read_text()
            text = text.replace(f"unix:{self.instance.run}/api.sock", f"unix:{self.socket}")
            if self.serves_sign_in:
                text = text.replace(f"unix:{self.instance.run}/auth.sock", f"unix:{self.socket}")
            for old, new in self.edge_changes:
                text = text.replace(old, new)
            for place in ("log", "state"):
                text = text.replace(f"{source}/{place}/", f"{self.dir}/")
            text = text.replace(f"{self.dir}/nginx-master.pid", f"{self.dir}/nginx.pid")
            text = text.replace(f"{source}/nginx-temp/", f"{self.dir}/nginx-temp/")
            text = re.sub(r"^\s*listen \[::1\].*\n", "", text, flags=re.M)
            text = re.sub(r"^(\s*)listen 127\.0\.0\.1:\d+ ssl http2;", rf"\1listen 127.0.0.1:{port};",
                          text, flags=re.M)
            text = re.sub(r"^\s*listen 127\.0\.0\.1:(?!%d;)\d+;" % port,
                          f"        listen unix:{self.dir}/redirect.sock;", text, flags=re.M)
            path.write_text(text)
        self.nginx = self._launch(["nginx", "-e", str(self.dir / "nginx-error.log"),
                                   "-c", str(own / "nginx.conf")], self.dir / "nginx.out")
        self.target = Target(port)

    def answers(self):
        expect(self.nginx.poll() is None, "nginx ended: " + (self.dir / "nginx.out").read_text()[-400:])
        try:
            return Http(self.target).request("GET", "/api/v1/health/live").status == 200
        except OSError:
            return False

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # the session is the process's own
                process.wait(5)
        if self.listener is not None:
            self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)


# --- things built on the spot --------------------------------------------------------------------

class Built:
    """Programs and libraries of this folder, compiled into a directory that all may read"""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lectern-faults-built.", dir="/tmp"))
        self.dir.chmod(0o755)
        self.lock = threading.Lock()

    def _compile(self, source, name, *options):
        with self.lock:
            out = self.dir / name
            if not out.exists():
                done = subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-o", str(out),
                                       *options, str(source)], capture_output=True, text=True,
                                      timeout=60, check=False)
                expect(done.returncode == 0, f"gcc: {done.stderr[:400]}")
            return str(out)

    def library(self, name):
        here = pathlib.Path(__file__).resolve().parent
        return self._compile(here / f"{name}.c", f"{name}.so", "-shared", "-fPIC")

    def program(self, source):
        return self._compile(source, source.stem)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
