"""A local HTTP server that speaks a vendor's API: what the servers of all vendors share."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.serving import serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it arrived.

    Attributes:
        body: the decoded JSON or form; an empty object where there is none.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer; `body` is sent as JSON, or as it is if it is a string."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Fault:
    times: int
    methods: frozenset[str]
    path_part: str
    response: Response | None
    accept_first: bool


class VendorServer:
    """Answers requests in threads, from a state that tests read.

    A vendor's class has `routes`: method and regular expression of the path, and the name of the method that
    answers with the request and the groups of the path.

    Attributes:
        url: where it listens.
        requests: all requests, in their order.
        silent: whether it takes requests and doesn't answer them.
    """

    routes: Mapping[tuple[str, str], str]

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.silent = False
        self.stopping = threading.Event()
        self._faults: list[_Fault] = []
        self._lock = threading.RLock()

    def respond(self, request: Request) -> Response:
        """Answer as the vendor does, and change the state."""
        if refusal := self.refuse(request):
            return refusal
        for (method, path), name in self.routes.items():
            match = re.fullmatch(path, request.path)
            if match and method == request.method:
                return getattr(self, name)(request, *match.groups())
        return Response(status=404, body={"message": f"No such operation: {request.method} {request.path}"})

    def refuse(self, request: Request) -> Response | None:
        """The answer to a request that isn't authenticated; None for one that is."""
        raise NotImplementedError

    def fail(
        self,
        status: int,
        *,
        times: int = 1,
        methods: tuple[str, ...] = ("GET", "POST", "PUT", "PATCH"),
        path_part: str = "",
        body: Any = None,
        **headers: str,
    ) -> None:
        """Refuse the next requests of these methods to paths with that part; `Retry_After` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = Response(status=status, body=body, headers=named)
        fault = _Fault(
            times=times,
            methods=frozenset(methods),
            path_part=path_part,
            response=response,
            accept_first=False,
        )
        self._faults.append(fault)

    def drop_connection(
        self, *, times: int = 1, methods: tuple[str, ...] = ("POST",), path_part: str = "", accept_first: bool
    ) -> None:
        """Close the connection without an answer; with `accept_first`, after doing what was asked."""
        fault = _Fault(
            times=times,
            methods=frozenset(methods),
            path_part=path_part,
            response=None,
            accept_first=accept_first,
        )
        self._faults.append(fault)

    def recover(self) -> None:
        """Refuse nothing and drop nothing any more."""
        with self._lock:
            self._faults.clear()

    def sent(self, method: str, path_part: str = "") -> list[Request]:
        """The requests of a method to paths with that part."""
        return [item for item in self.requests if item.method == method and path_part in item.path]

    def handle(self, request: Request) -> Response | None:
        """Answer, or None for a dropped connection."""
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.times and request.method in fault.methods and fault.path_part in request.path:
                    fault.times -= 1
                    if fault.accept_first:
                        self.respond(request)
                    return fault.response
            return self.respond(request)

    @contextlib.contextmanager
    def running(self) -> Iterator[VendorServer]:
        """Listen on a free port of 127.0.0.1."""
        listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        with serving(listener) as self.url:
            try:
                yield self
            finally:
                self.stopping.set()


def _handler(server: VendorServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8")
            request = Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=_decode(content, self.headers.get("Content-Type", "")),
            )
            if server.silent:
                while server.silent and not server.stopping.wait(0.05):
                    pass
                if not server.stopping.is_set():
                    # It answers again, and has forgotten what came meanwhile.
                    self.close_connection = True
                    return
            response = server.handle(request)
            if response is None:
                self.close_connection = True
                return
            content = response.body if isinstance(response.body, str) else json.dumps(response.body)
            encoded = b"" if response.body is None else content.encode()
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json;charset=utf-8")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Say nothing on standard error."""

    return Handler


def _decode(content: str, content_type: str) -> Mapping[str, Any]:
    if not content:
        return {}
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(content, keep_blank_values=True, strict_parsing=True))
    return json.loads(content)


def utf16_length(text: str) -> int:
    """How long a text is for vendors that count UTF-16 code units; fails for lone surrogates."""
    return len(text.encode("utf-16-le")) // 2
