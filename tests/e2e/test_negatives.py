"""What every row of the interface refuses, generated from the emitted document.

Each test asks one thing of one operation in all its forms, collects what went wrong and names it.
A ledger over all tables, taken before and after, shows that no refusal left anything behind.
"""
import base64
import json
import re
import time
import types

import jwt
import pytest

from conftest import _write_down
from lib_domain import data, unique
from lib_gates import assert_problem
from lib_pool import pools
from lib_rows import (METHODS, NOBODY, STRANGE, V1, Ledger, World, as_query, cookies_of, document,
                      random_id, send_twice, spans, values, wrong_types)

DOCUMENT = document()
ROWS = DOCUMENT.rows


def rows(which):
    """Each row that the question can be asked of"""
    found = [row for row in ROWS if which(row)]
    assert found
    return pytest.mark.parametrize("row", found, ids=lambda row: row.id)


class Faults(list):
    """Collects; the test fails at its end with all of them"""

    def refused(self, what, answer, status, code, fields=None):
        try:
            problem = assert_problem(answer, status, code)
            if fields is not None:
                told = {e["field"]: e["code"] for e in problem["errors"]}
                for pointer, word in fields.items():
                    assert pointer in told, f"{pointer} is not complained of: {told}"
                    assert word in (None, told[pointer]), f"{pointer} is {told[pointer]}, not {word}"
        except (AssertionError, KeyError, ValueError) as fault:
            self.append(f"{what}: {str(fault)[:400]}")

    def expect(self, good, what):
        if not good:
            self.append(what)

    def none(self):
        assert not self, f"{len(self)} faults\n" + "\n".join(self)


@pytest.fixture(scope="module")
def world(new_client, api):
    return World(new_client, api, DOCUMENT.roles)


@pytest.fixture(scope="module")
def ledger(root):
    return Ledger(root)


@pytest.fixture
def faults(world, ledger):
    """What went wrong; at the end nothing may have changed"""
    found = Faults()
    before = ledger.take()
    yield found
    after = ledger.take()
    changed = {table: f"{before[table][0]} → {after[table][0]} rows" for table in before
               if before[table] != after[table]}
    assert not changed, f"refused requests changed {changed}"


# --- who is calling ------------------------------------------------------------------------------

def test_the_document_is_the_instances(anon):
    assert anon.get(V1 + "/openapi.json").json() == DOCUMENT.raw


@rows(lambda row: row.user or "metrics_bearer" in row.schemes)
def test_no_token(world, faults, new_client, metrics, row):
    answer = world.send(row, new_client("nobody"))
    faults.refused("no token", answer, 401, "unauthenticated")
    scheme = "Bearer " if row.user else "Basic "
    faults.expect(answer.headers.get("www-authenticate", "").startswith(scheme), "no WWW-Authenticate")
    if metrics(row):
        faults.expect(world.send(row, headers=metrics(row)).status_code == 200, "refused with the right one")
    faults.none()


@pytest.fixture(scope="module")
def bad_tokens(world, place, accounts, sign_in):
    """(what, token, code)"""
    good = world.admin.headers["authorization"].removeprefix("Bearer ")
    head, claims, signature = good.split(".")
    left = sign_in(accounts("admin"))
    assert left.post(V1 + "/auth/logout").status_code == 204
    key = next(k for k in place.keyset()["keys"] if k["state"] == "active")
    now = int(time.time())
    old = {**jwt.decode(good, options={"verify_signature": False}), "iat": now - 1000, "exp": now - 1}

    def signed(content):
        return jwt.encode(content, key["private_pem"], key["alg"], headers={"kid": key["kid"]})
    # The key is the right one: with a time to come the same token is taken.
    fresh = world.new_client("fresh").get(
        V1 + "/users/me", headers={"authorization": "Bearer " + signed({**old, "exp": now + 600})})
    assert fresh.status_code == 200, fresh.text
    flipped = base64.urlsafe_b64encode(bytes([base64.urlsafe_b64decode(signature + "==")[0] ^ 1])
                                       + base64.urlsafe_b64decode(signature + "==")[1:]).decode().rstrip("=")
    return [("no token", "x", "token_invalid"), ("three words", "a.b.c", "token_invalid"),
            ("a signature with one bit flipped", f"{head}.{claims}.{flipped}", "token_invalid"),
            ("expired a second ago", signed(old), "token_invalid"),
            ("of a session that was left", left.headers["authorization"].removeprefix("Bearer "),
             "session_ended")]


