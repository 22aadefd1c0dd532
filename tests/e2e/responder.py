"""A FastCGI responder that says what it was sent, to see nginx's half of the conversation."""
import json
import os
import socket
import struct
import threading
import time

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def _read(conn, count):
    data = b""
    while len(data) < count:
        part = conn.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _pairs(data):
    pos = 0

    def length():
        nonlocal pos
        if data[pos] < 128:
            pos += 1
            return data[pos - 1]
        pos += 4
        return struct.unpack(">I", data[pos - 4:pos])[0] & 0x7FFFFFFF

    found = []
    while pos < len(data):
        name, value = length(), length()
        found.append((data[pos:pos + name].decode("latin-1"),
                      data[pos + name:pos + name + value].decode("latin-1")))
        pos += name + value
    return found


def _record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


class Responder:
    """Listens at one socket; `calls` counts the requests by path."""

    def __init__(self, path, pool):
        self.path, self.pool, self.calls = path, pool, {}
        self.listener = None
        self.lock = threading.Lock()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(64)
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)

    def _serve(self, listener):
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(conn,), daemon=True).start()

    def _answer(self, conn):
        params, body = b"", b""
        try:
            while True:
                _, kind, _, size, padding, _ = struct.unpack(">BBHHBB", _read(conn, 8))
                content = _read(conn, size)
                _read(conn, padding)
                params += content if kind == PARAMS else b""
                body += content if kind == STDIN else b""
                if kind == STDIN and size == 0:
                    break
            reply = self._reply(_pairs(params), body)
            if reply is not None:
                for at in range(0, len(reply), 60000):
                    conn.sendall(_record(STDOUT, reply[at:at + 60000]))
                conn.sendall(_record(STDOUT, b"") + _record(END, bytes(8)))
        except (EOFError, OSError):
            pass
        finally:
            conn.close()

    def _reply(self, params, body):
        path = dict(params)["DOCUMENT_URI"]
        with self.lock:
            self.calls[path] = self.calls.get(path, 0) + 1
        if path.endswith("/crash"):
            return None
        if path.endswith("/slow"):
            time.sleep(3)
        status, kind = "200 OK", "application/json"
        text = json.dumps({"pool": self.pool, "params": params, "body_bytes": len(body)})
        if path.endswith("/refused"):
            status, kind = "422 Unprocessable Content", "application/problem+json"
            text = '{"code":"validation_failed"}'
        if path.endswith("/long"):
            text = json.dumps({"data": "a" * 8000})
        return (f"Status: {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n"
                "X-Request-Id: of-the-worker\r\nX-Frame-Options: of-the-worker\r\n"
                f"X-Rate-Limit-Remaining: 7\r\n\r\n{text}").encode()
