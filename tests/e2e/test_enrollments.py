"""Enrollments: by staff, by oneself, in many from a list; seats, states and windows."""
import random
import time
import uuid

import pytest

from lib_domain import at_once, data, done, enrol, ids, listed, make_course, refused, unique, violations, when

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43


@pytest.fixture(scope="module")
def klass(people):
    """Eight students"""
    return [people.make() for _ in range(8)]


@pytest.fixture
def student(klass):
    return klass[0]


def path(course, rest="/enrollments"):
    return f"/api/v1/courses/{course['id']}{rest}"


def members(rows, course):
    """{user: status} as the database has it"""
    return dict(rows.all("select user_id, status from app.enrollments where course_id = %s", course["id"]))


def attends(client, course):
    answer = client.get(path(course, ""))
    assert answer.status_code in (200, 404)
    return answer.status_code == 200


# --- by staff ------------------------------------------------------------------------------------

def test_by_staff_and_once_more(teacher, student, rows):
    course = make_course(teacher)
    first = teacher.post(path(course), json={"user_id": student.id})
    made = data(first, 201)
    assert first.headers["location"] == f"/api/v1/enrollments/{made['id']}"
    assert (made["course_id"], made["user_id"], made["status"], made["source"]) == \
        (course["id"], student.id, "active", "manual")
    assert made["version"] == 1 and made["import_id"] is None
    assert data(teacher.get(first.headers["location"])) == made
    (event,) = rows.events(first)
    assert event == {"kind": "enrollment.created", "actor_id": teacher.id, "course_id": course["id"],
                     "subject_type": "enrollment", "subject_id": made["id"]}

    again = teacher.post(path(course), json={"user_id": student.id})
    assert data(again, 200) == made
    assert "location" not in again.headers
    rows.traceless(again)
    assert members(rows, course) == {student.id: "active"}


def test_what_the_second_time_sets(teacher, student, rows):
    course = make_course(teacher)
    made = enrol(teacher, course, student.id)
    until = when(days=9)
    again = teacher.post(path(course), json={"user_id": student.id, "ends_at": until})
    assert data(again)["ends_at"] == until and data(again)["id"] == made["id"]
    assert [e["subject_id"] for e in rows.events(again)] == [made["id"]]
    assert data(teacher.post(path(course), json={"user_id": student.id}))["ends_at"] == until


def test_a_withdrawn_one_comes_back(teacher, student, rows):
    course = make_course(teacher)
    made = enrol(teacher, course, student.id)
    done(teacher.delete(f"/api/v1/enrollments/{made['id']}"))
    assert data(teacher.get(f"/api/v1/enrollments/{made['id']}"))["status"] == "withdrawn"
    again = teacher.post(path(course), json={"user_id": student.id})
    assert data(again)["id"] == made["id"] and data(again)["status"] == "active"
    assert data(again)["withdrawn_at"] is None
    assert [e["subject_id"] for e in rows.events(again)] == [made["id"]]


def test_only_students_of_the_organisation(teacher, colleague, people, api, rows):
    course = make_course(teacher)
    foreign = [data(api(role, "northside").get("/api/v1/users/me"))["id"] for role in ("student", "teacher")]
    problems = []
    for nobody in (colleague.id, people.make("parent").id, str(uuid.uuid4()), *foreign):
        answer = teacher.post(path(course), json={"user_id": nobody})
        rows.traceless(answer)
        problems.append({**refused(answer, 422, "not_a_student"), "request_id": 0})
    assert all(p == problems[0] for p in problems), "an answer tells who is of another organisation"
    assert members(rows, course) == {}


def test_a_student_enrols_nobody_else(teacher, klass, rows):
    course = make_course(teacher, visibility="catalogue", enrollment="open")
    answer = klass[0].post(path(course), json={"user_id": klass[1].id})
    rows.traceless(answer)
    refused(answer, 403, "forbidden")
    assert members(rows, course) == {}


def test_bad_fields(teacher, rows):
    course = make_course(teacher)
    found = violations(teacher.post(path(course), json={"user_id": "me", "starts_at": 5, "status": "active",
                                                        "join_code": "a b"}))
    assert set(found) == {"/user_id", "/starts_at", "/status", "/join_code"}
    assert members(rows, course) == {}


def test_dates_in_order(teacher, student, rows):
    course = make_course(teacher)
    refused(teacher.post(path(course), json={"user_id": student.id, "starts_at": when(days=2),
                                             "ends_at": when(days=1)}), 422, "validation_failed")
    assert members(rows, course) == {}


