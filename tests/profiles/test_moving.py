"""`store copy`: logins move between stores under both locks, and of two copies the one that works is kept."""

from __future__ import annotations

import dataclasses
import json
import signal
from pathlib import Path

import pytest

from tests.profiles.moves import MUM, OTHER_APP, move, put
from tests.support.stores import Busy, Wrapped, save_record
from tests.test_model import APP, GRANT
from withings_auth.errors import ConfigurationError, LockBusy
from withings_auth.model import Grant
from withings_auth.store.base import HeldName, SecretStore, latest_note
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name, stored_app, stored_grant, token_name
from withings_auth.tokens.journal import Journal


def refuse(store: SecretStore, profile: str, grant: Grant) -> None:
    """Notes that Withings has definitely refused to renew this grant."""
    with store.lock(token_name(profile), 1) as held:
        journal = Journal(held.notes, grant)
        journal.begin(1.0)
        note = json.loads(held.notes.recall() or "")
        held.notes.note(json.dumps({**note, "refusal": {"at": 1.0, "words": "invalid refresh_token"}}))


def later(grant: Grant, seconds: int = 10) -> Grant:
    """The pair that a renewal has put in the grant's place."""
    return dataclasses.replace(grant, access_token=f"later{seconds}", obtained_at=grant.obtained_at + seconds)


