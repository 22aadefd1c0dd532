"""Marked secrets: how they are made, how a log is searched for them in any form, and requests that
carry them through every part of an operation of the OpenAPI document."""
import base64
import itertools
import json
import re
import secrets
import urllib.parse
import uuid

from lib_domain import when

METHODS = ("get", "put", "post", "patch", "delete")
JSON = {"content-type": "application/json"}
# What tells what a cookie, a header or a value of its own form may look like, is said here once.
HEADERS = ("user-agent", "referer", "accept", "accept-language", "x-forwarded-for", "forwarded", "x-real-ip",
           "x-service-token", "x-csrf-token", "if-none-match", "if-modified-since", "tracestate", "origin",
           "sec-fetch-site", "x-api-key", "x-auth-token", "proxy-authorization", "range", "via", "from",
           "x-http-method-override", "content-language")
COOKIES = ("__Host-lectern_access", "__Host-lectern_refresh", "__Host-lectern_device", "csrf_token", "session")


class Canaries:
    """Marks of one run. All begin alike, so that one search finds the remains of a mark, too."""

    def __init__(self):
        self.prefix = "cnry" + secrets.token_hex(5)
        self._serial = itertools.count(1)
        self.planted = 0
        self.exact = set()

    def mark(self):
        self.planted = next(self._serial)
        return f"{self.prefix}{self.planted:05d}"

    def learn(self, value):
        """A secret that the service made: searched for as it is"""
        assert len(value) >= 16
        self.exact.add(value)

    def forms(self):
        """Patterns of a mark's beginning: as it is in any case, in hexadecimal, in base64 at each offset"""
        yield re.compile(re.escape(self.prefix), re.I)
        yield re.compile(self.prefix.encode().hex(), re.I)
        yield re.compile("%" + "%".join(f"{c:02x}" for c in self.prefix.encode()), re.I)
        for offset in range(3):
            core = base64.b64encode(b"\0" * offset + self.prefix.encode()).decode()
            begin, end = (0, 2, 3)[offset], len(self.prefix) + offset
            yield re.compile(re.escape(core[begin:end * 8 // 6]))

    def found(self, text):
        """Lines of a log that hold a mark or a learnt secret"""
        forms = list(self.forms())
        return [line for line in text.splitlines()
                if any(form.search(line) for form in forms) or any(value in line for value in self.exact)]


def b64url(value):
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def token_like(mark):
    """Three parts like those of a token, with a mark in each"""
    return ".".join((b64url(json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": mark()})),
                     b64url(json.dumps({"sub": mark(), "email": mark(), "name": mark()})), b64url(mark() * 3)))


# --- values by schema ------------------------------------------------------------------------------

def kind_of(schema):
    kind = schema.get("type", "string")
    return kind if isinstance(kind, str) else kind[0]


_hours = itertools.count(1)


def valid(schema, mark):
    """A value that the schema takes, with a mark in it wherever it can hold one"""
    kind = kind_of(schema)
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "object":
        return {mark(): {mark(): mark()}}
    if kind == "array":
        return [valid(schema["items"], mark)]
    if kind in ("integer", "boolean"):
        return 7 if kind == "integer" else False
    if schema.get("format") == "uuid":
        return str(uuid.uuid4())
    if schema.get("format") == "date-time":
        return when(days=3, hours=next(_hours))
    if schema.get("format") == "email":
        return f"{mark()}@canary.lectern.example"
    if "pattern" in schema:
        return mark()[:schema.get("maxLength", 64)]
    return f"Text {mark()}."[:schema.get("maxLength", 255)]


def invalid(schema, mark):
    """Values that the schema refuses, for one reason each (some pass: they are marked all the same)"""
    yield {mark(): mark()}
    yield [mark(), mark()]
    yield f"{mark()}\u0007{mark()}"
    yield f"{mark()} e\u0301 \u202e{mark()}"
    yield f"' or {mark()}::uuid = '{mark()}"
    if kind_of(schema) in ("string", "array"):
        yield (mark() + " ") * (schema.get("maxLength", 255) // 19 + 2)
    if kind_of(schema) == "object":
        yield {mark(): [{mark(): i} for i in range(40)]}


# --- requests --------------------------------------------------------------------------------------

class Operation:
    """One operation of the document: what it takes, with references followed"""

    def __init__(self, document, path, method):
        self.document, self.path, self.method = document, path, method.upper()
        self.row = document["paths"][path][method]
        self.id = self.row["operationId"]
        self.parameters = [self._follow(p) for p in self.row.get("parameters", [])]
        content = self.row.get("requestBody", {}).get("content", {})
        self.media = next(iter(content), None)
        self.body = self._follow(content[self.media]["schema"]) if content else None

    def _follow(self, node):
        while "$ref" in node:
            place = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                place = place[part]
            node = place
        return node

    def takes(self, place):
        return [p for p in self.parameters if p["in"] == place]


def operations(document):
    return [Operation(document, path, method)
            for path, item in document["paths"].items() for method in METHODS if method in item]


def _flat(value):
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def queries(operation, mark):
    """Query strings; each declared parameter well and badly, and what is not declared"""
    declared = operation.takes("query")
    texts = [p for p in declared if kind_of(p["schema"]) == "string" and not set(p["schema"]) & {"enum", "format"}]
    yield urllib.parse.urlencode({p["name"]: valid(p["schema"], mark) for p in texts})
    for p in declared:
        yield urllib.parse.urlencode({p["name"]: _flat(valid(p["schema"], mark))})
        yield urllib.parse.urlencode({p["name"]: mark()})
        yield urllib.parse.urlencode({p["name"]: (mark() + ",") * 60})
    yield urllib.parse.urlencode({mark(): mark()})
    yield f"access_token={mark()}&password={mark()}&q={mark()}&q={mark()}"
    yield f"{mark()}=%zz{mark()}&%ff{mark()}&%00"
    yield "&".join(f"{mark()}={mark()}" for _ in range(66))


def bodies(operation, mark, known):
    """(headers, bytes) of bodies; `known` has values of fields that only a real identifier can have"""
    if operation.media == "text/csv":
        yield from _lists(mark, known)
    elif operation.body is not None:
        yield from _objects(operation.body, mark, known)
    else:
        yield JSON, json.dumps({mark(): mark()}).encode()
    media = operation.media or "application/json"
    yield {"content-type": media}, b'{"' + mark().encode() + b'": "' + mark().encode()
    yield {"content-type": media}, b"\xff\xfe" + mark().encode() + b"\0" + mark().encode()
    yield {"content-type": "text/plain; charset=" + mark()}, mark().encode()
    yield {"content-type": mark() + "/" + mark()}, json.dumps({mark(): mark()}).encode()
    yield {"content-type": "application/x-www-form-urlencoded"}, f"password={mark()}&{mark()}={mark()}".encode()


def _objects(schema, mark, known):
    fields = schema["properties"]

    def made(names):
        return {name: known.get(name) or valid(fields[name], mark) for name in names}

    yield JSON, json.dumps(made(fields)).encode()
    required = schema.get("required", [])
    yield JSON, json.dumps(made(required)).encode()
    for name in fields:
        yield JSON, json.dumps(made([*required, name])).encode()
        for value in invalid(fields[name], mark):
            yield JSON, json.dumps(made(fields) | {name: value}).encode()
    yield JSON, json.dumps(made(fields) | {mark(): mark()}).encode()
    first = next(iter(fields))
    yield JSON, f'{{"{first}": "{mark()}", "{first}": "{mark()}"}}'.encode()
    yield JSON, (f'{{"{first}": ' + "[" * 50 + f'"{mark()}"' + "]" * 50 + "}").encode()
    yield JSON, f'{{"{first}": "{mark()}", {mark()}: 1}} {mark()}'.encode()
    yield JSON, json.dumps([mark(), {mark(): mark()}]).encode()
    yield JSON, json.dumps({mark(): mark() * 20_000}).encode()


def _lists(mark, known):
    csv = {"content-type": "text/csv"}
    yield csv, f"email\n{known.get('email', mark())}\n".encode()
    yield csv, f"email\n{mark()}@canary.lectern.example\n".encode()
    yield csv, f"email,name\n{mark()}@canary.lectern.example,{mark()}\n{mark()}\n\"{mark()}".encode()
    yield csv, f"{mark()},{mark()}\n{mark()},1\n".encode()
    yield csv, b"email\n" + b"".join(mark().encode() + b"@\n" for _ in range(20))
    yield csv, b"email\n\xff\xfe" + mark().encode() + b"\x07\n"


def headers(operation, mark):
    """Heads; most are of no meaning to the operation and must leave its answer as it is"""
    for name in HEADERS:
        yield {name: mark() + "/" + mark()}
    yield {"authorization": f"Bearer {mark()}"}
    yield {"authorization": f"Bearer {token_like(mark)}"}
    yield {"authorization": f"{mark()} {mark()}"}
    yield {"authorization": "Basic " + base64.b64encode(f"{mark()}:{mark()}".encode()).decode()}
    yield {"authorization": "", "cookie": "; ".join(f"{name}={mark()}" for name in COOKIES)}
    yield {"authorization": "", "origin": f"https://{mark()}.example", "referer": f"https://{mark()}.example/?{mark()}",
           "cookie": f"__Host-lectern_access={token_like(mark)}; csrf_token={mark()}", "x-csrf-token": mark()}
    yield {"cookie": f"{mark()}={mark()}; {mark()}"}
    yield {"idempotency-key": mark()}
    yield {"idempotency-key": (mark() + " ") * 16}
    yield {"idempotency-key": mark() + "\t\u00e9"}
    yield {"if-match": f'"{mark()}"', "if-none-match": f'W/"{mark()}"'}
    yield {"x-request-id": (mark() + " ") * 4}
    yield {"traceparent": f"00-{mark()}-{mark()}-01"}
    yield {"accept": f"text/{mark()}", "x-" + mark(): mark()}
