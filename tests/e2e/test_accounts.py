"""Registering, proving an address, forgotten and changed passwords, ending all sessions."""
import concurrent.futures
import statistics
import time

import pytest

from lib_domain import PASSWORD, data, done, refused, unique, violations
from lib_mail import html, link, mailbox, plain, secret

NEW = "another-battery-staple-7"
BASE = "/api/v1/auth"


@pytest.fixture(scope="module")
def box():
    return mailbox()


@pytest.fixture
def post(new_client):
    """post(path, **body): as somebody who has not signed in"""
    def send(path, **body):
        return new_client("account").post(BASE + path, json=body)
    return send


def sign_in(post, email, password):
    return post("/login", email=email, password=password)


def signed_in(client):
    return client.get("/api/v1/users/me").status_code


def ends(client, seconds=8):
    """Within SESSION_VALIDATION_CACHE_TTL_MS every worker refuses it"""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if all(signed_in(client) == 401 for _ in range(12)):
            return True
    return False


# --- the address -----------------------------------------------------------------------------------

def test_a_new_account_proves_its_address(post, people, box, api):
    email = people.register(name="Neue Schülerin")
    mail = box.wait(email, "verify_email")
    assert "Hello Neue Schülerin," in plain(mail) and "Hello Neue Schülerin," in html(mail)
    assert "/verify-email#token=" in link(mail)
    done(post("/email/verify", token=secret(mail)))
    refused(post("/email/verify", token=secret(mail)), 422, "link_invalid")
    assert people.enter(email).role == "student"


def test_registering_again_tells_the_owner_and_nobody_else(post, people, box):
    email = people.register()
    first = post("/register", name="Somebody", email=unique("p") + "@e2e.lectern.example",
                 password=PASSWORD)
    again = post("/register", name="Visit https://else.example/", email=email, password=NEW)
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (
        202, {"data": {"status": "accepted"}})
    mail = box.wait(email, "account_exists")
    assert "else.example" not in mail.as_string()
    assert link(mail).endswith("/forgot-password")
    refused(sign_in(post, email, NEW), 401, "credentials_invalid")
    data(sign_in(post, email, PASSWORD))
    assert len(box.all(email, "verify_email")) == 1


def test_a_link_is_sent_again_and_the_former_ends(post, people, box):
    email = people.register()
    first = secret(box.wait(email, "verify_email"))
    assert data(post("/email/resend", email=email), 202) == {"status": "accepted"}
    second = secret(box.wait(email, "verify_email", 2))
    refused(post("/email/verify", token=first), 422, "link_invalid")
    done(post("/email/verify", token=second))
    assert data(post("/email/resend", email=email), 202) == {"status": "accepted"}
    time.sleep(2.5)
    assert len(box.all(email, "verify_email")) == 2, "a proven address is not asked again"


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 42 + "=", "_" * 43, "A" * 128])
def test_a_token_that_was_never_made(post, token):
    refused(post("/email/verify", token=token), 422, "link_invalid")
    refused(post("/password/reset", token=token, password=NEW), 422, "link_invalid")


# --- forgotten ---------------------------------------------------------------------------------------

def test_a_forgotten_password(post, people, box, instance):
    client = people.make()
    other = people.enter(client.email)
    assert data(post("/password/forgot", email=client.email), 202) == {"status": "accepted"}
    mail = box.wait(client.email, "password_reset")
    assert link(mail).startswith(instance["base_url"] + "/reset-password#token=")
    token = secret(mail)
    refused(post("/email/verify", token=token), 422, "link_invalid")
    assert violations(post("/password/reset", token=token, password="password1")) == {
        "/password": "weak_password"}
    assert violations(post("/password/reset", token=token, password=client.email)) == {
        "/password": "weak_password"}
    done(post("/password/reset", token=token, password=NEW))
    refused(post("/password/reset", token=token, password=PASSWORD), 422, "link_invalid")
    assert ends(client) and ends(other)
    refused(post("/refresh", refresh_token=client.refresh_token), 401, "refresh_token_invalid")
    refused(sign_in(post, client.email, PASSWORD), 401, "credentials_invalid")
    data(sign_in(post, client.email, NEW))
    assert link(box.wait(client.email, "password_changed")).endswith("/forgot-password")


def test_an_older_link_is_void(post, people, box):
    email = people.register()
    post("/password/forgot", email=email)
    first = secret(box.wait(email, "password_reset"))
    post("/password/forgot", email=email)
    second = secret(box.wait(email, "password_reset", 2))
    refused(post("/password/reset", token=first, password=NEW), 422, "link_invalid")
    done(post("/password/reset", token=second, password=NEW))


def test_of_two_that_use_a_link_at_once_one_does(post, people, box):
    email = people.register()
    post("/password/forgot", email=email)
    token = secret(box.wait(email, "password_reset"))
    passwords = [f"{NEW}-{n}" for n in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda p: post("/password/reset", token=token, password=p).status_code,
                                passwords))
    assert sorted(answers) == [204, 422, 422, 422]
    accepted = [sign_in(post, email, p).status_code for p in passwords]
    assert accepted == [200 if a == 204 else 401 for a in answers]


def test_a_reset_lifts_a_lock(post, people, box):
    email = people.register()
    for _ in range(10):
        refused(sign_in(post, email, NEW), 401, "credentials_invalid")
    refused(sign_in(post, email, PASSWORD), 401, "credentials_invalid")
    box.wait(email, "account_locked")
    post("/password/forgot", email=email)
    done(post("/password/reset", token=secret(box.wait(email, "password_reset")), password=NEW))
    data(sign_in(post, email, NEW))


