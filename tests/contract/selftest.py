#!/usr/bin/python3
"""check.py finds what is wrong: a good exchange, and every way of spoiling it."""
import copy
import sys

import check

PROBLEM = {"type": "object", "required": ["code", "status", "request_id"], "properties": {
    "code": {"type": "string"}, "status": {"type": "integer"}, "request_id": {"type": "string"}}}
HEADERS = {"x-request-id": {"schema": {"type": "string"}}}


def problem(*codes):
    return {"headers": HEADERS, "content": {"application/problem+json": {"schema": {"allOf": [
        {"$ref": "#/components/schemas/problem"}, {"properties": {"code": {"enum": list(codes)}}}]}}}}


DOCUMENT = {
    "components": {"schemas": {"problem": PROBLEM}, "responses": {"gone": problem("not_found")}},
    "paths": {"/api/v1/things/{thing_id}": {"get": {"operationId": "thing_get", "responses": {
        "200": {"headers": {**HEADERS, "ETag": {"schema": {"type": "string"}},
                            "x-rate-limit-limit": {"schema": {"type": "integer"}}},
                "content": {"application/json": {"schema": {
                    "type": "object", "required": ["id", "at"], "additionalProperties": False, "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "at": {"type": ["string", "null"], "format": "date-time"}}}}}},
        "304": {"headers": HEADERS}, "404": {"$ref": "#/components/responses/gone"}, "422": problem("a", "b")}}}}}
ID = "01890000-0000-7000-8000-000000000000"
GOOD = {"method": "GET", "path": f"/api/v1/things/{ID}", "status": 200, "headers": {
    "x-request-id": "r", "etag": '"1"', "x-rate-limit-limit": "5", "content-type": "application/json",
    "cache-control": "private, no-store"}, "body": '{"id":"%s","at":"2030-01-01T00:00:00.000Z"}' % ID}
MISSING = {**GOOD, "status": 404, "body": '{"code":"not_found","status":404,"request_id":"r"}', "headers": {
    "x-request-id": "r", "content-type": "application/problem+json", "cache-control": "private, no-store"}}


def spoilt(base, **changes):
    new = copy.deepcopy(base)
    for name, value in changes.items():
        if name == "headers":
            new["headers"].update({n: v for n, v in value.items() if v is not None})
            for gone in [n for n, v in value.items() if v is None]:
                del new["headers"][gone]
        else:
            new[name] = value
    return new


# What is sent, and a word of the fault; None where there is none.
CASES = [
    (GOOD, None), (MISSING, None), (spoilt(GOOD, path=f"/api/things/{ID}"), None),
    (spoilt(GOOD, method="HEAD", body=""), None),
    (spoilt(GOOD, body=GOOD["body"].replace("}", ',"more":1}')), "additional"),
    (spoilt(GOOD, body='{"id":"%s"}' % ID), "at"),
    (spoilt(GOOD, body=GOOD["body"].replace(ID, ID.upper() + "X")), "/id"),
    (spoilt(GOOD, body=GOOD["body"].replace(".000Z", "Z")), "/at"),
    (spoilt(GOOD, body="{"), "not JSON"),
    (spoilt(GOOD, status=201), "status 201 is not declared"),
    (spoilt(GOOD, headers={"content-type": "text/html"}), "media type"),
    (spoilt(GOOD, headers={"etag": None}), "etag is missing"),
    (spoilt(GOOD, headers={"x-request-id": None}), "x-request-id is missing"),
    (spoilt(GOOD, headers={"location": "/x"}), "location is not declared"),
    (spoilt(GOOD, headers={"x-rate-limit-limit": "many"}), "no integer"),
    (spoilt(GOOD, status=304, headers={"etag": None, "x-rate-limit-limit": None}), "a body where none"),
    (spoilt(GOOD, path="/api/v1/nothing"), "media type"),
    (spoilt(MISSING, path="/api/v1/nothing"), None),
    (spoilt(MISSING, path="/api/v1/nothing", status=403), "status"),
    (spoilt(MISSING, body=MISSING["body"].replace("not_found", "other")), "/code"),
    (spoilt(MISSING, body=MISSING["body"].replace('"r"', '"q"')), "request_id"),
    (spoilt(MISSING, body=MISSING["body"].replace("404", "403")), "status 403"),
    (spoilt(MISSING, status=405, method="PUT", headers={"allow": "GET, HEAD, OPTIONS"},
            body='{"code":"m","status":405,"request_id":"r"}'), None),
    (spoilt(MISSING, status=405, method="PUT", headers={"allow": "GET"},
            body='{"code":"m","status":405,"request_id":"r"}'), "Allow"),
    (spoilt(MISSING, status=502, headers={"cache-control": "no-store"},
            body='{"code":"bad_gateway","status":502,"request_id":"r","error_id":"e"}'), None),
    (spoilt(MISSING, status=502, headers={"cache-control": "no-store"},
            body='{"code":"bad_gateway","status":502,"request_id":"r"}'), "error_id"),
]
# unseen.txt, what was seen, and how many faults that makes.
SEEN = [
    ("", [], 1), ("", [GOOD], 4), ("", [GOOD, MISSING], 3),
    ("* a\nthing_get b # why\n* 304", [GOOD, MISSING], 0), ("*,!thing_* a", [GOOD, MISSING], 4),
    ("* a\n* b\n* 304\n* not_found", [GOOD, MISSING], 1), ("* a\n* b\n* 304\nthing_get c", [GOOD, MISSING], 1),
]


def main():
    wrong = []
    for number, (exchange, word) in enumerate(CASES):
        _, faults = check.faults_of(check.Contract(DOCUMENT), exchange)
        if bool(faults) != bool(word) or (word and not any(word.lower() in f.lower() for f in faults)):
            wrong.append(f"case {number}: {faults} instead of {word}")
    for unseen, exchanges, count in SEEN:
        contract = check.Contract(DOCUMENT)
        for exchange in exchanges:
            check.faults_of(contract, exchange)
        _, faults = check.completeness(contract, check.Unseen(unseen))
        if len(faults) != count:
            wrong.append(f"{unseen!r}: {faults} instead of {count}")
    print("\n".join(wrong))
    print(f"{len(CASES) + len(SEEN) - len(wrong)} passed, {len(wrong)} failed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
