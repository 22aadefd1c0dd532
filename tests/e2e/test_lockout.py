"""Failed sign-ins: what they lock, for whom, who is told, who lifts it."""
import concurrent.futures
import json
import pathlib
import re
import time

import pytest

from conftest import TREE
from lib_domain import ME, PASSWORD, data, done, listed, refused, unique
from lib_mail import mailbox, plain
from lib_pool import pools

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
LOGS = "/api/v1/admin/audit-logs"
HOME, AWAY, THIRD = "192.0.2.10", "198.51.100.20", "203.0.113.30"


@pytest.fixture(scope="module")
def pool(instance):
    """Workers that are told any address"""
    with pools(instance) as make:
        yield make(workers=4)


@pytest.fixture
def door(pool):
    return lambda email, **more: attempt(pool, email, **more)


def attempt(pool, email, password="a wrong password 1", address=AWAY, cookie=None, **more):
    headers = {"cookie": cookie} if cookie else {}
    return pool.ask("POST", LOGIN, headers, {"email": email, "password": password, **more}, address=address)


def fail(door, email, times=10, **more):
    answers = [door(email, **more) for _ in range(times)]
    assert {a.status_code for a in answers} == {401}
    return answers


def told(answer):
    """An answer without what differs between any two"""
    problem = {n: v for n, v in answer.json().items() if n != "request_id"}
    varying = ("x-request-id", "date", "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit")
    return answer.status_code, problem, sorted((n, v) for n, v in answer.headers.items() if n not in varying)


def locked(door, email, **more):
    """Whether the right password is refused"""
    answer = door(email, password=PASSWORD, **more)
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 401


def count_of(root, query, *values):
    root.execute(query, values)
    return root.fetchone()[0]


def unlock(user):
    return f"/api/v1/org/users/{user.id}/unlock"


# --- locking -----------------------------------------------------------------------------------------

def test_the_settings_are_those_of_the_contract(instance, anon):
    defaults = {name: default for name, default in re.findall(
        r'^SETTING\((ACCOUNT_LOCKOUT_\w+), INT, "(\d+)"', (TREE / "fcgi/base/settings.def").read_text(), re.M)}
    assert defaults == {"ACCOUNT_LOCKOUT_THRESHOLD": "10", "ACCOUNT_LOCKOUT_WINDOW_MINUTES": "15",
                        "ACCOUNT_LOCKOUT_DURATION_MINUTES": "15"}


def test_nine_failures_do_not_lock_and_ten_do(door, person):
    fail(door, person.email, 9)
    assert not locked(door, person.email)
    fail(door, person.email, 10, address=THIRD)
    assert locked(door, person.email, address=THIRD)


def test_the_right_password_begins_a_new_count(door, person):
    for _ in range(3):
        fail(door, person.email, 6)
        assert not locked(door, person.email)


def test_failures_of_all_strangers_count_together(door, person):
    for i in range(10):
        assert door(person.email, address=f"198.51.100.{100 + i}").status_code == 401
    assert locked(door, person.email, address="203.0.113.200")


def test_a_lock_ends(door, person, root):
    fail(door, person.email)
    assert locked(door, person.email)
    span = count_of(root, "select extract(epoch from ends_at - locked_at)::int from app.signin_failures"
                          " where account = app.signin_account(%s)", person.email)
    assert span == 15 * 60
    root.execute("update app.signin_failures set ends_at = now() where account = app.signin_account(%s)",
                 (person.email,))
    assert not locked(door, person.email)


def test_threshold_window_and_length_are_settings(instance, person, root):
    with pools(instance) as make:
        strict = make(workers=1, shared="strict", ACCOUNT_LOCKOUT_THRESHOLD="2", ACCOUNT_LOCKOUT_WINDOW_MINUTES="3",
                      ACCOUNT_LOCKOUT_DURATION_MINUTES="7")
        query = ("select attempts || ' ' || round(extract(epoch from ends_at - now()) / 60) from app.signin_failures"
                 " where account = app.signin_account(%s)")
        attempt(strict, person.email)
        assert count_of(root, query, person.email) == "1 3"
        attempt(strict, person.email)
        assert count_of(root, query, person.email) == "2 7"
        assert attempt(strict, person.email, PASSWORD).status_code == 401


# --- what it does not do -------------------------------------------------------------------------------

def test_a_lock_ends_no_session(door, person):
    fail(door, person.email)
    assert locked(door, person.email)
    assert person.get(ME).status_code == 200
    tokens = data(person.post(REFRESH, json={"refresh_token": person.refresh_token}))
    assert person.get(ME, headers={"authorization": "Bearer " + tokens["access_token"]}).status_code == 200


def test_strangers_lock_nobody_out_of_where_they_sign_in(door, person):
    assert not locked(door, person.email, address=HOME)
    fail(door, person.email, 12, address=AWAY)
    assert locked(door, person.email, address=AWAY) and locked(door, person.email, address=THIRD)
    assert not locked(door, person.email, address=HOME)
    # What is known opens nothing for strangers.
    assert locked(door, person.email, address=AWAY)


