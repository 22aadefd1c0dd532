"""What docs/operations/secret-rotation.md says of users: a pool with a new secret beside the instance's own."""
import os
import uuid

import pytest

from lib_gates import ME, V1, assert_problem, registered
from lib_pool import pools

LIST = V1 + "/org/users"


@pytest.fixture
def renewed(instance):
    """renewed("SIGNING_SECRET") → a pool whose secret of that name is another one"""
    with pools(instance) as make:
        yield lambda name: make(uuid.uuid4().hex, name="auth", workers=1, AUTH_RATE_LIMIT="1000",
                                **{name + "_FILE": "", name: os.urandom(32).hex()})


def test_a_new_refresh_secret_ends_refreshing_and_nothing_before(renewed, anon):
    account = registered(anon)
    given = anon.post(V1 + "/auth/login", json=account).json()["data"]
    bearer = {"authorization": "Bearer " + given["access_token"]}
    pool = renewed("JWT_REFRESH_SECRET")
    assert pool.ask("GET", ME, bearer).status_code == 200
    answer = pool.ask("POST", V1 + "/auth/refresh", body={"refresh_token": given["refresh_token"]})
    assert_problem(answer, 401, "refresh_token_invalid")
    assert pool.ask("GET", ME, bearer).status_code == 200, "the session is left alone"
    again = pool.ask("POST", V1 + "/auth/login", body=account).json()["data"]
    assert pool.ask("POST", V1 + "/auth/refresh", body={"refresh_token": again["refresh_token"]}).status_code == 200


def test_a_new_signing_secret_ends_cursors_and_csrf_tokens_but_no_session(renewed, api, new_client):
    admin = api("admin")
    cursor = admin.get(LIST, params={"limit": 1}).json()["page"]["next_cursor"]
    browser = new_client("browser")
    browser.post(V1 + "/auth/login", json={**registered(browser), "use_cookies": True})
    cookies = "; ".join(f"{c.name}={c.value}" for c in browser.cookies)
    held = {"cookie": cookies, "x-csrf-token": browser.cookies["csrf_token"], "sec-fetch-site": "same-origin"}
    pool = renewed("SIGNING_SECRET")
    bearer = {"authorization": admin.headers["authorization"]}
    assert pool.ask("GET", f"{LIST}?limit=1", bearer).status_code == 200
    assert_problem(pool.ask("GET", f"{LIST}?limit=1&cursor={cursor}", bearer), 422, "validation_failed",
                   [("/query/cursor", "cursor")])
    assert_problem(pool.ask("PATCH", ME, held, {"locale": "de"}), 403, "csrf_failed")
    read = pool.ask("GET", ME, {"cookie": cookies})
    assert read.status_code == 200, "the session holds"
    fresh = [v.split(";")[0].partition("=")[2] for n, v in read.fields if n == "set-cookie" and v.startswith("csrf_token=")]
    assert fresh, "a read gives a new token"
    cookies = "; ".join(f"{c.name}={c.value}" for c in browser.cookies if c.name != "csrf_token")
    held = {**held, "cookie": f"{cookies}; csrf_token={fresh[0]}", "x-csrf-token": fresh[0]}
    assert pool.ask("PATCH", ME, held, {"locale": "de"}).status_code == 200
