"""`-v` shows on stderr what is done, but never a secret; `--version --verbose` shows with which versions."""

from __future__ import annotations

import logging
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import withings_auth
from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk
from tests.support.visitor import VISITOR
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import stored_grant

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} [\w.]+: .+")


def said(stderr: str) -> list[str]:
    """What -v printed, without the times."""
    return [line[13:] for line in stderr.splitlines() if LINE.fullmatch(line)]


def test_a_login_is_told_step_by_step(desk: Desk) -> None:
    """Statement 23: from the store to the save, in order, without code, state, tokens and secrets."""
    finished = desk.run("login", "-v", BROWSER=VISITOR)
    assert finished.returncode == 0
    steps = [
        f"cli.options: profile default, store file:{desk.directory}, service {desk.sandbox.url}",
        f"store.lock: locked: {desk.directory}/login/default.lock",
        f"store.records: token/default: nothing in files in {desk.directory}",
        f"store.ownership: files in {desk.directory} can be written",
        rf"authorization.sockets: listening at 127.0.0.1:{desk.port}( and \[::1\]:{desk.port})?",
        f"authorization.browser: started: {sys.executable}",
        "authorization.pending: the browser came, and is sent on to Withings",
        "authorization.pending: the true answer: a code",
        f"provider.http: POST {desk.sandbox.endpoints.token_url}, action requesttoken",
        r"provider.http: HTTP 200, \d+ bytes, in \d+ ms",
        "tokens.code_exchange: the code brought tokens",
        f"store.ownership: saved and read back: profile default, in files in {desk.directory}",
    ]
    assert re.search("\n(?s:.*)".join(steps), "\n".join(said(finished.stderr))), finished.stderr


def test_a_renewal_is_told_with_its_waits(desk: Desk) -> None:
    """Statement 23: the lock, the lost answer, the guard, the second try and the save are shown, but no token."""
    desk.put_login(age=10_800)
    desk.sandbox.fail_next("lost", where="token")
    finished = desk.run("token", "--verbose")
    steps = [
        r"store.records: token/default: user \d+, access token for 0 s more",
        "store.lock: locked: .*/token/default.lock",
        "provider.http: lost after .* ms: the connection was closed before the answer was complete",
        "tokens.renewal: the refresh brought no answer: the connection was closed",
        r"tokens.renewal: waiting 1\d\.\d s: this refresh token was sent just now",
        "provider.http: HTTP 200",
        "tokens.renewal: the refresh brought tokens",
        "tokens.renewal: saved and read back: profile default, access token for 10800 s",
    ]
    assert re.search("(?s:.*)".join(steps), "\n".join(said(finished.stderr))), finished.stderr
    assert finished.stdout == f"{desk.sandbox.live_access_tokens[-1]}\n"
    assert "asyncio" not in finished.stderr, "what libraries log is their affair"


def test_a_refusal_is_told_by_its_number_and_the_error_by_its_name(desk: Desk) -> None:
    desk.put_login(age=10_800)
    desk.sandbox.kill_refresh_token()
    told = said(desk.run("-v", "token").stderr)
    assert "tokens.renewal: the refresh brought a failure: refresh token refused (status 503)" in told
    assert told[-1] == "cli: ended by LoginRequired"


@pytest.mark.parametrize("query", ["", "code=abc&state=foreign", "state=x"])
def test_what_is_ignored_is_told_without_its_words(desk: Desk, query: str) -> None:
    """Statements 23 and 35: nothing that came over the wire is repeated."""
    pending = desk.start("-v")
    pending.get(query)
    pending.allow()
    finished = pending.wait()
    assert "authorization.pending: ignored: a request with" in "\n".join(said(finished.stderr))
    assert "code=" not in finished.stderr
    assert finished.stderr.count(pending.state) == 1, "in the address that a person opens, and nowhere else"


