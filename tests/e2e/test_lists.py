"""Lists: pages, cursors, orders, filters, and what they do with hostile values."""
import base64
import re
import urllib.parse
import uuid

import pytest

from lib_domain import ids
from lib_gates import V1, assert_problem, new_course, unique

COURSES = V1 + "/courses"
TITLES = ["a", "b", "b", "b", "c", "C", "é", "10% off", "100", "1_0", "1x0", "back\\slash", "quote ' \"", "b"]


@pytest.fixture(scope="module")
def teacher(api):
    return api("teacher")


@pytest.fixture(scope="module")
def made(teacher):
    """Courses that a search for `stem` finds, all of them and no others."""
    stem = unique("list")
    courses = [new_course(teacher, title=f"{stem} {t}") for t in TITLES]
    for course in courses[:3]:
        assert teacher.post(f"{COURSES}/{course['id']}/publish").status_code == 200
    courses = [teacher.get(f"{COURSES}/{c['id']}").json()["data"] for c in courses]
    yield stem, courses
    for course in courses:
        teacher.delete(f"{COURSES}/{course['id']}")


@pytest.fixture(scope="module")
def board(teacher):
    """A course whose announcements were all published at the same moments."""
    course = new_course(teacher)
    at = f"{COURSES}/{course['id']}/announcements"
    for i in range(23):
        answer = teacher.post(at, json={"title": f"notice {i}", "body": "x", "pinned": i % 4 == 0,
                                        "publish_at": f"2026-01-0{1 + i % 3}T00:00:00.123456Z"})
        assert answer.status_code == 201, answer.text
    yield at
    teacher.delete(f"{COURSES}/{course['id']}")


def listed(client, path, **query):
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"data", "page"}
    assert set(body["page"]) == {"limit", "offset", "total", "next_cursor"}
    return answer, body["data"], body["page"]


def links(answer):
    found = {}
    for target, rel in re.findall(r'<([^>]*)>; rel="([a-z]+)"', answer.headers.get("link", "")):
        assert rel not in found and target.startswith("/api/v1/")
        found[rel] = target
    return found


# --- pages by limit and offset ------------------------------------------------------------------

def test_a_page_tells_itself(teacher, made):
    stem, courses = made
    answer, rows, page = listed(teacher, COURSES, q=stem, limit=5)
    assert len(rows) == 5
    assert page["limit"] == 5 and page["offset"] == 0 and page["total"] == len(courses) and page["next_cursor"]
    assert answer.headers["x-total-count"] == str(len(courses))
    _, _, default = listed(teacher, COURSES, q=stem)
    assert default["limit"] == 20 and default["next_cursor"] is None


@pytest.mark.parametrize("limit", [1, 3, 14, 100])
def test_offsets_walk_everything_once(teacher, made, limit):
    stem, courses = made
    seen, offset = [], 0
    while offset < len(courses):
        _, rows, page = listed(teacher, COURSES, q=stem, limit=limit, offset=offset, sort="title")
        assert page["offset"] == offset and page["total"] == len(courses)
        seen += ids(rows)
        offset += limit
    assert sorted(seen) == sorted(ids(courses))


def test_an_offset_behind_the_end(teacher, made):
    answer, rows, page = listed(teacher, COURSES, q=made[0], offset=1000)
    assert rows == [] and page["total"] == len(made[1]) and page["next_cursor"] is None
    assert "next" not in links(answer)


@pytest.mark.parametrize("query, pointer", [
    ("limit=0", "limit"), ("limit=101", "limit"), ("limit=-1", "limit"), ("limit=", "limit"), ("limit=1.0", "limit"),
    ("limit=1e1", "limit"), ("limit=%201", "limit"), ("limit=0x5", "limit"), ("limit=99999999999999999999", "limit"),
    ("limit=NaN", "limit"), ("limit=%2B5", "limit"), ("offset=-1", "offset"), ("offset=1000001", "offset"),
    ("offset=x", "offset"), ("limit=5;offset=1", "limit"),
    ("count=yes", "count"), ("count=", "count"), ("sort=", "sort"), ("sort=nope", "sort"), ("sort=description", "sort"),
    ("sort=title,title", "sort"), ("sort=title,-title", "sort"), ("sort=--title", "sort"), ("sort=title,", "sort"),
    ("sort=title%20desc", "sort"), ("sort=c.title", "sort"), ("sort=1", "sort"), ("sort=Title", "sort"),
    ("sort=(select%201)", "sort"), ("sort=title;drop%20table%20app.courses", "sort"), ("sort=%2Btitle", "sort")])
