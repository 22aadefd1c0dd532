"""The second factor through the whole stack, with oathtool as the authenticator."""
import json
import pathlib
import re
import uuid
import xml.etree.ElementTree as ET

import pytest

from lib_domain import PASSWORD, at_once, data, done, refused, violations
from lib_factor import FACTOR, LOGIN, V1, Authenticator, answer, begin, challenge, enrol
from lib_gates import assert_problem
from lib_pool import home, pools, wait_until
from lib_rows import NOBODY, World, document, random_id

DOCUMENT = document()
NEEDED = "second_factor_enrolment_required"


@pytest.fixture
def student(people):
    return people.make("student")


def one(root, statement, *values):
    root.execute(statement, values)
    return root.fetchone()


def later(root, person):
    """As if time had gone by: the code of this moment has not been used yet, no attempt has failed."""
    root.execute("update app.second_factors set last_step = 0, failures = 0, failing_since = null"
                 " where user_id = %s", (person.id,))
    assert root.rowcount == 1


def audits(root, answered):
    root.execute("select action, target_type, target_id::text, before::text, after::text from app.audit_logs"
                 " where request_id = %s", (answered.headers["x-request-id"],))
    return root.fetchall()


def mails(root, person):
    root.execute("select detail from app.mails where user_id = %s and kind = 'second_factor' order by created_at",
                 (person.id,))
    return [detail for (detail,) in root.fetchall()]


def state(client):
    return data(client.get(FACTOR))


def bearer(client, tokens):
    client.cookies.clear()
    client.headers["authorization"] = "Bearer " + tokens["access_token"]
    return client


# --- enrolling -----------------------------------------------------------------------------------

def test_enrolling(student, root):
    assert state(student) == {"state": "off", "confirmed_at": None, "recovery_codes_left": 0}
    refused(student.post(FACTOR, json={"password": "not the password"}), 403, "password_wrong")
    refused(student.post(FACTOR + "/confirm", json={"code": "123456"}), 409, "second_factor_absent")
    begun = student.post(FACTOR, json={"password": PASSWORD})
    made = data(begun)
    assert set(made) == {"secret", "uri", "qr_svg"} and re.fullmatch("[A-Z2-7]{32}", made["secret"])
    account = student.email.replace("@", "%40")
    assert made["uri"] == (f"otpauth://totp/Lectern:{account}?secret={made['secret']}"
                           "&issuer=Lectern&algorithm=SHA1&digits=6&period=30")
    assert state(student)["state"] == "pending"
    assert [a[:2] for a in audits(root, begun)] == [("second_factor.begun", "user")]
    assert begun.headers["cache-control"] == "private, no-store"
    # Another begin replaces the secret; the first is void.
    app = begin(student)
    assert app.secret != made["secret"]
    old = Authenticator(made["secret"])
    if old.code() not in {app.code(n) for n in (-1, 0, 1)}:
        refused(student.post(FACTOR + "/confirm", json={"code": old.code()}), 403, "second_factor_invalid")
    confirmed = student.post(FACTOR + "/confirm", json={"code": app.code()})
    codes = data(confirmed)["recovery_codes"]
    assert len(set(codes)) == 10 and all(re.fullmatch("([a-z2-7]{4}-){3}[a-z2-7]{4}", c) for c in codes)
    now = state(student)
    assert now["state"] == "on" and now["confirmed_at"] and now["recovery_codes_left"] == 10
    assert [a[0] for a in audits(root, confirmed)] == ["second_factor.enabled"]
    assert mails(root, student) == ["enabled"]
    refused(student.post(FACTOR, json={"password": PASSWORD}), 409, "second_factor_enabled")
    refused(student.post(FACTOR + "/confirm", json={"code": app.code(1)}), 409, "second_factor_absent")


