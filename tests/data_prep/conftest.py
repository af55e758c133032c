"""A local HTTP server that misbehaves on request."""

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data_prep.fetch import download


@dataclass
class LocalServer:
    """Files served, faults to commit, and what was asked (path and Range header)."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    lengths: bool = True
    break_after: list[int] = field(default_factory=list)  # bytes sent before hanging up, per answer
    statuses: list[int] = field(default_factory=list)  # answered instead, one per request
    redirect: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    url: str = ""


def _handler(server: LocalServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked_range = self.headers.get("Range")
            server.asked.append((self.path, asked_range))
            server.agents.append(self.headers["User-Agent"])
            body = server.files.get(self.path.lstrip("/"))
            if server.redirect is not None:
                self.send_response(302)
                self.send_header("Location", server.redirect)
                self.end_headers()
            elif server.statuses:
                self.send_error(server.statuses.pop(0))
            elif body is None:
                self.send_error(404)
            elif asked_range and server.ranges:
                self._part(body, int(re.fullmatch(r"bytes=(\d+)-", asked_range)[1]))
            else:
                self._send(200, body, {})

        def _part(self, body, start):
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            where = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            self._send(206, body[start:], where)

        def _send(self, status, body, headers):
            self.send_response(status)
            if server.lengths:
                self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            cut = server.break_after.pop(0) if server.break_after else len(body)
            self.wfile.write(body[:cut])

        def log_message(self, *args):
            pass

    return Handler


@pytest.fixture
def server(monkeypatch):
    """A `LocalServer` on a free port of 127.0.0.1; retries do not wait."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "BACKOFF", 0.0)
    state = LocalServer()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()
