"""Requests that a browser's cookies sign in: what another site cannot make it do."""
import urllib.parse

import pytest

from lib_gates import ME, V1, assert_problem, person, raw_request

LOGIN = V1 + "/auth/login"
REFRESH = V1 + "/auth/refresh"
LOGOUT = V1 + "/auth/logout"


@pytest.fixture(scope="module")
def account(new_client):
    made = person()
    assert new_client().post(V1 + "/auth/register", json=made).status_code == 202
    return made


@pytest.fixture
def browser(new_client, account):
    """A session that lives by cookies alone."""
    client = new_client("browser")
    answer = client.post(LOGIN, json={"email": account["email"], "password": account["password"],
                                      "use_cookies": True})
    assert answer.status_code == 200, answer.text
    return client


def csrf(client):
    return client.cookies["csrf_token"]


def own(client, **more):
    return {"sec-fetch-site": "same-origin", "x-csrf-token": csrf(client), **more}


def name_of(client):
    return client.get(ME).json()["data"]["name"]


def assert_refused(client, **request):
    """The change is refused with 403 and has not happened."""
    before = client.get(ME).json()["data"]
    assert_problem(client.patch(ME, json={"name": "Changed By Force"}, **request), 403, "csrf_failed")
    assert client.get(ME).json()["data"] == before


# --- what is allowed ---------------------------------------------------------------------------

def test_a_page_of_this_site_may_change_things(browser):
    answer = browser.patch(ME, json={"name": "By Cookie"}, headers=own(browser))
    assert answer.status_code == 200, answer.text
    assert name_of(browser) == "By Cookie"


def test_origin_stands_in_for_sec_fetch_site(browser):
    origin = browser.base_url
    for headers in ({"origin": origin}, {"origin": origin.upper().replace("HTTPS", "https")},
                    {"referer": origin + "/some/page?x=1"}, {"referer": origin}):
        answer = browser.patch(ME, json={"name": "By Origin"}, headers={**headers, "x-csrf-token": csrf(browser)})
        assert answer.status_code == 200, (headers, answer.text)


def test_reading_needs_no_proof(browser):
    for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert browser.get(ME, headers=headers).status_code == 200
        assert browser.head(ME, headers=headers).status_code == 200
        assert browser.options(ME, headers=headers).status_code == 204


def test_bearer_needs_no_proof(browser, sign_in, account):
    bearer = sign_in(dict(account, role="student"))
    for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = bearer.patch(ME, json={"name": "By Bearer"}, headers=headers)
        assert answer.status_code == 200, answer.text


def test_a_cookie_beside_a_bearer_token_needs_no_proof(browser, sign_in, account):
    token = sign_in(dict(account, role="student")).headers["authorization"]
    assert browser.patch(ME, json={"name": "By Both"}, headers={"authorization": token}).status_code == 200


# --- the token is issued --------------------------------------------------------------------------

def test_the_first_safe_request_issues_the_token(browser):
    del browser.cookies["csrf_token"]
    answer = browser.get(ME)
    line, = answer.raw.headers.getlist("set-cookie")
    attributes = {a.strip().lower() for a in line.split(";")[1:]}
    assert line.startswith("csrf_token=")
    assert {"path=/", "secure", "samesite=lax"} <= attributes and "httponly" not in attributes
    assert "set-cookie" not in browser.get(ME).headers, "issued again although there is one"
    assert browser.patch(ME, json={"name": "First"}, headers=own(browser)).status_code == 200


def test_a_planted_token_is_replaced(browser):
    browser.cookies.clear(name="csrf_token", domain="localhost.local", path="/")
    answer = browser.get(ME, headers={"cookie": all_cookies(browser, csrf_token="planted")})
    assert answer.headers["set-cookie"].startswith("csrf_token=")
    assert "planted" not in answer.headers["set-cookie"]


def test_bearer_requests_are_given_none(api):
    assert "set-cookie" not in api("student").get(ME).headers


def all_cookies(client, **replaced):
    values = {**{c.name: c.value for c in client.cookies}, **replaced}
    return "; ".join(f"{n}={v}" for n, v in values.items() if v is not None)


# --- the token is missing, different, planted -----------------------------------------------------

def test_without_the_header(browser):
    assert_refused(browser, headers={"sec-fetch-site": "same-origin"})


def test_without_the_cookie(browser):
    token = csrf(browser)
    del browser.cookies["csrf_token"]
    before = all_cookies(browser)
    answer = browser.patch(ME, json={"name": "Changed"}, headers={
        "sec-fetch-site": "same-origin", "x-csrf-token": token, "cookie": before})
    assert_problem(answer, 403, "csrf_failed")
    assert name_of(browser) != "Changed"


