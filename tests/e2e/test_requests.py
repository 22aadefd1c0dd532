"""What a request may look like, and what is said to one that may not."""
import json
import re
import uuid

import pytest

from lib_gates import ME, V1, assert_problem, count_of, courses_titled, new_course, raw_request, unique

COURSES = V1 + "/courses"
JSON = {"content-type": "application/json"}


@pytest.fixture
def teacher(api):
    return api("teacher")


@pytest.fixture
def marker():
    """A title that no course has, to look for what a refused request left."""
    return unique("marker")


def post(client, body, **headers):
    data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    return client.post(COURSES, data=data, headers={**JSON, **headers})


def nothing_left(instance, admin, title):
    assert courses_titled(instance, admin, title) == 0
    assert count_of(instance, admin, "select count(*) from app.events where payload::text like %s",
                    f"%{title}%") == 0


# --- JSON ----------------------------------------------------------------------------------------

SYNTAX = {
    "cut off": '{"title":"@"',
    "cut off in text": '{"title":"@',
    "trailing comma": '{"title":"@",}',
    "leading comma": '{,"title":"@"}',
    "no quotes": '{title:"@"}',
    "single quotes": "{'title':'@'}",
    "comment": '{"title":"@"/* x */}',
    "line comment": '{"title":"@"} // x',
    "trailing text": '{"title":"@"}x',
    "two documents": '{"title":"@"}{"title":"@"}',
    "two documents on lines": '{"title":"@"}\n{"title":"@"}',
    "trailing NUL": '{"title":"@"}\0',
    "closing bracket": '{"title":"@"}]',
    "byte order mark": '\ufeff{"title":"@"}',
    "duplicate key": '{"title":"x","title":"@"}',
    "duplicate key escaped": '{"title":"x","\\u0074itle":"@"}',
    "duplicate nested key": '{"title":"@","settings":{"a":1,"a":2}}',
    "infinite": '{"title":"@","seats":Infinity}',
    "not a number": '{"title":"@","seats":NaN}',
    "leading zero": '{"title":"@","seats":012}',
    "plus": '{"title":"@","seats":+1}',
    "hexadecimal": '{"title":"@","seats":0x10}',
    "bare point": '{"title":"@","seats":1.}',
    "leading point": '{"title":"@","seats":.5}',
    "no exponent": '{"title":"@","seats":1e}',
    "minus alone": '{"title":"@","seats":-}',
    "over int64": '{"title":"@","seats":9223372036854775808}',
    "under int64": '{"title":"@","seats":-9223372036854775809}',
    "huge exponent": '{"title":"@","seats":1e400}',
    "capital true": '{"title":"@","x":True}',
    "undefined": '{"title":"@","x":undefined}',
    "raw newline in text": '{"title":"@\n"}',
    "raw tab in text": '{"title":"@\t"}',
    "raw NUL in text": '{"title":"@\0"}',
    "unknown escape": '{"title":"@\\x41"}',
    "short escape": '{"title":"@\\u00"}',
    "lone high surrogate": '{"title":"@\\ud800"}',
    "lone low surrogate": '{"title":"@\\udc00"}',
    "swapped surrogates": '{"title":"@\\udc00\\ud800"}',
    "surrogate in key": '{"title":"@","\\ud800":1}',
    "vertical tab between": '{"title":\v"@"}',
    "non-breaking space between": '{"title":\u00a0"@"}',
    "empty but for space": "   ",
    "missing colon": '{"title" "@"}',
    "missing value": '{"title":}',
    "NUL by escape": '{"title":"@\\u0000"}',
    "unclosed array": '{"title":"@","x":[1,2}',
}


@pytest.mark.parametrize("body", SYNTAX.values(), ids=SYNTAX)
def test_malformed_json(instance, teacher, admin, marker, body):
    answer = post(teacher, body.replace("@", marker))
    assert_problem(answer, 400, "json_syntax")
    nothing_left(instance, admin, marker)


def test_an_endless_number(instance, teacher, admin, marker):
    answer = post(teacher, '{"title":"%s","seats":%s}' % (marker, "9" * 400))
    assert_problem(answer, 400, "json_too_complex")
    nothing_left(instance, admin, marker)


INVALID_UTF8 = {
    "overlong slash": b"\xc0\xaf", "overlong NUL": b"\xc0\x80", "overlong of three": b"\xe0\x80\xaf",
    "overlong of four": b"\xf0\x80\x80\xaf", "surrogate": b"\xed\xa0\x80", "above Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80", "alone": b"\x80", "cut": b"\xc3", "latin-1": b"caf\xe9",
    "FE FF": b"\xfe\xff",
}


