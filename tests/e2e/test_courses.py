"""Courses: their life cycle, who sees and changes them, their staff and their owner."""
import uuid

import pytest

from lib_domain import at_once, data, done, enrol, ids, listed, make_course, refused, unique, violations, when


@pytest.fixture(scope="module")
def other_student(people):
    return people.make()


@pytest.fixture(scope="module")
def parent(people):
    return people.make("parent")


def version_of(answer):
    """Of the ETag, which nginx makes weak when it compresses"""
    return answer.headers["etag"].removeprefix("W/").strip('"')


def path(course, rest=""):
    return f"/api/v1/courses/{course['id']}{rest}"


def sees(client, course):
    answer = client.get(path(course))
    assert answer.status_code in (200, 404), answer.text
    in_list = course["id"] in ids(listed(client, "/api/v1/courses", q=course["title"]))
    assert in_list == (answer.status_code == 200), "the list and the course say different things"
    if answer.status_code == 404:
        refused(answer, 404, "not_found")
    return in_list


# --- the life cycle ------------------------------------------------------------------------------

def test_only_a_title_is_required(teacher):
    title = unique("Geometry")
    answer = teacher.post("/api/v1/courses", json={"title": title})
    course = data(answer, 201)
    assert answer.headers["location"] == f"/api/v1/courses/{course['id']}"
    assert uuid.UUID(course["id"]).version == 7
    assert course["title"] == title and course["owner_id"] == teacher.id
    assert (course["status"], course["visibility"], course["enrollment"]) == ("draft", "private", "closed")
    assert course["description"] == "" and course["version"] == 1
    for empty in ("seats", "starts_at", "ends_at", "published_at", "archived_at"):
        assert course[empty] is None
    read = teacher.get(answer.headers["location"])
    assert data(read) == {**course, "join_code": None}
    assert version_of(read) == "1" and read.headers["last-modified"]


def test_life_cycle(teacher, rows):
    course = make_course(teacher, publish=False)
    steps = [("publish", "published", "course.published"), ("unpublish", "draft", "course.unpublished"),
             ("publish", "published", "course.published"), ("archive", "archived", "course.archived"),
             ("publish", "published", "course.published"), ("archive", "archived", "course.archived"),
             ("unpublish", "draft", "course.unpublished")]
    for verb, status, kind in steps:
        answer = teacher.post(path(course, "/" + verb))
        now = data(answer)
        assert now["status"] == status
        assert (now["archived_at"] is not None) == (status == "archived")
        if status == "published":
            assert now["published_at"] is not None
        assert data(teacher.get(path(course)))["status"] == status
        assert rows.events(answer) == [{"kind": kind, "actor_id": teacher.id, "course_id": course["id"],
                                        "subject_type": "course", "subject_id": course["id"]}]
    done(teacher.delete(path(course)))
    refused(teacher.get(path(course)), 404, "not_found")
    refused(teacher.delete(path(course)), 404, "not_found")
    refused(teacher.post(path(course, "/publish")), 404, "not_found")
    assert rows.count("courses", id=course["id"]) == 0


def test_a_state_twice_is_no_change(teacher):
    course = make_course(teacher)
    again = data(teacher.post(path(course, "/publish")))
    assert again["version"] == course["version"] and again["published_at"] == course["published_at"]
    archived = data(teacher.post(path(course, "/archive")))
    assert data(teacher.post(path(course, "/archive"))) == archived


def test_created_updated_deleted_leave_their_events(teacher, rows):
    made = teacher.post("/api/v1/courses", json={"title": unique()})
    course = data(made, 201)
    changed = teacher.patch(path(course), json={"title": unique()})
    data(changed)
    gone = done(teacher.delete(path(course)))
    for answer, kind in ((made, "course.created"), (changed, "course.updated"), (gone, "course.deleted")):
        (event,) = rows.events(answer)
        assert (event["kind"], event["actor_id"], event["subject_id"]) == (kind, teacher.id, course["id"])


