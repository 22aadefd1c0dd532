"""Invitations: made, mailed, accepted once, taken back; what they tell to whom."""
import re

import psycopg2
import pytest

from lib_domain import PASSWORD, V1, at_once, data, done, listed, refused, unique, violations
from lib_mail import invitation, mailbox
from lib_pool import home, wait_until


def address():
    return f"{unique('guest')}@e2e.lectern.example"


def invite(client, email=None, role="student"):
    """The answer's data"""
    return data(client.post(V1 + "/org/invitations", json={"email": email or address(), "role": role}), 201)


def accept(client, token, name="A Guest", password=PASSWORD):
    return client.post(f"{V1}/invitations/{token}/accept", json={"name": name, "password": password})


def state(client, made):
    (found,) = [i for i in listed(client, V1 + "/org/invitations") if i["id"] == made["id"]]
    return found["state"]


# --- the way it goes ---------------------------------------------------------------------------------

def test_from_mail_to_account(api, anon, people, rows):
    admin, email = api("admin"), address()
    answer = admin.post(V1 + "/org/invitations", json={"email": email.upper(), "role": "teacher"})
    made = data(answer, 201)
    assert (made["email"], made["role"], made["state"]) == (email, "teacher", "open")
    assert "token" not in answer.text and "digest" not in answer.text
    (audit,) = rows.audits(answer)
    assert (audit["action"], audit["target_id"]) == ("invitation.create", made["id"])
    assert (audit["after"]["email"], audit["after"]["digest"]) == ("[redacted]", "[redacted]")
    token = invitation(email)
    assert len(token) == 43
    joined = accept(anon, token, "New Teacher")
    user = data(joined, 201)
    assert user == {"id": user["id"], "org_id": rows.org, "role": "teacher", "name": "New Teacher", "email": email}
    (audit,) = rows.audits(joined)
    assert (audit["action"], audit["actor_id"], audit["target_id"]) == ("user.join", user["id"], user["id"])
    assert (audit["after"]["role"], audit["after"]["email"]) == ("teacher", "[redacted]")
    (event,) = rows.events(joined)
    assert (event["kind"], event["subject_id"]) == ("user.joined", user["id"])
    client = people.enter(email)
    assert (client.id, client.role) == (user["id"], "teacher")
    (seen,) = data(admin.get(V1 + "/users", params={"q": email}))
    assert seen["email_verified_at"]
    (row,) = [i for i in listed(admin, V1 + "/org/invitations", q=email)]
    assert (row["state"], row["accepted_by"]) == ("accepted", user["id"]) and row["accepted_at"]


def test_registering_with_an_invitation(api, anon, people, rows):
    admin, email = api("admin"), address()
    invite(admin, email, "moderator")
    token = invitation(email)
    form = {"name": "Invited", "email": email, "password": PASSWORD, "invitation": token}
    refused(anon.post(V1 + "/auth/register", json=form | {"email": address()}), 403, "invitation_invalid")
    answer = anon.post(V1 + "/auth/register", json=form)
    assert data(answer, 202) == {"status": "accepted"}
    assert [a["action"] for a in rows.audits(answer)] == ["user.join"]
    assert people.enter(email).role == "moderator"
    refused(anon.post(V1 + "/auth/register", json=form), 403, "invitation_invalid")
    plain = anon.post(V1 + "/auth/register", json={"name": "x", "email": address(), "password": PASSWORD})
    assert data(plain, 202) and rows.audits(plain) == []


def test_a_token_works_once_also_at_once(api, new_client, rows):
    admin, email = api("admin"), address()
    invite(admin, email)
    token = invitation(email)
    answers = at_once([lambda n=n: accept(new_client(), token, f"Guest {n}") for n in range(4)])
    assert sorted(a.status_code for a in answers) == [201, 403, 403, 403]
    for answer in answers:
        if answer.status_code == 403:
            rows.traceless(answer)
            refused(answer, 403, "invitation_invalid")
    assert rows.count("users", email=email) == 1


# --- what ends one -----------------------------------------------------------------------------------

def test_inviting_again_replaces(api, anon):
    admin, email = api("admin"), address()
    first = invite(admin, email, "teacher")
    old = invitation(email)
    second = invite(admin, email, "student")
    assert (state(admin, first), state(admin, second)) == ("revoked", "open")
    new = invitation(email, 2)
    refused(accept(anon, old), 403, "invitation_invalid")
    assert data(accept(anon, new), 201)["role"] == "student"


