"""Tokens that somebody made to be let in: every one is 401, at once, and no worker falls.

The instance has an ES256 key that signs and its RS256 key as the one before, so both kinds are tried.
The test holds the private keys: what it signs is wrong only where it says so. tests/e2e/test_sessions.py
has the same for what a client without the keys can do with an RS256 token, and for cookies.
"""
import base64
import hashlib
import hmac
import json
import re
import time
import uuid

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from lib_gates import ME, V1, assert_problem, b64, raw_request, registered
from lib_pool import children, master_of
from test_key_rotation import Operator

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
LIMIT = 8192
SLOW = 0.5  # seconds; a refusal takes under a millisecond, the rest is a busy machine


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- keys and signing --------------------------------------------------------------------------------

class Key:
    def __init__(self, kid, alg, private):
        self.kid, self.alg, self.private = kid, alg, private

    def signature(self, message):
        if self.alg == "RS256":
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.der(message))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def der(self, message):
        return self.private.sign(message, ec.ECDSA(hashes.SHA256()))

    def head(self, **more):
        return {"alg": self.alg, "typ": "JWT", "kid": self.kid, **more}

    def token(self, claims, head=None, sign=None):
        """`head` and `claims` as values, or as the bytes that stand for them."""
        body = f"{b64(self.head() if head is None else head)}.{b64(claims)}"
        return f"{body}.{b64((sign or self.signature)(body.encode()))}"

    def public_texts(self):
        """All that somebody may take for the secret of an HMAC."""
        key = self.private.public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        numbers = key.public_numbers()
        parts = [numbers.n] if self.alg == "RS256" else [numbers.x, numbers.y]
        raw = [n.to_bytes((n.bit_length() + 7) // 8, "big") for n in parts]
        return [pem, pem.rstrip(), pem.replace(b"\n", b"\r\n"), b"".join(raw), *raw, *(b64(r).encode() for r in raw),
                key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), b"", self.kid.encode()]


@pytest.fixture(scope="module")
def stage(instance, new_client, api):
    """(the ES256 key, the RS256 key, claims of a live session); the instance's own keys at the end"""
    api("admin")  # signed in with a key that stays: other modules share it
    operator = Operator(instance)
    try:
        before = json.loads(base64.b64decode((operator.secrets / "jwt-keyset").read_text()))["keys"]
        old = next(k for k in before if k["state"] == "active")
        operator.run("into_place lecternctl jwt rotate --next --alg ES256\nreload\n")
        staged = json.loads(base64.b64decode((operator.secrets / "jwt-keyset").read_text()))["keys"]
        operator.run("into_place lecternctl jwt rotate\nreload\n")
        new = next(k for k in staged if k["state"] == "next")
        client = new_client("hostile")
        given = client.post(V1 + "/auth/login", json=registered(client)).json()["data"]
        keys = [Key(k["kid"], k["alg"], load_pem_private_key(k["private_pem"].encode(), None)) for k in (new, old)]
        assert [k.alg for k in keys] == ["ES256", "RS256"]
        assert json.loads(unb64(given["access_token"].split(".")[0]))["kid"] == new["kid"]
        yield (*keys, json.loads(unb64(given["access_token"].split(".")[1])), given)
    finally:
        operator.restore()


@pytest.fixture(scope="module")
def es(stage):
    return stage[0]


@pytest.fixture(scope="module")
def rs(stage):
    return stage[1]


@pytest.fixture(scope="module")
def claims(stage):
    return stage[2]


@pytest.fixture
def steady(instance):
    """No worker of any pool was replaced meanwhile."""
    def workers():
        pids = [master_of(instance, name) for name in ("api", "auth")]
        return {pid: set(children(pid)) for pid in pids}

    def restarts():
        metrics = instance["metrics"]
        answer = requests.get(metrics["url"], timeout=20, verify=instance["ca_file"],
                              headers={"authorization": "Bearer " + metrics["bearer_token"]})
        return re.findall(r"^worker_restarts_total.*$", answer.text, re.M)
    before = (workers(), restarts())
    assert before[1]
    yield
    assert (workers(), restarts()) == before


@pytest.fixture
def refused(instance, anon, steady):
    """refused(what, token): 401 with everything that belongs to it, and soon."""
    def ask(token):
        begun = time.monotonic()
        if any(c in token for c in " \t") or not token.isascii() or not token:
            answer = raw_request(instance, "GET", ME, [("Authorization", b"Bearer " + token.encode("latin-1"))])
        else:
            answer = anon.get(ME, headers={"authorization": f"Bearer {token}"})
        return answer, time.monotonic() - begun

    def check(what, token):
        answer, took = ask(token)
        assert answer.status_code == 401, f"{what}: {answer.status_code}"
        assert_problem(answer, 401, "token_invalid")
        assert answer.headers["www-authenticate"] == 'Bearer realm="lectern", error="invalid_token"', what
        if took > SLOW:
            took = min(took, ask(token)[1])
        assert took < SLOW, f"{what} takes {took} s"
    return check


def accepted(anon, token):
    return anon.get(ME, headers={"authorization": f"Bearer {token}"}).status_code == 200


# --- the control ---------------------------------------------------------------------------------------

def test_what_is_signed_well_is_taken(anon, es, rs, claims):
    for key in (es, rs):
        assert accepted(anon, key.token(claims))
        assert accepted(anon, key.token({**claims, "aud": ["other", "lectern-api"], "nbf": claims["iat"], "more": [1]}))
        assert accepted(anon, key.token(claims, {"kid": key.kid, "alg": key.alg}))


# --- algorithms ------------------------------------------------------------------------------------------

def test_algorithms(refused, es, rs, claims):
    for key, other in ((es, rs), (rs, es)):
        for alg in ("none", "None", "NONE", "nOnE", "none ", "", "null", None, 0, False, ["none"], {"none": 1}):
            for end in (b"", key.signature(b"x")):
                refused(f"alg {alg!r}", key.token(claims, key.head(alg=alg), lambda _, e=end: e))
            refused(f"alg {alg!r}, signed", key.token(claims, key.head(alg=alg)))
        refused("no alg", key.token(claims, {"typ": "JWT", "kid": key.kid}))
        for alg in ("RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "HS256", key.alg.lower(), key.alg + "\0"):
            refused(f"{alg} for {key.alg}", key.token(claims, key.head(alg=alg)))
        for name in ("sha256", "sha384", "sha512"):
            for i, secret in enumerate(key.public_texts()):
                def sign(message, n=name, s=secret):
                    return hmac.new(s, message, getattr(hashlib, n)).digest()
                alg = "HS" + name[3:]
                refused(f"{alg} under public text {i}", key.token(claims, key.head(alg=alg), sign))
                refused(f"{key.alg}, but {alg} under public text {i}", key.token(claims, None, sign))
        # The other key is a good one, too: neither its name nor its algorithm may be mixed in.
        refused("the other's kid", key.token(claims, key.head(kid=other.kid)))
        refused("the other's alg", key.token(claims, key.head(alg=other.alg)))
        refused("the other's signature", key.token(claims, None, other.signature))
        refused("the other's kid and alg", key.token(claims, other.head()))


def test_other_keys_and_curves(refused, es, rs, claims):
    strangers = {
        "RSA": (rs, lambda m, k=rsa.generate_private_key(public_exponent=65537, key_size=2048):
                k.sign(m, padding.PKCS1v15(), hashes.SHA256())),
        "P-256": (es, Key(es.kid, "ES256", ec.generate_private_key(ec.SECP256R1())).signature),
        "secp256k1": (es, Key(es.kid, "ES256", ec.generate_private_key(ec.SECP256K1())).signature),
        "P-384": (es, lambda m, k=ec.generate_private_key(ec.SECP384R1()): k.sign(m, ec.ECDSA(hashes.SHA384()))),
        "Ed25519": (es, ed25519.Ed25519PrivateKey.generate().sign),
    }
    for what, (key, sign) in strangers.items():
        refused(f"{what} under the kid", key.token(claims, None, sign))
        for jwk in ({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
                    {"kty": "oct", "k": "AAAA"}):
            refused(f"{what} beside its jwk", key.token(claims, key.head(jwk=jwk), sign))


# --- signatures ------------------------------------------------------------------------------------------

def test_signatures_of_es256(refused, anon, es, claims):
    body = f"{b64(es.head())}.{b64(claims)}"
    good = es.signature(body.encode())
    assert accepted(anon, f"{body}.{b64(good)}")
    r, s = good[:32], good[32:]
    zero, order = bytes(32), ORDER.to_bytes(32, "big")
    one = (1).to_bytes(32, "big")
    for what, bad in {
            "DER": es.der(body.encode()), "r and s zero": zero + zero, "r zero": zero + s, "s zero": r + zero,
            "r is the order": order + s, "s is the order": r + order, "both": order + order, "ones": one + one,
            "all bits": b"\xff" * 64, "swapped": s + r, "63 bytes": good[:63], "65 bytes": good + b"\0",
            "padded halves": b"\0" + r + b"\0" + s, "twice": good + good, "r alone": r, "one byte": b"\0",
            "s negated over 32 bytes": r + ((1 << 256) - int.from_bytes(s, "big")).to_bytes(32, "big")}.items():
        refused(what, f"{body}.{b64(bad)}")
    for bit in range(0, 512, 37):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        refused(f"bit {bit}", f"{body}.{b64(bytes(bad))}")


def test_signatures_of_rs256(refused, anon, rs, claims):
    body = f"{b64(rs.head())}.{b64(claims)}"
    good = rs.signature(body.encode())
    n = rs.private.public_key().public_numbers().n
    assert accepted(anon, f"{body}.{b64(good)}")
    for what, bad in {
            "zeros": bytes(256), "one": bytes(255) + b"\1", "the modulus": n.to_bytes(256, "big"),
            "the modulus less one": (n - 1).to_bytes(256, "big"), "all bits": b"\xff" * 256, "short": good[:255],
            "a zero before": b"\0" + good, "a zero behind": good + b"\0", "half": good[:128], "reversed": good[::-1],
            "plus the modulus": (int.from_bytes(good, "big") + n).to_bytes(257, "big"),
            "of another message": rs.signature(b"x"), "the digest": hashlib.sha256(body.encode()).digest(),
            "PSS": rs.private.sign(body.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
            "over SHA-384": rs.private.sign(body.encode(), padding.PKCS1v15(), hashes.SHA384()),
            "over SHA-1": rs.private.sign(body.encode(), padding.PKCS1v15(), hashes.SHA1())}.items():
        refused(what, f"{body}.{b64(bad)}")


# --- headers ---------------------------------------------------------------------------------------------

def test_headers(refused, es, rs, claims):
    """All signed with the key that is meant."""
    for key in (es, rs):
        for kid in ("unknown", "", " ", "../../../../dev/null", "/proc/self/environ", "x' or '1'='1", "'; drop table app.users; --",
                    "$(id)", "%s%s%n", key.kid + "\0", key.kid + " ", key.kid.upper() + "X", key.kid[:-1], "k" * 65,
                    "k" * 4000, None, 5, True, [key.kid], {"kid": key.kid}, "\u202e" + key.kid, "https://localhost/key"):
            refused(f"kid {str(kid)[:20]!r}", key.token(claims, key.head(kid=kid)))
        for more in ({"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"jwk": {"kty": "oct", "k": "AA"}},
                     {"jku": "https://localhost/.well-known/jwks.json"}, {"jku": "file:///etc/passwd"},
                     {"x5u": "https://localhost/x"}, {"x5c": ["MIIB"]}, {"x5t": "AA"}, {"typ": "at+jwt"}, {"typ": "jwt"},
                     {"typ": "JWE"}, {"typ": None}, {"cty": "JWT"}, {"zip": "DEF"}, {"enc": "A256GCM"}, {"p2c": 10**9},
                     {"url": "x"}, {"nonce": "x"}, {"": ""}):
            refused(str(more), key.token(claims, key.head(**more)))
        for what, text in {
                "kid twice": f'{{"alg":"{key.alg}","kid":"x","kid":"{key.kid}"}}',
                "kid twice, alike": f'{{"alg":"{key.alg}","kid":"{key.kid}","kid":"{key.kid}"}}',
                "alg twice": f'{{"alg":"none","alg":"{key.alg}","kid":"{key.kid}"}}',
                "an array": f'[{{"alg":"{key.alg}","kid":"{key.kid}"}}]', "null": "null", "a text": f'"{key.kid}"',
                "empty": "{}", "nothing": "", "a tail": f'{{"alg":"{key.alg}","kid":"{key.kid}"}} x',
                "a comma": f'{{"alg":"{key.alg}","kid":"{key.kid}",}}', "a comment": f'{{"alg":"{key.alg}"/**/,"kid":"{key.kid}"}}',
                "single quotes": f"{{'alg':'{key.alg}','kid':'{key.kid}'}}", "a mark": "\ufeff" + json.dumps(key.head()),
                "deep": "[" * 3000, "UTF-16": json.dumps(key.head()).encode("utf-16").decode("latin-1")}.items():
            refused(what, key.token(claims, text.encode()))


# --- claims ----------------------------------------------------------------------------------------------

def test_claims(refused, es, rs, claims):
    now = int(time.time())
    changes = [{name: value} for name, values in {
        "exp": (now - 1, 0, -1, str(claims["exp"]), claims["exp"] + 0.5, float(claims["exp"]), True, None, [claims["exp"]],
                {"exp": 1}, 2**63, 2**64 + claims["exp"], 10**40, -2**63 - 1, 1e300, ""),
        "nbf": (now + 3600, str(now), None, True, now + 0.5, 2**63),
        "iat": (now + 3600, -1, "0", None, claims["exp"] + 1, 2**63),
        "aud": ("other", "", None, 1, [], ["other"], ["lectern-api", 1], {"lectern-api": 1}, "lectern-api ", "lectern-apix"),
        "iss": ("other", "", None, 1, ["lectern"], "lectern ", "Lectern", "https://lectern"),
        "role": ("root", "", None, 1, ["student"], "student,admin", "Student", "student\0"),
        "sub": ("me", "", None, 1, claims["sub"] + "0", "{" + claims["sub"] + "}", claims["sub"].replace("-", "")),
        "org": ("", None, 1), "sid": ("", None, []), "jti": ("", None, 5)}.items() for value in values]
    for i, key in enumerate((es, rs)):
        for change in changes[i::2] + changes[1 - i::8]:
            refused(str(change), key.token({**claims, **change}))
        for name in ("exp", "iat", "iss", "aud", "sub", "org", "sid", "role", "jti"):
            refused(f"without {name}", key.token({k: v for k, v in claims.items() if k != name}))
            again = json.dumps(claims)[:-1] + f',"{name}":{json.dumps(claims[name])}}}'
            refused(f"{name} twice", key.token(again.encode()))
        text = json.dumps(claims)
        for what, raw in {"NaN": text.replace(str(claims["exp"]), "NaN"), "Infinity": text.replace(str(claims["exp"]), "Infinity"),
                          "1e999": text.replace(str(claims["exp"]), "1e999"), "hex": text.replace(str(claims["exp"]), "0x7fffffff"),
                          "a leading zero": text.replace(str(claims["exp"]), "0" + str(claims["exp"])),
                          "a fraction of zero": text.replace(str(claims["exp"]), str(claims["exp"]) + ".0"),
                          "an exponent": text.replace(str(claims["exp"]), str(claims["exp"]) + "e0"),
                          "an array": f"[{text}]", "two": text + text, "cut": text[:-1], "nothing": "", "deep": "[" * 3000}.items():
            refused(what, key.token(raw.encode()))


# --- form ------------------------------------------------------------------------------------------------

def spare_bits(text):
    """The same bytes for a lax decoder: the bits behind the last byte are not zero."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def test_base64(refused, es, rs, claims):
    for key in (es, rs):
        # So that each part has bits to spare.
        for n in range(3):
            padded = {**claims, "pad": "x" * n}
            head, body, end = key.token(padded).split(".")
            for what, bad in {"header": (spare_bits(head), body, end), "payload": (head, spare_bits(body), end),
                              "signature": (head, body, spare_bits(end))}.items():
                if bad != (head, body, end) and len({"header": head, "payload": body, "signature": end}[what]) % 4:
                    refused(f"spare bits in the {what}", ".".join(bad))
            for bad in ((head + "=", body, end), (head, body + "=", end), (head, body, end + "="), (head, body, end + "=="),
                        (head, body, end + "A"), (head, body, end + "AA"), (head, body, end[:-1]), (head, body[:-1], end),
                        (head, body, end[:10] + "+" + end[11:]), (head, body, end[:10] + "/" + end[11:]),
                        (head, body, end[:10] + "%2B" + end[11:]), (head, body[:9] + "~" + body[10:], end),
                        (head, body, end[:10] + " " + end[10:]), (head, body, end[:10] + "\t" + end[10:]),
                        (head, body, end[:10] + "\xe9" + end[11:]), (head, "", end), ("", body, end), (head, body, "")):
                refused("base64", ".".join(bad))


def test_parts(refused, stage, es, rs, claims):
    good = es.token(claims)
    head, body, end = good.split(".")
    for bad in ("", ".", "..", "...", head, f"{head}.{body}", f"{head}.{body}.{end}.", f".{good}", f"{good}.{end}",
                f"{good}..", f"{head}..{body}.{end}", f"{good}.{good}", f"{good},{good}", f"{good};", f'"{good}"', f"<{good}>",
                f"{good} {good}", f"{good} junk", f"junk {good}", f"Bearer {good}", f"={good}", "null",
                ".".join([b64({"alg": "dir", "enc": "A256GCM"}), "", b64(b"1" * 12), b64(b"x" * 40), b64(b"t" * 16)]),
                ".".join([b64({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": rs.kid}), b64(b"k" * 256), b64(b"1" * 12),
                          b64(good.encode()), b64(b"t" * 16)]),
                json.dumps({"protected": head, "payload": body, "signature": end}).replace(" ", "")):
        refused(bad[:40], bad)


def test_length(refused, anon, es, claims):
    """At 8 KiB there is an end, for a token that is good in all else."""
    def padded(n):
        return es.token({**claims, "pad": "x" * n})
    n = max(n for n in range(5200, 6200) if len(b64(es.head())) + 2 + 86 + (len(json.dumps(
        {**claims, "pad": "x" * n}, separators=(",", ":"))) * 4 + 2) // 3 <= LIMIT)
    assert LIMIT - 2 <= len(padded(n)) <= LIMIT and accepted(anon, padded(n))
    assert len(padded(n + 1)) > LIMIT
    refused("one more", padded(n + 1))
    for size in (LIMIT + 1, 9000, 12000, 15000):
        refused(f"{size} bytes", "A" * size)
        refused(f"{size} dots", "." * size)
        refused(f"{size} of a signature", es.token(claims) + "A" * (size - 1000))


def test_a_mebibyte_of_headers(instance, anon, steady, es, claims):
    good = es.token(claims)
    for size in (1, 8, 64):
        many = [("Authorization", "Bearer " + good)] + [(f"X-Junk-{i}", "j" * 16000) for i in range(size)]
        answer = raw_request(instance, "GET", ME, many)
        assert answer.status_code == (200 if size == 1 else 431), size
    answer = raw_request(instance, "GET", ME, [("Authorization", "Bearer " + "A" * (1 << 20))])
    assert answer.status_code == 431
    assert accepted(anon, good)


# --- other schemes ---------------------------------------------------------------------------------------

def test_tokens_of_other_schemes(refused, instance, new_client, stage, api):
    client = new_client("cookies")
    client.post(V1 + "/auth/login", json={**registered(client), "use_cookies": True})
    csrf = client.cookies.get("csrf_token") or next(c.value for c in client.cookies if "csrf" in c.name)
    cursor = next(filter(None, (api(role).get(path, params={"limit": 1}).json()["page"]["next_cursor"] for role, path in (
        ("admin", V1 + "/org/users"), ("admin", V1 + "/admin/audit-logs")))))
    for what, other in (("refresh", stage[3]["refresh_token"]), ("csrf", csrf), ("cursor", cursor),
                        ("metrics", instance["metrics"]["bearer_token"]), ("session", stage[2]["sid"]),
                        ("uuid", str(uuid.uuid4()))):
        refused(what, other)
        refused(f"{what} thrice", f"{other}.{other}.{other}")


def test_how_the_scheme_is_written(instance, steady, es, claims):
    good = es.token(claims)
    for header in ("bearer {}", "BEARER {}", "bEaReR   {}", "Bearer {} "):
        assert raw_request(instance, "GET", ME, [("Authorization", header.format(good))]).status_code == 200, header
    for header in ("bearer", "Bearer", "bearer ", "bearer{}", "Bearer\t{}", "Bearer:{}", "Bearer={}", "Bearer,{}", "Bearer token={}",
                   "Bearers {}", "Bear {}", "BearerBearer {}", "Basic {}", "DPoP {}", "{}", "Token {}", "Bearer Bearer {}",
                   "Basic x, Bearer {}", "Bearer {}, Basic x", "Bearer\xa0{}", "\u0412earer {}"):
        answer = raw_request(instance, "GET", ME, [("Authorization", header.format(good).encode())])
        assert_problem(answer, 401, "token_invalid")
    for pair in ((good, good), (good, "x"), ("x", good)):
        answer = raw_request(instance, "GET", ME, [("Authorization", f"Bearer {t}") for t in pair])
        assert answer.status_code in (400, 401), "two headers: neither is chosen"
