#!/usr/bin/python3
"""Hold recorded answers against the OpenAPI document: check.py EXCHANGES OPENAPI

Every exchange must be one that the document declares: operation, status, media type, headers, body,
code. And every operation, success and error code that it declares must have been seen, but for
those in unseen.txt, of which none may have been. The last line is `N passed, N failed`.
"""
import collections
import fnmatch
import json
import pathlib
import re
import sys
import urllib.parse

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
METHODS = ("get", "put", "post", "delete", "patch")

# Headers whose presence says something that the document must know.
TELLING = ("etag", "last-modified", "location", "link", "x-total-count", "retry-after", "www-authenticate",
           "idempotency-replayed", "idempotency-key", "deprecation", "sunset")
ALWAYS = ("x-request-id", "www-authenticate", "etag", "last-modified", "location", "x-rate-limit-limit",
          "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit", "ratelimit-policy", "deprecation", "sunset")
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("uuid")
def _uuid(value):
    return not isinstance(value, str) or bool(
        re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value))


@FORMATS.checks("date-time")
def _time(value):
    """The house form: UTC with milliseconds"""
    return not isinstance(value, str) or bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value))


@FORMATS.checks("uri")
def _uri(value):
    return not isinstance(value, str) or bool(re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", value))


# --- the document --------------------------------------------------------------------------------

class Response:
    def __init__(self, contract, node):
        node = contract.resolve(node)
        self.headers = {name.lower(): contract.resolve(h) for name, h in node.get("headers", {}).items()}
        self.content = {kind: contract.validator(media["schema"])
                        for kind, media in node.get("content", {}).items()}
        problem = node.get("content", {}).get("application/problem+json")
        self.codes = contract.codes(problem["schema"]) if problem else set()
        self.succeeds = not problem or len(self.content) > 1


class Operation:
    def __init__(self, contract, path, method, node):
        self.id, self.path, self.method = node["operationId"], path, method.upper()
        self.responses = {int(status): Response(contract, r) for status, r in node["responses"].items()}
        self.seen = set()

    def declared(self):
        """Everything that is to be seen: ("200", None), ("404", "not_found") …"""
        for status, response in self.responses.items():
            if response.succeeds:
                yield status, None
            for code in response.codes:
                yield status, code


class Contract:
    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver("", document)
        self.problem = self.validator({"$ref": "#/components/schemas/problem"})
        self.operations = {}
        self.paths = []
        for path, item in document["paths"].items():
            pattern = re.compile("/".join(r"[^/]+" if p.startswith("{") else re.escape(p)
                                          for p in path.split("/")))
            self.paths.append((path.count("{"), pattern, path))
            for method in METHODS:
                if method in item:
                    self.operations[path, method.upper()] = Operation(self, path, method, item[method])
        self.paths.sort(key=lambda p: p[0])

    def resolve(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def validator(self, schema):
        jsonschema.Draft202012Validator.check_schema(schema)
        return jsonschema.Draft202012Validator(schema, resolver=self.resolver, format_checker=FORMATS)

    def codes(self, schema):
        """The codes that a problem's schema admits"""
        schema = self.resolve(schema)
        found = set(schema.get("properties", {}).get("code", {}).get("enum", []))
        for part in schema.get("allOf", []):
            found |= self.codes(part)
        return found

    def find(self, path):
        for _, pattern, template in self.paths:
            if pattern.fullmatch(path):
                return template
        return None

    def methods(self, template):
        there = {method for path, method in self.operations if path == template}
        return there | {"OPTIONS"} | ({"HEAD"} if "GET" in there else set())


# --- one exchange --------------------------------------------------------------------------------

def canonical(path):
    """As nginx passes it on: decoded, slashes merged, dots resolved, without the alias"""
    path = urllib.parse.unquote(path, errors="surrogateescape")
    parts = []
    for part in re.sub("/+", "/", path).split("/")[1:]:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    path = "/" + "/".join(parts)
    if re.match(r"/api/(?!v[0-9]+(/|$))", path) and not re.match(r"/api/docs(/|$)", path):
        return "/api/v1/" + path[5:]
    return path


def ours(path):
    return path.startswith("/api/v1/") or path in ("/metrics", "/.well-known/jwks.json")


def parsed(exchange):
    """The body as JSON where it says that it is; a fault otherwise"""
    kind = exchange["headers"].get("content-type", "").split(";")[0].strip().lower()
    if kind.endswith("json") and exchange["method"] != "HEAD":
        try:
            return kind, json.loads(exchange["body"]), None
        except ValueError as fault:
            return kind, None, f"the body is not JSON: {fault}"
    return kind, exchange["body"], None


def header_faults(exchange, response, status):
    headers = exchange["headers"]
    for name in ALWAYS:
        if name in response.headers and name not in headers:
            yield f"header {name} is missing"
    if status in (429, 503) and "retry-after" in response.headers and "retry-after" not in headers:
        yield "header retry-after is missing"
    for name in TELLING:
        if name in headers and name not in response.headers:
            yield f"header {name} is not declared"
    for name, declared in response.headers.items():
        if declared.get("schema", {}).get("type") == "integer" and name in headers \
                and not re.fullmatch(r"\d+", headers[name]):
            yield f"header {name} is no integer: {headers[name]!r}"


def schema_faults(validator, body):
    error = jsonschema.exceptions.best_match(validator.iter_errors(body))
    if error is not None:
        yield f"the body breaks the schema at /{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def problem_faults(contract, exchange, status):
    """What every problem answer keeps, whoever made it"""
    kind, body, fault = parsed(exchange)
    if kind != "application/problem+json":
        yield f"media type {kind!r} of a problem"
        return
    if exchange["method"] == "HEAD":
        return
    if fault:
        yield fault
        return
    yield from schema_faults(contract.problem, body)
    if body.get("status") != status:
        yield f"status {body.get('status')} in the body"
    if body.get("request_id") != exchange["headers"].get("x-request-id"):
        yield "request_id is not that of the header"
    if status >= 500 and "error_id" not in body:
        yield "a 5xx without error_id"


def operation_faults(contract, operation, exchange):
    status = exchange["status"]
    response = operation.responses.get(status)
    if response is None:
        code = (parsed(exchange)[1] or {}) if exchange["method"] != "HEAD" else {}
        yield f"status {status} is not declared ({code.get('code') if isinstance(code, dict) else ''})"
        return
    yield from header_faults(exchange, response, status)
    if not response.content or exchange["method"] == "HEAD":
        if not response.content and exchange["body"]:
            yield "a body where none is declared"
        operation.seen.add((status, None))
        return
    kind, body, fault = parsed(exchange)
    if kind not in response.content:
        yield f"media type {kind!r} is not declared"
        return
    if fault:
        yield fault
        return
    yield from schema_faults(response.content[kind], body)
    operation.seen.add((status, body.get("code") if kind == "application/problem+json" else None))


def made_by_nginx(exchange):
    """Its own answers, and those of workers that could not read the request, are not to be stored by
    anyone; those of operations are private or public."""
    return exchange["headers"].get("cache-control") == "no-store"


def faults_of(contract, exchange):
    """(operation or None, faults) of one exchange"""
    path, method, status = canonical(exchange["path"]), exchange["method"], exchange["status"]
    headers = exchange["headers"]
    if status in (301, 308) and headers.get("location", "").startswith("https://"):
        return None, []  # the plain port
    template = contract.find(path)
    allowed = {m.strip() for m in headers.get("allow", "").split(",")}
    if template is not None and method == "OPTIONS" and status == 204:
        good = allowed == contract.methods(template) or "access-control-allow-methods" in headers
        return None, [] if good else [f"Allow is {sorted(allowed)}"]
    operation = contract.operations.get((template, "GET" if method == "HEAD" else method))
    if operation is None or made_by_nginx(exchange):
        found = list(problem_faults(contract, exchange, status))
        expected = {None: 404} if template is None else {template: 405}
        if not found and not made_by_nginx(exchange) and status not in expected.values():
            found.append(f"status {status} of what is no operation")
        if status == 405 and not made_by_nginx(exchange) and allowed != contract.methods(template):
            found.append(f"Allow is {sorted(allowed)}")
        if operation is not None and not found and method != "HEAD":
            operation.seen.add((status, parsed(exchange)[1]["code"]))
        return operation, found
    found = list(operation_faults(contract, operation, exchange))
    if status in operation.responses and "application/problem+json" in headers.get("content-type", ""):
        found += problem_faults(contract, exchange, status)
    return operation, found


# --- what was never seen -------------------------------------------------------------------------

class Unseen:
    """Lines of unseen.txt: OPERATIONS CODE, the operations with * and, after a !, those that are not meant"""

    def __init__(self, text):
        self.entries = []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if words:
                names, code = words
                self.entries.append((number, names.split(","), code))

    @staticmethod
    def _meant(names, operation):
        hit = any(fnmatch.fnmatchcase(operation, n) for n in names if not n.startswith("!"))
        return hit and not any(fnmatch.fnmatchcase(operation, n[1:]) for n in names if n.startswith("!"))

    def excuses(self, operation, what):
        return any(code == what and self._meant(names, operation) for _, names, code in self.entries)

    def faults(self, contract):
        """Entries that excuse nothing, or something that was seen after all"""
        for number, names, wanted in self.entries:
            meant = False
            for operation in contract.operations.values():
                if not self._meant(names, operation.id):
                    continue
                for status, code in operation.declared():
                    if wanted != (code or str(status)):
                        continue
                    meant = True
                    if (status, code) in operation.seen:
                        yield f"unseen.txt:{number}: {operation.id} {wanted} was seen"
            if not meant:
                yield f"unseen.txt:{number}: {','.join(names)} {wanted} is declared nowhere"


def completeness(contract, unseen):
    """(how many were seen, faults)"""
    seen, faults = 0, list(unseen.faults(contract))
    for operation in contract.operations.values():
        if not operation.seen:
            faults.append(f"{operation.id}: never seen")
            continue
        for status, code in operation.declared():
            if (status, code) in operation.seen:
                seen += 1
            elif not unseen.excuses(operation.id, code or str(status)):
                faults.append(f"{operation.id}: {status} {code or ''} was never seen".replace("  ", " "))
    return seen, faults


# --- the run -------------------------------------------------------------------------------------

def exchanges_of(path):
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            yield number, json.loads(line)


def check(contract, path):
    """(how many were right, {fault: lines}); answers elsewhere than on the interface are passed over"""
    good, faults, elsewhere = 0, collections.defaultdict(list), 0
    for number, exchange in exchanges_of(path):
        if not ours(canonical(exchange["path"])):
            elsewhere += 1
            continue
        operation, found = faults_of(contract, exchange)
        good += not found
        name = operation.id if operation else f"{exchange['method']} {exchange['path'][:80]}"
        for fault in found:
            faults[f"{name} {exchange['status']}: {fault}"].append(number)
    print(f"{good} answers as declared; {elsewhere} of other places were not looked at")
    return good, faults


def main(arguments):
    if len(arguments) != 2:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 64
    contract = Contract(json.loads(pathlib.Path(arguments[1]).read_text(encoding="utf-8")))
    good, faults = check(contract, arguments[0])
    if good == 0 and not faults:
        faults["no answer was recorded"] = [0]
    for fault, lines in sorted(faults.items()):
        print(f"FAULT {fault} (lines {', '.join(map(str, lines[:3]))}{', …' if len(lines) > 3 else ''})")
    unseen = Unseen((HERE / "unseen.txt").read_text(encoding="utf-8"))
    seen, missing = completeness(contract, unseen)
    for fault in missing:
        print("FAULT", fault)
    print(f"{good + seen} passed, {len(faults) + len(missing)} failed")
    return 1 if faults or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
