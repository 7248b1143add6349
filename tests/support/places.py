"""Local servers that remember what they were sent: an API with set answers, and other origins."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    connection: object

    @property
    def authorization(self) -> str | None:
        """The Authorization header."""
        return self.headers.get("authorization")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; with `hold`, the second half of the body is sent only once that is set."""

    http_status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hold: threading.Event | None = None


def envelope(status: int, **body: object) -> Reply:
    """An answer as Withings gives it: HTTP 200, with the real status inside."""
    return Reply(body=json.dumps({"status": status, "body": body}).encode())


def sent_to(url: str, http_status: int = 307) -> Reply:
    """A redirect; 307 keeps method and body."""
    return Reply(http_status=http_status, media_type="text/plain", headers={"Location": url})


def always(reply: Reply) -> Callable[[Seen], Reply]:
    """Answers each request alike."""
    return lambda _: reply


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


class Place:
    """One origin, over http, or over https with a self-signed certificate."""

    def __init__(self, *, host: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Reply] = lambda _: envelope(0, here="elsewhere")
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'http' if certificate is None else 'https'}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        place = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                headers = {name.lower(): text for name, text in self.headers.items()}
                seen = Seen(
                    method=self.command,
                    target=self.path,
                    headers=headers,
                    body=self._body(),
                    connection=self.client_address,
                )
                place.seen.append(seen)
                reply = place.answer(seen)
                self.send_response(reply.http_status)
                fixed = {"Content-Type": reply.media_type, "Content-Length": str(len(reply.body))}
                for name, text in {**fixed, **reply.headers}.items():
                    self.send_header(name, text)
                self.end_headers()
                half = len(reply.body) // 2 if reply.hold else 0
                self.wfile.write(reply.body[:half])
                if reply.hold is None or reply.hold.wait(60):
                    self.wfile.write(reply.body[half:])

            do_GET = do_POST = do_PUT = handle_any  # noqa: N815  the library's names

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", "0")))
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(chunks)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def own_certificate(directory: Path) -> Path:
    """A file with a key and a self-signed certificate for `localhost`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=now - dt.timedelta(days=1),
        not_valid_after=now + dt.timedelta(days=1),
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = directory / "localhost.pem"
    file.write_bytes(secret + certificate.public_bytes(pem))
    return file
