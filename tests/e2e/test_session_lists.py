"""Lists of sessions, ending them, and when they end by themselves."""
import concurrent.futures
import contextlib
import os
import select
import signal
import socket
import threading
import time
import urllib.parse

import pytest

from lib_domain import ME, PASSWORD, data, done, ids, refused, unique
from lib_pool import pools, settings_of
from lib_rows import random_id

MINE = "/api/v1/users/me/sessions"
LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
LOGS = "/api/v1/admin/audit-logs"


def of_user(user):
    return f"/api/v1/org/users/{user.id}/sessions"


def current(client):
    (session,) = [s for s in data(client.get(MINE)) if s["current"]]
    return session


def refreshed(client):
    return client.post(REFRESH, json={"refresh_token": client.refresh_token})


# --- one's own -------------------------------------------------------------------------------------

def test_everyone_sees_where_they_are_signed_in(people, person):
    other = people.new_client("other")
    tokens = data(other.post(LOGIN, json={"email": person.email, "password": PASSWORD},
                             headers={"user-agent": "Other/1.0 (ünïcode)".encode()}))
    newest, first = data(person.get(MINE))
    assert set(newest) == {"id", "address", "user_agent", "created_at", "last_used_at", "expires_at", "current"}
    assert (newest["user_agent"], newest["current"]) == ("Other/1.0 (ünïcode)", False)
    assert first["current"] and first["user_agent"].startswith("python-requests/")
    assert newest["address"] == first["address"] == "127.0.0.1"
    assert newest["created_at"] == newest["last_used_at"] > first["created_at"]
    # The same seen from the other: the mark moves.
    seen = data(people.new_client("again").get(MINE, headers={
        "authorization": "Bearer " + tokens["access_token"]}))
    assert [s["current"] for s in seen] == [True, False] and ids(seen) == ids([newest, first])


def test_the_list_has_pages_and_an_order(people, person):
    for _ in range(3):
        people.enter(person.email)
    whole = person.get(MINE)
    assert whole.headers["x-total-count"] == "4"
    assert ids(data(person.get(MINE, params={"sort": "last_used_at"}))) == ids(data(whole))[::-1]
    page = person.get(MINE, params={"limit": 3}).json()
    rest = data(person.get(MINE, params={"limit": 3, "cursor": page["page"]["next_cursor"]}))
    assert ids(page["data"]) + ids(rest) == ids(data(whole))


def test_a_request_does_not_count_as_use_but_a_refresh_does(person, root):
    before = current(person)
    root.execute("select xmin::text from app.sessions where id = %s", (before["id"],))
    version = root.fetchone()
    for _ in range(5):
        data(person.get(ME))
        data(person.patch(ME, json={"name": unique()}))
    assert current(person) == before
    root.execute("select xmin::text from app.sessions where id = %s", (before["id"],))
    assert root.fetchone() == version, "a request has written its session"
    data(refreshed(person))
    after = current(person)
    assert after["last_used_at"] > before["last_used_at"] and after["expires_at"] > before["expires_at"]
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])


def test_what_has_ended_is_not_listed(people, person, root):
    logged_out, expired = people.enter(person.email), people.enter(person.email)
    late = current(expired)["id"]
    done(logged_out.post("/api/v1/auth/logout"))
    root.execute("update app.sessions set created_at = now() - interval '2 days',"
                 " expires_at = now() - interval '1 second' where id = %s", (late,))
    assert ids(data(person.get(MINE))) == [current(person)["id"]]
    refused(person.delete(f"{MINE}/{late}"), 404, "not_found")


def test_a_session_is_ended_once(people, person):
    left = people.enter(person.email)
    session = current(left)["id"]
    done(person.delete(f"{MINE}/{session}"))
    refused(left.get(ME), 401, "session_ended")
    refused(refreshed(left), 401, "refresh_token_invalid")
    refused(person.delete(f"{MINE}/{session}"), 404, "not_found")
    assert len(data(person.get(MINE))) == 1


