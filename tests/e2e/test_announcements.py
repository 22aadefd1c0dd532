"""Announcements of courses and of the organisation, and who has read them."""
import time
import uuid

import pytest

from lib_domain import data, done, enrol, ids, listed, make_course, refused, unique, violations, when


@pytest.fixture(scope="module")
def outsider(people):
    return people.make()


@pytest.fixture(scope="module")
def course(teacher, student):
    """Seen by everyone of the organisation, attended by one"""
    course = make_course(teacher, visibility="catalogue")
    enrol(teacher, course, student.id)
    return course


def of(course):
    return f"/api/v1/courses/{course['id']}/announcements" if course else "/api/v1/announcements"


def place(notice, rest=""):
    return f"/api/v1/announcements/{notice['id']}{rest}"


def announce(client, course, **fields):
    return data(client.post(of(course), json={"title": unique("Notice"), "body": "Text", **fields}), 201)


def sees(client, notice, course):
    """The same by identifier, in the list, and by reading it"""
    one = client.get(place(notice)).status_code
    assert one in (200, 404)
    answer = client.get(of(course), params={"q": notice["title"]})
    in_list = answer.status_code == 200 and notice["id"] in ids(data(answer))
    assert in_list == (one == 200), "the list and the announcement say different things"
    assert client.post(place(notice, "/read")).status_code == (204 if in_list else 404)
    return in_list


# --- of a course ---------------------------------------------------------------------------------

def test_of_a_course(teacher, colleague, student, outsider, people, course, api, rows):
    body = "First line\n\n\t*second* <b>line</b> \U0001f393"
    answer = teacher.post(of(course), json={"title": unique(), "body": body})
    notice = data(answer, 201)
    assert answer.headers["location"] == place(notice)
    assert (notice["course_id"], notice["author_id"], notice["body"], notice["pinned"]) == \
        (course["id"], teacher.id, body, False)
    assert data(student.get(place(notice))) == notice
    (event,) = rows.events(answer)
    assert event == {"kind": "announcement.created", "actor_id": teacher.id, "course_id": course["id"],
                     "subject_type": "announcement", "subject_id": notice["id"]}
    for client in (teacher, student, api("admin")):
        assert sees(client, notice, course)
    # The course is in the catalogue; what is announced in it is for its members.
    for client in (outsider, colleague, people.make("parent"), api("admin", "northside"),
                   api("student", "northside")):
        assert not sees(client, notice, course)
    assert notice["id"] not in ids(listed(teacher, of(None)))


def test_those_who_left_see_nothing(teacher, people, course):
    notice = announce(teacher, course)
    guest = people.make()
    member = enrol(teacher, course, guest.id)
    assert sees(guest, notice, course)
    done(guest.delete(f"/api/v1/enrollments/{member['id']}"))
    assert not sees(guest, notice, course)


def test_who_announces_in_a_course(teacher, colleague, student, outsider, course, api, rows):
    before = rows.count("announcements", course_id=course["id"])
    for client in (colleague, student, outsider):
        answer = client.post(of(course), json={"title": "T", "body": "B"})
        rows.traceless(answer)
        refused(answer, 403, "forbidden")
    refused(api("teacher", "northside").post(of(course), json={"title": "T", "body": "B"}), 404, "not_found")
    refused(teacher.post(of({"id": str(uuid.uuid4())}), json={"title": "T", "body": "B"}), 404, "not_found")
    assert rows.count("announcements", course_id=course["id"]) == before
    assert announce(api("admin"), course)["course_id"] == course["id"]


def test_bounds(teacher, course, rows):
    before = rows.count("announcements", course_id=course["id"])
    answer = teacher.post(of(course), json={"title": "", "body": "", "pinned": "yes", "publish_at": "soon", "x": 1})
    rows.traceless(answer)
    assert set(violations(answer)) == {"/title", "/body", "/pinned", "/publish_at", "/x"}
    assert violations(teacher.post(of(course), json={})) == {"/title": "required", "/body": "required"}
    for field, value in (("title", "x" * 256), ("title", "a\tb"), ("body", "x" * 100001), ("body", "a\x0bb"),
                         ("title", "e\u0301"), ("title", None)):
        assert set(violations(teacher.post(of(course), json={"title": "T", "body": "B", field: value}))) == \
            {"/" + field}
    assert rows.count("announcements", course_id=course["id"]) == before
    assert len(announce(teacher, course, body="ö" * 100000)["body"]) == 100000


