"""Peers at a worker's own socket that are silent, cut off or talk nonsense. Only nginx's group can
open it (mode 0660), so these are faults of nginx or of its host, not of clients."""
import random
import struct
import time

import fastcgi
from instance import Pool, expect, until
from ledger import Load
from others import Phases, Sizes

STALL_MS = 500


def stalled_peers(run):
    """Peers that send nothing, a byte, half a head or half a body, or do not read, hold half of the
    workers: each is let go after its time, p99 of other clients at most twice the quiet one"""
    token = run.token("teacher")
    kinds = {
        "silent": b"",
        "one byte": b"\1",
        "half a head": fastcgi.head()[:40],
        "half a body": fastcgi.head(method="POST", path="/api/v1/courses", token=token, body=b"x" * 99)
                       + fastcgi.record(fastcgi.STDIN, b"x" * 9),
        "not reading": fastcgi.whole(path="/api/v1/openapi.json"),
    }
    phases, held = Phases(run), {}
    with Pool(run.instance, {"WORKER_STALL_TIMEOUT_MS": str(STALL_MS)}) as pool:
        workers = pool.workers()
        with Load(pool.target, token, writers=1, readers=2) as load:
            time.sleep(0.5)
            phases.measure(run.of(1.5, 10))
            begun = time.monotonic()
            for _ in range(run.of(1, 20)):
                for kind, data in kinds.items():
                    held[kind] = max(held.get(kind, 0), _hold(pool, data, len(workers) // 2))
            phases.loud.append((begun, time.monotonic()))
            phases.measure(run.of(1, 10))
        figures = load.reckon(failed_max=0)
        expect(pool.workers() == workers, "workers were replaced")
        for kind, seconds in held.items():
            most = STALL_MS / 1000 * (5 if kind == "half a body" else 2)
            expect(seconds < most + 1, f"a peer ({kind}) held a worker for {seconds:.1f} s")
    told = ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in held.items())
    return f"{phases.compare(load)}, {figures}; held ({STALL_MS} ms a wait): {told}"


def _hold(pool, data, count):
    """Seconds until the workers have let go of so many peers"""
    peers, begun = [], time.monotonic()
    for _ in range(count):
        peer = fastcgi.connect(pool.socket)
        fastcgi.send(peer, data)
        peers.append(peer)
    if data.endswith(fastcgi.record(fastcgi.STDIN)):
        time.sleep(STALL_MS / 1000 * 1.5)  # what it does not read is an answer
    for peer in peers:
        fastcgi.answer(peer)
        peer.close()
    return time.monotonic() - begun


def all_stalled(run):
    """Three silent peers for every worker, at once: others wait for at most three times the stall
    time, and no request fails"""
    with Pool(run.instance, {"WORKER_STALL_TIMEOUT_MS": str(STALL_MS)}, workers=2) as pool:
        with Load(pool.target, run.token("teacher"), writers=1, readers=1) as load:
            for _ in range(run.of(1, 20)):
                time.sleep(0.4)
                _hold(pool, b"", 6)
            time.sleep(0.3)
        figures = load.reckon(failed_max=0)
    longest = max(s.seconds for s in load.seen)
    expect(longest < 3 * STALL_MS / 1000 + 1, f"a request waited for {longest:.1f} s")
    return f"longest wait {longest:.1f} s, {figures}"


def truncated_peers(run):
    """A write cut off after each of its bytes: no worker ends, nothing is written, others are
    served at a p99 of at most twice the quiet one"""
    token, phases = run.token("teacher"), Phases(run)
    with Pool(run.instance, {"WORKER_STALL_TIMEOUT_MS": str(STALL_MS)}) as pool:
        workers = pool.workers()
        with Load(pool.target, token, writers=1, readers=2) as load:
            data = fastcgi.whole(method="POST", path=load.course.path, token=token,
                                 body=b'{"title":"cut off","body":"x"}')
            time.sleep(0.5)
            phases.measure(1.5)
            begun = time.monotonic()
            while time.monotonic() < begun + run.of(1.5, 30):
                for size in range(0, len(data) - 8, run.of(3, 1)):
                    with fastcgi.connect(pool.socket) as peer:
                        fastcgi.send(peer, data[:size])
                    time.sleep(0.002)
            phases.loud.append((begun, time.monotonic()))
        figures = load.reckon(failed_max=0)
        expect(pool.workers() == workers, "workers were replaced")
    return f"cut off at each of {len(data)} bytes, {phases.compare(load)}, {figures}"


def _nonsense(chance, good):
    """Something that is not a request: noise, or a request with a few things changed"""
    kind = chance.randrange(8)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 300))
    if kind == 1:  # lengths that promise more than there is
        return fastcgi.record(fastcgi.BEGIN, fastcgi.BEGIN_BODY) + struct.pack(
            ">BBHHBB", 1, fastcgi.PARAMS, 1, 65535, 255, 0) + chance.randbytes(200)
    if kind == 2:  # a parameter whose length is two gigabytes
        return fastcgi.record(fastcgi.BEGIN, fastcgi.BEGIN_BODY) + fastcgi.record(
            fastcgi.PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xff" + b"A" * 50) + fastcgi.record(fastcgi.PARAMS)
    if kind == 3:  # a management record where the parameters should be
        names = b"".join(fastcgi.pair(f"FCGI_{n}", "") for n in range(20))
        return fastcgi.record(fastcgi.GET_VALUES, names, request=0) + good
    if kind == 4:
        return fastcgi.record(fastcgi.BEGIN, fastcgi.BEGIN_BODY) + fastcgi.record(fastcgi.ABORT) + good
    if kind == 5:  # more parameters than a head may have
        return fastcgi.record(fastcgi.BEGIN, fastcgi.BEGIN_BODY) + 20 * fastcgi.record(
            fastcgi.PARAMS, b"".join(fastcgi.pair(f"HTTP_{n}", "v" * 40) for n in range(1000)))
    data = bytearray(good)
    end = len(good) - 8  # what comes after the parameters is another case
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(end)] = chance.randrange(256)
    return bytes(data)


