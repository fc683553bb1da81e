"""A reverse proxy before an S3 server: it records every request and plays scripted faults."""

from __future__ import annotations

import http.client
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit

_NOT_FORWARDED = {"connection", "transfer-encoding", "expect", "content-length"}


@dataclass(frozen=True)
class Request:
    """A request as it arrived; ``path`` is ``/bucket/key``, decoded, and the names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}"


@dataclass(frozen=True)
class Answer:
    """What the client gets; ``sent_bytes`` cuts the body after so many bytes and drops the connection.

    ``reset`` drops it by a TCP reset, not in order.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    sent_bytes: int | None = None
    reset: bool = False
    stalled_seconds: float = 0


class Forward(Protocol):
    """A request on its way: calling it asks the server, which may be done once."""

    client_port: int

    def __call__(self, *without: str) -> Answer:
        """Hand the request on, without the headers named in lower case, and return the server's answer."""

    def receive(self, byte_count: int) -> None:
        """Take so many bytes of the request's body off the client, and no more."""


Script = Callable[[Forward], Answer]


class ConnectionDroppedError(Exception):
    """Raised by a script: the client gets a reset for an answer."""


def refuse(status: int, code: str) -> Script:
    """Answer with an error of S3; the server never sees the request."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>scripted</Message></Error>".encode()
    return lambda _: Answer(status, {"Content-Type": "application/xml"}, body)


def lose_answer(forward: Forward) -> Answer:
    """Let the server do what is asked, but answer that it failed."""
    forward()
    return refuse(500, "InternalError")(forward)


def strip(*names: str) -> Script:
    """Hand the request on without some of its headers, as to a server that passes over them."""
    return lambda forward: forward(*names)


def cut_body(sent_bytes: int) -> Script:
    """Drop the connection after so many bytes of the answer's body."""
    return lambda forward: replace(forward(), sent_bytes=sent_bytes)


def reset_body(sent_bytes: int) -> Script:
    """Reset the connection after so many bytes of the answer's body."""
    return lambda forward: replace(forward(), sent_bytes=sent_bytes, reset=True)


def reset_upload(received_bytes: int) -> Script:
    """Reset the connection after so many bytes of the request's body; the server never sees the request."""

    def script(forward: Forward) -> Answer:
        forward.receive(received_bytes)
        raise ConnectionDroppedError

    return script


def land_and_drop(forward: Forward) -> Answer:
    """Let the server do what is asked, and reset the connection in place of an answer."""
    forward()
    raise ConnectionDroppedError


def delay(seconds: float) -> Script:
    """Let the request through after so many seconds."""
    return after(lambda: time.sleep(seconds))


def stall(seconds: float, *, sent_bytes: int | None = None) -> Script:
    """Let the server do what is asked, then keep the client waiting; with ``sent_bytes`` in the middle of the body."""

    def script(forward: Forward) -> Answer:
        answer = forward()
        if sent_bytes is None:
            time.sleep(seconds)
            raise ConnectionDroppedError
        return replace(answer, sent_bytes=sent_bytes, stalled_seconds=seconds)

    return script


class HeldUpload:
    """Takes an upload off its client, and lets the server see it when the block of this ends."""

    def __init__(self) -> None:
        self._received, self._released = threading.Event(), threading.Event()
        self._landed = SimpleQueue[int]()

    def __call__(self, forward: Forward) -> Answer:
        """Play the script."""
        forward.receive(sys.maxsize)  # now: its sender may be gone by the time it is wanted
        self._received.set()
        self._released.wait()
        answer = forward()
        self._landed.put(answer.status)
        return answer

    def __enter__(self) -> Self:
        """Hold the upload."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go."""
        self._released.set()

    def wait(self, timeout: float) -> bool:
        """Wait until the upload is held; False if it is not in this time."""
        return self._received.wait(timeout)

    def landed(self, timeout: float) -> int:
        """Return the status that the server answers with."""
        return self._landed.get(timeout=timeout)


def after(action: Callable[[], object]) -> Script:
    """Do something else first, then let the request through."""

    def script(forward: Forward) -> Answer:
        action()
        return forward()

    return script


@dataclass
class _Rule:
    method: str
    part: str
    script: Script
    skip: int
    times: int | None


@dataclass
class Proxy:
    """What the proxy has seen, and what it is to play."""

    upstream: str
    endpoint: str = ""
    requests: list[Request] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _choose: Callable[[Request], Script | None] = field(default=lambda _: None)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, method: str, part: str, script: Script, *, skip: int = 0, times: int | None = None) -> None:
        """Play ``script`` for requests whose target holds ``part``: after ``skip`` of them, ``times`` times."""
        self._rules.append(_Rule(method, part, script, skip, times))

    def play_chosen(self, choose: Callable[[Request], Script | None]) -> None:
        """Ask ``choose``, one request at a time, what to play where no rule holds."""
        self._choose = choose

    def stop(self) -> None:
        """Play nothing from now on."""
        self._rules.clear()
        self._choose = lambda _: None

    def unplayed(self) -> list[str]:
        """Return what was to be played for a number of requests and has not been for all of them."""
        return [f"{rule.times} of {rule.method} {rule.part}" for rule in self._rules if rule.times]

    def seen(self, method: str, part: str = "") -> list[Request]:
        """Return the requests of a method whose target holds ``part``."""
        return [request for request in self.requests if request.method == method and part in request.target]

    def script_for(self, request: Request) -> Script | None:
        """Record a request and return what is to be played for it."""
        with self._lock:
            self.requests.append(request)
            for rule in self._rules:
                if rule.method != request.method or rule.part not in request.target or rule.times == 0:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                rule.times = None if rule.times is None else rule.times - 1
                return rule.script
            return self._choose(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def _serve(self) -> None:
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, unquote(address.path), address.query, headers)
        script = self.proxy.script_for(request)
        forward = _Exchange(self)
        try:
            answer = script(forward) if script else forward()
            forward.receive(forward.body_bytes)
            self._reply(answer)
        except ConnectionDroppedError:
            self._reset()
        except ConnectionError:  # the client has gone
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _reply(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers.items():
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in _NOT_FORWARDED:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.sent_bytes])
        time.sleep(answer.stalled_seconds)
        self.close_connection = self.close_connection or answer.sent_bytes is not None
        if answer.reset:
            self._reset()

    def _reset(self) -> None:
        # A socket that lingers for no time is closed by a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Keep quiet."""


class _Exchange:
    """The request that a handler has read the headers of."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self._body = b""
        self.client_port: int = handler.client_address[1]
        self.body_bytes = int(handler.headers.get("Content-Length", "0"))

    def receive(self, byte_count: int) -> None:
        left = min(byte_count, self.body_bytes) - len(self._body)
        if left > 0:
            self._body += self._handler.rfile.read(left)

    def __call__(self, *without: str) -> Answer:
        self.receive(self.body_bytes)
        handler = self._handler
        connection = http.client.HTTPConnection(urlsplit(handler.proxy.upstream).netloc, timeout=60)
        try:
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() not in {*_NOT_FORWARDED, *without}:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(self.body_bytes))
            connection.endheaders(self._body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


@contextmanager
def running_proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy on a free port until the end of the block."""
    proxy = Proxy(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="proxy", kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
