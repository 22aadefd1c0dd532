"""lectern-jobs and a real mail server: a database of its own, a daemon of its own, an SMTP server."""
import asyncio
import contextlib
import email
import email.policy
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid

import psycopg2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from lib_mail import addresses, html, link, place, plain

NAME, PASSWORD = "lectern", "p@ss w0rd/:%"


# --- the queue ---------------------------------------------------------------------------------------

class Queue:
    """app.mails of a database that no other daemon knows"""

    def __init__(self):
        self.dir = place()
        env = {"PGHOST": os.path.realpath(self.dir / "run"), "PGUSER": "postgres",
               "PGPORT": (self.dir / "state" / "port-database").read_text().strip(),
               "PGPASSWORD": (self.dir / "secrets" / "db-superuser").read_text().strip()}
        self.env = {**env, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        self.name = f"lectern_mail_{os.getpid()}"
        self.settings = dict(line.split("=", 1) for line in (self.dir / "lectern.env").read_text().splitlines()
                             if "=" in line and not line.startswith("#"))
        self.url = urllib.parse.urlsplit(self.settings["JOBS_DATABASE_URL"])

    def _run(self, *args, **kwargs):
        return subprocess.run(args, env=self.env, check=True, timeout=60, capture_output=True, **kwargs)

    def make(self):
        origin = self.url.path.lstrip("/")
        self._run("createdb", "-T", "template0", "-E", "UTF8", self.name)
        schema = self._run("pg_dump", "--schema-only", "--schema=app", origin).stdout
        self._run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", self.name, input=schema)
        self.connection = psycopg2.connect(host=self.env["PGHOST"], port=self.env["PGPORT"], user="postgres",
                                           password=self.env["PGPASSWORD"], dbname=self.name)
        self.connection.autocommit = True
        self.org = str(uuid.uuid4())
        self.ask("insert into app.orgs (id, slug, name) values (%s, 'mails', 'Mails')", self.org)

    def drop(self):
        self.connection.close()
        self._run("dropdb", "--force", self.name)

    def ask(self, statement, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else None

    def put(self, address=None, kind="password_changed", name="A Student", locale="en", detail=None):
        made = str(uuid.uuid4())
        self.ask("insert into app.mails (id, org_id, kind, address, name, locale, detail)"
                 " values (%s, %s, %s, %s, %s, %s, %s)", made, self.org, kind,
                 address or f"to-{made[:8]}@school.example", name, locale, detail)
        return made

    def state(self, mail):
        return self.ask("select state, last_error, attempts from app.mails where id = %s", mail)[0]

    def wait(self, mail, *states, seconds=15):
        """Until state and word are one of these"""
        until = time.monotonic() + seconds
        while self.state(mail)[:2] not in states:
            assert time.monotonic() < until, f"{self.state(mail)} instead of {states}"
            time.sleep(0.05)
        return self.state(mail)

    def hurry(self):
        self.ask("update app.mails set next_attempt_at = now() where state = 'queued'")


SENT = ("sent", None)


@pytest.fixture(scope="module")
def whole(instance):
    queue = Queue()
    queue.make()
    yield queue
    queue.drop()


@pytest.fixture
def queue(whole):
    whole.ask("delete from app.mails")
    return whole


# --- the daemon ----------------------------------------------------------------------------------------

class Daemon:
    def __init__(self, queue, directory, **settings):
        binary = queue.dir / "root" / "usr" / "bin" / "lectern-jobs"
        url = queue.url._replace(path="/" + queue.name).geturl()
        told = {**queue.settings, "JOBS_DATABASE_URL": url, "MAIL_FROM": "school@school.example",
                "MAIL_RETRY_SECONDS": "1", "SMTP_TIMEOUT_SECONDS": "3", **settings}
        config = pathlib.Path(directory) / "env"
        config.write_text("".join(f"{n}={v}\n" for n, v in told.items()))
        self.log = pathlib.Path(directory) / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([str(binary), "--config", str(config)], stderr=log,
                                            stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})

    def end(self, signo=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signo)
        return self.process.wait(40)

    def lines(self, **wanted):
        found = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in found if wanted.items() <= line.items()]


