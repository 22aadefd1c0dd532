"""The organisation, its people, and the change of a role."""
import concurrent.futures
import time
import uuid

import pytest

from lib_domain import (PASSWORD, People, at_once, data, done, enrol, ids, listed, make_course, refused,
                        unique, violations, when)
from lib_mail import invitation

CACHE_SECONDS = 5  # SESSION_VALIDATION_CACHE_TTL_MS


def role_of(user):
    return f"/api/v1/org/users/{user}/role"


# --- the organisation --------------------------------------------------------------------------------

def test_everyone_reads_their_own(student, teacher, api):
    for client in (student, teacher, api("admin"), api("operator")):
        org = data(client.get("/api/v1/org"))
        assert org["slug"] == "demo"
    assert data(api("student", "northside").get("/api/v1/org"))["slug"] == "northside"


def test_admins_change_it(api, rows):
    admin = api("admin", "northside")
    before = data(admin.get("/api/v1/org"))
    mark = {"mark": unique(), "nested": {"list": [1, 2.5, None, "ü"], "secret": "s3cr3t"}}
    answer = admin.patch("/api/v1/org", json={"settings": mark, "locale": "de-CH", "timezone": "Europe/Zurich"})
    after = data(answer)
    try:
        assert after["settings"] == mark and after["version"] == before["version"] + 1
        assert (after["name"], after["slug"]) == (before["name"], before["slug"])
        assert (after["locale"], after["timezone"]) == ("de-CH", "Europe/Zurich")
        stale = admin.patch("/api/v1/org", json={"name": "late"},
                            headers={"if-match": f'"{before["version"]}"'})
        refused(stale, 412, "precondition_failed")
        assert data(api("admin").get("/api/v1/org"))["settings"] != mark
    finally:
        data(admin.patch("/api/v1/org", json={k: before[k] for k in ("settings", "locale", "timezone")}))


def test_only_admins_change_it(student, teacher, people, api, rows):
    before = data(api("admin").get("/api/v1/org"))
    for client in (student, teacher, people.make("analyst"), people.make("moderator")):
        answer = client.patch("/api/v1/org", json={"name": "Mine"})
        rows.traceless(answer)
        refused(answer, 403, "forbidden")
    assert data(api("admin").get("/api/v1/org")) == before


@pytest.mark.parametrize("field,value", [
    ("name", ""), ("name", "x" * 256), ("name", None), ("name", "a\x07"), ("locale", "english!"), ("locale", "x"),
    ("timezone", ""), ("timezone", "../etc"), ("settings", []), ("settings", "x"), ("settings", None),
    ("settings", {"x": "y" * 32768}), ("slug", "other"), ("id", "x"), ("version", 1),
])
def test_what_it_refuses(api, rows, field, value):
    before = data(api("admin").get("/api/v1/org"))
    answer = api("admin").patch("/api/v1/org", json={field: value})
    rows.traceless(answer)
    assert set(violations(answer)) == {"/" + field}
    assert data(api("admin").get("/api/v1/org")) == before


# --- its people ----------------------------------------------------------------------------------------

def test_who_lists_the_people(student, teacher, people, api):
    data(teacher.get("/api/v1/org/users"))
    data(api("admin").get("/api/v1/org/users"))
    data(api("operator").get("/api/v1/org/users"))
    for client in (student, people.make("parent"), people.make("analyst")):
        refused(client.get("/api/v1/org/users"), 403, "forbidden")


def test_search_and_filter(people, api):
    admin, mark = api("admin"), unique("Zoë")
    one = people.make(name=f"{mark} 50%_a")
    two = people.make("teacher", name=f"{mark} Other")

    def found(**params):
        return ids(listed(admin, "/api/v1/org/users", **params))
    assert found(q=mark) == [one.id, two.id]
    assert found(q=mark, sort="-name") == [two.id, one.id]
    assert found(q=mark.lower().replace("zoë", "ZOË"), role="teacher") == [two.id]
    assert found(q=mark, **{"role[ne]": "teacher"}) == [one.id]
    assert found(q=mark, **{"role[in]": "teacher,student"}) == [one.id, two.id]
    assert found(q=mark, role="parent") == []
    assert found(q=mark + " 50%") == [one.id] and found(q=mark + "%Other") == []
    assert found(q=mark + " 50%_a") == [one.id] and found(q=mark + " 50%xa") == []
    assert found(q=one.email.upper()) == [one.id] and found(q=one.email[:-1]) == []
    assert found(q=mark, status="disabled") == [] and found(q=mark, status="active") == [one.id, two.id]
    user = data(admin.get("/api/v1/org/users", params={"q": one.email}))[0]
    assert set(user) == {"id", "email", "name", "role", "status", "last_sign_in_at", "version", "created_at",
                         "updated_at"}
    assert user["last_sign_in_at"]


