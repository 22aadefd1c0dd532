"""Rate limits: exact over workers and pools, told in every answer, keyed by address, account and user."""
import concurrent.futures
import re
import time
import uuid

import pytest

from lib_gates import ME, V1, assert_problem, bearer, person, registered
from lib_pool import pools

JWKS = "/.well-known/jwks.json"
SERVICE = "service-token-of-the-tests-0123456789abcdef"
HUGE = {n: "1000000" for n in ("GLOBAL_RATE_LIMIT", "GLOBAL_MUTATION_RATE_LIMIT", "DEFAULT_READ_LIMIT",
                               "DEFAULT_MUTATION_LIMIT", "AUTH_RATE_LIMIT", "ADMIN_READ_LIMIT")}


@pytest.fixture(scope="module")
def pool_of(instance):
    with pools(instance) as make:
        yield lambda shared=None, **settings: make(shared or uuid.uuid4().hex, **{**HUGE, **settings})


_addresses = iter(f"10.{a}.{b}.7" for a in range(256) for b in range(256))


def burst(asks, threads=12):
    """The answers to all of them, sent at once."""
    with concurrent.futures.ThreadPoolExecutor(threads) as crowd:
        return list(crowd.map(lambda ask: ask(), asks))


def statuses(replies):
    return {s: sum(r.status_code == s for r in replies) for s in {r.status_code for r in replies}}


# --- exactly the limit passes -------------------------------------------------------------------

@pytest.mark.parametrize("workers", [1, 4])
def test_exactly_sixty_of_sixty_pass(pool_of, api, workers):
    pool = pool_of(workers=workers, DEFAULT_READ_LIMIT="60")
    who = bearer(api("teacher"))
    replies = burst([lambda: pool.ask("GET", ME, who)] * 90)
    assert statuses(replies) == {200: 60, 429: 30}
    assert sorted(int(r.headers["x-rate-limit-remaining"]) for r in replies if r.status_code == 200) == list(range(60))
    assert {r.headers["x-rate-limit-remaining"] for r in replies if r.status_code == 429} == {"0"}
    # Another user has a window of their own.
    assert pool.ask("GET", ME, bearer(api("student"))).headers["x-rate-limit-remaining"] == "59"


def test_two_pools_count_together(pool_of):
    shared = uuid.uuid4().hex
    both = [pool_of(shared, name=name, workers=2, DEFAULT_READ_LIMIT="60") for name in ("api", "auth")]
    address = next(_addresses)
    asks = [lambda pool=pool: pool.ask("GET", JWKS, address=address) for pool in both] * 45
    assert statuses(burst(asks)) == {200: 60, 429: 30}


def test_a_new_worker_does_not_forget(pool_of):
    import os
    import signal
    from lib_pool import wait_until
    pool = pool_of(workers=2, DEFAULT_READ_LIMIT="10")
    address = next(_addresses)
    assert statuses([pool.ask("GET", JWKS, address=address) for _ in range(10)]) == {200: 10}
    old = set(pool.worker_pids())
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(pool.worker_pids()) - old) == 2)
    assert pool.ask("GET", JWKS, address=address).status_code == 429


def test_a_window_ends(pool_of):
    pool = pool_of(DEFAULT_READ_LIMIT="3", DEFAULT_READ_WINDOW_MS="1500")
    address = next(_addresses)
    began = time.monotonic()
    replies = [pool.ask("GET", JWKS, address=address) for _ in range(5)]
    assert [r.status_code for r in replies] == [200, 200, 200, 429, 429]
    wait = int(replies[-1].headers["retry-after"])
    assert wait in (1, 2)
    time.sleep(max(0.0, began + 1.6 - time.monotonic()))
    assert pool.ask("GET", JWKS, address=address).status_code == 200


# --- what is said -----------------------------------------------------------------------------------

