"""Moves logins to another store. No login gets lost, and none is left alive in both.

Each login is locked in both stores while it moves. It is saved in the new store and read back there before it is
removed from the old one. A move that is killed in between leaves two copies: the next move keeps the one that was
renewed last, and removes the other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TypeVar

from withings_auth.errors import ConfigurationError, LockBusy, StoreCorrupt, StoreError, WithingsAuthError, WrongAccount
from withings_auth.model import App, Grant
from withings_auth.store.base import HeldName, SecretStore, clock_offset, latest_note, load_all
from withings_auth.store.ownership import WAYS_ON, refuse_other_owner
from withings_auth.store.records import (
    LOCK_PATIENCE_SECONDS,
    app_name,
    clear_unused_app,
    profiles,
    saved_apps,
    stored_app,
    stored_grant,
    token_name,
)
from withings_auth.threads import run_to_its_end
from withings_auth.tokens.journal import Journal, note_by_clock
from withings_auth.tokens.practice import PRACTICE_END, practice_has_ended
from withings_auth.validation import printable

T = TypeVar("T")

MOVING = "move/logins"  # this name is locked in the old store while logins leave it


@dataclass(slots=True)
class Move:
    """One move of logins: `tell` is called with what was done, `failures` collects what was not.

    `in_target` returns the line that runs a command with the new store.
    """

    source: SecretStore
    target: SecretStore
    _: KW_ONLY
    replace: bool
    tell: Callable[[str], None]
    in_target: Callable[[str], str] = str
    failures: list[WithingsAuthError] = field(default_factory=list)
    _brought: list[str] = field(default_factory=list)
    _stuck: set[str] = field(default_factory=set)
    _owners: dict[tuple[str, ...], str] = field(default_factory=dict)

    def run(self, only: str | None, usual: str) -> bool:
        """Moves one login, or every login and app; returns whether anything has moved.

        The `usual` profile is found even if a keyring's index does not list it. Raises `ConfigurationError` if both are
        one store, `LockBusy` if another move is under way, and `StoreError` if one of the stores does not work: no
        login is lost, and the move can be repeated.
        """
        names = [only] if only else sorted({*profiles(self.source), usual})
        apps = saved_apps(self.source)
        if not apps and all(self.source.load(token_name(name)) is None for name in names):
            self.tell(f"There is no login in {self.source.description}.")
            return False
        with _two_stores(self.source, self.target):
            self._owners = _find_owners(self.target)
            if only:
                with suppress(StoreCorrupt):  # `_move_login` reports it
                    grant = stored_grant(self.source, only)
                    apps = [grant.client_id] if grant else []
            for client_id in apps:
                self._bring_app(client_id)
            moved = [self._move_login(name) for name in names]
            return self._remove_apps() or any(moved)

    def _bring_app(self, client_id: str) -> None:
        """Saves the app's credentials in the new store unless they are there. `_remove_apps` removes the old ones."""
        try:
            app = self._read_old(stored_app, client_id, "withings-auth configure")
            if app is not None:
                self._save_app(app)
                self._brought.append(client_id)
        except (ConfigurationError, LockBusy, StoreCorrupt) as error:
            self._stuck.add(client_id)
            self.failures.append(error)

    def _move_login(self, profile: str) -> bool:
        """Moves the profile's login with the notes of its renewals, if there is one; returns whether it has moved."""
        try:
            return self._move(profile, token_name(profile))
        except (LockBusy, StoreCorrupt, WrongAccount) as error:
            self.failures.append(error)
            return False

    def _remove_apps(self) -> bool:
        """Removes the credentials that the new store has now from the old one, unless a login there needs them.

        Returns whether any were removed. An app that somebody has locked stays.
        """
        removed = False
        for client_id in self._brought:
            with suppress(LockBusy):
                removed = clear_unused_app(self.source, client_id) or removed
        if removed:
            self.tell(f"Moved the app's client secret, too: {self.source.description} no longer has it.")
        return removed

    def _save_app(self, app: App) -> None:
        with self.target.lock(app_name(app.client_id), LOCK_PATIENCE_SECONDS) as held:
            there = self._read_new(stored_app, app.client_id)
            if there is not None and there.client_secret == app.client_secret:
                return
            if there is not None and not self.replace:
                raise ConfigurationError(
                    f"{self.target.description} has another client secret of app {app.client_id}: the app and its"
                    " logins were not moved",
                    hint="to replace that client secret: replace=True; to correct it:"
                    f" {self.in_target('withings-auth configure')}",
                )
            held.save(app.to_record())

    def _move(self, profile: str, name: str) -> bool:
        with ExitStack() as locks:
            old = locks.enter_context(self.source.lock(name, LOCK_PATIENCE_SECONDS))
            new = locks.enter_context(self.target.lock(name, LOCK_PATIENCE_SECONDS))
            grant = self._read_old(stored_grant, profile, f"withings-auth login --profile {profile}")
            if grant is None or self._must_stay(profile, grant):
                return False
            grant = _with_clock_of(self.target, self.source, grant)
            there = self._read_new(stored_grant, profile)
            self._refuse_other(profile, grant, there)
            newer = there is not None and _is_newer(there, new, grant, old)
            # No signal ends this half way, because that would leave two copies.
            run_to_its_end(lambda _: self._hand_over(old, new, None if newer else grant), threading.Event())
        if there is not None:
            self._owners.pop(_login(there), None)
        self._owners[_login(grant)] = profile
        where = f"from {self.source.description} to {self.target.description}"
        newer_words = ", where it has been renewed since an earlier move" if newer else ""
        self.tell(f"Moved profile {printable(profile, limit=80)} (user {grant.userid}) {where}{newer_words}.")
        if there is not None and there.client_id != grant.client_id:
            with suppress(StoreError, LockBusy):  # the login has moved, and that is what counts
                clear_unused_app(self.target, there.client_id)
        return True

    def _hand_over(self, old: HeldName, new: HeldName, grant: Grant | None) -> None:
        """Saves the grant in the new store, unless that has a newer one, and removes what the old store has."""
        if grant is not None:
            new.save(grant.to_record())
            note = old.notes.recall()
            if note is not None:
                new.notes.note(note_by_clock(note, clock_offset(self.target) - clock_offset(self.source)))
        try:
            old.clear()
        except WithingsAuthError as error:
            raise error.with_message(
                f"the login is saved in {self.target.description}, but {self.source.description} may still have it,"
                f" too: {error}",
                hint=f"repeat this command before any program renews the login; {error.hint}",
            ) from error
        with suppress(StoreError):  # there is no secret in them, and they count for no other login
            old.notes.note(None)

    def _must_stay(self, profile: str, grant: Grant) -> bool:
        """Returns whether the login stays in the old store, and says why."""
        why = ""
        if grant.client_id in self._stuck:
            why = "its app was not moved"
        elif practice_has_ended(profile, grant.token_url):
            why = PRACTICE_END
        if why:
            self.tell(f"Profile {printable(profile, limit=80)} stays in {self.source.description}: {why}.")
        return bool(why)

    def _refuse_other(self, profile: str, grant: Grant, there: Grant | None) -> None:
        """Raises `WrongAccount` if the new store has another login under this profile, or this one under another."""
        if there is not None and not self.replace:
            try:
                refuse_other_owner(profile, there, grant.client_id, grant.token_url)
                if there.userid != grant.userid:
                    message = f"profile {profile} belongs to user {there.userid}, not to user {grant.userid}"
                    raise WrongAccount(message, hint=WAYS_ON)
            except WrongAccount as error:
                raise WrongAccount(
                    f"in {self.target.description}, {error}: it was not moved",
                    hint=f'to replace that login: replace=True profile="{profile}"; to remove it first:'
                    f" {self.in_target(f'withings-auth logout --profile {profile}')}",
                    userid=grant.userid,
                    owner=there.userid,
                ) from error
        other = self._owners.get(_login(grant), profile)
        if other != profile:  # the two might log each other out: see `ownership.refuse_second_profile`
            raise WrongAccount(
                f"in {self.target.description}, user {grant.userid} is already logged in to this app, as profile"
                f" {other}: profile {profile} was not moved",
                hint=f"to remove that one first: {self.in_target(f'withings-auth logout --profile {other}')}",
            )

    def _read_old(self, load: Callable[[SecretStore, str], T], key: str, command: str) -> T:
        """Returns what is loaded from the old store; names the command that makes it anew in the new one."""
        try:
            return load(self.source, key)
        except StoreCorrupt as error:
            anew = f"it stays there; to start anew: {self.in_target(command)}"
            raise error.with_message(
                f"in {self.source.description}, {error}", hint=error.hint if error.newer else anew
            ) from error

    def _read_new(self, load: Callable[[SecretStore, str], T], key: str) -> T | None:
        """Returns what is loaded from the new store; None if it is damaged and may be replaced."""
        try:
            return load(self.target, key)
        except StoreCorrupt as error:
            if self.replace and not error.newer:
                return None
            raise error.with_message(
                f"in {self.target.description}, {error}",
                hint=error.hint if error.newer else "it was left in place; to replace it: replace=True",
            ) from error


