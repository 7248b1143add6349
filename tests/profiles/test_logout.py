"""Logging out, close up: interruptions and failures that a whole command line could not show."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings
from tests.support.stores import Wrapped, clear_record, save_record
from tests.tokens.scene import Scene
from withings_auth.errors import ConfigurationError, LockBusy, ProviderUnavailable, StoreUnavailable
from withings_auth.model import App, Grant
from withings_auth.profiles.logout import Logout, revoke_access
from withings_auth.provider.statuses import TOO_MANY_REQUESTS
from withings_auth.store.base import HeldName
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name, token_name


def test_withings_is_asked_while_the_records_are_still_there_and_locked(scene: Scene) -> None:
    """Statement 34: in this order nothing is lost, and no renewal comes in between."""
    told: list[str] = []

    def look(grant: Grant) -> None:
        assert scene.stored == grant
        assert scene.store.load(app_name(grant.client_id)) is not None
        with pytest.raises(LockBusy), scene.store.lock(token_name("default"), 0):
            pass
        told.append("asked")

    logout = Logout(scene.store, tell=told.append, revoke=look)
    assert logout.remove_profile("default")
    assert told[0] == "asked"
    assert scene.store.names() == [app_name(scene.sandbox.client_id)]


def test_an_interruption_leaves_everything_for_another_try(scene: Scene) -> None:
    """A user who presses Ctrl-C while Withings is asked is not logged out."""

    def interrupted(_grant: Grant) -> None:
        raise KeyboardInterrupt

    before = scene.store.names()
    with pytest.raises(KeyboardInterrupt):
        Logout(scene.store, tell=print, revoke=interrupted).remove_profile("default")
    assert scene.store.names() == before


def test_an_app_that_cannot_be_removed_is_a_failure(scene: Scene) -> None:
    """The tokens are gone, and what remains is named."""

    class Stuck(Wrapped):
        def clear(self, held: HeldName, name: str) -> bool:
            if name.startswith("app/"):
                raise StoreUnavailable("it is stuck")
            return held.clear()

    store = Stuck(MemoryStore())
    for name in scene.store.names():
        save_record(store, name, scene.store.load(name) or "")
    logout = Logout(store, tell=lambda _: None)
    logout.remove_profile("default")
    logout.remove_apps(None, every=False)
    assert [str(error) for error in logout.failures] == ["the app's client secret was not removed: it is stuck"]
    assert store.names() == [app_name(scene.sandbox.client_id)]


def test_traces_that_cannot_be_removed_are_failures() -> None:
    """They are named, once each, and the rest goes on; a directory that cannot be listed is one too."""

    class Stuck(Wrapped):
        def traces(self) -> list[str]:
            return ["pending/a", "pending/b", "token/c"]

        def clear(self, held: HeldName, name: str) -> bool:
            if name == "pending/a":
                raise StoreUnavailable("it is stuck")
            return held.clear()

    store = Stuck(MemoryStore())
    with store.lock("pending/b", 1) as held:
        held.notes.note("of a killed login")
    logout = Logout(store, tell=lambda _: None)
    logout.remove_traces()
    assert [str(error) for error in logout.failures] == ["what is left of pending/a was not removed: it is stuck"]
    with store.lock("pending/b", 1) as held:
        assert held.notes.recall() is None

    class Gone(Wrapped):
        def traces(self) -> list[str]:
            raise StoreUnavailable("it is gone")

    logout = Logout(Gone(MemoryStore()), tell=lambda _: None)
    logout.remove_traces()
    assert [str(error) for error in logout.failures] == ["it is gone"]


@pytest.mark.parametrize("kind", ["file", "keyring"])
def test_a_directory_that_cannot_be_listed_is_an_error_of_ours(
    directory: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As on a disk that fails."""
    store = FileStore(directory) if kind == "file" else Keyrings(directory)()
    uses: list[Callable[[], object]] = [store.traces, store.names]

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "glob", fail)
    monkeypatch.setattr(Path, "iterdir", fail)
    for use in uses:
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            use()


class TestRevokeAccess:
    def revoke(self, scene: Scene, *errors: Exception, known: str | None = None) -> list[App]:
        """Revokes access at a Withings that first raises these errors; returns the app of each request."""
        coming, apps = iter(errors), []

        def send(app: App, _api_url: str, _userid: str) -> None:
            apps.append(app)
            for error in coming:
                raise error

        revoke_access(scene.store, scene.stored, known, wait=scene.clock.wait, send=send)
        return apps

    def test_it_is_signed_with_the_known_secret_or_else_the_saved_one(self, scene: Scene) -> None:
        assert self.revoke(scene)[0].client_secret == scene.sandbox.client_secret
        assert self.revoke(scene, known="given")[0].client_secret == "given"

    def test_without_a_secret_nothing_is_asked(self, scene: Scene) -> None:
        clear_record(scene.store, app_name(scene.sandbox.client_id))
        with pytest.raises(ConfigurationError, match="did not confirm"):
            self.revoke(scene)

    def test_too_soon_is_waited_out_once(self, scene: Scene) -> None:
        """601 refuses before it acts."""
        refusal = ProviderUnavailable("too soon", status=TOO_MANY_REQUESTS, retry_after=3)
        assert len(self.revoke(scene, refusal)) == 2
        assert scene.clock.waits == [3]
        with pytest.raises(ProviderUnavailable):
            self.revoke(scene, refusal, refusal)

    def test_an_answer_that_was_lost_is_not_asked_for_again(self, scene: Scene) -> None:
        with pytest.raises(
            ProviderUnavailable, match="did not confirm that access to the data of user 38210457 was revoked"
        ):
            self.revoke(scene, ProviderUnavailable("lost"))
        assert scene.clock.waits == []
