"""What the tests of the domains share: people made on the spot, courses, and a look at the rows.

Everything made here has a name of its own, so that tests may run again on the same instance.
"""
import concurrent.futures
import contextlib
import datetime
import itertools
import uuid

V1 = "/api/v1"
ME = V1 + "/users/me"
PASSWORD = "correct-battery-staple-9"
_count = itertools.count(1)


def unique(word="e2e"):
    return f"{word}-{uuid.uuid4().hex[:12]}"


def when(**delta):
    """A time from now, as the interface writes it"""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**delta)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def data(answer, status=200):
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:800]}"
    return answer.json()["data"]


def done(answer, status=204):
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:800]}"
    return answer


def refused(answer, status, code):
    """A problem answer with this status and code, and nothing in it that should not be there"""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:800]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code, problem
    assert problem["status"] == status
    assert problem["type"] == f"urn:lectern:error:{code}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "data" not in problem
    return problem


def violations(answer):
    """{field: code} of a 422 with fields"""
    problem = refused(answer, 422, "validation_failed")
    assert problem["errors"]
    return {e["field"]: e["code"] for e in problem["errors"]}


def listed(client, path, **params):
    """All rows of a list"""
    answer = client.get(path, params={"limit": 100, **params})
    rows = data(answer)
    while answer.json()["page"]["next_cursor"]:
        answer = client.get(path, params={"limit": 100, **params,
                                          "cursor": answer.json()["page"]["next_cursor"]})
        rows += data(answer)
    return rows


def ids(rows):
    return [row["id"] for row in rows]


class People:
    """Accounts of one's own in the organisation that takes registrations"""

    def __init__(self, new_client, admin):
        self.new_client, self.admin = new_client, admin

    def register(self, name=None, email=None):
        email = email or f"{unique('p')}@e2e.lectern.example"
        answer = self.new_client("register").post("/api/v1/auth/register", json={
            "name": name or f"Person {next(_count)}", "email": email, "password": PASSWORD})
        assert answer.status_code == 202, answer.text
        return email

    def enter(self, email):
        client = self.new_client("person")
        tokens = data(client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}))
        client.cookies.clear()
        client.headers["authorization"] = "Bearer " + tokens["access_token"]
        client.email, client.refresh_token = email, tokens["refresh_token"]
        me = data(client.get(ME))
        client.id, client.role = me["id"], me["role"]
        return client

    def find(self, email):
        found = data(self.admin.get("/api/v1/org/users", params={"q": email}))
        assert [u["email"] for u in found] == [email]
        return found[0]

    def make(self, role="student", name=None):
        email = self.register(name)
        if role != "student":
            user = self.find(email)
            data(self.admin.put(f"/api/v1/org/users/{user['id']}/role", json={"role": role}))
        client = self.enter(email)
        assert client.role == role
        return client


class Rows:
    """The database as an admin of an organisation may see it"""

    def __init__(self, connection, org, admin):
        self.connection, self.org, self.admin = connection, org, admin

    def all(self, statement, *values):
        """Rows of a query; the transaction is never committed"""
        with contextlib.closing(self.connection.cursor()) as cursor:
            cursor.execute("select set_config('app.user_id', %s, true), set_config('app.org_id', %s, true), "
                           "set_config('app.role', 'admin', true)", (self.admin, self.org))
            cursor.execute(statement, values)
            found = cursor.fetchall()
        self.connection.rollback()
        return found

    def one(self, statement, *values):
        found = self.all(statement, *values)
        assert len(found) == 1, found
        return found[0]

    def count(self, table, **equal):
        where = " and ".join(f"{name} = %s" for name in equal) or "true"
        return self.one(f"select count(*) from app.{table} where {where}", *equal.values())[0]

    def audits(self, answer):
        """Audit rows of the request that got this answer"""
        names = ("actor_id", "action", "target_type", "target_id", "before", "after", "address")
        found = self.all(f"select {', '.join(names)} from app.audit_logs where request_id = %s",
                         answer.headers["x-request-id"])
        return [dict(zip(names, row)) for row in found]

    def events(self, answer):
        names = ("kind", "actor_id", "course_id", "subject_type", "subject_id")
        found = self.all(f"select {', '.join(names)} from app.events where request_id = %s",
                         answer.headers["x-request-id"])
        return [dict(zip(names, row)) for row in found]

    def traceless(self, answer):
        """A refused request has left neither audit nor event"""
        assert self.audits(answer) == [] and self.events(answer) == []
        return answer


def make_course(client, publish=True, **fields):
    fields.setdefault("title", unique("Course"))
    course = data(client.post("/api/v1/courses", json=fields), 201)
    if publish:
        course = data(client.post(f"/api/v1/courses/{course['id']}/publish"))
    return course


def enrol(client, course, user, **fields):
    answer = client.post(f"/api/v1/courses/{course['id']}/enrollments", json={"user_id": user, **fields})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["data"]


def at_once(calls):
    """Run the calls in parallel threads and give their results in order"""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