def test_the_keyring_that_was_chosen_is_told(desk: Desk, secret_service: SecretService) -> None:
    """By a command that needs all of it: others look over D-Bus, and choose none."""
    env = {**desk.env, "WITHINGS_AUTH_STORE": None, **secret_service.environ}
    finished = desk.cli("doctor", "--offline", "-v", env=env)
    assert "store.backends: chosen: the keyring of this desktop (Secret Service)" in said(finished.stderr)


@pytest.mark.parametrize(
    "arguments", [("-v", "status"), ("status", "-v"), ("--verbose", "status"), ("-v", "status", "-v")]
)
def test_it_may_stand_before_the_command_or_behind_it(desk: Desk, arguments: tuple[str, ...]) -> None:
    """And shows everything once."""
    told = said(desk.run(*arguments).stderr)
    assert len(told) == len(set(told)) > 2


def test_without_it_nothing_is_told(desk: Desk) -> None:
    desk.put_login()
    assert desk.run("token").stderr == ""


def test_stdout_is_the_same_with_it(desk: Desk) -> None:
    """The answer is not touched: a script can leave -v on."""
    desk.put_login()
    assert desk.run("token", "-v").stdout == desk.run("token").stdout != ""


def test_a_program_under_run_keeps_its_own_flag(desk: Desk) -> None:
    """A -v after the program's name belongs to the program."""
    desk.put_login()
    finished = desk.run("run", "--", "echo", "-v")
    assert (finished.stdout, said(finished.stderr)) == ("-v\n", [])


def test_a_python_program_hears_it_by_its_own_logging(desk: Desk) -> None:
    """Under our modules' names, at DEBUG, and nothing on stderr if logging is not set up."""
    desk.put_login()
    python = desk.cli.using(sys.executable)
    ask = "from withings_auth import TokenSource; TokenSource().token()"
    listening = python("-c", f"import logging; logging.basicConfig(level='DEBUG'); {ask}", env=desk.env)
    assert "DEBUG:withings_auth.store.records:token/default: user" in listening.stderr
    assert python("-c", f"import logging; {ask}", env=desk.env).stderr == ""


def test_a_record_names_who_logged_it(caplog: pytest.LogCaptureFixture) -> None:
    """Not the helper that spares a valid token the import of logging."""
    with caplog.at_level(logging.DEBUG):
        stored_grant(MemoryStore(), "nobody")
    (record,) = [record for record in caplog.records if record.name == "withings_auth.store.records"]
    assert (record.getMessage(), record.funcName) == ("token/nobody: nothing in this program's memory", "_read_grant")


def test_what_is_logged_of_a_variable_is_harmless(desk: Desk) -> None:
    """Statement 35: its control characters do not reach the terminal."""
    finished = desk.run("login", "-v", "--timeout", "0.5", BROWSER="no\x1b[31m-such --flag")
    assert finished.returncode == 1
    assert "\x1b" not in finished.stderr
    (line,) = [line for line in said(finished.stderr) if line.startswith("authorization.browser:")]
    assert line.startswith("authorization.browser: cannot be started: no")
    assert line.endswith("-such")


class TestVersions:
    """What a bug report should contain."""

    def test_alone_it_is_one_line(self, desk: Desk) -> None:
        assert desk.run("--version").stdout == f"withings-auth {withings_auth.__version__}\n"

    @pytest.mark.parametrize("arguments", [("--version", "--verbose"), ("--version", "-v"), ("-v", "--version")])
    def test_with_verbose_everything_that_is_depended_on_is_named(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        """Python, the platform, and each dependency on every platform with its installed version."""
        finished = desk.run(*arguments)
        assert (finished.returncode, finished.stderr) == (0, "")
        lines = finished.stdout.splitlines()
        assert lines[0] == f"withings-auth {withings_auth.__version__}"
        assert f"Python {sys.version.split()[0]}" in lines[1]
        project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
        names = [re.match(r"[\w-]+", need) for need in project["dependencies"] if ";" not in need]
        assert lines[3:] == sorted(f"{name[0]} {version(name[0])}" for name in names if name is not None)
