"""Accounts, tokens and sessions through the whole stack."""
import base64
import concurrent.futures
import hashlib
import hmac
import json
import signal
import subprocess
import time
import uuid

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          PublicFormat)

from lib_gates import ME, UUID, V1, assert_problem, b64, person, raw_request, registered
from lib_pool import binary, home, pools

LOGIN = V1 + "/auth/login"
REFRESH = V1 + "/auth/refresh"


@pytest.fixture
def account(anon):
    """A fresh account, so that nobody else's session limit or tokens are met."""
    made = person()
    assert anon.post(V1 + "/auth/register", json=made).status_code == 202
    return made


def enter(client, account, **more):
    answer = client.post(LOGIN, json={"email": account["email"], "password": account["password"], **more})
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return answer.json()["data"]


def me(client, token):
    return client.get(ME, headers={"authorization": f"Bearer {token}"})


def everywhere(new_client, token, times=24):
    """Statuses of as many requests at once, so that every worker is asked."""
    def ask(_):
        return me(new_client(), token).status_code
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return set(pool.map(ask, range(times)))


# --- registration ------------------------------------------------------------------------------

def test_register_answers_the_same_for_known_and_unknown_addresses(anon, accounts):
    known = dict(person(), email=accounts("student")["email"])
    first, second = (anon.post(V1 + "/auth/register", json=body) for body in (person(), known))
    assert first.status_code == second.status_code == 202
    assert first.content == second.content
    assert first.json() == {"data": {"status": "accepted"}}
    varying = {"date", "x-request-id", "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit"}
    assert ({k: v for k, v in first.headers.items() if k.lower() not in varying}
            == {k: v for k, v in second.headers.items() if k.lower() not in varying})


def test_register_does_not_touch_the_account_that_exists(anon, account):
    again = dict(person(), email=account["email"].upper(), name="Somebody Else")
    assert anon.post(V1 + "/auth/register", json=again).status_code == 202
    assert_problem(anon.post(LOGIN, json={"email": account["email"], "password": again["password"]}),
                   401, "credentials_invalid")
    assert enter(anon, account)["user"]["name"] == account["name"]


def test_registered_account_is_a_student_of_the_open_organisation(anon, account, api):
    user = enter(anon, account)["user"]
    assert user["role"] == "student" and user["email"] == account["email"] and UUID.match(user["id"])
    assert user["org_id"] == api("admin").get(V1 + "/org").json()["data"]["id"]


@pytest.mark.parametrize("password", [
    "password", "12345678", "PASSWORD123", "qwertyuiop", "iloveyou1"])
def test_common_passwords_are_refused(anon, password):
    body = dict(person(), password=password)
    assert_problem(anon.post(V1 + "/auth/register", json=body), 422, "validation_failed",
                   [("/password", "weak_password")])
    assert_problem(anon.post(LOGIN, json={"email": body["email"], "password": password}),
                   401, "credentials_invalid")


def test_the_address_is_no_password(anon):
    body = person()
    for password in (body["email"], body["email"].upper()):
        assert_problem(anon.post(V1 + "/auth/register", json=dict(body, password=password)),
                       422, "validation_failed", [("/password", "weak_password")])


@pytest.mark.parametrize("length, good", [(7, False), (8, True), (128, True), (129, False)])
def test_password_length_is_in_code_points(anon, length, good):
    body = dict(person(), password=("é𝄞ñ" + uuid.uuid4().hex * 5)[:length])
    answer = anon.post(V1 + "/auth/register", json=body)
    if good:
        assert answer.status_code == 202, answer.text
        enter(anon, body)
    else:
        assert_problem(answer, 422, "validation_failed", [("/password", "length")])


# --- signing in ----------------------------------------------------------------------------------

