"""Parents: asking, deciding, the code; and what a parent reads, then and afterwards."""
import uuid

import pytest

from lib_domain import V1, at_once, data, done, enrol, ids, listed, make_course, refused, unique, violations

LINKS = V1 + "/parent-links"


@pytest.fixture
def parent(people):
    return people.make("parent")


@pytest.fixture
def student(people):
    return people.make(name=unique("Child"))


def between(admin, parent, student):
    """The link as an admin sees it, or None"""
    found = listed(admin, LINKS, parent_id=parent.id, student_id=student.id)
    assert len(found) <= 1
    return found[0] if found else None


def tied(admin, parent, student):
    answer = parent.post(LINKS, json={"student_id": student.id})
    assert data(answer, 202) == {"status": "accepted", "id": None}
    link = between(admin, parent, student)
    assert link["status"] == "pending"
    return data(admin.patch(f"{LINKS}/{link['id']}", json={"status": "approved"}))


def code_of(student):
    return data(student.post(LINKS + "/code"), 201)["code"]


def opened(parent):
    """Everything that a parent can list, by what it is"""
    return {"courses": {c["title"] for c in listed(parent, V1 + "/courses")},
            "enrollments": {e["id"] for e in listed(parent, V1 + "/enrollments")},
            "announcements": {a["title"] for a in listed(parent, V1 + "/announcements")}}


# --- asking and deciding ---------------------------------------------------------------------------

def test_the_answer_tells_nothing(parent, people, student, api, rows):
    stranger = people.make("teacher")
    elsewhere = data(api("student", "northside").get(V1 + "/users/me"))
    answers = [parent.post(LINKS, json=body) for body in (
        {"student_id": student.id}, {"student_email": student.email.upper()}, {"student_id": stranger.id},
        {"student_email": stranger.email}, {"student_id": str(uuid.uuid4())},
        {"student_email": f"{unique()}@nowhere.example"}, {"student_id": elsewhere["id"]},
        {"student_email": elsewhere["email"]}, {"student_id": parent.id})]
    assert {(a.status_code, a.text) for a in answers} == {(202, answers[0].text)}
    assert len({tuple(sorted(a.headers)) for a in answers}) == 1
    for answer in answers:
        rows.traceless(answer)
    assert listed(parent, LINKS) == []
    assert [(link["student_id"], link["status"]) for link in listed(api("admin"), LINKS, parent_id=parent.id)] \
        == [(student.id, "pending")]
    assert listed(api("admin", "northside"), LINKS, parent_id=parent.id) == []
    assert ids(listed(student, LINKS)) == ids(listed(api("admin"), LINKS, parent_id=parent.id))
    pending = between(api("admin"), parent, student)
    refused(parent.get(f"{LINKS}/{pending['id']}"), 404, "not_found")
    refused(parent.delete(f"{LINKS}/{pending['id']}"), 404, "not_found")


def test_one_way_to_name_a_student(parent, student):
    for body in ({}, {"student_id": student.id, "student_email": student.email},
                 {"student_id": student.id, "code": "AAAA-AAAA-AAAA"}):
        assert violations(parent.post(LINKS, json=body)) == {"": "one_of"}


def test_who_asks(people, teacher, student, admin):
    for client in (teacher, student, admin, people.make("analyst")):
        refused(client.post(LINKS, json={"student_id": student.id}), 403, "forbidden")