@pytest.mark.parametrize("change", [
    lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t + "A", lambda t: t[:-4], lambda t: "",
    lambda t: t.swapcase(), lambda t: "undefined", lambda t: t + "," + t])
def test_a_different_header(browser, change):
    assert_refused(browser, headers={"sec-fetch-site": "same-origin", "x-csrf-token": change(csrf(browser))})


@pytest.mark.parametrize("planted", ["a", "x" * 64, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_a_planted_pair(browser, planted):
    """A sibling domain can set a cookie; equal to the header is not enough."""
    before = name_of(browser)
    answer = browser.patch(ME, json={"name": "Planted"}, headers={
        "sec-fetch-site": "same-origin", "x-csrf-token": planted,
        "cookie": all_cookies(browser, csrf_token=planted)})
    assert_problem(answer, 403, "csrf_failed")
    assert name_of(browser) == before


def test_a_token_of_another_session(browser, new_client, account):
    """An attacker's own genuine token, planted in the victim's browser."""
    other = new_client("browser")
    other.post(LOGIN, json={"email": account["email"], "password": account["password"], "use_cookies": True})
    token = csrf(other)
    before = name_of(browser)
    answer = browser.patch(ME, json={"name": "Planted"}, headers={
        "sec-fetch-site": "same-origin", "x-csrf-token": token, "cookie": all_cookies(browser, csrf_token=token)})
    assert_problem(answer, 403, "csrf_failed")
    assert name_of(browser) == before


def test_the_cookie_twice(browser, instance):
    """Which of two would win is the attacker's choice, so neither does."""
    token = csrf(browser)
    cookies = f"csrf_token={token}; {all_cookies(browser)}"
    answer = raw_request(instance, "PATCH", ME, [
        ("Cookie", cookies), ("Sec-Fetch-Site", "same-origin"), ("X-CSRF-Token", token),
        ("Content-Type", "application/json")], b'{"name":"Twice"}')
    assert answer.status_code in (400, 403), answer.text
    assert name_of(browser) != "Twice"


def test_two_headers(browser, instance):
    answer = raw_request(instance, "PATCH", ME, [
        ("Cookie", all_cookies(browser)), ("Sec-Fetch-Site", "same-origin"), ("X-CSRF-Token", csrf(browser)),
        ("X-CSRF-Token", "other"), ("Content-Type", "application/json")], b'{"name":"Twice"}')
    assert_problem(answer, 400, "bad_request")
    assert name_of(browser) != "Twice"


# --- where it comes from ---------------------------------------------------------------------------

def foreign():
    return ["https://evil.example", "null", "", "http://{host}", "https://{name}", "https://{host}.evil.example",
            "https://evil.example/{host}", "https://user@{host}", "https://{host}@evil.example", "//{host}",
            "https://{name}:1", "https://{host}:443", "file://", "{host}"]


def filled(client, text):
    parts = urllib.parse.urlsplit(client.base_url)
    return text.replace("{host}", parts.netloc).replace("{name}", parts.hostname)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "", "Same-Origin, cross-site", "unknown"])
def test_sec_fetch_site_of_elsewhere(browser, site):
    assert_refused(browser, headers=own(browser, **{"sec-fetch-site": site}))


def test_sec_fetch_site_wins_over_a_good_origin(browser):
    assert_refused(browser, headers=own(browser, **{"sec-fetch-site": "cross-site", "origin": browser.base_url}))


@pytest.mark.parametrize("origin", foreign())
def test_origin_of_elsewhere(browser, origin):
    assert_refused(browser, headers={"x-csrf-token": csrf(browser), "origin": filled(browser, origin)})


def test_origin_wins_over_a_good_referer(browser):
    assert_refused(browser, headers={"x-csrf-token": csrf(browser), "origin": "https://evil.example",
                                     "referer": browser.base_url + "/"})


@pytest.mark.parametrize("referer", foreign())
def test_referer_of_elsewhere(browser, referer):
    assert_refused(browser, headers={"x-csrf-token": csrf(browser), "referer": filled(browser, referer)})


def test_no_word_of_where_it_comes_from(browser):
    assert_refused(browser, headers={"x-csrf-token": csrf(browser)})


@pytest.mark.parametrize("headers", [
    {"x-forwarded-host": "evil.example", "origin": "https://evil.example"},
    {"forwarded": "host=evil.example", "origin": "https://evil.example"}])