def test_delete_takes_what_belongs_to_the_course(teacher, student, rows):
    course = make_course(teacher, enrollment="code", join_code=unique("J"))
    enrol(teacher, course, student.id)
    data(teacher.post(path(course, "/announcements"), json={"title": "T", "body": "B"}), 201)
    done(teacher.delete(path(course)))
    for table in ("enrollments", "announcements", "course_codes", "course_staff"):
        assert rows.count(table, course_id=course["id"]) == 0, table


# --- who sees it -----------------------------------------------------------------------------------

@pytest.mark.parametrize("visibility", ["private", "catalogue"])
@pytest.mark.parametrize("status", ["draft", "published", "archived"])
def test_who_sees_which_state(teacher, colleague, student, other_student, parent, people, api,
                              visibility, status):
    course = make_course(teacher, visibility=visibility)
    enrol(teacher, course, student.id)
    if status != "published":
        data(teacher.post(path(course, {"draft": "/unpublish", "archived": "/archive"}[status])))
    in_catalogue = status == "published" and visibility == "catalogue"
    assert sees(teacher, course)
    assert sees(api("admin"), course)
    assert sees(api("operator"), course)
    assert sees(student, course) == (status != "draft")
    for stranger in (colleague, other_student, parent):
        assert sees(stranger, course) == in_catalogue
    for foreigner in ("admin", "teacher", "student"):
        assert not sees(api(foreigner, "northside"), course)


def test_a_draft_hides_what_belongs_to_it(teacher, student):
    course = make_course(teacher)
    enrol(teacher, course, student.id)
    notice = data(teacher.post(path(course, "/announcements"), json={"title": "T", "body": "B"}), 201)
    data(student.get(f"/api/v1/announcements/{notice['id']}"))
    data(teacher.post(path(course, "/unpublish")))
    refused(student.get(f"/api/v1/announcements/{notice['id']}"), 404, "not_found")
    refused(student.get(path(course, "/announcements")), 404, "not_found")
    refused(student.get(path(course, "/staff")), 404, "not_found")


def test_scopes(teacher, colleague, student):
    mark = unique("Scope")
    mine = make_course(teacher, title=mark + " mine")
    helped = make_course(colleague, title=mark + " helped")
    shown = make_course(colleague, title=mark + " shown", visibility="catalogue")
    data(colleague.post(path(helped, "/staff"), json={"user_id": teacher.id, "role": "teacher"}), 201)
    enrol(colleague, helped, student.id)

    def found(client, **params):
        return set(ids(listed(client, "/api/v1/courses", q=mark, **params)))
    assert found(teacher) == {mine["id"], helped["id"], shown["id"]}
    assert found(teacher, scope="taught") == {mine["id"], helped["id"]}
    assert found(teacher, scope="catalogue") == {shown["id"]}
    assert found(teacher, scope="enrolled") == set()
    assert found(student, scope="enrolled") == {helped["id"]}
    assert found(student) == {helped["id"], shown["id"]}
    assert violations(teacher.get("/api/v1/courses", params={"scope": "all"})) == {"/query/scope": "choice"}


def test_filters_of_the_list(teacher):
    mark = unique("Filter")
    draft = make_course(teacher, title=mark + " 100% a_b", publish=False)
    public = make_course(teacher, title=mark + " plain", visibility="catalogue")

    def found(**params):
        return ids(listed(teacher, "/api/v1/courses", **{"q": mark, **params}))
    assert found(status="draft") == [draft["id"]]
    assert found(**{"status[ne]": "draft"}) == [public["id"]]
    assert set(found(**{"status[in]": "draft,published"})) == {draft["id"], public["id"]}
    assert found(visibility="catalogue") == [public["id"]]
    assert len(found(owner_id=teacher.id)) == 2 and found(owner_id=str(uuid.uuid4())) == []
    assert found(sort="title") == [draft["id"], public["id"]]
    assert found(sort="-title") == [public["id"], draft["id"]]
    assert found(q=mark + " 100%") == [draft["id"]] and found(q=mark + "%plain") == []
    assert found(q=mark + " 100% a_b") == [draft["id"]] and found(q=mark + " 100% a-b") == []
    assert set(found(**{"created_at[gte]": draft["created_at"]})) == {draft["id"], public["id"]}
    assert found(**{"created_at[lte]": when(days=-1)}) == []


