"""A real HTTP server on this machine that can be told to misbehave."""

import re
import sys
import threading
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """What happens instead of a good answer."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop_after: int | None = None  # bytes of the body, then the connection is closed
    stall_after: int | None = None  # bytes of the body, then nothing, and the connection stays
    cut: int | None = None  # the file's size, where it is shorter than it should be
    flip: int | None = None  # place of a byte of the file that comes with all its bits turned
    short: int | None = None  # bytes of the body, announced as if they were all
    shift: int = 0  # bytes by which a range is another than asked for
    no_range: bool = False  # 200 and all of the file, whatever was asked for
    endless: bool = False  # no announced length, and more than the file


class Server(ThreadingHTTPServer):
    """Serves ``folder``; use as a context manager.

    ``faults[path]`` is a queue: each request for ``path`` takes one, and is answered well once
    there are none left; ``lasting[path]`` is the fault of all others, until it is taken away.
    ``ranges = False`` answers every request with 200 and the whole file. ``stalled`` is set once an
    answer stalls.
    ``requests`` has each request's path and Range header, ``clients`` their User-Agent and
    Accept-Encoding; ``bytes_served`` counts bodies.
    """

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = Path(folder)
        self.ranges = True
        self.faults = defaultdict(deque)
        self.lasting = {}
        self.stalled = threading.Event()
        self.requests = []
        self.clients = set()
        self.bytes_served = 0
        self.lock = threading.Lock()
        self.closed = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closed.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """Be silent about clients that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*_)

    def asked(self, name):
        """Range headers of all requests for the file ``name``; None for a whole one."""
        return [header for path, header in self.requests if path.endswith("/" + name)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.partition("?")[0]
        with self.server.lock:
            self.server.requests.append((path, self.headers.get("Range")))
            about = self.headers.get("User-Agent"), self.headers.get("Accept-Encoding")
            self.server.clients.add(about)
            queue = self.server.faults[path.lstrip("/")]
            fault = self.server.lasting.get(path.lstrip("/"), Fault())
            fault = queue.popleft() if queue else fault
        file = self.server.folder / path.lstrip("/")
        if fault.status is not None or not file.is_file():
            body = bytes(4_000_000) if fault.endless else b""
            self.answer(fault.status or 404, {}, body, fault)
            return
        content = bytearray(file.read_bytes()[: fault.cut])
        if fault.flip is not None:
            content[fault.flip] ^= 0xFF
        self.serve(bytes(content), fault)

    def serve(self, content, fault):
        ranges = self.server.ranges and not fault.no_range
        header = self.headers.get("Range") if ranges else None
        if header is None:
            self.answer(200, {}, content, fault)
            return
        first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", header).groups()
        if not first:
            first, last = max(0, len(content) - int(last)), len(content) - 1
        first, last = int(first) - fault.shift, min(int(last or len(content)), len(content) - 1)
        if first >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"", fault)
            return
        about = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self.answer(206, about, content[first : last + 1], fault)

    def answer(self, status, headers, body, fault):
        self.send_response(status)
        for name, value in (headers | fault.headers).items():
            self.send_header(name, value)
        body = body[: fault.short]
        if not fault.endless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault.endless:
            body, self.close_connection = body * 100, True
        if fault.drop_after is not None:
            body, self.close_connection = body[: fault.drop_after], True
        if fault.stall_after is not None:
            body, self.close_connection = body[: fault.stall_after], True
        with suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(body), 4096):
                part = body[start : start + 4096]
                self.wfile.write(part)
                with self.server.lock:
                    self.server.bytes_served += len(part)
            if fault.stall_after is not None:
                self.wfile.flush()
                self.server.stalled.set()
                self.server.closed.wait()
            return
        self.close_connection = True