@pytest.mark.parametrize("piece", INVALID_UTF8.values(), ids=INVALID_UTF8)
@pytest.mark.parametrize("place", ["value", "key"])
def test_invalid_utf8_in_json(instance, teacher, admin, marker, place, piece):
    title = marker.encode() + (piece if place == "value" else b"")
    key = b'"' + (piece if place == "key" else b"x") + b'":1'
    answer = post(teacher, b'{"title":"' + title + b'",' + key + b"}")
    assert_problem(answer, 400, "json_syntax")
    assert count_of(instance, admin, "select count(*) from app.courses where title like %s", marker + "%") == 0


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_of_json(teacher, marker, charset):
    assert_problem(post(teacher, json.dumps({"title": marker}).encode(charset)), 400, "json_syntax")


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_nesting(teacher, marker, opening, closing):
    def nested(levels):  # the body's own object is the first
        inner = "1" if opening == "[" else "1"
        return '{"title":"%s","x":%s%s%s}' % (marker, opening * (levels - 1), inner, closing * (levels - 1))
    assert_problem(post(teacher, nested(32)), 422, "validation_failed", [("/x", "unknown")])
    assert_problem(post(teacher, nested(33)), 400, "json_too_deep")
    assert_problem(post(teacher, nested(20000)), 400, "json_too_deep")


@pytest.mark.parametrize("body", ["[]", "null", "1", '"x"', "true", "[{}]"])
def test_the_body_is_an_object(teacher, body):
    problem = assert_problem(post(teacher, body), 422, "validation_failed")
    assert ("", "type") in {(e["field"], e["code"]) for e in problem["errors"]}


def test_no_body(teacher):
    assert_problem(teacher.post(COURSES), 400, "body_missing")
    assert_problem(teacher.post(COURSES, headers=JSON), 400, "body_missing")


def test_a_body_where_none_is_taken(teacher, anon):
    assert_problem(teacher.post(f"{COURSES}/{uuid.uuid4()}/publish", data=b"{}", headers=JSON),
                   400, "body_unexpected")
    assert_problem(teacher.request("GET", COURSES, data=b"{}", headers=JSON), 400, "body_unexpected")


def test_many_members_and_elements(teacher, marker):
    for big in ('{"title":"%s","x":[%s]}' % (marker, ",".join(["0"] * 300000)),
                '{"title":"%s","x":[%s]}' % (marker, ",".join(["{}"] * 200000)),
                '{%s}' % ",".join('"k%d":0' % i for i in range(60000))):
        answer = post(teacher, big)
        assert answer.status_code in (400, 422), answer.text
        assert answer.elapsed.total_seconds() < 5


# --- fields ------------------------------------------------------------------------------------------

def test_all_violations_at_once(instance, teacher, admin, marker):
    body = {"title": "", "owner_id": "no", "description": "x" * 2001, "visibility": "secret", "enrollment": 3,
            "join_code": "a b c d e f", "seats": 0, "starts_at": "yesterday", "ends_at": True, marker: 1,
            "a/b~c": 2}
    assert_problem(teacher.post(COURSES, json=body), 422, "validation_failed", [
        ("/title", "length"), ("/owner_id", "uuid"), ("/description", "length"), ("/visibility", "choice"),
        ("/enrollment", "type"), ("/join_code", "code"), ("/seats", "range"), ("/starts_at", "timestamp"),
        ("/ends_at", "type"), ("/" + marker, "unknown"), ("/a~1b~0c", "unknown")])


def test_violations_of_path_query_and_body_together(teacher):
    answer = teacher.patch(f"{COURSES}/nope?x=1", json={"title": 5, "y": 1})
    assert_problem(answer, 422, "validation_failed", [
        ("/path/course_id", "uuid"), ("/query/x", "unknown"), ("/title", "type"), ("/y", "unknown")])


TITLES = {
    "empty": ("", "length"), "too long": ("x" * 256, "length"), "too long in code points": ("𝄞" * 256, "length"),
    "blank": ("   ", "blank"), "bell": ("a\x07b", "control_character"),
    "escape": ("\x1b[2J", "control_character"), "newline": ("a\nb", "control_character"),
    "tab": ("a\tb", "control_character"), "delete": ("a\x7fb", "control_character"),
    "NFD": ("e\u0301cole", "not_nfc"), "NFD Hangul": ("\u1112\u1161\u11ab", "not_nfc"),
    "singleton": ("\u212b", "not_nfc"),
}


