"""Logging out: every local copy is removed and, if asked to, the access at Withings is revoked first.

Revoking needs the secret and the tokens in the records that are about to go, so Withings is asked first, under the
profile's lock. Whatever it answers, the local copies go. One failure does not stop the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field

from withings_auth.errors import LockBusy, LoginRequired, StoreCorrupt, StoreError, WithingsAuthError
from withings_auth.model import App, Grant
from withings_auth.provider.repeat_guard import ask_past_guard
from withings_auth.provider.signed import revoke
from withings_auth.store.base import SecretStore, find_traces
from withings_auth.store.records import (
    LOCK_PATIENCE_SECONDS,
    clear_unused_app,
    load_secret,
    saved_apps,
    stored_grant,
    token_name,
)
from withings_auth.threads import interruptibly
from withings_auth.validation import is_loopback_url, origin, printable

DISCONNECT = "disconnect the app in the settings of your Withings account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a revocation ends: an app's access to a user's data, on every machine."""

    service: str
    client_id: str
    userid: str

    @classmethod
    def of(cls, grant: Grant) -> Access:
        """Returns the access that ends with this grant."""
        return cls(service=origin(grant.token_url), client_id=grant.client_id, userid=grant.userid)


def read_accesses(store: SecretStore, profiles: Iterable[str]) -> dict[str, Access]:
    """Returns the access of each profile that can be read."""
    grants = {profile: _try_to_read(store, profile) for profile in profiles}
    return {profile: Access.of(grant) for profile, grant in grants.items() if grant is not None}


@dataclass(slots=True)
class Logout:
    """One logout, profile by profile: `tell` is called with what was done, `failures` collects what was not.

    `revoke` revokes a grant's access at Withings; None if that was not asked for.
    """

    store: SecretStore
    _: KW_ONLY
    tell: Callable[[str], None]
    revoke: Callable[[Grant], None] | None = None
    failures: list[WithingsAuthError] = field(default_factory=list)
    _revoked: set[Access] = field(default_factory=set)
    _grants: list[Grant] = field(default_factory=list)
    _removed_unread: bool = False

    def remove_profile(self, profile: str) -> bool:
        """Revokes the profile's access once, if asked to, and removes its tokens and the notes beside them.

        Returns whether there was anything to remove and it is gone.
        """
        name = printable(profile, limit=80)
        try:
            with self.store.lock(token_name(profile), LOCK_PATIENCE_SECONDS) as held:
                grant = _try_to_read(self.store, profile)
                if grant is not None:
                    self._grants.append(grant)
                    self._revoke_once(grant)
                removed = held.clear()
                if removed:  # else the notes may belong to a record in another desktop's keyring
                    held.notes.note(None)
        except WithingsAuthError as error:
            self.failures.append(error.with_message(f"profile {name} was not completely removed: {error}"))
            return False
        if removed:
            self.tell(f"Logged out: removed profile {name} from {self.store.description}.")
        if removed and grant is None:
            self._removed_unread = True
            if self.revoke is not None:
                message = f"the record of profile {name} could not be read, so its access was not revoked"
                self.failures.append(StoreCorrupt(message, hint=DISCONNECT))
        return removed

    def remove_traces(self, profile: str | None = None) -> None:
        """Removes what killed programs have left of a profile, or of anything, unless it is in use or has a record."""
        try:
            names = find_traces(self.store)
        except StoreError as error:
            self.failures.append(error)
            return
        for name in names:
            kind, _, owner = name.partition("/")
            if profile not in {None, owner}:
                continue
            try:
                if self.store.load(name) is not None:
                    continue
                with ExitStack() as locks:
                    if kind == "pending":  # a login that waits holds only the other lock
                        locks.enter_context(self.store.lock(f"login/{owner}", 0))
                    held = locks.enter_context(self.store.lock(name, 0))
                    if self.store.load(name) is None:  # still
                        held.clear()
                        held.notes.note(None)
            except LockBusy:
                continue
            except StoreError as error:
                self.failures.append(error.with_message(f"what is left of {printable(name)} was not removed: {error}"))

    def remove_apps(self, configured: str | None, *, every: bool) -> None:
        """Removes the credentials of the apps that lost their last login, or of `every` app without one.

        Nobody knows which app an unreadable record belonged to, so after one every app without a login goes too.
        """
        client_ids = [*(grant.client_id for grant in self._grants), *([configured] if configured else [])]
        removed = False
        try:
            client_ids += saved_apps(self.store) if every or self._removed_unread else []
        except StoreError as error:
            self.failures.append(error)
        for client_id in dict.fromkeys(client_ids):
            try:
                removed = clear_unused_app(self.store, client_id) or removed
            except WithingsAuthError as error:
                self.failures.append(error.with_message(f"the app's client secret was not removed: {error}"))
        if removed:
            self.tell(f"Removed the app's client secret from {self.store.description}.")

    def finish(self) -> None:
        """Tells what remains at Withings; a revocation that found nobody to revoke is a failure."""
        if self.revoke is None:
            if any(not is_loopback_url(grant.token_url) for grant in self._grants):
                self.tell(f"Withings still lists the app; to end its access, {DISCONNECT}.")
        elif not self._revoked and not self.failures:
            self.failures.append(
                LoginRequired(
                    "nobody is logged in here, so no access was revoked",
                    hint=f"if an earlier logout could not revoke it: {DISCONNECT}",
                )
            )

    def _revoke_once(self, grant: Grant) -> None:
        access = Access.of(grant)
        if self.revoke is None or access in self._revoked:
            return
        self._revoked.add(access)
        try:
            self.revoke(grant)
        except WithingsAuthError as error:
            self.failures.append(error)
        else:
            self.tell(f"Withings has revoked the app's access to the data of user {access.userid}.")


def revoke_access(
    store: SecretStore,
    grant: Grant,
    known_secret: str | None,
    *,
    wait: Callable[[float], None],
    send: Callable[[App, str, str], None] = revoke,
) -> None:
    """Has Withings end all access of the grant's app to the user's data. Blocks.

    Raises an error of the class of its cause (`ProviderError`, `ConfigurationError`, `StoreError`), which says what was
    not confirmed and what to do instead.
    """
    try:
        app = App(client_id=grant.client_id, client_secret=known_secret or load_secret(store, grant.client_id))

        def ask() -> None:
            interruptibly(lambda: send(app, grant.api_url, grant.userid), "withings-auth revoke")

        ask_past_guard(ask, wait=wait)
    except WithingsAuthError as error:
        raise error.with_message(
            f"Withings did not confirm that access to the data of user {grant.userid} was revoked: {error}",
            hint=f"{DISCONNECT}; until then, other copies of the login may still work",
        ) from error


def _try_to_read(store: SecretStore, profile: str) -> Grant | None:
    try:
        return stored_grant(store, profile)
    except StoreError:
        return None  # an unreadable record is removed too; a store that cannot be used says so when it removes