def test_login_answers_by_rfc_6749(anon, account):
    answer = anon.post(LOGIN, json={"email": account["email"], "password": account["password"]})
    data = answer.json()["data"]
    assert set(data) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert data["token_type"] == "Bearer" and data["expires_in"] == 900
    assert answer.headers["cache-control"] == "private, no-store"
    assert "set-cookie" not in answer.headers
    assert "content-encoding" not in answer.headers
    claims = jwt.decode(data["access_token"], options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "org", "role", "sid", "jti", "iat", "exp"}
    assert claims["sub"] == data["user"]["id"] and claims["role"] == "student"
    assert claims["exp"] - claims["iat"] == data["expires_in"]
    assert abs(claims["iat"] - time.time()) < 60


def test_login_takes_the_address_in_any_case(anon, account):
    assert enter(anon, dict(account, email=account["email"].upper()))["user"]["email"] == account["email"]


def test_unknown_address_and_wrong_password_answer_the_same(anon, account):
    wrong = {"email": account["email"], "password": "not the password 1"}
    unknown = {"email": person()["email"], "password": "not the password 1"}
    times = {"wrong": [], "unknown": []}
    bodies = {}
    for _ in range(5):
        for name, body in (("wrong", wrong), ("unknown", unknown)):
            answer = anon.post(LOGIN, json=body)
            problem = assert_problem(answer, 401, "credentials_invalid")
            del problem["request_id"]
            bodies[name] = (problem, answer.headers.get("www-authenticate"))
            times[name].append(answer.elapsed.total_seconds())
    assert bodies["wrong"] == bodies["unknown"]
    # Argon2 dominates both: without it one of them would take a small part of the other.
    low, high = sorted((min(times["wrong"]), min(times["unknown"])))
    assert low > high * 0.6, times


def test_cookies_carry_the_session_only_when_asked_for(anon, account):
    answer = anon.post(LOGIN, json={"email": account["email"], "password": account["password"],
                                    "use_cookies": True})
    lines = answer.raw.headers.getlist("set-cookie")
    by_name = {line.split("=", 1)[0]: line for line in lines}
    hidden = [line for name, line in by_name.items() if "csrf" not in name]
    assert len(lines) == 4 and len(hidden) == 3
    for name, line in by_name.items():
        attributes = {a.strip().lower() for a in line.split(";")[1:]}
        assert "secure" in attributes and "samesite=lax" in attributes and "path=/" in attributes
        assert not any(a.startswith("domain") for a in attributes)
        if "csrf" in name:
            assert name == "csrf_token" and "httponly" not in attributes
        else:
            assert name.startswith("__Host-") and "httponly" in attributes
    assert anon.get(ME).json()["data"]["email"] == account["email"]


def test_a_bearer_token_wins_over_the_cookie(new_client, anon, account):
    other = registered(new_client())
    token = enter(new_client(), other)["access_token"]
    anon.post(LOGIN, json={"email": account["email"], "password": account["password"], "use_cookies": True})
    assert me(anon, token).json()["data"]["email"] == other["email"]
    assert_problem(anon.get(ME, headers={"authorization": "Bearer broken"}), 401, "token_invalid")


# --- refresh ---------------------------------------------------------------------------------------

def test_refresh_rotates(anon, account):
    first = enter(anon, account)
    answer = anon.post(REFRESH, json={"refresh_token": first["refresh_token"]})
    second = answer.json()["data"]
    assert answer.status_code == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert second["user"] == first["user"]
    old, new = (jwt.decode(t["access_token"], options={"verify_signature": False}) for t in (first, second))
    assert old["sid"] == new["sid"] and old["jti"] != new["jti"]
    assert me(anon, second["access_token"]).status_code == 200


def test_a_used_refresh_token_ends_its_family_on_every_worker(anon, new_client, account):
    first = enter(anon, account)
    second = anon.post(REFRESH, json={"refresh_token": first["refresh_token"]}).json()["data"]
    assert everywhere(new_client, second["access_token"]) == {200}
    assert_problem(anon.post(REFRESH, json={"refresh_token": first["refresh_token"]}),
                   401, "refresh_token_invalid")
    assert everywhere(new_client, second["access_token"]) == {401}
    assert_problem(me(anon, second["access_token"]), 401, "session_ended")
    assert_problem(anon.post(REFRESH, json={"refresh_token": second["refresh_token"]}),
                   401, "refresh_token_invalid")