def test_the_picture_is_a_picture_and_no_more(student):
    """Plain shapes: no script, style, reference or text, whatever shows it."""
    picture = ET.fromstring(data(student.post(FACTOR, json={"password": PASSWORD}))["qr_svg"])
    space = "{http://www.w3.org/2000/svg}"
    assert picture.tag == space + "svg" and {e.tag for e in picture} == {space + "path"}
    allowed = {"viewBox", "shape-rendering", "fill", "d"}
    assert all(set(e.attrib) <= allowed and not (e.text or "").strip() for e in picture.iter())
    side = int(picture.attrib["viewBox"].split()[2])
    assert side >= 21 + 8 and (side - 8 - 17) % 4 == 0
    dark = set()
    for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", picture[1].attrib["d"]):
        dark |= {(int(x) + i, int(y)) for i in range(int(run))}
    finder = {(x, y) for x in range(7) for y in range(7)
              if x in (0, 6) or y in (0, 6) or (2 <= x <= 4 and 2 <= y <= 4)}
    for left, top in ((4, 4), (side - 11, 4), (4, side - 11)):
        assert {(x, y) for x in range(7) for y in range(7) if (left + x, top + y) in dark} == finder


def test_enrolling_ends_the_other_sessions(people, student, new_client):
    other = people.enter(student.email)
    assert other.get(V1 + "/users/me").status_code == 200
    enrol(student)
    for _ in range(12):
        refused(other.get(V1 + "/users/me"), 401, "session_ended")
    assert student.get(V1 + "/users/me").status_code == 200
    refused(new_client().post(V1 + "/auth/refresh", json={"refresh_token": other.refresh_token}),
            401, "refresh_token_invalid")


def test_what_is_kept_is_sealed_and_hashed(student, root):
    app, codes = enrol(student)
    sealed, = one(root, "select sealed from app.second_factors where user_id = %s", student.id)
    assert re.fullmatch(r"v1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", sealed)
    kept, = one(root, "select string_agg(f::text, ' ') || (select string_agg(c::text, ' ') from app.recovery_codes c"
                      " where c.user_id = f.user_id) from app.second_factors f where f.user_id = %s group by f.user_id",
                student.id)
    for secret in (app.secret, *codes, *(c.replace("-", "") for c in codes)):
        assert secret.lower() not in kept.lower()


# --- signing in ----------------------------------------------------------------------------------

def test_signing_in_takes_two_steps(student, root, new_client):
    app, _ = enrol(student)
    later(root, student)
    client = new_client("two steps")
    given = challenge(client, student.email)
    assert len(given) == 43
    entered = answer(client, given, app.code())
    tokens = data(entered)
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert tokens["user"]["email"] == student.email and "set-cookie" not in entered.headers
    assert data(bearer(client, tokens).get(V1 + "/users/me"))["id"] == student.id
    assert [a[0] for a in audits(root, entered)] == ["session.start"]
    again = data(new_client().post(V1 + "/auth/refresh", json={"refresh_token": tokens["refresh_token"]}))
    assert data(bearer(client, again).get(V1 + "/users/me"))["id"] == student.id


def test_a_wrong_password_says_no_more_than_before(student, new_client):
    enrol(student)
    wrong, unknown = (new_client().post(LOGIN, json={"email": email, "password": "not the password"})
                      for email in (student.email, f"{uuid.uuid4().hex}@e2e.lectern.example"))
    bodies = [refused(a, 401, "credentials_invalid") for a in (wrong, unknown)]
    for body in bodies:
        del body["request_id"]
    assert bodies[0] == bodies[1] and "challenge" not in bodies[0]


def test_cookies_come_with_the_second_step(student, root, new_client):
    app, _ = enrol(student)
    later(root, student)
    browser = new_client("browser")
    entered = answer(browser, challenge(browser, student.email), app.code(), use_cookies=True)
    assert entered.status_code == 200
    assert {"__Host-lectern_access", "__Host-lectern_refresh", "csrf_token"} <= {c.name for c in browser.cookies}
    assert data(browser.get(V1 + "/users/me"))["id"] == student.id


def test_a_step_before_and_after_is_taken(student, root, new_client):
    app, _ = enrol(student)
    client = new_client()
    for steps, good in ((-3, False), (3, False), (-1, True), (1, True)):
        later(root, student)
        code = app.code(steps)
        if not good and code in {app.code(n) for n in range(-2, 3)}:
            continue
        reply = answer(client, challenge(client, student.email), code)
        assert reply.status_code == (200 if good else 403), (steps, reply.text)