def test_nothing_is_sent_where_there_is_no_account(post, box):
    email = unique("nobody") + "@e2e.lectern.example"
    for path in ("/password/forgot", "/email/resend"):
        assert data(post(path, email=email), 202) == {"status": "accepted"}
    time.sleep(2.5)
    assert not box.all(email)


# --- changed -------------------------------------------------------------------------------------------

def test_a_changed_password(post, people, box):
    client = people.make()
    other = people.enter(client.email)
    refused(client.post(BASE + "/password/change", json={
        "current_password": NEW, "password": NEW}), 403, "password_wrong")
    assert violations(client.post(BASE + "/password/change", json={
        "current_password": PASSWORD, "password": "password1"})) == {"/password": "weak_password"}
    assert signed_in(other) == 200
    done(client.post(BASE + "/password/change", json={
        "current_password": PASSWORD, "password": NEW}))
    assert ends(other)
    assert signed_in(client) == 200, "the session that changed it stays"
    refused(sign_in(post, client.email, PASSWORD), 401, "credentials_invalid")
    data(sign_in(post, client.email, NEW))
    box.wait(client.email, "password_changed")


def test_a_change_is_audited_without_the_password(people, api):
    client = people.make()
    done(client.post(BASE + "/password/change", json={
        "current_password": PASSWORD, "password": NEW}))
    rows = data(api("admin").get("/api/v1/admin/audit-logs", params={
        "action": "account.password_change", "actor_id": client.id}))
    assert len(rows) == 1
    assert PASSWORD not in str(rows) and NEW not in str(rows) and "argon2" not in str(rows)


def test_a_link_from_before_a_change_is_void(post, people, box):
    client = people.make()
    post("/password/forgot", email=client.email)
    token = secret(box.wait(client.email, "password_reset"))
    done(client.post(BASE + "/password/change", json={
        "current_password": PASSWORD, "password": NEW}))
    refused(post("/password/reset", token=token, password=PASSWORD), 422, "link_invalid")


# --- all sessions ----------------------------------------------------------------------------------------

def test_all_sessions_end(post, people):
    client = people.make()
    others = [people.enter(client.email) for _ in range(2)]
    done(client.post(BASE + "/logout-all"))
    assert all(ends(c) for c in [client, *others])
    for c in [client, *others]:
        refused(post("/refresh", refresh_token=c.refresh_token), 401, "refresh_token_invalid")
    assert signed_in(people.enter(client.email)) == 200


# --- what an outsider learns -----------------------------------------------------------------------------

def shape(answer):
    """All of an answer but what is the request's own"""
    own = ("date", "x-request-id", "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit")
    body = answer.json()
    body.pop("request_id", None)
    return (answer.status_code, body,
            {k.lower(): v for k, v in answer.headers.items() if k.lower() not in own})


def question(path, email):
    body = {"email": email}
    if path in ("/login", "/register"):
        body["password"] = "wrong-battery-staple-1" if path == "/login" else PASSWORD
    if path == "/register":
        body["name"] = "Somebody"
    return body


ASKING = ["/login", "/register", "/password/forgot", "/email/resend"]


@pytest.mark.parametrize("path", ASKING)
def test_the_answer_is_the_same_for_known_and_unknown(post, people, path):
    known, unknown = people.register(), unique("nobody") + "@e2e.lectern.example"
    assert shape(post(path, **question(path, known))) == shape(post(path, **question(path, unknown)))


def medians_apart(first, second, rounds=60):
    """Interleaved: how far the medians of two questions lie apart, and how far chance takes them.

    The median of n samples wanders by about 0.93 * IQR / sqrt(n), the difference of two by 1.41 of
    that; five times as much is chance once in a million.
    """
    times = ([], [])
    for n in range(rounds):
        for kind in ((0, 1) if n % 2 else (1, 0)):
            ask = (first, second)[kind](n)
            begun = time.perf_counter()
            ask()
            times[kind].append(time.perf_counter() - begun)
    widest = max(q[2] - q[0] for q in (statistics.quantiles(t, n=4) for t in times))
    return (abs(statistics.median(times[0]) - statistics.median(times[1])),
            5 * 1.41 * 0.93 * widest / rounds ** 0.5)


@pytest.mark.parametrize("path", ASKING)
def test_the_time_is_the_same_for_known_and_unknown(new_client, people, path):
    client = new_client("timing")
    known = [people.register() for _ in range(8)]

    def asking(choose):
        return lambda n: lambda: client.post(BASE + path, json=question(path, choose(n)))
    apart, chance = medians_apart(asking(lambda n: known[n % len(known)]),
                                  asking(lambda n: unique("no") + "@e2e.lectern.example"))
    assert apart < chance, f"{apart * 1e3:.2f} ms apart, {chance * 1e3:.2f} ms is chance"


def test_the_measure_notices_work_left_out(new_client):
    """A password that is refused for its form is not hashed: that must show, if not while others use
    the machine then when they pause."""
    client = new_client("timing")

    def registering(password):
        return lambda n: lambda: client.post(BASE + "/register", json={
            "name": "Somebody", "email": unique("t") + "@e2e.lectern.example", "password": password})
    seen = []
    while len(seen) < 8 and not any(apart > chance for apart, chance in seen):
        seen.append(medians_apart(registering(PASSWORD), registering("password1")))
    assert seen[-1][0] > seen[-1][1], f"apart, and by chance: {seen} s"
