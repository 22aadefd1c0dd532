"""A proxy before PostgreSQL that knows the borders of messages and cuts at the one it is told."""
import os
import re
import selectors
import socket
import struct
import tempfile
import threading
import urllib.parse

from instance import give

TO_SERVER, TO_WORKER = "to the server", "to the worker"


class _Way:
    """One direction of a connection: bytes come, whole messages go"""

    def __init__(self, name, source, drain, greeting):
        self.name, self.source, self.drain = name, source, drain
        self.greeting = greeting  # the first message of a client has no type
        self.bytes = b""

    def messages(self):
        while True:
            skip = 0 if self.greeting else 1
            if len(self.bytes) < skip + 4:
                return
            size = skip + struct.unpack(">I", self.bytes[skip:skip + 4])[0]
            if len(self.bytes) < size:
                return
            message, self.bytes = self.bytes[:size], self.bytes[size:]
            self.greeting = False
            yield message


class Proxy:
    """with Proxy(directory, port) as proxy: connect to proxy.url(…); arm(way, n) lets n more
    messages through that way and then closes the connection on both sides"""

    def __init__(self, directory, port):
        self.upstream = f"{directory}/.s.PGSQL.{port}"
        self.dir = tempfile.mkdtemp(prefix="lectern-faults-pg.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.dir}/.s.PGSQL.5432")
        give(f"{self.dir}/.s.PGSQL.5432")
        os.chmod(f"{self.dir}/.s.PGSQL.5432", 0o666)
        self.listener.listen(64)
        self.armed, self.left, self.struck = None, 0, False
        self.lock = threading.Lock()
        self.pairs = set()
        self.ended = False

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *ignored):
        self.ended = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut_all()
        os.unlink(f"{self.dir}/.s.PGSQL.5432")
        os.rmdir(self.dir)

    def url(self, url):
        """The same role and database, through here"""
        place = urllib.parse.quote(self.dir, safe="")
        return re.sub(r"\?.*", f"?host={place}&port=5432", url)

    def arm(self, way, messages):
        with self.lock:
            self.armed, self.left, self.struck = way, messages, False

    def disarm(self):
        """Whether it has cut"""
        with self.lock:
            self.armed = None
            return self.struck

    def cut_all(self):
        with self.lock:
            for pair in list(self.pairs):
                for end in pair:
                    _shut(end)

    def _accept(self):
        while not self.ended:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        pair = (client, server)
        try:
            server.connect(self.upstream)
            with self.lock:
                self.pairs.add(pair)
            self._pump(_Way(TO_SERVER, client, server, True), _Way(TO_WORKER, server, client, False))
        except OSError:
            pass
        finally:
            with self.lock:
                self.pairs.discard(pair)
            client.close()
            server.close()

    def _pump(self, *ways):
        with selectors.DefaultSelector() as ready:
            for way in ways:
                ready.register(way.source, selectors.EVENT_READ, way)
            while True:
                for key, _ in ready.select():
                    way = key.data
                    part = way.source.recv(65536)
                    if not part:
                        return
                    way.bytes += part
                    for message in way.messages():
                        if self._strikes(way.name):
                            return
                        way.drain.sendall(message)
                        if self._strikes(way.name, sent=True):
                            return

    def _strikes(self, name, sent=False):
        """Before a message when none is left; after one that was the last"""
        with self.lock:
            if self.armed != name:
                return False
            if sent:
                self.left -= 1
                return False
            if self.left > 0:
                return False
            self.struck, self.armed = True, None
            return True


def _shut(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