def test_a_code_is_taken_once(student, root, new_client):
    """Not again with its challenge, with another one, or for another purpose; nor any code before it."""
    app, _ = enrol(student)
    later(root, student)
    client, code = new_client(), app.code()
    first, second = challenge(client, student.email), challenge(client, student.email)
    data(answer(client, first, code))
    refused(answer(client, first, app.code(1)), 401, "second_factor_challenge_invalid")
    refused(answer(client, second, code), 403, "second_factor_invalid")
    refused(answer(client, second, app.code(-1)), 403, "second_factor_invalid")
    session = bearer(new_client(), data(answer(client, second, app.code(1))))
    refused(session.post(FACTOR + "/recovery-codes", json={"code": code}), 403, "second_factor_invalid")
    refused(session.post(FACTOR + "/disable", json={"password": PASSWORD, "code": code}), 403, "second_factor_invalid")


def test_of_parallel_attempts_one_wins(student, root, new_client):
    """Over all workers: with a challenge each, and with one for all"""
    app, codes = enrol(student)
    for shared in (False, True):
        later(root, student)
        clients = [new_client(f"race-{n}") for n in range(8)]
        challenges = [challenge(clients[0], student.email)] * 5 if shared else [
            challenge(c, student.email) for c in clients]
        code = app.code()
        answers = at_once([lambda c=c, g=g: answer(c, g, code) for c, g in zip(clients, challenges)])
        statuses = sorted(a.status_code for a in answers)
        assert statuses.count(200) == 1 and set(statuses) <= {200, 401, 403}, statuses
    later(root, student)
    challenges = [challenge(c, student.email) for c in clients]
    answers = at_once([lambda c=c, g=g: answer(c, g, codes[0], "recovery-code") for c, g in zip(clients, challenges)])
    assert sorted(a.status_code for a in answers) == [200] + [403] * 7


def test_parallel_sign_ins_of_two_pools(instance, student, root, new_client):
    """Other processes altogether: the step is kept by the database, not by a worker or a host."""
    app, _ = enrol(student)
    later(root, student)
    with pools(instance) as make:
        ways = [make(shared, name="api", workers=2) for shared in ("one", "two")]
        given = [challenge(new_client(), student.email) for _ in range(8)]
        code = app.code()
        answers = at_once([lambda g=g, n=n: ways[n % 2].ask("POST", LOGIN + "/second-factor", body={
            "challenge": g, "code": code}) for n, g in enumerate(given)])
    assert sorted(a.status_code for a in answers) == [200] + [403] * 7


def test_a_challenge_is_good_for_five_tries(student, root, new_client):
    app, _ = enrol(student)
    later(root, student)
    client = new_client()
    given = challenge(client, student.email)
    for _ in range(5):
        refused(answer(client, given, app.wrong()), 403, "second_factor_invalid")
    refused(answer(client, given, app.code()), 401, "second_factor_challenge_invalid")
    data(answer(client, challenge(client, student.email), app.code()))


def test_a_challenge_expires_and_is_of_its_user(student, people, root, new_client):
    app, codes = enrol(student)
    other = people.make("student")
    theirs, _ = enrol(other)
    client = new_client()
    later(root, student)
    later(root, other)
    given = challenge(client, student.email)
    if theirs.code() not in {app.code(n) for n in (-1, 0, 1)}:
        refused(answer(client, given, theirs.code()), 403, "second_factor_invalid")
    root.execute("update app.second_factor_challenges set created_at = now() - interval '10 minutes',"
                 " expires_at = now() - interval '1 second' where user_id = %s", (student.id,))
    for way, code in (("second-factor", app.code()), ("recovery-code", codes[0])):
        refused(answer(client, given, code, way), 401, "second_factor_challenge_invalid")
        refused(answer(client, "A" * 43, code, way), 401, "second_factor_challenge_invalid")
    assert violations(answer(client, "A" * 42, "123456")) == {"/challenge": "length"}
    assert violations(answer(client, given, "12345")) == {"/code": "length"}