# --- by oneself ------------------------------------------------------------------------------------

@pytest.mark.parametrize("body", [None, {}, "self"])
def test_in_an_open_course(teacher, student, rows, body):
    course = make_course(teacher, visibility="catalogue", enrollment="open")
    if body == "self":
        body = {"user_id": student.id}
    answer = student.post(path(course), json=body)
    made = data(answer, 201)
    assert (made["user_id"], made["source"], made["status"]) == (student.id, "self", "active")
    assert answer.headers["location"] == f"/api/v1/enrollments/{made['id']}"
    assert [(e["kind"], e["actor_id"], e["subject_id"]) for e in rows.events(answer)] == \
        [("enrollment.created", student.id, made["id"])]
    again = student.post(path(course), json=body)
    assert data(again, 200) == made
    rows.traceless(again)
    done(student.delete(f"/api/v1/enrollments/{made['id']}"))
    back = student.post(path(course), json=body)
    assert (data(back, 200)["id"], data(back)["status"]) == (made["id"], "active")


def test_with_a_code(teacher, student, rows):
    code = unique("JOIN")
    course = make_course(teacher, visibility="catalogue", enrollment="code", join_code=code)
    for wrong in ({}, {"join_code": code[:-1]}, {"join_code": code + "x"}, {"join_code": code.lower() + "_"}):
        answer = student.post(path(course), json=wrong)
        rows.traceless(answer)
        refused(answer, 403, "join_code_wrong")
        assert code not in answer.text
    assert members(rows, course) == {}
    data(student.post(path(course), json={"join_code": code}), 201)
    assert members(rows, course) == {student.id: "active"}


def test_a_code_opens_what_cannot_be_seen(teacher, student, rows):
    code = unique("HIDDEN")
    course = make_course(teacher, enrollment="code", join_code=code)
    refused(student.post(path(course), json={"join_code": "wrong-code"}), 404, "not_found")
    refused(student.post(path(course)), 404, "not_found")
    data(student.post(path(course), json={"join_code": code}), 201)
    assert attends(student, course)


def test_a_code_of_another_course_or_organisation(teacher, student, api):
    code, other = unique("ONE"), unique("TWO")
    course = make_course(teacher, visibility="catalogue", enrollment="code", join_code=code)
    make_course(teacher, visibility="catalogue", enrollment="code", join_code=other)
    refused(student.post(path(course), json={"join_code": other}), 403, "join_code_wrong")
    refused(api("student", "northside").post(path(course), json={"join_code": code}), 404, "not_found")


def test_a_closed_course(teacher, student, rows):
    course = make_course(teacher, visibility="catalogue", join_code=unique("UNUSED"))
    answer = student.post(path(course))
    rows.traceless(answer)
    refused(answer, 403, "enrollment_closed")
    assert members(rows, course) == {}


def test_a_course_that_is_over(teacher, student, rows):
    course = make_course(teacher, visibility="catalogue", enrollment="open", starts_at=when(days=-9),
                         ends_at=when(days=-1))
    refused(student.post(path(course)), 403, "enrollment_closed")
    assert members(rows, course) == {}


def test_drafts_and_hidden_courses_take_nobody(teacher, student, rows):
    draft = make_course(teacher, visibility="catalogue", enrollment="open", publish=False)
    hidden = make_course(teacher, enrollment="open")
    for course in (draft, hidden):
        refused(student.post(path(course)), 404, "not_found")
        assert members(rows, course) == {}


@pytest.mark.parametrize("role", ["teacher", "parent", "analyst"])
def test_only_students_enrol_themselves(people, teacher, rows, role):
    course = make_course(teacher, visibility="catalogue", enrollment="open")
    answer = people.make(role).post(path(course))
    rows.traceless(answer)
    refused(answer, 422, "not_a_student")
    assert members(rows, course) == {}


def test_nobody_sets_their_own_dates(teacher, student, rows):
    course = make_course(teacher, visibility="catalogue", enrollment="open")
    answer = student.post(path(course), json={"ends_at": when(days=900)})
    rows.traceless(answer)
    refused(answer, 403, "forbidden")
    assert members(rows, course) == {}


# --- seats and states --------------------------------------------------------------------------------

