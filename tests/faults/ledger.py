"""Load that writes down what it sent and what it was told, and the reckoning afterwards.

A writer announces under a title and an Idempotency-Key of its own and repeats a refused or lost
request under the same key until it is acknowledged. A reader looks at what was acknowledged and at
the list. Every answer must be right: the title, the identifier and the request's number that
belong to it, or one of the refusals that the case states.
"""
import collections
import multiprocessing
import os
import random
import signal
import threading
import time
import uuid

from instance import Failure, Http, expect

REFUSALS = {429: "rate_limited", 502: "bad_gateway", 503: "service_unavailable", 504: "timeout",
            409: "idempotency_in_progress"}

Seen = collections.namedtuple("Seen", "at seconds kind status wrong")


class Course:
    """A course of its own for every load, so that the list of it is short and nobody else's"""

    def __init__(self, target, token):
        self.target, self.token = target, token
        http = Http(target, token)
        answer = http.request("POST", "/api/v1/courses", {"title": f"Faults {uuid.uuid4().hex}"})
        expect(answer.status == 201, f"no course: {answer.status} {answer.body[:200]!r}")
        self.id = answer.json()["data"]["id"]
        answer = http.request("POST", f"/api/v1/courses/{self.id}/publish")
        expect(answer.status == 200, f"not published: {answer.status} {answer.body[:200]!r}")
        http.close()
        self.path = f"/api/v1/courses/{self.id}/announcements"

    def titles(self):
        """{title: [identifiers]} of everything that the database holds"""
        http, found, cursor = Http(self.target, self.token), collections.defaultdict(list), ""
        while True:
            answer = http.request("GET", f"{self.path}?limit=100{cursor}")
            expect(answer.status == 200, f"list: {answer.status} {answer.body[:200]!r}")
            told = answer.json()
            for row in told["data"]:
                found[row["title"]].append(row["id"])
            if not told["page"]["next_cursor"]:
                http.close()
                return found
            cursor = "&cursor=" + told["page"]["next_cursor"]


class Client:
    """What one thread sends and notes"""

    def __init__(self, course, name, shared):
        self.course, self.name, self.shared = course, name, shared
        self.http = Http(course.target, course.token, timeout=shared.timeout)
        self.serial = 0

    def exchange(self, kind, method, path, judge, body=None, headers=None):
        """The answer when it was right, None when it was refused or lost; noted either way"""
        self.serial += 1
        number = f"{self.name}-{self.serial}"
        begun = time.monotonic()
        try:
            answer = self.http.request(method, path, body,
                                       {"x-request-id": number, **(headers or {})})
        except OSError as fault:
            self.shared.note(Seen(begun, time.monotonic() - begun, kind, 0, None), str(fault))
            return None
        wrong = self._wrong(answer, number, judge)
        self.shared.note(Seen(begun, time.monotonic() - begun, kind, answer.status, wrong))
        return answer if wrong is None and answer.status < 300 else None

    @staticmethod
    def _wrong(answer, number, judge):
        if answer.fields.get("x-request-id") != number:
            return f"answer of request {answer.fields.get('x-request-id')} to {number}"
        told = answer.json()
        if answer.status < 300:
            return judge(answer, told)
        if answer.status not in REFUSALS:
            return f"{answer.status} {answer.body[:160]!r}"
        if not isinstance(told, dict) or told.get("code") != REFUSALS[answer.status]:
            return f"{answer.status} with {answer.body[:160]!r}"
        if answer.status in (429, 503) and "retry-after" not in answer.fields:
            return f"{answer.status} without Retry-After"
        return None


class Shared:
    """Of all threads of a load process"""

    def __init__(self, course, timeout):
        self.course, self.timeout = course, timeout
        self.seen, self.faults, self.sent, self.acknowledged = [], [], {}, {}
        self.replays = 0
        self.lock = threading.Lock()
        self.recent = collections.deque(maxlen=64)

    def note(self, seen, fault=None):
        self.seen.append(seen)  # lists grow in one step
        if fault:
            self.faults.append(fault)


def judge_write(title):
    def judge(answer, told):
        row = told.get("data") if isinstance(told, dict) else None
        if answer.status != 201 or not row or row.get("title") != title or not row.get("id"):
            return f"{answer.status} for {title}: {answer.body[:160]!r}"
        return None
    return judge


def judge_list(answer, told):
    rows = told.get("data") if isinstance(told, dict) else None
    if answer.status != 200 or not isinstance(rows, list) or len(rows) > 5 or "page" not in told:
        return f"list: {answer.status} {answer.body[:160]!r}"
    return None if all(row["title"].startswith("w-") for row in rows) else "a row of another list"


def judge_get(known):
    def judge(answer, told):
        row = told.get("data") if isinstance(told, dict) else None
        if answer.status != 200 or not row or (row["id"], row["title"]) != known:
            return f"asked for {known}: {answer.status} {answer.body[:160]!r}"
        return None
    return judge


def write_once(client, title, give_up):
    """Until acknowledged, or until `give_up` says so"""
    shared, key = client.shared, uuid.uuid4().hex
    shared.sent[title] = key
    while True:
        answer = client.exchange("write", "POST", client.course.path, judge_write(title),
                                 {"title": title, "body": "x" * 200}, {"idempotency-key": key})
        if answer is not None:
            row = answer.json()["data"]
            shared.replays += answer.fields.get("idempotency-replayed") == "1"
            shared.acknowledged[title] = row["id"]
            shared.recent.append((row["id"], title))
            return
        if give_up():
            return
        time.sleep(0.02 + random.random() * 0.03)


