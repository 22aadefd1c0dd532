"""Erasure: a person who has written wherever one can goes, and nothing of them is found again."""
from lib_domain import ME, PASSWORD, V1, at_once, data, done, enrol, ids, listed, make_course, refused, unique
from lib_pool import wait_until


def columns(root):
    """Every column of every table: (table, column, type)"""
    root.execute("select c.relname, a.attname, format_type(a.atttypid, null) from pg_class c "
                 "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
                 "where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') "
                 "and not c.relispartition order by 1, 2")
    return root.fetchall()


def scan(root, marks):
    """{"table.column": rows} where any of the marks stands, in texts, documents, addresses and bytes"""
    found = {}
    for table, column, kind in columns(root):
        value = f"encode(t.{column}, 'escape')" if kind == "bytea" else f"t.{column}::text"
        root.execute(f"select count(*) from app.{table} t where {value} ilike any (%s)",
                     (["%" + mark.replace("_", r"\_") + "%" for mark in marks],))
        (count,) = root.fetchone()
        if count:
            found[f"{table}.{column}"] = count
    return found


def erase(client, password=PASSWORD):
    return client.delete(ME, json={"password": password})


# --- a student, a teacher --------------------------------------------------------------------------

def test_nothing_of_a_student_is_left(people, api, root, place, new_client):
    mark, teacher = unique("markstudent"), people.make("teacher")
    course = make_course(teacher, enrollment="open", visibility="catalogue")
    student = people.make(name=f"{mark} First")
    data(student.patch(ME, json={"name": f"{mark} Second", "timezone": "Mark/" + mark.replace("-", "_")}))
    marks = [mark, mark.replace("-", "_"), student.email]
    browser = new_client("browser")
    data(browser.post(V1 + "/auth/login", json={"email": student.email, "password": PASSWORD},
                      headers={"user-agent": f"{mark} agent"}))
    own = data(student.post(f"{V1}/courses/{course['id']}/enrollments", headers={"idempotency-key": mark}), 201)
    note = data(teacher.post(f"{V1}/courses/{course['id']}/announcements", json={"title": "t", "body": "b"}), 201)
    done(student.post(f"{V1}/announcements/{note['id']}/read"))
    # An import of another organisation knows the address, too.
    elsewhere = make_course(api("teacher", "northside"))
    api("teacher", "northside").post(
        f"{V1}/courses/{elsewhere['id']}/enrollments/import?atomic=false", data=f"email\n{student.email}\n",
        headers={"content-type": "text/csv"})
    data(teacher.post(f"{V1}/courses/{course['id']}/enrollments/import", data=f"email\n{student.email}\n",
                      headers={"content-type": "text/csv"}), 201)
    parent = people.make("parent")
    data(parent.post(V1 + "/parent-links", json={
        "code": data(student.post(V1 + "/parent-links/code"), 201)["code"]}), 201)
    data(student.post(ME + "/export"), 202)
    wait_until(lambda: data(student.get(ME + "/export"))["state"] == "ready", seconds=30)
    left = data(student.post(f"{V1}/courses/{course['id']}/enrollments"), 200)
    assert left["id"] == own["id"]
    done(student.delete(f"{V1}/enrollments/{own['id']}"))  # audited, with its origin

    before = scan(root, marks)
    assert {"users.name", "users.email", "users.timezone", "sessions.user_agent", "idempotency_keys.key",
            "enrollment_import_rows.email", "export_parts.document"} <= set(before), before
    done(erase(student))
    assert scan(root, marks) == {}
    for table in ("sessions", "credentials", "enrollments", "announcement_reads", "idempotency_keys", "exports"):
        root.execute(f"select count(*) from app.{table} where user_id = %s", (student.id,))
        assert root.fetchone() == (0,), table
    root.execute("select action, request_id, address, before, after from app.audit_logs "
                 "where actor_id = %s order by created_at desc limit 1", (student.id,))
    assert root.fetchone() == ("user.erase", None, None, None, None)
    root.execute("select count(*) from app.audit_origins where person_id = %s", (student.id,))
    assert root.fetchone() == (0,)
    told = place.ctl("audit", "verify")
    assert told.returncode == 0, told.stdout + told.stderr
    # Others have what they had, and what was the person's is nobody's.
    assert data(teacher.get(f"{V1}/announcements/{note['id']}"))["title"] == "t"
    assert listed(parent, V1 + "/parent-links") == [] and listed(parent, V1 + "/enrollments") == []
    assert data(teacher.get(f"{V1}/courses/{course['id']}"))["title"] == course["title"]
    assert student.id not in ids(listed(api("admin"), V1 + "/org/users", status="disabled"))
    root.execute("select name, email from app.users where id = %s", (student.id,))
    assert root.fetchone() == ("Erased account", f"erased-{student.id}@erased.invalid")


