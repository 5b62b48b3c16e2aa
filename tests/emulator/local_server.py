"""A real HTTP server that stands for a vendor and remembers what it was sent."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.serving import serving


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class LocalServer:
    """A running server.

    Attributes:
        url: where it answers.
        requests: what arrived, oldest first.
        status: what it answers from now on.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    status: int = 200


@contextlib.contextmanager
def local_server():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            server.requests.append(Request(self.command, self.path, dict(self.headers), body))
            self.send_response(server.status)
            self.end_headers()

        do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815 - http.server's names

        def log_message(self, *_):
            """Say nothing on standard error."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = LocalServer(f"http://127.0.0.1:{listener.server_port}")
    with serving(listener):
        yield server
