"""A folder as an S3 bucket, with a delay before every answer: what a store far away costs, on one machine.

Speaks as much of S3's protocol as a job needs; a bucket is a folder below the root. `python -m bench.object_server
ROOT DELAY_SECONDS` prints its port.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


def _etag(status: os.stat_result) -> str:
    return f'"{status.st_size:x}"'


def _listed(key: str, status: os.stat_result) -> str:
    modified = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime))
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{modified}</LastModified>"
        f"<Size>{status.st_size}</Size><ETag>{_etag(status)}</ETag></Contents>"
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    delay_seconds: float

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def parse_request(self) -> bool:
        known = super().parse_request()
        url = urlsplit(self.path)
        self.file = self.root / unquote(url.path).lstrip("/")
        self.query = parse_qs(url.query, keep_blank_values=True)
        time.sleep(self.delay_seconds)
        return known

    def do_HEAD(self) -> None:
        self._send_object(with_body=False)

    def do_GET(self) -> None:
        if "list-type" in self.query:
            self._list()
        else:
            self._send_object(with_body=True)

    def do_PUT(self) -> None:
        content = self._body()
        if self.headers.get("If-None-Match") == "*" and self.file.exists():
            self._answer(412)
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(content)
        self._answer(200, {"ETag": f'"{hashlib.md5(content).hexdigest()}"'})

    def do_POST(self) -> None:
        for key in re.findall(rb"<Key>(.*?)</Key>", self._body()):
            (self.file / key.decode()).unlink(missing_ok=True)
        self._answer(200, body=b"<DeleteResult/>")

    def _body(self) -> bytes:
        if "x-amz-decoded-content-length" not in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(pieces)

    def _send_object(self, *, with_body: bool) -> None:
        if not self.file.is_file():
            self._answer(404)
            return
        status = self.file.stat()
        size = status.st_size
        first, last = 0, size - 1
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2]), size - 1)
        headers = {"ETag": _etag(status), "Last-Modified": self.date_time_string(status.st_mtime)}
        if found:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._head(206 if found else 200, headers, last - first + 1)
        if with_body:
            with self.file.open("rb") as file:
                while first <= last:
                    first += os.sendfile(self.connection.fileno(), file.fileno(), first, last - first + 1)

    def _list(self) -> None:
        prefix = self.query.get("prefix", [""])[0]
        files = {path.relative_to(self.file).as_posix(): path for path in self.file.rglob("*") if path.is_file()}
        contents = "".join(_listed(key, path.stat()) for key, path in sorted(files.items()) if key.startswith(prefix))
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        self._answer(200, {"Content-Type": "application/xml"}, body.encode())

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self._head(status, headers or {}, len(body))
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.flush()


@contextmanager
def running_object_server(root: Path, delay_seconds: float) -> Iterator[str]:
    """Run the server in a process of its own until the end of the block; gives its endpoint."""
    command = [sys.executable, "-m", "bench.object_server", str(root), str(delay_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


if __name__ == "__main__":
    _Handler.root, _Handler.delay_seconds = Path(sys.argv[1]), float(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
