"""The server with bad habits over HTTP, streamable and as the older transport of server-sent events."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

from tests.integration.mcp.odd_server import handle

JSON, EVENTS = "application/json", "text/event-stream"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.current: Queue[dict[str, Any]] = Queue()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/messages" or "id" not in message:
            self.send_response(202)
            self.end_headers()
            if "id" in message:
                self.server.current.put(message)
            return
        call = message.get("params", {}).get("arguments") or {}
        self.send_response(200)
        self.send_header("content-type", call.get("content_type", JSON))
        for name, value in call.get("headers", {}).items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            self._answer(message, call, event=False)

    def do_GET(self) -> None:
        if self.path != "/sse":
            self.send_error(405)
            return
        self.send_response(200)
        self.send_header("content-type", EVENTS)
        self.end_headers()
        waiting = self.server.current = Queue[dict[str, Any]]()
        with suppress(ConnectionError):
            self.wfile.write(b"event: endpoint\ndata: /messages\n\n")
            while True:
                message = waiting.get()
                self._answer(message, message.get("params", {}).get("arguments") or {}, event=True)

    def _answer(self, message: dict[str, Any], call: dict[str, Any], *, event: bool) -> None:
        if "unit" not in call:
            answer = {"jsonrpc": "2.0", "id": message["id"], **handle(message["method"], message["params"])}
            form = "event: message\r\ndata: %s\r\n\r\n" if event else "%s"
            self.wfile.write((form % json.dumps(answer)).encode())
            return
        self.wfile.write(call.get("begin", "").encode())
        chunk = call["unit"].encode() * (65_536 // len(call["unit"]))
        for _ in range(call.get("chunks", 1_000_000)):
            self.wfile.write(chunk)
        self.wfile.write(call.get("end", "").encode())

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def odd_over_http() -> Iterator[str]:
    """Serve on a free port of loopback, and yield the URL without a path: `/mcp` and `/sse` go on it."""
    server = _Server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