def test_scheduled(teacher, colleague, student, people, api):
    course = make_course(teacher, visibility="catalogue")
    enrol(teacher, course, student.id)
    assistant = people.make()
    data(teacher.post(f"/api/v1/courses/{course['id']}/staff",
                      json={"user_id": assistant.id, "role": "assistant"}), 201)
    notice = announce(teacher, course, publish_at=when(hours=1))
    for client in (teacher, assistant, api("admin")):
        assert sees(client, notice, course)
    for client in (student, colleague):
        assert not sees(client, notice, course)
    data(teacher.patch(place(notice), json={"publish_at": when(seconds=1.2)}))
    assert not sees(student, notice, course)
    time.sleep(1.3)
    assert sees(student, notice, course), "nothing but time had to pass"


def test_edit_pin_and_filter(teacher, student, course, rows):
    one, two = announce(teacher, course), announce(teacher, course)
    answer = teacher.patch(place(one), json={"pinned": True})
    pinned = data(answer)
    assert {**one, "pinned": True, "version": 2, "updated_at": pinned["updated_at"]} == pinned
    (event,) = rows.events(answer)
    assert (event["kind"], event["subject_id"]) == ("announcement.updated", one["id"])
    found = ids(listed(student, of(course), pinned="true"))
    assert one["id"] in found and two["id"] not in found
    assert data(teacher.patch(place(one), json={"title": "Other", "pinned": False}))["body"] == one["body"]
    assert one["id"] not in ids(listed(student, of(course), pinned="true"))
    stale = teacher.patch(place(one), json={"title": "late"}, headers={"if-match": '"1"'})
    refused(stale, 412, "precondition_failed")
    assert set(violations(teacher.patch(place(one), json={"body": "", "course_id": course["id"]}))) == \
        {"/body", "/course_id"}
    assert data(student.get(place(one)))["title"] == "Other"


def test_newest_first(teacher, student):
    course = make_course(teacher)
    enrol(teacher, course, student.id)
    made = [announce(teacher, course, publish_at=when(minutes=-m)) for m in (5, 1, 3)]
    order = [made[1]["id"], made[2]["id"], made[0]["id"]]
    assert ids(listed(student, of(course))) == order
    assert ids(listed(student, of(course), limit=1)) == order
    assert ids(listed(student, of(course), sort="publish_at")) == order[::-1]
    assert ids(listed(student, of(course), author_id=teacher.id)) == order
    assert ids(listed(student, of(course), author_id=student.id)) == []


def test_who_changes_an_announcement(teacher, colleague, student, outsider, course, api, rows):
    notice = announce(teacher, course)
    for client in (colleague, outsider, api("teacher", "northside"), api("admin", "northside")):
        refused(client.patch(place(notice), json={"title": "x"}), 404, "not_found")
        refused(client.delete(place(notice)), 404, "not_found")
    for answer in (student.patch(place(notice), json={"title": "x"}), student.delete(place(notice))):
        rows.traceless(answer)
        refused(answer, 403, "forbidden")
    assert data(teacher.get(place(notice))) == notice


def test_delete_is_audited(teacher, student, course, rows):
    notice = announce(teacher, course, body="the secret body")
    student.post(place(notice, "/read"))
    answer = done(teacher.delete(place(notice)))
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["actor_id"], audit["target_type"], audit["target_id"]) == \
        ("announcement.delete", teacher.id, "announcement", notice["id"])
    assert audit["before"]["id"] == notice["id"] and audit["after"] is None
    assert "the secret body" not in str(audit)
    assert [e["kind"] for e in rows.events(answer)] == ["announcement.deleted"]
    refused(student.get(place(notice)), 404, "not_found")
    again = teacher.delete(place(notice))
    rows.traceless(again)
    refused(again, 404, "not_found")
    assert rows.count("announcement_reads", announcement_id=notice["id"]) == 0