def test_forwarded_names_do_not_make_an_origin_ours(browser, headers):
    assert_refused(browser, headers={"x-csrf-token": csrf(browser), **headers})


@pytest.mark.parametrize("method, path", [
    ("POST", LOGOUT), ("PATCH", ME), ("POST", V1 + "/courses"), ("PATCH", V1 + "/org"),
    ("DELETE", V1 + "/courses/01890000-0000-7000-8000-000000000000"),
    ("PUT", V1 + "/org/users/01890000-0000-7000-8000-000000000000/role"), ("POST", REFRESH)])
def test_every_unsafe_method_is_guarded(browser, method, path):
    """Before anything else about the request is looked at: also of those who might not do it anyway."""
    answer = browser.request(method, path, headers={"sec-fetch-site": "cross-site", "x-csrf-token": csrf(browser)})
    assert_problem(answer, 403, "csrf_failed")
    assert browser.get(ME).status_code == 200, "the session has been ended"


# --- refresh and logout by cookie -----------------------------------------------------------------

def test_refresh_by_cookie(browser):
    before = {c.name: c.value for c in browser.cookies}
    answer = browser.post(REFRESH, headers=own(browser))
    assert answer.status_code == 200, answer.text
    after = {c.name: c.value for c in browser.cookies}
    assert set(after) == set(before)
    changed = {n for n in before if after[n] != before[n]}
    assert changed == {n for n in before if "device" not in n}, "every cookie of the session is renewed"
    assert browser.get(ME).status_code == 200
    assert browser.patch(ME, json={"name": "After Refresh"}, headers=own(browser)).status_code == 200


@pytest.mark.parametrize("body", [None, b"{}", b""])
def test_refresh_by_cookie_needs_proof(browser, body):
    kind = {"content-type": "application/json"} if body else {}
    before = {c.name: c.value for c in browser.cookies}
    for headers in ({}, {"sec-fetch-site": "cross-site", "x-csrf-token": csrf(browser)},
                    {"sec-fetch-site": "same-origin"}):
        assert_problem(browser.post(REFRESH, data=body, headers={**kind, **headers}), 403, "csrf_failed")
    assert {c.name: c.value for c in browser.cookies} == before
    assert browser.post(REFRESH, headers=own(browser)).status_code == 200, "the token had been used up"


@pytest.mark.parametrize("body", [b"{ }", b"{    }", b'{"refresh_token":null}', b'{"refresh_token":""}',
                                  b'{"refresh_token":"x"}', b"[]", b"null"])
def test_a_longer_body_is_no_way_around(browser, body):
    """With a body the cookie is not used, so nothing can be done with it without proof."""
    answer = browser.post(REFRESH, data=body, headers={"content-type": "application/json"})
    assert answer.status_code in (401, 403, 422), answer.text
    assert "set-cookie" not in answer.headers
    assert browser.post(REFRESH, headers=own(browser)).status_code == 200


def test_refresh_by_body_needs_no_proof_and_sets_no_cookies(new_client, account):
    client = new_client()
    given = client.post(LOGIN, json={"email": account["email"], "password": account["password"]}).json()["data"]
    answer = client.post(REFRESH, json={"refresh_token": given["refresh_token"]},
                         headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200 and "set-cookie" not in answer.headers


def test_logout_clears_the_cookies(browser):
    names = {c.name for c in browser.cookies}
    answer = browser.post(LOGOUT, headers=own(browser))
    assert answer.status_code == 204
    lines = answer.raw.headers.getlist("set-cookie")
    # All but the one that makes the browser known: it opens nothing.
    assert {line.split("=", 1)[0] for line in lines} == {n for n in names if "device" not in n}
    assert all("max-age=0" in line.lower() and line.split("=", 1)[1].startswith(";") for line in lines)
    assert {c.name for c in browser.cookies} == {"__Host-lectern_device"}
    assert_problem(browser.get(ME), 401, "unauthenticated")


def test_cookies_of_a_session_that_has_ended(browser):
    kept = all_cookies(browser)
    browser.post(LOGOUT, headers=own(browser))
    assert_problem(browser.get(ME, headers={"cookie": kept}), 401, "session_ended")


def test_login_by_another_sites_form_is_no_way_in(new_client, account):
    """A form cannot send JSON: text/plain with JSON in it is refused, so no session is planted."""
    client = new_client()
    body = '{"email":"%s","password":"%s","use_cookies":true}' % (account["email"], account["password"])
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = client.post(LOGIN, data=body.encode(), headers={"content-type": kind})
        assert_problem(answer, 415, "unsupported_media_type")
        assert "set-cookie" not in answer.headers