@pytest.mark.parametrize("title, code", TITLES.values(), ids=TITLES)
def test_titles_that_are_refused(teacher, title, code):
    assert_problem(teacher.post(COURSES, json={"title": title}), 422, "validation_failed", [("/title", code)])


@pytest.mark.parametrize("title", ["x", "𝄞" * 255, "école", "שלום", "👩‍👩‍👧", "'; drop table app.courses; --",
                                   "<script>alert(1)</script>", "{{7*7}}", "\\u0000", "%s%n", "a\u202eb", "\ufffd"],
                         ids=lambda title: ascii(title)[:20])
def test_titles_that_are_kept_as_they_are(teacher, title):
    answer = teacher.post(COURSES, json={"title": title})
    assert answer.status_code == 201, answer.text
    course = answer.json()["data"]
    assert course["title"] == title
    assert teacher.get(f"{COURSES}/{course['id']}").json()["data"]["title"] == title
    assert teacher.delete(f"{COURSES}/{course['id']}").status_code == 204


@pytest.mark.parametrize("field, value, code", [
    ("seats", 0, "range"), ("seats", 100001, "range"), ("seats", -1, "range"), ("seats", 2**31, "range"),
    ("seats", 2**63 - 1, "range"), ("seats", -2**63, "range"), ("seats", 1.5, "type"), ("seats", "1", "type"),
    ("seats", True, "type"), ("seats", [1], "type"), ("seats", {}, "type"),
    ("title", 1, "type"), ("title", ["x"], "type"), ("title", {"x": 1}, "type"), ("title", None, "null"),
    ("title", True, "type"), ("visibility", "Private", "choice"), ("visibility", "private ", "choice"),
    ("join_code", "short", "length"), ("join_code", "x" * 65, "length"), ("join_code", "äöüäöü", "code"),
    ("owner_id", "01890000-0000-7000-8000-00000000000", "uuid"), ("owner_id", "", "uuid"),
    ("owner_id", "{01890000-0000-7000-8000-000000000000}", "uuid"), ("owner_id", 7, "type"),
    ("starts_at", "2026-02-30T00:00:00Z", "timestamp"), ("starts_at", "2026-01-01", "timestamp"),
    ("starts_at", "2026-01-01T00:00:00", "timestamp"), ("starts_at", "2026-01-01T25:00:00Z", "timestamp"),
    ("starts_at", "2026-13-01T00:00:00Z", "timestamp"), ("starts_at", "infinity", "timestamp"),
    ("starts_at", "now", "timestamp"), ("starts_at", 1767225600, "type"), ("starts_at", "", "timestamp"),
])
def test_values_out_of_bounds(instance, teacher, admin, marker, field, value, code):
    body = {"title": marker, field: value}
    assert_problem(teacher.post(COURSES, json=body), 422, "validation_failed", [("/" + field, code)])
    nothing_left(instance, admin, marker)


@pytest.mark.parametrize("seats", [1, 100000])
def test_bounds_are_inclusive(teacher, marker, seats):
    course = new_course(teacher, title=marker, seats=seats)
    assert course["seats"] == seats
    teacher.delete(f"{COURSES}/{course['id']}")


def test_what_only_the_database_knows_is_a_violation_too(instance, teacher, admin, marker):
    answer = teacher.post(COURSES, json={"title": marker, "starts_at": "2026-05-02T00:00:00Z",
                                         "ends_at": "2026-05-01T00:00:00Z"})
    assert_problem(answer, 422, "validation_failed")
    nothing_left(instance, admin, marker)


def test_fields_that_the_server_sets_cannot_be_sent(instance, teacher, admin, marker):
    forged = {"id": str(uuid.uuid4()), "org_id": str(uuid.uuid4()), "version": 7, "status": "published",
              "created_at": "2020-01-01T00:00:00Z"}
    assert_problem(teacher.post(COURSES, json={"title": marker, **forged}), 422, "validation_failed",
                   [("/" + name, "unknown") for name in forged])
    nothing_left(instance, admin, marker)


def test_many_violations_are_bounded(teacher):
    answer = teacher.post(COURSES, json={f"f{i}": i for i in range(500)})
    problem = assert_problem(answer, 422, "validation_failed")
    assert len(problem["errors"]) == 501 and len(answer.content) < 65536


