"""A thousand marked secrets through every field of every operation; none may come out in a log."""
import base64
import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import urllib.parse
import uuid

import psycopg2
import pytest

from lib_canary import Canaries, bodies, headers, operations, queries, token_like
from lib_domain import PASSWORD, V1, People, data, done
from lib_mail import invitation, mailbox, secret
from lib_pool import binary, home, pools, wait_until

DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs/api/openapi.json").read_text())
OPERATIONS = {o.id: o for o in operations(DOCUMENT)}
# Logs that a request can reach; the others of the directory are searched as well.
REACHED = ("api.log", "auth.log", "nginx-access.log", "nginx-admin.log", "postgres.log")
EXPECTED = REACHED + ("nginx-error.log", "jobs.log")

# Where the description does not tell who gets furthest.
CALLERS = {"parent_link_create": "parent", "parent_link_code": "student", "parent_link_get": "admin",
           "parent_link_end": "admin", "export_request": "student"}

canaries = Canaries()
mark = canaries.mark


@pytest.fixture(scope="module", autouse=True)
def arguments():
    """Of every process that was there while the marks went through, looked at again and again"""
    seen, done_with = set(), threading.Event()

    def look():
        while not done_with.wait(0.02):
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(path.read_bytes())
    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    done_with.set()
    thread.join()


class Logs:
    """What has been written to the instance's logs since this was made"""

    def __init__(self, instance):
        self.dir = home(instance) / "log"
        self.begun = {path.name: path.stat().st_size for path in self.dir.iterdir()}

    def read(self, name):
        path = self.dir / name
        with path.open("rb") as file:
            # A log that was begun anew is read whole.
            file.seek(min(self.begun.get(name, 0), path.stat().st_size))
            return file.read().decode("utf-8", "replace")

    def names(self):
        return sorted(path.name for path in self.dir.iterdir())


@pytest.fixture(scope="module")
def logs(instance):
    return Logs(instance)


class World:
    """Callers, and fresh rows with marks in every text, for the paths of operations"""

    def __init__(self, new_client, api):
        people = People(new_client, api("admin"))
        self.new_client, self.people = new_client, people
        self.callers = {"teacher": people.make("teacher", f"Teacher {mark()}"), "admin": api("admin"),
                        "operator": api("operator"), "student": people.make("student", f"Student {mark()}")}
        self.colleague = people.make("teacher", f"Colleague {mark()}")
        for client in (self.callers["teacher"], self.callers["student"], self.colleague):
            canaries.learn(client.refresh_token)
        for client in self.callers.values():
            canaries.learn(client.headers["authorization"].split()[1])
        self.callers["nobody"] = new_client("canary")
        # What only something real can be.
        self.known = {"owner_id": self.callers["teacher"].id, "user_id": self.callers["student"].id,
                      "student_id": self.callers["student"].id, "email": self.callers["student"].email,
                      "locale": "en-GB", "timezone": "Europe/Paris"}
        self.people = people
        self.callers["parent"] = people.make("parent", f"Parent {mark()}")

    def path(self, operation):
        path = operation.path
        if operation.id in ("export_get", "export_document"):
            self.export(self.caller(operation))
        if "{link_id}" in path:
            return path.format(link_id=self.link(operation.id == "parent_link_end"))
        if "{" not in path:
            return path
        teacher, ids = self.callers["teacher"], {"user_id": self.known["user_id"]}
        if "/sessions" in path:
            # Sessions that nobody needs.
            spare = self.people.enter(teacher.email) if "/me/" in path else self.people.make()
            sid = data(spare.get(V1 + "/users/me/sessions", params={"limit": 1}))[0]["id"]
            return path.format(user_id=spare.id, session_id=sid)
        if operation.id == "org_user_remove":
            return path.format(user_id=self.people.find(self.people.register(f"Leaver {mark()}"))["id"])
        if "{org_id}" in path or "invitation" in path:
            return path.format(**self._outside(path))
        course = data(teacher.post(V1 + "/courses", json={
            "title": f"Course {mark()}", "description": mark(), "enrollment": "code", "join_code": mark()}), 201)
        ids["course_id"] = course["id"]
        inner = f"{V1}/courses/{course['id']}"
        if operation.id != "course_publish":
            data(teacher.post(inner + "/publish"))
        if operation.id == "course_staff_remove":
            ids["user_id"] = self.colleague.id
            data(teacher.post(inner + "/staff", json={"user_id": self.colleague.id, "role": "assistant"}), 201)
        if "{enrollment_id}" in path:
            ids["enrollment_id"] = data(teacher.post(inner + "/enrollments", json={
                "user_id": self.known["user_id"]}), 201)["id"]
        if "{announcement_id}" in path:
            ids["announcement_id"] = data(teacher.post(inner + "/announcements", json={
                "title": mark(), "body": mark()}), 201)["id"]
        if "{import_id}" in path:
            ids["import_id"] = data(teacher.post(
                inner + "/enrollments/import", headers={"content-type": "text/csv"},
                data=f"email\n{self.callers['student'].email}\n"), 201)["import_id"]
        return path.format(**ids)

    def _outside(self, path):
        """An organisation, or an invitation whose token is a secret like those that are planted"""
        if "{org_id}" in path:
            return {"org_id": data(self.callers["operator"].post(V1 + "/admin/orgs", json={
                "slug": mark(), "name": mark(), "admin_email": f"{mark()}@canary.lectern.example"}), 201)["id"]}
        address = f"{mark()}@canary.lectern.example"
        made = data(self.callers["admin"].post(V1 + "/org/invitations", json={"email": address, "role": "student"}),
                    201)
        token = invitation(address)
        canaries.learn(token)
        return {"invitation_id": made["id"], "token": token}

    def link(self, approved):
        admin, parent = self.callers["admin"], self.people.make("parent")
        data(parent.post(V1 + "/parent-links", json={"student_id": self.known["student_id"]}), 202)
        made, = data(admin.get(V1 + "/parent-links", params={"parent_id": parent.id}))
        if approved:
            data(admin.patch(f"{V1}/parent-links/{made['id']}", json={"status": "approved"}))
        return made["id"]

    @staticmethod
    def export(client):
        if client.get(V1 + "/users/me/export").status_code == 404:
            data(client.post(V1 + "/users/me/export"), 202)
        wait_until(lambda: data(client.get(V1 + "/users/me/export"))["state"] == "ready", seconds=30)

    def caller(self, operation):
        """Whom the row lets in, the least of them first; the metrics have credentials of their own"""
        told = operation.row["description"]
        if operation.id in CALLERS:
            return self.callers[CALLERS[operation.id]]
        if "For everyone" in told or "credentials" in told:
            return self.callers["nobody"]
        for role in ("teacher", "admin", "operator"):
            if role in told or "every role" in told:
                return self.callers[role]
        raise AssertionError(told)


