"""A real HTTP server that stands for a vendor and remembers what it was sent."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

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
        requests: what arrived, oldest first, without those for a token.
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
            if self.path.endswith("/oauth2/v2.0/token"):
                self.answer_with_token(dict(parse_qsl(body)))
                return
            server.requests.append(Request(self.command, self.path, dict(self.headers), body))
            self.send_response(server.status)
            self.end_headers()

        def answer_with_token(self, given):
            """Answer as the OAuth 2.0 client credentials flow does, with a token that names the client."""
            is_valid = given.get("grant_type") == "client_credentials" and given.get("scope")
            token = {"token_type": "Bearer", "expires_in": 3599}
            token["access_token"] = f"token-of-{given.get('client_id')}"
            content = json.dumps(token if is_valid else {"error": "invalid_request"}).encode()
            self.send_response(200 if is_valid else 400)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815 - http.server's names

        def log_message(self, *_):
            """Say nothing on standard error."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = LocalServer(f"http://127.0.0.1:{listener.server_port}")
    with serving(listener):
        yield server
