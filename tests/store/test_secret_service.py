"""The keyring of a real desktop: read by other programs, locked, stopped, missing, and found under cron."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import clear_record, save_record
from withings_auth.config.places import state_directory
from withings_auth.errors import StoreCorrupt
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.records import stored_grant
from withings_auth.testing.elsewhere import Elsewhere, RefusedElsewhere

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService
    from tests.support.programs import Cli

TOKEN = "token/default"
SERVICE = "withings-auth/token/default"
USER = "withings-auth"


def elsewhere(*, patience_seconds: int = 20) -> Elsewhere:
    """A process of its own: keyring leaves connections open when it fails, and warnings are errors in this one."""
    module = "withings_auth.store.keyring_store"
    return Elsewhere(
        f"from pathlib import Path; from {module} import KeyringStore;"
        f"store = KeyringStore(Path({str(state_directory())!r}), patience_seconds={patience_seconds})"
    )


def access_token(record: str) -> str:
    return str(json.loads(record)["access_token"])


class TestOtherPrograms:
    def test_secret_tool_finds_the_record_under_its_name(
        self, desktop: KeyringStore, secret_service: SecretService, record: str
    ) -> None:
        """Statement 24: the record is in the Secret Service as documented, and nowhere on the disk."""
        save_record(desktop, TOKEN, record)
        assert secret_service.services() == [SERVICE]
        assert secret_service.lookup(SERVICE, USER) == record
        files = [path for path in Path.home().rglob("*") if path.is_file()]
        assert all(access_token(record) not in path.read_text() for path in files)
        assert desktop.description == "the keyring of this desktop (Secret Service)"

    def test_token_is_handed_out_from_it(
        self, desktop: KeyringStore, secret_service: SecretService, record: str, cli: Cli
    ) -> None:
        """`withings-auth token` prints the token that the keyring holds, and loads no network code for it."""
        save_record(desktop, TOKEN, record)
        ran = cli("token", env=secret_service.environ, allow=[access_token(record)])
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, access_token(record) + "\n", "")

    @pytest.mark.parametrize(
        "text", ["hello", "{", "[]", '{"version":2,"more":1}', '{"version":1}', "\x1b]0;x\x07"], ids=repr
    )
    def test_what_is_not_ours_is_an_error_and_stays(
        self, desktop: KeyringStore, secret_service: SecretService, cli: Cli, text: str
    ) -> None:
        """Statement 35: a record of another program, or of a newer version, is refused with exit code 5, untouched."""
        secret_service.store(SERVICE, USER, text)
        with pytest.raises(StoreCorrupt):
            stored_grant(desktop, "default")
        if text == '{"version":2,"more":1}':
            ran = cli("token", env=secret_service.environ)
            assert (ran.returncode, ran.stdout) == (5, "")
            assert "newer withings-auth" in ran.stderr
        assert secret_service.lookup(SERVICE, USER) == text

    def test_a_logout_removes_what_another_program_added(
        self, desktop: KeyringStore, secret_service: SecretService
    ) -> None:
        """Statement 34: beside a record of another program ours is found, as the newer one; a logout removes both."""
        secret_service.store(SERVICE, USER, "theirs", application="another")
        time.sleep(1.1)  # the Secret Service knows whole seconds, and finds the newest first
        save_record(desktop, TOKEN, "ours")
        assert desktop.load(TOKEN) == "ours"
        assert secret_service.services() == [SERVICE, SERVICE]
        assert clear_record(desktop, TOKEN) is True
        assert secret_service.services() == []


class TestTrouble:
    def test_locked(self, desktop: KeyringStore, secret_service: SecretService, cli: Cli, record: str) -> None:
        """Statement 32: a locked keyring without a screen is an error at once, exit 5; nothing is lost."""
        save_record(desktop, TOKEN, record)
        secret_service.lock()
        ran = cli("token", env=secret_service.environ)
        assert (ran.returncode, ran.stdout) == (5, "")
        assert "is locked" in ran.stderr
        assert "hint: unlock your keyring" in ran.stderr
        assert "seconds" not in ran.stderr  # it has not waited for ten of them
        with elsewhere() as process, pytest.raises(RefusedElsewhere, match=r"StoreUnavailable .* is locked"):
            process("save", TOKEN, "new")
        secret_service.unlock()
        assert desktop.load(TOKEN) == record

    def test_locked_and_nobody_answers_its_window(self, desktop: KeyringStore, secret_service: SecretService) -> None:
        """Statement 32: the wait for a keyring that asks for its password ends at the time limit."""
        save_record(desktop, TOKEN, "text")
        secret_service.lock()
        with secret_service.deaf_prompter(), elsewhere(patience_seconds=2) as process:
            process("stamp", TOKEN)  # it has started
            began = time.monotonic()
            with pytest.raises(RefusedElsewhere, match="did not read a record within 2 seconds"):
                process("load", TOKEN)
            assert time.monotonic() - began < 30

    def test_stopped(self, desktop: KeyringStore, secret_service: SecretService, cli: Cli, record: str) -> None:
        """Statement 32: a keyring that hangs ends the command after ten seconds, and only once, with exit code 5."""
        save_record(desktop, TOKEN, record)
        secret_service.stop()
        ran = cli("token", env=secret_service.environ)
        secret_service.resume()
        assert (ran.returncode, ran.stdout) == (5, "")
        assert 9.5 < ran.seconds < 19  # not a second time
        assert "did not read a record within 10 seconds" in ran.stderr
        assert desktop.load(TOKEN) == record

    def test_killed_and_started_again(self, desktop: KeyringStore, secret_service: SecretService) -> None:
        """A keyring that has gone is an error, again and again; nothing of it is remembered."""
        save_record(desktop, TOKEN, "text")
        with elsewhere() as process:
            assert process("load", TOKEN) == "text"
            secret_service.kill()
            for _ in range(2):
                with pytest.raises(RefusedElsewhere, match="StoreUnavailable"):
                    process("load", TOKEN)
            with elsewhere() as other, pytest.raises(RefusedElsewhere, match="neither running nor activatable"):
                other("load", TOKEN)

    def test_missing(self, bus_without_secret_service: Bus, cli: Cli) -> None:
        """Statement 39: a bus without a Secret Service is an error with remedies; no file is used instead."""
        ran = cli("token", env=bus_without_secret_service.environ)
        assert (ran.returncode, ran.stdout) == (5, "")
        assert "no usable keyring: SecretService: " in ran.stderr
        assert "neither running nor activatable" in ran.stderr
        assert "configure --store file:" in ran.stderr
        assert not list(Path.home().rglob("*.json"))

    def test_no_bus(self, cli: Cli) -> None:
        """Statement 39: no bus at all is an error with remedies too."""
        ran = cli("token", env={"PYTHON_KEYRING_BACKEND": None})
        assert (ran.returncode, ran.stdout) == (5, "")
        assert "no usable keyring" in ran.stderr
        assert "Traceback" not in ran.stderr


class TestLateSave:
    def test_a_save_that_hung_lands_before_the_next(self, desktop: KeyringStore, secret_service: SecretService) -> None:
        """Statement 28: while a save hangs in a living process, nobody else gets the lock; the next save is later."""
        with elsewhere(patience_seconds=3) as process:
            process("lock", TOKEN, 1)
            process("save", TOKEN, "first")
            secret_service.stop()
            with pytest.raises(RefusedElsewhere, match="StoreUnavailable"):
                process("save", TOKEN, "late")
            process("unlock")
            with elsewhere() as other:
                with pytest.raises(RefusedElsewhere, match="LockBusy"):
                    other("lock", TOKEN, 0.5)
                secret_service.resume()
                assert other("lock", TOKEN, 5) is None
                assert other("load", TOKEN) == "late"
                other("save", TOKEN, "newer")
        time.sleep(0.2)
        assert desktop.load(TOKEN) == "newer"

    def test_a_save_of_a_process_that_is_gone_cannot_land_on_a_newer_one(
        self, desktop: KeyringStore, secret_service: SecretService
    ) -> None:
        """Statement 28: what a killed process asked for is done before what anybody asks afterwards."""
        save_record(desktop, TOKEN, "first")
        with elsewhere() as process:
            process("lock", TOKEN, 1)
            process("load", TOKEN)
            secret_service.stop()
            process.begin("save", TOKEN, "of the dead")
            time.sleep(0.3)
        secret_service.resume()
        with desktop.lock(TOKEN, 1) as held:
            held.save("newer")
        time.sleep(0.3)
        assert desktop.load(TOKEN) == "newer"
