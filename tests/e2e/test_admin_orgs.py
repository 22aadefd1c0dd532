"""Organisations as their operators see them: made, listed, renamed, suspended."""
import time
import uuid

import pytest

import lib_factor as factor
from lib_domain import PASSWORD, V1, People, at_once, data, ids, listed, refused, unique, violations
from lib_gates import identity
from lib_mail import invitation

ORGS = V1 + "/admin/orgs"
CACHE_SECONDS = 5  # SESSION_VALIDATION_CACHE_TTL_MS


@pytest.fixture(scope="module")
def operator(api):
    return api("operator")


def form(**fields):
    slug = unique("t")
    return {"slug": slug, "name": f"School {slug}", "admin_email": f"head@{slug}.example"} | fields


def with_password(**fields):
    return form(admin_name="Head", admin_password=PASSWORD, **fields)


class Tenant:
    def __init__(self, new_client, operator, **fields):
        self.form = with_password(**fields)
        self.org = data(operator.post(ORGS, json=self.form), 201)
        self.path = f"{ORGS}/{self.org['id']}"
        self.admin = People(new_client, None).enter(self.form["admin_email"])


@pytest.fixture
def tenant(new_client, operator):
    return Tenant(new_client, operator)


# --- made ----------------------------------------------------------------------------------------------

def test_with_an_admin_who_signs_in(new_client, operator, rows):
    wanted = with_password(locale="de-CH", timezone="Europe/Zurich", settings={"term": "spring"}, users=3,
                           storage_bytes=10)
    answer = operator.post(ORGS, json=wanted)
    org = data(answer, 201)
    assert answer.headers["location"] == f"{ORGS}/{org['id']}"
    assert (org["slug"], org["name"], org["status"], org["users"]) == (wanted["slug"], wanted["name"], "active", 1)
    assert (org["locale"], org["timezone"]) == ("de-CH", "Europe/Zurich")
    assert org["limits"] == {"users": 3, "storage_bytes": 10, "workbench_runs_per_day": None,
                             "telemetry_events_per_day": None}
    assert "password" not in answer.text and "settings" not in org
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["target_id"], audit["after"]["slug"]) == ("org.create", org["id"], wanted["slug"])
    assert PASSWORD not in str(audit)
    admin = People(new_client, None).enter(wanted["admin_email"])
    assert admin.role == "admin"
    mine = data(admin.get(V1 + "/org"))
    assert (mine["id"], mine["settings"]) == (org["id"], {"term": "spring"})
    assert data(admin.get(V1 + "/org/usage"))["users"] == {"used": 1, "limit": 3}
    assert data(operator.get(answer.headers["location"])) == org


def test_with_an_admin_who_is_invited(operator, anon, new_client):
    wanted = form()
    org = data(operator.post(ORGS, json=wanted), 201)
    assert org["users"] == 0
    token = invitation(wanted["admin_email"])
    user = data(anon.post(f"{V1}/invitations/{token}/accept", json={"name": "Head", "password": PASSWORD}), 201)
    assert (user["org_id"], user["role"]) == (org["id"], "admin")
    admin = People(new_client, None).enter(wanted["admin_email"])
    (made,) = data(admin.get(V1 + "/org/invitations"))
    assert (made["state"], made["invited_by"]) == ("accepted", None)


def test_another_admin_is_invited_from_outside(operator, tenant, anon, rows, api):
    """When the first one's invitation has expired, or nobody can sign in any more"""
    email = f"next@{tenant.form['slug']}.example"
    answer = operator.post(tenant.path + "/invitations", json={"email": email})
    made = data(answer, 201)
    assert (made["email"], made["role"], made["state"]) == (email, "admin", "open")
    assert [(a["action"], a["target_id"]) for a in rows.audits(answer)] == [("org.invite_admin", tenant.org["id"])]
    token = invitation(email)
    assert data(anon.post(f"{V1}/invitations/{token}/accept", json={"name": "x", "password": PASSWORD}),
                201)["role"] == "admin"
    refused(operator.post(tenant.path + "/invitations", json={"email": email}), 409, "already_member")
    refused(operator.post(f"{ORGS}/{uuid.uuid4()}/invitations", json={"email": email}), 404, "not_found")
    refused(api("admin").post(tenant.path + "/invitations", json={"email": email}), 403, "forbidden")