@pytest.fixture(scope="module")
def world(new_client, api):
    return World(new_client, api)


def send(client, operation, path, query="", head=None, body=None):
    """As it is, with a request id of no secret"""
    head = {name: value.encode() if isinstance(value, str) else value for name, value in (head or {}).items()}
    if head.get("authorization") == b"":
        head["authorization"] = None
    answer = client.request(operation.method, path + ("?" + query if query else ""), headers=head, data=body)
    assert answer.status_code != 500, f"{operation.id}: {answer.text}"
    return answer


# --- that the search finds --------------------------------------------------------------------------

def test_a_mark_is_found_in_every_form():
    value = mark()
    for offset in range(3):
        assert canaries.found(base64.b64encode(b"x" * offset + value.encode() + b"yz").decode())
        assert canaries.found(base64.urlsafe_b64encode(b"x" * offset + value.encode()).decode())
    encoded = (value.encode().hex(), "".join(f"%{ord(c):02X}" for c in value))
    for text in (value, value.upper(), f"a{value[:-3]}z", *encoded):
        assert canaries.found(f"before\n{text}\nafter") == [text]
    assert canaries.found(token_like(mark))
    assert not canaries.found("cnry0000000000\nan ordinary line\n" + base64.b64encode(b"cnr").decode())


def test_the_logs_searched_are_those_written(logs, api, anon, instance):
    """What is logged on purpose is there: identifiers of requests, and the text of an error of PostgreSQL."""
    word = "control-" + uuid.uuid4().hex
    assert set(EXPECTED) <= set(logs.names())
    anon.get(V1 + "/health/live", headers={"x-request-id": word})
    anon.post(V1 + "/auth/login", json={}, headers={"x-request-id": word})
    api("admin").get(V1 + "/admin/audit-logs", headers={"x-request-id": word})
    connection = psycopg2.connect(instance["database_url"], connect_timeout=10)
    with pytest.raises(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute("do $$ begin raise exception using message = '" + word + "'; end $$")
    connection.close()
    for name in REACHED:
        wait_until(lambda name=name: word in logs.read(name))


# --- every operation --------------------------------------------------------------------------------

CHANGING = ("auth_logout", "org_update", "user_me_update", "user_me_erase", "auth_logout_all", "password_change",
            "org_limits_put")
answered = {name: set() for name in OPERATIONS}


def clean(logs, names=EXPECTED):
    for name in names:
        assert not canaries.found(logs.read(name)), name


def through(world, operation):
    """All requests of an operation; the path leads to a new row when the one before may be gone"""
    caller, known = world.caller(operation), dict(world.known)
    if operation.id == "course_staff_add":
        known["user_id"] = world.colleague.id
    if operation.id == "invitation_create":
        del known["email"]  # who is here already is not invited
    path = world.path(operation)
    own = {"cookie": f"other={mark()}"}

    def ask(*args, **kwargs):
        answered[operation.id].add(send(*args, **kwargs).status_code)

    def body():
        return next(bodies(operation, mark, known)) if operation.media else ({}, None)

    for query in queries(operation, mark):
        ask(caller, operation, path, query, own)
    for head in headers(operation, mark):
        content, whole = body()
        ask(caller, operation, path, "", {**content, **head}, whole)
    for content, whole in bodies(operation, mark, known):
        ask(caller, operation, path, "", {**content, **own}, whole)
    if operation.method != "GET":
        ask(caller, operation, world.path(operation), "", {**own, "idempotency-key": mark()}, None)
    # Somebody who may not, and nobody at all.
    for other in (world.callers["student"], world.callers["nobody"]):
        content, whole = body()
        ask(other, operation, path, f"q={mark()}", content, whole)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in CHANGING])
