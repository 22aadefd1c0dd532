"""What nginx does by itself: seen with an nginx of its own before a responder that tells all."""
import json
import re
import socket
import ssl
import subprocess

import pytest

WORKER_SETTINGS = """\
CORS_ALLOWED_ORIGINS=https://app.example,https://two.example:8443
CORS_ALLOWED_METHODS=GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS
CORS_ALLOWED_HEADERS=authorization,content-type,idempotency-key
CORS_ALLOW_CREDENTIALS=0
CORS_MAX_AGE_SECONDS=600
COEP=0
TRACE_HEADER_NAME=
ADMIN_ALLOWED_CIDRS=
METRICS_ALLOWED_IPS=
"""
# Limits out of the way of the tests that are not about them.
WIDE = "EDGE_RATE=10000\nEDGE_BURST=10000\nEDGE_SIGNIN_RATE=1000\nEDGE_SIGNIN_BURST=1000\n"

EVERYWHERE = {
    "content-security-policy": r".*default-src 'self'.*frame-ancestors 'none'.*",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "strict-transport-security": r"max-age=\d+.*",
    "referrer-policy": ".+",
    "permissions-policy": ".+",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-xss-protection": "0",
    "x-request-id": r"[A-Za-z0-9._-]{1,128}",
}


@pytest.fixture(scope="module")
def edge(new_edge):
    return new_edge(WORKER_SETTINGS, WIDE + "EDGE_READ_TIMEOUT=1s\n")


@pytest.fixture(scope="module")
def strict(new_edge):
    """Small limits, lists of addresses, a trusted proxy, another header for the request's id."""
    settings = WORKER_SETTINGS.replace("TRACE_HEADER_NAME=", "TRACE_HEADER_NAME=X-Trace-Id")
    settings = settings.replace("COEP=0", "COEP=1")
    settings = settings.replace("CORS_ALLOW_CREDENTIALS=0", "CORS_ALLOW_CREDENTIALS=1")
    settings = settings.replace("ADMIN_ALLOWED_CIDRS=", "ADMIN_ALLOWED_CIDRS=192.0.2.0/24")
    settings = settings.replace("METRICS_ALLOWED_IPS=", "METRICS_ALLOWED_IPS=192.0.2.7")
    return new_edge(settings, "EDGE_RATE=1\nEDGE_BURST=4\nEDGE_SIGNIN_RATE=1\nEDGE_SIGNIN_BURST=1\n"
                    "EDGE_ADMIN_RATE=1\nEDGE_ADMIN_BURST=2\nTRUSTED_PROXIES=127.0.0.1,::1\n"
                    "FRAME_SOURCES=https://player.example\n")


def raw(edge, data, tls=True):
    """Send bytes over HTTP/1.1 and read to the end."""
    port = edge.port if tls else edge.http_port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        context = ssl.create_default_context(cafile=edge.ca)
        conn = context.wrap_socket(plain, server_hostname="localhost") if tls else plain
        conn.sendall(data)
        answer = b""
        try:
            while part := conn.recv(65536):
                answer += part
        except (ConnectionResetError, ssl.SSLEOFError):
            pass
    return answer


def raw_answer(edge, data, tls=True):
    from conftest import Answer
    return Answer(raw(edge, data, tls))


def assert_headers(answer, plain=False):
    for name, pattern in EVERYWHERE.items():
        value = answer.header(name)
        if plain and name == "strict-transport-security":
            assert value is None
            continue
        assert value is not None, f"{name} is missing on {answer.status}"
        assert re.fullmatch(pattern, value), f"{name}: {value}"
    assert not re.search(r"\d", answer.header("server") or "")
    assert answer.header("x-powered-by") is None


def assert_problem(answer, status, code):
    assert answer.status == status
    assert answer.header("content-type") == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == "urn:lectern:error:" + code
    assert body["title"] and body["detail"]
    assert body["request_id"] == answer.header("x-request-id")
    assert ("error_id" in body) == (status >= 500)
    assert answer.header("cache-control") == "no-store"
    assert_headers(answer)


# --- headers and errors ------------------------------------------------------------------------

