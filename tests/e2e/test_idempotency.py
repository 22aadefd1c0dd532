"""Idempotency-Key: the effect happens once, and a repetition gets the first answer."""
import concurrent.futures
import contextlib
import os
import random
import signal
import threading
import time

import psycopg2
import pytest

from lib_gates import (V1, assert_problem, count_of, courses_titled, held, new_course, raw_request,
                       registered, unique)
from lib_pool import pools, wait_until

COURSES = V1 + "/courses"
MOVING = {"date", "x-request-id", "x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit", "idempotency-replayed"}


@pytest.fixture
def teacher(api):
    return api("teacher")


@pytest.fixture
def title():
    return unique("once")


@pytest.fixture(scope="module")
def small_pool(instance):
    with pools(instance) as make:
        yield make(workers=3)


def key():
    return {"idempotency-key": unique("key")}


def steady(answer):
    return {n.lower(): v for n, v in answer.headers.items() if n.lower() not in MOVING}


def keys_kept(instance, client, value):
    return count_of(instance, client, "select count(*) from app.idempotency_keys where key = %s", value)


# --- a repetition ------------------------------------------------------------------------------

def test_a_repetition_gets_the_first_answer(instance, teacher, admin, title):
    headers, body = key(), {"title": title, "description": "x" * 1500}
    first = teacher.post(COURSES, json=body, headers=headers)
    assert first.status_code == 201
    assert first.headers["idempotency-key"] == headers["idempotency-key"]
    assert "idempotency-replayed" not in first.headers
    for _ in range(3):
        again = teacher.post(COURSES, json=body, headers=headers)
        assert again.status_code == 201 and again.content == first.content
        assert again.headers["idempotency-replayed"] == "1"
        assert steady(again) == steady(first)
        assert {"location", "etag", "last-modified", "idempotency-key"} <= set(steady(again))
    assert courses_titled(instance, admin, title) == 1


def test_the_first_answer_stays_when_the_thing_changes(teacher, title):
    headers = key()
    first = teacher.post(COURSES, json={"title": title}, headers=headers)
    at = first.headers["location"]
    teacher.patch(at, json={"title": "Changed since"})
    assert teacher.post(COURSES, json={"title": title}, headers=headers).content == first.content
    assert teacher.delete(at).status_code == 204
    again = teacher.post(COURSES, json={"title": title}, headers=headers)
    assert again.content == first.content and teacher.get(at).status_code == 404


def test_an_answer_without_a_body_is_repeated_too(teacher, api):
    course = new_course(teacher)
    made = teacher.post(f"{COURSES}/{course['id']}/announcements", json={"title": "x", "body": "y"}).json()["data"]
    headers = key()
    answers = [teacher.post(f"{V1}/announcements/{made['id']}/read", headers=headers) for _ in range(2)]
    assert [a.status_code for a in answers] == [204, 204] and all(a.content == b"" for a in answers)
    assert answers[1].headers["idempotency-replayed"] == "1"
    assert steady(answers[0]) == steady(answers[1])


def test_events_and_audit_happen_once(instance, teacher, admin, title):
    course = new_course(teacher)
    owner = next(u["id"] for u in admin.get(V1 + "/org/users?role=teacher&limit=100").json()["data"]
                 if u["id"] != course["owner_id"] and u["email"].endswith("@demo.lectern.example"))
    headers = key()
    at = f"{COURSES}/{course['id']}/transfer-owner"
    answers = [admin.post(at, json={"owner_id": owner}, headers=headers) for _ in range(3)]
    assert [a.status_code for a in answers] == [200] * 3
    assert count_of(instance, admin, "select count(*) from app.audit_logs where target_id = %s", course["id"]) == 1
    assert count_of(instance, admin, "select count(*) from app.events where subject_id = %s and kind = %s",
                    course["id"], "course.owner_transferred") == 1
    assert admin.delete(f"{COURSES}/{course['id']}").status_code == 204


# --- the same key for something else -------------------------------------------------------------------

def test_another_request_under_the_key(instance, teacher, admin, title):
    headers = key()
    first = teacher.post(COURSES, json={"title": title}, headers=headers)
    course = first.json()["data"]["id"]
    other = new_course(teacher)
    at = f"{COURSES}/{other['id']}"
    for path, body in ((COURSES, {"title": title + " "}), (COURSES, {"title": title, "seats": 1}),
                       (f"{at}/announcements", {"title": "x", "body": "y"}), (f"{at}/publish", None),
                       (f"{COURSES}/{course}/announcements", {"title": "x", "body": "y"})):
        assert_problem(teacher.post(path, json=body, headers=headers), 422, "idempotency_key_reused")
    assert courses_titled(instance, admin, title) == 1
    assert teacher.get(at).json()["data"]["status"] == "draft"
    assert teacher.get(f"{at}/announcements").json()["data"] == []
    assert teacher.post(COURSES, json={"title": title}, headers=headers).content == first.content


