"""Faults of our own processes: killed workers, renewed workers, a master that goes away."""
import os
import signal
import subprocess
import threading
import time

from instance import Http, Pool, as_service, expect, until
from ledger import Load


def worker_kill(run):
    """kill -9 of a random worker once a second: at most one failed request a kill, none wrong"""
    master, kills, restarts = run.instance.process("api"), 0, []
    count = run.instance.count
    with Load(run.instance.target, run.token("teacher")) as load:
        for n in range(run.of(8, 120)):
            time.sleep(0.8)
            workers = run.instance.workers()
            victim, begun = workers[n % len(workers)], time.monotonic()
            os.kill(victim, signal.SIGKILL)
            kills += 1
            until(lambda: len(now := run.instance.workers()) == count and victim not in now, 3,
                  "the worker is replaced", 0.005)
            restarts.append(time.monotonic() - begun)
    # 409 to a write that comes again before the backend of the killed worker has noticed.
    figures = load.reckon({502, 409}, failed_max=kills)
    expect(run.instance.process("api") == master, "the master is another one")
    return f"{kills} kills, {figures}; replaced within {max(restarts) * 1000:.0f} ms"


def reload(run):
    """SIGHUP under load, again and again: no request fails, every worker is a new one"""
    master, rounds, count = run.instance.process("api"), run.of(3, 40), run.instance.count
    with Load(run.instance.target, run.token("teacher")) as load:
        for _ in range(rounds):
            before = until(lambda: len(now := set(run.instance.workers())) == count and now, 5,
                           "all workers are there")
            time.sleep(0.3)
            os.kill(master, signal.SIGHUP)
            until(lambda: len(now := set(run.instance.workers())) == count and not now & before,
                  15, "workers are renewed")
            time.sleep(0.3)
    return f"{rounds} reloads, {load.reckon(failed_max=0)}"


def bad_reload(run):
    """SIGHUP with settings that are not valid, under load: nothing changes, no request fails"""
    with Pool(run.instance, workers=2) as pool:
        before = pool.workers()
        path = pool.dir / "lectern.env"
        with Load(pool.target, run.token("teacher"), writers=2, readers=2) as load:
            path.write_text(path.read_text() + "DEFAULT_READ_LIMIT=many\n")
            pool.master.send_signal(signal.SIGHUP)
            time.sleep(1)
            expect(pool.workers() == before, "the workers are others")
        return load.reckon(failed_max=0)


def master_restart(run):
    """The master ends and starts again over a listener that stays: requests wait, none fails"""
    with Pool(run.instance, holder=True) as pool:
        ends = []
        with Load(pool.target, run.token("teacher"), writers=3, readers=3) as load:
            for _ in range(run.of(3, 30)):
                time.sleep(0.4)
                begun = time.monotonic()
                pool.master.send_signal(signal.SIGTERM)
                pool.master.wait(10)
                time.sleep(0.3)
                pool.start()
                ends.append(time.monotonic() - begun)
                until(lambda: len(pool.workers()) == 4, 5, "workers are there")
        figures = load.reckon(failed_max=0)
        return f"{len(ends)} restarts, {figures}; longest wait {max(s.seconds for s in load.seen):.2f} s"


def socket_activation(run):
    """Started by systemd-socket-activate with the first connection: it is answered"""
    with Pool(run.instance, workers=1, nginx=False) as pool:
        pool.master.terminate()
        pool.master.wait(10)
        command = ["systemd-socket-activate", f"--listen={pool.socket}"] + as_service(
            [str(run.instance.bin / "lectern-api"), "--config", str(pool.dir / "lectern.env"),
             "--pool", "api", "--workers", "2"])
        own = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            until(lambda: os.path.exists(pool.socket), 5, "systemd-socket-activate listens")
            if os.geteuid() == 0:
                os.chmod(pool.socket, 0o666)  # here nobody sets the group, as SocketGroup= does
            pool.edge()
            until(lambda: os.path.exists(pool.dir / "nginx.pid"), 5, "nginx listens")
            begun = time.monotonic()
            answer = Http(pool.target).request("GET", "/api/v1/health/ready")
            expect(answer.status == 200, f"{answer.status} {answer.body[:200]!r}")
            return f"first answer after {(time.monotonic() - begun) * 1000:.0f} ms"
        finally:
            own.terminate()
            own.wait(10)


def log_full(run):
    """Every write of a log line fails (/dev/full): the service goes on, nothing is refused"""
    with open("/dev/full", "wb") as full:
        with Pool(run.instance, workers=2, stderr=full) as pool:
            before = pool.workers()
            with Load(pool.target, run.token("teacher"), writers=2, readers=2) as load:
                time.sleep(run.of(2, 60))
            expect(pool.workers() == before, "workers were replaced")
            return load.reckon(failed_max=0)


def log_stuck(run):
    """Nobody reads the log's pipe and it is full: the service goes on, nothing is refused"""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            with Pool(run.instance, workers=2, stderr=pipe) as pool:
                with Load(pool.target, run.token("teacher"), writers=2, readers=2,
                          timeout=8) as load:
                    time.sleep(run.of(2, 60))
                drain = threading.Thread(target=_drain, args=(reading,), daemon=True)
                drain.start()
                return load.reckon(failed_max=0)
    finally:
        os.close(reading)


def _drain(fd):
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass


CASES = [worker_kill, reload, bad_reload, master_restart, socket_activation, log_full, log_stuck]
