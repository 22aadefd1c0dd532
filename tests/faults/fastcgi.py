"""FastCGI as nginx speaks it and as it should not be spoken, straight to a worker's socket."""
import os
import socket
import struct

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, GET_VALUES = 1, 2, 3, 4, 5, 6, 9
BEGIN_BODY = struct.pack(">HB5x", 1, 0)


def record(kind, content=b"", request=1, version=1):
    return struct.pack(">BBHHBB", version, kind, request, len(content), 0, 0) + content


def pair(name, value):
    def length(n):
        return bytes([n]) if n < 128 else struct.pack(">I", n | 1 << 31)
    name, value = name.encode(), value.encode()
    return length(len(name)) + length(len(value)) + name + value


def params(method="GET", path="/api/v1/health/live", body=b"", token=None, **more):
    values = {"REQUEST_METHOD": method, "DOCUMENT_URI": path, "QUERY_STRING": "",
              "CONTENT_LENGTH": str(len(body)) if body else "", "REQUEST_ID": os.urandom(8).hex(),
              "CONTENT_TYPE": "application/json" if body else "", "REMOTE_ADDR": "127.0.0.1",
              "SERVER_PROTOCOL": "HTTP/1.1", **more}
    if token:
        values["HTTP_AUTHORIZATION"] = "Bearer " + token
    return b"".join(pair(name, value) for name, value in values.items())


def head(**told):
    return record(BEGIN, BEGIN_BODY) + record(PARAMS, params(**told)) + record(PARAMS)


def whole(body=b"", **told):
    content = record(STDIN, body) if body else b""
    return head(body=body, **told) + content + record(STDIN)


def connect(path, timeout=10):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(timeout)
    peer.connect(path)
    return peer


def send(peer, data):
    """What the peer takes of it; a worker may have refused it already"""
    try:
        peer.sendall(data)
    except OSError:
        pass


def answer(peer):
    """All that comes, to the end"""
    data = b""
    try:
        while part := peer.recv(65536):
            data += part
    except ConnectionError:
        pass
    return data