def test_nothing_is_left_when_a_part_fails(operator, accounts, rows):
    """A slug or an address that is taken, or no place for the admin"""
    taken = with_password(admin_email=accounts("student", "northside")["email"])
    for wanted, status, code in ((with_password(slug="demo"), 409, "slug_taken"), (form(slug="demo"), 409, "slug_taken"),
                                 (taken, 409, "account_exists"), (with_password(users=0), 403, "quota_users")):
        answer = operator.post(ORGS, json=wanted)
        refused(rows.traceless(answer), status, code)
        if wanted["slug"] != "demo":
            assert data(operator.get(ORGS, params={"q": wanted["slug"]})) == []
            assert data(operator.post(ORGS, json=form(slug=wanted["slug"])), 201)


def test_name_and_password_go_together(operator):
    assert violations(operator.post(ORGS, json=form(admin_name="x"))) == {"/admin_password": "required"}
    assert violations(operator.post(ORGS, json=form(admin_password=PASSWORD))) == {"/admin_name": "required"}
    weak = form(admin_name="x", admin_password="password1")
    assert violations(operator.post(ORGS, json=weak)) == {"/admin_password": "weak_password"}


def test_one_slug_at_once(operator):
    wanted = form()
    answers = at_once([lambda n=n: operator.post(ORGS, json=wanted | {"admin_email": f"a{n}@{wanted['slug']}.example"})
                       for n in range(4)])
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409]


# --- seen ----------------------------------------------------------------------------------------------

def test_list_and_filters(operator, tenant):
    slug, name = tenant.form["slug"], tenant.form["name"]

    def found(**params):
        return ids(listed(operator, ORGS, **params))
    assert found(q=slug) == found(q=name.upper()) == found(q=slug, status="active") == [tenant.org["id"]]
    assert found(q=slug, status="suspended") == found(q=slug + "%") == []
    everyone = found(sort="slug", limit=2)
    assert len(everyone) == len(set(everyone)) >= 3 and tenant.org["id"] in everyone
    assert sorted(everyone) == sorted(found(sort="-name", limit=2))
    (row,) = listed(operator, ORGS, q=slug)
    assert set(row) == {"id", "slug", "name", "status", "locale", "timezone", "users", "version", "created_at",
                        "updated_at"}
    refused(operator.get(f"{ORGS}/{uuid.uuid4()}"), 404, "not_found")


def test_only_operators(api, tenant, rows):
    for client in (api("admin"), tenant.admin, api("teacher"), api("student")):
        for answer in (client.get(ORGS), client.post(ORGS, json=form()), client.get(tenant.path),
                       client.patch(tenant.path, json={"name": "x"})):
            refused(rows.traceless(answer), 403, "forbidden")


def test_what_is_in_them_is_not_seen(instance, operator, tenant):
    """By the policies: the organisation and its figures, and of no other table a row"""
    data(tenant.admin.post(V1 + "/org/invitations", json={"email": f"{unique()}@e2e.lectern.example",
                                                          "role": "student"}), 201)
    data(tenant.admin.post(V1 + "/courses", json={"title": "Theirs"}), 201)
    with identity(instance, operator) as cursor:
        cursor.execute("select table_name from information_schema.columns where table_schema = 'app'"
                       " and column_name = 'org_id'"
                       " and has_any_column_privilege('lectern_app', 'app.' || table_name, 'select')")
        seen = {"orgs"}
        for (name,) in cursor.fetchall():
            cursor.execute(f"select count(org_id) from app.{name} where org_id = %s", (tenant.org["id"],))
            if cursor.fetchone()[0]:
                seen.add(name)
        assert seen == {"orgs", "org_limits", "org_usage"}
        cursor.execute("select count(*) from app.orgs where id = %s", (tenant.org["id"],))
        assert cursor.fetchone() == (1,)
    with identity(instance, tenant.admin) as cursor:
        cursor.execute("select count(*) from app.orgs")
        assert cursor.fetchone() == (1,)
    refused(operator.put(f"{V1}/org/users/{tenant.admin.id}/role", json={"role": "student"}), 404, "not_found")
    refused(operator.delete(f"{V1}/org/users/{tenant.admin.id}"), 404, "not_found")
    assert data(operator.get(V1 + "/users", params={"q": tenant.form["admin_email"]})) == []


# --- changed -------------------------------------------------------------------------------------------