# --- media types and sizes ------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
    "application/jsonx", "application/xml", "application/problem+json", "application/vnd.api+json",
    "application/json, text/plain", "application/json; charset=iso-8859-1", "application/json; charset=utf-16",
    "application/json;charset=latin1; charset=utf-8", "text/csv", "json", "*/*", ""])
def test_other_media_types(instance, teacher, admin, marker, kind):
    answer = teacher.post(COURSES, data=json.dumps({"title": marker}).encode(), headers={"content-type": kind})
    assert_problem(answer, 415, "unsupported_media_type")
    nothing_left(instance, admin, marker)


def test_no_media_type(instance, teacher, marker):
    token = teacher.headers["authorization"]
    answer = raw_request(instance, "POST", COURSES, [("Authorization", token)], b'{"title":"x"}')
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", [
    "application/json", "application/json; charset=utf-8", 'application/json; charset="UTF-8"',
    "Application/JSON;charset=UTF-8", "application/json ; x=y", "application/json;"])
def test_media_types_of_json(teacher, marker, kind):
    answer = post(teacher, json.dumps({"title": marker}), **{"content-type": kind})
    assert answer.status_code == 201, answer.text
    teacher.delete(f"{COURSES}/{answer.json()['data']['id']}")


@pytest.mark.parametrize("accept", [
    "text/html", "application/xml", "application/json;q=0", "application/json;q=0.000", "text/*",
    "application/json;q=0, */*", "text/html, application/json; q=0.0", "application/vnd.api+json"])
def test_not_acceptable(instance, teacher, admin, marker, accept):
    assert_problem(teacher.get(ME, headers={"accept": accept}), 406, "not_acceptable")
    answer = teacher.post(COURSES, json={"title": marker}, headers={"accept": accept})
    assert_problem(answer, 406, "not_acceptable")
    nothing_left(instance, admin, marker)


@pytest.mark.parametrize("accept", [
    "*/*", "application/json", "application/*", "APPLICATION/JSON", "text/html, application/json;q=0.1", "",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json;q=0.001",
    "text/html;q=0, */*", "application/json; charset=utf-8"])
def test_acceptable(teacher, accept):
    answer = teacher.get(ME, headers={"accept": accept})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"


def test_a_body_over_the_limit(instance, teacher, admin, marker):
    """1 MiB passes to the fields; one byte more, and what nginx itself refuses, are 413."""
    body = b'{"title":"%s","seats":0}' % marker.encode()
    assert_problem(post(teacher, body.ljust(1048576)), 422, "validation_failed", [("/seats", "range")])
    for size in (1048577, 1500000, 3 * 1048576):
        assert_problem(post(teacher, body.ljust(size)), 413, "payload_too_large")
    nothing_left(instance, admin, marker)


def test_a_chunked_body_is_counted_too(teacher, marker):
    def pieces(count):
        yield b'{"title":"' + marker.encode() + b'","description":"'
        for _ in range(count):
            yield b"x" * 65536
        yield b'"}'
    assert_problem(teacher.post(COURSES, data=pieces(17), headers=JSON), 413, "payload_too_large")
    answer = teacher.post(COURSES, data=iter([b'{"title":', b'"' + marker.encode() + b'"}']), headers=JSON)
    assert answer.status_code == 201, answer.text
    teacher.delete(f"{COURSES}/{answer.json()['data']['id']}")


# --- methods ------------------------------------------------------------------------------------------

ID = "01890000-0000-7000-8000-000000000000"
METHODS = {
    V1 + "/health": "GET", V1 + "/health/live": "GET", V1 + "/health/details": "GET", V1 + "/openapi.json": "GET",
    "/.well-known/jwks.json": "GET", "/metrics": "GET", V1 + "/auth/register": "POST", V1 + "/auth/login": "POST",
    V1 + "/auth/refresh": "POST", V1 + "/auth/logout": "POST", ME: "GET PATCH DELETE", V1 + "/org": "GET PATCH",
    V1 + "/org/users": "GET", V1 + f"/org/users/{ID}/role": "PUT", COURSES: "GET POST",
    f"{COURSES}/{ID}": "GET PATCH DELETE", f"{COURSES}/{ID}/publish": "POST",
    f"{COURSES}/{ID}/announcements": "GET POST", V1 + f"/announcements/{ID}/read": "POST",
    V1 + "/admin/audit-logs": "GET",
}


def allowed(methods):
    named = set(methods.split()) | {"OPTIONS"}
    return named | ({"HEAD"} if "GET" in named else set())


