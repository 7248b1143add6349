"""Variables that OpenSSL and proxies obey, and what is refused by name."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.provider.http.server import Serve, http
from tests.support.canaries import Canaries
from withings_auth.errors import UnusableVariable
from withings_auth.provider.http import post
from withings_auth.provider.replies import NotSent
from withings_auth.provider.variables import (
    proxy_for,
    refuse_unusable_variables,
    refused_certificate,
)

SERVICE = "https://wbsapi.withings.invalid/v2/oauth2"


class TestProxies:
    @pytest.mark.parametrize(
        ("proxy", "used"),
        [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://withings-auth:secret@127.0.0.1:4711", None),  # that of `run --as`, for programs that need it
            ("proxy:3128", "http://proxy:3128"),
            ("https://proxy/", "https://proxy/"),
            ("HTTP://user:p%40ss@proxy", "HTTP://user:p%40ss@proxy"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            ("", None),
        ],
    )
    def test_usable(self, monkeypatch: pytest.MonkeyPatch, proxy: str, used: str | None) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert proxy_for(SERVICE) == used

    @pytest.mark.parametrize(
        "proxy",
        [
            *("socks5://proxy", "SOCKS4a://proxy:1080", "socks://proxy"),
            *("http://", "http://[", "http://[::1", "http://proxy:port", "http://proxy:99999", "http://proxy:0"),
            *("ftp://proxy", "proxy://", "http://pro xy", "http://proxy\n", "http://prox\u00fd", "http://a..b"),
            *("http://me:pass#word@proxy", "http://me:pass/word@proxy", "http://me:pass?word@proxy", "http://proxy/x"),
        ],
    )
    def test_unusable(self, monkeypatch: pytest.MonkeyPatch, canaries: Canaries, proxy: str) -> None:
        """Statement 51: nothing is sent, the variable is named, and its value is not shown."""
        monkeypatch.setenv("HTTPS_PROXY", proxy.replace("pass", canaries.plant("password")))
        outcome = post(SERVICE, {})
        assert isinstance(outcome, NotSent)
        assert outcome.misconfigured
        assert outcome.why.startswith("HTTPS_PROXY ")
        canaries.hear("the outcome", f"{outcome.why} {outcome.remedy}")

    def test_one_that_cannot_be_resolved_for_now(self, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]) -> None:
        """An offline laptop may try again later, so its token is handed out while it lives."""

        def look_up(*_: object, **__: object) -> object:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        outcome = post(SERVICE, form)
        assert isinstance(outcome, NotSent)
        assert (outcome.why, outcome.misconfigured) == ("the proxy's name cannot be resolved", False)
        assert outcome.remedy == "check the network and the proxy in HTTPS_PROXY, and try again"

    @pytest.mark.parametrize("proxy", ["http://proxy\\", "http://[fe80::1%25eth0]:1x", "http://a[fe80::1%eth0]"])
    def test_a_malformed_host(self, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        outcome = post(SERVICE, {})
        assert outcome == NotSent(why="HTTPS_PROXY is not the address of an HTTP proxy", misconfigured=True)

    def test_the_name_that_is_in_force_is_the_one_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
        monkeypatch.setenv("https_proxy", "socks5://proxy")
        with pytest.raises(UnusableVariable, match=r"^https_proxy names"):
            proxy_for(SERVICE)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://localhost:1/", "https://api.withings.example/"])
    def test_none_that_is_not_asked_can_be_wrong(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy")
        monkeypatch.setenv("NO_PROXY", ".example")
        refuse_unusable_variables(url)

    def test_a_silent_one_is_suspected(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        proxy = serve(http(b"no", "403 Forbidden"))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        outcome = post(SERVICE, {})
        assert isinstance(outcome, NotSent)
        assert (outcome.misconfigured, "the proxy in HTTPS_PROXY" in outcome.remedy) == (False, True)


def nothing(_: Path) -> None:
    """Leaves the file missing."""


class TestFiles:
    @pytest.mark.parametrize(
        ("make", "why"),
        [
            (nothing, "cannot be opened: No such file or directory"),
            (Path.mkdir, "cannot be opened: it is not a file"),
            (os.mkfifo, "cannot be opened: it is not a file"),
            (Path.touch, "holds no certificate"),
            (lambda path: path.write_text("no certificate\n"), "holds no certificate"),
        ],
        ids=["missing", "directory", "pipe", "empty", "text"],
    )
    def test_certificates(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], object], why: str
    ) -> None:
        """Statement 51: OpenSSL ignores an SSL_CERT_FILE that it cannot read."""
        file = tmp_path / "ca.pem"
        make(file)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        with pytest.raises(UnusableVariable, match=f"^SSL_CERT_FILE names {file}, which {why}"):
            refused_certificate()
        monkeypatch.delitem(sys.modules, "aiohttp", raising=False)
        with pytest.raises(UnusableVariable, match=f"^SSL_CERT_FILE names {file}, which {why}"):
            refuse_unusable_variables(SERVICE)

    def test_a_directory_of_certificates(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Statement 51: it is blamed only once a certificate is refused, since the system's file is read as well."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv("SSL_CERT_DIR", "certs:more")
        refuse_unusable_variables(SERVICE)
        with pytest.raises(UnusableVariable, match=r"(?m)^SSL_CERT_DIR names certs:more, which is no directory$"):
            refused_certificate()
        Path("more").mkdir()
        hint = refused_certificate()
        assert ("the directory in SSL_CERT_DIR" in hint, "SSL_CERT_FILE" in hint) == (True, False)

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "pipe"])
    def test_a_key_log(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], object]) -> None:
        """Statement 51: it is refused without waiting for somebody who reads the pipe."""
        make(tmp_path / "keys")
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        refuse_unusable_variables(SERVICE)  # aiohttp has opened it long ago
        monkeypatch.delitem(sys.modules, "aiohttp", raising=False)
        with pytest.raises(UnusableVariable, match=r"^SSLKEYLOGFILE names .*, which cannot be opened: "):
            refuse_unusable_variables(SERVICE)

    def test_what_can_be_obeyed_is_no_matter(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """An empty variable counts as unset."""
        monkeypatch.delitem(sys.modules, "aiohttp", raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", "")
        monkeypatch.setenv("SSLKEYLOGFILE", "")
        refuse_unusable_variables(SERVICE)
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        refuse_unusable_variables(SERVICE)
        assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