def test_reuse_does_not_end_other_sessions_of_the_account(anon, account):
    other, first = enter(anon, account), enter(anon, account)
    for _ in range(2):
        anon.post(REFRESH, json={"refresh_token": first["refresh_token"]})
    assert_problem(me(anon, first["access_token"]), 401, "session_ended")
    assert me(anon, other["access_token"]).status_code == 200


def test_one_refresh_token_used_at_once_is_exchanged_once(new_client, anon, account):
    token = enter(anon, account)["refresh_token"]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: new_client().post(REFRESH, json={"refresh_token": token}),
                                range(6)))
    assert sorted(a.status_code for a in answers) == [200] + [401] * 5
    given = next(a for a in answers if a.status_code == 200).json()["data"]
    assert_problem(me(anon, given["access_token"]), 401, "session_ended")


@pytest.mark.parametrize("change", [
    lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"),
    lambda t: t + "A",
    lambda t: t[:40],
    lambda t: "A" * len(t),
    lambda t: t.replace(t[0], "~", 1),
    lambda t: t + "=",
])
def test_a_changed_refresh_token_is_refused_and_ends_nothing(anon, account, change):
    given = enter(anon, account)
    assert_problem(anon.post(REFRESH, json={"refresh_token": change(given["refresh_token"])}),
                   401, "refresh_token_invalid")
    assert me(anon, given["access_token"]).status_code == 200
    assert anon.post(REFRESH, json={"refresh_token": given["refresh_token"]}).status_code == 200


def test_refresh_without_a_token(anon):
    assert_problem(anon.post(REFRESH), 401, "refresh_token_invalid")
    assert_problem(anon.post(REFRESH, json={}), 401, "refresh_token_invalid")


# --- sessions ---------------------------------------------------------------------------------------

def test_logout_ends_the_session_on_every_worker(anon, new_client, account):
    given, other = enter(anon, account), enter(anon, account)
    assert everywhere(new_client, given["access_token"]) == {200}
    answer = anon.post(V1 + "/auth/logout", headers={"authorization": f"Bearer {given['access_token']}"})
    assert answer.status_code == 204 and answer.content == b""
    assert everywhere(new_client, given["access_token"]) == {401}
    assert_problem(me(anon, given["access_token"]), 401, "session_ended")
    assert_problem(anon.post(REFRESH, json={"refresh_token": given["refresh_token"]}),
                   401, "refresh_token_invalid")
    assert me(anon, other["access_token"]).status_code == 200


def test_the_oldest_session_goes_when_there_are_too_many(anon, account):
    sessions = [enter(anon, account) for _ in range(11)]
    assert_problem(me(anon, sessions[0]["access_token"]), 401, "session_ended")
    assert_problem(anon.post(REFRESH, json={"refresh_token": sessions[0]["refresh_token"]}),
                   401, "refresh_token_invalid")
    assert all(me(anon, s["access_token"]).status_code == 200 for s in (sessions[1], sessions[-1]))


def test_a_role_change_ends_the_sessions_of_that_user(anon, account, api):
    given = enter(anon, account)
    admin = api("admin")
    answer = admin.put(f"{V1}/org/users/{given['user']['id']}/role", json={"role": "teacher"})
    assert answer.status_code == 200, answer.text
    # The promise is the cache time of a session, 5 s by default; the same host knows sooner or then.
    until = time.monotonic() + 7
    while me(anon, given["access_token"]).status_code == 200 and time.monotonic() < until:
        time.sleep(0.2)
    assert_problem(me(anon, given["access_token"]), 401, "session_ended")
    assert enter(anon, account)["user"]["role"] == "teacher"


# --- keys and hostile tokens --------------------------------------------------------------------------

@pytest.fixture
def token(anon, account):
    return enter(anon, account)["access_token"]