@rows(lambda row: row.user)
def test_bad_tokens(world, bad_tokens, faults, new_client, row):
    for what, token, code in bad_tokens:
        answer = world.send(row, new_client("bad"), headers={"authorization": "Bearer " + token})
        faults.refused(what, answer, 401, code)
        faults.expect('error="invalid_token"' in answer.headers.get("www-authenticate", ""),
                      f"{what}: no WWW-Authenticate")
    faults.none()


@rows(lambda row: row.user and len(row.roles) < len(DOCUMENT.roles))
def test_wrong_role(world, faults, row):
    for role in set(DOCUMENT.roles) - set(row.roles):
        faults.refused(role, world.send(row, world.callers[role]), 403, "forbidden")
    faults.none()


@rows(lambda row: "enrollment_id" in row.path_names and row.method != "GET")
def test_seen_but_not_to_be_changed(world, faults, row):
    """An assistant sees a course's enrollments; what is seen and refused is no 404"""
    own = world.path(row)
    faults.expect(world.assistant.get(re.sub(r"(enrollments/[^/]*).*", r"\1", own)).status_code == 200, "not seen")
    faults.refused("assistant", world.send(row, world.assistant), 403, "forbidden")
    faults.none()


def plain(answer):
    """An answer without what differs between any two"""
    same = re.sub(r'"request_id":"[^"]*"', "", answer.text)
    names = sorted(name.lower() for name in answer.headers)
    return answer.status_code, same, names


@rows(lambda row: row.user and row.path_ids and not spans(row))
def test_another_organisations_identifiers(world, faults, row):
    for name in row.path_ids:
        ours = {n: world.own.get(n) for n in row.path_names}
        answers = [world.send(row, path=world.path(row, **{**ours, name: value}))
                   for value in (world.other[name], random_id())]
        for what, answer in zip(("theirs", "nobody's"), answers):
            faults.refused(f"{name} {what}", answer, 404, "not_found")
        faults.expect(plain(answers[0]) == plain(answers[1]),
                      f"{name}: what is theirs and what is not there are told apart: {answers[0].text}")
    faults.none()


def ids_in(row):
    body = [("body", n) for n, s in row.fields.items() if s.get("format") == "uuid"]
    return body + [("query", n) for n, s in row.query.items()
                   if "uuid" in (s.get("format"), s.get("items", {}).get("format"))]


@rows(lambda row: row.user and ids_in(row))
def test_another_organisations_identifiers_in_fields(world, faults, row):
    for where, name in ids_in(row):
        answers = []
        known = next((n for n in (name.split("[")[0], "user_id") if n in world.other), "user_id")
        for value in (world.other[known], random_id()):
            if where == "body":
                answers.append(world.send(row, body={**world.body(row), name: value}))
            else:
                answers.append(world.send(row, query=f"{name}={value}"))
        # 202 says that it was heard, whatever it names.
        codes = (200,) if where == "query" else (202, 403, 404, 409, 422)
        faults.expect(answers[0].status_code in codes, f"{name}: {answers[0].status_code} {answers[0].text[:300]}")
        told = [(a.status_code, re.sub(r'"request_id":"[^"]*"', "", a.text)) for a in answers]
        faults.expect(told[0] == told[1], f"{name}: theirs {told[0]}, nobody's {told[1]}")
        if where == "query":
            sheet = answers[0].headers["content-type"].startswith("text/csv")
            rest = answers[0].text.splitlines()[1:] if sheet else answers[0].json()["data"]
            faults.expect(rest == [], f"{name} shows rows of others")
    faults.none()


# --- browsers ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def browsers(world):
    """Sessions with cookies, made before any ledger is opened"""
    return {role: cookies_of(world, role) for role in {browser_of(row) for row in ROWS if "csrf" in row.schemes}}


def browser_of(row):
    return next((r for r in ("admin", "operator", *row.roles) if r in row.roles), "admin")