def test_one_may_end_the_session_at_hand(person):
    done(person.delete(f"{MINE}/{current(person)['id']}"))
    refused(person.get(ME), 401, "session_ended")


def test_nobody_ends_anothers_as_ones_own(api, people, person):
    victim = people.make()
    session = current(victim)["id"]
    for client in (person, api("admin"), api("operator"), api("admin", "northside")):
        refused(client.delete(f"{MINE}/{session}"), 404, "not_found")
    assert victim.get(ME).status_code == 200


# --- another's -------------------------------------------------------------------------------------

def test_an_admin_sees_and_ends_a_persons_sessions(api, people, person):
    second = people.enter(person.email)
    seen = data(api("admin").get(of_user(person)))
    assert ids(seen) == ids(data(person.get(MINE))) and not any(s["current"] for s in seen)
    done(api("admin").delete(f"{of_user(person)}/{seen[0]['id']}"))
    refused(second.get(ME), 401, "session_ended")
    assert person.get(ME).status_code == 200
    refused(api("admin").delete(f"{of_user(person)}/{seen[0]['id']}"), 404, "not_found")
    assert ids(data(api("admin").get(of_user(person)))) == [seen[1]["id"]]


def test_an_admin_ends_all_sessions_of_a_person(api, people, person):
    others = [people.enter(person.email) for _ in range(3)]
    done(api("admin").delete(of_user(person)))
    for client in (person, *others):
        refused(client.get(ME), 401, "session_ended")
        refused(refreshed(client), 401, "refresh_token_invalid")
    assert data(api("admin").get(of_user(person))) == []
    assert people.enter(person.email).get(ME).status_code == 200


def test_a_session_is_ended_only_with_whose_it_is(api, people, person):
    session = current(person)["id"]
    refused(api("admin").delete(f"{of_user(people.make())}/{session}"), 404, "not_found")
    assert person.get(ME).status_code == 200


def test_an_admin_of_another_organisation_finds_nobody(api, person):
    session, far = current(person)["id"], api("admin", "northside")
    refused(far.get(of_user(person)), 404, "not_found")
    refused(far.delete(of_user(person)), 404, "not_found")
    refused(far.delete(f"{of_user(person)}/{session}"), 404, "not_found")
    refused(api("admin").get(f"/api/v1/org/users/{random_id()}/sessions"), 404, "not_found")
    assert person.get(ME).status_code == 200


def test_an_operators_sessions_are_above_an_admin(api, people):
    operator = people.make("student")
    done(api("operator").put(f"/api/v1/org/users/{operator.id}/role", json={"role": "operator"}), 200)
    operator = people.enter(operator.email)
    session, admin = current(operator)["id"], api("admin")
    refused(admin.get(of_user(operator)), 403, "role_too_high")
    refused(admin.delete(of_user(operator)), 403, "role_too_high")
    refused(admin.delete(f"{of_user(operator)}/{session}"), 403, "role_too_high")
    assert operator.get(ME).status_code == 200
    # For an operator they are not; and as they were made one for this test, they are one no more.
    assert ids(data(api("operator").get(of_user(operator)))) == [session]
    done(api("operator").delete(f"{of_user(operator)}/{session}"))
    refused(operator.get(ME), 401, "session_ended")
    done(api("operator").put(f"/api/v1/org/users/{operator.id}/role", json={"role": "student"}), 200)


# --- the audit trail -------------------------------------------------------------------------------