@pytest.mark.parametrize("role", ["student", "parent", "vendor", "moderator", "analyst"])
def test_who_may_not_create(people, rows, role):
    client = people.make(role)
    title = unique()
    answer = client.post("/api/v1/courses", json={"title": title})
    rows.traceless(answer)
    refused(answer, 403, "forbidden")
    assert rows.count("courses", title=title) == 0


# --- another organisation, and strangers -----------------------------------------------------------

CALLS = [
    ("GET", "", None), ("PATCH", "", {"title": "taken"}), ("DELETE", "", None),
    ("POST", "/publish", None), ("POST", "/unpublish", None), ("POST", "/archive", None),
    ("POST", "/transfer-owner", {"owner_id": "ME"}), ("GET", "/staff", None),
    ("POST", "/staff", {"user_id": "ME", "role": "teacher"}),
    ("POST", "/staff", {"user_id": "ME", "role": "assistant"}), ("DELETE", "/staff/ME", None),
    ("GET", "/enrollments", None), ("POST", "/enrollments", {"user_id": "STUDENT"}),
    ("POST", "/enrollments", {}), ("GET", "/enrollment-imports", None),
    ("GET", "/announcements", None), ("POST", "/announcements", {"title": "T", "body": "B"}),
]


def call(client, course, method, rest, body, me, someone):
    def fill(text):
        return text.replace("ME", me).replace("STUDENT", someone)
    body = {k: fill(v) for k, v in body.items()} if body is not None else None
    return client.request(method, path(course, fill(rest)), json=body)


@pytest.mark.parametrize("method,rest,body", CALLS, ids=lambda v: str(v))
def test_what_is_not_seen_is_not_there(teacher, colleague, student, api, rows, method, rest, body):
    """For another organisation and for a colleague, a private course answers as none at all does"""
    course = make_course(teacher, title=unique("Hidden"))
    none = {"id": str(uuid.uuid4())}
    before = data(teacher.get(path(course)))
    foreign = api("teacher", "northside")
    foreign_id = data(foreign.get("/api/v1/users/me"))["id"]
    for client, me in ((foreign, foreign_id), (colleague, colleague.id)):
        here = call(client, course, method, rest, body, me, student.id)
        nowhere = call(client, none, method, rest, body, me, student.id)
        one, other = refused(here, 404, "not_found"), refused(nowhere, 404, "not_found")
        assert {**one, "request_id": 0} == {**other, "request_id": 0}
        assert rows.events(here) == []
    assert data(teacher.get(path(course))) == before
    for table in ("enrollments", "announcements", "course_staff"):
        assert rows.count(table, course_id=course["id"]) == 0


@pytest.mark.parametrize("method,rest,body", [c for c in CALLS if c[0] != "GET" and c[1] != "/enrollments"
                                              and "DELETE/staff" not in c[0] + c[1]],
                         ids=lambda v: str(v))
def test_what_is_seen_is_not_everyones_to_change(teacher, colleague, student, rows, method, rest, body):
    course = make_course(teacher, visibility="catalogue")
    before = data(teacher.get(path(course)))
    answer = call(colleague, course, method, rest, body, people_id(rest, colleague), student.id)
    rows.traceless(answer)
    refused(answer, 403, "forbidden")
    answer = call(student, course, method, rest, body, student.id, student.id)
    rows.traceless(answer)
    refused(answer, 403, "forbidden")
    assert data(teacher.get(path(course))) == before
    assert rows.count("course_staff", course_id=course["id"]) == 0


def people_id(rest, client):
    return client.id


