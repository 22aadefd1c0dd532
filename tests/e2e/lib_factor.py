"""An authenticator app and a sign-in in two steps; codes come from oathtool, not from the service."""
import subprocess
import time

from lib_domain import PASSWORD, V1, data, refused

FACTOR = V1 + "/users/me/second-factor"
LOGIN = V1 + "/auth/login"


class Authenticator:
    def __init__(self, secret):
        self.secret = secret

    def code(self, steps=0):
        """The code of this moment, or of so many steps of 30 seconds from it"""
        at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + 30 * steps))
        return subprocess.run(["oathtool", "--totp", "--base32", "--now", at, "-"], input=self.secret, text=True,
                              capture_output=True, check=True, timeout=10).stdout.strip()

    def wrong(self):
        """Six digits that are the code of no moment near"""
        near = {self.code(steps) for steps in range(-3, 4)}
        return next(c for c in (f"{n:06d}" for n in range(100)) if c not in near)


def begin(client, password=PASSWORD):
    return Authenticator(data(client.post(FACTOR, json={"password": password}))["secret"])


def enrol(client, password=PASSWORD):
    """(authenticator, recovery codes) of a caller, confirmed"""
    app = begin(client, password)
    codes = data(client.post(FACTOR + "/confirm", json={"code": app.code()}))["recovery_codes"]
    return app, codes


def challenge(client, email, password=PASSWORD):
    """The first step of a sign-in that owes a code"""
    answer = client.post(LOGIN, json={"email": email, "password": password})
    problem = refused(answer, 401, "second_factor_required")
    assert problem["expires_in"] == 300 and "set-cookie" not in answer.headers
    return problem["challenge"]


def answer(client, given, code, way="second-factor", **more):
    return client.post(f"{LOGIN}/{way}", json={"challenge": given, "code": code, **more})
