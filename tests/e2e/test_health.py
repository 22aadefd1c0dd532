"""Is it alive, is it ready, how is it doing; and the documents that it serves of itself."""
import json
import pathlib
import re
import time

import pytest

from lib_domain import data, refused
from lib_pool import pools, settings_of

TREE = pathlib.Path(__file__).resolve().parents[2]
CHECKS = {"database", "schema", "row_level_security", "shared_tables"}


@pytest.mark.parametrize("probe", ["", "/ready", "/startup"])
def test_ready(anon, probe):
    answer = anon.get("/api/v1/health" + probe)
    found = data(answer)
    assert found["status"] == "up"
    assert {c["name"]: c["status"] for c in found["checks"]} == dict.fromkeys(CHECKS, "up")
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", found["version"])
    assert set(found) == {"status", "version", "checks"}
    assert "no-store" in answer.headers["cache-control"]


def test_live_asks_nothing(anon):
    found = data(anon.get("/api/v1/health/live"))
    assert found["status"] == "up" and found["checks"] == []


@pytest.mark.parametrize("path", ["/api/health", "/api/health/ready", "/api/health/live"])
def test_without_a_version(anon, path):
    assert data(anon.get(path))["status"] == "up"


def test_probes_are_not_limited(anon):
    answer = anon.get("/api/v1/health/ready")
    assert not [h for h in answer.headers if h.lower().startswith(("x-rate-limit", "ratelimit"))]


def test_head_and_options(anon):
    answer = anon.head("/api/v1/health/ready")
    assert answer.status_code == 200 and answer.content == b""
    answer = anon.options("/api/v1/health/ready")
    assert answer.status_code in (200, 204) and "GET" in answer.headers["allow"]


def test_unknown_query(anon):
    assert anon.get("/api/v1/health", params={"deep": 1}).status_code == 422


# --- details -----------------------------------------------------------------------------------------

def test_details_for_operators_only(anon, api):
    refused(anon.get("/api/v1/health/details"), 401, "unauthenticated")
    for role in ("student", "teacher", "parent", "admin"):
        refused(api(role).get("/api/v1/health/details"), 403, "forbidden")


def test_details(api, instance):
    answer = api("operator").get("/api/v1/health/details")
    found = data(answer)
    assert found["status"] == "up" and found["pool"] == "api"
    assert {c["name"]: c["status"] for c in found["checks"]}.items() >= {"database": "up", "schema": "up"}.items()
    assert found["requests_in_flight"] >= 1 and found["database_connections"] >= 1
    settings = settings_of(instance)
    limits = {l["name"]: l for l in found["rate_limits"]}
    assert len(limits) == len(found["rate_limits"])
    table = (TREE / "fcgi/base/settings.def").read_text()
    windows = re.findall(r"^SETTING\(([A-Z_]+)_WINDOW_MS,", table, re.M)
    assert len(limits) == len(windows) > 25, "every class is listed"
    assert limits["auth"]["count"] == int(settings.get("AUTH_RATE_LIMIT", 10))
    assert limits["auth"]["window_ms"] == int(settings.get("AUTH_RATE_WINDOW_MS", 60000))
    envs = {e["name"]: e["present"] for e in found["required_envs"]}
    needed = re.findall(r"^SETTING\(([A-Z_]+),.*\b(?:SET_REQUIRED|SET_PRODUCTION)\b", table, re.M)
    assert set(envs) == set(needed) >= {"JWT_KEYSET", "JWT_REFRESH_SECRET", "SIGNING_SECRET"}
    assert all(envs[name] for name in needed if name in settings or name + "_FILE" in settings)


def test_details_tell_no_secret(api, instance):
    text = api("operator").get("/api/v1/health/details").text
    settings = settings_of(instance)
    for name, value in settings.items():
        if re.search("URL|SECRET|TOKEN|KEY", name) and name != "APP_URL":
            assert value not in text, name
        if name.endswith("_FILE"):
            assert pathlib.Path(value).read_text().strip() not in text, name
    assert settings["SHARED_DIR"] not in text