def check_families(reply, name, limit, window, remaining):
    h = reply.headers
    assert h["x-rate-limit-limit"] == str(limit) and h["x-rate-limit-remaining"] == str(remaining)
    reset = int(h["x-rate-limit-reset"]) - time.time()
    assert -1 <= reset <= window + 1
    assert h["ratelimit-policy"] == f'"{name}";q={limit};w={window}'
    found = re.fullmatch(r'"([a-z_]+)";r=(\d+);t=(\d+)', h["ratelimit"])
    assert found and found[1] == name and int(found[2]) == remaining and abs(int(found[3]) - reset) <= 2


def test_both_families_of_headers(pool_of, api):
    pool = pool_of(DEFAULT_READ_LIMIT="5", DEFAULT_READ_WINDOW_MS="60000", DEFAULT_MUTATION_LIMIT="7")
    who = bearer(api("teacher", "northside"))
    for left in (4, 3):
        check_families(pool.ask("GET", ME, who), "default_read", 5, 60, left)
    # Refusals of every kind are limited answers too.
    check_families(pool.ask("GET", V1 + "/courses?nope=1", who), "default_read", 5, 60, 2)
    check_families(pool.ask("GET", f"{V1}/courses/{uuid.uuid4()}", who), "default_read", 5, 60, 1)
    check_families(pool.ask("POST", V1 + "/courses", who, {"x": 1}), "default_mutation", 7, 60, 6)
    check_families(pool.ask("HEAD", ME, who), "default_read", 5, 60, 0)
    check_families(pool.ask("GET", ME, who), "default_read", 5, 60, 0)


def test_a_refusal(pool_of, api):
    pool = pool_of(DEFAULT_MUTATION_LIMIT="2", DEFAULT_MUTATION_WINDOW_MS="60000")
    admin = api("admin")
    who = bearer(admin)
    name = admin.get(ME).json()["data"]["name"]
    for _ in range(2):
        assert pool.ask("PATCH", ME, who, {"name": name}).status_code == 200
    reply = pool.ask("PATCH", ME, who, {"name": "Over The Limit"})
    assert_problem(reply, 429, "rate_limited")
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert abs(int(reply.headers["retry-after"]) - (int(reply.headers["x-rate-limit-reset"]) - time.time())) <= 2
    assert reply.headers["cache-control"] == "private, no-store"
    assert admin.get(ME).json()["data"]["name"] == name
    # Reading is another class.
    assert pool.ask("GET", ME, who).status_code == 200


def test_refusals_are_counted(pool_of, instance):
    pool = pool_of(DEFAULT_READ_LIMIT="1")
    address = next(_addresses)
    for _ in range(4):
        pool.ask("GET", JWKS, address=address)
    page = pool.ask("GET", "/metrics", {"authorization": "Bearer " + instance["metrics"]["bearer_token"]}).text
    found = re.findall(r'^\w*rate_limit_hits_total\{[^}]*class="default_read"[^}]*\} (\d+)$', page, re.M)
    assert found == ["3"], page


def test_health_and_metrics_are_not_limited(pool_of, instance):
    pool = pool_of(GLOBAL_RATE_LIMIT="1")
    for _ in range(3):
        reply = pool.ask("GET", V1 + "/health/live")
        assert reply.status_code == 200 and "x-rate-limit-limit" not in reply.headers


# --- the keys -------------------------------------------------------------------------------------------

def test_every_request_of_an_address(pool_of, api):
    pool = pool_of(GLOBAL_RATE_LIMIT="4")
    address, users = next(_addresses), [bearer(api(r)) for r in ("teacher", "student", "admin", "parent")]
    assert statuses([pool.ask("GET", ME, who, address=address) for who in users]) == {200: 4}
    reply = pool.ask("GET", ME, bearer(api("operator")), address=address)
    assert_problem(reply, 429, "rate_limited")
    assert reply.headers["ratelimit-policy"].startswith('"global"')
    assert pool.ask("GET", ME, users[0], address=next(_addresses)).status_code == 200