def test_pages_that_cannot_be_made(teacher, query, pointer):
    problem = assert_problem(teacher.get(f"{COURSES}?{query}"), 422, "validation_failed")
    assert [e["field"] for e in problem["errors"]] == ["/query/" + pointer]


def test_links_lead_through_the_list(teacher, made):
    stem, courses = made
    answer, rows, _ = listed(teacher, COURSES, q=stem, limit=4, offset=4, sort="-title")
    found = links(answer)
    assert {"first", "prev", "next", "last"} == set(found)

    def follow(rel):
        return [c["id"] for c in teacher.get(found[rel]).json()["data"]]
    everything = ids(listed(teacher, COURSES, q=stem, limit=100, sort="-title")[1])
    assert everything[4:8] == ids(rows)
    assert follow("first") == everything[:4] and follow("prev") == everything[:4]
    assert follow("next") == everything[8:12]
    assert follow("last") == everything[12:]


def test_next_links_end(teacher, made):
    stem, courses = made
    answer, rows, _ = listed(teacher, COURSES, q=stem, limit=5)
    seen, turns = ids(rows), 0
    while "next" in links(answer):
        answer = teacher.get(links(answer)["next"])
        assert answer.status_code == 200
        seen += ids(answer.json()["data"])
        turns += 1
        assert turns < 10
    assert sorted(seen) == sorted(ids(courses)) and len(seen) == len(set(seen))


def test_links_repeat_no_header_syntax(teacher):
    answer = teacher.get(COURSES + "?q=%3E%3B%20rel%3D%22next%22%2C%20%3Chttps%3A%2F%2Fevil.example%2F%3E")
    assert answer.status_code == 200
    assert not any("evil.example" in urllib.parse.urlsplit(t).netloc for t in links(answer).values())
    assert all(urllib.parse.urlsplit(t).path == COURSES for t in links(answer).values())


# --- counts ------------------------------------------------------------------------------------

def test_unbounded_lists_are_counted_on_demand(teacher, board):
    answer, _, page = listed(teacher, board, limit=5)
    assert page["total"] is None and "x-total-count" not in answer.headers and "last" not in links(answer)
    answer, _, page = listed(teacher, board, limit=5, count="exact")
    assert page["total"] == 23 and answer.headers["x-total-count"] == "23" and "last" in links(answer)


def test_counts_follow_the_filters(teacher, board):
    for query, expected in (({"pinned": "true"}, 6), ({"pinned": "false"}, 17), ({"q": "notice 1"}, 11),
                            ({"publish_at[gte]": "2026-01-02T00:00:00Z"}, 15),
                            ({"publish_at[gte]": "2026-01-02T00:00:00Z", "publish_at[lte]": "2026-01-02T23:00:00Z"}, 8)):
        _, rows, page = listed(teacher, board, count="exact", limit=100, **query)
        assert page["total"] == len(rows) == expected, query


# --- cursors ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("sort", [None, "publish_at", "-publish_at", "created_at", "-created_at"])
@pytest.mark.parametrize("limit", [1, 4, 23])
def test_cursors_walk_everything_once(teacher, board, sort, limit):
    """Only three different publish_at among 23: the identifier decides between equal ones."""
    query = {"limit": limit, **({"sort": sort} if sort else {})}
    seen, cursor, turns = [], None, 0
    while True:
        answer, rows, page = listed(teacher, board, **query, **({"cursor": cursor} if cursor else {}))
        assert (page["offset"] is None) == (cursor is not None)
        seen += rows
        turns += 1
        assert turns <= 24
        cursor = page["next_cursor"]
        if cursor is None:
            assert "next" not in links(answer)
            break
        assert len(rows) == limit
    assert len(seen) == 23 and len(set(ids(seen))) == 23
    column = (sort or "-publish_at").lstrip("-")
    values = [row[column] for row in seen]
    assert values == sorted(values, reverse=not sort or sort.startswith("-"))
    assert ids(seen) == ids(listed(teacher, board, **{**query, "limit": 100})[1])