# --- when the database is away ----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def make_pool(instance):
    with pools(instance) as make:
        yield make


@pytest.fixture(scope="module")
def cut_off(make_pool):
    """Workers whose database is a port on which nobody listens"""
    return make_pool(workers=1, DATABASE_URL="postgresql://lectern_app:hunter2@127.0.0.1:1/lectern")


@pytest.mark.parametrize("probe", ["", "/ready", "/startup"])
def test_not_ready_without_the_database(cut_off, probe):
    begun = time.monotonic()
    answer = cut_off.ask("GET", "/api/v1/health" + probe)
    assert time.monotonic() - begun < 5
    assert answer.status_code == 503
    found = answer.json()["data"]
    checks = {c["name"]: c["status"] for c in found["checks"]}
    assert found["status"] == "down"
    assert checks == {"database": "down", "schema": "down", "row_level_security": "down", "shared_tables": "up"}
    for word in ("127.0.0.1", "lectern_app", "hunter2", "postgresql", "refused", "port"):
        assert word not in answer.text


def test_alive_without_the_database(cut_off):
    assert cut_off.ask("GET", "/api/v1/health/live").json()["data"]["status"] == "up"
    assert cut_off.ask("GET", "/api/v1/openapi.json").status_code == 200
    assert cut_off.ask("GET", "/.well-known/jwks.json").json()["keys"]


def test_others_say_503_and_when_to_come_back(cut_off, api):
    token = api("teacher").headers["authorization"]
    for method, uri, body in (("GET", "/api/v1/courses", b""), ("POST", "/api/v1/courses", {"title": "T"}),
                              ("GET", "/api/v1/users/me", b"")):
        answer = cut_off.ask(method, uri, {"authorization": token}, body)
        assert answer.status_code == 503
        assert answer.json()["code"] == "service_unavailable" and int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error_id"]
        for word in ("127.0.0.1", "hunter2", "refused"):
            assert word not in answer.text
    assert "hunter2" not in cut_off.log.read_text()


def test_a_pool_that_reaches_it_is_ready(make_pool):
    """The same start, with the instance's database: what the tests above see is the database's absence"""
    assert make_pool(shared="two", workers=1).ask("GET", "/api/v1/health/ready").status_code == 200


# --- documents ------------------------------------------------------------------------------------------------

def test_the_openapi_document_is_the_emitted_one(anon):
    answer = anon.get("/api/v1/openapi.json")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("application/json")
    assert answer.json() == json.loads((TREE / "docs/api/openapi.json").read_text())
    assert answer.json()["openapi"].startswith("3.1.")
    assert "public" in answer.headers["cache-control"]
    assert anon.get("/api/openapi.json").json() == answer.json()


def test_every_documented_path_is_there(anon):
    """None of them is unknown, and what the document calls public needs no one to sign in"""
    for path, methods in anon.get("/api/v1/openapi.json").json()["paths"].items():
        for method in set(methods) & {"get", "post", "put", "patch", "delete"}:
            uri = re.sub(r"\{[a-z_]+\}", "00000000-0000-7000-8000-000000000000", path)
            answer = anon.options(uri)
            assert answer.status_code in (200, 204), (method, uri, answer.status_code)
            assert method.upper() in answer.headers["allow"]


def test_the_documentation_page(anon):
    page = anon.get("/api/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert any("swagger-ui-bundle.js" in p for p in parts)
    assert all(p.startswith("/") and not p.startswith("//") for p in parts), "nothing comes from elsewhere"
    for part in parts:
        answer = anon.get(part)
        assert answer.status_code == 200 and answer.content, part
        kind = answer.headers["content-type"]
        assert ("javascript" in kind) == part.endswith(".js") and ("css" in kind) == part.endswith(".css")
    assert "<script>" not in page.text and "style=" not in page.text