def test_a_known_browser_is_not_locked_out_by_its_neighbours(door, person, people):
    browser = door(person.email, password=PASSWORD, address=HOME, use_cookies=True)
    (line,) = [v for n, v in browser.fields if n == "set-cookie" and "_device=" in v]
    assert re.search(r"^__Host-lectern_device=[\w-]+; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax$", line)
    cookie = line.split(";")[0]
    assert not [v for n, v in door(person.email, password=PASSWORD, address=HOME).fields if n == "set-cookie"]
    fail(door, person.email, address=HOME)
    assert locked(door, person.email, address=HOME)
    again = door(person.email, password=PASSWORD, address=HOME, cookie=cookie, use_cookies=True)
    assert again.status_code == 200
    assert [v.split(";")[0] for n, v in again.fields if "_device=" in v] == [cookie], "it stays the same"
    # It is known anywhere, has a count of its own, and helps no other account.
    assert not locked(door, person.email, address=THIRD, cookie=cookie)
    fail(door, person.email, address=THIRD, cookie=cookie)
    assert locked(door, person.email, address=THIRD, cookie=cookie)
    other = people.make()
    fail(door, other.email, address=AWAY)
    assert locked(door, other.email, address=AWAY, cookie=cookie)


@pytest.mark.parametrize("change", [
    lambda c: c[:-1] + ("A" if c[-1] != "A" else "Q"), lambda c: c[:-4], lambda c: c + "AAAA",
    lambda c: c[:30] + ("A" if c[30] != "A" else "B") + c[31:], lambda c: "", lambda c: "A" * len(c)])
def test_a_forged_device_is_a_stranger(door, person, change):
    browser = door(person.email, password=PASSWORD, address=HOME, use_cookies=True)
    value = next(v for n, v in browser.fields if "_device=" in v).split(";")[0].split("=", 1)[1]
    fail(door, person.email, address=AWAY)
    assert not locked(door, person.email, address=THIRD, cookie=f"__Host-lectern_device={value}")
    assert locked(door, person.email, address=AWAY, cookie=f"__Host-lectern_device={change(value)}")


def test_the_device_cookie_opens_nothing(door, person, anon):
    browser = door(person.email, password=PASSWORD, address=HOME, use_cookies=True)
    value = next(v for n, v in browser.fields if "_device=" in v).split(";")[0].split("=", 1)[1]
    for name in ("__Host-lectern_device", "__Host-lectern_access", "__Host-lectern_refresh"):
        assert anon.get(ME, headers={"cookie": f"{name}={value}"}).status_code == 401
    assert anon.post(REFRESH, json={"refresh_token": value}).status_code == 401


# --- what outsiders learn --------------------------------------------------------------------------------

def test_known_and_unknown_addresses_answer_alike_before_and_after_the_lock(door, person):
    unknown = f"{unique('nobody')}@e2e.lectern.example"
    known_answers = [told(a) for a in fail(door, person.email, 12)]
    unknown_answers = [told(a) for a in fail(door, unknown, 12)]
    assert known_answers == unknown_answers
    assert all(answer == known_answers[0] for answer in known_answers)
    assert known_answers[0][1]["code"] == "credentials_invalid"
    # The right password of a locked account is no exception.
    assert told(door(person.email, password=PASSWORD)) == known_answers[0]


def test_a_lock_saves_no_work_and_so_tells_nothing(instance, people, person):
    """Measured as the time on a processor of the only worker, which is the same under any load"""
    unknown = f"{unique('nobody')}@e2e.lectern.example"
    emails = {"locked, known": person.email, "locked, unknown": unknown, "open, known": people.make().email,
              "open, unknown": f"{unique('nobody')}@e2e.lectern.example"}
    best = dict.fromkeys(emails, 1e12)
    with pools(instance) as make:
        pool = make(workers=1, shared="measured")
        used = pathlib.Path(f"/proc/{pool.worker_pids()[0]}/schedstat")
        for email in (person.email, unknown) * 10:
            assert attempt(pool, email).status_code == 401
        for _ in range(9):
            for what, email in emails.items():
                begun = int(used.read_text().split()[0])
                assert attempt(pool, email).status_code == 401
                best[what] = min(best[what], int(used.read_text().split()[0]) - begun)
    # Argon2 is nearly all of it: without it one would take a small part of the others.
    assert min(best.values()) > 5e6 and min(best.values()) > max(best.values()) * 0.7, best


# --- attempts at once ----------------------------------------------------------------------------------------

def test_of_attempts_at_once_no_more_than_the_threshold_are_looked_at(door, person, root):
    with concurrent.futures.ThreadPoolExecutor(16) as at_once:
        answers = list(at_once.map(lambda _: door(person.email), range(40)))
    assert {a.status_code for a in answers} == {401}
    assert count_of(root, "select attempts from app.signin_failures where account = app.signin_account(%s)",
                    person.email) == 10
    assert locked(door, person.email)
    assert count_of(root, "select count(*) from app.mails where user_id = %s and kind = 'account_locked'",
                    person.id) == 1
    assert count_of(root, "select count(*) from app.audit_logs where target_id = %s and action = 'account.lock'",
                    person.id) == 1