def test_seats(teacher, klass, rows):
    course = make_course(teacher, seats=2)
    first, second = enrol(teacher, course, klass[0].id), enrol(teacher, course, klass[1].id)
    answer = teacher.post(path(course), json={"user_id": klass[2].id})
    rows.traceless(answer)
    refused(answer, 409, "course_full")
    data(teacher.post(path(course), json={"user_id": klass[0].id}), 200)
    done(teacher.delete(f"/api/v1/enrollments/{first['id']}"))
    enrol(teacher, course, klass[2].id)
    refused(teacher.patch(f"/api/v1/enrollments/{first['id']}", json={"status": "active"}), 409, "course_full")
    refused(teacher.post(path(course), json={"user_id": klass[0].id}), 409, "course_full")
    data(teacher.patch(f"/api/v1/enrollments/{second['id']}", json={"status": "completed"}))
    data(teacher.patch(f"/api/v1/enrollments/{first['id']}", json={"status": "active"}))
    data(teacher.patch(path(course, ""), json={"seats": None}))
    enrol(teacher, course, klass[3].id)


def test_the_race_for_the_last_seat_by_staff(teacher, klass, rows):
    course = make_course(teacher, seats=3)
    answers = at_once([lambda s=s: teacher.post(path(course), json={"user_id": s.id}) for s in klass])
    codes = sorted(a.status_code for a in answers)
    assert codes == [201] * 3 + [409] * 5, codes
    assert all(a.json()["code"] == "course_full" for a in answers if a.status_code == 409)
    assert len(members(rows, course)) == 3


def test_the_race_for_the_last_seat_by_students(teacher, klass, rows):
    course = make_course(teacher, seats=1, visibility="catalogue", enrollment="open")
    answers = at_once([lambda s=s: s.post(path(course)) for s in klass])
    codes = sorted(a.status_code for a in answers)
    assert codes == [201] + [409] * 7, codes
    assert list(members(rows, course).values()) == ["active"]


def test_one_student_at_many_doors_at_once(teacher, student, rows):
    course = make_course(teacher, visibility="catalogue", enrollment="open")
    answers = at_once([lambda: student.post(path(course)) for _ in range(4)]
                      + [lambda: teacher.post(path(course), json={"user_id": student.id}) for _ in range(4)])
    assert {a.status_code for a in answers} <= {200, 201}, [a.text for a in answers]
    assert [a.status_code for a in answers].count(201) >= 1
    assert len({a.json()["data"]["id"] for a in answers}) == 1
    assert members(rows, course) == {student.id: "active"}


def test_an_archived_course_takes_nobody(teacher, klass, rows):
    course = make_course(teacher, visibility="catalogue", enrollment="open")
    member = enrol(teacher, course, klass[0].id)
    data(teacher.post(path(course, "/archive")))
    refused(teacher.post(path(course), json={"user_id": klass[1].id}), 409, "course_archived")
    refused(klass[1].post(path(course)), 404, "not_found")
    data(teacher.patch(f"/api/v1/enrollments/{member['id']}", json={"status": "withdrawn"}))
    refused(teacher.patch(f"/api/v1/enrollments/{member['id']}", json={"status": "active"}),
            409, "course_archived")
    refused(teacher.post(path(course, "/enrollments/import"), data=b"email\n" + klass[1].email.encode(),
                         headers={"content-type": "text/csv"}), 409, "course_archived")
    assert members(rows, course) == {klass[0].id: "withdrawn"}
    data(teacher.post(path(course, "/publish")))
    enrol(teacher, course, klass[1].id)


def test_complete_withdraw_reactivate(teacher, student, rows):
    course = make_course(teacher)
    place = f"/api/v1/enrollments/{enrol(teacher, course, student.id)['id']}"
    completed = teacher.patch(place, json={"status": "completed"})
    assert data(completed)["completed_at"] and data(completed)["withdrawn_at"] is None
    (event,) = rows.events(completed)
    assert (event["kind"], event["subject_id"]) == ("enrollment.updated", data(completed)["id"])
    assert attends(student, course)
    withdrawn = data(teacher.patch(place, json={"status": "withdrawn"}))
    assert withdrawn["withdrawn_at"] and not attends(student, course)
    active = data(teacher.patch(place, json={"status": "active"}))
    assert active["completed_at"] is None and active["withdrawn_at"] is None and attends(student, course)
    assert violations(teacher.patch(place, json={"status": "paused"})) == {"/status": "choice"}
    stale = teacher.patch(place, json={"status": "completed"}, headers={"if-match": '"1"'})
    refused(stale, 412, "precondition_failed")
    assert data(teacher.get(place)) == active