def test_operation(world, logs, name):
    before = canaries.planted
    through(world, OPERATIONS[name])
    assert canaries.planted - before >= 100
    assert any(400 <= status < 500 for status in answered[name])
    clean(logs)


def test_what_changes_the_caller(world, logs, api, new_client):
    """Operations after which a caller is another one, or that change what other tests rely on."""
    people = People(new_client, api("admin"))
    logout, update, org = (OPERATIONS[name] for name in CHANGING[:1] + ("user_me_update", "org_update"))
    email = people.register()

    def ask(client, operation, head, body):
        head = head | {"cookie": f"other={mark()}"}
        answered[operation.id].add(send(client, operation, operation.path, "", head, body).status_code)

    for head, body in bodies(logout, mark, {}):
        ask(people.enter(email), logout, head, body)
    answered["auth_logout"].add(people.enter(email).post(logout.path).status_code)
    change, everywhere = OPERATIONS["password_change"], OPERATIONS["auth_logout_all"]
    for head, body in bodies(change, mark, {"current_password": PASSWORD}):
        ask(people.enter(people.register()), change, head, body)
    for head, body in bodies(everywhere, mark, {}):
        ask(people.enter(email), everywhere, head, body)
    answered["auth_logout_all"].add(people.enter(email).post(everywhere.path).status_code)
    for head, body in bodies(update, mark, world.known):
        ask(world.callers["teacher"], update, head, body)
    erase = OPERATIONS["user_me_erase"]
    for head, body in bodies(erase, mark, {"password": PASSWORD}):
        ask(people.enter(people.register(name=mark())), erase, head, body)
    # The other organisation, and as it was afterwards.
    other = api("admin", org="northside")
    before = data(other.get(org.path))
    try:
        for head, body in bodies(org, mark, world.known):
            ask(other, org, head, body)
    finally:
        data(other.patch(org.path, json={n: before[n] for n in ("name", "locale", "timezone", "settings")}))
    limits = OPERATIONS["org_limits_put"]
    try:
        for head, body in bodies(limits, mark, {}):
            ask(api("operator"), limits, head, body)
    finally:
        data(api("operator").put(limits.path, json=dict.fromkeys(limits.body["properties"])))
    clean(logs)


def test_a_marked_person_signs_in(new_client, logs):
    """Address, name and password are marked; so are, as secrets, the tokens that come of them."""
    client = new_client("canary")
    who = {"email": f"{mark()}@canary.lectern.example", "password": f"a Pass {mark()}"}
    assert client.post(V1 + "/auth/register", json=who | {"name": mark()}).status_code == 202
    assert client.post(V1 + "/auth/register", json=who | {"name": mark()}).status_code == 202
    for wrong in ({"password": mark()}, {"email": mark() + "@canary.lectern.example"}):
        assert client.post(V1 + "/auth/login", json=who | wrong).status_code == 401
    tokens = data(client.post(V1 + "/auth/login", json=who | {"use_cookies": True}))
    learnt = [tokens["refresh_token"]] if tokens.get("refresh_token") else []
    learnt += [cookie.value for cookie in client.cookies if len(cookie.value) >= 16]
    assert len(learnt) >= 3
    origin = {"origin": client.base_url, "x-csrf-token": client.cookies["csrf_token"]}
    assert client.patch(V1 + "/users/me", headers=origin, json={"name": mark()}).status_code == 200
    answer = client.post(V1 + "/auth/refresh", headers=origin, json={})
    assert answer.status_code == 200, answer.text
    learnt += [cookie.value for cookie in client.cookies if len(cookie.value) >= 16]
    for value in learnt:
        canaries.learn(value)
    # Used a second time, the first refresh token ends the session.
    again = new_client("canary").post(V1 + "/auth/refresh", json={"refresh_token": learnt[0]})
    assert again.status_code == 401
    clean(logs)