def test_renaming(operator, tenant, rows):
    slug = unique("r")
    answer = operator.patch(tenant.path, json={"slug": slug, "name": "Renamed"},
                            headers={"if-match": f'"{tenant.org["version"]}"'})
    org = data(answer)
    assert (org["slug"], org["name"], org["status"]) == (slug, "Renamed", "active")
    assert [(a["action"], a["after"]["slug"]) for a in rows.audits(answer)] == [("org.change", slug)]
    refused(operator.patch(tenant.path, json={"name": "x"}, headers={"if-match": f'"{tenant.org["version"]}"'}),
            412, "precondition_failed")
    refused(operator.patch(tenant.path, json={"slug": "demo"}), 409, "slug_taken")
    refused(operator.patch(f"{ORGS}/{uuid.uuid4()}", json={"name": "x"}), 404, "not_found")
    nothing = dict.fromkeys(("users", "storage_bytes", "workbench_runs_per_day", "telemetry_events_per_day"))
    refused(operator.put(f"{ORGS}/{uuid.uuid4()}/limits", json=nothing), 404, "not_found")
    data(tenant.admin.get(V1 + "/org"))


def test_suspended_means_nobody_is_served(operator, tenant, new_client, anon, rows):
    email = f"late@{tenant.form['slug']}.example"
    data(tenant.admin.post(V1 + "/org/invitations", json={"email": email, "role": "teacher"}), 201)
    token = invitation(email)
    for _ in range(20):
        data(tenant.admin.get(V1 + "/users/me"))
    answer = operator.patch(tenant.path, json={"status": "suspended"})
    since = time.monotonic()
    assert data(answer)["status"] == "suspended"
    (audit,) = rows.audits(answer)
    assert (audit["before"]["status"], audit["after"]["status"]) == ("active", "suspended")
    who = {"email": tenant.form["admin_email"], "password": PASSWORD}
    refused(anon.post(V1 + "/auth/login", json=who), 403, "org_suspended")
    # Only who knows the password is told.
    refused(anon.post(V1 + "/auth/login", json=who | {"password": "wrong-" + PASSWORD}), 401, "credentials_invalid")
    assert anon.post(V1 + "/auth/refresh", json={"refresh_token": tenant.admin.refresh_token}).status_code == 401
    refused(anon.post(f"{V1}/invitations/{token}/accept", json={"name": "x", "password": PASSWORD}),
            403, "invitation_invalid")
    time.sleep(max(0, CACHE_SECONDS + 0.3 - (time.monotonic() - since)))
    answers = at_once([lambda: tenant.admin.get(V1 + "/users/me")] * 12)
    assert {a.status_code for a in answers} == {401}
    assert data(operator.patch(tenant.path, json={"status": "active"}))["status"] == "active"
    # The old sessions stay ended; who signs in again is served.
    refused(tenant.admin.get(V1 + "/users/me"), 401, "session_ended")
    assert People(new_client, None).enter(tenant.form["admin_email"]).role == "admin"
    data(anon.post(f"{V1}/invitations/{token}/accept", json={"name": "x", "password": PASSWORD}), 201)


def test_suspended_is_told_after_the_second_step(operator, tenant, new_client):
    email, anon = tenant.form["admin_email"], new_client()
    app, codes = factor.enrol(tenant.admin)
    assert data(operator.patch(tenant.path, json={"status": "suspended"}))["status"] == "suspended"
    given = factor.challenge(anon, email)
    refused(factor.answer(anon, given, app.code(1)), 403, "org_suspended")
    refused(factor.answer(anon, given, codes[0], way="recovery-code"), 403, "org_suspended")


def test_sign_ins_while_it_is_suspended_do_not_outlive_it(operator, tenant, new_client, instance):
    who = {"email": tenant.form["admin_email"], "password": PASSWORD}

    def enter():
        return new_client("race").post(V1 + "/auth/login", json=who)
    answers = at_once([enter, enter, lambda: operator.patch(tenant.path, json={"status": "suspended"}), enter, enter])
    assert answers[2].status_code == 200
    for answer in answers[:2] + answers[3:]:
        assert answer.status_code in (200, 403), answer.text
        if answer.status_code == 200:
            token = answer.json()["data"]["refresh_token"]
            assert new_client().post(V1 + "/auth/refresh", json={"refresh_token": token}).status_code == 401


def test_operators_do_not_lock_themselves_out(operator, rows):
    own = data(operator.get(V1 + "/org"))["id"]
    answer = operator.patch(f"{ORGS}/{own}", json={"status": "suspended"})
    refused(rows.traceless(answer), 409, "org_has_operators")
    data(operator.get(V1 + "/users/me"))