@pytest.mark.parametrize("path,status", [
    ("/", 200), ("/style.css", 200), ("/health.js", 200), ("/icon.svg", 200), ("/nothing", 404),
    ("/api/docs", 200), ("/api/docs/init.js", 200), ("/api/docs/swagger-ui.css", 200),
    ("/api/docs/nothing", 404), ("/api/v1/courses", 200), ("/api/v1/courses/refused", 422),
    ("/.well-known/jwks.json", 200), ("/metrics", 200), ("/api/v1/admin/audit-logs", 200),
    ("/api/v1/auth/login", 200), ("/api", 404), ("/api/v7/courses", 404), ("/_problem/404", 404),
    ("/_page/404", 404)])
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_headers_on_every_answer(edge, path, status, version):
    answer = edge.request("GET", path, args=[version])
    assert answer.status == status
    assert answer.protocol == ("HTTP/2" if version == "--http2" else "HTTP/1.1")
    assert_headers(answer)


def test_head_answers_where_get_does(edge):
    for path in ("/", "/api/docs", "/api/v1/courses", "/nothing", "/api/v7"):
        got = edge.request("GET", path)
        head = edge.curl("--head", edge.url + path)
        assert (head.status, head.body) == (got.status, b"")
        assert_headers(head)


def test_unknown_version_is_a_problem(edge):
    for path in ("/api", "/api/v2", "/api/v2/courses", "/api/v10/courses"):
        assert_problem(edge.request("GET", path), 404, "route_unknown")


def test_error_outside_api_is_a_page(edge):
    answer = edge.request("GET", "/nothing")
    assert answer.status == 404
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("x-request-id").encode() in answer.body
    assert b"<script" not in answer.body and b"style=" not in answer.body


def test_method_not_allowed_on_a_file(edge):
    answer = edge.request("POST", "/", data=b"x")
    assert answer.status == 405
    assert answer.header("allow") == "GET, HEAD"
    assert_headers(answer)


def test_trace_is_refused(edge):
    answer = edge.request("TRACE", "/api/v1/courses")
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.header("allow")


def test_body_too_large(edge):
    answer = edge.request("POST", "/api/v1/too-large", data=b"x" * (2 * 1024 * 1024 + 1))
    assert_problem(answer, 413, "payload_too_large")
    assert "/api/v1/too-large" not in edge.pools["api"].calls
    size = edge.request("POST", "/api/v1/sized", data=b"x" * (2 * 1024 * 1024))
    assert size.json()["body_bytes"] == 2 * 1024 * 1024


def test_chunked_body_gets_its_length(edge):
    answer = edge.request("POST", "/api/v1/sized", args=["--http1.1", "-H", "Transfer-Encoding: chunked"],
                          data=b"12345")
    assert answer.params("CONTENT_LENGTH") == ["5"]
    assert answer.params("HTTP_TRANSFER_ENCODING") == []


def test_chunked_body_too_large(edge):
    answer = edge.request("POST", "/api/v1/big", args=["--http1.1", "-H", "Transfer-Encoding: chunked"],
                          data=b"x" * (3 * 1024 * 1024))
    assert_problem(answer, 413, "payload_too_large")
    assert "/api/v1/big" not in edge.pools["api"].calls