def test_windows_are_honoured(teacher, student):
    course = make_course(teacher)
    place = f"/api/v1/enrollments/{enrol(teacher, course, student.id, starts_at=when(hours=1))['id']}"
    assert not attends(student, course)
    assert course["id"] not in ids(listed(student, "/api/v1/courses", scope="enrolled"))
    assert data(student.get(place))["starts_at"], "one's own enrollment is seen before it begins"
    data(teacher.patch(place, json={"starts_at": when(hours=-2)}))
    assert attends(student, course)
    data(teacher.patch(place, json={"ends_at": when(hours=-1)}))
    assert not attends(student, course)
    data(teacher.patch(place, json={"ends_at": None}))
    assert attends(student, course)
    data(teacher.patch(place, json={"starts_at": None, "ends_at": when(hours=1)}))
    assert attends(student, course)
    refused(teacher.patch(place, json={"starts_at": when(hours=2)}), 422, "validation_failed")


def test_withdraw_oneself(teacher, student, rows):
    course = make_course(teacher)
    member = enrol(teacher, course, student.id)
    place = f"/api/v1/enrollments/{member['id']}"
    answer = done(student.delete(place))
    assert members(rows, course) == {student.id: "withdrawn"}
    assert not attends(student, course)
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["actor_id"], audit["target_id"]) == \
        ("enrollment.withdraw", student.id, member["id"])
    assert (audit["before"]["status"], audit["after"]["status"]) == ("active", "withdrawn")
    assert [e["kind"] for e in rows.events(answer)] == ["enrollment.withdrawn"]
    refused(student.patch(place, json={"status": "active"}), 403, "forbidden")
    assert members(rows, course) == {student.id: "withdrawn"}


def test_who_may_change_an_enrollment(teacher, colleague, klass, api, rows):
    course = make_course(teacher)
    place = f"/api/v1/enrollments/{enrol(teacher, course, klass[0].id)['id']}"
    for client in (klass[1], colleague, api("admin", "northside"), api("student", "northside")):
        refused(client.get(place), 404, "not_found")
        refused(client.delete(place), 404, "not_found")
    for client in (colleague, api("admin", "northside")):
        refused(client.patch(place, json={"status": "completed"}), 404, "not_found")
    refused(klass[0].patch(place, json={"status": "completed"}), 403, "forbidden")
    refused(klass[0].patch(place, json={"ends_at": None}), 403, "forbidden")
    assert members(rows, course) == {klass[0].id: "active"}
    data(api("admin").patch(place, json={"status": "completed"}))


def test_what_is_listed_to_whom(teacher, colleague, klass, api):
    course = make_course(teacher, visibility="catalogue")
    made = [enrol(teacher, course, s.id)["id"] for s in klass[:3]]
    assert set(ids(listed(teacher, path(course)))) == set(made)
    assert set(ids(listed(api("admin"), path(course)))) == set(made)
    assert ids(listed(klass[0], path(course))) == made[:1]
    assert ids(listed(klass[5], path(course))) == []
    assert ids(listed(colleague, path(course))) == []
    assert set(ids(listed(teacher, "/api/v1/enrollments", course_id=course["id"]))) == set(made)
    assert ids(listed(klass[0], "/api/v1/enrollments", course_id=course["id"])) == made[:1]
    assert ids(listed(teacher, path(course), user_id=klass[1].id)) == [made[1]]
    data(teacher.patch(f"/api/v1/enrollments/{made[2]}", json={"status": "completed"}))
    assert ids(listed(teacher, path(course), status="completed")) == [made[2]]
    assert set(ids(listed(teacher, path(course), **{"status[ne]": "completed"}))) == set(made[:2])
    counted = teacher.get(path(course), params={"count": "exact", "limit": 1})
    assert counted.headers["x-total-count"] == "3" and counted.json()["page"]["total"] == 3
    assert "x-total-count" not in teacher.get(path(course)).headers


# --- many from a list ----------------------------------------------------------------------------------

def send(client, course, content, **params):
    content = content.encode() if isinstance(content, str) else content
    params = {k: str(v).lower() for k, v in params.items()}
    return client.post(path(course, "/enrollments/import"), data=content, params=params,
                       headers={"content-type": "text/csv"})


def actions(report):
    return [(line["line"], line["action"], line["code"]) for line in report["lines"]]