def test_two_at_once_leave_one_open(api):
    admin, email = api("admin"), address()
    answers = at_once([lambda: admin.post(V1 + "/org/invitations", json={"email": email, "role": "student"})] * 4)
    assert [a.status_code for a in answers] == [201] * 4
    states = sorted(i["state"] for i in listed(admin, V1 + "/org/invitations", q=email))
    assert states == ["open", "revoked", "revoked", "revoked"]


def test_taking_back(api, anon, rows):
    admin, email = api("admin"), address()
    made = invite(admin, email)
    token = invitation(email)
    answer = done(admin.delete(f"{V1}/org/invitations/{made['id']}"))
    assert [a["action"] for a in rows.audits(answer)] == ["invitation.revoke"]
    assert state(admin, made) == "revoked"
    refused(accept(anon, token), 403, "invitation_invalid")
    refused(admin.delete(f"{V1}/org/invitations/{made['id']}"), 404, "not_found")


def test_an_expired_one(api, anon, root):
    admin, email = api("admin"), address()
    made = invite(admin, email)
    token = invitation(email)
    root.execute("update app.invitations set created_at = now() - interval '8 days',"
                 " expires_at = now() - interval '1 second' where id = %s", (made["id"],))
    assert state(admin, made) == "expired"
    refused(accept(anon, token), 403, "invitation_invalid")
    refused(anon.post(V1 + "/auth/register", json={"name": "x", "email": email, "password": PASSWORD,
                                                   "invitation": token}), 403, "invitation_invalid")


def test_what_a_removed_admin_has_offered_is_off(api, anon, people):
    inviter, email = people.make("admin"), address()
    invite(inviter, email, "admin")
    token = invitation(email)
    done(api("admin").delete(f"{V1}/org/users/{inviter.id}"))
    refused(accept(anon, token), 403, "invitation_invalid")


@pytest.mark.parametrize("change", ["first", "last", "middle", "short", "long"])
def test_forged_tokens(api, anon, change, rows):
    email = address()
    invite(api("admin"), email)
    token = invitation(email)
    at = {"first": 0, "last": 41, "middle": 20}.get(change)
    forged = {"short": token[:-1], "long": token + "A"}.get(change) or \
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
    answer = rows.traceless(accept(anon, forged))
    refused(answer, 403, "invitation_invalid")
    assert data(accept(anon, token), 201)["email"] == email


def test_a_weak_password_uses_nothing_up(api, anon):
    email = address()
    invite(api("admin"), email)
    token = invitation(email)
    for password in ("password1", email):
        assert violations(accept(anon, token, password=password)) == {"/password": "weak_password"}
    data(accept(anon, token), 201)


# --- who may, and what is told -------------------------------------------------------------------------

def test_nobody_invites_above_themselves(api, people, rows):
    answer = api("admin").post(V1 + "/org/invitations", json={"email": address(), "role": "operator"})
    rows.traceless(answer)
    refused(answer, 403, "role_too_high")
    for role in ("teacher", "student", "moderator"):
        answer = people.make(role).post(V1 + "/org/invitations", json={"email": address(), "role": "student"})
        refused(rows.traceless(answer), 403, "forbidden")
    email = address()
    made = invite(api("operator"), email, "operator")
    refused(api("admin").delete(f"{V1}/org/invitations/{made['id']}"), 404, "not_found")
    assert state(api("admin"), made) == "open"
    done(api("operator").delete(f"{V1}/org/invitations/{made['id']}"))


def test_an_account_elsewhere_is_not_told_of(api, accounts, anon, root):
    """Answer, list and mail are those of an address that nobody has"""
    admin, theirs, unknown = api("admin"), accounts("teacher", "northside")["email"], address()
    before = len(mailbox().all(theirs, "invitation"))

    def told(email):
        answer = admin.post(V1 + "/org/invitations", json={"email": email, "role": "teacher"})
        made = data(answer, 201)
        (row,) = [i for i in listed(admin, V1 + "/org/invitations", q=email) if i["id"] == made["id"]]
        times = {"id": 0, "email": 0, "created_at": 0, "expires_at": 0}
        return {**made, **times}, {**row, **times}, sorted(n.lower() for n in answer.headers)
    assert told(theirs) == told(unknown)
    token = invitation(theirs, before + 1)
    mailbox().wait(unknown, "invitation")
    # Whoever reads that mail is told; the invitation stays as it was, for the admin to see.
    refused(accept(anon, token), 409, "account_exists")
    refused(anon.post(V1 + "/auth/register", json={"name": "x", "email": theirs, "password": PASSWORD,
                                                   "invitation": token}), 409, "account_exists")
    refused(api("teacher", "northside").post(f"{V1}/invitations/{token}/accept",
                                             json={"name": "x", "password": PASSWORD}), 409, "account_exists")
    assert {i["state"] for i in listed(admin, V1 + "/org/invitations", q=theirs)} <= {"open", "revoked"}
    for made in listed(admin, V1 + "/org/invitations", q=theirs, state="open"):
        done(admin.delete(f"{V1}/org/invitations/{made['id']}"))