class TestMoving:
    def test_the_login_is_in_the_new_store_alone(self, source: SecretStore, target: SecretStore) -> None:
        """With its app and the note of its last renewal; nothing but locks stays."""
        put(source, "default", GRANT, note="an attempt")
        told, failures = move(source, target)
        assert failures == []
        assert (stored_grant(target, "default"), stored_app(target, APP.client_id)) == (GRANT, APP)
        assert latest_note(target, token_name("default")) == "an attempt"
        assert (source.names(), latest_note(source, token_name("default"))) == ([], None)
        assert told == [
            f"Moved profile default (user {GRANT.userid}) from {source.description} to {target.description}.",
            f"Moved the app's client secret, too: {source.description} no longer has it.",
        ]

    def test_and_back_again(self, source: SecretStore, target: SecretStore) -> None:
        move(source, target)
        move(target, source)
        assert (stored_grant(source, "default"), stored_app(source, APP.client_id)) == (GRANT, APP)
        assert target.names() == []

    def test_both_locks_are_held_from_the_save_to_the_removal(self, source: SecretStore, target: SecretStore) -> None:
        """Statement 55: and the new copy is there before the old one goes."""
        seen: list[str] = []

        def look(step: str, name: str) -> None:
            if name == token_name("default"):
                for side in (source, target):
                    with pytest.raises(LockBusy), side.lock(name, 0):
                        pass
                seen.append(step)

        class Watched(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:
                look("save", name)
                super().save(held, name, text)

            def clear(self, held: HeldName, name: str) -> bool:
                look("clear", name)
                assert target.load(name) == source.load(name), "it is saved before the old one is removed"
                return super().clear(held, name)

        assert move(Watched(source), Watched(target))[1] == []
        assert seen == ["save", "clear"]

    def test_ctrl_c_ends_it_between_two_logins(self, source: SecretStore, target: SecretStore) -> None:
        """Not between the save and the removal."""
        put(source, "mum", MUM)

        class Interrupting(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:
                super().save(held, name, text)
                if name.startswith("token/"):
                    signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            move(source, Interrupting(target))
        assert (stored_grant(source, "default"), stored_grant(target, "default")) == (None, GRANT)
        assert (stored_grant(source, "mum"), stored_grant(target, "mum")) == (MUM, None)
        assert move(source, target)[1] == []
        assert stored_grant(target, "mum") == MUM

    def test_nothing_to_move(self, target: SecretStore, home: Path) -> None:
        """A misspelt directory is not created."""
        told, failures = move(FileStore(home / "nowhere"), target)
        assert (told, failures) == ([f"There is no login in files in {home / 'nowhere'}."], [])
        assert not (home / "nowhere").exists()

    def test_a_store_is_not_moved_onto_itself(self, source: SecretStore) -> None:
        """Whatever it is called: its only copy would go."""
        other = FileStore(source.directory / "../store") if isinstance(source, FileStore) else source
        with pytest.raises(ConfigurationError, match="are the same: "):
            move(source, other)
        assert stored_grant(source, "default") == GRANT

    def test_one_login_of_several(self, source: SecretStore, target: SecretStore) -> None:
        """The app stays too, since another login needs it."""
        put(source, "mum", MUM)
        assert move(source, target, "mum")[1] == []
        assert (stored_grant(source, "mum"), stored_grant(target, "mum")) == (None, MUM)
        for store in (source, target):
            assert stored_app(store, APP.client_id) == APP
        assert stored_grant(source, "default") == GRANT
        assert move(source, target, "nobody")[0] == []

    def test_an_app_without_a_login_moves_too(self, source: SecretStore, target: SecretStore) -> None:
        save_record(source, app_name(OTHER_APP.client_id), OTHER_APP.to_record())
        assert move(source, target)[1] == []
        assert (source.names(), stored_app(target, OTHER_APP.client_id)) == ([], OTHER_APP)

    def test_a_login_whose_secret_is_kept_elsewhere(self, store: SecretStore, target: SecretStore) -> None:
        put(store, "default", GRANT)
        assert move(store, target)[1] == []
        assert target.names() == [token_name("default")]

    def test_an_app_that_is_locked_stays(self, source: SecretStore, target: SecretStore) -> None:
        """The login has moved, and the next move removes it."""

        class BusyApp(Wrapped):
            def lock(self, name: str, timeout: float):  # type: ignore[no-untyped-def]  # as `Wrapped` has it
                return (Busy(source) if name.startswith("app/") else source).lock(name, timeout)

        assert move(BusyApp(source), target)[1] == []
        assert source.names() == [app_name(APP.client_id)]
        move(source, target)
        assert source.names() == []


class TestInBoth:
    """What an earlier move that was killed has left, or two machines that have logged in for themselves."""

    @pytest.mark.parametrize("replace", [True, False])
    @pytest.mark.parametrize(
        ("here", "there", "kept"),
        [
            (GRANT, GRANT, GRANT),
            (GRANT, dataclasses.replace(GRANT, obtained_at=GRANT.obtained_at + 1), GRANT),
            (later(GRANT), GRANT, later(GRANT)),
            (GRANT, later(GRANT), later(GRANT)),
        ],
        ids=["equal", "equal, by another clock", "renewed in the old one", "renewed in the new one"],
    )
    def test_the_pair_that_was_issued_last_is_kept(
        self, source: SecretStore, target: SecretStore, here: Grant, there: Grant, kept: Grant, replace: bool
    ) -> None:
        """Its notes too. Nothing has to be replaced, and with `replace` no newer pair is lost either."""
        put(source, "default", here, note="old")
        put(target, "default", there, note="new")
        told, failures = move(source, target, replace=replace)
        assert (failures, source.names(), stored_grant(target, "default")) == ([], [], kept)
        assert latest_note(target, token_name("default")) == ("old" if kept == here else "new")
        assert (", where it has been renewed since an earlier move." in told[0]) is (kept != here)

    @pytest.mark.parametrize("refused_here", [True, False])
    def test_one_that_withings_has_refused_is_not(
        self, source: SecretStore, target: SecretStore, refused_here: bool
    ) -> None:
        """Even if it was issued last: the other one may work."""
        here, there = (later(GRANT), GRANT) if refused_here else (GRANT, later(GRANT))
        put(source, "default", here)
        put(target, "default", there)
        refuse(source if refused_here else target, "default", here if refused_here else there)
        assert move(source, target)[1] == []
        assert stored_grant(target, "default") == (there if refused_here else here)
        assert source.names() == []

    def test_the_note_of_an_equal_copy_stays(self, source: SecretStore, target: SecretStore) -> None:
        """If the old store has none."""
        put(target, "default", GRANT, note="new")
        assert move(source, target)[1] == []
        assert latest_note(target, token_name("default")) == "new"