@pytest.fixture
def jwks(anon):
    answer = anon.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    return answer.json()


def part(token, index):
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_the_published_keys_verify_the_token(jwks, token):
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(k for k in jwt.PyJWKSet.from_dict(jwks).keys if k.key_id == kid)
    claims = jwt.decode(token, key.key, algorithms=["RS256"], audience="lectern-api", issuer="lectern",
                        options={"require": ["exp", "iat", "sub", "jti"]})
    assert claims["role"] == "student"
    private = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
    assert all(not private & set(k) and k["use"] == "sig" for k in jwks["keys"])


def public_forms(jwks):
    key = jwt.PyJWKSet.from_dict(jwks).keys[0].key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return [pem, pem.rstrip(), key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
            json.dumps(jwks["keys"][0]).encode(), jwks["keys"][0]["n"].encode()]


def resigned(header, claims, secret=b"secret", algorithm="HS256"):
    body = f"{b64(header)}.{b64(claims)}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return f"{body}.{b64(hmac.new(secret, body.encode(), digest).digest())}"


def private_pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def hostile(token, jwks):
    head, claims, signature = token.split(".")
    h, c = part(token, 0), part(token, 1)
    yield from (("none, " + alg, f"{b64(dict(h, alg=alg))}.{claims}.{end}")
                for alg in ("none", "None", "NONE", "nOnE") for end in ("", signature))
    for algorithm in ("HS256", "HS384", "HS512"):
        for i, secret in enumerate(public_forms(jwks)):
            yield f"{algorithm} under form {i} of the public key", resigned(
                dict(h, alg=algorithm), c, secret, algorithm)
        yield f"{algorithm} under nothing", resigned(dict(h, alg=algorithm), c, b"", algorithm)
    mine = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    yield "another RSA key under the kid", jwt.encode(c, private_pem(mine), "RS256", headers={"kid": h["kid"]})
    yield "another RSA key, RS512", jwt.encode(c, private_pem(mine), "RS512", headers={"kid": h["kid"]})
    yield "PSS", jwt.encode(c, private_pem(mine), "PS256", headers={"kid": h["kid"]})
    yield "an EC key under the kid", jwt.encode(c, private_pem(curve), "ES256", headers={"kid": h["kid"]})
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(mine.public_key()))
    yield "a key of its own in the header", jwt.encode(
        c, private_pem(mine), "RS256", headers={"kid": h["kid"], "jwk": own})
    yield "a key from elsewhere", jwt.encode(
        c, private_pem(mine), "RS256", headers={"kid": h["kid"], "jku": "https://localhost/jwks.json"})
    for kid in ("unknown", "", "../../../../dev/null", "x' or '1'='1", h["kid"] + "\0", None, 5, [h["kid"]]):
        yield f"kid {kid!r}", resigned(dict(h, alg="HS256", kid=kid), c, b"")
        yield f"kid {kid!r} beside the signature", f"{b64(dict(h, kid=kid))}.{claims}.{signature}"
    for name, value in (("role", "admin"), ("role", "operator"), ("sub", str(uuid.uuid4())),
                        ("org", str(uuid.uuid4())), ("exp", c["exp"] + 86400), ("exp", 2**62), ("exp", 1e300),
                        ("aud", "other"), ("iss", "other"), ("sid", str(uuid.uuid4()))):
        yield f"{name} changed", f"{head}.{b64(dict(c, **{name: value}))}.{signature}"
    yield "an empty signature", f"{head}.{claims}."
    yield "no signature", f"{head}.{claims}"
    yield "half a signature", f"{head}.{claims}.{signature[:100]}"
    yield "a zero signature", f"{head}.{claims}.{b64(bytes(256))}"
    yield "junk behind the signature", token + "AAAA"
    yield "padding behind the signature", token + "=="
    yield "a fourth part", token + "." + signature
    yield "a comma and the token again", f"{token},{token}"
    yield "a space within", token[:50] + " " + token[50:]
    yield "the other alphabet", f"{head}.{claims}.{signature[:-4]}+/+/"
    yield "dots only", ".."
    yield "nothing", ""
    yield "not JSON", f"{b64(b'not json')}.{b64(b'not json')}.{signature}"
    yield "an array", f"{b64([h])}.{b64([c])}.{signature}"
    yield "a doubled algorithm", (
        b64(b'{"alg":"RS256","alg":"none","typ":"JWT","kid":"' + h["kid"].encode() + b'"}')
        + f".{claims}.{signature}")
    yield "9 KiB", f"{head}.{claims}.{signature}{'A' * 9000}"
    yield "deep JSON", f"{b64(b'[' * 2000)}.{claims}.{signature}"
    yield "encrypted", ".".join([b64({"alg": "dir", "enc": "A256GCM"}), "", b64(b"1" * 12), b64(b"x" * 40),
                                 b64(b"t" * 16)])


