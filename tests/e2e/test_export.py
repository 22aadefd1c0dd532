"""The copy of all that is held about the caller."""
import json

from lib_domain import V1, data, done, enrol, make_course, refused, unique, violations
from lib_pool import wait_until

EXPORT = V1 + "/users/me/export"


def made(client):
    """Asks for an export and waits for it: what is told of it, and its first part"""
    asked = data(client.post(EXPORT), 202)
    assert asked["state"] == "queued" and asked["parts"] is None
    wait_until(lambda: data(client.get(EXPORT))["state"] != "queued", seconds=30)
    told = data(client.get(EXPORT))
    assert (told["id"], told["state"]) == (asked["id"], "ready")
    answer = client.get(EXPORT + "/document")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-store"
    assert told["parts"] == 1 and told["bytes"] == len(answer.content)
    return told, answer.json()


def test_it_holds_what_there_is(people, api):
    mark = unique("Mark")
    teacher, student = people.make("teacher", name=mark + " Teacher"), people.make(name=mark + " Student")
    course = make_course(teacher, title=mark + " course", description=mark)
    own = enrol(teacher, course, student.id)
    note = data(teacher.post(f"{V1}/courses/{course['id']}/announcements", json={
        "title": mark + " title", "body": mark + " body"}), 201)
    done(student.post(f"{V1}/announcements/{note['id']}/read"))
    told, document = made(student)
    assert document["account"] == student.id and document["part"] == 1
    tables = document["tables"]
    me, = tables["users"]
    assert (me["email"], me["name"]) == (student.email, mark + " Student")
    assert [e["id"] for e in tables["enrollments"]] == [own["id"]]
    assert [r["announcement_id"] for r in tables["announcement_reads"]] == [note["id"]]
    assert tables["sessions"][0]["user_agent"].startswith("python-requests")
    assert tables["sessions"][0]["address"]
    assert teacher.email not in json.dumps(document) and mark + " body" not in json.dumps(document)
    assert told["expires_at"] > told["ready_at"]

    _, document = made(teacher)
    assert [c["title"] for c in document["tables"]["courses"]] == [mark + " course"]
    assert [a["body"] for a in document["tables"]["announcements"]] == [mark + " body"]
    assert student.email not in json.dumps(document)
    assert any(e["kind"] == "course.created" for e in document["tables"]["events"])


def test_it_holds_no_secret(people):
    student = people.make()
    code = data(student.post(V1 + "/parent-links/code"), 201)["code"]
    _, document = made(student)
    text = json.dumps(document)
    for secret in ("argon2", student.refresh_token, student.headers["authorization"].split()[1], code,
                   "password_hash", "digest", "\\\\x"):
        assert secret not in text
    assert document["tables"]["credentials"][0].keys() == {"changed_at"}


def test_one_at_a_time(people):
    student = people.make()
    refused(student.get(EXPORT), 404, "not_found")
    refused(student.get(EXPORT + "/document"), 404, "not_found")
    data(student.post(EXPORT), 202)
    refused(student.post(EXPORT), 409, "export_not_due")
    wait_until(lambda: data(student.get(EXPORT))["state"] == "ready", seconds=30)
    refused(student.post(EXPORT), 409, "export_not_due")
    refused(student.get(EXPORT + "/document", params={"part": 2}), 404, "not_found")
    assert violations(student.get(EXPORT + "/document", params={"part": 0})) == {"/query/part": "range"}


def test_asking_twice_with_one_key(people):
    student, key = people.make(), {"idempotency-key": unique()}
    first = data(student.post(EXPORT, headers=key), 202)
    again = student.post(EXPORT, headers=key)
    assert again.headers["idempotency-replayed"] == "1" and data(again, 202) == first


def test_nobody_reads_anothers(people, api, new_client):
    student = people.make()
    told, _ = made(student)
    for client in (api("admin"), api("operator"), people.make("teacher"), people.make()):
        answer = client.get(EXPORT)
        assert answer.status_code == 404 or data(answer)["id"] != told["id"]
        answer = client.get(EXPORT + "/document")
        assert answer.status_code == 404 or answer.json()["account"] != student.id
    for path in (EXPORT, EXPORT + "/document"):
        refused(new_client().get(path), 401, "unauthenticated")
