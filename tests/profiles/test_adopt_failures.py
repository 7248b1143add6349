"""Importing a login while answers are lost, saves fail or the process dies: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profiles.imports import Import
from tests.support.remote_store import RemoteStore, Server
from tests.support.stores import Wrapped
from tests.tokens.scene import HOUR, START
from withings_auth.errors import (
    LockLost,
    ProviderUnavailable,
    StoreNotDurable,
    StoreUnavailable,
)
from withings_auth.provider.repeat_guard import REPEAT_GUARD_SECONDS
from withings_auth.store.base import HeldName
from withings_auth.store.records import stored_grant, token_name


class TestLostAnswers:
    def test_the_request_is_repeated_after_the_guard(self, foreign: Import) -> None:
        """The same refresh token is never sent twice within ten seconds."""
        foreign.sandbox.fail_next("lost")
        grant = foreign.adopt()
        assert stored_grant(foreign.store, "default") == grant
        first, second = foreign.sent_at
        assert second - first >= 10

    def test_two_lost_answers_name_the_deadline(self, foreign: Import) -> None:
        """Exit 4; within eight hours of the first try, the file can be imported again."""
        foreign.sandbox.fail_next("lost", times=2)
        with pytest.raises(
            ProviderUnavailable, match="a retry is certain to work only before 2023-11-15 06:13"
        ) as caught:
            foreign.adopt()
        assert caught.value.hint.startswith("import the file again before that time")
        assert stored_grant(foreign.store, "default") is None
        foreign.clock.at = START + 7 * HOUR
        assert foreign.adopt() == stored_grant(foreign.store, "default")

    def test_another_import_keeps_the_guard(self, foreign: Import) -> None:
        """Whatever the profile."""
        foreign.sandbox.fail_next("lost", times=2)
        with pytest.raises(ProviderUnavailable):
            foreign.adopt()
        foreign.adopt(profile="other")
        assert min(b - a for a, b in zip(foreign.sent_at, foreign.sent_at[1:], strict=False)) >= 10

    def test_a_601_is_waited_out(self, foreign: Import) -> None:
        """It refuses before acting."""
        foreign.sandbox.fail_next("too_many", wait_seconds=5)
        assert foreign.adopt() == stored_grant(foreign.store, "default")

    def test_the_profiles_own_notes_stay(self, foreign: Import) -> None:
        """An unknown outcome of the profile's login stays noted, however the import ends."""
        foreign.save_login(str(foreign.login.userid))
        with foreign.store.lock(token_name("default"), 1) as held:
            held.notes.note("of the earlier login")
        foreign.sandbox.fail_next("bad_gateway", times=2)
        with pytest.raises(ProviderUnavailable):
            foreign.adopt()
        with foreign.store.lock(token_name("default"), 1) as held:
            assert held.notes.recall() == "of the earlier login"


class Failing(Wrapped):
    """A store that saves no token record."""

    def save(self, held: HeldName, name: str, text: str) -> None:
        if name.startswith("token/"):
            raise StoreUnavailable("the disk is full", hint="make room")
        held.save(text)


class Readonly(Wrapped):
    """A store that saves nothing."""

    def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002  as the base class has them
        raise StoreUnavailable(f"no room for {name} ({len(text)})")


class Killed(BaseException):
    """The process dies here."""


class Dying(Wrapped):
    """A store that kills the process between the answer and the save."""

    def save(self, held: HeldName, name: str, text: str) -> None:
        if name.startswith("token/"):
            raise Killed(len(text))
        held.save(text)


class TestStore:
    def test_an_unwritable_store_is_found_before_anything_is_sent(self, foreign: Import) -> None:
        """The new tokens could not be saved."""
        with pytest.raises(StoreUnavailable):
            foreign.adopt(store=Readonly(foreign.store))
        assert foreign.sent_at == []

    def test_a_failed_save_names_the_deadline(self, foreign: Import) -> None:
        """Exit 5; until then the file can be imported again."""
        with pytest.raises(StoreNotDurable, match="could not be saved: the disk is full") as caught:
            foreign.adopt(store=Failing(foreign.store))
        assert "import the file again before 2023-11-15 06:13 and nothing is lost; make room" in caught.value.hint
        foreign.clock.at += 7 * HOUR
        assert foreign.adopt() == stored_grant(foreign.store, "default")

    def test_a_store_that_is_lost_before_the_save_is_worth_another_try(self, foreign: Import) -> None:
        """Exit 4; the next import waits until nothing of this one can arrive any more."""
        store = RemoteStore(Server(), behind_seconds=HOUR)
        store.before = lambda what: store.server.end_sessions() if foreign.sent_at and what == "save" else None
        with pytest.raises(LockLost, match="could not be saved: the lock is no longer held") as caught:
            foreign.adopt(store=store)
        assert "import the file again before 2023-11-15 07:13 and nothing is lost" in caught.value.hint
        store.before = lambda _: None
        grant, stored = foreign.adopt(store=store), stored_grant(store, "default")
        assert foreign.clock.waited > REPEAT_GUARD_SECONDS
        assert stored is not None
        assert (grant.access_token, grant.expires_at) == (stored.access_token, stored.expires_at - HOUR)

    @pytest.mark.parametrize("same_pair", [False, True])
    def test_a_process_that_dies_before_the_save_loses_nothing(self, foreign: Import, same_pair: bool) -> None:
        """The file's refresh token still works, because the new access token was never used."""
        foreign.sandbox.switch(repeated_refresh_returns_same_pair=same_pair)
        with pytest.raises(Killed):
            foreign.adopt(store=Dying(foreign.store))
        assert stored_grant(foreign.store, "default") is None
        foreign.clock.at += 7 * HOUR
        grant = foreign.adopt()
        assert grant.refresh_token in foreign.sandbox.live_refresh_tokens

    def test_no_notes_are_left(self, foreign: Import) -> None:
        """Once the login is saved, the outcome is known."""
        foreign.adopt()
        assert list(Path.home().glob("store/import/*.attempt")) == []
