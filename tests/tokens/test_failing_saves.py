"""Withings has renewed, and the new pair cannot be saved: the save fails, lies, truncates, hangs or lands late.

“The save is read back before it counts”: nothing is handed out that is not durable, and the previous refresh token
brings another pair as soon as the store is well.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from keyring.errors import KeyringLocked

from tests.store.keyrings import Keyrings, MemoryKeyring
from tests.support.keyring_daemon import SecretService
from tests.support.programs import Cli
from tests.tokens.processes import Ended, Processes, await_refresh
from tests.tokens.scene import HOUR, LIFE, Clock, Scene, digest
from withings_auth.config.places import state_directory
from withings_auth.errors import LockBusy, StoreNotDurable, StoreUnavailable
from withings_auth.model import Grant
from withings_auth.sandbox import Sandbox
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import token_name

TOKEN = token_name("default")
PATIENCE_SECONDS = 3.0


class FaultyKeyring(MemoryKeyring):
    """Treats each record to be saved as `fault` says; one that hangs is saved once `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.fault = ""
        self.go = threading.Event()

    def happens(self, secret: str = "") -> None:  # noqa: ARG002  only whether there is one matters
        if self.fault == "cannot be read":
            assert self.go.wait(60)

    def set_password(self, service: str, username: str, password: str) -> None:
        match self.fault:
            case "fails":
                raise KeyringLocked("the user refused")
            case "forgets":
                return
            case "cuts":
                self.fault = ""  # the old record still fits
                super().set_password(service, username, password[:100])
            case "saves, and fails":
                super().set_password(service, username, password)
                raise KeyringLocked("it was locked meanwhile")
            case "hangs":
                assert self.go.wait(60)
                super().set_password(service, username, password)
            case _:
                super().set_password(service, username, password)


class Desk:
    """A login in a keyring that fails on demand; each store opened over it stands for another program."""

    def __init__(self, scene: Scene, state: Path) -> None:
        self.keyring = FaultyKeyring()
        self.open_store = Keyrings(state, self.keyring)
        self.open_impatient_store = Keyrings(state, self.keyring, patience_seconds=PATIENCE_SECONDS)
        self.scene = scene
        scene.store = self.open_store()
        scene.log_in()

    def fail_to_renew(self, fault: str) -> StoreNotDurable:
        """Asks while the keyring has the fault, and returns the error."""
        self.keyring.fault = fault
        with pytest.raises(StoreNotDurable, match="renewed but could not be saved") as caught:
            self.scene.renew(store=self.open_impatient_store() if fault == "hangs" else self.open_store())
        self.keyring.fault = ""
        assert caught.value.exit_code == 5
        return caught.value


@pytest.fixture
def desk(directory: Path, sandbox: Sandbox, clock: Clock) -> Desk:
    return Desk(Scene(MemoryStore(), sandbox, clock), directory)


class TestTheNextCaller:
    """What Withings' other answers change about this, `test_switches` tries with a store that saves nothing."""

    @pytest.mark.parametrize("fault", ["fails", "forgets", "cuts"])
    def test_it_lied(self, desk: Desk, fault: str) -> None:
        """Statements 29 and 30: the old record is still there, and is renewed once the keyring works."""
        old = desk.scene.stored
        desk.fail_to_renew(fault)
        assert desk.scene.stored == old
        new = desk.scene.renew()
        assert desk.scene.works(new)
        assert desk.scene.stored == new
        assert desk.scene.nobody_was_hasty()

    @pytest.mark.parametrize("fault", ["saves, and fails", "hangs"])
    def test_it_landed_all_the_same(self, desk: Desk, fault: str) -> None:
        """They find the new pair and send nothing, so nothing is repeated or refused."""
        desk.fail_to_renew(fault)
        desk.keyring.go.set()
        assert desk.scene.works(desk.scene.renew(store=desk.open_store()))
        assert len(desk.scene.sent) == 1
        assert desk.scene.sandbox.counters.refusals == 0


class TestWhatIsTold:
    @pytest.mark.parametrize("fault", ["fails", "forgets", "cuts", "saves, and fails", "hangs"])
    def test_until_when_nothing_is_lost(self, desk: Desk, fault: str) -> None:
        """Statement 29: exit 5, no token, and the error says until when another try can save the login."""
        assert "before 2023-11-15 09:13" in desk.fail_to_renew(fault).hint
        desk.keyring.go.set()

    def test_a_token_with_life_is_not_handed_out_for_it(self, desk: Desk) -> None:
        """After a renewal the old access token may be dead, so it is not handed out."""
        desk.scene.clock.at = desk.scene.stored.expires_at - 600
        desk.keyring.fault = "fails"
        with pytest.raises(StoreNotDurable):
            desk.scene.renew(min_valid=900)


class TestHanging:
    def test_who_asks_meanwhile_waits_for_it_and_gets_what_it_saved(self, desk: Desk) -> None:
        """A save that hangs never overwrites a newer pair: nobody else can renew until it has returned."""
        desk.fail_to_renew("hangs")
        with pytest.raises(LockBusy), desk.open_store().lock(TOKEN, 0):
            pass
        happened: list[str] = []
        found: list[Grant] = []

        def ask() -> None:
            found.append(desk.scene.renew(store=desk.open_store()))
            happened.append("asked")

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        threads[0].join(0.3)
        happened.append("landed")
        desk.keyring.go.set()
        for thread in threads:
            thread.join(60)
        assert happened == ["landed", *["asked"] * 4]
        assert set(found) == {desk.scene.stored}
        assert len(desk.scene.sent) == 1
        assert desk.scene.works(found[0])

    def test_nothing_older_lands_on_top_of_what_is_newer(self, desk: Desk) -> None:
        """Several saves in a row hang and land late; each pair is renewed from the one before it."""
        refresh_tokens = [desk.scene.stored.refresh_token]
        for _ in range(4):
            desk.keyring.go.clear()
            desk.fail_to_renew("hangs")
            desk.keyring.go.set()
            new = desk.scene.renew(store=desk.open_store())
            refresh_tokens.append(new.refresh_token)
            desk.scene.clock.at = new.expires_at
        assert [sent.form["refresh_token"] for sent in desk.scene.sent] == refresh_tokens[:-1]
        assert desk.scene.stored.refresh_token == refresh_tokens[-1]
        assert desk.scene.works(desk.scene.renew())

    def test_a_keyring_that_hangs_before_the_request_is_told_before_it(self, desk: Desk) -> None:
        """Statement 32: if the record cannot be read, nothing is sent and nothing is spent."""
        desk.keyring.fault = "cannot be read"
        with pytest.raises(StoreUnavailable) as caught:
            desk.scene.renew(store=desk.open_impatient_store())
        assert caught.value.exit_code == 5
        desk.keyring.go.set()
        assert desk.scene.sent == []
        assert desk.scene.works(desk.scene.renew(store=desk.open_store()))


# Asks for a token, does not wait long for the keyring, prints the error and ends.
IMPATIENT = """
import sys
from pathlib import Path
from withings_auth import TokenSource
from withings_auth.errors import StoreError
from withings_auth.store.keyring_store import KeyringStore
try:
    TokenSource(store=KeyringStore(Path(sys.argv[1]), patience_seconds=4)).token()
except StoreError as error:
    print(type(error).__name__, error.exit_code)
"""


class TestSecretService:
    @pytest.fixture
    def scene(
        self, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, clock: Clock
    ) -> Scene:
        """A login in a real keyring."""
        secret_service.enter(monkeypatch)
        scene = Scene(KeyringStore(state_directory()), sandbox, clock)
        scene.log_in()
        return scene

    def begin(self, scene: Scene, processes: Processes, service: SecretService) -> int:
        """Starts a process that renews; returns when Withings has renewed and its answer is on its way."""
        scene.sandbox.fail_next("slow", seconds=3.0)
        pid = processes.begin(store(), scene.clock, environ=service.environ, patience_seconds=4)
        await_refresh(scene.sandbox)
        return pid

    def ask(self, scene: Scene, processes: Processes, service: SecretService) -> Ended:
        """Starts a new process that asks for a token."""
        return processes(store(), scene.clock, environ=service.environ, patience_seconds=10)

    @pytest.mark.parametrize("later", [0, 7 * HOUR])
    def test_it_hangs_and_goes_on_when_the_process_is_gone(
        self, scene: Scene, processes: Processes, secret_service: SecretService, later: int
    ) -> None:
        """A save by a process that has ended may land or not: the next caller gets a token that works."""
        self.begin(scene, processes, secret_service)
        secret_service.stop()
        told = processes.end(scene.clock)
        assert (told.error, told.exit_code) == ("StoreNotDurable", 5)
        assert "within 4 seconds" in told.words
        secret_service.resume()
        scene.clock.at += later
        told = self.ask(scene, processes, secret_service)
        assert told.digest == digest(scene.stored)
        assert scene.works(scene.stored)

    def test_the_process_is_killed_while_it_hangs(
        self, scene: Scene, processes: Processes, secret_service: SecretService
    ) -> None:
        """Once the process is gone the lock is free, and the next one waits for the keyring alone."""
        pid = self.begin(scene, processes, secret_service)
        secret_service.stop()
        os.kill(pid, signal.SIGKILL)
        assert processes.end(scene.clock).returncode == -signal.SIGKILL
        meanwhile = processes(store(), scene.clock, environ=secret_service.environ, patience_seconds=4)
        assert (meanwhile.error, meanwhile.exit_code) == ("StoreUnavailable", 5)
        secret_service.resume()
        assert self.ask(scene, processes, secret_service).digest == digest(scene.stored)
        assert scene.works(scene.stored)

    def test_it_keeps_no_process_from_ending(
        self, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch, cli: Cli
    ) -> None:
        """A save that hangs for ever is reported, and does not keep the program from ending."""
        secret_service.enter(monkeypatch)
        with Sandbox() as sandbox:
            clock = Clock()
            clock.at = sandbox.now() - LIFE
            scene = Scene(KeyringStore(state_directory()), sandbox, clock)
            scene.log_in()
            sandbox.fail_next("slow", seconds=3.0)
            program = cli.using(sys.executable, "-c", IMPATIENT).start(str(state_directory()))
            await_refresh(sandbox)
            secret_service.stop()
            ended = program.wait()
            assert ended.stdout == "StoreNotDurable 5\n"
            assert ended.returncode == 0
            secret_service.resume()
            sandbox.advance(12)
            clock.at = sandbox.now()
            assert scene.works(scene.renew())


def store() -> str:
    return f"keyring:{state_directory()}"
