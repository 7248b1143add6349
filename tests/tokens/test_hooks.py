"""The commands that run after a renewal, and when a login turns out to have ended."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.logins import Desk
from tests.tokens.scene import LOST, Scene, refusal
from withings_auth.errors import LoginRequired, OutOfResources
from withings_auth.store.file_store import FileStore
from withings_auth.tokens import hooks
from withings_auth.tokens.hooks import Event, start_hook
from withings_auth.tokens.source import AsyncTokenSource, TokenSource

if TYPE_CHECKING:
    from withings_auth.config.settings import Settings

DEAD = refusal(503, "Invalid Params: invalid refresh_token")
KEEP_ENVIRONMENT = 'env -0 >>"$0.new" && mv "$0.new" "$0"'
COUNT = 'echo "$WITHINGS_AUTH_PROFILE" >>"$0"'

Configure = Callable[..., None]


@pytest.fixture
def configure(home: Path) -> Configure:
    """`configure(on_renewed=["sh", "-c", "…"])` writes config.toml."""

    def write(**commands: list[str] | str) -> None:
        file = home / ".config" / "withings-auth" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{name} = {json.dumps(command)}\n" for name, command in commands.items()))

    return write


@pytest.fixture
def settings(configure: Configure) -> Callable[..., Settings]:
    """Settings with these commands, read from config.toml."""
    from withings_auth.config.settings import read_settings

    def read(**commands: list[str] | str) -> Settings:
        configure(**commands)
        return read_settings()

    return read


@pytest.fixture
def report(home: Path) -> Path:
    """The file that a hook writes."""
    return home / "what the hook wrote"


RENEWED = Event(name="renewed", profile="mum", message="it was renewed")


class TestRenewed:
    def test_it_runs_after_each_renewal_and_knows_no_secret(
        self, desk: Desk, report: Path, configure: Configure
    ) -> None:
        """Statement 25: it gets the event, the profile and a sentence, but no token and no client secret."""
        configure(on_renewed=["sh", "-c", KEEP_ENVIRONMENT, str(report)])
        desk.put_login("mum", age=60)
        assert desk.run("token", "--profile", "mum").returncode == 0
        desk.put_login("mum", age=20_000)
        token = desk.run("token", "--profile", "mum", WITHINGS_REFRESH_TOKEN=desk.canaries.plant("another token"))
        desk.wait_for(report.exists)
        environ = dict(line.split("=", 1) for line in report.read_text().strip("\0").split("\0"))
        assert {name: value for name, value in environ.items() if name.startswith("WITHINGS_AUTH_")} == {
            **{name: value for name, value in desk.env.items() if name.startswith("WITHINGS_AUTH_")},
            "WITHINGS_AUTH_EVENT": "renewed",
            "WITHINGS_AUTH_PROFILE": "mum",
            "WITHINGS_AUTH_MESSAGE": environ["WITHINGS_AUTH_MESSAGE"],
        }
        assert environ["WITHINGS_AUTH_MESSAGE"].startswith("the login of profile mum was renewed; ")
        desk.plant_secrets()
        desk.canaries.hear("the hook's environment", report.read_text())
        assert token.stdout.strip() in desk.sandbox.live_access_tokens

    def test_it_may_ask_for_a_token_itself(self, desk: Desk, report: Path, configure: Configure) -> None:
        """The lock is free when it runs, and what was just renewed is not renewed again, which would never end."""
        ask = f'"{sys.executable}" -m withings_auth token --renew >"$0.new"; mv "$0.new" "$0"'
        configure(on_renewed=["sh", "-c", ask, str(report)])
        desk.put_login(age=20_000)
        renewed = desk.run("token")
        desk.wait_for(report.exists)
        assert (report.read_text(), desk.sandbox.counters.token_requests) == (renewed.stdout, 1)

    def test_nobody_waits_for_it(self, desk: Desk, home: Path, configure: Configure) -> None:
        """It hangs, and the command ends all the same, with nothing held open that a pipe would wait for."""
        gate = home / "gate"
        os.mkfifo(gate)
        configure(on_renewed=["sh", "-c", 'exec 3<"$0"', str(gate)])
        desk.put_login(age=20_000)
        assert desk.run("token").returncode == 0  # `run` also waits until nobody holds its output
        gate.open("w").close()  # opens only if the hook is still waiting

    @pytest.mark.parametrize(
        ("command", "why"), [("no-such-program now", "No such file"), (["echo", "\0"], "embedded null byte")]
    )
    def test_one_that_cannot_be_started_is_a_warning(
        self, desk: Desk, configure: Configure, command: list[str] | str, why: str
    ) -> None:
        configure(on_renewed=command)
        desk.put_login(age=20_000)
        renewed = desk.run("token")
        assert renewed.returncode == 0
        assert renewed.stdout.strip() in desk.sandbox.live_access_tokens
        assert renewed.stderr.startswith("withings-auth: on_renewed in config.toml: “")
        assert f"cannot be started: {why}" in renewed.stderr
        assert len(renewed.stderr.splitlines()) == 1

    def test_it_leaves_no_zombie(self, report: Path, settings: Callable[..., Settings]) -> None:
        start_hook(settings(on_renewed=["sh", "-c", 'echo $$ >"$0.new" && mv "$0.new" "$0"', str(report)]), RENEWED)
        Desk.wait_for(report.exists)
        pid = int(report.read_text())

        def is_gone() -> bool:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            return False

        Desk.wait_for(is_gone)

    def test_it_starts_without_a_thread_that_waits(
        self, report: Path, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the limit of threads, a zombie is the smaller evil."""
        waits: list[Callable[[], object]] = []

        def refuse(wait: Callable[[], object], _name: str) -> None:
            waits.append(wait)
            raise OutOfResources("no thread can be started")

        monkeypatch.setattr(hooks, "start_daemon", refuse)
        start_hook(settings(on_renewed=["sh", "-c", COUNT, str(report)]), RENEWED)
        waits[0]()
        assert report.read_text() == "mum\n"

    def test_its_program_may_be_in_the_home_directory(
        self, home: Path, report: Path, settings: Callable[..., Settings]
    ) -> None:
        """`~/bin/hook now` is split as a shell would, but the words are the program's as they are."""
        hook = home / "hook"
        hook.write_text(f'#!/bin/sh\nprintf %s "$*" >"{report}.new" && mv "{report}.new" "{report}"\n')
        hook.chmod(0o700)
        start_hook(settings(on_renewed="~/hook 'a word' $HOME >file"), RENEWED)
        Desk.wait_for(report.exists)
        assert report.read_text() == "a word $HOME >file"

    def test_it_finds_the_desktop_from_cron(
        self, home: Path, report: Path, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A notification needs the session bus, which cron does not name."""
        bus = home / str(os.getuid()) / "bus"
        bus.parent.mkdir()
        monkeypatch.setattr("withings_auth.store.session_bus.USER_RUNTIME_DIRECTORIES", home)
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(bus))
            start_hook(settings(on_renewed=["sh", "-c", KEEP_ENVIRONMENT, str(report)]), RENEWED)
            Desk.wait_for(report.exists)
        assert f"DBUS_SESSION_BUS_ADDRESS=unix:path={bus}" in report.read_text().split("\0")


class TestLoginNeeded:
    def test_it_runs_once_for_each_dead_login_whoever_notices_it(
        self, desk: Desk, report: Path, configure: Configure
    ) -> None:
        """A Python program notices one, a command the other; who asks later is refused, and nothing else happens."""
        configure(on_login_needed=["sh", "-c", COUNT, str(report)])
        desk.put_login("mum", age=20_000)
        desk.put_login("dad", age=20_000)
        desk.sandbox.kill_refresh_token()
        store = FileStore(desk.directory)
        with pytest.raises(LoginRequired):
            asyncio.run(AsyncTokenSource("mum", store=store).token())
        desk.wait_for(report.exists)
        with pytest.raises(LoginRequired):
            TokenSource("mum", store=store).token()
        assert desk.run("token", "--profile", "dad").returncode == 3
        desk.wait_for(lambda: report.read_text().count("\n") > 1)
        assert report.read_text() == "mum\ndad\n"

    def test_the_message_says_what_to_do(self, scene: Scene) -> None:
        """It is the error and its hint, which names the profile."""
        scene.log_in(profile="mum")
        events: list[Event] = []
        with pytest.raises(LoginRequired) as ended:
            scene.renew(profile="mum", post=scene.script(DEAD), announce=events.append)
        message = f"{ended.value}; {ended.value.hint}"
        assert events == [Event(name="login_needed", profile="mum", message=message)]
        assert "withings-auth login --profile mum" in message

    def test_a_lost_answer_does_not_make_an_old_refusal_new(self, scene: Scene) -> None:
        """A person who asks anew has been told before."""
        scene.log_in()
        events: list[Event] = []
        with pytest.raises(LoginRequired):
            scene.renew(post=scene.script(DEAD), announce=events.append)
        scene.clock.at += 60
        with pytest.raises(LoginRequired):
            scene.renew(post=scene.script(LOST, DEAD), ask_anew=True, announce=events.append)
        assert [event.name for event in events] == ["login_needed"]