@rows(lambda row: "csrf" in row.schemes)
def test_forged_by_another_site(world, browsers, faults, new_client, instance, row):
    cookies = browsers[browser_of(row)]
    token = next(value for name, value in cookies.items() if "csrf" in name)
    bare = {n: v for n, v in cookies.items() if "csrf" not in n}
    ours = {"origin": instance["base_url"], "sec-fetch-site": "same-origin"}
    forms = {
        "no token": (cookies, ours),
        "another token": (cookies, {**ours, "x-csrf-token": token[:-1] + ("A" if token[-1] != "A" else "B")}),
        "no cookie beside the token": (bare, {**ours, "x-csrf-token": token}),
        "foreign origin": (cookies, {"x-csrf-token": token, "origin": "https://evil.example"}),
        "null origin": (cookies, {"x-csrf-token": token, "origin": "null"}),
        "cross-site": (cookies, {"x-csrf-token": token, "origin": instance["base_url"],
                                 "sec-fetch-site": "cross-site"}),
        "foreign referer": (cookies, {"x-csrf-token": token, "referer": "https://evil.example/"}),
        "from nowhere": (cookies, {"x-csrf-token": token}),
    }
    body = world.body(row) if row.body_required else NOBODY
    for what, (sent, headers) in forms.items():
        cookie = "; ".join(f"{n}={v}" for n, v in sent.items())
        answer = world.send(row, new_client("forged"), body=body, headers={**headers, "cookie": cookie})
        faults.refused(what, answer, 403, "csrf_failed")
    faults.none()


# --- addresses and queries -----------------------------------------------------------------------

@pytest.mark.parametrize("path", sorted({row.path for row in ROWS}))
def test_wrong_method(world, faults, path):
    there = DOCUMENT.methods(path)
    row = next(row for row in ROWS if row.path == path)
    allowed = there | {"OPTIONS"} | ({"HEAD"} if "GET" in there else set())
    for method in {m.upper() for m in METHODS} - there:
        answer = world.send(row, body=NOBODY, method=method)
        faults.refused(method, answer, 405, "method_not_allowed")
        told = set(answer.headers.get("allow", "").replace(" ", "").split(","))
        faults.expect(told == allowed, f"{method}: Allow tells {told}, not {allowed}")
    faults.none()


@rows(lambda row: row.path_ids)
def test_bad_identifier(world, faults, row):
    for name in row.path_ids:
        good = world.own.get(name) or world.own["user_id"]
        for bad in ("x", "1", good[:-1], good + "0", good.replace("-", ""), "{" + good + "}", "' or 1=1", "%"):
            answer = world.send(row, path=world.path(row, **{name: bad}))
            faults.refused(f"{name}={bad}", answer, 422, "validation_failed", {f"/path/{name}": "uuid"})
    faults.none()


@rows(lambda row: True)
def test_unknown_and_repeated_parameters(world, faults, metrics, row):
    def send(query):
        return world.send(row, query=query, headers=metrics(row))
    faults.refused("unknown", send(STRANGE + "=1"), 422, "validation_failed", {f"/query/{STRANGE}": "unknown"})
    for name, schema in row.query.items():
        good = as_query(schema, next((v for _, v, ok in values(schema, DOCUMENT.resolve) if ok), "true"))
        faults.refused(f"{name} twice", send(f"{name}={good}&{name}={good}"), 422, "validation_failed",
                       {f"/query/{name}": None})
        faults.refused(f"{name}[zz]", send(f"{name}[zz]={good}"), 422, "validation_failed",
                       {f"/query/{name}[zz]": "unknown"})
    faults.refused("no UTF-8", send("a=%ff"), 400, "query_syntax")
    faults.none()


@pytest.fixture(scope="module")
def metrics(instance):
    """The credentials of rows that need the metrics' own"""
    def headers(row):
        if "metrics_bearer" not in row.schemes:
            return {}
        return {"authorization": "Bearer " + instance["metrics"]["bearer_token"]}
    return headers


