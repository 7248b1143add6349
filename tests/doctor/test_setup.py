"""What the doctor says about Python, packages, browser, settings, app, redirect URI and port."""

from __future__ import annotations

import socket
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from tests.support.ports import free_port
from withings_auth import __version__
from withings_auth.authorization.environment import Machine, detect_environment
from withings_auth.config.app import PartialApp
from withings_auth.config.settings import read_settings
from withings_auth.doctor import setup
from withings_auth.doctor.results import Verdict, ok, skipped
from withings_auth.errors import CallbackUnavailable, ConfigurationError

LINUX = Machine(platform="linux")


def program(directory: Path, name: str) -> dict[str, str]:
    """Creates a program with this name; returns an environment in which it is result."""
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return {"PATH": str(directory)}


def test_python_is_named_without_its_path() -> None:
    words = setup.check_python().words
    assert f" {sys.version.split()[0]} " in words
    assert "/" not in words


def test_the_versions_of_all_requirements() -> None:
    """From the metadata, without the extras; on Linux also what keyring needs for the Secret Service."""
    result = setup.check_packages(["aiohttp>=3.12", "httpx>=0.28; extra == 'httpx'"])
    linux = (
        "" if sys.platform != "linux" else f", secretstorage {version('secretstorage')}, jeepney {version('jeepney')}"
    )
    assert result == ok(f"withings-auth {__version__}; aiohttp {version('aiohttp')}{linux}")


def test_the_metadata_names_the_requirements() -> None:
    result = setup.check_packages()
    assert result.verdict is Verdict.OK
    assert f" tomlkit {version('tomlkit')}, " in result.words
    assert "httpx" not in result.words


def test_a_missing_package_is_a_warning() -> None:
    result = setup.check_packages(["aiohttp", "no-such-package-of-ours>=1"])
    assert result.verdict is Verdict.WARNING
    assert "no-such-package-of-ours is missing" in result.words
    assert result.remedy


@pytest.mark.parametrize(
    ("environ", "on", "words"),
    [
        ({"DISPLAY": ":0"}, LINUX, "Linux, with a display"),
        ({}, LINUX, "Linux, without a display"),
        ({"container": "podman"}, LINUX, "Linux, in a container, without a display"),
        ({"SSH_TTY": "/dev/pts/0"}, LINUX, "Linux, in a session over SSH, without a display"),
        ({"WSL_DISTRO_NAME": "Debian"}, LINUX, "Linux, under WSL, without a display"),
        ({}, Machine(platform="darwin"), "macOS, with a display"),
        ({}, Machine(platform="freebsd14"), "freebsd14, without a display"),
    ],
)
def test_where_it_runs(environ: dict[str, str], on: Machine, words: str) -> None:
    assert setup.check_environment(detect_environment(environ, on)).words == words


class TestBrowser:
    def test_only_the_program_of_a_named_one_is_shown(self, tmp_path: Path, canaries: Canaries) -> None:
        """Statement 23: an argument of a command may be a secret."""
        secret = canaries.plant("an argument of BROWSER")
        environ = program(tmp_path, "my-browser") | {"BROWSER": f"{tmp_path}/my-browser --password {secret} %s"}
        result = setup.check_browser(environ)
        assert (result.verdict, result.words) == (Verdict.OK, "my-browser, named by BROWSER")

    def test_one_of_several_named_ones_is_enough(self, tmp_path: Path) -> None:
        environ = program(tmp_path, "second") | {"BROWSER": "first:second"}
        assert setup.check_browser(environ).words == "first, else second, named by BROWSER"

    @pytest.mark.parametrize("named", ["no-such-browser", "'unbalanced"])
    def test_a_named_one_that_is_not_there(self, tmp_path: Path, named: str) -> None:
        result = setup.check_browser({"PATH": str(tmp_path), "BROWSER": named})
        assert (result.verdict, result.remedy) == (Verdict.WARNING, "correct or unset BROWSER")

    def test_no_browser_would_be_seen(self) -> None:
        """Over SSH nothing is opened, and a login goes another way: no warning for ever on a server."""
        environ = {"SSH_TTY": "/dev/pts/0", "DISPLAY": ":0"}
        result = setup.check_browser(environ, detect_environment(environ, LINUX))
        assert (result.verdict, result.words) == (
            Verdict.OK,
            "none is opened, because this is a session over SSH; a login prints the address to open",
        )

    def test_none_is_installed(self, tmp_path: Path) -> None:
        """Somebody would see it: the remedy names the alternatives."""
        environ = {"PATH": str(tmp_path), "DISPLAY": ":0"}
        result = setup.check_browser(environ, detect_environment(environ, LINUX))
        assert (result.verdict, result.words) == (Verdict.WARNING, "no browser would be opened: none is installed")
        assert "--paste" in result.remedy

    def test_an_installed_one(self, tmp_path: Path) -> None:
        environ = program(tmp_path, "firefox") | {"DISPLAY": ":0"}
        result = setup.check_browser(environ, detect_environment(environ, LINUX))
        assert (result.verdict, result.words) == (Verdict.OK, "firefox")


def known(client_id: str | None, client_secret: str | None) -> PartialApp:
    return PartialApp(client_id=client_id, client_secret=client_secret)