def test_every_mutation_of_an_address(pool_of, api):
    pool = pool_of(GLOBAL_MUTATION_RATE_LIMIT="2")
    address = next(_addresses)
    for role in ("teacher", "admin"):
        assert pool.ask("POST", V1 + "/courses", bearer(api(role)), {}, address=address).status_code == 422
    reply = pool.ask("POST", V1 + "/courses", bearer(api("operator")), {}, address=address)
    assert_problem(reply, 429, "rate_limited")
    assert reply.headers["ratelimit-policy"].startswith('"global_mutation"')
    assert pool.ask("GET", ME, bearer(api("operator")), address=address).status_code == 200


def test_strangers_are_counted_before_their_token_is_looked_at(pool_of):
    pool = pool_of(GLOBAL_RATE_LIMIT="3")
    address = next(_addresses)
    replies = [pool.ask("GET", ME, {"authorization": f"Bearer {i}"}, address=address) for i in range(5)]
    assert [r.status_code for r in replies] == [401, 401, 401, 429, 429]


def test_sign_in_is_limited_by_address(pool_of):
    pool = pool_of(name="auth", AUTH_RATE_LIMIT="3")
    address = next(_addresses)

    def enter(**more):
        return pool.ask("POST", V1 + "/auth/login", body={"email": person()["email"], "password": "wrong one 1"}, **more)
    assert [enter(address=address).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert enter(address=next(_addresses)).status_code == 401
    # Registering and refreshing are the same class.
    for path in ("/auth/register", "/auth/refresh"):
        assert pool.ask("POST", V1 + path, body={}, address=address).status_code == 429


def test_sign_in_is_limited_by_account_over_many_addresses(pool_of, anon):
    pool = pool_of(name="auth", AUTH_RATE_LIMIT="4")
    account = registered(anon)

    def enter(email, password="wrong one 1"):
        return pool.ask("POST", V1 + "/auth/login", body={"email": email, "password": password}, address=next(_addresses))
    spellings = [account["email"], account["email"].upper(), account["email"].title(), account["email"]]
    assert [enter(e).status_code for e in spellings] == [401] * 4
    for email in spellings:
        assert_problem(enter(email), 429, "rate_limited")
    assert enter(account["email"], account["password"]).status_code == 429, "the right password is tried, too"
    assert enter(person()["email"]).status_code == 401


def test_an_unknown_account_is_limited_like_a_known_one(pool_of):
    """Otherwise the limit would tell which addresses exist."""
    pool = pool_of(name="auth", AUTH_RATE_LIMIT="2")
    email = person()["email"]
    replies = [pool.ask("POST", V1 + "/auth/login", body={"email": email, "password": "wrong one 1"},
                        address=next(_addresses)) for _ in range(3)]
    assert [r.status_code for r in replies] == [401, 401, 429]


def test_ipv6_is_counted_by_its_64(pool_of):
    pool = pool_of(DEFAULT_READ_LIMIT="3")
    net = "2001:db8:%x:%x" % (uuid.uuid4().int & 0xffff, uuid.uuid4().int & 0xffff)
    inside = [f"{net}::1", f"{net}:ffff:ffff:ffff:ffff", f"{net}:0:0:0:2", f"{net}::dead:beef"]
    assert [pool.ask("GET", JWKS, address=a).status_code for a in inside] == [200, 200, 200, 429]
    other = net[:-1] + ("0" if net[-1] != "0" else "1")
    assert pool.ask("GET", JWKS, address=f"{other}::1").status_code == 200


def test_a_mapped_address_is_the_v4_one(pool_of):
    pool = pool_of(DEFAULT_READ_LIMIT="2")
    address = next(_addresses)
    assert pool.ask("GET", JWKS, address=address).status_code == 200
    assert pool.ask("GET", JWKS, address=f"::ffff:{address}").status_code == 200
    assert pool.ask("GET", JWKS, address=address).status_code == 429
    assert pool.ask("GET", JWKS, address=f"::ffff:{next(_addresses)}").status_code == 200


def test_a_header_is_no_address(pool_of, instance):
    """Neither here nor at nginx, which trusts no proxy unless it is told to."""
    pool = pool_of(DEFAULT_READ_LIMIT="2")
    address = next(_addresses)
    names = ("x-forwarded-for", "x-real-ip", "forwarded", "client-ip", "true-client-ip")
    replies = [pool.ask("GET", JWKS, {n: f"192.0.2.{i}" for n in names}, address=address) for i in range(3)]
    assert [r.status_code for r in replies] == [200, 200, 429]


# --- those who pass -----------------------------------------------------------------------------------------

def test_internal_callers_pass(pool_of, api):
    pool = pool_of(DEFAULT_READ_LIMIT="1", GLOBAL_RATE_LIMIT="1", SERVICE_TOKEN=SERVICE,
                   RATE_LIMIT_BYPASS_CIDRS="192.0.2.0/24,2001:db8:99::/48")
    who = bearer(api("teacher"))
    for address in ("192.0.2.9", "2001:db8:99::5"):
        with_token = [pool.ask("GET", ME, {**who, "x-service-token": SERVICE}, address=address) for _ in range(5)]
        assert statuses(with_token) == {200: 5}
    outside = next(_addresses)
    assert pool.ask("GET", ME, {**who, "x-service-token": SERVICE}, address=outside).status_code == 200
    for headers, address in (({"x-service-token": SERVICE}, outside), ({}, outside)):
        assert pool.ask("GET", ME, {**who, **headers}, address=address).status_code == 429
    # The right address with no token or another one: as everyone.
    for i, token in enumerate(({}, {"x-service-token": SERVICE[:-1]}, {"x-service-token": SERVICE + "x"},
                               {"x-service-token": ""})):
        replies = [pool.ask("GET", JWKS, token, address=f"192.0.2.{20 + i}") for _ in range(2)]
        assert [r.status_code for r in replies] == [200, 429], token


def test_the_service_token_is_no_credential(pool_of):
    pool = pool_of(SERVICE_TOKEN=SERVICE, RATE_LIMIT_BYPASS_CIDRS="192.0.2.0/24")
    for headers in ({"x-service-token": SERVICE}, {"authorization": "Bearer " + SERVICE}):
        assert pool.ask("GET", ME, headers, address="192.0.2.9").status_code == 401


def test_without_a_service_token_nobody_passes(pool_of):
    pool = pool_of(DEFAULT_READ_LIMIT="1", RATE_LIMIT_BYPASS_CIDRS="0.0.0.0/0", SERVICE_TOKEN="")
    address = next(_addresses)
    replies = [pool.ask("GET", JWKS, {"x-service-token": ""}, address=address) for _ in range(2)]
    assert [r.status_code for r in replies] == [200, 429]


# --- through nginx ------------------------------------------------------------------------------------------

def test_the_limits_in_force_are_listed(api):
    data = api("operator").get(V1 + "/health/details").json()["data"]
    classes = {x["name"]: (x["count"], x["window_ms"]) for x in data["rate_limits"]}
    assert {"global", "global_mutation", "auth", "default_read", "default_mutation", "destructive",
            "announcements_create", "admin_read", "messages", "upload", "grading"} <= set(classes)
    assert all(count >= 1 and window >= 100 for count, window in classes.values())


def test_nginx_passes_the_headers_of_limits(api):
    answer = api("student").get(ME)
    for name in ("x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit", "ratelimit-policy"):
        assert name in answer.headers


def test_a_header_is_no_address_at_nginx(api):
    """Two requests of one user count in one window, whoever they say they are."""
    client = api("student", index=1)
    left = [int(client.get(V1 + "/org", headers={"x-forwarded-for": f"192.0.2.{i}", "forwarded": "for=192.0.2.9"})
                .headers["x-rate-limit-remaining"]) for i in range(2)]
    assert left[1] == left[0] - 1