def test_the_same_route_on_another_resource(teacher):
    headers = key()
    one, two = new_course(teacher), new_course(teacher)
    assert teacher.post(f"{COURSES}/{one['id']}/publish", headers=headers).status_code == 200
    assert_problem(teacher.post(f"{COURSES}/{two['id']}/publish", headers=headers), 422, "idempotency_key_reused")
    assert teacher.get(f"{COURSES}/{two['id']}").json()["data"]["status"] == "draft"


def test_the_body_is_compared_byte_by_byte(teacher, title):
    headers = {**key(), "content-type": "application/json"}
    first = teacher.post(COURSES, data=b'{"title":"%s","seats":5}' % title.encode(), headers=headers)
    assert first.status_code == 201
    again = teacher.post(COURSES, data=b'{"seats":5,"title":"%s"}' % title.encode(), headers=headers)
    assert_problem(again, 422, "idempotency_key_reused")


def test_keys_of_other_callers_are_other_keys(instance, api, title):
    headers = key()
    answers = [client.post(COURSES, json={"title": title}, headers=headers) for client in (
        api("teacher"), api("admin"), api("teacher", index=1), api("teacher", "northside"))]
    assert [a.status_code for a in answers] == [201] * 4
    assert len({a.json()["data"]["id"] for a in answers}) == 4
    assert not any("idempotency-replayed" in a.headers for a in answers)
    assert courses_titled(instance, api("admin"), title) == 3


def test_a_replay_needs_the_caller_still(anon, teacher, title):
    headers = key()
    teacher.post(COURSES, json={"title": title}, headers=headers)
    assert_problem(anon.post(COURSES, json={"title": title}, headers=headers), 401, "unauthenticated")


# --- what is not kept --------------------------------------------------------------------------------

def test_a_failed_request_is_not_kept(instance, teacher, admin, title):
    headers = key()
    for body, status in (({"title": ""}, 422), ({"title": title, "enrollment": "code"}, 422)):
        for _ in range(2):
            answer = teacher.post(COURSES, json=body, headers=headers)
            assert answer.status_code == status and "idempotency-replayed" not in answer.headers
    assert keys_kept(instance, teacher, headers["idempotency-key"]) == 0
    assert courses_titled(instance, admin, title) == 0
    answer = teacher.post(COURSES, json={"title": title}, headers=headers)
    assert answer.status_code == 201 and "idempotency-replayed" not in answer.headers


def test_a_conflict_is_not_kept(teacher):
    code = unique("code")
    holder = new_course(teacher, enrollment="code", join_code=code)
    headers, body = key(), {"title": "second", "enrollment": "code", "join_code": code}
    assert_problem(teacher.post(COURSES, json=body, headers=headers), 409, "join_code_taken")
    assert teacher.delete(f"{COURSES}/{holder['id']}").status_code == 204
    answer = teacher.post(COURSES, json=body, headers=headers)
    assert answer.status_code == 201 and "idempotency-replayed" not in answer.headers
    teacher.delete(f"{COURSES}/{answer.json()['data']['id']}")


def test_refusals_before_the_work_keep_nothing(instance, api, title):
    student, headers = api("student"), key()
    assert_problem(student.post(COURSES, json={"title": title}, headers=headers), 403, "forbidden")
    assert keys_kept(instance, student, headers["idempotency-key"]) == 0


def test_other_methods_do_not_look_at_it(teacher):
    course, headers = new_course(teacher), key()
    for n in (2, 3):
        answer = teacher.patch(f"{COURSES}/{course['id']}", json={"description": f"change {n}"}, headers=headers)
        assert answer.status_code == 200 and answer.json()["data"]["version"] == n
        assert "idempotency-replayed" not in answer.headers


def test_answers_with_secrets_are_not_kept(anon):
    account, headers = registered(anon), key()
    tokens = {anon.post(V1 + "/auth/login", json=account, headers=headers).json()["data"]["refresh_token"]
              for _ in range(2)}
    assert len(tokens) == 2


# --- the key -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("good", ["x", "~" * 255, "a b", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "0"])
def test_keys_that_are_taken(teacher, title, good):
    headers = {"idempotency-key": good}
    first = teacher.post(COURSES, json={"title": title}, headers=headers)
    if first.status_code == 422:  # of an earlier run on this instance
        assert_problem(first, 422, "idempotency_key_reused")
        return
    assert first.status_code == 201 and first.headers["idempotency-key"] == good
    assert teacher.post(COURSES, json={"title": title}, headers=headers).headers["idempotency-replayed"] == "1"


@pytest.mark.parametrize("bad", [b"", b"x" * 256, "é".encode(), b"a\xffb", "\u2028".encode()], ids=ascii)
def test_keys_that_are_refused(instance, teacher, admin, title, bad):
    answer = raw_request(instance, "POST", COURSES, [
        ("Authorization", teacher.headers["authorization"]), ("Content-Type", "application/json"),
        ("Idempotency-Key", bad)], b'{"title":"%s"}' % title.encode())
    assert_problem(answer, 400, "idempotency_key_invalid")
    assert courses_titled(instance, admin, title) == 0


# --- at the same time -------------------------------------------------------------------------------------