def test_hostile_tokens_are_refused(anon, token, jwks):
    assert me(anon, token).status_code == 200
    accepted = []
    for what, bad in hostile(token, jwks):
        answer = me(anon, bad)
        if answer.status_code == 200:
            accepted.append(what)
            continue
        assert answer.status_code == 401, f"{what}: {answer.status_code} {answer.text}"
        assert_problem(answer, 401, "token_invalid")
        assert answer.headers["www-authenticate"].startswith("Bearer "), what
    assert not accepted
    assert me(anon, token).status_code == 200


def test_hostile_tokens_in_the_cookie_are_refused(anon, token, jwks):
    for what, bad in hostile(token, jwks):
        if not bad or any(c in bad for c in " ,"):
            continue
        answer = requests.get(anon.base_url + ME, verify=anon.ca_file, timeout=20,
                              headers={"cookie": f"{cookie_name(anon)}={bad}"})
        assert answer.status_code == 401, f"{what}: {answer.status_code}"


_cookie_name = []


def cookie_name(anon):
    """The access cookie's name, learned from an answer that clears nothing and sets all."""
    if not _cookie_name:
        made = person()
        anon.post(V1 + "/auth/register", json=made)
        answer = anon.post(LOGIN, json={"email": made["email"], "password": made["password"],
                                        "use_cookies": True})
        token = answer.json()["data"]["access_token"]
        _cookie_name.append(next(c.name for c in anon.cookies if c.value == token))
        anon.cookies.clear()
    return _cookie_name[0]


@pytest.mark.parametrize("header", [
    "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "bearer", "Token {token}", "JWT {token}", "{token}",
    "Digest username=x", "Bearer Bearer {token}", "Negotiate {token}"])
def test_other_schemes_are_refused(instance, token, header):
    answer = raw_request(instance, "GET", ME, [("Authorization", header.format(token=token))])
    assert_problem(answer, 401, "token_invalid")


def test_the_scheme_is_compared_without_case(instance, token):
    assert raw_request(instance, "GET", ME, [("Authorization", f"bEaReR {token}")]).status_code == 200


def test_tokens_of_other_schemes_are_refused(anon, instance, account):
    given = enter(anon, account)
    for other in (given["refresh_token"], instance["metrics"]["bearer_token"]):
        assert_problem(me(anon, other), 401, "token_invalid")
    # And an access token opens neither the metrics nor a new session.
    headers = {"authorization": f"Bearer {given['access_token']}"}
    assert anon.get("/metrics", headers=headers).status_code == 401
    assert_problem(anon.post(REFRESH, headers=headers), 401, "refresh_token_invalid")
    answer = anon.post(REFRESH, json={"refresh_token": given["access_token"]})
    assert answer.status_code in (401, 422), answer.text
    assert_problem(anon.get(ME, headers={"x-service-token": given["access_token"]}), 401, "unauthenticated")


def test_a_token_is_not_taken_from_the_query_or_the_body(anon, token):
    assert_problem(anon.get(f"{ME}?access_token={token}"), 401, "unauthenticated")
    assert_problem(anon.patch(ME, json={"name": "x", "access_token": token}), 401, "unauthenticated")