def test_import_and_undo(teacher, klass, rows):
    course = make_course(teacher)
    gone = enrol(teacher, course, klass[0].id)
    done(teacher.delete(f"/api/v1/enrollments/{gone['id']}"))
    enrol(teacher, course, klass[1].id)
    answer = send(teacher, course, "email\n" + "\n".join(s.email for s in klass[:4]) + "\n")
    report = data(answer, 201)
    assert actions(report) == [(2, "reactivate", None), (3, "unchanged", None), (4, "enrol", None),
                               (5, "enrol", None)]
    assert {k: report[k] for k in ("total", "enrolled", "reactivated", "unchanged", "failed")} == \
        {"total": 4, "enrolled": 2, "reactivated": 1, "unchanged": 1, "failed": 0}
    assert report["dry_run"] is False and report["atomic"] is True
    assert [line["user_id"] for line in report["lines"]] == [s.id for s in klass[:4]]
    assert members(rows, course) == {s.id: "active" for s in klass[:4]}
    made = data(teacher.get(f"/api/v1/enrollments/{report['lines'][2]['enrollment_id']}"))
    assert (made["source"], made["import_id"]) == ("import", report["import_id"])
    (event,) = rows.events(answer)
    assert (event["kind"], event["course_id"], event["subject_id"]) == \
        ("enrollment.imported", course["id"], report["import_id"])
    assert [(a["action"], a["target_id"]) for a in rows.audits(answer)] == \
        [("enrollment.import", report["import_id"])]

    kept = data(teacher.get(f"/api/v1/enrollment-imports/{report['import_id']}"))
    assert (kept["course_id"], kept["created_by"], kept["enrolled"], kept["undone_at"]) == \
        (course["id"], teacher.id, 2, None)
    assert ids(data(teacher.get(path(course, "/enrollment-imports")))) == [report["import_id"]]

    undo = f"/api/v1/enrollment-imports/{report['import_id']}/undo"
    undone = teacher.post(undo)
    assert data(undone) == {"removed": 2, "withdrawn": 0, "restored": 1}
    assert members(rows, course) == {klass[0].id: "withdrawn", klass[1].id: "active"}
    assert [(a["action"], a["target_id"]) for a in rows.audits(undone)] == \
        [("enrollment.import_undo", report["import_id"])]
    assert [e["kind"] for e in rows.events(undone)] == ["enrollment.import_undone"]
    second = teacher.post(undo)
    rows.traceless(second)
    refused(second, 409, "import_already_undone")
    assert members(rows, course) == {klass[0].id: "withdrawn", klass[1].id: "active"}
    assert data(teacher.get(f"/api/v1/enrollment-imports/{report['import_id']}"))["undone_at"]


def test_undo_after_later_changes(teacher, klass, rows):
    """What has been done since with an imported enrollment is not thrown away"""
    course = make_course(teacher)
    for s in klass[:2]:
        done(teacher.delete(f"/api/v1/enrollments/{enrol(teacher, course, s.id)['id']}"))
    report = data(send(teacher, course, "email\n" + "\n".join(s.email for s in klass[:5])), 201)
    place = {line["user_id"]: f"/api/v1/enrollments/{line['enrollment_id']}" for line in report["lines"]}
    data(teacher.patch(place[klass[1].id], json={"status": "completed"}))   # brought back, then completed
    data(teacher.patch(place[klass[3].id], json={"status": "completed"}))   # new, then completed
    done(klass[4].delete(place[klass[4].id]))                               # new, then withdrawn
    undone = data(teacher.post(f"/api/v1/enrollment-imports/{report['import_id']}/undo"))
    assert undone == {"removed": 1, "withdrawn": 1, "restored": 1}
    assert members(rows, course) == {klass[0].id: "withdrawn", klass[1].id: "completed",
                                     klass[3].id: "withdrawn", klass[4].id: "withdrawn"}
    assert data(teacher.get(place[klass[3].id]))["completed_at"], "the record of the completion stays"


def test_two_undos_at_once(teacher, klass, rows):
    course = make_course(teacher)
    report = data(send(teacher, course, "email\n" + "\n".join(s.email for s in klass)), 201)
    undo = f"/api/v1/enrollment-imports/{report['import_id']}/undo"
    answers = at_once([lambda: teacher.post(undo) for _ in range(4)])
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]
    assert members(rows, course) == {}


