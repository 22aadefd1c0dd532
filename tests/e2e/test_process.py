"""Processes: how they get their listener, end, are replaced and renewed; logs and metrics of them."""
import collections
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid

import psycopg2
import pytest

from lib_gates import ME, V1, assert_problem, bearer, held, new_course, person, registered, unique
from lib_pool import Pool, alive, binary, children, home, master_of, pools, settings_of, wait_until

LIVE = V1 + "/health/live"
READY = V1 + "/health/ready"
GENEROUS = {"DEFAULT_READ_LIMIT": "1000000", "GLOBAL_RATE_LIMIT": "1000000", "DEFAULT_MUTATION_LIMIT": "1000000",
            "GLOBAL_MUTATION_RATE_LIMIT": "1000000", "AUTH_RATE_LIMIT": "1000000"}


@pytest.fixture
def make(instance):
    with pools(instance) as made:
        yield lambda **settings: made(uuid.uuid4().hex, **{**GENEROUS, **settings})


class Load:
    """Requests without pause from several threads; what came back, and what did not come."""

    def __init__(self, ask, threads=4):
        self.seen, self.answers, self.stopped = collections.Counter(), [], threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(ask,)) for _ in range(threads)]

    def _run(self, ask):
        while not self.stopped.is_set():
            try:
                answer = ask()
                self.seen[answer.status_code] += 1
                if answer.status_code != 200:
                    self.answers.append(answer)
            except Exception as e:  # whatever it is, the client has no answer
                self.seen[type(e).__name__] += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: sum(self.seen.values()) >= 10)
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def after(self, count):
        """Wait for so many more answers."""
        target = sum(self.seen.values()) + count
        wait_until(lambda: sum(self.seen.values()) >= target)


def through_nginx(new_client, client, path=ME):
    """Each thread with a connection of its own."""
    own = threading.local()

    def ask():
        if not hasattr(own, "client"):
            own.client = new_client("load")
        return own.client.get(path, headers=bearer(client))
    return ask


# --- the listener ---------------------------------------------------------------------------------

@pytest.mark.parametrize("start, tool", [("itself", "true"), ("spawn-fcgi", "spawn-fcgi"),
                                         ("systemd", "systemd-socket-activate")])
def test_ways_to_get_the_listener(make, api, start, tool):
    assert shutil.which(tool), f"{tool} is not installed"
    pool = make(start=start, workers=3)
    wait_until(lambda: len(pool.worker_pids()) == 3)
    assert pool.ask("GET", ME, bearer(api("teacher"))).status_code == 200
    assert (pool.socket.stat().st_mode & 0o007) == 0 or start == "systemd"
    assert pool.stop() == 0
    assert not children(pool.pid)


def test_the_socket_is_for_the_group_of_nginx_alone(make):
    assert make().socket.stat().st_mode & 0o777 == 0o660


def test_the_socket_goes_with_its_process(make):
    pool = make()
    assert pool.stop() == 0
    assert not pool.socket.exists()


def test_a_second_one_takes_the_socket_over(make, instance):
    """A restart without a gap: the new process is there before the old one is told to leave."""
    old = make(workers=1)
    inode = old.socket.stat().st_ino
    new = Pool(instance, old.dir, workers=1, **GENEROUS)
    try:
        wait_until(lambda: old.socket.stat().st_ino != inode)
        assert old.stop() == 0
        assert new.ask("GET", LIVE).status_code == 200, "the old one has removed what is not its own"
    finally:
        new.stop()