def test_an_attempt_that_waits_for_its_count_holds_up_no_other(instance, people, person, root):
    """One account's count is held by somebody; the only worker's next sign-in is another's."""
    other = people.make()
    with pools(instance) as make:
        pool = make(workers=2, shared="held", DB_LOCK_TIMEOUT_MS="10000")
        attempt(pool, person.email)
        root.execute("begin")
        try:
            root.execute("select from app.signin_failures where account = app.signin_account(%s) for update",
                         (person.email,))
            with concurrent.futures.ThreadPoolExecutor(1) as behind:
                held = behind.submit(attempt, pool, person.email)
                time.sleep(0.2)
                begun = time.monotonic()
                assert attempt(pool, other.email, PASSWORD).status_code == 200
                assert time.monotonic() - begun < 5 and not held.done()
                root.execute("rollback")
                assert held.result().status_code == 401
        finally:
            root.execute("rollback")


# --- who is told -------------------------------------------------------------------------------------------

def test_the_owner_is_told_once_by_mail(door, person, root):
    fail(door, person.email, 12)
    assert count_of(root, "select count(*) from app.mails where user_id = %s and kind = 'account_locked'"
                          " and address = %s and detail = '15' and sealed is null", person.id, person.email) == 1
    mail = mailbox().wait(person.email, "account_locked")
    assert "15 minutes" in plain(mail) and len(mailbox().all(person.email, "account_locked")) == 1


def test_for_an_unknown_address_the_same_is_written_and_nobody_told(door, root):
    unknown = f"{unique('nobody')}@e2e.lectern.example"
    before = count_of(root, "select count(*) from app.mails where user_id is null and kind = 'account_locked'")
    fail(door, unknown, 12)
    after = count_of(root, "select count(*) from app.mails where user_id is null and kind = 'account_locked'")
    assert after == before + 1
    assert count_of(root, "select count(*) from app.mails where address = %s", unknown) == 0


def test_a_lock_is_audited_without_the_address_of_the_account(api, door, person):
    assert not locked(door, person.email, address=HOME)
    fail(door, person.email, address=HOME)
    (row,) = listed(api("admin"), LOGS, action="account.lock", target_id=person.id)
    assert row["actor_id"] is None and row["target_type"] == "user" and row["address"] == HOME
    assert row["before"] is None and row["after"] == {"source": "network"}
    assert person.email not in json.dumps(row)
    assert listed(api("admin", "northside"), LOGS, action="account.lock", target_id=person.id) == []


# --- who lifts it --------------------------------------------------------------------------------------------

def test_an_admin_lifts_it(api, door, person):
    assert not locked(door, person.email, address=HOME)
    fail(door, person.email, address=AWAY)
    fail(door, person.email, address=HOME)
    assert locked(door, person.email, address=AWAY) and locked(door, person.email, address=HOME)
    answer = api("admin").post(unlock(person))
    assert data(answer) == {"locks": 2}
    assert not locked(door, person.email, address=AWAY)
    assert not locked(door, person.email, address=HOME)
    assert data(api("admin").post(unlock(person))) == {"locks": 0}
    (row,) = listed(api("admin"), LOGS, request_id=answer.headers["x-request-id"])
    assert (row["action"], row["target_id"]) == ("account.unlock", person.id)


def test_nobody_else_lifts_it(api, people, door, person):
    fail(door, person.email)
    refused(person.post(unlock(person)), 403, "forbidden")
    refused(people.make("teacher").post(unlock(person)), 403, "forbidden")
    refused(api("admin", "northside").post(unlock(person)), 404, "not_found")
    assert locked(door, person.email)
    assert data(api("operator").post(unlock(person))) == {"locks": 1}


def test_an_operator_is_above_an_admin(api, people, person):
    done(api("operator").put(f"/api/v1/org/users/{person.id}/role", json={"role": "operator"}), 200)
    try:
        refused(api("admin").post(unlock(person)), 403, "role_too_high")
    finally:
        done(api("operator").put(f"/api/v1/org/users/{person.id}/role", json={"role": "student"}), 200)


# --- what is left ----------------------------------------------------------------------------------------------

def test_counts_that_have_ended_are_removed(door, root, instance):
    unknown = f"{unique('nobody')}@e2e.lectern.example"
    fail(door, unknown, 1)
    root.execute("update app.signin_failures set ends_at = now() - interval '1 second'"
                 " where account = app.signin_account(%s)", (unknown,))
    until = time.monotonic() + 75
    while count_of(root, "select count(*) from app.signin_failures where account = app.signin_account(%s)", unknown):
        assert time.monotonic() < until, "the daemon has not removed it"
        time.sleep(0.5)