@rows(lambda row: row.query)
def test_bounds_of_parameters(world, faults, row):
    for name, schema in row.query.items():
        forms = list(values(schema, DOCUMENT.resolve))
        kinds = schema["type"]
        if kinds in ("integer", "boolean"):
            forms += [("no " + kinds, bad, False) for bad in ("x", "", "1.5", "9" * 30, "0x10", "TRUE ")]
        for what, value, good in forms:
            if isinstance(value, list) and any("," in str(v) for v in value):
                continue
            # What is good changes nothing either: a parameter that nobody knows goes with it.
            answer = world.request_query(row, {name: as_query(schema, value), STRANGE: "1"})
            pointers = {f"/query/{STRANGE}": "unknown", **({} if good else {f"/query/{name}": None})}
            if re.search("[\0\1]", as_query(schema, value)):
                faults.refused(f"{name} {what}", answer, 400, "query_syntax")
                continue
            faults.refused(f"{name} {what}", answer, 422, "validation_failed", pointers)
            if good and f'"field":"/query/{name}"' in answer.text:
                faults.append(f"{name} {what} {value!r} is refused: {answer.text[:300]}")
    faults.none()


# --- bodies --------------------------------------------------------------------------------------

@rows(lambda row: row.json)
def test_fields(world, faults, row):
    """Unknown and missing fields, wrong types, null, and each bound from both sides"""
    least = world.body(row)

    def send(change, what, told):
        answer = world.send(row, body={**least, STRANGE: 1, **change})
        faults.refused(what, answer, 422, "validation_failed", {f"/{STRANGE}": "unknown", **told})
        return answer

    faults.refused("an unknown field", world.send(row, body={**least, STRANGE: 1}), 422, "validation_failed",
                   {f"/{STRANGE}": "unknown"})
    for wrong in ([], [least], "x", 5, True, None):
        faults.refused(f"a body of {wrong!r}", world.send(row, body=json.dumps(wrong).encode()), 422,
                       "validation_failed", {"": "type"})
    for name in row.required:
        answer = world.send(row, body={n: v for n, v in least.items() if n != name} | {STRANGE: 1})
        faults.refused(f"without {name}", answer, 422, "validation_failed", {f"/{name}": "required"})
    for name, schema in row.fields.items():
        pointer = f"/{name}"
        for wrong in wrong_types(schema):
            if wrong is not None:
                send({name: wrong}, f"{name} = {wrong!r}", {pointer: None})
        if "null" not in schema["type"]:
            send({name: None}, f"{name} null", {pointer: "null"})
        else:
            told = send({name: None}, f"{name} null", {}).json().get("errors", [])
            faults.expect(pointer not in {e["field"] for e in told}, f"{name} null is refused")
        for what, value, good in values(schema, DOCUMENT.resolve):
            if "\0" in str(value):
                faults.refused(f"{name} {what}", world.send(row, body={**least, name: value}), 400, "json_syntax")
                continue
            answer = send({name: value}, f"{name} {what}", {} if good else {pointer: None})
            if good and f'"field":"{pointer}"' in answer.text:
                faults.append(f"{name} {what} is refused: {answer.text[:300]}")
    faults.none()


@rows(lambda row: row.json)
def test_bodies_that_cannot_be_read(world, faults, row):
    forms = [("cut off", b'{"a":', "json_syntax"), ("a name twice", b'{"a":1,"a":1}', "json_syntax"),
             ("behind its end", b"{}x", "json_syntax"), ("no number", b'{"a":NaN}', "json_syntax"),
             ("beyond int64", b'{"a":9223372036854775808}', "json_syntax"),
             ("no UTF-8", b'{"a":"\xff"}', "json_syntax"),
             ("33 deep", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "json_too_deep"),
             ("10,001 elements", b'{"a":[' + b"0," * 10000 + b"0]}", "json_too_complex")]
    for what, body, code in forms:
        faults.refused(what, world.send(row, body=body), 400, code)
    faults.none()


