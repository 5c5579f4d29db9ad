"""A real HTTP server on this machine that can be told to misbehave."""

import re
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """What happens instead of a good answer: a status, or a connection dropped mid-file."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop_after: int | None = None  # bytes of the body


class Server(ThreadingHTTPServer):
    """Serves ``folder``; use as a context manager.

    ``faults[path]`` is a queue: each request for ``path`` takes one, and is answered well once
    there are none left. ``ranges = False`` answers every request with 200 and the whole file.
    ``requests`` has each request's path and Range header, ``bytes_served`` counts bodies.
    """

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = Path(folder)
        self.ranges = True
        self.faults = defaultdict(deque)
        self.requests = []
        self.agents = set()
        self.bytes_served = 0
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

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
            self.server.agents.add(self.headers.get("User-Agent"))
            queue = self.server.faults[path.lstrip("/")]
            fault = queue.popleft() if queue else Fault()
        file = self.server.folder / path.lstrip("/")
        if fault.status is not None or not file.is_file():
            self.answer(fault.status or 404, fault.headers, b"")
            return
        self.serve(file.read_bytes(), fault)

    def serve(self, content, fault):
        header = self.headers.get("Range") if self.server.ranges else None
        if header is None:
            self.answer(200, {}, content, fault.drop_after)
            return
        first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", header).groups()
        if not first:
            first, last = max(0, len(content) - int(last)), len(content) - 1
        first, last = int(first), min(int(last or len(content)), len(content) - 1)
        if first >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            return
        about = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self.answer(206, about, content[first : last + 1], fault.drop_after)

    def answer(self, status, headers, body, drop_after=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if drop_after is not None:
            body, self.close_connection = body[:drop_after], True
        for start in range(0, len(body), 4096):
            try:
                self.wfile.write(body[start : start + 4096])
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
                return
            with self.server.lock:
                self.server.bytes_served += len(body[start : start + 4096])