@pytest.fixture
def daemon(queue):
    """daemon(**settings) → a running one"""
    made = []
    with tempfile.TemporaryDirectory(prefix="lectern-mail.", dir="/tmp") as directory:
        def start(**settings):
            made.append(Daemon(queue, directory, **settings))
            return made[-1]
        yield start
        # One that was killed, or ended by the test, keeps its status.
        statuses = [one.end() for one in made]
    assert set(statuses) <= {0, -signal.SIGKILL}


# --- the server ----------------------------------------------------------------------------------------

class Handler:
    """Keeps what came, and answers as it was told: one answer after the other, then 250"""

    def __init__(self, rcpt=(), data=(), hold=None):
        self.rcpt, self.data, self.hold = list(rcpt), list(data), hold
        self.came, self.refused, self.holding = [], 0, threading.Event()

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.rcpt.pop(0) if self.rcpt else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        else:
            self.refused += 1
        return answer

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail.envelope, mail.raw = envelope, envelope.content
        mail.tls, mail.peer = session.ssl is not None, session.peer
        mail.login = session.auth_data
        self.came.append(mail)
        self.holding.set()
        if self.hold:
            await asyncio.sleep(self.hold.pop(0) if self.hold else 0)
        return self.data.pop(0) if self.data else "250 OK"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def certificate():
    tls = place() / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    return context, str(tls / "ca.pem")


def check_login(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (NAME.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False, auth_data=data.login)


@pytest.fixture
def server():
    """server(handler, **options of aiosmtpd) → its port"""
    made = []

    def start(handler, port=None, **options):
        made.append(Controller(handler, hostname="127.0.0.1", port=port or free_port(), **options))
        made[-1].start()
        return made[-1].port
    yield start
    for one in made:
        with contextlib.suppress(Exception):
            one.stop()


def url(port, login=""):
    return f"smtp://{login}localhost:{port}"


PLAIN = {"SMTP_TLS": "none"}


# --- it arrives --------------------------------------------------------------------------------------------

def test_a_mail_arrives(queue, server, daemon):
    handler = Handler()
    mail = queue.put("student@school.example", name="Schülerin & Ä")
    running = daemon(SMTP_URL=url(server(handler)), **PLAIN)
    assert queue.wait(mail, SENT)[2] == 1
    [came] = handler.came
    assert (came.envelope.mail_from, came.envelope.rcpt_tos) == ("school@school.example", ["student@school.example"])
    assert addresses(came) == ["student@school.example"]
    assert came["to"].addresses[0].display_name == "Schülerin & Ä"
    assert came["from"].addresses[0].addr_spec == "school@school.example"
    assert came["subject"] == "Your password was changed"
    assert came["message-id"] == f"<{mail}@school.example>"
    assert came["auto-submitted"] == "auto-generated" and came["mime-version"] == "1.0" and came["date"].datetime
    assert came.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in came.iter_parts()] == ["text/plain", "text/html"]
    assert "Hello Schülerin & Ä," in plain(came) and "Hello Schülerin &amp; Ä," in html(came)
    assert link(came) in html(came)
    assert not came.defects and all(len(line) <= 78 for line in came.raw.split(b"\r\n"))
    assert "student@school.example" not in running.log.read_text() and "Schülerin" not in running.log.read_text()


def test_in_german(queue, server, daemon):
    handler = Handler()
    mail = queue.put(locale="de-AT", kind="account_locked", detail="15")
    daemon(SMTP_URL=url(server(handler)), **PLAIN)
    queue.wait(mail, SENT)
    assert handler.came[0]["subject"] == "Ihr Konto ist vorübergehend gesperrt"
    assert "nach 15 Minuten" in plain(handler.came[0])