def malformed_peers(run):
    """Thousands of connections with noise, false lengths and changed bytes: no worker ends or grows
    by more than 16 MB, p99 of other clients at most twice the quiet one"""
    chance, phases = random.Random(run.of(1, time.time_ns())), Phases(run)
    good, count = fastcgi.whole(), 0
    with Pool(run.instance, {"WORKER_STALL_TIMEOUT_MS": "200"}) as pool:
        workers = pool.workers()
        with Load(pool.target, run.token("teacher"), writers=1, readers=2) as load:
            time.sleep(0.8)
            sizes = Sizes(pool.master.pid, *workers)
            phases.measure(1.5)
            begun = time.monotonic()
            while time.monotonic() < begun + run.of(2.5, 60):
                with fastcgi.connect(pool.socket) as peer:
                    fastcgi.send(peer, _nonsense(chance, good))
                count += 1
                time.sleep(0.002)
            phases.loud.append((begun, time.monotonic()))
            grown = sizes.growth()
        figures = load.reckon(failed_max=0)
        expect(pool.workers() == workers, "workers were replaced")
    return f"{count} connections, {phases.compare(load)}, {grown}, {figures}"


def management_records(run):
    """Known and stated: a GET_VALUES record with four of its names after the parameters ends the
    worker inside libfcgi. Only nginx could send it; the worker is replaced, at most the request of
    that connection is lost"""
    names = 8 * fastcgi.pair("FCGI_MAX_CONNS", "")
    data = fastcgi.head(method="POST", path="/api/v1/courses", body=b"x" * 10) + fastcgi.record(
        fastcgi.GET_VALUES, names, request=0) + fastcgi.record(fastcgi.STDIN, b"x" * 10)
    with Pool(run.instance, {"WORKER_STALL_TIMEOUT_MS": str(STALL_MS)}) as pool:
        before = set(pool.workers())
        with Load(pool.target, run.token("teacher"), writers=1, readers=2) as load:
            for _ in range(run.of(3, 30)):
                time.sleep(0.3)
                with fastcgi.connect(pool.socket) as peer:
                    fastcgi.send(peer, data)
                    fastcgi.answer(peer)
            until(lambda: len(pool.workers()) == 4, 5, "workers are replaced")
        figures = load.reckon(failed_max=0)
        ended = len(before - set(pool.workers()))
    return f"{ended} workers ended and were replaced, {figures}"


CASES = [stalled_peers, all_stalled, truncated_peers, malformed_peers, management_records]
