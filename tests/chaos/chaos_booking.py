"""A customer's server with a side effect that is counted."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class BookingServer:
    """A customer's server whose side effect is counted: (idempotency key, call, parcel) of every request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                calls = body["message"]["toolCallList"]
                for call in calls:
                    arguments = call["function"]["arguments"]
                    parcel = (json.loads(arguments) if isinstance(arguments, str) else arguments)["parcel"]
                    seen.append((self.headers["idempotency-key"], self.headers["x-call-id"], parcel))
                answer = {"results": [{"toolCallId": call["id"], "result": "booked"} for call in calls]}
                payload = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/book"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def booked(self, call_id: str) -> list[tuple[str, str]]:
        return [(key, parcel) for key, call, parcel in self.seen if call == call_id]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
