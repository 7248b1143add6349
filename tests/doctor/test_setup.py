"""What is said of the settings, the app, the redirect URI and the port."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from tests.support.logins import free_port
from withings_auth.config.app import PartialApp
from withings_auth.config.settings import read_settings
from withings_auth.doctor import setup
from withings_auth.doctor.findings import Verdict, ok, skipped
from withings_auth.errors import CallbackUnavailable, ConfigurationError


def known(client_id: str | None, client_secret: str | None) -> PartialApp:
    return PartialApp(client_id=client_id, client_secret=client_secret)


class TestSettings:
    def test_variables_are_told_by_name_alone(self, tmp_path: Path, canaries: Canaries) -> None:
        """Statement 23: of what they hold nothing stands there; empty ones and other programs' ones are left out."""
        environ = {
            "WITHINGS_CLIENT_SECRET": canaries.plant("client secret"),
            "WITHINGS_SCOPES": "",
            "HTTPS_PROXY": f"http://user:{canaries.plant('password of the proxy')}@proxy:3128",
            "EDITOR": "ed",
        }
        found = setup.settings(read_settings({}, environ, tmp_path), environ, tmp_path)
        assert found == ok(f"there is no {tmp_path}/config.toml; set: HTTPS_PROXY, WITHINGS_CLIENT_SECRET")
        canaries.hear("the finding", repr(found))

    def test_the_file_and_no_variable(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").write_text('client_id = "abc"\n')
        assert setup.settings(read_settings({}, {}, tmp_path), {}, tmp_path) == ok(
            f"{tmp_path}/config.toml was read; set: no variable"
        )

    def test_another_service_is_worth_a_look(self, tmp_path: Path) -> None:
        environ = {"WITHINGS_AUTH_API_URL": "http://localhost:8080"}
        found = setup.settings(read_settings({}, environ, tmp_path), environ, tmp_path)
        assert found.verdict is Verdict.WARNING
        assert "the service is http://localhost:8080, not Withings'" in found.words


@pytest.mark.parametrize(
    ("app", "set_secret", "verdict", "words"),
    [
        (known(None, None), None, Verdict.WARNING, "no app is set"),
        (known("abc", None), None, Verdict.WARNING, "client id abc, and its client secret is neither saved nor set"),
        (known("abc", "s3cret"), None, Verdict.OK, "client id abc; its client secret is saved"),
        (known("abc", "s3cret"), "other", Verdict.OK, "client id abc; its client secret is saved"),
        (known("abc", "s3cret"), "s3cret", Verdict.OK, "client id abc; its client secret is in the environment"),
    ],
)
def test_the_app(app: PartialApp, set_secret: str | None, verdict: Verdict, words: str, tmp_path: Path) -> None:
    environ = {"WITHINGS_CLIENT_SECRET": set_secret} if set_secret else {}
    found = setup.app(app, read_settings({}, environ, tmp_path))
    assert (found.verdict, found.words) == (verdict, words)
    assert ("withings-auth configure" in found.remedy) == (verdict is Verdict.WARNING)


class TestRedirectUri:
    @pytest.mark.parametrize(
        ("uri", "listen", "where"),
        [
            ("http://localhost:8000", None, "127.0.0.1:8000 and [::1]:8000"),
            ("http://[::1]:8000/back", None, "[::1]:8000"),
            ("https://weight.example.org/back", "127.0.0.1:9000", "127.0.0.1:9000"),
        ],
    )
    def test_one_that_leads_here(self, uri: str, listen: str | None, where: str) -> None:
        assert setup.redirect_uri(uri, listen) == ok(f"{uri}; a login listens on {where}")

    @pytest.mark.parametrize("uri", ["https://weight.example.org/back", "http://localhost", "https://localhost:8000"])
    def test_one_that_only_a_paste_can_use_is_worth_a_look(self, uri: str) -> None:
        found = setup.redirect_uri(uri, None)
        assert found.verdict is Verdict.WARNING
        assert "listen=" in found.remedy

    @pytest.mark.parametrize("uri", ["ftp://localhost:8000", "http://localhost:8000#x", "nonsense"])
    def test_one_that_can_never_work_is_refused(self, uri: str) -> None:
        with pytest.raises(ConfigurationError, match="cannot work"):
            setup.redirect_uri(uri, None)

    def test_a_listener_for_everybody_is_worth_a_look(self) -> None:
        """Statement 1: only `--listen` opens it to the network, and it is said."""
        found = setup.redirect_uri("http://localhost:8000", "0.0.0.0:8000")
        assert found.verdict is Verdict.WARNING
        assert "other machines can reach" in found.words


class TestPort:
    def test_both_families_are_listened_on_for_a_moment(self) -> None:
        where = setup.listening_addresses(f"http://localhost:{free_port()}", None)
        assert where is not None
        for _ in range(2):  # nothing is left open
            assert setup.port(where) == ok(f"127.0.0.1:{where.port} and [::1]:{where.port} free")

    @pytest.mark.parametrize(
        ("taken", "shown"), [("127.0.0.1", r"127\.0\.0\.1:{port}"), ("::1", r"\[::1\]:{port}")], ids=["IPv4", "IPv6"]
    )
    def test_one_family_alone_is_taken(self, taken: str, shown: str) -> None:
        """Statement 4: whoever holds the other family would receive the code."""
        port = free_port()
        family = socket.AF_INET6 if ":" in taken else socket.AF_INET
        with (
            socket.create_server((taken, port), family=family),
            pytest.raises(CallbackUnavailable, match=f"another program listens on {shown.format(port=port)}"),
        ):
            setup.port(setup.listening_addresses(f"http://localhost:{port}", None))

    def test_a_machine_without_ipv6_is_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Statement 3: one family is enough, and the missing one is said."""
        real = socket.socket

        def without_ipv6(family: int = -1, *rest: int) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError(97, "Address family not supported by protocol")
            return real(family, *rest)

        port = free_port()
        monkeypatch.setattr(socket, "socket", without_ipv6)
        found = setup.port(setup.listening_addresses(f"http://localhost:{port}", None))
        assert found == ok(f"127.0.0.1:{port} free; this machine has no [::1]:{port}")

    def test_where_no_login_could_listen_nothing_is_tried(self) -> None:
        assert setup.port(setup.listening_addresses("https://weight.example.org", None)) == skipped(
            "no login could listen"
        )