def test_many_go_through_one_connection_once_each(queue, server, daemon):
    handler = Handler()
    mails = [queue.put() for _ in range(70)]
    daemon(SMTP_URL=url(server(handler)), **PLAIN)
    for mail in mails:
        queue.wait(mail, SENT)
    assert sorted(m["message-id"] for m in handler.came) == sorted(f"<{m}@school.example>" for m in mails)
    assert len({m.peer for m in handler.came}) <= 2, "a run keeps its connection"


# --- TLS and signing in --------------------------------------------------------------------------------------

def test_starttls(queue, server, daemon):
    handler, (context, ca) = Handler(), certificate()
    mail = queue.put()
    daemon(SMTP_URL=url(server(handler, tls_context=context, require_starttls=True)), SMTP_CA_BUNDLE=ca)
    queue.wait(mail, SENT)
    assert handler.came[0].tls


def test_opportunistic_takes_tls_where_there_is_some(queue, server, daemon):
    handler, (context, ca) = Handler(), certificate()
    mail = queue.put()
    daemon(SMTP_URL=url(server(handler, tls_context=context)), SMTP_CA_BUNDLE=ca, SMTP_TLS="opportunistic")
    queue.wait(mail, SENT)
    assert handler.came[0].tls


def test_opportunistic_does_without(queue, server, daemon):
    handler = Handler()
    mail = queue.put()
    daemon(SMTP_URL=url(server(handler)), SMTP_TLS="opportunistic")
    queue.wait(mail, SENT)
    assert not handler.came[0].tls


def test_nothing_goes_without_tls_where_it_is_required(queue, server, daemon):
    handler = Handler()
    mail = queue.put()
    daemon(SMTP_URL=url(server(handler)))
    queue.wait(mail, ("queued", "tls"))
    assert not handler.came


@pytest.mark.parametrize("tls", ["required", "opportunistic"])
def test_nothing_goes_to_a_server_nobody_vouches_for(queue, server, daemon, tls):
    handler, (context, _) = Handler(), certificate()
    mail = queue.put()
    daemon(SMTP_URL=url(server(handler, tls_context=context)), SMTP_TLS=tls)
    queue.wait(mail, ("queued", "tls"))
    assert not handler.came


def test_signing_in(queue, server, daemon):
    handler, (context, ca) = Handler(), certificate()
    mail = queue.put()
    port = server(handler, tls_context=context, require_starttls=True, authenticator=check_login,
                  auth_required=True)
    login = f"{NAME}:{urllib.parse.quote(PASSWORD, safe='')}@"
    running = daemon(SMTP_URL=url(port, login), SMTP_CA_BUNDLE=ca)
    queue.wait(mail, SENT)
    assert handler.came[0].login == NAME.encode()
    assert PASSWORD not in running.log.read_text()


def test_a_wrong_password_is_no_fault_of_the_mail(queue, server, daemon):
    handler, (context, ca) = Handler(), certificate()
    mail = queue.put()
    port = server(handler, tls_context=context, require_starttls=True, authenticator=check_login,
                  auth_required=True)
    running = daemon(SMTP_URL=url(port, f"{NAME}:other@"), SMTP_CA_BUNDLE=ca)
    queue.wait(mail, ("queued", "login"))
    assert not handler.came and running.lines(why="login")


# --- what fails -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_put_off_by_the_server(queue, server, daemon, where):
    handler = Handler(**{where: ["451 later", "421 later still"]})
    mail, other = queue.put(), queue.put()
    running = daemon(SMTP_URL=url(server(handler)), **PLAIN)
    assert queue.wait(mail, SENT)[2] + queue.wait(other, SENT)[2] == 4
    assert [line["reply"] for line in running.lines(why="deferred")] == [451, 421]
    assert len({m["message-id"] for m in handler.came}) == 2


@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_refused_by_the_server(queue, server, daemon, where):
    handler = Handler(**{where: ["550 no such mailbox"]})
    mail = queue.put()
    running = daemon(SMTP_URL=url(server(handler)), **PLAIN)
    assert queue.wait(mail, ("dead", "refused"))[2] == 1
    other = queue.put()
    queue.wait(other, SENT)
    assert running.lines(message="a mail is given up", mail_id=mail, reply=550)


