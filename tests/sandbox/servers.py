"""Programs around a running sandbox: one that calls it, and small web servers that a browser is sent to."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlencode, urlsplit

if TYPE_CHECKING:
    from withings_auth.sandbox import Sandbox


class WebServer:
    """Serves on 127.0.0.1 inside its `with` block; subclasses answer."""

    def __init__(self) -> None:
        answer = self.answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.port = self._server.server_port

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Callback(WebServer):
    """An app's callback: keeps each query that arrives, and answers with a page."""

    PAGE = (
        "<!doctype html><html lang=en><title>App</title><link rel=icon href='data:,'>"
        "<body><h1>Back at the app</h1><p>received &amp; saved</p>"
    )

    def __init__(self) -> None:
        super().__init__()
        self.queries: list[dict[str, list[str]]] = []

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        if urlsplit(request.path).path != "/":
            request.send_error(404)
            return
        self.queries.append(parse_qs(urlsplit(request.path).query))
        request.send_response(200)
        request.send_header("Content-Type", "text/html; charset=utf-8")
        request.end_headers()
        request.wfile.write(self.PAGE.encode())


class Elsewhere(WebServer):
    """Redirects `/N` N times and then to `target`; at `/held` it answers once `release` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self.target = "https://evil.example/"
        self.release = threading.Event()
        self.visits = 0

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self.visits += 1
        if request.path == "/held":
            self.release.wait(60)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the visitor has left
                request.send_response(200)
                request.end_headers()
                request.wfile.write(b"\x1b[2J saved \xe2\x80\xae")
            return
        number = int(request.path[1:])
        request.send_response(302)
        request.send_header("Location", f"/{number - 1}" if number else self.target)
        request.end_headers()

    def __exit__(self, *exception: object) -> None:
        self.release.set()
        super().__exit__(*exception)


class Caller:
    """Calls a running sandbox over a real socket, and follows no redirects."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def request(
        self,
        path: str,
        *,
        method: str = "POST",
        form: dict[str, str] | None = None,
        timeout: float = 60,
        **headers: str,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Sends one request on its own connection; returns the response and its whole body."""
        body = None
        if form is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
            body = urlencode(form)
        address = urlsplit(self.sandbox.url).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=timeout)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()

    def refresh(self, refresh_token: str, *, timeout: float = 60) -> tuple[http.client.HTTPResponse, bytes]:
        """Sends a refresh; returns the response and its whole body."""
        form = {
            "action": "requesttoken",
            "grant_type": "refresh_token",
            "client_id": self.sandbox.client_id,
            "client_secret": self.sandbox.client_secret,
            "refresh_token": refresh_token,
        }
        return self.request("/v2/oauth2", form=form, timeout=timeout)

    def register(self, callback: Callback, host: str = "localhost") -> str:
        """Registers a callback's URL with the app; returns it."""
        uri = f"http://{host}:{callback.port}"
        self.sandbox.register_redirect_uri(uri)
        return uri

    def authorize_url(self, redirect_uri: str, **changes: str) -> str:
        """Returns the URL that an app would send a browser to."""
        query = {
            "response_type": "code",
            "client_id": self.sandbox.client_id,
            "state": "the-state",
            "scope": "user.info,user.metrics",
            "redirect_uri": redirect_uri,
            **changes,
        }
        return f"{self.sandbox.endpoints.authorize_url}?{urlencode(query)}"