def test_tcp_is_refused(instance, make):
    config = make().config
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(["spawn-fcgi", "-n", "-a", "127.0.0.1", "-p", str(port), "--", binary(instance), "--config",
                           str(config)], capture_output=True, text=True, timeout=20, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 78 and "TCP" in done.stderr


def test_bad_settings_are_all_told_at_once(instance, make):
    pool = make()
    pool.write({**pool.values, "WORKERS": "0", "DEFAULT_READ_LIMIT": "many", "NO_SUCH_SETTING": "1", "JWT_ISSUER": "a b"})
    done = subprocess.run([binary(instance), "--config", str(pool.config), "--socket", str(pool.dir / "x.sock")],
                          capture_output=True, text=True, timeout=20, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 78
    for name in ("WORKERS", "DEFAULT_READ_LIMIT", "JWT_ISSUER"):
        assert name in done.stderr, done.stderr
    assert not (pool.dir / "x.sock").exists()


# --- workers come and go ---------------------------------------------------------------------------

def test_a_killed_worker_is_replaced(make, api):
    pool = make(workers=2)
    before = pool.worker_pids()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    after = wait_until(lambda: (p := pool.worker_pids()) and len(p) == 2 and before[0] not in p and p)
    assert before[1] in after
    assert pool.ask("GET", ME, bearer(api("teacher"))).status_code == 200
    line = pool.logged("worker ended")[0]
    assert line["level"] == "warn" and line["signal"] == 9 and line["worker"] == before[0]


def test_nobody_who_reads_notices_a_killed_worker(instance, new_client, api):
    """nginx asks once more for what changes nothing."""
    master = master_of(instance, "api")
    with Load(through_nginx(new_client, api("teacher"))) as load:
        for _ in range(4):
            victim = wait_until(lambda: children(master))[0]
            os.kill(victim, signal.SIGKILL)
            load.after(40)
    assert set(load.seen) == {200}, load.seen
    wait_until(lambda: len(children(master)) == int(settings_of(instance)["WORKERS"]))


def test_workers_are_renewed_after_so_many_requests(make, api):
    pool = make(workers=2, WORKER_MAX_REQUESTS="5")
    first, who = set(pool.worker_pids()), bearer(api("teacher"))
    replies = [pool.ask("GET", ME, who).status_code for _ in range(60)]
    assert replies == [200] * 60
    assert not first & set(pool.worker_pids())
    assert all(x["exit_status"] == 0 for x in pool.lines() if x["message"] == "worker ended")


def test_a_reload_under_load_fails_no_request(instance, new_client, api, anon):
    masters = {name: master_of(instance, name) for name in ("api", "auth")}
    before = {name: set(children(pid)) for name, pid in masters.items()}
    account = registered(anon)
    own = threading.local()

    def write():  # what changes something has no second try at nginx
        if not hasattr(own, "client"):
            own.client = new_client("load")
        own.n = getattr(own, "n", 0) + 1
        if own.n % 5:
            return own.client.patch(ME, json={"locale": "en"}, headers=bearer(api("teacher")))
        return own.client.post(V1 + "/auth/login", json=account)
    with Load(through_nginx(new_client, api("student")), 3) as reads, Load(write, 2) as writes:
        for name, pid in masters.items():
            os.kill(pid, signal.SIGHUP)
        for name, pid in masters.items():
            wait_until(lambda: (now := set(children(pid))) and not now & before[name])
        reads.after(50)
        writes.after(10)
    assert set(reads.seen) == {200} and set(writes.seen) == {200}, (reads.seen, writes.seen, writes.answers[:2])
    assert all(master_of(instance, name) == pid for name, pid in masters.items())


def test_who_hashes_passwords_stands_back_for_all_others(instance):
    """Where the kernel groups processes by session, a priority counts within its session only."""
    masters = {name: master_of(instance, name) for name in ("api", "auth")}
    everyone = {name: [pid, *children(pid)] for name, pid in masters.items()}
    everyone["nginx"] = [master_of(instance, "nginx")]
    nice = {name: {os.getpriority(os.PRIO_PROCESS, pid) for pid in pids} for name, pids in everyone.items()}
    assert nice == {"api": {0}, "auth": {10}, "nginx": {0}}
    assert len({os.getsid(pid) for pids in everyone.values() for pid in pids}) == 1
    assert len(everyone["auth"]) - 1 == (len(os.sched_getaffinity(0)) + 1) // 2


def test_no_password_is_hashed_for_who_has_given_up(make):
    pool = make(name="auth", workers=1)
    worker, = pool.worker_pids()
    account = {"email": "nobody@demo.lectern.example", "password": "wrong one 1"}
    os.kill(worker, signal.SIGSTOP)
    try:
        for i in range(3):
            pool.ask("POST", V1 + "/auth/login", {"x-request-id": f"gone-{i}"}, account, listen=False)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert pool.ask("POST", V1 + "/auth/login", {"x-request-id": "waits"}, account).status_code == 401
    pool.logged("request", 2)  # the first asked whether the pool is ready
    told = [(x["message"], x["request_id"]) for x in pool.lines() if "request_id" in x]
    assert told[-4:] == [("request abandoned", f"gone-{i}") for i in range(3)] + [("request", "waits")]


def test_a_reload_takes_new_limits(make):
    pool = make(workers=2, DEFAULT_READ_LIMIT="7")
    jwks = "/.well-known/jwks.json"
    assert pool.ask("GET", jwks, address="192.0.2.1").headers["x-rate-limit-limit"] == "7"
    before = set(pool.worker_pids())
    pool.write({**pool.values, "DEFAULT_READ_LIMIT": "9"})
    pool.tell(signal.SIGHUP)
    pool.logged("reloaded")
    # An old worker that is told to leave may have taken a request already.
    wait_until(lambda: before.isdisjoint(pool.worker_pids()))
    assert [pool.ask("GET", jwks, address="192.0.2.1").headers["x-rate-limit-limit"] for _ in range(4)] == ["9"] * 4


def test_a_reload_of_bad_settings_changes_nothing(make):
    pool = make(workers=2, DEFAULT_READ_LIMIT="7")
    before = set(pool.worker_pids())
    pool.write({**pool.values, "DEFAULT_READ_LIMIT": "-1"})
    pool.tell(signal.SIGHUP)
    pool.logged("the new configuration is bad: nothing is changed")
    told, = [x for x in pool.lines() if x["message"] == "setting refused"]
    assert "DEFAULT_READ_LIMIT" in told["fault"]
    assert set(pool.worker_pids()) == before
    assert pool.ask("GET", "/.well-known/jwks.json", address="192.0.2.2").headers["x-rate-limit-limit"] == "7"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_are_finished_before_the_end(instance, make, api, number):
    teacher, pool, replies = api("teacher"), make(workers=2), []
    course = new_course(teacher)
    at, body = f"{V1}/courses/{course['id']}/announcements", {"title": "while leaving", "body": "x"}
    first = threading.Thread(target=lambda: replies.append(pool.ask("POST", at, bearer(teacher), body)))
    with held(instance, teacher, course["id"]):
        first.start()
        in_flight(pool, instance, 2)  # this request and the one that asks
        pool.tell(number)
        pool.logged("stopping: workers finish what they have")
        wait_until(lambda: len(pool.worker_pids()) == 1)
        assert pool.process.poll() is None and not replies
        with pytest.raises(OSError):
            pool.ask("GET", LIVE)
    first.join()
    assert replies[0].status_code == 201
    assert pool.process.wait(10) == 0
    assert len(teacher.get(at).json()["data"]) == 1


def test_who_does_not_finish_in_time_is_ended(instance, make, api):
    teacher, pool = api("teacher"), make(workers=1, SHUTDOWN_GRACE_SECONDS="1", DB_LOCK_TIMEOUT_MS="60000",
                                         DB_STATEMENT_TIMEOUT_MS="60000")
    course = new_course(teacher)
    outcome = []

    def send():
        with contextlib.suppress(OSError, AssertionError):
            pool.ask("POST", f"{V1}/courses/{course['id']}/announcements", bearer(teacher), {"title": "late", "body": "x"})
        outcome.append("over")
    first = threading.Thread(target=send)
    with held(instance, teacher, course["id"]):
        first.start()
        time.sleep(0.3)
        began = time.monotonic()
        pool.tell(signal.SIGTERM)
        pool.process.wait(10)
        assert 0.8 < time.monotonic() - began < 6
    first.join()
    assert outcome and teacher.get(f"{V1}/courses/{course['id']}/announcements").json()["data"] == []


def test_no_worker_outlives_its_master(make):
    pool = make(workers=3)
    workers = pool.worker_pids()
    os.kill(pool.pid, signal.SIGKILL)
    pool.process.wait(5)
    wait_until(lambda: not any(alive(p) for p in workers))


# --- the database goes and comes ------------------------------------------------------------------------

def test_without_a_database(make, api):
    pool = make(workers=1, DATABASE_URL="postgresql://lectern_app:secret-of-nobody@127.0.0.1:1/lectern")
    assert pool.ask("GET", LIVE).status_code == 200
    for method, path, body in (("GET", ME, b""), ("PATCH", ME, {"locale": "en"}), ("POST", V1 + "/courses", {"title": "x"})):
        reply = pool.ask(method, path, bearer(api("teacher")), body)
        assert_problem(reply, 503, "service_unavailable")
        assert int(reply.headers["retry-after"]) >= 1
        assert not re.search(r"127\.0\.0\.1|secret-of-nobody|lectern_app|refused", reply.text)
    ready = pool.ask("GET", READY)
    assert ready.status_code == 503 and ready.json()["data"]["status"] == "down"
    assert {c["name"]: c["status"] for c in ready.json()["data"]["checks"]}["database"] == "down"
    assert "retry-after" in ready.headers
    assert "secret-of-nobody" not in pool.log.read_text()
    # What needs no database is served.
    assert pool.ask("GET", "/.well-known/jwks.json").status_code == 200
    assert pool.ask("GET", V1 + "/openapi.json").status_code == 200


def pg_ctl(instance, *args):
    place = home(instance)
    program = ["/usr/lib/postgresql/15/bin/pg_ctl", "-D", str(place / "pg"), "-w", "-t", "30", "-s", *args]
    owner = (place / "pg").stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        program = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", *program]
    done = subprocess.run(program, cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                          start_new_session=True)
    assert done.returncode == 0, f"pg_ctl {args} failed"


def test_a_restart_of_the_database(instance, new_client, api):
    """Only 503 with Retry-After while it is away, and everyone is served again once it is back."""
    log = str(home(instance) / "log" / "postgres.log")
    who, client = api("teacher"), new_client()
    account = registered(client)
    workers = set(children(master_of(instance, "api")))
    assert client.get(READY).status_code == 200
    with Load(through_nginx(new_client, who)) as load:
        pg_ctl(instance, "-m", "fast", "stop")
        try:
            load.after(30)
            assert client.get(LIVE).status_code == 200
            assert client.get(READY).status_code == 503
            login = client.post(V1 + "/auth/login", json=account)
            assert_problem(login, 503, "service_unavailable")
            assert_problem(who.patch(ME, json={"locale": "en"}), 503, "service_unavailable")
        finally:
            pg_ctl(instance, "-l", log, "start")
        wait_until(lambda: client.get(READY).status_code == 200, 15)
        wait_until(lambda: [client.get(ME, headers=bearer(who)).status_code for _ in range(24)] == [200] * 24, 15)
        # Each worker of sign-in meets its lost connection once; later tests shall not.
        wait_until(lambda: [client.post(V1 + "/auth/login", json=account).status_code for _ in range(6)] == [200] * 6, 15)
        load.answers.append(None)
        load.after(50)
    down, late = load.answers[:load.answers.index(None)], load.answers[load.answers.index(None) + 1:]
    assert set(load.seen) == {200, 503}, load.seen
    assert down and not late
    for answer in down[:20]:
        assert_problem(answer, 503, "service_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert set(children(master_of(instance, "api"))) == workers, "a worker has ended because of it"


def test_a_session_ended_by_the_database_is_made_again(make, instance, api):
    """pg_terminate_backend, idle timeouts, failovers: a request that reads does not notice."""
    # Of a pool that nothing else is called like, by which its connections are told.
    pool, who = make(name="slow", workers=2), bearer(api("teacher"))
    assert [pool.ask("GET", ME, who).status_code for _ in range(10)] == [200] * 10
    connection = psycopg2.connect(instance["database_url"])
    connection.autocommit = True
    cursor = connection.cursor()

    def connections(what):
        cursor.execute(f"select count({what}) from pg_stat_activity where application_name = 'lectern-api slow'")
        return cursor.fetchone()[0]
    # One worker may have answered all; the other connects when it is idle.
    wait_until(lambda: connections("*") == 2)
    assert connections("pg_terminate_backend(pid)") == 2
    connection.close()
    assert [pool.ask("GET", ME, who).status_code for _ in range(20)] == [200] * 20


# --- logs ---------------------------------------------------------------------------------------------------

def logs_of(instance):
    return [home(instance) / "log" / n for n in ("api.log", "auth.log", "jobs.log", "nginx-access.log", "nginx-admin.log",
                                                 "nginx-error.log", "postgres.log")]


def test_log_lines_are_json_and_hold_no_secrets(instance, new_client, anon, api):
    files = {f: f.stat().st_size if f.exists() else 0 for f in logs_of(instance)}
    mark = uuid.uuid4().hex
    made = {**person(f"{mark}.lectern.example"), "name": f"Name {mark}", "password": f"pass {mark}"}
    anon.post(V1 + "/auth/register", json=made)
    browser = new_client("browser")
    tokens = browser.post(V1 + "/auth/login", json={"email": made["email"], "password": made["password"],
                                                    "use_cookies": True}).json()["data"]
    secrets = [mark, tokens["access_token"].split(".")[2], tokens["access_token"].split(".")[1], tokens["refresh_token"],
               *[c.value for c in browser.cookies]]
    client, token = new_client(), {"authorization": "Bearer " + tokens["access_token"]}
    for method, path, extra in (
            ("GET", f"{ME}?token={mark}", {}), ("GET", f"/{mark}?x={mark}", {}),
            ("GET", f"{V1}/courses?q={mark}&owner_id={mark}", token), ("PATCH", ME, {**token, "body": {"name": f"New {mark}"}}),
            ("PATCH", ME, {**token, "body": {"name": f"{mark}\n", mark: mark}}), ("GET", ME, {"authorization": f"Bearer {mark}"}),
            ("GET", ME, {"authorization": f"Basic {mark}"}), ("GET", ME, {"cookie": f"x={mark}", "x-service-token": mark}),
            ("POST", V1 + "/auth/refresh", {"body": {"refresh_token": mark}}), ("GET", "/metrics", {"authorization": f"Bearer {mark}"}),
            ("POST", V1 + "/auth/login", {"body": {"email": made["email"], "password": mark}}),
            ("POST", V1 + "/auth/register", {"body": {**made, "password": made["email"]}}),
            ("POST", V1 + "/courses", {**token, "body": {"title": mark}}), ("GET", f"{V1}/courses/{mark}?{mark}", token),
            ("POST", V1 + "/auth/login", {"body": f'{{"email": "{mark}', "content-type": "application/json"}),
            ("GET", V1 + "/courses?cursor=" + mark, {**token, "referer": f"https://x/{mark}", "user-agent": mark}),
            ("POST", V1 + "/auth/refresh", {"body": {"refresh_token": tokens["refresh_token"]}})):
        body = extra.pop("body", None)
        client.request(method, path, headers={k: v for k, v in extra.items()},
                       **({"data": body} if isinstance(body, str) else {"json": body}))
    api("teacher").post(V1 + "/courses", json={"title": f"title {mark}", "description": mark},
                        headers={"idempotency-key": mark})
    api("admin").get(f"{V1}/admin/audit-logs?action={mark}")
    browser.post(V1 + "/auth/logout")
    probe = f"probe-{uuid.uuid4().hex}"
    client.get(ME, headers={"x-request-id": probe})
    wait_until(lambda: probe in (home(instance) / "log" / "api.log").read_text())
    wait_until(lambda: probe in (home(instance) / "log" / "nginx-access.log").read_text())
    lines = 0
    for file, start in files.items():
        if not file.exists():
            continue
        with file.open("rb") as opened:
            opened.seek(start)
            text = opened.read().decode("utf-8")
        for secret in secrets:
            # Paths are logged as sent; the two above that hold the mark in the path itself are the test's own doing.
            found = [x for x in text.splitlines() if secret in x
                     and f'"path":"/{mark}"' not in x and f'"path":"{V1}/courses/{mark}"' not in x]
            assert not found, f"{file.name}: {found[0]}"
        if file.name in ("api.log", "auth.log", "nginx-access.log", "nginx-admin.log"):
            for line in text.splitlines():
                record = json.loads(line)
                assert {"time", "level", "service"} <= set(record), line
                lines += 1
    assert lines > 20


def test_a_refused_write_leaves_no_warning_at_the_database(instance, api):
    """A write that ends without effect is nothing that an operator must look at, in any of its ways"""
    log = home(instance) / "log" / "postgres.log"
    teacher, before = api("teacher"), log.stat().st_size
    course = teacher.post(V1 + "/courses", json={"title": "Kept"}).json()["data"]["id"]
    key = {"idempotency-key": uuid.uuid4().hex}
    answers = [teacher.delete(f"{V1}/courses/{uuid.uuid4()}"), teacher.patch(f"{V1}/courses/{uuid.uuid4()}", json={"title": "x"}),
               teacher.delete(f"{V1}/courses/{course}", headers={"if-match": '"99"'}),
               teacher.post(f"{V1}/courses/{uuid.uuid4()}/publish", headers=key),
               teacher.post(f"{V1}/courses/{course}/transfer-owner", json={"owner_id": str(uuid.uuid4())}, headers=key),
               api("student").post(f"{V1}/courses/{course}/enrollments", json={})]
    assert {a.status_code for a in answers} <= {403, 404, 409, 412, 422}, [a.text for a in answers]
    # Nothing of the refused ones stayed: the key is free, and the course is what it was.
    made = teacher.post(V1 + "/courses", json={"title": "Under the key"}, headers=key)
    assert made.status_code == 201 and "idempotency-replayed" not in made.headers
    assert teacher.get(f"{V1}/courses/{course}").json()["data"]["version"] == 1
    with log.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(before)
        assert [line for line in lines if "WARNING" in line] == []


def test_a_request_is_on_one_line_of_each(instance, api):
    name = unique("line")
    me = api("teacher").get(ME, headers={"x-request-id": name, "traceparent": "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"})
    data = me.json()["data"]

    def line():
        text = (home(instance) / "log" / "api.log").read_text()
        return [json.loads(x) for x in text.splitlines() if f'"{name}"' in x]
    found = wait_until(line)
    assert len(found) == 1
    record = found[0]
    assert record["request_id"] == name and record["trace_id"] == "ab" * 16
    assert record["user_id"] == data["id"] and record["org_id"] == data["org_id"]
    assert record["route"] == ME and record["status"] == 200 and record["class"] == "default_read"
    assert record["us"] > 0 and record["db_us"] > 0 and record["bytes"] == len(me.content)


def test_an_error_id_is_found_in_the_log(make, api):
    pool = make(workers=1, DATABASE_URL="postgresql://nobody@127.0.0.1:1/lectern")
    reply = pool.ask("GET", ME, bearer(api("teacher")))
    found = wait_until(lambda: [x for x in pool.lines() if x.get("error_id") == reply.json()["error_id"]])
    assert found[0]["level"] == "error" and found[0]["status"] == 503


# --- metrics --------------------------------------------------------------------------------------------------

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? '
                    r'([+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf|NaN))')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def parsed(text):
    """Prometheus' text format, strictly: {name: {labels: value}} and {name: type}."""
    values, types, helps, open_family, closed = {}, {}, set(), None, set()
    assert text.endswith("\n") and "\r" not in text
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("HELP", "TYPE") and rest, line
            if what == "HELP":
                assert name not in helps, f"{name} is explained twice"
                helps.add(name)
            else:
                assert name not in types and rest in ("counter", "gauge", "histogram"), line
                types[name] = rest
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"not a sample: {line!r}"
        name, labels = match[1], tuple(LABEL.findall(match[2] or ""))
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        assert family in types and family in helps, f"{name} is not declared"
        assert len({n for n, _ in labels}) == len(labels), line
        if family != open_family:
            assert family not in closed, f"the samples of {family} are not together"
            closed.add(open_family)
            open_family = family
        assert labels not in values.setdefault(name, {}), f"twice: {line}"
        values[name][labels] = float(match[3])
    return values, types


def scrape(pool, instance):
    reply = pool.ask("GET", "/metrics", {"authorization": "Bearer " + instance["metrics"]["bearer_token"]})
    assert reply.status_code == 200
    return parsed(reply.text)[0]


def total(values, name, **labels):
    return sum(v for k, v in values.get(name, {}).items() if set(labels.items()) <= set(k))


def in_flight(pool, instance, count):
    return wait_until(lambda: total(scrape(pool, instance), "http_requests_in_flight") == count)


def test_the_format_of_metrics(anon, instance):
    answer = anon.get("/metrics", headers={"authorization": "Bearer " + instance["metrics"]["bearer_token"]})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    values, types = parsed(answer.text)
    for name, kind in types.items():
        assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name) and not re.search(r"_(ms|us|millis\w*)(_|$)", name), name
        if kind != "histogram":
            continue
        series = collections.defaultdict(list)
        for labels, value in values.get(name + "_bucket", {}).items():
            series[tuple(x for x in labels if x[0] != "le")].append((float(dict(labels)["le"].replace("Inf", "inf")), value))
        assert series
        for labels, buckets in series.items():
            bounds, counts = zip(*buckets)
            assert list(bounds) == sorted(bounds) and bounds[-1] == float("inf") and list(counts) == sorted(counts)
            assert counts[-1] == values[name + "_count"][labels] and labels in values[name + "_sum"]
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=answer.content, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_are_guarded(anon, instance, api):
    token = instance["metrics"]["bearer_token"]
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": f"Bearer {token}x"}, {"authorization": f"Bearer {token[:-1]}"},
                    {"authorization": token}, {"authorization": f"Basic {token}"}, {"authorization": "Bearer "},
                    bearer(api("operator")), {"cookie": f"token={token}"}, {"x-service-token": token}):
        answer = anon.get("/metrics", headers=headers)
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith(("Basic ", "Bearer "))
    assert_problem(anon.get(f"/metrics?token={token}"), 401, "unauthenticated")