@pytest.mark.parametrize("sort", ["title", "-title", "updated_at", "-created_at"])
def test_cursors_over_text_and_times(teacher, made, sort):
    stem, courses = made
    seen, cursor = [], None
    while True:
        _, rows, page = listed(teacher, COURSES, q=stem, limit=3, sort=sort, **({"cursor": cursor} if cursor else {}))
        seen += ids(rows)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(ids(courses)) and len(seen) == len(courses)


def test_a_cursor_holds_while_rows_come_and_go(teacher):
    course = new_course(teacher)
    at = f"{COURSES}/{course['id']}/announcements"

    def notice(day):
        return teacher.post(at, json={"title": f"day {day}", "body": "x",
                                      "publish_at": f"2026-02-{day:02}T00:00:00Z"}).json()["data"]["id"]
    old = {day: notice(day) for day in range(1, 11)}
    _, rows, page = listed(teacher, at, limit=4)
    assert ids(rows) == [old[d] for d in (10, 9, 8, 7)]
    newer, gone = notice(20), old[7]
    teacher.delete(f"{V1}/announcements/{gone}")
    teacher.delete(f"{V1}/announcements/{old[5]}")
    _, rows, page = listed(teacher, at, limit=4, cursor=page["next_cursor"])
    assert ids(rows) == [old[d] for d in (6, 4, 3, 2)]
    _, rows, page = listed(teacher, at, limit=4, cursor=page["next_cursor"])
    assert ids(rows) == [old[1]] and page["next_cursor"] is None
    assert newer not in ids(rows)
    teacher.delete(f"{COURSES}/{course['id']}")


def cursor_of(client, path, **query):
    cursor = listed(client, path, limit=1, **query)[2]["next_cursor"]
    assert cursor
    return cursor