def test_pages_hold_everyone_once(people, api):
    mark = unique("Page")
    made = sorted(people.find(people.register(name=f"{mark} {n}"))["id"] for n in range(7))
    admin, seen, params = api("admin"), [], {"q": mark, "limit": 3}
    answer = admin.get("/api/v1/org/users", params=params)
    seen += ids(data(answer))
    assert len(seen) == 3
    while answer.json()["page"]["next_cursor"]:
        answer = admin.get("/api/v1/org/users", params={**params, "cursor": answer.json()["page"]["next_cursor"]})
        seen += ids(data(answer))
    assert sorted(seen) == made and len(seen) == 7
    assert ids(data(admin.get("/api/v1/org/users", params={**params, "offset": 6}))) == seen[6:]
    both = admin.get("/api/v1/org/users", params={**params, "offset": 1, "cursor": "x"})
    assert both.status_code == 422


def test_the_other_organisation_is_not_seen(accounts, api, student):
    for client, theirs in ((api("admin"), accounts("student", "northside")["email"]),
                           (api("admin", "northside"), student.email)):
        assert data(client.get("/api/v1/org/users", params={"q": theirs})) == []


# --- roles ---------------------------------------------------------------------------------------------

def test_a_role_is_given(people, api, rows):
    user = people.make()
    answer = api("admin").put(role_of(user.id), json={"role": "moderator"})
    changed = data(answer)
    assert (changed["id"], changed["role"]) == (user.id, "moderator")
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["target_type"], audit["target_id"]) == ("user.role", "user", user.id)
    assert (audit["before"]["role"], audit["after"]["role"]) == ("student", "moderator")
    (event,) = rows.events(answer)
    assert (event["kind"], event["subject_id"]) == ("user.role_changed", user.id)
    assert people.enter(user.email).role == "moderator"


def test_a_change_of_role_ends_the_sessions_everywhere(people, api):
    """Within the cache time, on every worker: asked in parallel until all of them have said so"""
    user = people.make("teacher")
    for _ in range(20):
        data(user.get("/api/v1/users/me"))
    data(api("admin").put(role_of(user.id), json={"role": "student"}))
    given = time.monotonic()
    last_accepted = None
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        while time.monotonic() - given < CACHE_SECONDS + 1.5:
            begun = time.monotonic()
            answers = list(pool.map(lambda _: user.get("/api/v1/users/me"), range(16)))
            for answer in answers:
                if answer.status_code == 401:
                    refused(answer, 401, "session_ended")
                else:
                    data(answer)
                    last_accepted = begun - given
    assert last_accepted is None or last_accepted <= CACHE_SECONDS
    assert all(a.status_code == 401 for a in answers), "a worker still lets it in"
    refused(user.post("/api/v1/courses", json={"title": unique()}), 401, "session_ended")
    assert user.post("/api/v1/auth/refresh", json={"refresh_token": user.refresh_token}).status_code == 401


def test_an_old_token_writes_nothing_after_the_cache_time(people, api, rows):
    user = people.make("admin")
    data(api("admin").put(role_of(user.id), json={"role": "student"}))
    title = unique()
    time.sleep(CACHE_SECONDS + 0.2)
    answers = at_once([lambda: user.post("/api/v1/courses", json={"title": title})] * 12)
    assert {a.status_code for a in answers} == {401}
    assert rows.count("courses", title=title) == 0


def test_the_same_role_keeps_the_sessions(people, api):
    user = people.make("teacher")
    data(api("admin").put(role_of(user.id), json={"role": "teacher"}))
    data(user.get("/api/v1/users/me"))
    assert user.post("/api/v1/auth/refresh", json={"refresh_token": user.refresh_token}).status_code == 200


def test_nobody_gives_a_role_above_their_own(people, api, rows, accounts):
    admin, user = api("admin"), people.make()
    operator = people.find(accounts("operator")["email"])
    for target, role in ((user.id, "operator"), (operator["id"], "student"), (operator["id"], "admin"),
                         (data(admin.get("/api/v1/users/me"))["id"], "operator")):
        answer = admin.put(role_of(target), json={"role": role})
        rows.traceless(answer)
        refused(answer, 403, "role_too_high")
    assert data(user.get("/api/v1/users/me"))["role"] == "student"
    assert data(api("operator").get("/api/v1/users/me"))["role"] == "operator"
    assert data(api("operator").put(role_of(user.id), json={"role": "operator"}))["role"] == "operator"
    data(api("operator").put(role_of(user.id), json={"role": "student"}))