def test_a_path_that_is_no_uuid(teacher):
    assert violations(teacher.get("/api/v1/courses/0")) == {"/path/course_id": "uuid"}
    assert violations(teacher.delete("/api/v1/courses/none")) == {"/path/course_id": "uuid"}


# --- changing --------------------------------------------------------------------------------------

def test_patch_changes_what_is_sent_and_nothing_else(teacher):
    course = make_course(teacher, description="First\nsecond\tline", seats=9, starts_at=when(days=1),
                         ends_at=when(days=9), visibility="catalogue")
    title = unique("Neu: Öl & <b>")
    after = data(teacher.patch(path(course), json={"title": title}))
    assert after["title"] == title and after["version"] == course["version"] + 1
    assert after["updated_at"] > course["updated_at"] or after["updated_at"] == course["updated_at"]
    same = {k: v for k, v in course.items() if k not in ("title", "version", "updated_at")}
    assert {k: after[k] for k in same} == same


def test_null_clears_and_absence_keeps(teacher):
    code = unique("CODE")
    course = make_course(teacher, seats=9, starts_at=when(days=1), ends_at=when(days=9), join_code=code)
    assert data(teacher.get(path(course)))["join_code"] == code
    kept = data(teacher.patch(path(course), json={"description": "D"}))
    assert (kept["seats"], kept["starts_at"], kept["ends_at"]) == (9, course["starts_at"], course["ends_at"])
    assert data(teacher.get(path(course)))["join_code"] == code
    for field in ("seats", "starts_at", "ends_at"):
        assert data(teacher.patch(path(course), json={field: None}))[field] is None
    data(teacher.patch(path(course), json={"join_code": None}))
    assert data(teacher.get(path(course)))["join_code"] is None


def test_null_where_nothing_can_be_cleared(teacher):
    course = make_course(teacher)
    found = violations(teacher.patch(path(course), json={
        "title": None, "description": None, "visibility": None, "enrollment": None}))
    assert set(found) == {"/title", "/description", "/visibility", "/enrollment"}
    assert data(teacher.get(path(course)))["version"] == course["version"]


def test_all_violations_at_once(teacher, rows):
    title = unique()
    sent = {"title": title, "description": "x" * 2001, "visibility": "secret", "enrollment": 7, "seats": 0,
            "starts_at": "tomorrow", "colour": "red", "join_code": "ab"}
    for answer in (teacher.post("/api/v1/courses", json=sent),
                   teacher.patch(path(make_course(teacher)), json=sent)):
        found = violations(answer)
        assert set(found) == {"/description", "/visibility", "/enrollment", "/seats", "/starts_at",
                              "/colour", "/join_code"}
        rows.traceless(answer)
    assert rows.count("courses", title=title) == 0


@pytest.mark.parametrize("field,value,good", [
    ("title", "x" * 255, True), ("title", "x" * 256, False), ("title", "", False), ("title", "a\nb", False),
    ("title", "   ", False), ("title", "ö" * 255, True), ("description", "x" * 2000, True),
    ("description", "", True), ("seats", 1, True), ("seats", 100000, True), ("seats", 100001, False),
    ("seats", "5", False), ("seats", 1.5, False), ("seats", -1, False), ("title", 5, False),
    ("title", ["x"], False), ("starts_at", "2030-02-30T00:00:00Z", False),
    ("starts_at", "2030-02-28T23:59:60+01:00", False), ("starts_at", "2030-02-28T00:00:00+01:00", True),
])
def test_bounds(teacher, field, value, good):
    body = {"title": unique(), field: value}
    answer = teacher.post("/api/v1/courses", json=body)
    if good:
        made = data(answer, 201)
        assert made[field] == (value if field != "starts_at" else "2030-02-27T23:00:00.000Z")
    else:
        assert set(violations(answer)) == {"/" + field}


def test_it_ends_after_it_begins(teacher):
    course = make_course(teacher, starts_at=when(days=5))
    refused(teacher.patch(path(course), json={"ends_at": when(days=4)}), 422, "validation_failed")
    refused(teacher.post("/api/v1/courses", json={"title": unique(), "starts_at": when(days=5),
                                                  "ends_at": when(days=4)}), 422, "validation_failed")
    assert data(teacher.get(path(course)))["ends_at"] is None


