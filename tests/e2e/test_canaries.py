"""A thousand marked secrets through every field of every operation; none may come out in a log."""
import itertools
import json
import pathlib
import socket
import ssl
import time
import urllib.parse
import uuid

import psycopg2
import pytest
import requests

from lib_canary import Canaries, bodies, headers, operations, queries, token_like
from lib_domain import PASSWORD, People, data, when
from lib_pool import home, pools, settings_of, wait_until

V1 = "/api/v1"
DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs/api/openapi.json").read_text())
OPERATIONS = {o.id: o for o in operations(DOCUMENT)}
# Logs that a request can reach; the others of the directory are searched as well.
REACHED = ("api.log", "auth.log", "nginx-access.log", "nginx-admin.log", "postgres.log")
EXPECTED = REACHED + ("nginx-error.log", "jobs.log")

canaries = Canaries()
mark = canaries.mark


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
        self.new_client = new_client
        self.callers = {"teacher": people.make("teacher", f"Teacher {mark()}"), "admin": api("admin"),
                        "operator": api("operator"), "student": people.make("student", f"Student {mark()}")}
        for client in (self.callers["teacher"], self.callers["student"]):
            canaries.learn(client.refresh_token)
        for client in self.callers.values():
            canaries.learn(client.headers["authorization"].split()[1])
        self.callers["nobody"] = new_client("canary")

    def path(self, operation):
        path = operation.path
        if "{" not in path:
            return path
        teacher, ids = self.callers["teacher"], {"user_id": self.callers["student"].id}
        course = data(teacher.post(V1 + "/courses", json={
            "title": f"Course {mark()}", "description": mark(), "enrolment": "code", "join_code": mark()}), 201)
        ids["course_id"] = course["id"]
        inner = f"{V1}/courses/{course['id']}"
        if operation.id != "course_publish":
            data(teacher.post(inner + "/publish"))
        if "{enrollment_id}" in path:
            ids["enrollment_id"] = data(teacher.post(inner + "/enrollments", json={
                "user_id": ids["user_id"]}), 201)["id"]
        if "{announcement_id}" in path:
            ids["announcement_id"] = data(teacher.post(inner + "/announcements", json={
                "title": mark(), "body": mark()}), 201)["id"]
        if "{import_id}" in path:
            ids["import_id"] = data(teacher.post(
                inner + "/enrollments/import", headers={"content-type": "text/csv"},
                data=f"email\n{self.callers['student'].email}\n"), 201)["import_id"]
        return path.format(**ids)

    def caller(self, operation):
        """Whom the row lets in, the least of them first; the metrics have credentials of their own"""
        told = operation.row["description"]
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


def plain(operation, path):
    """A body as the operation takes it, without marks where only a real identifier helps"""
    return next(iter(bodies(operation, mark)), (None, None)) if operation.media else ({}, None)


# --- that the search finds --------------------------------------------------------------------------

def test_a_mark_is_found_in_every_form():
    import base64
    value = mark()
    for offset in range(3):
        assert canaries.found(base64.b64encode(b"x" * offset + value.encode() + b"yz").decode())
        assert canaries.found(base64.urlsafe_b64encode(b"x" * offset + value.encode()).decode())
    for text in (value, value.upper(), f"a{value[:-3]}z", value.encode().hex(), "".join(f"%{ord(c):02X}" for c in value)):
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

def _through(world, operation):
    """Statuses of all requests of an operation"""
    path, caller = world.path(operation), world.caller(operation)
    own = {"cookie": f"other={mark()}"}
    statuses = []
    for query in queries(operation, mark):
        statuses.append(send(caller, operation, path, query, own).status_code)
    for head in headers(operation, mark):
        content, body = plain(operation, path)
        statuses.append(send(caller, operation, path, "", {**(content or {}), **head}, body).status_code)
    for content, body in bodies(operation, mark):
        statuses.append(send(caller, operation, path, "", {**content, **own}, body).status_code)
    # Somebody who may not, and nobody at all.
    for other in (world.callers["student"], world.callers["nobody"]):
        content, body = plain(operation, path)
        statuses.append(send(other, operation, path, f"q={mark()}", content, body).status_code)
    return statuses


@pytest.mark.parametrize("name", [o for o in OPERATIONS if o not in ("auth_logout", "org_update", "user_me_update")])
def test_operation(world, logs, name):
    operation, before = OPERATIONS[name], canaries.planted
    statuses = _through(world, operation)
    assert canaries.planted - before >= 20
    assert any(400 <= status < 500 for status in statuses)
    for log in EXPECTED:
        assert not canaries.found(logs.read(log)), log


def test_what_changes_the_caller(world, api, new_client):
    """Operations after which a caller is another one, or that change what other tests rely on."""
    admin, people = api("admin"), People(new_client, api("admin"))
    for name in ("user_me_update", "auth_logout"):
        operation = OPERATIONS[name]
        for head, body in bodies(operation, mark):
            client = world.callers["teacher"] if name == "user_me_update" else people.enter(people.register())
            send(client, operation, operation.path, f"q={mark()}", head, body)
    for head in headers(OPERATIONS["user_me_update"], mark):
        send(world.callers["teacher"], OPERATIONS["user_me_update"], V1 + "/users/me", "", head | {
            "content-type": "application/json"}, json.dumps({"name": mark()}))
    # The other organisation, and as it was afterwards.
    other = api("admin", org="northside")
    before = data(other.get(V1 + "/org"))
    try:
        for head, body in bodies(OPERATIONS["org_update"], mark):
            send(other, OPERATIONS["org_update"], V1 + "/org", f"q={mark()}", head, body)
    finally:
        data(other.patch(V1 + "/org", json={name: before[name] for name in ("name", "locale", "timezone", "settings")}))
    assert data(admin.get(V1 + "/org"))["name"] != before["name"]