def test_only_admins_give_roles(student, teacher, people, rows):
    user = people.make()
    for client in (student, teacher, people.make("moderator"), people.make("analyst")):
        for target in (user.id, client.id):
            answer = client.put(role_of(target), json={"role": "teacher"})
            rows.traceless(answer)
            refused(answer, 403, "forbidden")
    assert data(user.get("/api/v1/users/me"))["role"] == "student"


def test_the_last_admin_stays(api, rows):
    admin = api("admin", "northside")
    me = data(admin.get("/api/v1/users/me"))
    for role in ("teacher", "student"):
        answer = admin.put(role_of(me["id"]), json={"role": role})
        refused(answer, 409, "last_admin")
        rows.traceless(answer)
    assert data(admin.get("/api/v1/users/me"))["role"] == "admin"


def test_two_admins_cannot_remove_each_other(people, api):
    """In an organisation with another admin each may go; that not all go is shown by the last one"""
    one, two = people.make("admin"), people.make("admin")
    answers = at_once([lambda: one.put(role_of(two.id), json={"role": "student"}),
                       lambda: two.put(role_of(one.id), json={"role": "student"})])
    assert {a.status_code for a in answers} <= {200, 401, 403}
    assert 200 in [a.status_code for a in answers]
    for person in (one, two):
        data(api("admin").put(role_of(person.id), json={"role": "student"}))


def test_people_elsewhere_are_not_there(api, student, rows):
    theirs = data(api("student", "northside").get("/api/v1/users/me"))["id"]
    here = refused(api("admin").put(role_of(theirs), json={"role": "teacher"}), 404, "not_found")
    nowhere = refused(api("admin").put(role_of(uuid.uuid4()), json={"role": "teacher"}), 404, "not_found")
    assert {**here, "request_id": 0} == {**nowhere, "request_id": 0}
    assert data(api("student", "northside").get("/api/v1/users/me"))["role"] == "student"
    refused(api("admin", "northside").put(role_of(student.id), json={"role": "teacher"}), 404, "not_found")


def test_bad_roles(api, student, rows):
    for body, field in (({"role": "owner"}, "/role"), ({"role": ""}, "/role"), ({"role": None}, "/role"),
                        ({}, "/role"), ({"role": "teacher", "user_id": student.id}, "/user_id")):
        answer = api("admin").put(role_of(student.id), json=body)
        rows.traceless(answer)
        assert set(violations(answer)) == {field}
    assert violations(api("admin").put(role_of("me"), json={"role": "student"})) == {"/path/user_id": "uuid"}


def test_if_match_on_a_role(people, api):
    user = people.find(people.register())
    etag = f'"{user["version"]}"'
    assert data(api("admin").put(role_of(user["id"]), json={"role": "parent"}, headers={"if-match": etag}))
    refused(api("admin").put(role_of(user["id"]), json={"role": "student"}, headers={"if-match": etag}),
            412, "precondition_failed")
    assert people.find(user["email"])["role"] == "parent"


# --- removal -------------------------------------------------------------------------------------------

def user_of(user):
    return f"/api/v1/org/users/{user}"


def test_who_is_removed_is_out(people, api, rows, new_client):
    user = people.make("teacher")
    answer = done(api("admin").delete(user_of(user.id)))
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["target_type"], audit["target_id"]) == ("user.remove", "user", user.id)
    assert (audit["before"]["status"], audit["after"]["status"]) == ("active", "disabled")
    assert [e["kind"] for e in rows.events(answer)] == ["user.removed"]
    anon = new_client()
    refused(anon.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD}), 401,
            "credentials_invalid")
    assert anon.post("/api/v1/auth/refresh", json={"refresh_token": user.refresh_token}).status_code == 401
    time.sleep(CACHE_SECONDS + 0.2)
    answers = at_once([lambda: user.get("/api/v1/users/me")] * 12)
    assert {a.status_code for a in answers} == {401}
    assert data(api("admin").get("/api/v1/org/users", params={"q": user.email})) == []
    refused(api("admin").delete(user_of(user.id)), 404, "not_found")
    refused(api("admin").put(role_of(user.id), json={"role": "student"}), 404, "not_found")
    (seen,) = [u for u in listed(api("admin"), "/api/v1/users", **{"removed_at[gte]": when(minutes=-5)})
               if u["id"] == user.id]
    assert seen["status"] == "disabled" and seen["removed_at"] and seen["email"].endswith("@removed.invalid")


def test_the_address_is_free_again(people, api):
    email = people.register()
    done(api("admin").delete(user_of(people.find(email)["id"])))
    people.register(email=email)
    assert people.enter(email).role == "student"