# --- of the organisation -----------------------------------------------------------------------------

def test_of_the_organisation(teacher, student, people, api, rows):
    answer = api("admin").post(of(None), json={"title": unique("Everyone"), "body": "B"})
    notice = data(answer, 201)
    try:
        assert notice["course_id"] is None
        assert [(e["kind"], e["course_id"]) for e in rows.events(answer)] == [("announcement.created", None)]
        for client in (teacher, student, people.make("parent"), api("admin")):
            assert sees(client, notice, None)
        for role in ("admin", "teacher", "student"):
            assert not sees(api(role, "northside"), notice, None)
        for client in (teacher, student):
            refused(client.patch(place(notice), json={"title": "x"}), 403, "forbidden")
            refused(client.delete(place(notice)), 403, "forbidden")
        refused(api("admin", "northside").delete(place(notice)), 404, "not_found")
    finally:
        assert len(rows.audits(done(api("admin").delete(place(notice))))) == 1


def test_who_announces_to_the_organisation(teacher, student, people, rows):
    title = unique()
    for client in (teacher, student, people.make("parent"), people.make("moderator")):
        answer = client.post(of(None), json={"title": title, "body": "B"})
        rows.traceless(answer)
        refused(answer, 403, "forbidden")
    assert rows.count("announcements", title=title) == 0


def test_scheduled_for_the_organisation(teacher, student, api):
    notice = announce(api("admin"), None, publish_at=when(hours=1))
    try:
        assert sees(api("admin"), notice, None)
        assert not sees(student, notice, None) and not sees(teacher, notice, None)
    finally:
        done(api("admin").delete(place(notice)))


# --- receipts --------------------------------------------------------------------------------------------

def test_receipts_are_counted_once(teacher, people, rows):
    course = make_course(teacher)
    students = [people.make() for _ in range(3)]
    for s in students:
        enrol(teacher, course, s.id)
    notice = announce(teacher, course)
    assert data(teacher.get(place(notice, "/reads"))) == {"reads": 0}
    for s in students[:2]:
        for _ in range(3):
            done(s.post(place(notice, "/read")))
    assert data(teacher.get(place(notice, "/reads"))) == {"reads": 2}
    first = rows.all("select user_id, read_at from app.announcement_reads where announcement_id = %s order by 1",
                     notice["id"])
    assert [user for user, _ in first] == sorted(s.id for s in students[:2])
    done(students[0].post(place(notice, "/read")))
    assert rows.all("select user_id, read_at from app.announcement_reads where announcement_id = %s order by 1",
                    notice["id"]) == first, "the first receipt stands"


def test_who_sees_the_count(teacher, colleague, student, outsider, course, api):
    notice = announce(teacher, course)
    done(student.post(place(notice, "/read")))
    for client in (teacher, api("admin"), api("operator")):
        assert data(client.get(place(notice, "/reads"))) == {"reads": 1}
    for client in (student, outsider, colleague, api("admin", "northside")):
        assert client.get(place(notice, "/reads")).status_code in (403, 404)
    everyone = announce(api("admin"), None)
    try:
        done(teacher.post(place(everyone, "/read")))
        assert data(api("admin").get(place(everyone, "/reads"))) == {"reads": 1}
        answer = teacher.get(place(everyone, "/reads"))
        assert answer.status_code in (403, 404), "a count of one's own receipt is no count"
    finally:
        done(api("admin").delete(place(everyone)))


def test_nothing_to_read(student):
    nowhere = {"id": str(uuid.uuid4())}
    refused(student.post(place(nowhere, "/read")), 404, "not_found")
    refused(student.get(place(nowhere)), 404, "not_found")
    assert violations(student.get("/api/v1/announcements/1")) == {"/path/announcement_id": "uuid"}