def _login(grant: Grant) -> tuple[str, ...]:
    """Returns what tells two logins apart."""
    return grant.userid, grant.client_id, grant.token_url


def _with_clock_of(target: SecretStore, source: SecretStore, grant: Grant) -> Grant:
    """Returns the grant with the times that the new store's clock would have shown."""
    seconds = round(clock_offset(target) - clock_offset(source))
    return replace(grant, obtained_at=grant.obtained_at + seconds, expires_at=grant.expires_at + seconds)


def _is_newer(there: Grant, new: HeldName, grant: Grant, old: HeldName) -> bool:
    """Whether the new store's copy of the login is the one that works: its pair was issued later, and is not refused.

    Of two logins that one user has made for one app, it tells which to keep; neither is needed.
    """
    if _login(there) != _login(grant) or there.access_token == grant.access_token:  # by another clock, maybe
        return False
    refused_there, refused_here = (
        Journal(held.notes, each).refusal is not None for held, each in ((new, there), (old, grant))
    )
    if refused_there != refused_here:
        return refused_here
    return there.obtained_at > grant.obtained_at


@contextmanager
def _two_stores(source: SecretStore, target: SecretStore) -> Iterator[None]:
    """Keeps other moves out of `source`. Raises `ConfigurationError` if both are one store, and `LockBusy`."""
    mark = os.urandom(8).hex()
    with source.lock(MOVING, LOCK_PATIENCE_SECONDS) as held:
        held.notes.note(mark)
        try:
            target.load(MOVING)  # a store on a server may remember the note that it has seen with the record
            if latest_note(target, MOVING) == mark:
                raise ConfigurationError(
                    f"the old store and the new one are the same: {source.description}",
                    hint="nothing was moved; name another store",
                )
            yield
        finally:
            with suppress(StoreError):
                held.notes.note(None)


def _find_owners(store: SecretStore) -> dict[tuple[str, ...], str]:
    """Returns the profile of each login; they are read at once, because there may be hundreds."""
    owners = {}
    for name, text in load_all(store, [token_name(profile) for profile in profiles(store)]).items():
        with suppress(StoreCorrupt):  # which is not for a move to report
            if isinstance(text, str):
                owners[_login(Grant.from_record(text))] = name.removeprefix(token_name(""))
    return owners