def test_a_teacher_leaves_the_courses(people, root):
    mark = unique("markteacher")
    teacher, colleague, student = people.make("teacher", name=mark), people.make("teacher"), people.make()
    shared, attended, lonely = (make_course(teacher) for _ in range(3))
    data(teacher.post(f"{V1}/courses/{shared['id']}/staff",
                      json={"user_id": colleague.id, "role": "teacher"}), 201)
    enrol(teacher, attended, student.id)
    note = data(teacher.post(f"{V1}/courses/{attended['id']}/announcements", json={
        "title": f"{mark} title", "body": f"{mark} body"}), 201)
    done(student.post(f"{V1}/announcements/{note['id']}/read"))
    gone = data(teacher.post(f"{V1}/courses/{shared['id']}/announcements", json={
        "title": f"{mark} other", "body": f"{mark} body"}), 201)
    done(teacher.delete(f"{V1}/announcements/{gone['id']}"))  # audited
    assert {"users.name", "announcements.title", "announcements.body"} <= set(scan(root, [mark]))
    done(erase(teacher))
    assert scan(root, [mark, teacher.email]) == {}
    assert data(colleague.get(f"{V1}/courses/{shared['id']}"))["owner_id"] == colleague.id
    kept = data(people.admin.get(f"{V1}/courses/{attended['id']}"))
    assert kept["owner_id"] not in (teacher.id, student.id) and kept["title"] == attended["title"]
    refused(people.admin.get(f"{V1}/courses/{lonely['id']}"), 404, "not_found")
    assert data(student.get(f"{V1}/announcements/{note['id']}"))["body"] == "[erased]"
    assert data(people.admin.get(f"{V1}/announcements/{note['id']}/reads"))["reads"] == 1


# --- how -------------------------------------------------------------------------------------------

def test_it_needs_the_password(people, root):
    student = people.make()
    refused(erase(student, "not-the-password"), 403, "password_wrong")
    assert data(student.get(ME))["email"] == student.email
    for body in ({}, {"password": ""}, {"password": "x" * 129}, {"password": PASSWORD, "user_id": student.id}):
        answer = student.delete(ME, json=body)
        assert answer.status_code == 422, answer.text
    assert student.delete(ME).status_code == 400
    assert data(student.get(ME))["id"] == student.id


def test_its_sessions_end_at_once_on_every_worker(people, new_client):
    student = people.make()
    second = people.enter(student.email)
    done(erase(student))
    answers = at_once([lambda c=client: c.get(ME) for client in (student, second) * 10])
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(401, "session_ended")}
    refused(new_client().post(V1 + "/auth/refresh", json={"refresh_token": second.refresh_token}), 401,
            "refresh_token_invalid")
    refused(new_client().post(V1 + "/auth/login", json={"email": student.email, "password": PASSWORD}), 401,
            "credentials_invalid")


def test_the_address_is_free_again(people):
    student = people.make(name="Before")
    done(erase(student))
    people.register("After", student.email)
    again = people.enter(student.email)
    assert again.id != student.id
    assert data(again.get(V1 + "/enrollments")) == []


def test_cookies_are_taken_back(people, new_client):
    student, browser = people.make(), new_client("browser")
    data(browser.post(V1 + "/auth/login", json={"email": student.email, "password": PASSWORD, "use_cookies": True}))
    csrf = next(c.value for c in browser.cookies if "csrf" in c.name)
    done(browser.delete(ME, json={"password": PASSWORD}, headers={
        "x-csrf-token": csrf, "origin": browser.base_url, "sec-fetch-site": "same-origin"}))
    # What is left says only that this browser was here.
    assert {c.name for c in browser.cookies} <= {"__Host-lectern_device"}


def test_the_last_admin_stays(api, accounts):
    refused(erase(api("admin", "northside"), accounts("admin", "northside")["password"]), 409, "last_admin")
    data(api("admin", "northside").get(ME))


def test_an_admin_with_a_colleague_may_go(people):
    second = people.make("admin")
    done(erase(second))


def test_two_at_once(people):
    student = people.make()
    again = people.enter(student.email)
    answers = at_once([lambda c=client: erase(c) for client in (student, again)])
    # The second finds the session, or the password, gone.
    assert sorted(a.status_code for a in answers)[0] == 204
    assert {a.status_code for a in answers} <= {204, 401, 403}