def test_changed_cursors_are_refused(teacher, board):
    good = cursor_of(teacher, board)
    assert teacher.get(board, params={"cursor": good}).status_code == 200
    raw = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
    flipped = [base64.urlsafe_b64encode(raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1:]).rstrip(b"=").decode()
               for i in range(len(raw))]
    for bad in flipped + [good[:-1], good + "A", good + "=", good[: len(good) // 2], "", "A", "!", good + "," + good,
                          "A" * 9000, good.swapcase(), "null", "0", good + " "]:
        problem = assert_problem(teacher.get(board, params={"cursor": bad}), 422, "validation_failed")
        assert [(e["field"], e["code"]) for e in problem["errors"]] == [("/query/cursor", "cursor")], bad


def test_a_cursor_belongs_to_its_list_and_order(teacher, board, made):
    stem, _ = made
    other = new_course(teacher)
    by = {name: cursor_of(teacher, path, **query) for name, path, query in (
        ("board", board, {}), ("board by created_at", board, {"sort": "created_at"}),
        ("board from old", board, {"sort": "publish_at"}), ("courses", COURSES, {}),
        ("courses by title", COURSES, {"sort": "title"}))}
    for path, cursor, query in (
            (COURSES, "board", {}), (board, "courses", {}), (board, "board by created_at", {}),
            (board, "board from old", {}), (board, "board", {"sort": "created_at"}), (board, "board", {"sort": "publish_at"}),
            (COURSES, "courses by title", {}), (COURSES, "courses", {"sort": "title"}),
            (f"{COURSES}/{other['id']}/announcements", "board", {}), (V1 + "/announcements", "board", {}),
            (V1 + "/enrollments", "courses", {}), (V1 + "/org/users", "courses by title", {})):
        answer = teacher.get(path, params={"cursor": by[cursor], **query})
        assert_problem(answer, 422, "validation_failed", [("/query/cursor", "cursor")])
    assert teacher.get(board, params={"cursor": by["board"], "sort": "-publish_at"}).status_code == 200
    teacher.delete(f"{COURSES}/{other['id']}")


def test_a_cursor_gives_no_rights(teacher, board, api):
    cursor = cursor_of(teacher, board)
    for client in (api("student"), api("teacher", "northside")):
        assert_problem(client.get(board, params={"cursor": cursor}), 404, "not_found")


def test_cursor_and_offset_exclude_each_other(teacher, board):
    cursor = cursor_of(teacher, board)
    for offset in (0, 1):
        problem = assert_problem(teacher.get(board, params={"cursor": cursor, "offset": offset}), 422, "validation_failed")
        assert [e["field"] for e in problem["errors"]] == ["/query/cursor"]


# --- orders and filters ------------------------------------------------------------------------------

def test_orders(teacher, made):
    stem, courses = made
    up = listed(teacher, COURSES, q=stem, sort="title", limit=100)[1]
    down = listed(teacher, COURSES, q=stem, sort="-title", limit=100)[1]
    assert [c["title"] for c in up] == [c["title"] for c in down][::-1]
    newest = listed(teacher, COURSES, q=stem, limit=100)[1]
    assert [c["created_at"] for c in newest] == sorted((c["created_at"] for c in courses), reverse=True)
    both = listed(teacher, COURSES, q=stem, sort="title,-created_at", limit=100)[1]
    twins = [c["created_at"] for c in both if c["title"] == f"{stem} b"]
    assert len(twins) == 4 and twins == sorted(twins, reverse=True)


def test_several_orders_go_by_offset(teacher, made):
    stem, courses = made
    _, rows, page = listed(teacher, COURSES, q=stem, sort="title,-created_at", limit=5)
    assert page["next_cursor"] is None
    answer = teacher.get(COURSES, params={"q": stem, "sort": "title,-created_at", "cursor": "x"})
    assert_problem(answer, 422, "validation_failed", [("/query/cursor", "exclusive")])
    everything = listed(teacher, COURSES, q=stem, sort="title,-created_at", limit=100)[1]
    second = listed(teacher, COURSES, q=stem, sort="title,-created_at", limit=5, offset=5)[1]
    assert ids(everything)[5:10] == ids(second)


def test_filters_by_status(teacher, made):
    stem, courses = made

    def found(**query):
        return set(ids(listed(teacher, COURSES, q=stem, limit=100, **query)[1]))
    everything, published = set(ids(courses)), {c["id"] for c in courses if c["status"] == "published"}
    assert len(published) == 3
    assert found(status="published") == published
    assert found(**{"status[ne]": "published"}) == everything - published
    assert found(**{"status[in]": "published"}) == published
    assert found(**{"status[in]": "draft,published"}) == everything
    assert found(**{"status[in]": "archived,published", "status[ne]": "published"}) == set()
    assert found(status="draft", visibility="private") == everything - published
    assert found(status="nonsense") == set()
    assert found(**{"status[in]": "published,published"}) == published


def test_filters_by_owner(teacher, made):
    stem, courses = made
    me = teacher.get(V1 + "/users/me").json()["data"]["id"]
    for query, expected in (({"owner_id": me}, len(courses)), ({"owner_id": str(uuid.uuid4())}, 0),
                            ({"owner_id[in]": f"{uuid.uuid4()},{me}"}, len(courses)), ({"owner_id": me.upper()}, len(courses))):
        assert listed(teacher, COURSES, q=stem, limit=100, **query)[2]["total"] == expected, query


def test_filters_by_time_are_inclusive(teacher, made):
    stem, courses = made
    times = sorted(c["created_at"] for c in courses)
    low, high = times[3], times[8]

    def total(**query):
        return listed(teacher, COURSES, q=stem, **query)[2]["total"]
    # Answers are rounded down to milliseconds, columns are not: a time that was read is a lower bound.
    assert total(**{"created_at[gte]": low}) == sum(t >= low for t in times)
    assert total(**{"created_at[gte]": low, "created_at[lte]": high[:-1] + "999Z"}) == sum(low <= t <= high for t in times)
    assert total(**{"created_at[lte]": "2000-01-01T00:00:00Z"}) == 0
    assert total(**{"created_at[gte]": "2999-01-01T00:00:00+14:00"}) == 0
    assert total(**{"updated_at[gte]": "2000-01-01T00:00:00Z"}) == len(courses)


@pytest.mark.parametrize("query, pointer", [
    ("owner_id=x", "owner_id"), ("owner_id=", "owner_id"), ("owner_id[in]=", "owner_id[in]"),
    ("owner_id[in]=a,b", "owner_id[in]"), ("status[in]=a,,b", "status[in]"), ("status[in]=,", "status[in]"),
    ("status=", "status"), ("created_at[gte]=yesterday", "created_at[gte]"), ("created_at[gte]=2026-01-01", "created_at[gte]"),
    ("created_at[lte]=infinity", "created_at[lte]"), ("created_at[lte]=1", "created_at[lte]"), ("q=", "q"),
    ("status[in]=" + ",".join(["x"] * 51), "status[in]")])
def test_values_that_no_filter_compares_with(teacher, query, pointer):
    problem = assert_problem(teacher.get(f"{COURSES}?{query}"), 422, "validation_failed")
    assert [e["field"] for e in problem["errors"]] == ["/query/" + pointer]


@pytest.mark.parametrize("name", ["status[gte]", "status[lte]", "created_at", "created_at[in]", "created_at[ne]", "title",
                                  "title[in]", "visibility[in]", "status[eq]", "status[]", "status[like]", "status[IN]",
                                  "status[in", "status]", "owner_id[ne]", "owner_id[]", "q[ne]", "id", "org_id", "limit[gte]",
                                  "status%20", "%20status", "c.status", "status[in][ne]", "sort[]"])
def test_filters_that_are_not_offered(teacher, name):
    problem = assert_problem(teacher.get(f"{COURSES}?{name}=draft"), 422, "validation_failed")
    assert [(e["field"], e["code"]) for e in problem["errors"]] == [("/query/" + urllib.parse.unquote(name), "unknown")]


# --- search ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("word, expected", [
    ("10%", ["10% off"]), ("1_0", ["1_0"]), ("back\\", ["back\\slash"]), ("\\", ["back\\slash"]), ("quote ' \"", ["quote ' \""]),
    ("É", ["é"]), ("100", ["100"]), ("c", ["C", "c"]), ("_", ["1_0"]), ("%", ["10% off"]), ("%%", []), ("\\%", []), ("1%0", [])])