def test_a_server_that_is_away_gets_it_later(queue, server, daemon):
    port, handler = free_port(), Handler()
    mail = queue.put()
    daemon(SMTP_URL=url(port), **PLAIN)
    queue.wait(mail, ("queued", "connection"))
    server(handler, port)
    queue.hurry()
    assert queue.wait(mail, SENT)[2] >= 2
    assert len(handler.came) == 1


def test_a_silent_server_is_not_waited_for(queue, daemon):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        mail = queue.put()
        running = daemon(SMTP_URL=url(silent.getsockname()[1]), SMTP_TIMEOUT_SECONDS="1", **PLAIN)
        queue.wait(mail, ("queued", "connection"))
        assert running.end() == 0


def test_given_up_after_so_many_attempts(queue, daemon):
    mail = queue.put()
    daemon(SMTP_URL=url(free_port()), MAIL_MAX_ATTEMPTS="2", **PLAIN)
    assert queue.wait(mail, ("dead", "connection"))[2] == 2


def test_an_address_that_cannot_be_written_to(queue, server, daemon):
    handler = Handler()
    mail = queue.put("a>,<thief@else.example")
    daemon(SMTP_URL=url(server(handler)), **PLAIN)
    queue.wait(mail, ("dead", "address"))
    assert not handler.came


def test_a_secret_that_cannot_be_opened_is_tried_again(queue, server, daemon):
    handler = Handler()
    mail = queue.put(kind="password_reset")
    queue.ask("update app.mails set sealed = 'v1.no-such-key.AAAA' where id = %s", mail)
    daemon(SMTP_URL=url(server(handler)), **PLAIN)
    queue.wait(mail, ("queued", "secret"))
    assert not handler.came


def test_a_killed_daemon_loses_nothing(queue, server, daemon):
    """Killed while the server has the mail and has not answered: sent again, as the same mail."""
    handler = Handler(hold=[2])
    mail = queue.put()
    port = server(handler)
    first = daemon(SMTP_URL=url(port), SMTP_TIMEOUT_SECONDS="10", **PLAIN)
    assert handler.holding.wait(15)
    first.end(signal.SIGKILL)
    assert queue.state(mail) == ("queued", None, 1)
    daemon(SMTP_URL=url(port), **PLAIN)
    time.sleep(2.5)
    assert queue.state(mail) == ("queued", None, 1), "not before the lease is over"
    queue.hurry()
    assert queue.wait(mail, SENT)[2] == 2
    assert [m["message-id"] for m in handler.came] == [f"<{mail}@school.example>"] * 2
    assert handler.came[0].raw == handler.came[1].raw, "to the byte"


def test_without_a_server_mails_become_files(queue, daemon):
    with tempfile.TemporaryDirectory(prefix="lectern-mail.", dir="/tmp") as directory:
        mail = queue.put()
        daemon(SMTP_URL="", MAIL_DIR=directory)
        queue.wait(mail, SENT)
        [path] = pathlib.Path(directory).iterdir()
        assert path.name == f"{mail}.eml" and path.stat().st_mode & 0o777 == 0o600
        other = queue.put()
        queue.wait(other, SENT)
        assert len(list(pathlib.Path(directory).iterdir())) == 2


def test_a_directory_that_is_gone_is_waited_for(queue, daemon):
    with tempfile.TemporaryDirectory(prefix="lectern-mail.", dir="/tmp") as directory:
        mail, there = queue.put(), pathlib.Path(directory) / "mail"
        daemon(SMTP_URL="", MAIL_DIR=str(there))
        queue.wait(mail, ("queued", "file"))
        there.mkdir()
        queue.hurry()
        queue.wait(mail, SENT)


def test_without_anywhere_to_send_to_mails_wait(queue, daemon):
    mail = queue.put()
    running = daemon(SMTP_URL="", MAIL_DIR="")
    time.sleep(2.5)
    assert queue.state(mail) == ("queued", None, 0)
    assert running.end() == 0