@pytest.mark.parametrize("path, methods", METHODS.items(), ids=METHODS)
def test_options_tells_the_methods(anon, path, methods):
    answer = anon.options(path)
    assert answer.status_code == 204 and answer.content == b""
    assert {m.strip() for m in answer.headers["allow"].split(",")} == allowed(methods)


@pytest.mark.parametrize("path, methods", METHODS.items(), ids=METHODS)
def test_other_methods_are_refused(anon, path, methods):
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} - allowed(methods):
        answer = anon.request(method, path)
        assert_problem(answer, 405, "method_not_allowed")
        assert {m.strip() for m in answer.headers["allow"].split(",")} == allowed(methods)


@pytest.mark.parametrize("method", ["get", "Get", "TRACE", "CONNECT", "FOO", "GETX", "G\u00c9T", "-", "GET\t"])
def test_words_that_are_no_methods(instance, teacher, method):
    answer = raw_request(instance, method, ME, [("Authorization", teacher.headers["authorization"])])
    assert answer.status_code in (400, 405, 501), f"{answer.status_code} {answer.text}"
    assert_problem(answer, answer.status_code, "bad_request" if answer.status_code == 400 else "method_not_allowed")


@pytest.mark.parametrize("path", [p for p, m in METHODS.items() if "GET" in m])
def test_head_is_get_without_the_body(api, path):
    client = api("operator")
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code and head.content == b""
    moving = {"date", "x-request-id", "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit", "content-length",
              "content-encoding", "transfer-encoding", "vary", "connection"}
    assert ({k.lower(): v for k, v in head.headers.items() if k.lower() not in moving}
            == {k.lower(): v for k, v in got.headers.items() if k.lower() not in moving})


@pytest.mark.parametrize("path", [V1 + "/nothing", V1, V1 + "/", V1 + "/admin", V1 + "/auth", "/api", "/api/", COURSES + "/", f"{COURSES}/{ID}/", V1 + "/people",
                                  f"{COURSES}/{ID}/publish/x", V1 + "/Courses", "/api/v2/courses", V1 + "/courses;x=1"])
def test_unknown_addresses(api, path):
    for method in ("GET", "POST", "OPTIONS", "DELETE"):
        assert_problem(api("teacher").request(method, path), 404, "route_unknown")
    head = api("teacher").head(path)
    assert head.status_code == 404 and head.content == b""


# --- addresses -------------------------------------------------------------------------------------------

BAD_UUIDS = ["1", "x", "null", "undefined", "0" * 36, "01890000-0000-7000-8000-00000000000g",
             "01890000-0000-7000-8000-0000000000000", "01890000-0000-7000-8000-00000000000",
             "0189000000007000800000000000000000", "%7B01890000-0000-7000-8000-000000000000%7D",
             "01890000-0000-7000-8000-000000000000%20", "%2001890000-0000-7000-8000-000000000000",
             "01890000_0000_7000_8000_000000000000", "1%27%20or%20%271%27=%271", "..%00", "%F0%9F%98%80", "*", "-1",
             "０1890000-0000-7000-8000-000000000000"]


@pytest.mark.parametrize("bad", BAD_UUIDS, ids=ascii)
def test_bad_identifiers(teacher, bad):
    answer = teacher.get(f"{COURSES}/{bad}")
    if "%00" in bad:
        assert_problem(answer, 400, "bad_request")
        return
    assert_problem(answer, 422, "validation_failed", [("/path/course_id", "uuid")])
    assert_problem(teacher.delete(f"{COURSES}/{bad}"), 422, "validation_failed", [("/path/course_id", "uuid")])


def test_well_formed_identifiers_of_nothing(teacher):
    for some in (ID, ID.upper(), str(uuid.uuid4()), "00000000-0000-0000-0000-000000000000",
                 "ffffffff-ffff-ffff-ffff-ffffffffffff"):
        for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
            assert_problem(teacher.request(method, f"{COURSES}/{some}", json=body), 404, "not_found")


@pytest.mark.parametrize("target", [
    "/api/v1/../v1/users/me", "/api/v1/./users/me", "/api//v1///users/me", "/api/v1/users/%6de", "/api/users/me",
    "/api/v1/courses/../users/me", "/api/v1/%75sers/me", "/api/v1/users%2Fme"])
def test_addresses_that_are_the_same(instance, teacher, target):
    answer = raw_request(instance, "GET", target, [("Authorization", teacher.headers["authorization"])])
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["email"] == teacher.account["email"]


