"""Clients that are slow, large or malicious, through nginx."""
import json
import select
import socket
import time
import urllib.parse

from instance import Http, Pool, children, expect
from ledger import Course, Load
from others import Phases, Sizes

# The timeouts of nginx's configuration, shortened so that their ends can be waited for.
SHORT = (("client_header_timeout 10s", "client_header_timeout 2s"),
         ("client_body_timeout 15s", "client_body_timeout 2s"),
         ("send_timeout 15s", "send_timeout 2s"))


def _all_processes(pool):
    return [pool.master.pid, *pool.workers(), pool.nginx.pid, *children(pool.nginx.pid)]


class Crowd:
    """Connections that are all fed a little now and then, until nginx closes them"""

    def __init__(self, target, count, first, then, receive=None):
        self.then, self.open, self.count = then, [], count
        for _ in range(count):
            peer = socket.socket()
            if receive:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            peer.settimeout(5)
            peer.connect(("127.0.0.1", target.port))
            peer.sendall(first)
            peer.setblocking(False)
            self.open.append(peer)

    def feed(self):
        """Send a little to each; drop those whose connection nginx has ended"""
        ended = select.poll()
        for peer in self.open:
            ended.register(peer, select.POLLRDHUP)
        gone = {fd for fd, _ in ended.poll(0)}
        for peer in list(self.open):
            try:
                if peer.fileno() in gone:
                    raise ConnectionError
                if self.then:
                    peer.send(self.then)
            except BlockingIOError:
                pass
            except OSError:
                self._drop(peer)

    def _drop(self, peer):
        peer.close()
        self.open.remove(peer)

    def close(self):
        for peer in list(self.open):
            self._drop(peer)


def _slow(run, count, first, then, receive=None):
    """Others while a crowd is slow; the crowd is gone within a time"""
    phases = Phases(run)
    with Pool(run.instance, edge_changes=SHORT) as pool:
        workers = pool.workers()
        with Load(pool.target, run.token("teacher"), writers=1, readers=2) as load:
            time.sleep(0.5)
            phases.measure(1.2)
            sizes = Sizes(*_all_processes(pool))
            begun = time.monotonic()
            crowd = Crowd(pool.target, count, first(load), then, receive)
            time.sleep(0.5)  # their coming is load of the usual kind
            loud = time.monotonic()
            try:
                while crowd.open and time.monotonic() < begun + 8:
                    crowd.feed()
                    time.sleep(0.25)
                took, left = time.monotonic() - begun, len(crowd.open)
            finally:
                crowd.close()
            phases.loud.append((loud, time.monotonic()))
            grown = sizes.growth()
        figures = load.reckon(failed_max=0)
        expect(pool.workers() == workers, "workers were replaced")
    expect(not left, f"{left} of {crowd.count} are still there after {took:.1f} s")
    return f"{crowd.count} gone after {took:.1f} s, {phases.compare(load)}, {grown}, {figures}"


