"""A folder as an S3 bucket, with a delay before every answer: what a store far away costs, on one machine.

Speaks as much of S3's protocol as batchscore, Hadoop's S3A and pyarrow need; a bucket is a folder below the root, and a
key that ends in a slash a folder in it.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",  # boto3's word
    "AWS_REGION": "us-east-1",  # that of the other SDKs
}
"""What clients of the server, which asks for none, have to have."""

_UPLOADS = ".uploads"
_LISTED_AT_ONCE = 1000


def _etag(status: os.stat_result) -> str:
    return f'"{status.st_size:x}-{status.st_mtime_ns:x}"'


def _state(status: os.stat_result) -> str:
    modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(status.st_mtime))
    return f"<LastModified>{modified}</LastModified><ETag>{escape(_etag(status))}</ETag>"


def _listed(key: str, status: os.stat_result) -> str:
    size = 0 if key.endswith("/") else status.st_size
    told = f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass>"
    return f"<Contents><Key>{escape(key)}</Key>{_state(status)}{told}</Contents>"


def _keys(bucket: Path) -> Iterator[str]:
    """Yield the keys of a bucket: its files, and its empty folders with a slash at the end."""
    for folder, names, files in os.walk(bucket, followlinks=True):
        inside = Path(folder).relative_to(bucket).as_posix()
        start = "" if inside == "." else f"{inside}/"
        yield from (start + name for name in files)
        if start and not names and not files:
            yield start


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...


def _unchunked(stream: _Stream) -> bytes:
    """Read chunks to the last one, and the trailers; the chunks of HTTP and of AWS are alike."""
    pieces = []
    while size := int(stream.readline().split(b";")[0], 16):
        pieces.append(stream.read(size))
        stream.readline()
    while stream.readline().strip():
        pass
    return b"".join(pieces)


@dataclass
class Asked:
    """What a server was asked for."""

    requests: Counter[str] = field(default_factory=Counter)
    bytes_taken: int = 0
    bytes_given: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, method: str, taken: int, given: int) -> None:
        """Count a request."""
        with self.lock:
            self.requests[method] += 1
            self.bytes_taken += taken
            self.bytes_given += given


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits for a client's delayed acknowledgement of the headers, 40 ms
    root: Path
    delay_seconds: float
    asked: Asked

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def parse_request(self) -> bool:
        known = super().parse_request()
        url = urlsplit(self.path)
        self.key = unquote(url.path).lstrip("/")
        self.file = self.root / self.key
        self.taken = 0
        self.query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
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
        if "uploadId" in self.query:
            part = self._upload() / f"{int(self.query['partNumber']):05d}"
            part.write_bytes(content)
            self._answer(200, {"ETag": _etag(part.stat())})
        elif self.headers.get("If-None-Match") == "*" and self.file.exists():
            self._answer(412)
        elif self.key.endswith("/"):
            self.file.mkdir(parents=True, exist_ok=True)
            self._answer(200, {"ETag": '"0"'})
        elif "x-amz-copy-source" in self.headers:
            self._copy(self.root / unquote(self.headers["x-amz-copy-source"]).lstrip("/"))
        else:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_bytes(content)
            self._answer(200, {"ETag": _etag(self.file.stat())})

    def do_POST(self) -> None:
        content = self._body()
        if "uploads" in self.query:
            self.query["uploadId"] = uuid.uuid4().hex
            self._upload().mkdir(parents=True)
            self._answer_xml("InitiateMultipartUploadResult", f"<UploadId>{self.query['uploadId']}</UploadId>")
        elif "uploadId" in self.query:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("wb") as target:
                for part in sorted(self._upload().iterdir()):
                    target.write(part.read_bytes())
            shutil.rmtree(self._upload())
            self._answer_xml("CompleteMultipartUploadResult", f"<ETag>{escape(_etag(self.file.stat()))}</ETag>")
        else:
            for key in re.findall(r"<Key>(.*?)</Key>", content.decode()):
                self._remove(self.file / key)
            self._answer_xml("DeleteResult", "")

    def do_DELETE(self) -> None:
        if "uploadId" in self.query:
            shutil.rmtree(self._upload(), ignore_errors=True)
        else:
            self._remove(self.file)
        self._answer(204)

    def _upload(self) -> Path:
        return self.root / _UPLOADS / self.query["uploadId"]

    def _remove(self, path: Path) -> None:
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink(missing_ok=True)

    def _copy(self, source: Path) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self.file)
        self._answer_xml("CopyObjectResult", _state(self.file.stat()))

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            content = _unchunked(self.rfile)
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.taken = len(content)
        is_signed_in_chunks = "x-amz-decoded-content-length" in self.headers
        return _unchunked(io.BytesIO(content)) if is_signed_in_chunks else content

    def _send_object(self, *, with_body: bool) -> None:
        if self.file.is_dir() and (self.key.endswith("/") or "/" not in self.key):
            self._head(200, {"ETag": '"0"'}, 0)
            return
        if not self.file.is_file():
            self._answer(404)
            return
        status = self.file.stat()
        size = status.st_size
        first, last = 0, size - 1
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2] or size), size - 1)
        headers = {"ETag": _etag(status), "Last-Modified": self.date_time_string(status.st_mtime)}
        if found:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._head(206 if found else 200, headers, last - first + 1, with_body=with_body)
        if with_body:
            with self.file.open("rb") as file:
                while first <= last:
                    first += os.sendfile(self.connection.fileno(), file.fileno(), first, last - first + 1)

    def _list(self) -> None:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        after = self.query.get("continuation-token") or self.query.get("start-after", "")
        keys = sorted(key for key in _keys(self.file) if key.startswith(prefix))
        contents: dict[str, str] = {}
        for key in keys:
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folder = prefix + rest.partition(delimiter)[0] + delimiter
                contents[folder] = f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
            else:
                contents[key] = _listed(key, (self.file / key).stat())
        names = sorted(name for name in contents if name > after)
        page = names[: int(self.query.get("max-keys", _LISTED_AT_ONCE))]
        more = len(page) < len(names)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        told = f"<IsTruncated>{str(more).lower()}</IsTruncated><KeyCount>{len(page)}</KeyCount>{token}"
        self._answer_xml("ListBucketResult", told + "".join(contents[name] for name in page))

    def _answer_xml(self, name: str, content: str) -> None:
        body = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'
        self._answer(200, {"Content-Type": "application/xml"}, body.encode())

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self._head(status, headers or {}, len(body))
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str], length: int, *, with_body: bool = True) -> None:
        self.asked.add(self.command, self.taken, length if with_body else 0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.flush()


@dataclass(frozen=True)
class ObjectServer:
    """A running server, and what it was asked for so far."""

    endpoint: str
    asked: Asked


@contextmanager
def running_object_server(root: Path, delay_seconds: float) -> Iterator[ObjectServer]:
    """Run the server in threads of this process until the end of the block: its CPU is none of what this one starts."""
    asked = Asked()
    handler = type("Handler", (_Handler,), {"root": root, "delay_seconds": delay_seconds, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True  # connections that are kept open have one each
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, name="object-server")
        thread.start()
        try:
            yield ObjectServer(f"http://127.0.0.1:{server.server_port}", asked)
        finally:
            server.shutdown()
            thread.join()