def test_coming_going_and_ending_are_audited(api, rows, people, person):
    admin = api("admin")

    def audited(answer, action, target, actor, kind="session"):
        (row,) = rows.audits(answer)
        assert (row["action"], row["target_type"], row["target_id"], row["actor_id"]) == (action, kind, target, actor)
        text = repr(row)
        assert person.email not in text and "digest" not in text and person.refresh_token not in text
        return row

    client = people.new_client("audited")
    answer = client.post(LOGIN, json={"email": person.email, "password": PASSWORD})
    client.headers["authorization"] = "Bearer " + data(answer)["access_token"]
    session = current(client)["id"]
    row = audited(answer, "session.start", session, person.id)
    assert row["before"] is None and row["after"] is None
    row = audited(client.post("/api/v1/auth/logout"), "session.end", session, person.id)
    assert row["after"]["revoked_reason"] == "logout"
    session = current(people.enter(person.email))["id"]
    row = audited(person.delete(f"{MINE}/{session}"), "session.revoke", session, person.id)
    assert row["before"]["revoked_at"] is None and row["after"]["revoked_reason"] == "revoked"
    session = current(people.enter(person.email))["id"]
    row = audited(admin.delete(f"{of_user(person)}/{session}"), "session.revoke", session, rows.admin)
    assert row["after"]["revoked_reason"] == "revoked_by_admin"
    assert rows.audits(admin.delete(f"{of_user(person)}/{session}")) == []
    reused = people.enter(person.email)
    session = current(reused)["id"]
    done(refreshed(reused), 200)
    audited(refreshed(reused), "session.token_reuse", session, None)
    audited(admin.delete(of_user(person)), "session.revoke_all", person.id, rows.admin, "user")
    assert rows.audits(done(admin.delete(of_user(person)))) == []


# --- every worker ----------------------------------------------------------------------------------

class Alone:
    """While inside, one worker of a pool answers everything: the others stand still"""

    def __init__(self, pool, worker):
        self.others = [pid for pid in pool.worker_pids() if pid != worker]

    def __enter__(self):
        for pid in self.others:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *_):
        for pid in self.others:
            os.kill(pid, signal.SIGCONT)


def each_worker(pool, token):
    """What every worker of the pool answers, one after the other"""
    found = []
    for worker in sorted(pool.worker_pids()):
        with Alone(pool, worker):
            found.append(pool.ask("GET", ME, {"authorization": "Bearer " + token}).status_code)
    return found


@pytest.fixture(scope="module")
def hosts(instance):
    """Two pools of one host and one of another; a session is believed in for two seconds"""
    with pools(instance) as make:
        yield [make(name=name, workers=3, shared=shared, SESSION_VALIDATION_CACHE_TTL_MS="2000")
               for name, shared in (("api", "one"), ("auth", "one"), ("api", "two"))]