def test_a_dry_run_changes_nothing(teacher, klass, rows):
    course = make_course(teacher)
    gone = enrol(teacher, course, klass[0].id)
    done(teacher.delete(f"/api/v1/enrollments/{gone['id']}"))
    content = "email\n" + "\n".join([klass[0].email, klass[1].email, "nobody@e2e.lectern.example"])
    before = rows.all("select id, version, status, updated_at from app.enrollments where course_id = %s",
                      course["id"])
    answer = send(teacher, course, content, dry_run=True)
    report = data(answer, 200)
    assert actions(report) == [(2, "reactivate", None), (3, "enrol", None), (4, "error", "user_unknown")]
    assert report["import_id"] is None and report["dry_run"] is True
    rows.traceless(answer)
    assert rows.all("select id, version, status, updated_at from app.enrollments where course_id = %s",
                    course["id"]) == before
    assert rows.count("enrollment_imports", course_id=course["id"]) == 0
    for atomic in (True, False):
        data(send(teacher, course, content, dry_run=True, atomic=atomic), 200)
    assert rows.count("enrollment_imports", course_id=course["id"]) == 0


def test_the_dry_run_tells_what_then_happens(teacher, klass):
    course = make_course(teacher, seats=2)
    content = "email\n" + "\n".join(s.email for s in klass[:4])
    planned = data(send(teacher, course, content, dry_run=True, atomic=False), 200)
    happened = data(send(teacher, course, content, atomic=False), 201)
    assert actions(planned) == actions(happened)
    assert actions(happened) == [(2, "enrol", None), (3, "enrol", None), (4, "error", "course_full"),
                                 (5, "error", "course_full")]


def test_all_or_nothing_refuses_line_by_line(teacher, colleague, klass, rows):
    course = make_course(teacher)
    lines = [klass[0].email, "nobody@e2e.lectern.example", "not an address", colleague.email, klass[1].email,
             klass[0].email, ""]
    answer = send(teacher, course, "email\n" + "\n".join(f'"{line}"' for line in lines) + "\n")
    rows.traceless(answer)
    assert violations(answer) == {"/3/email": "user_unknown", "/4/email": "email_invalid",
                                  "/5/email": "not_a_student", "/7/email": "duplicate_line",
                                  "/8/email": "email_invalid"}
    assert members(rows, course) == {} and rows.count("enrollment_imports", course_id=course["id"]) == 0


def test_every_bad_line_is_told(teacher, rows):
    course = make_course(teacher)
    answer = send(teacher, course, "email\n" + "\n".join(f"nobody{n}@e2e.lectern.example" for n in range(300)))
    found = violations(answer)
    assert found == {f"/{n + 2}/email": "user_unknown" for n in range(300)}
    assert rows.count("enrollment_imports", course_id=course["id"]) == 0


def test_partial(teacher, klass, rows):
    course = make_course(teacher)
    content = f"email\n{klass[0].email}\nnobody@e2e.lectern.example\n{klass[1].email}\n"
    report = data(send(teacher, course, content, atomic=False), 201)
    assert actions(report) == [(2, "enrol", None), (3, "error", "user_unknown"), (4, "enrol", None)]
    assert (report["enrolled"], report["failed"], report["atomic"]) == (2, 1, False)
    assert report["lines"][1]["enrollment_id"] is None and report["lines"][1]["user_id"] is None
    assert members(rows, course) == {klass[0].id: "active", klass[1].id: "active"}
    assert data(teacher.post(f"/api/v1/enrollment-imports/{report['import_id']}/undo"))["removed"] == 2


def test_imports_at_once(teacher, klass, rows):
    """Of the same list each student is enrolled by one of them; of too few seats none is given twice"""
    course = make_course(teacher)
    content = "email\n" + "\n".join(s.email for s in klass)
    reports = [data(a, 201) for a in at_once([lambda: send(teacher, course, content)] * 4)]
    assert sorted(r["enrolled"] for r in reports) == [0, 0, 0, 8]
    assert sorted(r["unchanged"] for r in reports) == [0, 8, 8, 8]
    assert members(rows, course) == {s.id: "active" for s in klass}

    small = make_course(teacher, seats=3)
    halves = ["email\n" + "\n".join(s.email for s in part) for part in (klass[:4], klass[4:])]
    reports = [data(a, 201) for a in at_once([lambda c=c: send(teacher, small, c, atomic=False) for c in halves])]
    assert sum(r["enrolled"] for r in reports) == 3 == len(members(rows, small))
    assert sum(r["failed"] for r in reports) == 5


def test_a_line_that_is_far_too_long(teacher, student, rows):
    course = make_course(teacher)
    content = f"email\n{'x' * 50000}@e2e.lectern.example\n{student.email}\n"
    report = data(send(teacher, course, content, atomic=False), 201)
    assert actions(report) == [(2, "error", "email_invalid"), (3, "enrol", None)]
    assert members(rows, course) == {student.id: "active"}