def slow_headers(run):
    """Hundreds of clients send their header byte by byte: nginx ends each within its header
    timeout; p99 of others at most twice the quiet one, no process grows by more than 16 MB"""
    return _slow(run, run.of(200, 600), lambda load: b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ", b"a")


def slow_bodies(run):
    """Hundreds of clients announce a body and send nothing of it: no worker is held, nginx ends
    each within its body timeout; others and memory as above"""
    return _slow(run, run.of(200, 600), lambda load: (f"POST {load.course.path} HTTP/1.1\r\nhost: x\r\n"
                                    f"authorization: Bearer {load.course.token}\r\n"
                                    "content-type: application/json\r\ncontent-length: 90000\r\n\r\n{"
                                    ).encode(), b"")


def slow_readers(run):
    """Dozens of clients ask for megabytes and do not read: no worker is held, nginx ends each within
    its send timeout; others and memory as above"""
    ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 30
    return _slow(run, run.of(30, 100), lambda load: ask, b"", receive=2048)


def _raw(target, data, end=False):
    """Status of the answer to these bytes, 0 when there was none"""
    with socket.create_connection(("127.0.0.1", target.port), timeout=8) as peer:
        try:
            peer.sendall(data)
            if end:
                peer.shutdown(socket.SHUT_WR)
            got = peer.recv(4096)
        except ConnectionError:
            return 0
    return int(got.split()[1]) if got.startswith(b"HTTP/1.1 ") else 0


def bodies(run):
    """Chunked, oversized and contradictory bodies: each has its stated status, what was refused or
    cut off has written nothing"""
    token = run.token("teacher")
    with Pool(run.instance, edge_changes=SHORT) as pool:
        course = Course(pool.target, token)

        def post(headers, body=b"", path=course.path):
            return (f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
                    f"content-type: application/json\r\n{headers}\r\n").encode() + body

        def chunked(text, size, end=b"0\r\n\r\n"):
            parts = [text[i:i + size] for i in range(0, len(text), size)]
            return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + end

        def text(title, body="b"):
            return json.dumps({"title": title, "body": body}).encode()

        te, mega = "transfer-encoding: chunked\r\n", 1 << 20
        table = [
            ("one chunk", post(te, chunked(text("kept 1"), 9999)), {201}),
            ("chunks of a byte", post(te, chunked(text("kept 2"), 1)), {201}),
            ("the longest body field", post(te, chunked(text("kept 3", "y" * 100000), 4096)), {201}),
            ("a field over its bound", post(te, chunked(text("lost 1", "y" * 100001), 4096)), {422}),
            ("1 MiB and a byte, chunked", post(te, chunked(b" " * (mega + 1), 65536)), {413}),
            ("1 MiB and a byte", post(f"content-length: {mega + 1}\r\n", b" " * (mega + 1)), {413}),
            ("3 MB, chunked", post(te, chunked(b" " * (3 * mega), 65536)), {413, 0}),
            ("3 MB announced", post(f"content-length: {3 * mega}\r\n", b"{"), {413}),
            ("a length of 30 digits", post(f"content-length: {'9' * 30}\r\n", b"{"), {400, 413}),
            ("a negative length", post("content-length: -1\r\n"), {400}),
            ("two lengths", post("content-length: 2\r\ncontent-length: 9\r\n", b"{}"), {400}),
            ("length and chunked", post(te + "content-length: 5\r\n", chunked(text("lost 2"), 99)), {400}),
            ("a chunk size that is none", post(te, b"zz\r\n{}\r\n0\r\n\r\n"), {400}),
            ("a chunk of 2^64", post(te, b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"), {400, 413}),
            ("chunks without an end", post(te, chunked(text("lost 3"), 99, b"")), {400, 408, 0}),
            ("another coding", post("transfer-encoding: gzip, chunked\r\n", b"0\r\n\r\n"), {400, 501}),
            ("an empty body", post("content-length: 0\r\n"), {400, 422}),
            ("16 KB of header", post("x-a: " + "a" * 17000 + "\r\n"), {400, 431}),
            ("4 × 16 KB of header", post("".join(f"x-{n}: {'a' * 15000}\r\n" for n in range(6))), {400, 431}),
            ("an address of 20 KB", post("", path="/api/v1/courses?" + "a" * 20000), {414}),
        ]
        for name, data, statuses in table:
            status = _raw(pool.target, data, end="without an end" in name)
            expect(status in statuses, f"{name}: {status} instead of {sorted(statuses)}")
        titles = sorted(course.titles())
        expect(titles == ["kept 1", "kept 2", "kept 3"], f"written: {titles}")
        status = Http(pool.target).request("GET", "/api/v1/health/ready").status
        expect(status == 200, f"ready: {status}")
    return f"{len(table)} kinds, 3 of them written"


def _bombs():
    mega = 1 << 20
    field = '{"title":"t","body":"b","x":'
    return {
        "deep arrays": b"[" * (mega - 1),
        "deep objects": b'{"a":' * (mega // 5 - 1),
        "wide array": (field + "[" + "0," * (mega // 2 - 40) + "0]}").encode(),
        "array of objects": (field + "[" + "{}," * (mega // 3 - 40) + "{}]}").encode(),
        "array of arrays": (field + "[" + "[]," * (mega // 3 - 40) + "[]]}").encode(),
        "many keys": ("{" + ",".join(f'"k{n:x}":0' for n in range(mega // 11)) + "}").encode(),
        "one key again": ('{"title":"t"' + ',"title":"t"' * (mega // 13) + "}").encode(),
        "long string": b'{"title":"t","body":"' + b"s" * (mega - 60) + b'"}',
        "long title": b'{"body":"b","title":"' + b"t" * (mega - 60) + b'"}',
        "escapes": b'{"title":"t","body":"' + rb"\u0041" * (mega // 6 - 10) + b'"}',
        "surrogates": b'{"title":"t","body":"' + rb"\ud800" * (mega // 6 - 10) + b'"}',
        "long key": b'{"' + b"k" * (mega - 60) + b'":1}',
        "long number": field.encode() + b"9" * (mega - 60) + b"}",
        "long exponent": field.encode() + b"1e" + b"9" * (mega - 60) + b"}",
        "spaces": b" " * mega,
        "combining marks": '{"title":"a'.encode() + "\u0301".encode() * 400000 + b'","body":"b"}',
        "not UTF-8": b'{"title":"t","body":"' + b"\xff" * (mega - 60) + b'"}',
        "zeros": bytes(mega),
    }


def json_bombs(run):
    """Bodies of 1 MiB that are deep, wide, full of keys, long or broken, several times each, and
    queries like that: 400, 413 or 422, nothing dies, no process grows by more than 16 MB"""
    phases, sent = Phases(run), 0
    with Pool(run.instance) as pool:
        with Load(pool.target, run.token("teacher"), writers=1, readers=2) as load:
            time.sleep(0.8)
            workers, sizes = pool.workers(), Sizes(*_all_processes(pool))
            phases.measure(1.2)
            http, begun = Http(pool.target, load.course.token), time.monotonic()
            for name, body in _bombs().items():
                for _ in range(run.of(4, 100)):
                    answer = http.request("POST", load.course.path, raw=body)
                    expect(answer.status in (400, 413, 422), f"{name}: {answer.status}")
                    expect(len(answer.body) < 65536, f"{name}: an answer of {len(answer.body)} bytes")
                    sent += 1
            for query in ("&".join(f"a{n}=1" for n in range(1500)), "limit=" + "9" * 7000,
                          "q=" + "%41" * 2500, "sort=" + ",".join(["title"] * 900),
                          "cursor=" + "A" * 7500, "created_at[gte]=" + urllib.parse.quote("\u00e9" * 900)):
                answer = http.request("GET", f"{load.course.path}?{query}")
                expect(answer.status in (400, 414, 422), f"query {query[:30]}…: {answer.status}")
                sent += 1
            phases.loud.append((begun, time.monotonic()))
            grown = sizes.growth()
            expect(pool.workers() == workers, "workers were replaced")
        figures = load.reckon(failed_max=0)
    return f"{sent} bombs, {grown}, {phases.compare(load)}, {figures}"


def refused_bodies(run):
    """Bodies of a megabyte that are refused unread (401, 413): each is answered at once and holds no
    worker; others and memory as above"""
    phases, mega, longest = Phases(run), 1 << 20, 0
    with Pool(run.instance) as pool:
        with Load(pool.target, run.token("teacher"), writers=1, readers=2) as load:
            time.sleep(0.5)
            phases.measure(1.2)
            sizes, begun = Sizes(*_all_processes(pool)), time.monotonic()
            for number in range(run.of(30, 600)):
                known = number % 2 == 0
                http = Http(pool.target, load.course.token if known else None)
                sent = time.monotonic()
                answer = http.request("POST", load.course.path, raw=b" " * (mega + known))
                longest = max(longest, time.monotonic() - sent)
                expect(answer.status == (413 if known else 401), f"{answer.status}")
                http.close()
            phases.loud.append((begun, time.monotonic()))
            grown = sizes.growth()
        figures = load.reckon(failed_max=0)
    expect(longest < 1, f"an answer took {longest:.1f} s")
    return f"longest {longest * 1000:.0f} ms, {phases.compare(load)}, {grown}, {figures}"


CASES = [slow_headers, slow_bodies, slow_readers, bodies, refused_bodies, json_bombs]