def test_metrics_by_name_and_password(make):
    import base64
    pool = make(workers=1, METRICS_USERNAME="prom", METRICS_PASSWORD="a:long password of 32 characters!", METRICS_ALLOWED_IPS="192.0.2.0/24")

    def get(credential, address="192.0.2.7"):
        return pool.ask("GET", "/metrics", {"authorization": "Basic " + base64.b64encode(credential.encode()).decode()},
                        address=address).status_code
    assert get("prom:a:long password of 32 characters!") == 200
    assert get("prom:a:long password of 32 characters!", address="198.51.100.1") == 403
    for bad in ("prom:", "prom:a", ":a:long password of 32 characters!", "prom", "", "PROM:a:long password of 32 characters!",
                "prom:a:long password of 32 characters!x"):
        assert get(bad) == 401, bad
    for broken in ("Basic", "Basic ", "Basic !!!!", "Basic " + "A" * 4000, "Basic cHJvbQ"):
        assert pool.ask("GET", "/metrics", {"authorization": broken}, address="192.0.2.7").status_code == 401


def test_counts_add_up_over_workers(make, instance, api):
    pool, who = make(workers=4), bearer(api("teacher"))
    before = scrape(pool, instance)
    with concurrent.futures.ThreadPoolExecutor(8) as crowd:
        assert {r.status_code for r in crowd.map(lambda _: pool.ask("GET", ME, who), range(200))} == {200}
        list(crowd.map(lambda _: pool.ask("GET", ME), range(30)))
        list(crowd.map(lambda i: pool.ask("GET", f"{V1}/nothing/{i}", who), range(10)))
        list(crowd.map(lambda _: pool.ask("POST", V1 + "/courses", who, {}), range(20)))
    used = {x["pid"] for x in pool.lines() if x["message"] == "request"}
    assert len(used) >= 2, "one worker did it all, so nothing was added up"
    after = scrape(pool, instance)

    def moved(name, **labels):
        return total(after, name, **labels) - total(before, name, **labels)
    assert moved("http_requests_total", route=ME, method="GET", status="2xx") == 200
    assert moved("http_requests_total", route=ME, method="GET", status="4xx") == 30
    assert moved("http_request_duration_seconds_count", route=ME, method="GET") == 230
    assert moved("http_requests_total", route=V1 + "/courses", method="POST", status="4xx") == 20
    assert moved("http_errors_total", code="unauthenticated") == 30
    assert moved("http_errors_total", code="route_unknown") == 10
    assert moved("http_errors_total", code="validation_failed") == 20
    assert moved("auth_failures_total", code="unauthenticated") == 30
    assert moved("db_statement_duration_seconds_count", statement="user_me") == 200
    assert moved("http_request_bytes_total") == 40 and moved("http_response_bytes_total") > 200 * 100
    assert moved("db_time_seconds_total") > 0
    assert total(after, "db_connections") >= len(used) - 1 and total(after, "http_requests_in_flight") == 1
    assert "nothing" not in json.dumps([[list(k) for k in family] for family in after.values()]), "a path of a client is a label"


