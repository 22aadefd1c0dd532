"""Rows of the interface, read from the emitted document, and what is asked of every one of them.

Nothing here knows an operation by name except World, which has an example for each kind of
identifier, and PREFERRED, for the few fields where any identifier would not do.
"""
import contextlib
import http.client
import json
import re
import ssl
import types
import urllib.parse
import uuid

from conftest import TREE, _write_down
from lib_domain import PASSWORD, V1, People, data, unique
from lib_pool import wait_until

METHODS = ("get", "post", "put", "patch", "delete")
NOBODY = object()
STRANGE = "zz_unknown"


# --- the document --------------------------------------------------------------------------------

class Document:
    def __init__(self, text):
        self.raw = json.loads(text)
        self.rows = [Row(self, path, method, operation)
                     for path, item in self.raw["paths"].items()
                     for method, operation in item.items() if method in METHODS]
        self.roles = sorted({role for row in self.rows for role in row.roles})

    def resolve(self, node):
        while "$ref" in node:
            found = self.raw
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found[name.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def methods(self, path):
        return {row.method for row in self.rows if row.path == path}


class Row:
    """One operation: everything that a test asks about it"""

    def __init__(self, document, path, method, operation):
        own = operation["x-lectern"]
        self.document, self.path, self.method = document, path, method.upper()
        self.id, self.operation = operation["operationId"], operation
        self.roles, self.rate_class, self.pool = own["roles"], own["rate_class"], own["pool"]
        self.schemes = {name for one in operation.get("security", []) for name in one}
        parameters = [document.resolve(p) for p in operation.get("parameters", [])]
        self.path_names = [p["name"] for p in parameters if p["in"] == "path"]
        # Those that name rows; other ones are secrets.
        self.path_ids = [p["name"] for p in parameters
                         if p["in"] == "path" and document.resolve(p["schema"]).get("format") == "uuid"]
        self.query = {p["name"]: document.resolve(p["schema"]) for p in parameters if p["in"] == "query"}
        self.headers = {p["name"].lower() for p in parameters if p["in"] == "header"}
        body = operation.get("requestBody")
        content = document.resolve(body)["content"] if body else {}
        self.media = next(iter(content), None)
        self.body_required = bool(body) and body.get("required", False)
        schema = document.resolve(content[self.media]["schema"]) if self.media else {}
        self.fields = {n: document.resolve(s) for n, s in schema.get("properties", {}).items()}
        self.required = schema.get("required", [])

    def __repr__(self):
        return self.id

    def statuses_of(self, media):
        """The statuses that come with this media type"""
        return {int(status) for status, answer in self.operation["responses"].items()
                if media in self.document.resolve(answer).get("content", {})}

    @property
    def user(self):
        return "bearer" in self.schemes

    @property
    def json(self):
        return self.media == "application/json"


def document():
    return Document((TREE / "docs" / "api" / "openapi.json").read_text())


# --- values --------------------------------------------------------------------------------------

def types_of(schema):
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


OF_TYPE = {"string": "x", "integer": 5, "number": 5.5, "boolean": True, "array": [], "object": {}}


def wrong_types(schema):
    """Values of every type that the schema does not have"""
    have = set(types_of(schema))
    return [value for kind, value in OF_TYPE.items() if kind not in have]


def letters(schema, count):
    """A text of `count` code points that the schema's pattern and format allow, or None"""
    if count < 0:
        return None
    if schema.get("format") == "email":
        return None if count < 5 else _email(count)
    candidates = ["a" * count]
    for group in range(2, 9):
        text = "aa"
        while len(text) + 1 + group <= count:
            text += "-" + "a" * group
        candidates.append(text + "-" + "a" * (count - len(text) - 1))
    pattern = schema.get("pattern")
    return next((c for c in candidates if len(c) == count and (not pattern or re.search(pattern, c))), None)


def _email(count):
    local = min(64, count - 4)
    left, domain = count - local - 1, []
    while left > 0:
        size = min(60, left)
        size -= left - size == 1  # no empty label at the end
        domain.append("b" * size)
        left -= size + 1
    if len(domain) == 1:
        domain = [domain[0][:-2], "c"]
    return "a" * local + "@" + ".".join(domain)


BAD_FORMAT = {
    "uuid": ["x", "", "01890000-0000-7000-8000-00000000000", "01890000-0000-7000-8000-0000000000000",
             "g1890000-0000-7000-8000-000000000000", "{01890000-0000-7000-8000-000000000000}"],
    "date-time": ["yesterday", "", "2030-01-01", "2030-13-01T00:00:00Z", "2030-02-30T00:00:00Z",
                  "2030-01-01T00:00:00", "2030-01-01T25:00:00Z"],
    "email": ["plain", "a@", "@b.example", "a b@c.example", "a@b@c.example", "a@nodots", "a..b@c.example"],
}
GOOD_FORMAT = {
    "uuid": ["01890000-0000-7000-8000-000000000000"],
    "date-time": ["2030-01-01T00:00:00Z", "2030-01-01T00:00:00.000+02:00"],
    "email": ["a.b+c@d.example"],
}


def text_values(schema):
    """(what, value, is it good) for a text"""
    if "enum" in schema:
        yield "no choice", "zz-not-a-choice", False
        yield "a choice in capitals", str(schema["enum"][0]).upper() + "X", False
        yield from (("a choice", choice, True) for choice in schema["enum"])
        return
    form = schema.get("format")
    yield from (("bad " + form, bad, False) for bad in BAD_FORMAT.get(form, []))
    yield from (("good " + form, good, True) for good in GOOD_FORMAT.get(form, []))
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if least > 0:
        yield "below minLength", letters(schema, least - 1) or "a" * (least - 1), False
        yield "at minLength", letters(schema, least), True
    if most is not None:
        yield "at maxLength", letters(schema, most), True
        yield "above maxLength", letters(schema, most + 1) or "a" * (most + 1), False
    if "pattern" in schema:
        size = max(least, 2)
        yield from (("outside of the pattern", (bad * size)[:size], False) for bad in ("!é", " ", "\u00e9"))
    elif form is None or form == "password":
        yield "control character", "aaaa\u0001aaaa", False
        yield "NUL", "aaaa\0aaaa", False
        if most is not None:
            yield "maxLength in code points", "\U0001f393" * most, True


def number_values(schema):
    for edge, step, word in (("minimum", -1, "below"), ("maximum", 1, "above")):
        if edge in schema:
            yield f"at {edge}", schema[edge], True
            yield f"{word} {edge}", schema[edge] + step, False


def list_values(schema, resolve):
    items = resolve(schema["items"])
    one = valid(items)
    if schema.get("minItems", 0) > 0:
        yield "below minItems", [one] * (schema["minItems"] - 1), False
    if "maxItems" in schema:
        yield "above maxItems", [one] * (schema["maxItems"] + 1), False
        if not schema.get("uniqueItems"):
            yield "at maxItems", [one] * schema["maxItems"], True
    for what, value, good in values(items, resolve):
        # A list in a query is joined by commas and cannot hold an empty text beside nothing.
        yield f"an item {what}", [value], good


def values(schema, resolve=lambda s: s):
    """(what, value, is it good) at every bound of a schema"""
    kinds = types_of(schema)
    found = []
    if "string" in kinds:
        found = text_values(schema)
    elif "integer" in kinds:
        found = number_values(schema)
    elif "array" in kinds:
        found = list_values(schema, resolve)
    return [(what, value, good) for what, value, good in found if value is not None]


def valid(schema):
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    for _, value, good in values(schema):
        if good:
            return value
    return {"boolean": True, "object": {}, "string": "a text", "integer": 1}[types_of(schema)[0]]


def as_query(schema, value):
    """The text of a value in a query, or None where it has none"""
    if isinstance(value, list):
        return ",".join(str(v) for v in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# --- what can be looked at from outside ----------------------------------------------------------

class Ledger:
    """How many rows each table has, and of which transactions they are: every change makes another"""

    def __init__(self, cursor):
        self.position, self.taken, self.cursor = None, None, cursor
        self.cursor.execute("set jit = off")
        # The counts of failed sign-ins end by themselves meanwhile, and the daemon removes them.
        self.cursor.execute("select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                            " where n.nspname = 'app' and c.relkind in ('r', 'p') and not c.relispartition"
                            " and c.relname <> 'signin_failures'")
        # Of mails only which there are: the daemon sends them meanwhile.
        self.query = " union all ".join(
            f"select '{name}', count(*), coalesce(sum({'hashtext(id::text)' if name == 'mails' else 'xmin::text::bigint'}), 0)"
            f" from app.{name}" for (name,) in sorted(self.cursor.fetchall()))

    def take(self):
        # What the background daemon was asked for is done first.
        wait_until(lambda: self._idle(), seconds=30, every=0.2)
        # While the log stands still nothing was written, and what was counted before holds.
        self.cursor.execute("select pg_current_wal_insert_lsn()")
        (position,) = self.cursor.fetchone()
        if position != self.position:
            self.position, self.taken = position, self._count()
        return self.taken

    def _idle(self):
        self.cursor.execute("select not exists (select from app.exports where state = 'queued')"
                            " and not exists (select from app.mails where state = 'queued' and attempts < 2)")
        return self.cursor.fetchone()[0]

    def _count(self):
        self.cursor.execute(self.query)
        return {name: (count, changes) for name, count, changes in self.cursor.fetchall()}


# --- people and things ---------------------------------------------------------------------------

# Where an example by the name of the field would not do.
PREFERRED = {
    "course_staff_add.user_id": "colleague_id",
    "enrollment_create.user_id": "spare_id",
    "org_user_role.user_id": "spare_id",
    "org_user_remove.user_id": "spare_id",
    "parent_link_create.student_id": "spare_id",
    "parent_link_update.status": "rejected",
    "user_me_erase.password": "no-password-of-anyone",
    "org_user_role.role": "student",
    "auth_register.password": PASSWORD,
    "email_verify.token": "A" * 43,
    "password_reset.token": "A" * 43,
    "password_reset.password": PASSWORD,
    "auth_refresh.refresh_token": "refresh_token",
    "user_session_end.session_id": "own_session_id",
}


def session_of(client):
    """The newest session of a caller, which is the one that was just begun"""
    return data(client.get(V1 + "/users/me/sessions", params={"limit": 1}))[0]["id"]


# Operators see of other organisations that they are there: what is theirs is no secret here.
def spans(row):
    return row.path.startswith(V1 + "/admin/orgs")


class World:
    """Callers of every role, another organisation, and one of every thing that a path can name"""

    def __init__(self, new_client, api, roles):
        self.new_client = new_client
        self.admin = api("admin")
        self.people = People(new_client, self.admin)
        self.callers = {"admin": self.admin, "operator": api("operator")}
        for role in roles:
            if role not in self.callers:
                self.callers[role] = self.people.make(role)
        self.colleague = self.people.make("teacher")
        self.own = self.things()
        self.other = self.things_elsewhere(api)

    def things(self):
        """A course of its own with all that belongs to it"""
        student, spare, assistant = (self.people.make(r) for r in ("student", "student", "teacher"))
        self.assistant = assistant
        made = {"colleague_id": self.colleague.id, "owner_id": self.colleague.id, "spare_id": spare.id,
                "user_id": assistant.id, "refresh_token": student.refresh_token,
                "session_id": session_of(assistant), "own_session_id": session_of(self.admin),
                "org_id": self._organisation(), "invitation_id": self._invited(self.admin),
                "token": "A" * 43, "link_id": self._link(self.admin, student)}
        made.update(self._course(self.admin, student.id, self.people.register()))
        data(self.admin.post(f"{V1}/courses/{made['course_id']}/staff",
                             json={"user_id": assistant.id, "role": "assistant"}), 201)
        return made

    def things_elsewhere(self, api):
        admin = api("admin", "northside")
        student = data(api("student", "northside").get(V1 + "/users/me"))
        teacher = data(api("teacher", "northside").get(V1 + "/users/me"))
        made = self._course(admin, student["id"], student["email"])
        link = self._link(admin, api("student", "northside"), api("parent", "northside"))
        session = session_of(api("teacher", "northside"))
        return {**made, "link_id": link, "user_id": teacher["id"], "owner_id": teacher["id"],
                "colleague_id": teacher["id"], "spare_id": student["id"], "session_id": session,
                "own_session_id": session,
                "invitation_id": self._invited(admin)}

    def _link(self, admin, student, parent=None):
        """Of a parent and a student, which nobody has decided yet"""
        (parent or self.people.make("parent")).post(V1 + "/parent-links", json={
            "student_id": data(student.get(V1 + "/users/me"))["id"]})
        return data(admin.get(V1 + "/parent-links", params={"status": "pending"}))[0]["id"]

    def _organisation(self):
        slug = unique("rows")
        return data(self.callers["operator"].post(V1 + "/admin/orgs", json={
            "slug": slug, "name": slug, "admin_email": f"{slug}@e2e.lectern.example"}), 201)["id"]

    @staticmethod
    def _invited(admin):
        return data(admin.post(V1 + "/org/invitations", json={
            "email": f"{unique('guest')}@e2e.lectern.example", "role": "student"}), 201)["id"]

    @staticmethod
    def _course(admin, student, email):
        title = {"title": unique("rows")}
        course = data(admin.post(V1 + "/courses", json=title), 201)["id"]
        path = f"{V1}/courses/{course}"
        data(admin.post(path + "/publish"))
        enrolled = admin.post(path + "/enrollments", json={"user_id": student})
        assert enrolled.status_code == 201, enrolled.text
        announced = data(admin.post(path + "/announcements", json={**title, "body": "text"}), 201)
        imported = admin.post(path + "/enrollments/import", data=f"email\n{email}\n",
                              headers={"content-type": "text/csv"})
        return {"course_id": course, "enrollment_id": enrolled.json()["data"]["id"],
                "announcement_id": announced["id"], "import_id": data(imported, 201)["import_id"]}

    def caller(self, row):
        """Who may call it, as high as it goes, so that nothing but the fault is in the way"""
        if not row.user:
            return self.new_client("rows")
        return self.callers[next(r for r in ("admin", "operator", *row.roles) if r in row.roles)]

    def example(self, row, name, schema, things):
        wanted = PREFERRED.get(f"{row.id}.{name}", name)
        if schema.get("format") == "uuid":
            assert wanted in things, f"{row.id}: no example of {wanted}; World.things() is to make one"
            return things[wanted]
        if f"{row.id}.{name}" in PREFERRED:
            return things.get(wanted, wanted)
        return valid(schema)

    def path(self, row, things=None, **other):
        things = {**(things or self.own), **other}
        names = {n: PREFERRED.get(f"{row.id}.{n}", n) if n not in other else n for n in row.path_names}
        missing = [n for n in names.values() if n not in things]
        assert not missing, f"{row.id}: no example of {missing}; World.things() is to make one"
        return re.sub(r"\{(\w+)\}", lambda m: urllib.parse.quote(things[names[m[1]]], safe=""), row.path)

    def body(self, row, things=None):
        """The least that the row takes"""
        things = things or self.own
        if row.media is None:
            return NOBODY
        if not row.json:
            return f"email\n{self.callers['student'].email}\n".encode()
        return {n: self.example(row, n, schema, things) for n, schema in row.fields.items()
                if n in row.required or f"{row.id}.{n}" in PREFERRED}

    def send(self, row, caller=None, body=None, path=None, query="", headers=None, method=None):
        """The row's request, right in everything that is not given otherwise"""
        caller = caller or self.caller(row)
        body = self.body(row) if body is None else body
        headers = {k.lower(): v for k, v in (headers or {}).items()}
        payload = None
        if body is not NOBODY:
            payload = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
            headers.setdefault("content-type", row.media or "application/json")
        path = path or self.path(row)
        return caller.request(method or row.method, path + ("?" + query if query else ""), data=payload,
                              headers=headers)

    def request_query(self, row, query):
        return self.send(row, query=urllib.parse.urlencode(query))


def cookies_of(world, role):
    """A browser's session of this role: cookies by name"""
    if role in ("admin", "operator"):
        account = world.callers[role].account
        email, password = account["email"], account["password"]
    else:
        email, password = world.callers[role].email, PASSWORD
    client = world.new_client("browser")
    answer = client.post(V1 + "/auth/login", json={"email": email, "password": password, "use_cookies": True})
    assert answer.status_code == 200, answer.text
    found = {c.name: c.value for c in client.cookies if "device" not in c.name}
    client.cookies.clear()
    assert any("csrf" in name for name in found) and len(found) == 3, list(found)
    return found


def send_twice(instance, row, path, name, value, token=None):
    """The row's request with one header twice, which no client library sends"""
    base = urllib.parse.urlsplit(instance["base_url"])
    context = ssl.create_default_context(cafile=instance["ca_file"])
    connection = http.client.HTTPSConnection(base.hostname, base.port, timeout=20, context=context)
    with contextlib.closing(connection):
        connection.putrequest(row.method, path, skip_accept_encoding=True)
        for _ in range(2):
            connection.putheader(name, value)
        if token:
            connection.putheader("authorization", token)
        connection.endheaders()
        raw = connection.getresponse()
        content = raw.read()
    answer = types.SimpleNamespace(
        status_code=raw.status, headers={k.lower(): v for k, v in raw.getheaders()}, content=content,
        text=content.decode(), json=lambda: json.loads(content))
    _write_down(types.SimpleNamespace(url=instance["base_url"] + path, method=row.method, body=None,
                                      headers={name: value}), answer)
    return answer


def random_id():
    return str(uuid.uuid4())
