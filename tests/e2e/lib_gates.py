"""What the tests of the gates share: problem answers, raw HTTP, and looking at the database."""
import base64
import contextlib
import json
import re
import socket
import ssl
import urllib.parse
import uuid

import psycopg2

from lib_domain import ME, V1, unique

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
# Words that would tell of the inside: of paths, the database, its messages, the program.
INSIDE = re.compile(r"postgres|libpq|psql|select |insert |update |delete from|\bapp\.|_pkey|sqlstate|"
                    r"/(?:usr|home|etc|var|tmp|run|work|root)/|\.sock|\.c:\d|json-c|libjwt|openssl|"
                    r"constraint|violates|relation \"", re.I)


def person(domain="gates.lectern.example"):
    """Fields of a registration that nobody has made yet; sorted behind the accounts of the seed."""
    return {"name": "Gate Tester", "email": f"{unique('zz')}@{domain}",
            "password": f"good Passphrase {uuid.uuid4().hex[:12]}"}


def bearer(client):
    return {"authorization": client.headers["authorization"]}


def b64(data):
    """A part of a token: bytes, or JSON"""
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def assert_problem(answer, status, code, fields=None):
    """The envelope of every error; `fields` are the (pointer, code) pairs that must be told, all of them."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["code"] == code, problem
    assert problem["type"] == f"urn:lectern:error:{code}"
    assert problem["title"] and isinstance(problem["title"], str)
    assert problem["detail"] and isinstance(problem["detail"], str)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert ("error_id" in problem) == (status >= 500), problem
    known = {"type", "title", "status", "detail", "code", "request_id", "error_id", "errors"}
    assert set(problem) <= known, problem
    assert not INSIDE.search(answer.text), answer.text
    if fields is not None:
        told = sorted((e["field"], e["code"]) for e in problem["errors"])
        assert told == sorted(fields), told
        assert all(e["message"] for e in problem["errors"])
    elif status != 422:
        assert "errors" not in problem, problem
    return problem


def registered(client):
    """A new account, whose sign-ins push out nobody else's sessions; what to sign in with."""
    made = person()
    answer = client.post(V1 + "/auth/register", json=made)
    assert answer.status_code == 202, answer.text
    return {"email": made["email"], "password": made["password"]}


# --- raw HTTP/1.1, for what no client library sends ------------------------------------------------

class RawAnswer:
    """Looks enough like an answer of requests for assert_problem."""

    def __init__(self, raw, head_only=False):
        head, _, body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status_code = int(lines[0].split()[1])
        self.fields = [(n.strip().lower(), v.strip()) for n, _, v in (x.partition(":") for x in lines[1:])]
        self.headers = dict(self.fields)
        self.content = b"" if head_only else self._body(body)
        self.rest = body
        self.text = self.content.decode("utf-8", "replace")

    def _body(self, body):
        if self.headers.get("transfer-encoding") != "chunked":
            return body
        out = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            count = int(size, 16)
            if count == 0:
                break
            out, body = out + body[:count], body[count + 2:]
        return out

    def json(self):
        return json.loads(self.content)


def raw(instance, payload, timeout=20):
    """Send bytes over TLS as they are; the answer up to the end of the connection."""
    parts = urllib.parse.urlsplit(instance["base_url"])
    context = ssl.create_default_context(cafile=instance["ca_file"])
    with socket.create_connection(("127.0.0.1", parts.port), timeout=timeout) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            tls.sendall(payload)
            got = b""
            with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
                while part := tls.recv(65536):
                    got += part
    assert got, "no answer"
    return RawAnswer(got, payload.startswith(b"HEAD "))


def raw_request(instance, method, target, headers=(), body=b""):
    """One request line, headers as pairs that may repeat, Connection: close."""
    host = urllib.parse.urlsplit(instance["base_url"]).netloc
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1"), f"Host: {host}".encode(), b"Connection: close"]
    lines += [n.encode("latin-1") + b": " + (v if isinstance(v, bytes) else v.encode("latin-1"))
              for n, v in headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return raw(instance, b"\r\n".join(lines) + b"\r\n\r\n" + body)


# --- the database under someone's identity ---------------------------------------------------------

@contextlib.contextmanager
def identity(instance, client, mode="read only"):
    """A cursor that sees what this caller sees; the role of the application, no more."""
    me = client.get(ME).json()["data"]
    connection = psycopg2.connect(instance["database_url"], connect_timeout=10)
    try:
        cursor = connection.cursor()
        cursor.execute(f"set transaction {mode}")
        for name, value in (("app.user_id", me["id"]), ("app.org_id", me["org_id"]), ("app.role", me["role"])):
            cursor.execute("select set_config(%s, %s, true)", (name, value))
        yield cursor
    finally:
        connection.rollback()
        connection.close()


@contextlib.contextmanager
def held(instance, client, course):
    """Nobody can add to this course for a while: its row is locked."""
    with identity(instance, client, "read write") as cursor:
        cursor.execute("select id from app.courses where id = %s for update", (course,))
        assert cursor.fetchone()
        yield


def count_of(instance, client, statement, *values):
    with identity(instance, client) as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]


def courses_titled(instance, admin, title):
    return count_of(instance, admin, "select count(*) from app.courses where title = %s", title)


def new_course(client, **fields):
    body = {"title": unique("course"), **fields}
    answer = client.post(V1 + "/courses", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]