def test_requests_that_cannot_be_read_are_counted(make, instance):
    pool = make(workers=1)
    before = total(scrape(pool, instance), "http_errors_total", code="bad_request")
    for headers in ({"authorization": "Bearer \x01"}, {"idempotency-key": "a\x7fb"}):
        assert_problem(pool.ask("GET", ME, headers), 400, "bad_request")
    assert total(scrape(pool, instance), "http_errors_total", code="bad_request") == before + 2


def test_failures_to_sign_in_are_counted(make, instance):
    pool = make(name="auth", workers=1)
    before = scrape(pool, instance)
    for _ in range(3):
        pool.ask("POST", V1 + "/auth/login", body={"email": person()["email"], "password": "wrong one 1"})
    pool.ask("POST", V1 + "/auth/refresh", body={"refresh_token": "x"})
    after = scrape(pool, instance)
    assert total(after, "auth_failures_total", code="credentials_invalid") - total(before, "auth_failures_total", code="credentials_invalid") == 3
    assert total(after, "auth_failures_total", code="refresh_token_invalid") - total(before, "auth_failures_total", code="refresh_token_invalid") == 1


def test_a_killed_worker_leaves_no_request_in_flight(instance, make, api):
    teacher, pool = api("teacher"), make(workers=2)
    course = new_course(teacher)

    def send():
        with contextlib.suppress(OSError, AssertionError):
            pool.ask("POST", f"{V1}/courses/{course['id']}/announcements", bearer(teacher), {"title": "x", "body": "x"})
    threads = [threading.Thread(target=send)]
    with held(instance, teacher, course["id"]):
        threads[0].start()
        in_flight(pool, instance, 2)
        killed = pool.worker_pids()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        threads[0].join()
        wait_until(lambda: len(set(pool.worker_pids()) - set(killed)) == 2)
        in_flight(pool, instance, 1)
    values = scrape(pool, instance)
    assert total(values, "worker_kills_total") == 2 and total(values, "worker_restarts_total") >= 2
    assert total(values, "db_connections") == 2


def test_a_reload_leaves_the_gauges_right(make, instance):
    """The worker that leaves and the one that comes do not take from each other."""
    pool = make(workers=3)
    before = set(pool.worker_pids())
    pool.tell(signal.SIGHUP)
    pool.logged("reloaded")
    wait_until(lambda: not before & set(pool.worker_pids()))
    values = scrape(pool, instance)
    assert total(values, "db_connections") == 3 and total(values, "http_requests_in_flight") == 1


def test_label_values_are_closed_sets(anon, instance):
    """Whatever clients send, the number of series stays."""
    def series():
        text = anon.get("/metrics", headers={"authorization": "Bearer " + instance["metrics"]["bearer_token"]}).text
        return sorted(line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")
                      and re.search(r'route=|code=|class=|method=', line))
    mark = uuid.uuid4().hex
    for i in range(5):
        anon.get(f"{V1}/{mark}{i}")
        anon.request(f"M{mark[:8].upper()}", V1 + "/courses")
        anon.get(f"{V1}/courses/{mark}{i}", headers={"user-agent": mark, "authorization": f"Bearer {mark}"})
    assert not [s for s in series() if mark in s or mark[:8].upper() in s]