@rows(lambda row: row.media is not None)
def test_media_types_and_sizes(world, faults, row):
    for kind in ("text/plain", "application/xml", "multipart/form-data", row.media + "; charset=latin1",
                 "application/x-www-form-urlencoded"):
        faults.refused(kind, world.send(row, headers={"content-type": kind}), 415, "unsupported_media_type")
    if row.body_required:
        faults.refused("no body", world.send(row, body=NOBODY), 400, "body_missing")
    start, end = (b'{"a":"', b'"}') if row.json else (b"email\n", b"")
    big = start + b"a" * (1048577 - len(start) - len(end)) + end
    faults.refused("a byte over the limit", world.send(row, body=big), 413, "payload_too_large")
    answer = world.send(row, body=big[:-1] if not row.json else start + big[len(start) + 1:])
    faults.expect(answer.status_code != 413, "the limit itself is refused")
    faults.none()


@rows(lambda row: row.media is None)
def test_body_where_none_is_taken(world, faults, metrics, row):
    for what, body, kind in (("JSON", b"{}", "application/json"), ("text", b"x", "text/plain"),
                             ("a form", b"a=1", "application/x-www-form-urlencoded"),
                             ("much", b"x" * 1100000, "application/json")):
        answer = world.send(row, body=body, headers={**metrics(row), "content-type": kind})
        faults.refused(what, answer, 400, "body_unexpected")
    faults.none()


@rows(lambda row: True)
def test_not_acceptable(world, faults, metrics, row):
    for accept in ("application/x-nothing", "image/*", "*/*;q=0"):
        answer = world.send(row, headers={**metrics(row), "accept": accept})
        faults.refused(accept, answer, 406, "not_acceptable")
    faults.none()


@rows(lambda row: True)
def test_a_header_twice(world, faults, instance, row):
    for name in ("origin", "if-match", "idempotency-key"):
        faults.refused(name, send_twice(instance, row, world.path(row), name, '"1"'), 400, "bad_request")
    faults.none()


# --- conditions and repetition -------------------------------------------------------------------

@rows(lambda row: "if-match" in row.headers)
def test_stale_if_match(world, faults, row):
    for tag in ('"999999"', 'W/"999999"', '"999999999999"'):
        faults.refused(tag, world.send(row, headers={"if-match": tag}), 412, "precondition_failed")
    for tag in ("1", "x", '""', '"1', '"-1"', '"1.0"', '"99999999999999999999"'):
        faults.refused(tag, world.send(row, headers={"if-match": tag}), 400, "precondition_invalid")
    faults.none()


@rows(lambda row: "if-none-match" in row.headers)
def test_not_modified(world, faults, row):
    first = world.send(row)
    assert first.status_code == 200, first.text
    for tags in (first.headers["etag"], f'"none", {first.headers["etag"]}', "*"):
        answer = world.send(row, headers={"if-none-match": tags})
        faults.expect(answer.status_code == 304 and answer.content == b"", f"{tags}: {answer.status_code}")
        faults.expect("etag" in answer.headers, f"{tags}: no ETag")
    faults.expect(world.send(row, headers={"if-none-match": '"0"'}).status_code == 200, "another tag")
    faults.none()


KEYED = rows(lambda row: "idempotency-key" in row.headers)


@KEYED
def test_bad_idempotency_key(world, faults, row):
    for what, key in (("empty", ""), ("256 characters", "k" * 256), ("not ASCII", "k\u00e9")):
        faults.refused(what, world.send(row, headers={"idempotency-key": key}), 400, "idempotency_key_invalid")
    faults.none()


@KEYED
def test_idempotency_key_under_way(world, faults, root, row):
    """The key is held by another transaction, as by a request that has not ended yet"""
    key, caller = unique("key"), world.caller(row)
    me = caller.get(V1 + "/users/me").json()["data"]["id"]
    root.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (me + key,))
    try:
        answer = world.send(row, caller, headers={"idempotency-key": key})
    finally:
        root.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", (me + key,))
    faults.refused("under way", answer, 409, "idempotency_in_progress")
    faults.expect(int(answer.headers.get("retry-after", 0)) >= 1, "no Retry-After")
    faults.none()