def test_the_links_of_a_marked_person(new_client, logs):
    """What was mailed is a secret, too, and so is the password that comes of it."""
    client, box = new_client("canary"), mailbox()
    email = f"{mark()}@canary.lectern.example"
    assert client.post(V1 + "/auth/register", json={
        "name": mark(), "email": email, "password": f"a Pass {mark()}"}).status_code == 202
    for path, kind, more in (("/auth/email/resend", "verify_email", {}),
                             ("/auth/password/forgot", "password_reset", {"password": f"Pass {mark()}"})):
        assert client.post(V1 + path, json={"email": email}).status_code == 202
        token = secret(box.wait(email, kind, 2 if kind == "verify_email" else 1))
        canaries.learn(token)
        to = {"verify_email": "/auth/email/verify", "password_reset": "/auth/password/reset"}[kind]
        operation = {"verify_email": "email_verify", "password_reset": "password_reset"}[kind]
        answered[operation].add(done(client.post(V1 + to, json={"token": token, **more})).status_code)
        assert client.post(V1 + to, json={"token": token, **more}).status_code == 422
    clean(logs)


def test_addresses_and_codes_that_are_taken(world, logs):
    """A unique violation must not tell the value that is taken."""
    teacher, code = world.callers["teacher"], mark()
    course = {"title": mark(), "enrollment": "code", "join_code": code}
    data(teacher.post(V1 + "/courses", json=course), 201)
    assert teacher.post(V1 + "/courses", json=course).status_code == 409
    key = {"idempotency-key": mark()}
    other = course | {"join_code": mark()}
    first, replayed = (teacher.post(V1 + "/courses", json=other, headers=key) for _ in range(2))
    assert first.status_code == replayed.status_code == 201 and first.content == replayed.content
    conflict = teacher.post(V1 + "/courses", json=other | {"title": mark()}, headers=key)
    assert conflict.status_code == 409 or conflict.status_code == 422
    clean(logs)


# --- what only nginx sees -----------------------------------------------------------------------------

def raws(host):
    """Requests that are refused before a worker sees them, each with marks"""
    head = f"Host: {host}\r\nConnection: close\r\n"
    yield f"GET /api/v1/health?{mark()} HTTP/1.1\r\n{head}X-Long: {mark() * 2000}\r\n\r\n"
    yield f"GET /api/v1/health?{mark() * 2000} HTTP/1.1\r\n{head}\r\n"
    yield f"GET /api/v1/health?{mark()} HTTP/1.1\r\n{head}{mark()} {mark()}: x\r\n\r\n"
    yield f"GET /api/v1/health?{mark()} HTTP/1.1\r\n{head}\x01{mark()}: {mark()}\0\r\n\r\n"
    yield f"GET /api/v1/health?{mark()} HTTP/9.9\r\n{head}Referer: {mark()}\r\n\r\n"
    yield f"GET /api/v1/health?{mark()} HTTP/1.1\r\nConnection: close\r\nCookie: {mark()}\r\n\r\n"
    yield f"POST /api/v1/courses?{mark()} HTTP/1.1\r\n{head}Content-Length: {mark()}\r\n\r\n{mark()}"
    yield f"POST /api/v1/courses?{mark()} HTTP/1.1\r\n{head}Content-Length: 90000000\r\n\r\n{mark()}"
    yield (f"POST /api/v1/courses?{mark()} HTTP/1.1\r\n{head}Content-Length: 5000\r\n"
           f"Referer: https://{mark()}\r\n\r\n{mark()}")
    yield f"POST /api/v1/courses?{mark()} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\nzz{mark()}\r\n{mark()}"
    yield f"POST /api/v1/courses?{mark()} HTTP/1.1\r\n{head}Transfer-Encoding: {mark()}\r\n\r\n"
    yield f"POST /?{mark()} HTTP/1.1\r\n{head}User-Agent: {mark()}\r\nContent-Length: 0\r\n\r\n"
    yield (f"GET /no-such-page?{mark()} HTTP/1.1\r\n{head}Referer: https://{host}/?{mark()}\r\n"
           f"User-Agent: {mark()}\r\n\r\n")
    yield f"GET https://{mark()}:{mark()}@{host}/api/v1/health?{mark()} HTTP/1.1\r\n{head}\r\n"
    yield f"GET /api/v1/health?{mark()}%00%zz HTTP/1.1\r\n{head}Authorization: Basic {mark()}\r\n\r\n"
    yield f"GET /%zz?{mark()} HTTP/1.1\r\n{head}Authorization: Bearer {mark()}\r\n\r\n"