def test_people_of_another_organisation_are_unknown(teacher, accounts, rows):
    course = make_course(teacher)
    content = "email\n" + accounts("student", "northside")["email"]
    assert violations(send(teacher, course, content)) == {"/2/email": "user_unknown"}
    assert members(rows, course) == {}


@pytest.mark.parametrize("content", [
    "email\n{0}\n{1}\n", "email\r\n{0}\r\n{1}\r\n", "email\n{0}\n{1}", "\ufeffemail\n{0}\n{1}\n",
    "\ufeff\"email\"\r\n\"{0}\"\r\n\"{1}\"\r\n", "EMAIL\n{0}\n{1}\n", " Email \n {0} \n\t{1}\n",
    "name,email,class\n\"Last, First\",{0},7b\n\"The \"\"Boss\"\"\",{1},7b\n", "email,name\n{0}\n{1},x,y\n",
    "email;\n{0}\n{1}\n",
], ids=["LF", "CRLF", "no last newline", "BOM", "BOM, quotes, CRLF", "case of the header", "spaces",
        "other columns", "ragged", "another separator"])
def test_forms_of_a_list(teacher, klass, rows, content):
    course = make_course(teacher)
    answer = send(teacher, course, content.format(klass[0].email, klass[1].email))
    if content.startswith("email;"):
        assert violations(answer) == {"/0": "header"}
        return
    report = data(answer, 201)
    assert [line["line"] for line in report["lines"]] == [2, 3]
    assert members(rows, course) == {klass[0].id: "active", klass[1].id: "active"}


@pytest.mark.parametrize("content", ["email\n\n{0}\n\n\n{1}\n", "email\r\n\r\n{0}\r\n\r\n\r\n{1}\r\n"],
                         ids=["LF", "CRLF"])
def test_blank_lines_count_and_say_nothing(teacher, klass, content):
    course = make_course(teacher)
    report = data(send(teacher, course, content.format(klass[0].email, klass[1].email)), 201)
    assert [line["line"] for line in report["lines"]] == [3, 6]


def test_case_of_addresses(teacher, klass, rows):
    course = make_course(teacher)
    report = data(send(teacher, course, f"email\n{klass[0].email.upper()}\n"), 201)
    assert report["lines"][0]["user_id"] == klass[0].id
    answer = send(teacher, course, f"email\n{klass[1].email}\n{klass[1].email.title()}\n")
    assert violations(answer) == {"/3/email": "duplicate_line"}
    assert members(rows, course) == {klass[0].id: "active"}


@pytest.mark.parametrize("content,status,code", [
    (b"name\nx\n", 422, {"/0": "header"}), (b"\n\n", 422, {"/0": "header"}), (b"email\n", 422, {"/1": "required"}),
    (b"email\n\n\n", 422, {"/1": "required"}), (b"email\n\"x@y.example\n", 400, "csv_syntax"),
    (b"email\nx\"y@z.example\n", 400, "csv_syntax"), (b"email\n\"x\"y\n", 400, "csv_syntax"),
    (b"email\n\xff\xfe\n", 400, "csv_syntax"), (b"email\n\xc0\xaf\n", 400, "csv_syntax"),
    (b"email\n\xed\xa0\x80\n", 400, "csv_syntax"), (b"email\nx\0@y.example\n", 400, "csv_syntax"),
    (b"\xff\xfee\0m\0a\0i\0l\0", 400, "csv_syntax"), (b"email\n\"a\nb@c.example\"\n", 400, "csv_syntax"),
    (b"email\n" + b",".join([b"x"] * 51) + b"\n", 400, "csv_too_large"), (b"", 400, "body_missing"),
], ids=lambda v: str(v)[:30])
def test_what_is_no_list(teacher, rows, content, status, code):
    course = make_course(teacher)
    answer = send(teacher, course, content)
    rows.traceless(answer)
    if isinstance(code, dict):
        assert violations(answer) == code
    else:
        refused(answer, status, code)
    assert members(rows, course) == {} and rows.count("enrollment_imports", course_id=course["id"]) == 0


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/csv; charset=utf-16", "text/csvx", None])
def test_another_media_type(teacher, student, rows, kind):
    course = make_course(teacher)
    answer = teacher.post(path(course, "/enrollments/import"), data=f"email\n{student.email}".encode(),
                          headers={"content-type": kind} if kind else {})
    refused(answer, 415, "unsupported_media_type")
    assert members(rows, course) == {}


