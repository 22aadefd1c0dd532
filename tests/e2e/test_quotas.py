"""What an organisation may have and what it has; the limit of users holds, also at once."""
import pytest

from lib_domain import PASSWORD, V1, at_once, data, refused, unique, violations
from lib_mail import invitation

FREE = {"users": None, "storage_bytes": None, "workbench_runs_per_day": None, "telemetry_events_per_day": None}


@pytest.fixture
def demo(api):
    """The organisation that takes registrations; afterwards without limits again"""
    org = data(api("operator").get(V1 + "/org"))["id"]
    yield org
    data(api("operator").put(f"{V1}/admin/orgs/{org}/limits", json=FREE))


def used(api):
    return data(api("admin").get(V1 + "/org/usage"))["users"]["used"]


def limit(api, count):
    return data(api("operator").put(V1 + "/org/limits", json=FREE | {"users": count}))


def register(client, email=None):
    return client.post(V1 + "/auth/register", json={
        "name": "Somebody", "email": email or f"{unique('q')}@e2e.lectern.example", "password": PASSWORD})


def test_used_is_what_is_there(api, root):
    for name in ("demo", "northside"):
        admin = api("admin", name)
        org = data(admin.get(V1 + "/org"))["id"]
        root.execute("select count(*) from app.users where org_id = %s and removed_at is null", (org,))
        (there,) = root.fetchone()
        usage = data(admin.get(V1 + "/org/usage"))
        limits = data(admin.get(V1 + "/org/limits"))
        assert usage["users"] == {"used": there, "limit": limits["users"]}
        # What nothing counts yet is said to be unknown, not to be nothing.
        for what in ("storage_bytes", "workbench_runs_per_day", "telemetry_events_per_day"):
            assert usage[what] == {"used": None, "limit": limits[what]}


def test_operators_set_limits(api, demo, rows):
    before = data(api("admin").get(V1 + "/org/limits"))
    wanted = {"users": 100000, "storage_bytes": 2 ** 40, "workbench_runs_per_day": 0, "telemetry_events_per_day": 7}
    answer = api("operator").put(V1 + "/org/limits", json=wanted)
    assert {n: data(answer)[n] for n in wanted} == wanted
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["after"]["storage_bytes"]) == ("org.limits", 2 ** 40)
    mine = data(api("admin").get(V1 + "/org/limits"))
    assert {n: mine[n] for n in wanted} == wanted and mine["version"] == before["version"] + 1
    assert data(api("admin").get(V1 + "/org/usage"))["storage_bytes"] == {"used": None, "limit": 2 ** 40}
    refused(api("operator").put(V1 + "/org/limits", json=FREE, headers={"if-match": f'"{before["version"]}"'}),
            412, "precondition_failed")
    answer = api("operator").put(f"{V1}/admin/orgs/{demo}/limits", json=FREE)
    assert {n: data(answer)[n] for n in FREE} == FREE
    assert [(a["action"], a["target_id"]) for a in rows.audits(answer)] == [("org.limits", demo)]


def test_all_limits_are_named(api, demo):
    assert violations(api("operator").put(V1 + "/org/limits", json={"users": 5})) == {
        "/storage_bytes": "required", "/workbench_runs_per_day": "required", "/telemetry_events_per_day": "required"}


def test_admins_read_and_do_not_set(api, demo, rows):
    for client in (api("admin"), api("teacher")):
        for path in (V1 + "/org/limits", f"{V1}/admin/orgs/{demo}/limits"):
            refused(rows.traceless(client.put(path, json=FREE)), 403, "forbidden")
    for path in ("/org/limits", "/org/usage"):
        refused(api("teacher").get(V1 + path), 403, "forbidden")


def test_a_full_organisation_takes_nobody(api, anon, demo, rows, accounts):
    email = f"{unique('q')}@e2e.lectern.example"
    data(api("admin").post(V1 + "/org/invitations", json={"email": email, "role": "student"}), 201)
    token = invitation(email)
    limit(api, used(api))
    before = used(api)
    refused(rows.traceless(register(anon)), 403, "quota_users")
    # An address that is taken gets the same answer as one that is not.
    refused(register(anon, accounts("student")["email"]), 403, "quota_users")
    refused(register(anon, accounts("student", "northside")["email"]), 403, "quota_users")
    form = {"name": "x", "password": PASSWORD}
    refused(rows.traceless(anon.post(f"{V1}/invitations/{token}/accept", json=form)), 403, "quota_users")
    refused(anon.post(V1 + "/auth/register", json=form | {"email": email, "invitation": token}), 403, "quota_users")
    assert used(api) == before
    limit(api, before + 1)
    data(anon.post(f"{V1}/invitations/{token}/accept", json=form), 201)
    refused(register(anon), 403, "quota_users")
    assert used(api) == before + 1


def test_the_last_places_are_taken_once(api, new_client, demo):
    """Ten at once for three places: three get in"""
    before = used(api)
    limit(api, before + 3)
    clients = [new_client("race") for _ in range(10)]
    answers = at_once([lambda c=c: register(c) for c in clients])
    assert sorted(a.status_code for a in answers) == [202] * 3 + [403] * 7
    for answer in answers:
        if answer.status_code == 403:
            refused(answer, 403, "quota_users")
    assert used(api) == before + 3


def test_removing_makes_room(api, anon, demo):
    limit(api, used(api) + 1)
    email = f"{unique('q')}@e2e.lectern.example"
    data(register(anon, email), 202)
    refused(register(anon), 403, "quota_users")
    (user,) = data(api("admin").get(V1 + "/org/users", params={"q": email}))
    assert api("admin").delete(f"{V1}/org/users/{user['id']}").status_code == 204
    data(register(anon), 202)


def test_a_limit_below_what_is_there_stops_growth_only(api, anon, demo):
    limit(api, 1)
    refused(register(anon), 403, "quota_users")
    assert used(api) > 1
    assert data(api("teacher").get(V1 + "/users/me"))