def test_an_admin_decides(parent, student, admin, teacher, rows):
    data(parent.post(LINKS, json={"student_email": student.email}), 202)
    link = between(admin, parent, student)
    assert (link["parent_id"], link["student_name"], link["source"]) == (
        parent.id, data(student.get(V1 + "/users/me"))["name"], "request")
    path = f"{LINKS}/{link['id']}"
    for client in (parent, student, teacher):
        refused(client.patch(path, json={"status": "approved"}), 403, "forbidden")
    refused(admin.patch(path, json={"status": "ended"}), 409, "parent_link_state")
    refused(admin.delete(path), 409, "parent_link_state")
    assert violations(admin.patch(path, json={"status": "pending"})) == {"/status": "choice"}
    data(admin.patch(path, json={"status": "rejected"}))
    assert opened(parent)["enrollments"] == set()
    refused(parent.get(path), 404, "not_found")
    stale = admin.patch(path, json={"status": "approved"}, headers={"if-match": f'"{link["version"]}"'})
    refused(stale, 412, "precondition_failed")
    answer = admin.patch(path, json={"status": "approved"})
    made = data(answer)
    me = data(admin.get(V1 + "/users/me"))["id"]
    assert (made["status"], made["decided_by"]) == ("approved", me) and made["decided_at"]
    audit, = rows.audits(answer)
    assert (audit["action"], audit["target_id"], audit["after"]["status"]) == (
        "parent_link.decide", link["id"], "approved")
    seen = data(parent.get(path))
    assert seen["student_name"] == link["student_name"]
    assert not any("@" in str(value) for value in seen.values())
    refused(admin.patch(path, json={"status": "rejected"}), 409, "parent_link_state")
    refused(admin.patch(f"{LINKS}/{uuid.uuid4()}", json={"status": "approved"}), 404, "not_found")


# --- what it opens ---------------------------------------------------------------------------------

@pytest.fixture
def school(teacher, people, student):
    """A private course with the student, another student, an assistant, and what is announced"""
    course = make_course(teacher, title=unique("Private"))
    other, helper = people.make(), people.make()
    mine, theirs = enrol(teacher, course, student.id), enrol(teacher, course, other.id)
    path = f"{V1}/courses/{course['id']}"
    data(teacher.post(path + "/staff", json={"user_id": helper.id, "role": "assistant"}), 201)
    note = data(teacher.post(path + "/announcements", json={"title": unique("Note"), "body": "text"}), 201)
    later = data(teacher.post(path + "/announcements", json={
        "title": unique("Later"), "body": "text", "publish_at": "2099-01-01T00:00:00Z"}), 201)
    return {"course": course, "path": path, "mine": mine, "theirs": theirs, "note": note, "later": later}


def check_open(parent, school):
    course, path = school["course"], school["path"]
    found = data(parent.get(path))
    assert (found["title"], found.get("join_code")) == (course["title"], None)
    assert ids(listed(parent, V1 + "/enrollments")) == [school["mine"]["id"]]
    assert ids(listed(parent, path + "/enrollments")) == [school["mine"]["id"]]
    assert ids(listed(parent, path + "/announcements")) == [school["note"]["id"]]
    data(parent.get(f"{V1}/announcements/{school['note']['id']}"))
    assert listed(parent, path + "/staff") == []
    for hidden in (f"{V1}/enrollments/{school['theirs']['id']}", f"{V1}/announcements/{school['later']['id']}"):
        refused(parent.get(hidden), 404, "not_found")


def check_shut(parent, school):
    for hidden in (school["path"], school["path"] + "/enrollments", school["path"] + "/announcements",
                   f"{V1}/enrollments/{school['mine']['id']}", f"{V1}/announcements/{school['note']['id']}"):
        refused(parent.get(hidden), 404, "not_found")
    assert school["course"]["title"] not in opened(parent)["courses"]
    assert opened(parent)["enrollments"] == set()


def test_what_a_parent_reads(parent, student, admin, school):
    check_shut(parent, school)
    tied(admin, parent, student)
    check_open(parent, school)
    for refusing in (V1 + "/org/users", V1 + "/admin/audit-logs", school["path"] + "/enrollment-imports"):
        refused(parent.get(refusing), 403, "forbidden")


def test_a_parent_changes_nothing(parent, student, admin, school):
    tied(admin, parent, student)
    mine = f"{V1}/enrollments/{school['mine']['id']}"
    for answer in (parent.delete(mine), parent.patch(mine, json={"status": "completed"}),
                   parent.patch(school["path"], json={"title": "Mine"}),
                   parent.post(school["path"] + "/announcements", json={"title": "x", "body": "y"}),
                   parent.patch(f"{V1}/announcements/{school['note']['id']}", json={"title": "x"}),
                   parent.delete(f"{V1}/announcements/{school['note']['id']}")):
        refused(answer, 403, "forbidden")
    check_open(parent, school)