@KEYED
def test_idempotency_key_again(world, ledger, row):
    """The effect happens once; the key belongs to its caller, its address and its body"""
    found, key, things = Faults(), unique("key"), world.things()
    body, path = world.body(row, things), world.path(row, things)
    headers = {"idempotency-key": key}
    # Of an export there is one at a time.
    caller = world.people.make() if row.id == "export_request" else world.caller(row)
    first = world.send(row, caller, body=body, path=path, headers=headers)
    assert first.status_code in (200, 201, 202, 204), first.text
    assert "idempotency-replayed" not in first.headers
    before = ledger.take()
    again = world.send(row, caller, body=body, path=path, headers=headers)
    found.expect((again.status_code, again.content) == (first.status_code, first.content),
                 f"another answer: {again.status_code} {again.text[:300]}")
    found.expect(again.headers.get("idempotency-replayed") == "1", "not marked as replayed")
    found.expect(again.headers.get("idempotency-key") == key, "the key is not echoed")
    for name in ("location", "etag", "content-type"):
        found.expect(again.headers.get(name) == first.headers.get(name), f"another {name}")
    others = [("another address", body, world.path(row))] if row.path_names else []
    if row.json:
        name, schema = next(iter(row.fields.items()))
        for _, value, good in values(schema, DOCUMENT.resolve):
            if good and isinstance(body, dict) and body.get(name) != value:
                others.append(("another body", {**body, name: value}, path))
                break
    elif row.media:
        others.append(("another body", body + b"someone@rows.lectern.example\n", path))
    if not others:
        reading, used = next(r for r in ROWS if r.id == "announcement_read"), {"idempotency-key": unique("key")}
        assert world.send(reading, world.admin, headers=used).status_code < 300
        before = ledger.take()
        found.refused("another operation's", world.send(row, world.admin, headers=used), 422,
                      "idempotency_key_reused")
    for what, other, where in others:
        found.refused(what, world.send(row, caller, body=other, path=where, headers=headers), 422,
                      "idempotency_key_reused")
    found.expect(ledger.take() == before, "a repeated key changed something")
    found.none()


# --- limits --------------------------------------------------------------------------------------

LIMIT = 2
LIMITED = sorted({row.rate_class for row in ROWS if row.rate_class})


@pytest.fixture(scope="module")
def tight(world, instance):
    """Workers with limits of two: {pool: Pool}"""
    generous = {"GLOBAL_RATE_LIMIT": "1000000", "GLOBAL_MUTATION_RATE_LIMIT": "1000000"}
    answer = world.callers["operator"].get(V1 + "/health/details")
    classes = {limit["name"] for limit in answer.json()["data"]["rate_limits"]}
    assert set(LIMITED) <= classes
    with pools(instance) as make:
        few = {name: str(LIMIT) for name in settings_of_classes()}
        yield {name: make("tight", name=name, workers=1, **few, **generous)
               for name in sorted({row.pool for row in ROWS})}


def settings_of_classes():
    """The settings that count the classes of the rows, as the table of limits has them"""
    from conftest import TREE
    text = (TREE / "fcgi" / "api" / "limits.def").read_text()
    table = dict(re.findall(r'^RATE\(\w+, "(\w+)", (\w+),', text, re.M))
    return [table[name] for name in LIMITED]


def ask_pool(pool, row, path, headers=(), body=b""):
    headers = {**dict(headers), "x-request-id": unique("pool")}
    reply = pool.ask(row.method, path, headers, body)
    reply.headers["x-request-id"] = headers["x-request-id"]  # as nginx does
    _write_down(types.SimpleNamespace(url=f"https://localhost{path}", method=row.method,
                                      headers=headers, body=None), reply)
    return reply


def ask_limited(world, tight, row):
    """Past every gate of the caller, and refused by the first after the limits"""
    caller = world.caller(row)
    headers = {n: v for n, v in caller.headers.items() if n.lower() == "authorization"}
    return caller, ask_pool(tight[row.pool], row, f"{world.path(row)}?{STRANGE}=1", headers)