@pytest.mark.parametrize("data,status,code", [
    (b"GET\r\n\r\n", 400, "bad_request"),
    (b"GET /api/v1/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"),
    (b"GET /api/v1/x HTTP/1.1\r\n\r\n", 400, "bad_request"),
    (b"GET /api/v1/x HTTP/3.7\r\nHost: localhost\r\n\r\n", 505, "bad_request"),
    (b"GET /api/v1/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
    (b"GET /api/v1/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
    (b"GET /api/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
    (b"POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400,
     "bad_request"),
    (b"POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400, "bad_request"),
    (b"POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501,
     "method_not_allowed"),
    (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "bad_request"),
    (b"GET /api/v1/x HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 17000 + b"\r\n\r\n", 431, "bad_request"),
])
def test_malformed_requests_are_problems(edge, data, status, code):
    assert_problem(raw_answer(edge, data), status, code)


def test_plain_request_on_the_tls_port(edge):
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as conn:
        conn.sendall(b"GET /api/v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := conn.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"bad_request"' in answer
    assert b"strict-transport-security" not in answer.lower()


def test_worker_that_dies_gives_bad_gateway(edge):
    answer = edge.request("POST", "/api/v1/crash", data=b"{}")
    assert_problem(answer, 502, "bad_gateway")
    assert edge.logged(answer.header("x-request-id"))[0]["error_id"] == answer.json()["error_id"]


@pytest.mark.parametrize("method,tries", [
    ("GET", 2), ("OPTIONS", 2), ("POST", 1), ("PUT", 1), ("PATCH", 1), ("DELETE", 1)])
def test_only_safe_methods_are_tried_again(edge, method, tries):
    path = f"/api/v1/{method.lower()}/crash"
    assert edge.request(method, path).status == 502
    assert edge.pools["api"].calls[path] == tries


def test_absent_workers_give_bad_gateway_and_leave_no_query_in_logs(edge):
    edge.pools["api"].stop()
    try:
        assert_problem(edge.request("GET", "/api/v1/courses?token=marked-secret-1"), 502, "bad_gateway")
        assert_problem(edge.request("POST", "/api/v1/courses?token=marked-secret-2"), 502, "bad_gateway")
        assert edge.request("GET", "/").status == 200
    finally:
        edge.pools["api"].start()
    assert "marked-secret" not in edge.logs()


def test_slow_worker_gives_gateway_timeout(edge):
    assert_problem(edge.request("POST", "/api/v1/slow"), 504, "timeout")


def test_problem_of_the_worker_passes(edge):
    answer = edge.request("GET", "/api/v1/refused")
    assert (answer.status, answer.json()) == (422, {"code": "validation_failed"})
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("x-rate-limit-remaining") == "7"
    assert answer.header("x-request-id") != "of-the-worker"
    assert answer.header("x-frame-options") == "DENY"


# --- the request's id -----------------------------------------------------------------------------

@pytest.mark.parametrize("sent", ["a", "A-b_c.9", "x" * 128])
def test_valid_request_id_is_kept(edge, sent):
    answer = edge.request("GET", "/api/v1/x", args=["-H", "X-Request-Id: " + sent])
    assert answer.header("x-request-id") == sent
    assert answer.params("REQUEST_ID") == [sent]
    assert answer.params("HTTP_X_REQUEST_ID") == []
    assert edge.logged(sent)[0]["path"] == "/api/v1/x"


@pytest.mark.parametrize("sent", ["x" * 129, "a b", "a/b", "ä", '"', "a;b", "{}", "a\tb"])
def test_invalid_request_id_is_replaced(edge, sent):
    answer = edge.request("GET", "/api/v1/x", args=["-H", "X-Request-Id: " + sent])
    assert re.fullmatch("[0-9a-f]{32}", answer.header("x-request-id"))
    assert answer.params("REQUEST_ID") == [answer.header("x-request-id")]


def test_request_id_on_errors(edge):
    for path in ("/nothing", "/api/v7", "/api/v1/crash", "/api/v1/refused"):
        assert edge.request("GET", path, args=["-H", "X-Request-Id: kept"]).header("x-request-id") == "kept"


def test_request_id_from_the_other_header(strict, edge):
    forwarded = ["-H", "X-Forwarded-For: 192.0.2.50"]
    assert strict.request("GET", "/", args=["-H", "X-Trace-Id: t-1"]).header("x-request-id") == "t-1"
    both = ["-H", "X-Trace-Id: t-1", "-H", "X-Request-Id: r-1"]
    assert strict.request("GET", "/", args=both + forwarded).header("x-request-id") == "r-1"
    bad = ["-H", "X-Trace-Id: t 1", "-H", "X-Request-Id: r 1"]
    assert re.fullmatch("[0-9a-f]{32}", strict.request("GET", "/", args=bad).header("x-request-id"))
    assert edge.request("GET", "/", args=["-H", "X-Trace-Id: t-1"]).header("x-request-id") != "t-1"


# --- what the worker gets ---------------------------------------------------------------------------

def test_parameters(edge):
    answer = edge.request("POST", "/api/v1/courses?a=1&a=2", data=b"{}", args=[
        "-H", "Content-Type: application/json", "-H", "Proxy: http://evil.example", "-H", "X-Forwarded-For: 9.9.9.9",
        "-H", "X-Real-IP: 9.9.9.9", "-H", "Forwarded: for=9.9.9.9", "-H", "X_Forwarded_For: 8.8.8.8",
        "-H", "Authorization: Bearer a.b.c"])
    expected = {
        "REQUEST_METHOD": ["POST"], "DOCUMENT_URI": ["/api/v1/courses"], "QUERY_STRING": ["a=1&a=2"],
        "CONTENT_TYPE": ["application/json"], "CONTENT_LENGTH": ["2"], "SERVER_PROTOCOL": ["HTTP/2.0"],
        "REMOTE_ADDR": ["127.0.0.1"], "HTTPS": ["on"], "HTTP_AUTHORIZATION": ["Bearer a.b.c"],
        "HTTP_PROXY": [], "HTTP_X_FORWARDED_FOR": [], "HTTP_X_REAL_IP": [], "HTTP_FORWARDED": [],
        "REQUEST_URI": [], "SCRIPT_FILENAME": []}
    for name, values in expected.items():
        if name == "REMOTE_ADDR":
            assert answer.params(name)[0] in ("127.0.0.1", "::1")
            continue
        assert answer.params(name) == values, name
    names = [name for name, _ in answer.json()["params"] if not name.startswith("HTTP_")]
    assert len(names) == len(set(names)), "a parameter is sent twice"
    assert set(names) == {"REQUEST_METHOD", "DOCUMENT_URI", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH",
                          "REQUEST_ID", "REMOTE_ADDR", "SERVER_PROTOCOL", "HTTPS"}


@pytest.mark.parametrize("name", ["Authorization", "If-Match", "If-None-Match"])
def test_repeated_header_is_refused(edge, name):
    assert_problem(edge.request("GET", "/api/v1/x", args=["-H", name + ": a", "-H", name + ": b"]), 400, "bad_request")


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-CSRF-Token", "Origin", "Referer", "Sec-Fetch-Site", "Content-Type"])
def test_repeated_header_is_shown_to_the_worker(edge, name):
    answer = edge.request("GET", "/api/v1/x", args=["-H", name + ": a", "-H", name + ": b"])
    assert answer.params("HTTP_" + name.upper().replace("-", "_")) == ["a", "b"]


@pytest.mark.parametrize("sent,seen", [
    ("/api/courses", "/api/v1/courses"),
    ("/api/v1/courses", "/api/v1/courses"),
    ("/api//courses", "/api/v1/courses"),
    ("/api/v1//courses///1", "/api/v1/courses/1"),
    ("/api/v1/./courses", "/api/v1/courses"),
    ("/api/v1/users/../courses", "/api/v1/courses"),
    ("/api/v1/users/..%2fcourses", "/api/v1/courses"),
    ("/api/v1/users/%2e%2e/courses", "/api/v1/courses"),
    ("/%61pi/v1/courses", "/api/v1/courses"),
    ("/api/v1%2fcourses", "/api/v1/courses"),
    ("/api/courses%3Fa=b", "/api/v1/courses?a=b"),
    ("/api/v1/courses%23x", "/api/v1/courses#x"),
    ("/api/courses%0Ax", "/api/v1/courses\nx"),
    ("/api/courses%252e%252e", "/api/v1/courses%2e%2e"),
    ("/api/docs/../courses", "/api/v1/courses"),
    ("/api/version", "/api/v1/version"),
    ("/api/v1x/courses", "/api/v1/v1x/courses"),
    ("/api/x/../v1/auth/login", "/api/v1/auth/login"),
])
def test_path_is_canonical(edge, sent, seen):
    answer = edge.request("GET", sent)
    assert answer.status == 200
    assert answer.params("DOCUMENT_URI") == [seen]
    assert answer.params("QUERY_STRING") == [""]


def test_alias_keeps_query_and_body(edge):
    answer = edge.request("POST", "/api/courses?x=%2F&y=a%20b", data=b"{}")
    assert answer.params("QUERY_STRING") == ["x=%2F&y=a%20b"]
    assert answer.json()["body_bytes"] == 2


def test_admin_cannot_be_reached_around_its_location(edge):
    tricks = ["/api/v1/admin/x", "/api/admin/x", "/api/v1/users/..%2fadmin/x", "/api//v1//admin/x",
              "/api/v1/%61dmin/x", "/api/v1/auth/../admin/x"]
    for path in tricks:
        answer = edge.request("GET", path)
        assert answer.params("DOCUMENT_URI") == ["/api/v1/admin/x"]
        assert edge.logged(answer.header("x-request-id"), name="nginx-admin.log")


@pytest.mark.parametrize("method,path,pool", [
    ("POST", "/api/v1/auth/login", "auth"), ("POST", "/api/auth/register", "auth"),
    ("GET", "/api/v1/auth/login", "api"), ("GET", "/api/v1/courses", "api"), ("POST", "/api/v1/courses", "api"),
    ("POST", "/api/v1/x/../auth/login", "auth"), ("GET", "/metrics", "api"), ("GET", "/.well-known/jwks.json", "api")])
def test_pool(edge, method, path, pool):
    assert edge.request(method, path).json()["pool"] == pool


# --- CORS ---------------------------------------------------------------------------------------------

PREFLIGHT = ["-H", "Access-Control-Request-Method: POST", "-H", "Access-Control-Request-Headers: content-type"]


@pytest.mark.parametrize("origin", ["https://app.example", "https://two.example:8443"])
def test_preflight_of_a_known_origin(edge, origin):
    calls = dict(edge.pools["api"].calls)
    answer = edge.request("OPTIONS", "/api/courses", args=PREFLIGHT + ["-H", "Origin: " + origin])
    assert answer.status == 204
    assert answer.header("access-control-allow-origin") == origin
    assert "POST" in answer.header("access-control-allow-methods")
    assert "idempotency-key" in answer.header("access-control-allow-headers")
    assert answer.header("access-control-max-age") == "600"
    assert answer.header("access-control-allow-credentials") is None
    assert answer.header("vary") == "Origin"
    assert edge.pools["api"].calls == calls, "a worker was asked"
    assert_headers(answer)


@pytest.mark.parametrize("origin", [
    "https://evil.example", "http://app.example", "https://app.example:444", "https://app.example.evil.example",
    "https://xapp.example", "null", "https://two.example", "*"])
def test_preflight_of_another_origin(edge, origin):
    answer = edge.request("OPTIONS", "/api/courses", args=PREFLIGHT + ["-H", "Origin: " + origin])
    assert answer.status == 204
    assert not [name for name, _ in answer.fields if name.startswith("access-control-")]
    assert answer.header("vary") == "Origin"


def test_cors_headers_of_an_answer(edge):
    origin = ["-H", "Origin: https://app.example"]
    for path in ("/api/v1/courses", "/api/v1/refused", "/api/v7", "/api/v1/crash"):
        answer = edge.request("GET", path, args=origin)
        assert answer.header("access-control-allow-origin") == "https://app.example"
        exposed = answer.header("access-control-expose-headers")
        for name in ("x-request-id", "x-total-count", "x-rate-limit-remaining", "link", "etag", "idempotency-replayed",
                     "retry-after"):
            assert name in exposed
        assert answer.header("access-control-allow-methods") is None
    other = edge.request("GET", "/api/v1/courses", args=["-H", "Origin: https://evil.example"])
    assert other.status == 200 and other.header("access-control-allow-origin") is None
    assert "Origin" in other.header("vary")


def test_plain_options_is_the_workers(edge):
    assert edge.request("OPTIONS", "/api/v1/courses").params("REQUEST_METHOD") == ["OPTIONS"]


def test_credentials_only_when_set(strict):
    answer = strict.request("OPTIONS", "/api/x", args=PREFLIGHT + ["-H", "Origin: https://app.example"])
    assert answer.header("access-control-allow-credentials") == "true"
    answer = strict.request("OPTIONS", "/api/x", args=PREFLIGHT + ["-H", "Origin: https://evil.example"])
    assert answer.header("access-control-allow-credentials") is None


# --- limits -----------------------------------------------------------------------------------------------

def flood(edge, path, count, address, method="GET"):
    args = ["-H", "X-Forwarded-For: " + address]
    return [edge.request(method, path, args=args) for _ in range(count)]


def test_refusal_looks_like_the_workers(strict):
    answers = flood(strict, "/api/v1/courses", 9, "192.0.2.10")
    assert answers[0].status == 200
    refused = [a for a in answers if a.status == 429]
    assert refused
    for answer in refused:
        assert_problem(answer, 429, "rate_limited")
        assert answer.header("retry-after") == "1"
        assert answer.header("x-rate-limit-limit") == "1"
        assert answer.header("x-rate-limit-remaining") == "0"
        assert abs(int(answer.header("x-rate-limit-reset")) - now()) <= 2
        assert re.fullmatch(r'"[a-z-]+";r=0;t=1', answer.header("ratelimit"))
        assert re.fullmatch(r'"[a-z-]+";q=1;w=1', answer.header("ratelimit-policy"))
    assert strict.logged(refused[-1].header("x-request-id"))[0]["limited"] == "REJECTED"
    assert answers[0].header("retry-after") is None


def now():
    import time
    return time.time()


def test_limits_are_by_address(strict):
    assert flood(strict, "/api/v1/courses", 9, "192.0.2.11")[-1].status == 429
    assert flood(strict, "/api/v1/courses", 1, "192.0.2.12")[0].status == 200


def test_ipv6_is_limited_by_64(strict):
    for last in range(1, 10):
        flood(strict, "/api/v1/courses", 1, f"2001:db8:0:1::{last}")
    assert flood(strict, "/api/v1/courses", 1, "2001:db8:0:1:ffff::1")[0].status == 429
    assert flood(strict, "/api/v1/courses", 1, "2001:db8:0:2::1")[0].status == 200


def test_mapped_ipv6_is_limited_as_ipv4(strict):
    flood(strict, "/api/v1/courses", 9, "::ffff:192.0.2.60")
    assert flood(strict, "/api/v1/courses", 1, "::ffff:192.0.2.61")[0].status == 200
    assert flood(strict, "/api/v1/courses", 1, "192.0.2.60")[0].status == 429


def test_sign_in_is_limited_tighter(strict):
    answers = flood(strict, "/api/v1/auth/login", 4, "192.0.2.13", "POST")
    assert [a.status for a in answers[:2]] == [200, 200]
    assert answers[-1].status == 429
    assert '"edge-signin"' in answers[-1].header("ratelimit-policy")
    assert flood(strict, "/api/v1/courses", 1, "192.0.2.13")[0].status == 200


def test_metrics_are_not_limited(strict):
    assert {a.status for a in flood(strict, "/metrics", 9, "192.0.2.7")} == {200}


def test_address_lists(strict):
    assert_problem(flood(strict, "/api/v1/admin/x", 1, "198.51.100.1")[0], 403, "forbidden")
    assert_problem(flood(strict, "/api/admin/x", 1, "198.51.100.1")[0], 403, "forbidden")
    assert flood(strict, "/api/v1/admin/x", 1, "192.0.2.14")[0].status == 200
    assert_problem(flood(strict, "/metrics", 1, "192.0.2.8")[0], 403, "forbidden")


def test_admin_has_its_own_limit(strict):
    assert flood(strict, "/api/v1/admin/x", 6, "192.0.2.15")[-1].status == 429
    assert flood(strict, "/api/v1/courses", 1, "192.0.2.15")[0].status == 200


def test_trusted_proxy(strict, edge):
    assert flood(strict, "/api/v1/x", 1, "192.0.2.16")[0].params("REMOTE_ADDR") == ["192.0.2.16"]
    chain = flood(strict, "/api/v1/x", 1, "203.0.113.9, 192.0.2.17, 127.0.0.1")[0]
    assert chain.params("REMOTE_ADDR") == ["192.0.2.17"]
    assert flood(edge, "/api/v1/x", 1, "192.0.2.16")[0].params("REMOTE_ADDR")[0] in ("127.0.0.1", "::1")


def test_optional_headers(strict, edge):
    assert strict.request("GET", "/").header("cross-origin-embedder-policy") == "require-corp"
    assert edge.request("GET", "/").header("cross-origin-embedder-policy") is None
    assert "frame-src 'self' https://player.example;" in strict.request("GET", "/").header("content-security-policy")


# --- the plain port, TLS, compression, pages, logs -----------------------------------------------------------

@pytest.mark.parametrize("host,to", [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]"),
                                     ("evil.example", "localhost"), ("localhost.evil.example", "localhost")])
def test_plain_port_redirects(edge, host, to):
    data = f"GET /api/v1/courses?a=b HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    answer = raw_answer(edge, data, tls=False)
    assert answer.status == 308
    assert answer.header("location") == f"https://{to}:{edge.port}/api/v1/courses?a=b"
    assert_headers(answer, plain=True)


def test_plain_port_serves_nothing_else(edge):
    calls = dict(edge.pools["api"].calls)
    answer = raw_answer(edge, b"GET\r\n\r\n", tls=False)
    assert answer.status == 400
    assert edge.pools["api"].calls == calls


@pytest.mark.parametrize("args,works", [
    (["--tlsv1.2", "--tls-max", "1.2"], True), (["--tlsv1.3"], True), (["--tlsv1.0", "--tls-max", "1.1"], False),
    (["--tlsv1.2", "--tls-max", "1.2", "--ciphers", "AES128-SHA"], False)])
def test_tls_versions(edge, args, works):
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "--cacert", edge.ca, *args, edge.url + "/"],
                          capture_output=True, timeout=20, check=False)
    assert (done.returncode == 0) == works


def test_json_is_compressed_unless_secrets_and_input_meet(edge):
    accept = ["-H", "Accept-Encoding: gzip"]
    assert edge.request("GET", "/api/v1/long", args=accept).header("content-encoding") == "gzip"
    assert edge.request("GET", "/api/v1/auth/long", args=accept).header("content-encoding") is None
    assert edge.request("GET", "/api/v1/refused", args=accept).header("content-encoding") is None


def test_pages_need_no_inline_code(edge):
    for path in ("/", "/api/docs"):
        answer = edge.request("GET", path)
        assert answer.header("content-type").startswith("text/html")
        policy = answer.header("content-security-policy")
        assert "unsafe" not in policy and "*" not in policy
        page = answer.body.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), "inline script"
        assert not re.search(r"\son[a-z]+=|<style|\sstyle=", page), "inline handler or style"
        for reference in re.findall(r'(?:src|href)="([^"]+)"', page):
            assert reference.startswith("/"), f"{reference} is not served here"
            assert edge.request("GET", reference).status == 200


def test_log_is_json_without_secrets(edge):
    marks = ["-H", "Authorization: Bearer marked-secret", "-H", "Cookie: a=marked-secret",
             "-H", "Referer: https://localhost/?marked-secret", "-H", "User-Agent: marked-secret",
             "-H", "X-Request-Id: log-test"]
    paths = ["/api/v1/courses", "/api/v1/crash", "/api/v1/slow", "/api/v7/x", "/nothing", "/", "/api/docs",
             "/api/courses", "/api/v1/admin/x", "/_problem/404"]
    for path in paths:
        edge.request("GET", path + "?q=marked-secret", args=marks)
    edge.request("POST", "/api/v1/courses?q=marked-secret", args=marks, data=b"marked-secret" * 300000)
    raw(edge, b"GET /a?marked-secret HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    raw(edge, b"GET /a%00?marked-secret HTTP/1.1\r\nHost: a\r\n\r\n")
    raw(edge, b"GET /?marked-secret" + b"a" * 17000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    raw(edge, b"GET /a?marked-secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", tls=False)
    assert "marked-secret" not in edge.logs()
    lines = edge.logged("log-test", len(paths)) + edge.logged("log-test", name="nginx-admin.log")
    assert {line["path"] for line in lines} >= {"/api/v1/courses", "/nothing", "/", "/api/v1/admin/x"}
    for line in lines:
        assert isinstance(line["status"], int) and isinstance(line["bytes"], int)
        assert isinstance(line["seconds"], float) and line["address"] in ("127.0.0.1", "::1")


def test_log_survives_hostile_paths(edge):
    edge.request("GET", '/api/v1/a%22%5c%0a%01%ff', args=["-H", "X-Request-Id: hostile"])
    assert edge.logged("hostile")[0]["path"] == "/api/v1/a%22%5c%0a%01%ff"
    raw(edge, b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: bytes\r\nConnection: close\r\n\r\n")
    assert edge.logged("bytes")[0]["path"] == "/"


def test_unknown_template_variable_fails(tmp_path):
    lib = __file__.rsplit("/tests/", 1)[0] + "/deploy/lib/up.sh"
    (tmp_path / "t").write_text("a @T_KNOWN@ b\nlisten @NO_SUCH_NAME@;\n")
    run = 'source "$1"; T_KNOWN=1 T_T_KNOWN=2 render "$2"'
    done = subprocess.run(["bash", "-c", run, "-", lib, str(tmp_path / "t")], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode != 0 and "NO_SUCH_NAME" in done.stderr and "listen" not in done.stdout


def test_site_of_a_packaged_installation(strict, tmp_path):
    tree = __file__.rsplit("/tests/", 1)[0]
    values = {
        "T_LISTEN_HTTP": "    listen 127.0.0.1:29080;", "T_LISTEN_HTTPS": "    listen 127.0.0.1:29443 ssl http2;",
        "T_SERVER_NAME": "school.example", "T_TLS_CERTIFICATE": strict.dir / "tls" / "server.pem",
        "T_TLS_KEY": strict.dir / "tls" / "server.key"}
    site = subprocess.run(
        ["bash", "-c", 'source "$1/deploy/lib/up.sh"; render "$1/nginx/templates/lectern.conf.in"', "-", tree],
        env={"PATH": "/usr/bin:/bin", **{k: str(v) for k, v in values.items()}}, capture_output=True, text=True,
        timeout=20, check=True).stdout
    (tmp_path / "lectern").symlink_to(strict.dir / "nginx" / "lectern")
    (tmp_path / "site.conf").write_text(site)
    # As Debian's own nginx.conf includes it, beside a log and a compression of its own.
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}}\nhttp {{ access_log off; gzip on; ssl_protocols TLSv1.2;\n"
        f"client_body_temp_path {tmp_path}/b; include site.conf; }}\n")
    done = subprocess.run(["/usr/sbin/nginx", "-e", "stderr", "-t", "-c", str(tmp_path / "nginx.conf")],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


# --- the real instance ---------------------------------------------------------------------------------------

def test_instance_answers_through_nginx(instance, anon):
    answer = anon.get("/api/v1/health/ready", headers={"x-request-id": "e2e-ready"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "e2e-ready"
    assert answer.headers["x-frame-options"] == "DENY"


def test_instance_alias_is_the_same_resource(anon):
    assert anon.get("/api/health/live").status_code == anon.get("/api/v1/health/live").status_code == 200


def test_instance_unknown_route_is_a_problem(anon):
    answer = anon.get("/api/v1/no-such-thing")
    assert answer.status_code == 404
    body = json.loads(answer.text)
    assert body["code"] == "route_unknown" and body["request_id"] == answer.headers["x-request-id"]


def test_instance_documentation_page(anon):
    assert anon.get("/api/docs").status_code == 200
    bundle = anon.get("/api/docs/swagger-ui-bundle.js")
    assert bundle.status_code == 200 and "SwaggerUIBundle" in bundle.text


def test_instance_redirects_plain_http(instance, new_client):
    answer = new_client().get(instance["http_url"] + "/api/v1/health")
    assert answer.status_code == 308
    assert answer.headers["location"] == instance["base_url"] + "/api/v1/health"