def test_it_ends_with_the_link(parent, student, admin, school, rows):
    link = tied(admin, parent, student)
    path = f"{LINKS}/{link['id']}"
    check_open(parent, school)
    refused(student.delete(path), 403, "forbidden")
    answer = done(parent.delete(path))
    assert rows.audits(answer)[0]["action"] == "parent_link.end"
    check_shut(parent, school)
    ended = data(parent.get(path))
    assert (ended["status"], ended["student_name"]) == ("ended", None)
    refused(parent.delete(path), 403, "forbidden")
    data(parent.post(LINKS, json={"student_id": student.id}), 202)
    check_shut(parent, school)
    assert between(admin, parent, student)["status"] == "pending"


def test_it_ends_when_the_student_leaves(parent, student, admin, school):
    tied(admin, parent, student)
    check_open(parent, school)
    data(admin.put(f"{V1}/org/users/{student.id}/role", json={"role": "analyst"}))
    check_shut(parent, school)
    data(admin.put(f"{V1}/org/users/{student.id}/role", json={"role": "student"}))
    check_open(parent, school)
    done(admin.delete(f"{LINKS}/{between(admin, parent, student)['id']}"))
    check_shut(parent, school)


def test_others_see_no_more(parent, people, student, admin, school):
    """The parent's second child, and a parent of nobody"""
    second, stranger = people.make(), people.make("parent")
    tied(admin, parent, student)
    tied(admin, parent, second)
    check_open(parent, school)
    check_shut(stranger, school)
    assert listed(stranger, LINKS) == []
    assert {link["student_id"] for link in listed(parent, LINKS)} == {student.id, second.id}


# --- the code --------------------------------------------------------------------------------------

def test_a_code_ties_at_once(parent, people, student, admin, school, rows):
    code = code_of(student)
    answer = parent.post(LINKS, json={"code": code.lower().replace("-", "")})
    made = data(answer, 201)
    assert made["status"] == "linked"
    assert rows.audits(answer)[0]["action"] == "parent_link.create"
    check_open(parent, school)
    link = between(admin, parent, student)
    assert (link["id"], link["status"], link["source"]) == (made["id"], "approved", "code")
    refused(people.make("parent").post(LINKS, json={"code": code}), 403, "link_code_wrong")
    done(student.delete(f"{LINKS}/{made['id']}"))
    check_shut(parent, school)
    again = data(parent.post(LINKS, json={"code": code_of(student)}), 201)
    assert again["id"] == made["id"]
    check_open(parent, school)


def test_only_the_last_code_counts(parent, student, people):
    first, second = code_of(student), code_of(student)
    assert first != second and len(first) == len("0000-0000-0000")
    refused(parent.post(LINKS, json={"code": first}), 403, "link_code_wrong")
    data(parent.post(LINKS, json={"code": second}), 201)
    for client in (parent, people.make("teacher")):
        refused(client.post(LINKS + "/code"), 403, "forbidden")


def test_a_code_is_used_once(people, student):
    code = code_of(student)
    answers = at_once([lambda p=people.make("parent"): p.post(LINKS, json={"code": code}) for _ in range(4)])
    assert sorted(a.status_code for a in answers) == [201, 403, 403, 403]


def test_a_code_cannot_be_guessed(parent, people, student):
    for n in range(10):
        refused(parent.post(LINKS, json={"code": f"0000-0000-{n:04d}"}), 403, "link_code_wrong")
    code = code_of(student)
    refused(parent.post(LINKS, json={"code": code}), 403, "link_code_wrong")
    data(people.make("parent").post(LINKS, json={"code": code}), 201)


def test_a_code_is_of_its_organisation(parent, api):
    code = code_of(api("student", "northside"))
    refused(parent.post(LINKS, json={"code": code}), 403, "link_code_wrong")


def test_a_code_is_shown_once(student, db, rows):
    """What is stored does not hold it, nor does a repeated request"""
    answer = student.post(LINKS + "/code", headers={"idempotency-key": unique()})
    assert "idempotency-replayed" not in answer.headers
    code = data(answer, 201)["code"]
    audit, = rows.audits(answer)
    assert code not in str(audit)