@pytest.mark.parametrize("name", LIMITED)
def test_limit_exceeded(world, tight, faults, name):
    passed = {}
    for row in (r for r in ROWS if r.rate_class == name):
        for _ in range(LIMIT + 1):
            caller, reply = ask_limited(world, tight, row)
            who = caller.headers.get("authorization", "")
            if reply.status_code == 429:
                break
            passed[who] = passed.get(who, 0) + 1
        faults.refused(row.id, reply, 429, "rate_limited")
        told = reply.headers
        faults.expect(int(told.get("retry-after", 0)) >= 1, f"{row.id}: no Retry-After")
        faults.expect(told.get("x-rate-limit-limit") == str(LIMIT), f"{row.id}: {told.get('x-rate-limit-limit')}")
        faults.expect(told.get("x-rate-limit-remaining") == "0", f"{row.id}: something remains")
        faults.expect(told.get("ratelimit-policy", "").startswith(f'"{name}";q={LIMIT};'),
                      f"{row.id}: {told.get('ratelimit-policy')}")
    faults.expect(set(passed.values()) == {LIMIT}, f"{sorted(passed.values())} passed instead of {LIMIT}")
    faults.none()


# --- without the database ------------------------------------------------------------------------

ASKS_NOTHING = {"health_live", "metrics", "openapi", "jwks"}  # of the database


@pytest.fixture(scope="module")
def cut_off(instance):
    """Workers whose database is a port on which nobody listens: {pool: Pool}"""
    many = {name: "1000000" for name in (*settings_of_classes(), "GLOBAL_RATE_LIMIT", "GLOBAL_MUTATION_RATE_LIMIT")}
    with pools(instance) as make:
        yield {name: make("cut off", name=name, workers=1, **many,
                          DATABASE_URL="postgresql://lectern_app:hunter2@127.0.0.1:1/lectern")
               for name in sorted({row.pool for row in ROWS})}


@rows(lambda row: True)
def test_without_the_database(world, cut_off, faults, metrics, row):
    headers = {n: v for n, v in world.caller(row).headers.items() if n.lower() == "authorization"}
    headers |= metrics(row) | ({"content-type": row.media} if row.media else {})
    body = world.body(row)
    reply = ask_pool(cut_off[row.pool], row, world.path(row), headers, b"" if body is NOBODY else body)
    own = 503 in row.statuses_of("application/json")
    if row.id in ASKS_NOTHING:
        faults.expect(reply.status_code == 200, f"{reply.status_code} {reply.text[:200]}")
    elif own:
        faults.expect((reply.status_code, reply.json()["data"]["status"]) == (503, "down"), reply.text[:200])
    else:
        faults.refused("away", reply, 503, "service_unavailable")
    faults.expect(reply.status_code == 200 or int(reply.headers.get("retry-after", 0)) >= 1, "no Retry-After")
    faults.none()


# --- what only some rows refuse ------------------------------------------------------------------

def test_enrollment_of_who_is_no_student_any_more(world):
    person, course = world.people.make(), f"{V1}/courses/{world.own['course_id']}"
    enrolled = data(world.admin.post(course + "/enrollments", json={"user_id": person.id}), 201)
    path = f"{V1}/enrollments/{enrolled['id']}"
    assert world.admin.delete(path).status_code == 204
    data(world.admin.put(f"{V1}/org/users/{person.id}/role", json={"role": "parent"}))
    assert_problem(world.admin.patch(path, json={"status": "active"}), 422, "not_a_student")
    assert data(world.admin.get(path))["status"] == "withdrawn"


def test_metrics_from_elsewhere(instance, faults, metrics):
    row = next(row for row in ROWS if "metrics_bearer" in row.schemes)
    with pools(instance) as make:
        pool = make("elsewhere", name=row.pool, workers=1, METRICS_ALLOWED_IPS="192.0.2.0/24")
        faults.refused("of another network", ask_pool(pool, row, row.path, metrics(row)), 403, "forbidden")
        reply = pool.ask(row.method, row.path, metrics(row), address="192.0.2.7")
    faults.expect(reply.status_code == 200, f"{reply.status_code} from where it is allowed")
    faults.none()


def test_registration_that_is_closed(instance, faults):
    row = next(row for row in ROWS if row.id == "auth_register")
    with pools(instance) as make:
        pool = make("closed", name=row.pool, workers=1, REGISTRATION_ORG="")
        reply = ask_pool(pool, row, row.path, body={"name": "N", "email": f"{unique()}@rows.lectern.example",
                                                   "password": "correct-battery-staple-9"})
    faults.refused("closed", reply, 403, "registration_closed")
    faults.none()