def test_the_right_media_type_with_a_charset(teacher, student):
    course = make_course(teacher)
    data(teacher.post(path(course, "/enrollments/import"), data=f"email\n{student.email}".encode(),
                      headers={"content-type": "Text/CSV; charset=UTF-8"}), 201)


def test_bad_switches(teacher, student, rows):
    course = make_course(teacher)
    answer = teacher.post(path(course, "/enrollments/import") + "?dry_run=perhaps&atomic=2&x=1",
                          data=f"email\n{student.email}".encode(), headers={"content-type": "text/csv"})
    assert set(violations(answer)) == {"/query/dry_run", "/query/atomic", "/query/x"}
    assert members(rows, course) == {}


def test_an_import_is_done_once_under_one_key(teacher, klass, rows):
    course, key = make_course(teacher), unique("key")
    answers = [teacher.post(path(course, "/enrollments/import"), data=f"email\n{klass[0].email}".encode(),
                            headers={"content-type": "text/csv", "idempotency-key": key}) for _ in range(2)]
    assert data(answers[0], 201) == data(answers[1], 201)
    assert answers[1].headers["idempotency-replayed"] == "1"
    assert rows.count("enrollment_imports", course_id=course["id"]) == 1


def test_whose_imports_are_whose(teacher, colleague, student, people, api, rows):
    course = make_course(teacher)
    report = data(send(teacher, course, f"email\n{student.email}"), 201)
    place = f"/api/v1/enrollment-imports/{report['import_id']}"
    for client in (colleague, api("teacher", "northside"), api("admin", "northside")):
        refused(client.get(place), 404, "not_found")
        refused(client.post(place + "/undo"), 404, "not_found")
        refused(client.get(path(course, "/enrollment-imports")), 404, "not_found")
    for client in (student, people.make("parent")):
        refused(client.get(place), 403, "forbidden")
        refused(client.post(place + "/undo"), 403, "forbidden")
        answer = send(client, course, f"email\n{student.email}")
        refused(answer, 403, "forbidden")
    assert members(rows, course) == {student.id: "active"}
    assert data(api("admin").post(place + "/undo"))["removed"] == 1


# --- a large school ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def thousands(instance):
    """Addresses of 5,000 students, made once for an instance"""
    import psycopg2
    emails = [f"bulk-{n:05d}@e2e.lectern.example" for n in range(5000)]
    connection = psycopg2.connect(instance["database_url"])
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(app.register(md5('e2e' || m)::uuid, 'demo', m, 'Bulk', %s)) "
                       "from unnest(%s) m", (HASH, emails))
    connection.close()
    return emails


def test_five_thousand_lines(teacher, thousands, rows):
    course = make_course(teacher)
    shuffled = random.sample(thousands, len(thousands))
    content = "email\r\n" + "".join(f"{m}\r\n" for m in shuffled)
    begun = time.monotonic()
    planned = data(send(teacher, course, content, dry_run=True), 200)
    planning = time.monotonic() - begun
    assert planned["enrolled"] == 5000 and rows.count("enrollments", course_id=course["id"]) == 0
    begun = time.monotonic()
    report = data(send(teacher, course, content), 201)
    importing = time.monotonic() - begun
    assert report["enrolled"] == len(report["lines"]) == 5000
    assert [line["email"] for line in report["lines"]] == shuffled
    assert rows.count("enrollments", course_id=course["id"]) == 5000
    begun = time.monotonic()
    undone = data(teacher.post(f"/api/v1/enrollment-imports/{report['import_id']}/undo"))
    undoing = time.monotonic() - begun
    assert undone == {"removed": 5000, "withdrawn": 0, "restored": 0}
    assert rows.count("enrollments", course_id=course["id"]) == 0
    print(f"5000 lines: planned in {planning:.2f} s, imported in {importing:.2f} s, undone in {undoing:.2f} s")
    assert planning < 3 and importing < 8 and undoing < 8


def test_one_line_too_many(teacher, thousands, rows):
    course = make_course(teacher)
    content = "email\n" + "\n".join(thousands + ["one-more@e2e.lectern.example"]) + "\n"
    answer = send(teacher, course, content, dry_run=True)
    refused(answer, 400, "csv_too_large")
    assert rows.count("enrollments", course_id=course["id"]) == 0


def test_a_list_of_more_bytes_than_allowed(teacher, rows):
    course = make_course(teacher)
    refused(send(teacher, course, b"email\n" + b"x" * (1 << 20)), 413, "payload_too_large")
    assert rows.count("enrollment_imports", course_id=course["id"]) == 0
