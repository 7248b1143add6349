"""What is said of the machine: which browser would be opened there, and which packages are missing."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from withings_auth import __version__
from withings_auth.authorization.environment import Machine, detect_environment
from withings_auth.doctor import machine
from withings_auth.doctor.findings import Verdict, ok

LINUX = Machine(platform="linux")


def program(directory: Path, name: str) -> dict[str, str]:
    """A program of that name, and the environment that leads to it."""
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return {"PATH": str(directory)}


def test_python_is_named_without_its_path() -> None:
    words = machine.python().words
    assert f" {sys.version.split()[0]} " in words
    assert "/" not in words


def test_the_versions_of_all_that_it_needs() -> None:
    """By its own metadata, without the extras; and on Linux what keyring needs for the Secret Service."""
    found = machine.packages(["aiohttp>=3.12", "httpx>=0.28; extra == 'httpx'"])
    linux = (
        "" if sys.platform != "linux" else f", secretstorage {version('secretstorage')}, jeepney {version('jeepney')}"
    )
    assert found == ok(f"withings-auth {__version__}; aiohttp {version('aiohttp')}{linux}")


def test_the_metadata_names_what_is_needed() -> None:
    found = machine.packages()
    assert found.verdict is Verdict.OK
    assert f" filelock {version('filelock')}, " in found.words
    assert "httpx" not in found.words


def test_a_package_that_is_missing_is_a_warning() -> None:
    found = machine.packages(["aiohttp", "no-such-package-of-ours>=1"])
    assert found.verdict is Verdict.WARNING
    assert "no-such-package-of-ours is missing" in found.words
    assert found.remedy


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
    assert machine.place(detect_environment(environ, on)).words == words


class TestBrowser:
    def test_a_named_one_is_said_by_its_program_alone(self, tmp_path: Path, canaries: Canaries) -> None:
        """Statement 23: what a command is given besides may be a secret."""
        secret = canaries.plant("an argument of BROWSER")
        environ = program(tmp_path, "my-browser") | {"BROWSER": f"{tmp_path}/my-browser --password {secret} %s"}
        found = machine.browser(environ)
        assert (found.verdict, found.words) == (Verdict.OK, "my-browser, named by BROWSER")

    def test_one_of_several_named_ones_is_enough(self, tmp_path: Path) -> None:
        environ = program(tmp_path, "second") | {"BROWSER": "first:second"}
        assert machine.browser(environ).words == "first, else second, named by BROWSER"

    @pytest.mark.parametrize("named", ["no-such-browser", "'unbalanced"])
    def test_a_named_one_that_is_not_there(self, tmp_path: Path, named: str) -> None:
        found = machine.browser({"PATH": str(tmp_path), "BROWSER": named})
        assert (found.verdict, found.remedy) == (Verdict.WARNING, "correct or unset BROWSER")

    def test_none_would_be_seen(self) -> None:
        """Over SSH nothing is opened, and the ways round are named."""
        environ = {"SSH_TTY": "/dev/pts/0", "DISPLAY": ":0"}
        found = machine.browser(environ, detect_environment(environ, LINUX))
        assert (found.verdict, found.words) == (
            Verdict.WARNING,
            "none would be opened: this is a session over SSH",
        )
        assert "--paste" in found.remedy

    def test_an_installed_one(self, tmp_path: Path) -> None:
        environ = program(tmp_path, "firefox") | {"DISPLAY": ":0"}
        found = machine.browser(environ, detect_environment(environ, LINUX))
        assert (found.verdict, found.words) == (Verdict.OK, "firefox")