def test_who_is_here_already(api, people, rows):
    email = people.register()
    answer = api("admin").post(V1 + "/org/invitations", json={"email": email, "role": "teacher"})
    refused(rows.traceless(answer), 409, "already_member")


def test_they_are_the_organisations_own(api, people):
    made = invite(api("admin", "northside"))
    assert made["id"] not in [i["id"] for i in listed(api("admin"), V1 + "/org/invitations")]
    refused(api("admin").delete(f"{V1}/org/invitations/{made['id']}"), 404, "not_found")
    refused(api("operator").delete(f"{V1}/org/invitations/{made['id']}"), 404, "not_found")
    refused(people.make("teacher").get(V1 + "/org/invitations"), 403, "forbidden")
    done(api("admin", "northside").delete(f"{V1}/org/invitations/{made['id']}"))


def test_filters(api):
    admin, email = api("admin"), address()
    made = invite(admin, email, "analyst")

    def found(**params):
        return [i["id"] for i in listed(admin, V1 + "/org/invitations", q=email, **params)]
    assert found(state="open") == found(role="analyst") == found(**{"state[in]": "open,expired"}) == [made["id"]]
    assert found(state="accepted") == found(role="student") == found(**{"state[ne]": "open"}) == []


# --- the token is a secret -----------------------------------------------------------------------------

def test_the_token_is_in_no_log_and_no_table(instance, api, new_client, root):
    """As it is sent well, badly, to the wrong place, encoded, in plain HTTP; used and unused"""
    email, logs = address(), home(instance) / "log"
    invite(api("admin"), email)
    token = invitation(email)
    client, mark = new_client("secret"), unique("mark")
    half = "".join(f"%{ord(c):02x}" for c in token)
    head = {"x-request-id": mark}
    for path in (f"/invitations/{token}", f"/invitations/{token}/accept/more", f"/Invitations/{token}/accept",
                 f"/org/invitations/{token}", f"/admin/orgs/{token}", f"/admin/{half}/x", f"/invitations/{half}/accept",
                 f"//invitations/{token}/accept", f"/x/../invitations/{token}/accept"):
        for base in (instance["base_url"] + V1, instance["base_url"] + "/api", instance["http_url"] + V1):
            client.post(base + path, json={}, headers=head)
            client.get(base + path, headers=head)
    client.get(f"{instance['base_url']}/invitation/{token}", headers=head)
    assert violations(client.post(f"{V1}/invitations/{token}/accept", json={}, headers=head))
    data(accept(client, token), 201)
    refused(accept(client, token), 403, "invitation_invalid")
    client.get(V1 + "/health/live", headers=head)
    wait_until(lambda: (logs / "nginx-access.log").read_text().count(mark) >= 40)
    for path in logs.iterdir():
        text = path.read_text(errors="replace")
        for secret in (token, token[:20], token[23:], half, half.upper()):
            assert secret.lower() not in text.lower(), path.name
    masked = re.findall(r'"path":"(/api/v1/invitations/[^"]*)"', (logs / "nginx-access.log").read_text())
    assert "/api/v1/invitations/*" in masked
    root.execute("select table_name from information_schema.tables where table_schema = 'app'"
                 " and table_type = 'BASE TABLE'")
    for (name,) in root.fetchall():
        root.execute(f"select count(*) from app.{name} x where x::text like %s", (f"%{token[11:]}%",))
        assert root.fetchone() == (0,), name


def test_the_digest_is_not_for_the_application(instance, api):
    me = data(api("admin").get(V1 + "/users/me"))
    connection = psycopg2.connect(instance["database_url"], connect_timeout=10)
    try:
        with connection.cursor() as cursor:
            for name, value in (("user_id", me["id"]), ("org_id", me["org_id"]), ("role", "operator")):
                cursor.execute("select set_config(%s, %s, true)", ("app." + name, value))
            cursor.execute("select count(id) from app.invitations")
            assert cursor.fetchone()[0] > 0
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("select digest from app.invitations")
    finally:
        connection.rollback()
        connection.close()