def entered(pool, person):
    answer = pool.ask("POST", LOGIN, body={"email": person.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["access_token"]


def test_an_ended_session_ends_on_every_worker_and_pool(hosts, person):
    here, beside, far = hosts
    token = entered(here, person)
    for pool in hosts:
        assert each_worker(pool, token) == [200] * 3
    (session,) = [s for s in data(person.get(MINE)) if not s["current"]]
    own = {"authorization": "Bearer " + entered(here, person)}
    begun = time.monotonic()
    assert here.ask("DELETE", f"{MINE}/{session['id']}", own).status_code == 204
    # At once on the host where it was ended, within the time of the cache on another.
    assert each_worker(here, token) + each_worker(beside, token) == [401] * 6
    assert time.monotonic() - begun < 2, "too slow to tell the one from the other"
    time.sleep(max(0, begun + 2.1 - time.monotonic()))
    assert each_worker(far, token) == [401] * 3


def test_another_role_ends_the_old_ones_sessions_on_every_worker(hosts, api, person):
    token = entered(hosts[0], person)
    for pool in hosts:
        assert each_worker(pool, token) == [200] * 3
    admin = {"authorization": api("admin").headers["authorization"]}
    answer = hosts[0].ask("PUT", f"/api/v1/org/users/{person.id}/role", admin, {"role": "teacher"})
    assert answer.status_code == 200, answer.text
    time.sleep(2.1)
    for pool in hosts:
        assert each_worker(pool, token) == [401] * 3


# --- how many, how long ----------------------------------------------------------------------------

def test_a_session_that_has_to_go_is_in_the_trail(people, rows, person):
    for _ in range(9):
        people.enter(person.email)
    answer = people.new_client("audited").post(LOGIN, json={"email": person.email, "password": PASSWORD})
    done(answer, 200)
    (row,) = rows.audits(answer)
    assert row["action"] == "session.start" and row["before"]["revoked_at"] is None
    assert row["after"]["revoked_reason"] == "evicted"


def test_sign_ins_at_once_do_not_pass_the_ceiling(people, person):
    with concurrent.futures.ThreadPoolExecutor(8) as at_once:
        entered_ = list(at_once.map(lambda _: people.enter(person.email), range(24)))
    alive = [client for client in entered_ if client.get(ME).status_code == 200]
    assert len(alive) == 10
    assert len(data(alive[0].get(MINE))) == 10
    assert sum(refreshed(client).status_code == 200 for client in entered_) == 10
    refused(person.get(ME), 401, "session_ended")


def test_a_session_that_nobody_uses_ends(people, person, root, instance):
    unused = people.enter(person.email)
    session = current(unused)

    def idle(minutes):
        root.execute("update app.sessions set last_used_at = now() - make_interval(mins => %s) where id = %s",
                     (minutes, session["id"]))

    def life(since):
        root.execute(f"select extract(epoch from expires_at - {since})::int from app.sessions where id = %s",
                     (session["id"],))
        return root.fetchone()[0]

    assert life("created_at") == 14 * 86400, "sooner than the 30 days of a refresh token"
    with pools(instance) as make:
        brief = make(workers=1, shared="idle", SESSION_IDLE_MINUTES="60")
        ever = make(workers=1, shared="ever", SESSION_IDLE_MINUTES="0")
        idle(61)
        body = {"refresh_token": unused.refresh_token}
        answer = brief.ask("POST", REFRESH, body=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_token_invalid")
        idle(59)
        answer = brief.ask("POST", REFRESH, body=body)
        assert answer.status_code == 200, answer.text
        idle(100000)
        body = {"refresh_token": answer.json()["data"]["refresh_token"]}
        answer = ever.ask("POST", REFRESH, body=body)
        assert answer.status_code == 200, answer.text
        assert life("last_used_at") == 30 * 86400


# --- what a refresh costs ----------------------------------------------------------------------------

class Relay:
    """Stands before PostgreSQL's socket and counts how often a client waited for an answer"""

    def __init__(self, directory, server, port):
        self.server, self.trips = f"{server}/.s.PGSQL.{port}", 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{directory}/.s.PGSQL.{port}")
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        server, asking = socket.socket(socket.AF_UNIX), False
        server.connect(self.server)
        with contextlib.suppress(OSError):
            while True:
                for source in select.select([client, server], [], [])[0]:
                    piece = source.recv(65536)
                    if not piece:
                        client.close()
                        server.close()
                        return
                    if source is client and not asking:
                        self.trips += 1
                    asking = source is client
                    (server if source is client else client).sendall(piece)

    def close(self):
        self.listener.close()


def test_a_refresh_takes_two_round_trips_to_the_database(instance, person, tmp_path):
    url = urllib.parse.urlsplit(settings_of(instance)["DATABASE_URL"])
    query = dict(urllib.parse.parse_qsl(url.query))
    relay = Relay(tmp_path, query["host"], query["port"])
    through = url._replace(query=urllib.parse.urlencode({**query, "host": str(tmp_path)})).geturl()
    with contextlib.closing(relay), pools(instance) as make:
        pool = make(workers=1, DATABASE_URL=through)
        token, counts = person.refresh_token, []
        for _ in range(4):
            before = relay.trips
            answer = pool.ask("POST", REFRESH, body={"refresh_token": token})
            assert answer.status_code == 200, answer.text
            token = answer.json()["data"]["refresh_token"]
            counts.append(relay.trips - before)
        before = relay.trips
        headers = {"authorization": "Bearer " + answer.json()["data"]["access_token"]}
        assert pool.ask("GET", ME, headers).status_code == 200
        assert relay.trips - before == 1, "the relay counts a read as one"
    assert max(counts[1:]) <= 2 <= counts[0], counts