def test_search_takes_signs_as_they_are(teacher, made, word, expected):
    stem, _ = made
    rows = listed(teacher, COURSES, q=f"{stem} {word}" if word[0] not in "_%\\" else word, limit=100)[1]
    found = sorted(r["title"][len(stem) + 1:] for r in rows if r["title"].startswith(stem))
    assert found == expected


INJECTIONS = ["'", "''", "\"", "' or '1'='1", "') or ('1'='1", "'; drop table app.courses; --", "' union select null --", "$1",
              "$$", "$tag$", "\\'", "%27", "1; select pg_sleep(5)", "' and pg_sleep(5) is null --", "{{7*7}}", "${7*7}", "|| 'x'",
              "E'\\x27'", "\u02bc or 1=1", "/**/", "--", "a' /*", ":scope", "@course", "{filter}", "{order}", "?::text", "%s%n%p"]


@pytest.mark.parametrize("value", INJECTIONS)
def test_values_are_never_syntax(teacher, made, value):
    stem, courses = made
    for name in ("q", "status", "status[ne]", "status[in]", "visibility"):
        answer = teacher.get(COURSES, params={name: stem + value if name == "q" else value, "limit": 1})
        assert answer.status_code == 200, f"{name}: {answer.text}"
        assert answer.elapsed.total_seconds() < 3
        if name in ("q", "status", "visibility"):
            assert answer.json()["page"]["total"] == 0
    for name in ("owner_id", "created_at[gte]", "limit", "offset", "sort", "cursor", "count", "scope"):
        assert_problem(teacher.get(COURSES, params={name: value}), 422, "validation_failed")
    assert teacher.get(COURSES, params={value: "x"}).status_code == 422
    assert listed(teacher, COURSES, q=stem)[2]["total"] == len(courses)


def test_a_page_shows_only_ones_own_organisation(api, made):
    stem, _ = made
    for client in (api("admin", "northside"), api("teacher", "northside")):
        assert listed(client, COURSES, q=stem)[2]["total"] == 0
        assert listed(client, COURSES, **{"status[ne]": stem, "limit": 100})[2]["total"] == \
            listed(client, COURSES)[2]["total"]


@pytest.mark.parametrize("path, role", [
    ("/courses", "teacher"), ("/enrollments", "teacher"), ("/announcements", "student"), ("/org/users", "admin"),
    ("/admin/audit-logs", "admin")])
def test_every_list_pages_the_same_way(api, path, role):
    client = api(role)
    answer, rows, page = listed(client, V1 + path, limit=1)
    assert page["limit"] == 1 and page["offset"] == 0 and len(rows) <= 1
    counted = listed(client, V1 + path, limit=1, count="exact")
    assert counted[0].headers["x-total-count"] == str(counted[2]["total"])
    assert_problem(client.get(V1 + path + "?limit=101&nope=1&sort=nope&cursor=nope"), 422, "validation_failed", [
        ("/query/limit", "range"), ("/query/nope", "unknown"), ("/query/sort", "choice"), ("/query/cursor", "cursor")])