def test_many_at_once_have_one_effect(instance, teacher, admin, title, new_client):
    headers, bearer = key(), {"authorization": teacher.headers["authorization"]}

    def send(_):
        for _ in range(40):
            answer = new_client().post(COURSES, json={"title": title}, headers={**headers, **bearer})
            if answer.status_code != 409:
                return answer
            assert_problem(answer, 409, "idempotency_in_progress")
            assert int(answer.headers["retry-after"]) >= 1
            time.sleep(0.02)
        return answer
    with concurrent.futures.ThreadPoolExecutor(12) as crowd:
        answers = list(crowd.map(send, range(12)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in answers) == 1
    assert courses_titled(instance, admin, title) == 1


def waits(instance):
    """Is a statement of a worker waiting for a lock?"""
    with contextlib.closing(psycopg2.connect(instance["database_url"])) as connection:
        cursor = connection.cursor()
        cursor.execute("select count(*) from pg_stat_activity where usename = current_user and wait_event_type = 'Lock'")
        return cursor.fetchone()[0]


def test_a_request_under_way_is_not_done_again(instance, teacher, title):
    course, headers, answers = new_course(teacher), key(), []
    at, body = f"{COURSES}/{course['id']}/announcements", {"title": title, "body": "x"}
    first = threading.Thread(target=lambda: answers.append(teacher.post(at, json=body, headers=headers)))
    with held(instance, teacher, course["id"]):
        first.start()
        wait_until(lambda: waits(instance), 10)
        began = time.monotonic()
        meanwhile = teacher.post(at, json=body, headers=headers)
        assert time.monotonic() - began < 2, "it waited instead of answering"
        assert_problem(meanwhile, 409, "idempotency_in_progress")
        assert int(meanwhile.headers["retry-after"]) >= 1
    first.join()
    assert answers[0].status_code == 201
    again = teacher.post(at, json=body, headers=headers)
    assert again.content == answers[0].content and again.headers["idempotency-replayed"] == "1"
    assert len(teacher.get(at).json()["data"]) == 1


# --- crashes --------------------------------------------------------------------------------------------------

def test_the_answer_is_lost(small_pool, instance, teacher, admin, title):
    """The effect is committed, and nobody takes the answer: a repetition brings it."""
    headers = {**key(), "authorization": teacher.headers["authorization"]}
    small_pool.ask("POST", COURSES, headers, {"title": title}, listen=False)
    wait_until(lambda: courses_titled(instance, admin, title) == 1, 5)
    again = small_pool.ask("POST", COURSES, headers, {"title": title})
    assert again.status_code == 201 and again.headers["idempotency-replayed"] == "1"
    assert again.json()["data"]["title"] == title
    assert courses_titled(instance, admin, title) == 1


def test_a_worker_is_killed_before_the_effect(small_pool, instance, teacher, title):
    """Nothing of it stays, neither effect nor key: a repetition does the work."""
    course = new_course(teacher)
    headers = {**key(), "authorization": teacher.headers["authorization"]}
    at, body = f"{COURSES}/{course['id']}/announcements", {"title": title, "body": "x"}
    outcome = []

    def send():
        try:
            outcome.append(small_pool.ask("POST", at, headers, body).status_code)
        except (OSError, AssertionError):
            outcome.append("gone")
    first = threading.Thread(target=send)
    with held(instance, teacher, course["id"]):
        first.start()
        wait_until(lambda: waits(instance), 2)
        for pid in small_pool.worker_pids():
            os.kill(pid, signal.SIGKILL)
        first.join()
        assert outcome == ["gone"]
    again = wait_until(lambda: try_again(small_pool, at, headers, body))
    assert again.status_code == 201
    assert len(teacher.get(at).json()["data"]) == 1


def try_again(pool, at, headers, body):
    """An answer that is final, or None while the worker is away or the first try under way."""
    try:
        answer = pool.ask("POST", at, headers, body)
    except (OSError, AssertionError):
        return None
    return answer if answer.status_code not in (409, 503) else None


def test_workers_are_killed_at_any_moment(small_pool, instance, teacher, admin, title):
    """Each request is repeated under its key until it is answered; each has one effect."""
    bearer, killed, chance = teacher.headers["authorization"], [], random.Random(7)
    until = time.monotonic() + 20

    def kill():
        while len(killed) < 8 and time.monotonic() < until:
            time.sleep(chance.uniform(0.002, 0.03))
            pids = small_pool.worker_pids()
            if len(pids) > 1:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(pids), signal.SIGKILL)
                    killed.append(pids)

    def send(_):
        answers = []
        while killer.is_alive() or not answers:
            value = unique("key")
            headers, body = {"idempotency-key": value, "authorization": bearer}, {"title": title, "description": value}
            answers.append(wait_until(lambda: try_again(small_pool, COURSES, headers, body), 30, 0.01))
        return answers
    killer = threading.Thread(target=kill)
    killer.start()
    with concurrent.futures.ThreadPoolExecutor(6) as crowd:
        answers = [a for some in crowd.map(send, range(6)) for a in some]
    killer.join()
    assert len(killed) == 8
    assert {a.status_code for a in answers} == {201}
    assert courses_titled(instance, admin, title) == len(answers)
    assert len({a.json()["data"]["id"] for a in answers}) == len(answers)