def test_no_credential(anon):
    answer = anon.get(ME)
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="lectern"'


# --- tokens that are signed with the right key and wrong all the same -------------------------------

@pytest.fixture(scope="module")
def keyset(instance):
    """The signing keys of the instance, as whoever runs it has them."""
    return json.loads(base64.b64decode((home(instance) / "secrets" / "jwt-keyset").read_text()))


@pytest.fixture
def sign(keyset):
    key = next(k for k in keyset["keys"] if k["state"] == "active")

    def made(claims, header=None, raw_claims=None):
        head = b64({"alg": "RS256", "typ": "JWT", "kid": key["kid"], **(header or {})})
        body = f"{head}.{b64(raw_claims if raw_claims is not None else claims)}"
        signer = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
        return f"{body}.{b64(signer.sign(body.encode(), signer.prepare_key(key['private_pem'])))}"
    return made


def test_a_token_of_our_own_making_is_taken(anon, token, sign):
    """The control of the next tests: what they change is the only thing that is wrong."""
    claims = part(token, 1)
    for good in (claims, {**claims, "nbf": claims["iat"]}, {**claims, "aud": ["x", "lectern-api"]},
                 {**claims, "iat": claims["iat"] - 5, "jti": str(uuid.uuid4())}):
        assert me(anon, sign(good)).status_code == 200, good