class TestSettings:
    def test_variables_are_only_named(self, tmp_path: Path, canaries: Canaries) -> None:
        """Statement 23: their values are not shown; empty ones and those of other programs are left out."""
        environ = {
            "WITHINGS_CLIENT_SECRET": canaries.plant("client secret"),
            "WITHINGS_SCOPES": "",
            "HTTPS_PROXY": f"http://user:{canaries.plant('password of the proxy')}@proxy:3128",
            "EDITOR": "ed",
        }
        result = setup.check_settings(read_settings({}, environ, tmp_path), environ, tmp_path)
        assert result == ok(f"no {tmp_path}/config.toml; variables set: HTTPS_PROXY, WITHINGS_CLIENT_SECRET")
        canaries.hear("the result", repr(result))

    def test_the_file_and_no_variable(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").write_text('client_id = "abc"\n')
        assert setup.check_settings(read_settings({}, {}, tmp_path), {}, tmp_path) == ok(
            f"read {tmp_path}/config.toml; variables set: none"
        )

    @pytest.mark.parametrize("name", ["on_renewed", "on_login_needed"])
    def test_the_program_of_a_hook_must_be_there(self, tmp_path: Path, name: str) -> None:
        """It would run when nobody is watching, so a mistake is found now."""
        environ = program(tmp_path, "my-notifier")
        for command, found in (("my-notifier now", True), ("their-notifier now", False)):
            (tmp_path / "config.toml").write_text(f'{name} = "{command}"\n')
            result = setup.check_settings(read_settings({}, environ, tmp_path), environ, tmp_path)
            assert (result.verdict is Verdict.OK) == found, result
        assert f"the program of {name}, “their-notifier”, was not found" in result.words
        assert result.remedy == f"correct {name} in {tmp_path}/config.toml"

    def test_another_service_is_a_warning(self, tmp_path: Path) -> None:
        environ = {"WITHINGS_AUTH_API_URL": "http://localhost:8080"}
        result = setup.check_settings(read_settings({}, environ, tmp_path), environ, tmp_path)
        assert result.verdict is Verdict.WARNING
        assert "the service is http://localhost:8080, not Withings'" in result.words


@pytest.mark.parametrize(
    ("app", "set_secret", "verdict", "words"),
    [
        (known(None, None), None, Verdict.WARNING, "no app is configured"),
        (known("abc", None), None, Verdict.WARNING, "client id abc; its client secret is neither saved nor set"),
        (known("abc", "s3cret"), None, Verdict.OK, "client id abc; its client secret is saved"),
        (known("abc", "s3cret"), "other", Verdict.OK, "client id abc; its client secret is saved"),
        (known("abc", "s3cret"), "s3cret", Verdict.OK, "client id abc; its client secret is in the environment"),
    ],
)
def test_the_app(app: PartialApp, set_secret: str | None, verdict: Verdict, words: str, tmp_path: Path) -> None:
    environ = {"WITHINGS_CLIENT_SECRET": set_secret} if set_secret else {}
    result = setup.check_app(app, read_settings({}, environ, tmp_path))
    assert (result.verdict, result.words) == (verdict, words)
    assert ("withings-auth configure" in result.remedy) == (verdict is Verdict.WARNING)


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
        assert setup.check_redirect_uri(uri, listen) == ok(f"{uri}; a login listens on {where}")

    @pytest.mark.parametrize("uri", ["https://weight.example.org/back", "http://localhost", "https://localhost:8000"])
    def test_one_that_only_works_by_pasting_is_a_warning(self, uri: str) -> None:
        result = setup.check_redirect_uri(uri, None)
        assert result.verdict is Verdict.WARNING
        assert "listen=" in result.remedy

    @pytest.mark.parametrize("uri", ["ftp://localhost:8000", "http://localhost:8000#x", "nonsense"])
    def test_one_that_can_never_work_is_refused(self, uri: str) -> None:
        with pytest.raises(ConfigurationError, match="cannot work"):
            setup.check_redirect_uri(uri, None)

    def test_listening_for_the_network_is_a_warning(self) -> None:
        """Statement 1: only `--listen` opens it to the network, and the result says so."""
        result = setup.check_redirect_uri("http://localhost:8000", "0.0.0.0:8000")
        assert result.verdict is Verdict.WARNING
        assert "other machines can reach" in result.words


class TestPort:
    def test_it_listens_on_both_families_for_a_moment(self) -> None:
        port = free_port()
        for _ in range(2):  # nothing is left open
            assert setup.check_port(f"http://localhost:{port}", None) == ok(f"127.0.0.1:{port} and [::1]:{port} free")

    @pytest.mark.parametrize(
        ("taken", "shown"), [("127.0.0.1", r"127\.0\.0\.1:{port}"), ("::1", r"\[::1\]:{port}")], ids=["IPv4", "IPv6"]
    )
    def test_a_port_taken_in_one_family(self, taken: str, shown: str) -> None:
        """Statement 4: whoever holds the other family would receive the code."""
        port = free_port()
        family = socket.AF_INET6 if ":" in taken else socket.AF_INET
        with (
            socket.create_server((taken, port), family=family),
            pytest.raises(CallbackUnavailable, match=f"another program listens on {shown.format(port=port)}"),
        ):
            setup.check_port(f"http://localhost:{port}", None)

    def test_a_machine_without_ipv6_is_fine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Statement 3: one family is enough, and the missing one is named."""
        real = socket.socket

        def without_ipv6(family: int = -1, *rest: int) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError(97, "Address family not supported by protocol")
            return real(family, *rest)

        port = free_port()
        monkeypatch.setattr(socket, "socket", without_ipv6)
        result = setup.check_port(f"http://localhost:{port}", None)
        assert result == ok(f"127.0.0.1:{port} free; this machine has no [::1]:{port}")

    def test_if_a_login_could_not_listen_nothing_is_tried(self) -> None:
        assert setup.check_port("https://weight.example.org", None) == skipped("a login could not listen")