def test_ten_wrong_codes_lock(student, root, new_client):
    """Counted by account: new challenges and other ways do not help; right codes are refused as well."""
    app, codes = enrol(student)
    later(root, student)
    client = new_client()
    for _ in range(2):
        given = challenge(client, student.email)
        for _ in range(3):
            refused(answer(client, given, app.wrong()), 403, "second_factor_invalid")
        refused(answer(client, given, "aaaa-aaaa-aaaa-aaaa", "recovery-code"), 403, "second_factor_invalid")
    refused(student.post(FACTOR + "/recovery-codes", json={"code": app.wrong()}), 403, "second_factor_invalid")
    refused(student.post(FACTOR + "/disable", json={"password": PASSWORD, "code": app.wrong()}),
            403, "second_factor_invalid")
    given = challenge(client, student.email)
    locked = [answer(client, given, app.code()), answer(client, given, codes[0], "recovery-code"),
              student.post(FACTOR + "/recovery-codes", json={"code": app.code()}),
              student.post(FACTOR + "/disable", json={"password": PASSWORD, "code": app.code()})]
    for reply in locked:
        refused(reply, 429, "second_factor_locked")
        assert 3500 < int(reply.headers["retry-after"]) <= 3600
    assert state(student)["state"] == "on" and state(student)["recovery_codes_left"] == 10
    later(root, student)
    data(answer(client, given, app.code()))


def test_a_pending_secret_is_not_guessed_for_ever(student):
    app = begin(student)
    for _ in range(5):
        refused(student.post(FACTOR + "/confirm", json={"code": app.wrong()}), 403, "second_factor_invalid")
    app = begin(student)
    for _ in range(5):
        refused(student.post(FACTOR + "/confirm", json={"code": app.wrong()}), 403, "second_factor_invalid")
    refused(student.post(FACTOR + "/confirm", json={"code": app.code()}), 429, "second_factor_locked")
    assert state(student)["state"] == "pending"


# --- recovery codes ------------------------------------------------------------------------------

def test_a_recovery_code_works_once(student, root, new_client):
    app, codes = enrol(student)
    client = new_client()
    entered = answer(client, challenge(client, student.email), codes[3], "recovery-code")
    assert data(entered)["user"]["id"] == student.id
    (action, kind, target, before, after), = audits(root, entered)
    assert (action, kind) == ("second_factor.recovery_code_used", "session") and target
    assert codes[3] not in (before or "") + (after or "")
    assert mails(root, student) == ["enabled", "recovery_code_used"]
    assert state(student)["recovery_codes_left"] == 9
    given = challenge(client, student.email)
    refused(answer(client, given, codes[3], "recovery-code"), 403, "second_factor_invalid")
    # In capitals and without hyphens, as people type.
    data(answer(client, given, codes[4].upper().replace("-", ""), "recovery-code"))
    # A recovery code is no code, nor the other way round.
    given = challenge(client, student.email)
    assert violations(answer(client, given, codes[5])) == {"/code": "length"}
    assert violations(answer(client, given, app.code(), "recovery-code")) == {"/code": "length"}


def test_new_recovery_codes_void_the_old(student, root, new_client):
    refused(student.post(FACTOR + "/recovery-codes", json={"code": "123456"}), 409, "second_factor_absent")
    app, old = enrol(student)
    refused(student.post(FACTOR + "/recovery-codes", json={"code": app.wrong()}), 403, "second_factor_invalid")
    renewed = student.post(FACTOR + "/recovery-codes", json={"code": app.code(1)})
    new = data(renewed)["recovery_codes"]
    assert len(set(new)) == 10 and not set(new) & set(old)
    assert [a[0] for a in audits(root, renewed)] == ["second_factor.codes_renewed"]
    client = new_client()
    given = challenge(client, student.email)
    refused(answer(client, given, old[0], "recovery-code"), 403, "second_factor_invalid")
    data(answer(client, given, new[0], "recovery-code"))


# --- taking it away ------------------------------------------------------------------------------

def test_disabling_needs_password_and_code(student, root, people):
    body = {"password": PASSWORD, "code": "123456"}
    refused(student.post(FACTOR + "/disable", json=body), 409, "second_factor_absent")
    app, codes = enrol(student)
    wrong = {**body, "password": "not the password", "code": app.code(1)}
    refused(student.post(FACTOR + "/disable", json=wrong), 403, "password_wrong")
    refused(student.post(FACTOR + "/disable", json={**body, "code": app.wrong()}), 403, "second_factor_invalid")
    assert violations(student.post(FACTOR + "/disable", json={"code": app.code(1)})) == {"/password": "required"}
    gone = done(student.post(FACTOR + "/disable", json={**body, "code": app.code(1)}))
    assert [a[0] for a in audits(root, gone)] == ["second_factor.disabled"]
    assert mails(root, student) == ["enabled", "disabled"] and state(student)["state"] == "off"
    assert people.enter(student.email).id == student.id
    # And with a recovery code, for who has lost the device.
    _, codes = enrol(student)
    done(student.post(FACTOR + "/disable", json={**body, "code": codes[9]}))
    assert people.enter(student.email).id == student.id