def test_if_match(teacher, rows):
    course = make_course(teacher)
    etag = teacher.get(path(course)).headers["etag"]
    assert version_of(teacher.get(path(course))) == str(course["version"])
    first = teacher.patch(path(course), json={"title": "one"}, headers={"if-match": etag})
    assert data(first)["title"] == "one" and first.headers["etag"] != etag
    calls = [lambda: teacher.patch(path(course), json={"title": "two"}, headers={"if-match": etag}),
             lambda: teacher.delete(path(course), headers={"if-match": etag}),
             lambda: teacher.post(path(course, "/archive"), headers={"if-match": etag}),
             lambda: teacher.post(path(course, "/transfer-owner"), json={"owner_id": teacher.id},
                                  headers={"if-match": etag})]
    for late in calls:
        answer = late()
        rows.traceless(answer)
        refused(answer, 412, "precondition_failed")
    now = data(teacher.get(path(course)))
    assert (now["title"], now["status"], now["version"]) == ("one", "published", course["version"] + 1)
    for bad in ("5", '"x"', '"0"', '"-1"', '"1", "2"'):
        refused(teacher.patch(path(course), json={"title": "two"}, headers={"if-match": bad}),
                400, "precondition_invalid")
    data(teacher.patch(path(course), json={"title": "three"}, headers={"if-match": "*"}))
    plain = teacher.get(path(course), headers={"accept-encoding": "identity"}).headers["etag"]
    assert plain == f'"{version_of(teacher.get(path(course)))}"'
    four = data(teacher.patch(path(course), json={"title": "four"}, headers={"if-match": plain}))
    data(teacher.patch(path(course), json={"title": "five"}, headers={"if-match": f'W/"{four["version"]}"'}))
    done(teacher.delete(path(course), headers={"if-match": teacher.get(path(course)).headers["etag"]}))


def test_if_none_match(teacher):
    course = make_course(teacher)
    etag = teacher.get(path(course)).headers["etag"]
    answer = teacher.get(path(course), headers={"if-none-match": etag})
    assert answer.status_code == 304 and answer.content == b""
    assert version_of(answer) == str(course["version"])
    assert teacher.get(path(course), headers={"if-none-match": '"77"'}).status_code == 200


def test_of_parallel_changes_under_one_etag_one_passes(teacher):
    course = make_course(teacher)
    etag = f'"{course["version"]}"'
    answers = at_once([lambda n=n: teacher.patch(path(course), json={"title": f"title {n}"},
                                                 headers={"if-match": etag}) for n in range(6)])
    assert sorted(a.status_code for a in answers) == [200, 412, 412, 412, 412, 412]
    assert data(teacher.get(path(course)))["version"] == course["version"] + 1


def test_idempotent_creation(teacher, rows):
    key, title = unique("key"), unique()
    first = teacher.post("/api/v1/courses", json={"title": title}, headers={"idempotency-key": key})
    again = teacher.post("/api/v1/courses", json={"title": title}, headers={"idempotency-key": key})
    assert data(first, 201) == data(again, 201)
    assert again.headers["idempotency-replayed"] == "1" and "idempotency-replayed" not in first.headers
    assert rows.count("courses", title=title) == 1 and rows.events(again) == []
    refused(teacher.post("/api/v1/courses", json={"title": title + "x"}, headers={"idempotency-key": key}),
            422, "idempotency_key_reused")


# --- join codes ------------------------------------------------------------------------------------

def test_who_sees_the_join_code(teacher, colleague, student, people, api):
    code = unique("SEE")
    course = make_course(teacher, visibility="catalogue", enrollment="code", join_code=code)
    assistant = people.make()
    data(teacher.post(path(course, "/staff"), json={"user_id": assistant.id, "role": "assistant"}), 201)
    enrol(teacher, course, student.id)
    for client, shown in ((teacher, code), (api("admin"), code), (assistant, code), (student, None),
                          (colleague, None)):
        assert data(client.get(path(course)))["join_code"] == shown
    assert code not in student.get("/api/v1/courses", params={"q": course["title"]}).text


