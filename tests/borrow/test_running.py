"""A program behind the proxy, from its start to its end."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.services import Api, Login
from withings_auth.borrow import running
from withings_auth.borrow.placeholders import ACCESS_TOKEN
from withings_auth.borrow.running import run_behind_proxy
from withings_auth.errors import OutOfResources, UnusableVariable
from withings_auth.tokens.source import AsyncTokenSource

CALL = f"""
import sys, requests
headers = {{"Authorization": "Bearer {ACCESS_TOKEN}"}}
answer = requests.post("https://wbsapi.withings.net/v2/user", {{"action": "getdevice"}}, headers=headers)
sys.exit(answer.json()["status"])
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def left_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.name.startswith("withings-auth-run-")]


def run(login: Login, api: Api, *command: str, environment: Mapping[str, str] = os.environ) -> int:
    api.good = login.at(api.url).access_token
    return run_behind_proxy(
        command,
        source=AsyncTokenSource(store=login.store),
        api_url=api.url,
        environment=environment,
        tell=lambda error: pytest.fail(str(error)),
    )


def test_a_program_runs_on_the_shared_login(login: Login, api: Api, tmp_path: Path) -> None:
    """An unmodified client: it obeys the variables, and its call has the real token."""
    assert run(login, api, sys.executable, "-c", CALL) == 0
    assert [seen.authorization for seen in api.calls] == [f"Bearer {api.good}"]
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_its_exit_code_is_passed_on(login: Login, api: Api, tmp_path: Path, script: str, code: int) -> None:
    assert run(login, api, "sh", "-c", script) == code
    assert left_in(tmp_path) == []


def test_a_program_that_is_not_there_raises(login: Login, api: Api, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(login, api, "no-such-program")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("missing", ["directory", "descriptors"])
def test_without_what_the_proxy_needs_the_program_is_not_blamed(
    login: Login, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """An `OSError` would say that the program was not found."""

    def no_listener(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    if missing == "directory":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    else:
        monkeypatch.setattr(socket, "create_server", no_listener)
    with pytest.raises(OutOfResources, match="the proxy cannot be started"):
        run(login, api, "true")
    assert left_in(tmp_path) == []


def test_a_proxy_that_cannot_work_is_said_before_the_program_starts(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(UnusableVariable, match="SOCKS"):
        run_behind_proxy(
            ["false"],
            source=AsyncTokenSource(store=login.store),
            api_url="https://wbsapi.withings.net",
            environment=os.environ,
            tell=lambda error: pytest.fail(str(error)),
        )


# The program's parent is this process. It asks for signals, then for others and waits for each; 9 if only these came.
# They are blocked, or one could come just before the wait for it.
SIGNALLED = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [*{asked}, *{awaited}])
for number in {asked}:
    os.kill(os.getppid(), number)
for number in {awaited}:
    os.kill(os.getppid(), number)
    signal.sigwait([number])
sys.exit(9 + len(signal.sigpending()))
"""


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT]
)
def test_signals_go_to_the_program(
    login: Login, api: Api, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Those that came to us alone; afterwards they are ours again."""
    monkeypatch.setattr(running, "_is_in_foreground", lambda: False)
    before = signal.getsignal(number)
    script = SIGNALLED.format(asked=[], awaited=[int(number)])
    assert run(login, api, sys.executable, "-c", script) == 9
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_key_of_the_terminal_reaches_the_program_once(
    login: Login, api: Api, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The terminal has sent it to both; a second Ctrl-C would break off the program's own end."""
    monkeypatch.setattr(running, "_is_in_foreground", lambda: True)
    script = SIGNALLED.format(asked=[int(number)], awaited=[int(signal.SIGUSR1), int(signal.SIGUSR2)])
    assert run(login, api, sys.executable, "-c", script) == 9


def test_an_ignored_hangup_stays_ignored(login: Login, api: Api) -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        script = 'kill -HUP $PPID; grep -q "SigIgn:.*[13579bdf]$" /proc/self/status'
        assert run(login, api, "sh", "-c", script) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_descriptors_that_a_shell_opened_reach_the_program(login: Login, api: Api) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(read_end, True)
    os.write(write_end, b"x")
    try:
        assert run(login, api, "sh", "-c", f"head -c 1 /dev/fd/{read_end} | grep -q x") == 0
    finally:
        os.close(read_end)
        os.close(write_end)


def test_the_key_is_nowhere_and_the_directory_private(login: Login, api: Api, tmp_path: Path) -> None:
    """Statement 52."""
    script = (
        'directory=$(dirname "$SSL_CERT_FILE"); test "$(stat -c %a "$directory")" = 700'
        ' && ! grep -rq "PRIVATE KEY" "$directory"'
    )
    assert run(login, api, "sh", "-c", script) == 0
    assert left_in(tmp_path) == []


def test_what_a_killed_run_has_left_is_removed(login: Login, api: Api, tmp_path: Path) -> None:
    """But not the directory of a run that goes on, nor what is no directory."""
    (tmp_path / "withings-auth-run-dead").mkdir()
    (tmp_path / "withings-auth-run-file").write_text("")
    (tmp_path / "withings-auth-run-alive").mkdir()
    alive = os.open(tmp_path / "withings-auth-run-alive", os.O_RDONLY)
    fcntl.flock(alive, fcntl.LOCK_EX)
    try:
        assert run(login, api, "true") == 0
        assert sorted(left_in(tmp_path)) == ["withings-auth-run-alive", "withings-auth-run-file"]
    finally:
        os.close(alive)


def test_runs_that_start_at_once_leave_each_other_alone(
    login: Login, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that cleans up does not take the directory of one that has only just made it."""
    make = tempfile.mkdtemp

    def make_and_be_overtaken(*arguments: str, **names: str) -> str:
        made = make(*arguments, **names)
        running._remove_left_over()
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_be_overtaken)
    assert run(login, api, "true") == 0
    assert left_in(tmp_path) == []