def test_what_nginx_refuses(instance, logs):
    for address in (instance["base_url"], instance["http_url"]):
        parts = urllib.parse.urlsplit(address)
        for payload in raws(parts.netloc):
            with socket.create_connection(("127.0.0.1", parts.port), timeout=10) as conn:
                if parts.scheme == "https":
                    context = ssl.create_default_context(cafile=instance["ca_file"])
                    conn = context.wrap_socket(conn, server_hostname="localhost")
                with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                    conn.sendall(payload.encode("latin-1"))
                    conn.settimeout(0.3)
                    while conn.recv(65536):
                        pass
                conn.close()
    # A handshake for a name, and one that is none.
    port = urllib.parse.urlsplit(instance["base_url"]).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
        context = ssl.create_default_context(cafile=instance["ca_file"])
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(conn, server_hostname=mark() + ".example")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
        conn.sendall(mark().encode() * 4)
    clean(logs)


# --- the most that can be logged ----------------------------------------------------------------------

def test_at_the_level_of_debugging(instance, world):
    """Straight to workers that log all they can, with what nginx would have refused, too."""
    token = world.callers["teacher"].headers["authorization"]
    with pools(instance) as make:
        pool = make(workers=1, LOG_LEVEL="debug")
        for operation in OPERATIONS.values():
            path = operation.path.replace("{", "").replace("}", "")
            known = next(bodies(operation, mark, {}))
            for query in (f"q={mark()}", f"{mark()}=%zz{mark()}"):
                pool.ask(operation.method, f"{path}?{query}", {"authorization": token, **known[0]}, known[1])
        for head in headers(OPERATIONS["course_list"], mark):
            with contextlib.suppress(AssertionError):  # closed without an answer: nothing to say to it
                pool.ask("GET", f"{V1}/courses?q={mark()}", {n: v or mark() for n, v in head.items()})
        pool.ask("BREW", f"/{V1}/{'x' * 3000}?{mark()}", {"authorization": mark()})
        pool.stop()
        written = pool.log.read_text()
        assert len(written.splitlines()) > 2 * len(OPERATIONS)
        assert not canaries.found(written)


# --- all of it ---------------------------------------------------------------------------------------

def test_nothing_of_all_that_is_in_any_log(logs, anon, request):
    """Read once more at the end, every file of the directory, when the last line has been written."""
    if request.session.testscollected < len(OPERATIONS):
        pytest.skip("only part of the marks were planted")
    word = "control-" + uuid.uuid4().hex
    for path in ("/health/live", "/admin/audit-logs"):
        anon.get(V1 + path, headers={"x-request-id": word})
    for name in ("api.log", "nginx-access.log", "nginx-admin.log"):
        wait_until(lambda name=name: word in logs.read(name))
    assert canaries.planted >= 1000
    unreached = {name for name, statuses in answered.items() if not any(200 <= s < 400 for s in statuses)}
    # What only the right secret opens; test_second_factor.py looks for right ones in the logs.
    assert unreached == {"auth_login", "auth_refresh", "metrics", "auth_second_factor", "auth_recovery_code",
                         "second_factor_begin", "second_factor_confirm", "second_factor_codes",
                         "second_factor_disable", "second_factor_reset"}, sorted(unreached)
    clean(logs, logs.names())


def test_nothing_is_an_argument_of_a_process(arguments, instance):
    """Whoever may list processes reads their arguments: no mark is there, and no secret of the instance."""
    place = home(instance)
    for command in (["config", "show"], ["config", "check"], ["jwt", "list"], ["keys", "list"]):
        subprocess.run([str(binary(instance, "lecternctl")), *command, "--config", str(place / "lectern.env")],
                       capture_output=True, check=True, timeout=60)
    secrets = {path.name: path.read_bytes().strip() for path in (place / "secrets").iterdir() if path.is_file()}
    assert len(secrets) >= 6 and all(len(value) >= 12 for value in secrets.values())
    lines = set(arguments)
    assert any(b"lectern-api" in line for line in lines) and any(b"lecternctl" in line for line in lines)
    for line in lines:
        assert not canaries.found(line.decode(errors="replace"))
        assert not [name for name, value in secrets.items() if value in line]