def test_joining_by_code_needs_a_code(teacher, rows):
    title = unique()
    answer = teacher.post("/api/v1/courses", json={"title": title, "enrollment": "code"})
    rows.traceless(answer)
    refused(answer, 422, "join_code_missing")
    assert rows.count("courses", title=title) == 0
    course = make_course(teacher)
    refused(teacher.patch(path(course), json={"enrollment": "code"}), 422, "join_code_missing")
    code = unique("NEED")
    data(teacher.patch(path(course), json={"enrollment": "code", "join_code": code}))
    refused(teacher.patch(path(course), json={"join_code": None}), 422, "join_code_missing")
    assert data(teacher.get(path(course)))["join_code"] == code
    data(teacher.patch(path(course), json={"enrollment": "open", "join_code": None}))
    assert data(teacher.get(path(course)))["join_code"] is None


def test_join_codes_are_unique_in_an_organisation(teacher, api, rows):
    code, title = unique("UNIQ"), unique()
    course = make_course(teacher, join_code=code)
    answer = teacher.post("/api/v1/courses", json={"title": title, "join_code": code})
    rows.traceless(answer)
    refused(answer, 409, "join_code_taken")
    assert rows.count("courses", title=title) == 0
    other = make_course(teacher)
    refused(teacher.patch(path(other), json={"title": "no", "join_code": code}), 409, "join_code_taken")
    assert data(teacher.get(path(other))) == {**other, "join_code": None}
    # Another organisation may use the same one, and so learns nothing of it.
    elsewhere = make_course(api("teacher", "northside"), join_code=code)
    assert elsewhere["id"] != course["id"]
    done(api("teacher", "northside").delete(path(elsewhere)))
    done(teacher.delete(path(course)))
    data(teacher.patch(path(other), json={"join_code": code}))


@pytest.mark.parametrize("code", ["short", "x" * 65, "has space", "süßsüß", "semi;colon", ""])
def test_codes_have_a_shape(teacher, code):
    assert set(violations(teacher.post("/api/v1/courses", json={"title": unique(), "join_code": code}))) == \
        {"/join_code"}


# --- the owner ---------------------------------------------------------------------------------------

def test_transfer(teacher, colleague, rows):
    course = make_course(teacher)
    answer = teacher.post(path(course, "/transfer-owner"), json={"owner_id": colleague.id})
    assert data(answer)["owner_id"] == colleague.id
    staff = data(colleague.get(path(course, "/staff")))
    assert [(s["id"], s["role"]) for s in staff] == [(teacher.id, "teacher")]
    data(teacher.patch(path(course), json={"description": "still a co-teacher"}))
    refused(teacher.delete(path(course)), 403, "forbidden")
    refused(teacher.post(path(course, "/transfer-owner"), json={"owner_id": teacher.id}), 403, "forbidden")
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["actor_id"], audit["target_type"], audit["target_id"]) == \
        ("course.transfer_owner", teacher.id, "course", course["id"])
    (event,) = rows.events(answer)
    assert (event["kind"], event["course_id"]) == ("course.owner_transferred", course["id"])
    data(colleague.post(path(course, "/transfer-owner"), json={"owner_id": teacher.id}))
    staff = data(teacher.get(path(course, "/staff")))
    assert [(s["id"], s["role"]) for s in staff] == [(colleague.id, "teacher")]


def test_an_admin_transfers_any_course(teacher, colleague, api, rows):
    course = make_course(teacher)
    answer = api("admin").post(path(course, "/transfer-owner"), json={"owner_id": colleague.id})
    assert data(answer)["owner_id"] == colleague.id
    assert len(rows.audits(answer)) == 1