def test_an_admin_resets(people, student, api, root):
    path = f"{V1}/org/users/{student.id}/second-factor"
    refused(people.admin.delete(path), 404, "not_found")
    enrol(student)
    refused(people.make("teacher").delete(path), 403, "forbidden")
    refused(student.delete(path), 403, "forbidden")
    refused(api("admin", "northside").delete(path), 404, "not_found")
    gone = done(people.admin.delete(path))
    assert [a[:3] for a in audits(root, gone)] == [("second_factor.reset", "user", student.id)]
    assert mails(root, student) == ["enabled", "disabled"]
    refused(student.get(V1 + "/users/me"), 401, "session_ended")
    assert state(people.enter(student.email))["state"] == "off"


def test_an_admin_does_not_reset_who_is_above(people, root):
    operator = people.make("teacher")
    enrol(operator)
    root.execute("update app.users set role = 'operator' where id = %s", (operator.id,))
    refused(people.admin.delete(f"{V1}/org/users/{operator.id}/second-factor"), 403, "role_too_high")
    root.execute("update app.users set role = 'student' where id = %s", (operator.id,))


# --- roles that must have one --------------------------------------------------------------------

ROLES = "student,teacher,parent,vendor,moderator,analyst,admin,operator"
EXEMPT = {"auth_logout", "auth_logout_all", "user_me", "second_factor_get", "second_factor_begin", "second_factor_confirm"}


def errors_of(row):
    return {code for status in row.operation["responses"].values()
            for content in row.document.resolve(status).get("content", {}).values()
            for part in row.document.resolve(content["schema"]).get("allOf", [])
            for code in part.get("properties", {}).get("code", {}).get("enum", [])}


GATED = [row for row in DOCUMENT.rows if row.user and NEEDED in errors_of(row)]


@pytest.fixture(scope="module")
def world(new_client, api):
    return World(new_client, api, DOCUMENT.roles)


@pytest.fixture(scope="module")
def strict(instance):
    """Workers where every role must have a second factor: {pool: Pool}"""
    with pools(instance) as make:
        yield {name: make("strict", name=name, workers=2, TWO_FACTOR_REQUIRED_ROLES=ROLES)
               for name in sorted({row.pool for row in DOCUMENT.rows})}


def ask(pool, client, method, path, body=b"", media=None):
    from test_negatives import ask_pool
    row = type("Asked", (), {"method": method})
    headers = {"authorization": client.headers["authorization"]} | ({"content-type": media} if media else {})
    return ask_pool(pool, row, path, headers, body)


def test_what_needs_no_second_factor_is_said_once():
    assert {row.id for row in DOCUMENT.rows if row.user} - {row.id for row in GATED} == EXEMPT


@pytest.mark.parametrize("row", GATED, ids=lambda row: row.id)
def test_without_one_nothing_is_done(world, strict, row):
    """Whatever a path names: it is not even looked at"""
    body, path = world.body(row), world.path(row, **{name: random_id() for name in row.path_names})
    reply = ask(strict[row.pool], world.caller(row), row.method, path,
                b"" if body is NOBODY else body, row.media)
    assert_problem(reply, 403, NEEDED)