WRONG = {
    "expired": lambda c: {**c, "exp": int(time.time()) - 1}, "expired long ago": lambda c: {**c, "exp": 1},
    "exp zero": lambda c: {**c, "exp": 0}, "exp negative": lambda c: {**c, "exp": -1},
    "exp text": lambda c: {**c, "exp": str(c["exp"])}, "exp true": lambda c: {**c, "exp": True},
    "exp null": lambda c: {**c, "exp": None}, "exp float": lambda c: {**c, "exp": c["exp"] + 0.5},
    "exp array": lambda c: {**c, "exp": [c["exp"]]},
    "iat in the future": lambda c: {**c, "iat": int(time.time()) + 3600},
    "nbf in the future": lambda c: {**c, "nbf": int(time.time()) + 3600}, "nbf text": lambda c: {**c, "nbf": "0"},
    "another audience": lambda c: {**c, "aud": "other"}, "other audiences": lambda c: {**c, "aud": ["a", "b"]},
    "no audience": lambda c: {**c, "aud": []}, "audience in case": lambda c: {**c, "aud": c["aud"].upper()},
    "audience with a tail": lambda c: {**c, "aud": c["aud"] + "\0x"}, "audience number": lambda c: {**c, "aud": 1},
    "another issuer": lambda c: {**c, "iss": "other"}, "issuers": lambda c: {**c, "iss": [c["iss"]]},
    "unknown role": lambda c: {**c, "role": "root"}, "no role": lambda c: {**c, "role": ""},
    "roles": lambda c: {**c, "role": ["student"]}, "two roles": lambda c: {**c, "role": "student,admin"},
    "role in case": lambda c: {**c, "role": "Student"}, "sub text": lambda c: {**c, "sub": "me"},
    "org number": lambda c: {**c, "org": 1},
    "sid empty": lambda c: {**c, "sid": ""}, "jti array": lambda c: {**c, "jti": []},
    **{f"without {n}": (lambda n: lambda c: {k: v for k, v in c.items() if k != n})(n)
       for n in ("exp", "iat", "iss", "aud", "sub", "org", "sid", "role", "jti")},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_signed_claims_that_are_refused(anon, token, sign, change):
    assert_problem(me(anon, sign(change(part(token, 1)))), 401, "token_invalid")


def test_signed_claims_that_are_no_plain_object(anon, token, sign):
    text = json.dumps(part(token, 1)).encode()
    for raw in (text[:-1] + b',"role":"admin"}', b'{"exp":1,' + text[1:], text + b" x", text + text, b"[" + text + b"]",
                text[:-1], b"", b"null", text.replace(b'"student"', b'"student\\u0000"'), b"\xef\xbb\xbf" + text):
        assert_problem(me(anon, sign(None, raw_claims=raw)), 401, "token_invalid")


@pytest.mark.parametrize("header", [
    {"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"typ": "at+jwt"}, {"typ": "JWE"}, {"cty": "JWT"}, {"zip": "DEF"},
    {"x5c": ["MIIB"]}, {"jku": "https://localhost/"}, {"alg": "RS384"}, {"alg": "RS512"}, {"alg": "PS256"},
    {"alg": "rs256"}, {"alg": "ES256"}, {"alg": None}, {"alg": ["RS256"]}], ids=str)
def test_signed_headers_that_are_refused(anon, token, sign, header):
    assert_problem(me(anon, sign(part(token, 1), header)), 401, "token_invalid")


def test_a_signed_token_needs_its_session(anon, new_client, token, sign):
    """Were a key to leak or a role to change, the database has the last word."""
    claims = part(token, 1)
    other = enter(new_client(), registered(new_client()))
    stranger = part(other["access_token"], 1)
    for forged in ({**claims, "role": "admin"}, {**claims, "role": "operator"}, {**claims, "sid": str(uuid.uuid4())},
                   {**claims, "sid": stranger["sid"]}, {**claims, "sub": stranger["sub"]},
                   {**claims, "org": str(uuid.uuid4())}, {**claims, "sub": str(uuid.uuid4())},
                   {**claims, "sub": "00000000-0000-0000-0000-000000000000"}):
        answer = me(anon, sign(forged))
        assert_problem(answer, 401, "session_ended")
    assert me(anon, token).status_code == 200


# --- rotation of the signing key ---------------------------------------------------------------------

def keyset_file(place, keyset):
    file = place / "keyset"
    file.write_text(base64.b64encode(json.dumps(keyset).encode()).decode())
    file.chmod(0o600)
    return str(file)


def test_keys_are_rotated(instance, anon, account, token, keyset, tmp_path):
    """A token of a legacy key is valid until it expires, one of a retired key is not."""
    done = subprocess.run([binary(instance, "lecternctl"), "jwt", "rotate", "--keyset-file", keyset_file(tmp_path, keyset)],
                          capture_output=True, text=True, timeout=30, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    rotated = json.loads(base64.b64decode(done.stdout))
    assert sorted(k["state"] for k in rotated["keys"]) == ["active", "legacy"]
    assert [("private_pem" in k) for k in rotated["keys"] if k["state"] == "legacy"] == [False]
    who = {"authorization": f"Bearer {token}"}
    with pools(instance) as make:
        pool = make(name="auth", workers=1, JWT_KEYSET_FILE=keyset_file(tmp_path, rotated), AUTH_RATE_LIMIT="1000")
        assert pool.ask("GET", ME, who).status_code == 200
        assert len(pool.ask("GET", "/.well-known/jwks.json").json()["keys"]) == 2
        body = {"email": account["email"], "password": account["password"]}
        fresh = pool.ask("POST", LOGIN, body=body).json()["data"]["access_token"]
        active = next(k["kid"] for k in rotated["keys"] if k["state"] == "active")
        assert jwt.get_unverified_header(fresh)["kid"] == active
        assert pool.ask("GET", ME, {"authorization": f"Bearer {fresh}"}).status_code == 200
        # The instance itself has not been told of the new key.
        assert_problem(me(anon, fresh), 401, "token_invalid")
        for key in rotated["keys"]:
            key["state"] = "retired" if key["state"] == "legacy" else key["state"]
        keyset_file(tmp_path, rotated)
        pool.tell(signal.SIGHUP)
        pool.logged("reloaded")
        assert_problem(pool.ask("GET", ME, who), 401, "token_invalid")
        assert pool.ask("GET", ME, {"authorization": f"Bearer {fresh}"}).status_code == 200
        assert [k["kid"] for k in pool.ask("GET", "/.well-known/jwks.json").json()["keys"]] == [active]