@pytest.mark.parametrize("target", [
    "/api/v1/users/me%2f", "/api/v1/users/me/..%2f..%2fmetrics", "/api/v1/users/me%20",
    "/api/v1/users/me%0d%0aX-Evil:%201", "/api/v1/users/me%00", "/api/v1/..%00/metrics", "/api/v1/users\\me",
    "/api/v1/%252e%252e/metrics", "/api/v1/users/me%c0%af", "/api/v1/%ff", "/api/../../etc/passwd",
    "/api/v1/../../../etc/passwd", "/..%2f..%2fetc/passwd", "/api/v1/users/me%7f", "/api/v1/%zz", "/api/v1/users/me%"])
def test_addresses_that_are_no_way_round(instance, teacher, target):
    answer = raw_request(instance, "GET", target, [("Authorization", teacher.headers["authorization"])])
    assert answer.status_code in (400, 404), f"{answer.status_code} {answer.text}"
    assert "x-evil" not in answer.headers and "root:" not in answer.text
    if target.startswith("/api/v1/") and answer.headers["content-type"] == "application/problem+json":
        assert_problem(answer, answer.status_code, "bad_request" if answer.status_code == 400 else "route_unknown")


def test_an_address_that_is_too_long(anon):
    assert_problem(anon.get(V1 + "/" + "x" * 20000), 414, "bad_request")


# --- queries -----------------------------------------------------------------------------------------------

def test_unknown_and_repeated_parameters(teacher):
    answer = teacher.get(COURSES + "?foo=1&limit=1&limit=2&status=draft&status=published&b%2Far=1&foo=2&Limit=1")
    assert_problem(answer, 422, "validation_failed", [
        ("/query/foo", "unknown"), ("/query/limit", "repeated"), ("/query/status", "repeated"),
        ("/query/b~1ar", "unknown"), ("/query/foo", "repeated"), ("/query/Limit", "unknown")])


def test_parameters_where_none_are_taken(teacher, anon):
    assert_problem(teacher.get(ME + "?x=1"), 422, "validation_failed", [("/query/x", "unknown")])
    assert_problem(anon.get(V1 + "/health/live?x=1"), 422, "validation_failed", [("/query/x", "unknown")])
    assert teacher.get(ME + "?").status_code == 200


@pytest.mark.parametrize("query", ["q=%", "q=%2", "q=%zz", "q=%g0", "q=%00", "q=a%0ab", "q=%0d%0aX-Evil:1", "%00=1",
                                   "q=%C0%AF", "q=%ED%A0%80", "q=%FF", "q=%F4%90%80%80", "q=%1b"])
def test_queries_that_cannot_be_read(instance, teacher, query):
    answer = raw_request(instance, "GET", f"{COURSES}?{query}", [("Authorization", teacher.headers["authorization"])])
    assert_problem(answer, 400, "query_syntax")


@pytest.mark.parametrize("query", ["q=e%CC%81", "status=e%CC%81", "status[in]=a,e%CC%81"])
def test_text_of_queries_is_nfc_too(instance, teacher, query):
    answer = raw_request(instance, "GET", f"{COURSES}?{query}", [("Authorization", teacher.headers["authorization"])])
    problem = assert_problem(answer, 422, "validation_failed")
    assert [e["field"] for e in problem["errors"]] == ["/query/" + query.partition("=")[0]]


def test_huge_queries(teacher):
    assert_problem(teacher.get(COURSES + "?" + "&".join(f"p{i}=1" for i in range(65))), 400, "query_syntax")
    assert_problem(teacher.get(COURSES + "?q=" + "x" * 256), 422, "validation_failed", [("/query/q", "type")])
    assert_problem(teacher.get(COURSES + "?q=" + "x" * 10000), 422, "validation_failed", [("/query/q", "type")])
    assert_problem(teacher.get(COURSES + "?q=" + "x" * 20000), 414, "bad_request")
    problem = assert_problem(teacher.get(COURSES + "?" + "n" * 5000 + "=1"), 422, "validation_failed")
    assert len(problem["errors"][0]["field"]) < 300


# --- headers --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, first, second", [
    ("Authorization", None, "Bearer x"), ("Authorization", "Bearer x", None), ("If-Match", '"1"', '"2"'),
    ("Idempotency-Key", "a", "b"), ("Content-Type", "application/json", "text/plain"), ("Cookie", "a=b", "c=d"),
    ("Origin", "https://a", "https://b"), ("Content-Type", "application/json", "application/json"),
    ("X-Service-Token", "a", "b"), ("Sec-Fetch-Site", "same-origin", "cross-site")])