def test_enrolling_opens_the_session_on_every_worker(people, strict, root, new_client):
    """One can read oneself, enrol, and is in; by another session of the same user nothing is to be had."""
    person, pool = people.make("teacher"), strict["api"]
    org = V1 + "/org"
    for _ in range(6):
        refused(ask(pool, person, "GET", org), 403, NEEDED)
    assert ask(pool, person, "GET", V1 + "/users/me").status_code == 200
    made = data(ask(strict["auth"], person, "POST", FACTOR, {"password": PASSWORD}))
    refused(ask(pool, person, "GET", org), 403, NEEDED)
    app = Authenticator(made["secret"])
    data(ask(pool, person, "POST", FACTOR + "/confirm", {"code": app.code()}))
    assert {ask(pool, person, "GET", org).status_code for _ in range(12)} == {200}
    # A session that began with a code is in from its beginning, also after an exchange of its tokens.
    later(root, person)
    client = new_client()
    tokens = data(answer(client, challenge(client, person.email), app.code()))
    assert ask(pool, bearer(client, tokens), "GET", org).status_code == 200
    tokens = data(new_client().post(V1 + "/auth/refresh", json={"refresh_token": tokens["refresh_token"]}))
    assert ask(pool, bearer(client, tokens), "GET", org).status_code == 200


def test_disabling_closes_every_worker_in_time(instance, people):
    person = people.make("teacher")
    with pools(instance) as make:
        ways = {name: make("closing", name=name, workers=3, TWO_FACTOR_REQUIRED_ROLES="teacher,admin",
                           SESSION_VALIDATION_CACHE_TTL_MS="1500") for name in ("api", "auth")}
        org, pool = V1 + "/org", ways["api"]
        app, _ = enrol(person)
        assert {ask(pool, person, "GET", org).status_code for _ in range(12)} == {200}
        done(ask(ways["auth"], person, "POST", FACTOR + "/disable", {"password": PASSWORD, "code": app.code(1)}))
        wait_until(lambda: {ask(pool, person, "GET", org).status_code for _ in range(9)} == {403}, seconds=4)
        refused(ask(pool, person, "GET", org), 403, NEEDED)
        assert ask(pool, person, "GET", FACTOR).status_code == 200
        # Roles that are not named are not asked.
        assert ask(pool, people.make("student"), "GET", org).status_code == 200
        assert ask(pool, person, "POST", V1 + "/auth/logout").status_code == 204


def test_a_role_that_is_none_stops_the_boot(instance):
    import subprocess
    from lib_pool import binary, settings_of
    settings = {**settings_of(instance), "TWO_FACTOR_REQUIRED_ROLES": "admin,principal"}
    config = pathlib.Path(f"/tmp/lectern-{uuid.uuid4().hex}.env")
    try:
        config.write_text("".join(f"{n}={v}\n" for n, v in settings.items()))
        checked = subprocess.run([binary(instance, "lecternctl"), "config", "check", "--config", str(config)],
                                 capture_output=True, text=True, timeout=20, check=False)
    finally:
        config.unlink()
    assert checked.returncode != 0 and "TWO_FACTOR_REQUIRED_ROLES" in checked.stdout + checked.stderr


# --- what is not told ----------------------------------------------------------------------------

def test_nothing_of_it_is_in_a_log(instance, student, root, new_client):
    logs = home(instance) / "log"
    begun = {p.name: p.stat().st_size for p in logs.iterdir()}
    app, codes = enrol(student)
    later(root, student)
    client, used = new_client(), app.code()
    given = challenge(client, student.email)
    refused(answer(client, given, app.wrong()), 403, "second_factor_invalid")
    tokens = data(answer(client, given, used))
    other = challenge(client, student.email)
    data(answer(client, other, codes[0], "recovery-code"))
    sealed, = one(root, "select sealed from app.second_factors where user_id = %s", student.id)
    last = student.get(V1 + "/users/me").headers["x-request-id"]

    def read(name):
        with (logs / name).open("rb") as file:
            file.seek(min(begun.get(name, 0), (logs / name).stat().st_size))
            return file.read().decode("utf-8", "replace")
    wait_until(lambda: last in read("nginx-access.log") and last in read("api.log"))
    secrets = [app.secret, given, other, tokens["refresh_token"], sealed, *codes, *(c.replace("-", "") for c in codes)]
    for name in (p.name for p in logs.iterdir()):
        text = read(name)
        assert not [s for s in secrets if s.lower() in text.lower()], name
        assert f'"{used}"' not in text and f"={used}" not in text, name
        if name in ("api.log", "auth.log"):
            for line in filter(None, text.splitlines()):
                assert used not in [v for v in json.loads(line).values() if isinstance(v, str)]