def test_a_course_goes_to_a_teacher_of_the_organisation_only(teacher, student, parent, api, rows):
    course = make_course(teacher)
    foreign = data(api("teacher", "northside").get("/api/v1/users/me"))["id"]
    problems = []
    for nobody in (student.id, parent.id, foreign, str(uuid.uuid4())):
        answer = teacher.post(path(course, "/transfer-owner"), json={"owner_id": nobody})
        rows.traceless(answer)
        problems.append({**refused(answer, 422, "not_a_teacher"), "request_id": 0})
    assert all(p == problems[0] for p in problems)
    assert data(teacher.get(path(course)))["owner_id"] == teacher.id
    assert data(teacher.get(path(course, "/staff"))) == []
    assert violations(teacher.post(path(course, "/transfer-owner"), json={})) == {"/owner_id": "required"}
    assert violations(teacher.post(path(course, "/transfer-owner"), json={"owner_id": None})).keys() == \
        {"/owner_id"}


def test_a_course_for_someone_else_is_made_by_admins(teacher, colleague, student, api):
    refused(teacher.post("/api/v1/courses", json={"title": unique(), "owner_id": colleague.id}),
            403, "forbidden")
    course = data(api("admin").post("/api/v1/courses", json={"title": unique(), "owner_id": colleague.id}), 201)
    assert course["owner_id"] == colleague.id
    refused(api("admin").post("/api/v1/courses", json={"title": unique(), "owner_id": student.id}),
            422, "not_a_teacher")


def test_the_owner_is_not_patched(teacher, colleague):
    course = make_course(teacher)
    for field, value in (("owner_id", colleague.id), ("status", "archived"), ("id", str(uuid.uuid4())),
                         ("org_id", str(uuid.uuid4())), ("version", 9)):
        assert violations(teacher.patch(path(course), json={field: value})) == {"/" + field: "unknown"}


def test_a_teacher_who_becomes_a_student_keeps_no_course(people, api):
    former = people.make("teacher")
    course = make_course(former)
    data(api("admin").put(f"/api/v1/org/users/{former.id}/role", json={"role": "student"}))
    former = people.enter(former.email)
    assert not sees(former, course)
    refused(former.patch(path(course), json={"title": "mine"}), 403, "forbidden")


# --- staff -------------------------------------------------------------------------------------------

def test_staff_come_and_go(teacher, colleague, people, rows):
    course = make_course(teacher)
    assistant = people.make()
    added = teacher.post(path(course, "/staff"), json={"user_id": colleague.id, "role": "teacher"})
    assert data(added, 201).items() >= {"id": colleague.id, "role": "teacher"}.items()
    data(teacher.post(path(course, "/staff"), json={"user_id": assistant.id, "role": "assistant"}), 201)
    staff = data(teacher.get(path(course, "/staff")))
    assert [(s["id"], s["role"]) for s in staff] == [(colleague.id, "teacher"), (assistant.id, "assistant")]
    assert all(s["name"] and s["created_at"] for s in staff)
    assert ids(data(teacher.get(path(course, "/staff"), params={"role": "assistant"}))) == [assistant.id]
    (audit,) = rows.audits(added)
    assert (audit["action"], audit["target_id"], audit["after"]["user_id"]) == \
        ("course.staff_add", course["id"], colleague.id)
    (event,) = rows.events(added)
    assert (event["kind"], event["course_id"]) == ("course.staff_added", course["id"])

    assert sees(colleague, course) and sees(assistant, course)
    gone = done(teacher.delete(path(course, f"/staff/{colleague.id}")))
    (audit,) = rows.audits(gone)
    assert (audit["action"], audit["before"]["user_id"]) == ("course.staff_remove", colleague.id)
    assert not sees(colleague, course)
    answer = teacher.delete(path(course, f"/staff/{colleague.id}"))
    assert answer.status_code in (403, 404) and rows.audits(answer) == []