def test_headers_that_decide_come_once(instance, teacher, admin, marker, name, first, second):
    token = teacher.headers["authorization"]
    pairs = [(name, first or token), (name, second or token)]
    if name != "Authorization":
        pairs.append(("Authorization", token))
    if name != "Content-Type":
        pairs.append(("Content-Type", "application/json"))
    answer = raw_request(instance, "POST", COURSES, pairs, json.dumps({"title": marker}).encode())
    if name == "Cookie":  # HTTP/2 splits it; nginx joins what came in pieces. It is not used beside a token.
        assert answer.status_code in (201, 400), answer.text
        return
    assert_problem(answer, 400, "bad_request")
    nothing_left(instance, admin, marker)


@pytest.mark.parametrize("lines", [
    [("Content-Length", "13"), ("Transfer-Encoding", "chunked")],
    [("Content-Length", "13"), ("Content-Length", "5")],
    [("Transfer-Encoding", "chunked, identity")], [("Transfer-Encoding", "gzip")],
    [("Content-Length", "-1")], [("Content-Length", "1e3")], [("Content-Length", "99999999999999999999")]],
    ids=lambda lines: "; ".join(f"{n}: {v}" for n, v in lines))
def test_smuggling_shapes(instance, teacher, lines):
    from lib_gates import raw
    import urllib.parse
    host = urllib.parse.urlsplit(instance["base_url"]).netloc
    head = "".join(f"{n}: {v}\r\n" for n, v in lines)
    answer = raw(instance, (f"POST {COURSES} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
                            f"Authorization: {teacher.headers['authorization']}\r\n"
                            f"Content-Type: application/json\r\n{head}\r\n" + '{"title":"x"}').encode())
    assert answer.status_code in (400, 411, 413, 501), f"{answer.status_code} {answer.text}"
    assert answer.rest.count(b"HTTP/1.1") == 0, "a second answer"


def test_a_header_with_control_characters(instance, teacher):
    token = teacher.headers["authorization"]
    for value in (b"a\x01b", b"a\x7fb"):
        answer = raw_request(instance, "POST", COURSES, [
            ("Authorization", token), ("Content-Type", "application/json"), ("Idempotency-Key", value)],
            b'{"title":"x"}')
        assert_problem(answer, 400, "bad_request")


def test_headers_that_are_too_large(instance):
    answer = raw_request(instance, "GET", ME, [("X-Big", "x" * 20000)])
    assert_problem(answer, 431 if answer.status_code == 431 else 400, "bad_request")


def test_the_request_id_is_kept_or_made(anon):
    for good in ("a", "A-Z_0.9", "x" * 128):
        assert anon.get(ME, headers={"x-request-id": good}).headers["x-request-id"] == good
    for bad in ("x" * 129, "a b", "ä".encode().decode("latin-1"), '"', "a/b", ""):
        made = anon.get(ME, headers={"x-request-id": bad}).headers["x-request-id"]
        assert made != bad and re.fullmatch(r"[A-Za-z0-9._-]{1,128}", made)


# --- conditional requests -----------------------------------------------------------------------------------------

@pytest.fixture
def course(teacher):
    made = new_course(teacher)
    yield made
    teacher.delete(f"{COURSES}/{made['id']}")


def test_a_resource_names_its_version(teacher, course):
    answer = teacher.get(f"{COURSES}/{course['id']}")
    assert answer.headers["etag"] == '"1"', "nginx weakens what it compresses, and this is too short for it"
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["last-modified"])
    changed = teacher.patch(f"{COURSES}/{course['id']}", json={"description": "more"})
    assert changed.headers["etag"] == '"2"' == teacher.get(f"{COURSES}/{course['id']}").headers["etag"]


@pytest.mark.parametrize("sent", ['"1"', 'W/"1"', '"0", "1"', '"x" ,W/"1"', "*"])
def test_not_modified(teacher, course, sent):
    for method in ("GET", "HEAD"):
        answer = teacher.request(method, f"{COURSES}/{course['id']}", headers={"if-none-match": sent})
        assert answer.status_code == 304 and answer.content == b""
        assert answer.headers["etag"] == '"1"' and "content-type" not in answer.headers


@pytest.mark.parametrize("sent", ['"2"', '"11"', '1', '"1', 'w/"1"', '""', "nonsense", '"1 "'])
def test_modified(teacher, course, sent):
    answer = teacher.get(f"{COURSES}/{course['id']}", headers={"if-none-match": sent})
    assert answer.status_code == 200 and answer.json()["data"]["id"] == course["id"]