def test_courses_go_to_whom_removes(people, api, rows):
    owner, student = people.make("teacher"), people.make()
    course = make_course(owner, enrollment="open")
    enrol(owner, course, student.id)
    mine = make_course(api("admin"))
    data(api("admin").post(f"/api/v1/courses/{mine['id']}/staff",
                           json={"user_id": owner.id, "role": "teacher"}), 201)
    done(api("admin").delete(user_of(owner.id)))
    done(api("admin").delete(user_of(student.id)))
    me = data(api("admin").get("/api/v1/users/me"))["id"]
    assert data(api("admin").get(f"/api/v1/courses/{course['id']}"))["owner_id"] == me
    assert data(api("admin").get(f"/api/v1/courses/{mine['id']}/staff")) == []
    (left,) = data(api("admin").get(f"/api/v1/courses/{course['id']}/enrollments"))
    assert left["status"] == "withdrawn"


def test_who_leaves_gives_their_courses_away(people, api):
    leaver = people.make("admin")
    course = make_course(leaver)
    refused(leaver.delete(user_of(leaver.id)), 409, "in_use")
    done(leaver.delete(f"/api/v1/courses/{course['id']}"))
    done(leaver.delete(user_of(leaver.id)))


def test_who_may_remove(people, api, rows, accounts):
    user = people.make()
    for role in ("student", "teacher", "moderator"):
        refused(rows.traceless(people.make(role).delete(user_of(user.id))), 403, "forbidden")
    operator = people.find(accounts("operator")["email"])["id"]
    refused(rows.traceless(api("admin").delete(user_of(operator))), 403, "role_too_high")
    theirs = data(api("student", "northside").get("/api/v1/users/me"))["id"]
    refused(api("admin").delete(user_of(theirs)), 404, "not_found")
    refused(api("admin").delete(user_of(uuid.uuid4())), 404, "not_found")
    version = people.find(user.email)["version"]
    refused(api("admin").delete(user_of(user.id), headers={"if-match": f'"{version + 7}"'}), 412,
            "precondition_failed")
    data(user.get("/api/v1/users/me"))


def test_the_last_admin_is_not_removed(api, rows):
    admin = api("admin", "northside")
    me = data(admin.get("/api/v1/users/me"))["id"]
    refused(rows.traceless(admin.delete(user_of(me))), 409, "last_admin")
    data(admin.get("/api/v1/users/me"))


def test_admins_who_remove_and_demote_each_other_leave_one(new_client, api):
    """Of an organisation of its own, with nobody else to keep it"""
    slug = unique("pair")
    data(api("operator").post("/api/v1/admin/orgs", json={
        "slug": slug, "name": slug, "admin_email": f"one@{slug}.example", "admin_name": "One",
        "admin_password": PASSWORD}), 201)
    here = People(new_client, None)
    one = here.enter(f"one@{slug}.example")
    data(one.post("/api/v1/org/invitations", json={"email": f"two@{slug}.example", "role": "admin"}), 201)
    data(new_client().post(f"/api/v1/invitations/{invitation(f'two@{slug}.example')}/accept",
                           json={"name": "Two", "password": PASSWORD}), 201)
    two = here.enter(f"two@{slug}.example")
    answers = at_once([lambda: one.delete(user_of(two.id)), lambda: two.put(role_of(one.id), json={"role": "student"}),
                       lambda: one.put(role_of(one.id), json={"role": "teacher"}),
                       lambda: two.delete(user_of(two.id))])
    assert {a.status_code for a in answers} <= {200, 204, 401, 403, 404, 409}, [a.text for a in answers]
    assert sum(a.status_code in (200, 204) for a in answers) >= 1
    left = []
    for email in (f"one@{slug}.example", f"two@{slug}.example"):
        answer = new_client().post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
        if answer.status_code == 200 and answer.json()["data"]["user"]["role"] == "admin":
            left.append(email)
    assert len(left) == 1


# --- all accounts -----------------------------------------------------------------------------------------

def test_all_accounts_are_for_admins(people, api, teacher, student):
    for client in (teacher, student, people.make("analyst")):
        refused(client.get("/api/v1/users"), 403, "forbidden")
    for client in (api("admin"), api("operator")):
        (user,) = data(client.get("/api/v1/users", params={"q": teacher.email, "role": "teacher"}))
        assert set(user) == {"id", "email", "name", "role", "status", "last_sign_in_at", "version", "created_at",
                             "updated_at", "email_verified_at", "removed_at"}
        assert user["removed_at"] is None
        assert data(client.get("/api/v1/users", params={"q": teacher.email, "role": "student"})) == []
    theirs = data(api("admin", "northside").get("/api/v1/users/me"))["email"]
    assert data(api("operator").get("/api/v1/users", params={"q": theirs})) == []
