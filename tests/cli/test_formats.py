"""A token as JSON, as a header and as a line for a shell, and in the environment of a program."""

from __future__ import annotations

import shutil
import string
import subprocess

import pytest

from withings_auth.cli.commands.run import environment_with
from withings_auth.cli.formats import SHELLS, fields, header, shell_line, shell_of
from withings_auth.model import Token
from withings_auth.validation import is_opaque_token

# Every character that a token can contain.
LETTERS = f"{string.ascii_letters}{string.digits}._~+/-=="


def token(access_token: str = "abc") -> Token:  # noqa: S107  a token of a test
    return Token(
        access_token=access_token,
        expires_at=20_000,
        scopes=("user.info", "user.metrics"),
        userid="38210457",
        client_id="an-app",
        api_origin="https://wbsapi.withings.net",
    )


def test_the_fields_are_exactly_these() -> None:
    """Statement 27: what a program may know; a `Token` does not even hold the refresh token."""
    assert fields(token(), 19_000.4) == {
        "access_token": "abc",
        "token_type": "Bearer",
        "expires_at": 20_000,
        "seconds_left": 999,
        "scopes": ["user.info", "user.metrics"],
        "userid": "38210457",
        "service": "https://wbsapi.withings.net",
    }


@pytest.mark.parametrize("now", [20_000, 20_000.5, 1e9])
def test_the_seconds_left_are_never_below_zero(now: float) -> None:
    assert fields(token(), now)["seconds_left"] == 0


def test_the_header() -> None:
    assert header(token()) == "Authorization: Bearer abc"


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export WITHINGS_ACCESS_TOKEN='abc'"),
        ("zsh", "export WITHINGS_ACCESS_TOKEN='abc'"),
        ("fish", "set -gx WITHINGS_ACCESS_TOKEN 'abc'"),
        ("powershell", "$env:WITHINGS_ACCESS_TOKEN = 'abc'"),
    ],
)
def test_the_line_of_each_shell(shell: str, line: str) -> None:
    assert shell in SHELLS
    assert shell_line(token(), shell) == line


def test_no_character_of_a_token_can_end_the_quotes() -> None:
    """A record or an answer with quotes, a backslash, a dollar or a line end is refused earlier."""
    assert is_opaque_token(LETTERS)
    assert not any(is_opaque_token(f"a{char}b") for char in "'\"\\$`\n\r\0 \u2018\u2019\u201a\u201b%!;&|")


@pytest.mark.parametrize("program", [name for name in ("bash", "dash", "zsh", "fish") if shutil.which(name)])
def test_a_real_shell_reads_the_line(program: str) -> None:
    """Another program finds exactly the token in its environment; tried with each installed shell."""
    script = f"{shell_line(token(LETTERS), shell_of(program, 'linux'))}\nprintenv WITHINGS_ACCESS_TOKEN"
    ran = subprocess.run([program, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{LETTERS}\n"


@pytest.mark.parametrize(
    ("login_shell", "shell"),
    [
        ("/bin/bash", "bash"),
        ("/usr/bin/zsh", "zsh"),
        ("/opt/homebrew/bin/fish", "fish"),
        ("/usr/bin/pwsh", "powershell"),
        ("C:/msys64/usr/bin/zsh.exe", "zsh"),
        ("/bin/sh", "bash"),
        ("/usr/sbin/nologin", "bash"),
        ("", "bash"),
        (None, "bash"),
    ],
)
def test_the_shell_from_the_variable(login_shell: str | None, shell: str) -> None:
    assert shell_of(login_shell, "linux") == shell


@pytest.mark.parametrize(("login_shell", "shell"), [(None, "powershell"), ("", "powershell"), ("/bin/bash", "bash")])
def test_only_shells_of_other_systems_set_it_on_windows(login_shell: str | None, shell: str) -> None:
    assert shell_of(login_shell, "win32") == shell


def test_a_program_gets_the_token_its_userid_and_profile_and_not_the_client_secret() -> None:
    environ = {
        "PATH": "/bin",
        "WITHINGS_CLIENT_ID": "id",
        "WITHINGS_CLIENT_SECRET": "x",
        "WITHINGS_ACCESS_TOKEN": "old",
        "WITHINGS_AUTH_PROFILE": "mum",
    }
    assert environment_with(token(), "dad", environ) == {
        "PATH": "/bin",
        "WITHINGS_CLIENT_ID": "id",
        "WITHINGS_ACCESS_TOKEN": "abc",
        "WITHINGS_USERID": "38210457",
        "WITHINGS_AUTH_PROFILE": "dad",
    }
    assert environ["WITHINGS_CLIENT_SECRET"] == "x"