def test_not_modified_is_only_said_of_what_may_be_seen(api, course):
    answer = api("student").get(f"{COURSES}/{course['id']}", headers={"if-none-match": '"1"'})
    assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize("sent", ['"2"', '"9223372036854775807"', 'W/"2"'])
def test_precondition_failed(teacher, course, sent):
    at = f"{COURSES}/{course['id']}"
    assert_problem(teacher.patch(at, json={"title": "Lost Update"}, headers={"if-match": sent}),
                   412, "precondition_failed")
    assert_problem(teacher.delete(at, headers={"if-match": sent}), 412, "precondition_failed")
    assert teacher.get(at).json()["data"] == {**course, "join_code": None}


@pytest.mark.parametrize("sent", ["1", '"', '""', '"x"', '"-1"', '"1', '1"', "nonsense", '"1e0"', '"0x1"', '" 1"',
                                  '"99999999999999999999"', '"1", x', '"7", "1"', ""])
def test_preconditions_that_cannot_be_read(teacher, course, sent):
    at = f"{COURSES}/{course['id']}"
    answer = teacher.patch(at, json={"title": "Bad Header"}, headers={"if-match": sent})
    assert_problem(answer, 400, "precondition_invalid")
    assert teacher.get(at).json()["data"]["title"] == course["title"]


@pytest.mark.parametrize("sent", ['"1"', "*", 'W/"1"'])
def test_precondition_holds(teacher, course, sent):
    """Also a weak one: nginx makes them so when it compresses, and a version cannot be half the same."""
    answer = teacher.patch(f"{COURSES}/{course['id']}", json={"title": "Once"}, headers={"if-match": sent})
    assert answer.status_code == 200 and answer.json()["data"]["version"] == 2, answer.text


def test_of_two_changes_of_one_version_one_is_made(teacher, course):
    import concurrent.futures
    at = f"{COURSES}/{course['id']}"
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(lambda i: teacher.patch(at, json={"title": f"Change {i}"},
                                                         headers={"if-match": '"1"'}).status_code, range(5)))
    assert sorted(statuses) == [200, 412, 412, 412, 412]
    assert teacher.get(at).json()["data"]["version"] == 2


def test_a_precondition_on_what_is_not_there(teacher):
    assert_problem(teacher.patch(f"{COURSES}/{ID}", json={"title": "x"}, headers={"if-match": '"1"'}),
                   404, "not_found")


# --- answers -----------------------------------------------------------------------------------------------------

def test_errors_are_not_cached_and_carry_the_security_headers(anon, teacher):
    for answer in (anon.get(ME), anon.get(V1 + "/nothing"), teacher.post(COURSES, json={}),
                   teacher.get(f"{COURSES}/{ID}"), anon.request("PUT", ME)):
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert not re.search(r"\d", answer.headers.get("server", ""))
        assert "x-powered-by" not in answer.headers


def test_the_order_of_refusals(anon, api):
    """Who is calling comes before what is asked: a stranger learns nothing of fields and identifiers."""
    assert_problem(anon.post(COURSES, json={"x": 1}), 401, "unauthenticated")
    assert_problem(anon.get(f"{COURSES}/nope"), 401, "unauthenticated")
    assert_problem(api("student").post(COURSES, json={"x": 1}), 403, "forbidden")
    assert_problem(api("student").get(V1 + "/admin/audit-logs?x=1"), 403, "forbidden")


def test_times_are_utc_with_milliseconds(teacher, course):
    at = f"{COURSES}/{course['id']}"
    answer = teacher.patch(at, json={"starts_at": "2027-03-04T05:06:07.1239+02:00"}).json()["data"]
    assert answer["starts_at"] == "2027-03-04T03:06:07.123Z"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer[k])
               for k in ("created_at", "updated_at", "starts_at"))


def test_short_answers_are_sent_as_they_are(teacher, course):
    """JSON over 1 KiB is compressed; what is shorter would only lose its ETag's strength."""
    short = teacher.get(f"{COURSES}/{course['id']}", headers={"accept-encoding": "gzip"})
    assert len(short.content) < 1024 and "content-encoding" not in short.headers
    assert int(short.headers["content-length"]) == len(short.content)
    teacher.patch(f"{COURSES}/{course['id']}", json={"description": "x" * 2000})
    long = teacher.get(f"{COURSES}/{course['id']}", headers={"accept-encoding": "gzip"})
    assert long.headers["content-encoding"] == "gzip" and len(long.json()["data"]["description"]) == 2000