def test_what_each_member_of_staff_may_do(teacher, colleague, student, people):
    course = make_course(teacher)
    assistant = people.make()
    data(teacher.post(path(course, "/staff"), json={"user_id": colleague.id, "role": "teacher"}), 201)
    data(teacher.post(path(course, "/staff"), json={"user_id": assistant.id, "role": "assistant"}), 201)
    member = enrol(colleague, course, student.id)

    assert data(colleague.patch(path(course), json={"title": unique()}))["version"] > course["version"]
    data(colleague.post(path(course, "/archive")))
    data(colleague.post(path(course, "/publish")))
    data(colleague.post(path(course, "/announcements"), json={"title": "T", "body": "B"}), 201)
    refused(colleague.delete(path(course)), 403, "forbidden")
    refused(colleague.post(path(course, "/staff"), json={"user_id": people.make().id, "role": "assistant"}),
            403, "forbidden")
    refused(colleague.delete(path(course, f"/staff/{assistant.id}")), 403, "forbidden")
    refused(colleague.post(path(course, "/transfer-owner"), json={"owner_id": colleague.id}), 403, "forbidden")

    assert member["id"] in ids(listed(assistant, path(course, "/enrollments")))
    for method, rest, body in (("PATCH", "", {"title": "x"}), ("DELETE", "", None), ("POST", "/archive", None),
                               ("POST", "/transfer-owner", {"owner_id": teacher.id}),
                               ("POST", "/staff", {"user_id": student.id, "role": "assistant"})):
        refused(assistant.request(method, path(course, rest), json=body), 403, "forbidden")
    refused(assistant.post(path(course, "/enrollments"), json={"user_id": people.make().id}), 403, "forbidden")


def test_a_teacher_as_assistant(teacher, colleague, student):
    """An assistant sees and announces, and changes nothing else, whatever their role is elsewhere"""
    course = make_course(teacher)
    data(teacher.post(path(course, "/staff"), json={"user_id": colleague.id, "role": "assistant"}), 201)
    assert sees(colleague, course)
    notice = data(colleague.post(path(course, "/announcements"), json={"title": "T", "body": "B"}), 201)
    assert notice["author_id"] == colleague.id
    for method, rest, body in (("PATCH", "", {"title": "x"}), ("DELETE", "", None), ("POST", "/archive", None),
                               ("POST", "/enrollments", {"user_id": student.id})):
        refused(colleague.request(method, path(course, rest), json=body), 403, "forbidden")
    answer = colleague.post(path(course, "/enrollments/import"), data=f"email\n{student.email}\n".encode(),
                            headers={"content-type": "text/csv"})
    refused(answer, 403, "forbidden")


def test_an_assistant_who_is_a_student_announces(teacher, people):
    course = make_course(teacher)
    assistant = people.make()
    data(teacher.post(path(course, "/staff"), json={"user_id": assistant.id, "role": "assistant"}), 201)
    notice = data(assistant.post(path(course, "/announcements"), json={"title": "T", "body": "B"}), 201)
    assert notice["author_id"] == assistant.id


def test_who_can_be_staff(teacher, colleague, student, parent, api, rows):
    course = make_course(teacher)
    foreign = data(api("teacher", "northside").get("/api/v1/users/me"))["id"]
    unknown = str(uuid.uuid4())

    def add(user, role):
        answer = teacher.post(path(course, "/staff"), json={"user_id": user, "role": role})
        if answer.status_code != 201:
            rows.traceless(answer)
        return answer
    for user in (student.id, parent.id, foreign, unknown):
        refused(add(user, "teacher"), 422, "not_a_teacher")
    first, second = (refused(add(user, "assistant"), 422, "reference_unknown") for user in (foreign, unknown))
    assert {**first, "request_id": 0} == {**second, "request_id": 0}
    refused(add(teacher.id, "teacher"), 409, "conflict")
    data(add(colleague.id, "assistant"), 201)
    refused(add(colleague.id, "teacher"), 409, "conflict")
    assert violations(add(colleague.id, "owner")) == {"/role": "choice"}
    assert rows.count("course_staff", course_id=course["id"]) == 1