def writer(client, stopped):
    while not stopped.is_set():
        write_once(client, f"w-{uuid.uuid4().hex}", lambda: stopped.late())


def reader(client, stopped):
    while not stopped.is_set():
        if client.shared.recent and random.random() < 0.5:
            known = random.choice(list(client.shared.recent))
            done = client.exchange("read", "GET", f"/api/v1/announcements/{known[0]}",
                                   judge_get(known))
        else:
            done = client.exchange("read", "GET", client.course.path + "?limit=5", judge_list)
        if done is None:
            time.sleep(0.01)


class Stop:
    """Writers may go on after the end, for a while, until all is acknowledged"""

    def __init__(self, event, settle):
        self.event, self.settle, self.since = event, settle, None

    def is_set(self):
        if self.event.is_set() and self.since is None:
            self.since = time.monotonic()
        return self.since is not None

    def late(self):
        return self.is_set() and time.monotonic() - self.since > self.settle


def load_process(course, counts, event, pipe, settle, timeout):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    shared, stop = Shared(course, timeout), Stop(event, settle)
    threads = []
    for work, count in ((writer, counts[0]), (reader, counts[1])):
        for n in range(count):
            client = Client(course, f"{work.__name__}{n}-{os.getpid()}", shared)
            threads.append(threading.Thread(target=work, args=(client, stop)))
    for thread in threads:
        thread.start()
    pipe.send("running")
    for thread in threads:
        thread.join()
    pipe.send((shared.seen, shared.faults, shared.sent, shared.acknowledged, shared.replays))


class Load:
    """with Load(target, token) as load: …; then load.reckon(…)"""

    def __init__(self, target, token, writers=4, readers=4, settle=15, timeout=20):
        self.course = Course(target, token)
        self.writers, self.settle = writers, settle
        self.event = multiprocessing.Event()
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=load_process, daemon=True,
            args=(self.course, (writers, readers), self.event, theirs, settle, timeout))
        self.seen = []

    def __enter__(self):
        self.process.start()
        self.pipe.recv()
        return self

    def __exit__(self, kind, *ignored):
        self.event.set()
        if kind is not None:  # what happened tells more than figures of half a run
            self.process.kill()
            self.process.join()
            return
        if not self.pipe.poll(self.settle + 30):
            self.process.kill()
            self.process.join()
            raise Failure("the load did not end: a request hangs")
        self.seen, self.faults, self.sent, self.acknowledged, self.replays = self.pipe.recv()
        self.process.join()

    def failed(self):
        return [s for s in self.seen if s.status == 0 or s.status >= 400]

    def statuses(self):
        return collections.Counter(s.status for s in self.seen)

    def latency(self, quantile, kind=None):
        """Of answers below 300, in milliseconds"""
        found = sorted(s.seconds for s in self.seen if 200 <= s.status < 300 and kind in (None, s.kind))
        return found[int((len(found) - 1) * quantile)] * 1000 if found else float("inf")

    def reckon(self, refusals=(), failed_max=None, least=50):
        """What every case expects: right answers only, stated refusals only, and each
        acknowledged write exactly once. Says the figures."""
        counts = self.statuses()
        good = sum(n for status, n in counts.items() if 200 <= status < 300)
        expect(good >= least, f"only {good} good answers: {dict(counts)}")
        wrong = [s.wrong for s in self.seen if s.wrong]
        expect(not wrong, f"{len(wrong)} wrong answers, such as: {wrong[:1]}")
        stray = {s: n for s, n in counts.items() if s >= 300 and s not in refusals}
        expect(not stray, f"refusals that are not stated: {stray}")
        expect(not counts[0] or 0 in refusals,
               f"{counts[0]} requests without an answer, such as: {self.faults[:1]}")
        if failed_max is not None:
            failed = len(self.failed())
            expect(failed <= failed_max, f"{failed} failed requests, {failed_max} stated")
        self.reckon_rows()
        refused = {s: n for s, n in sorted(counts.items()) if s >= 400 or s == 0}
        return (f"{good} good, {len(self.failed())} refused {refused or ''}".rstrip() +
                f", {len(self.acknowledged)} writes acknowledged, each once"
                f"{f', {self.replays} replayed' if self.replays else ''}")

    def reckon_rows(self):
        rows = self.course.titles()
        lost = [t for t in self.acknowledged if t not in rows]
        expect(not lost, f"{len(lost)} acknowledged writes are lost, such as {lost[:1]}")
        twice = [t for t, ids in rows.items() if len(ids) > 1]
        expect(not twice, f"{len(twice)} writes happened twice, such as {twice[:1]}")
        other = [t for t, i in self.acknowledged.items() if rows[t] != [i]]
        expect(not other, f"{len(other)} answers name another row than the one that is there")
        alien = [t for t in rows if t not in self.sent]
        expect(not alien, f"{len(alien)} rows that nobody wrote")
        open_ = [t for t in self.sent if t not in self.acknowledged]
        expect(len(open_) <= self.writers, f"{len(open_)} writes were never acknowledged")
        expect(not open_, f"{len(open_)} writes were not acknowledged within {self.settle} s")
