"""How a login ends: every local copy is removed and, when asked, the person's access at Withings before that.

The secret and the tokens that a revocation needs are in the records that are to be removed, so Withings is asked
first, under the profile's lock. Whatever comes of that, the local copies go. One trouble does not stop the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from withings_auth.errors import LoginRequired, StoreCorrupt, StoreError, WithingsAuthError
from withings_auth.model import App, Grant
from withings_auth.provider.retry import past_the_guard
from withings_auth.provider.signed import revoke
from withings_auth.store.base import SecretStore
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
    """What a revocation ends: an app's access to a person's data, on every machine."""

    service: str
    client_id: str
    userid: str


def access_of(grant: Grant) -> Access:
    """Returns what would end with this grant."""
    return Access(service=origin(grant.token_url), client_id=grant.client_id, userid=grant.userid)


def accesses(store: SecretStore, names: Iterable[str]) -> dict[str, Access]:
    """Returns what the profiles give access to, those that can be read."""
    found = {profile: _readable_grant(store, profile) for profile in names}
    return {profile: access_of(grant) for profile, grant in found.items() if grant is not None}


class Leaving:
    """One logout, profile by profile: `tell` hears what was done, `troubles` keeps what could not be.

    `end_access` ends a person's access at Withings; None where that was not asked for.
    """

    def __init__(
        self, store: SecretStore, *, tell: Callable[[str], None], end_access: Callable[[Grant], None] | None = None
    ) -> None:
        self.troubles: list[WithingsAuthError] = []
        self._store = store
        self._tell = tell
        self._end_access = end_access
        self._asked: set[Access] = set()
        self._grants: list[Grant] = []
        self._removed_unread = False

    def leave(self, profile: str) -> bool:
        """Removes the profile's tokens and the notes beside them; before that ends the access once, if asked to.

        Returns whether there was anything to remove, and it is gone.
        """
        name = printable(profile, limit=80)
        try:
            with self._store.lock(token_name(profile), LOCK_PATIENCE_SECONDS) as notes:
                grant = _readable_grant(self._store, profile)
                if grant is not None:
                    self._grants.append(grant)
                    self._end(grant)
                removed = self._store.clear(token_name(profile))
                notes.note(None)
        except WithingsAuthError as error:
            error.args = (f"profile {name} is not wholly removed: {error}",)
            self.troubles.append(error)
            return False
        if removed:
            self._tell(f"Logged out: profile {name} is removed from {self._store.description}.")
        if removed and grant is None:
            self._removed_unread = True
            if self._end_access is not None:
                self.troubles.append(
                    StoreCorrupt(
                        f"the record of profile {name} could not be read, so no access was ended at Withings",
                        hint=DISCONNECT,
                    )
                )
        return removed

    def remove_apps(self, configured: str | None, *, every: bool) -> None:
        """Removes the credentials of the apps whose last login has gone, or of `every` app that no login needs.

        Where a record could not be read nobody knows whose app it was, so then too every app without a login goes.
        """
        client_ids = [*(grant.client_id for grant in self._grants), *([configured] if configured else [])]
        removed = False
        try:
            client_ids += saved_apps(self._store) if every or self._removed_unread else []
        except StoreError as error:
            self.troubles.append(error)
        for client_id in dict.fromkeys(client_ids):
            try:
                removed = clear_unused_app(self._store, client_id) or removed
            except WithingsAuthError as error:
                error.args = (f"the app's client secret is not removed: {error}",)
                self.troubles.append(error)
        if removed:
            self._tell(f"The app's client secret is removed from {self._store.description}.")

    def finish(self) -> None:
        """Tells what is left at Withings, and what else has ended."""
        if self._end_access is None:
            if any(not is_loopback_url(grant.token_url) for grant in self._grants):
                self._tell(f"Withings itself still lists the app; {DISCONNECT}.")
        elif not self._asked and not self.troubles:
            self.troubles.append(
                LoginRequired(
                    "nobody is logged in here, so no access was ended at Withings",
                    hint=f"if an earlier logout could not end it: {DISCONNECT}",
                )
            )

    def _end(self, grant: Grant) -> None:
        access = access_of(grant)
        if self._end_access is None or access in self._asked:
            return
        self._asked.add(access)
        try:
            self._end_access(grant)
        except WithingsAuthError as error:
            self.troubles.append(error)
        else:
            self._tell(f"Withings has ended the app's access to the data of user {access.userid}.")


def end_access(
    store: SecretStore,
    grant: Grant,
    known_secret: str | None,
    *,
    wait: Callable[[float], None],
    revoking: Callable[[App, str, str], None] = revoke,
) -> None:
    """Ends at Withings all access of the grant's app to the person's data. Blocks.

    Raises an error that says what was not confirmed and what to do instead: its class, and so its exit code, is that of
    what stood in the way (`ProviderUnavailable`, `ProviderError`, `ConfigurationError`, `StoreError`).
    """
    try:
        app = App(client_id=grant.client_id, client_secret=known_secret or load_secret(store, grant.client_id))

        def ask() -> None:
            interruptibly(lambda: revoking(app, grant.api_url, grant.userid), "withings-auth revoke")

        past_the_guard(ask, wait=wait)
    except WithingsAuthError as error:
        error.args = (f"Withings has not confirmed that the access of user {grant.userid} is ended: {error}",)
        error.hint = f"{DISCONNECT}; until then other copies of the login may still work"
        raise


def _readable_grant(store: SecretStore, profile: str) -> Grant | None:
    try:
        return stored_grant(store, profile)
    except StoreError:
        return None  # what cannot be read is to be removed too; a store that cannot be used says so when it removes
