"""What applications hold: an object that hands out a valid access token whenever it is asked.

A token in memory is handed out as long as it is good and the store has not changed; that costs one `stat`. All else
is the transaction of `renewal`, run in a plain thread of its own: whatever happens to the caller (a signal, a
cancellation), nothing comes between Withings' answer and the save.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from withings_auth.errors import ConfigurationError
from withings_auth.model import App, Grant, Token
from withings_auth.settings import Settings, checked_profile, read_settings
from withings_auth.store.records import load_grant, token_name
from withings_auth.threads import Call

if TYPE_CHECKING:
    from withings_auth.store.base import SecretStore

DEFAULT_MIN_VALID_SECONDS = 60
LONGEST_MIN_VALID_SECONDS = 9000  # a fresh token lives 10,800 seconds; asking for nearly all of it never ends


class TokenSource:
    """Hands out valid access tokens of one profile, for blocking code.

    `min_valid` is the least life in seconds that a token handed out must have (9,000 at most). `store` and `app`
    stand in for what the settings name. Raises `ConfigurationError`.
    """

    def __init__(
        self,
        profile: str = "default",
        *,
        min_valid: float = DEFAULT_MIN_VALID_SECONDS,
        store: SecretStore | None = None,
        app: App | None = None,
    ) -> None:
        if not (math.isfinite(min_valid) and 0 <= min_valid <= LONGEST_MIN_VALID_SECONDS):
            raise ConfigurationError(
                f"a token cannot be asked to live for {min_valid:g} seconds more",
                hint=f"Withings' access tokens live for three hours; ask for 0 to {LONGEST_MIN_VALID_SECONDS} seconds",
            )
        self._profile = checked_profile(profile)
        self._settings = read_settings()
        self._store = self._settings.open_store() if store is None else store
        self._app = app
        self._min_valid = min_valid
        self._held: tuple[Hashable, Grant] | None = None

    def access_token(self) -> str:
        """Returns the bare text of `token`, and raises what that raises."""
        return self.token().access_token

    def token(self, *, rejected: str | None = None) -> Token:
        """Returns a token that works, renewing it if need be.

        `rejected` is the access token that a server just refused: it is not handed out again. Raises `LoginRequired`
        where a person must log in, `ProviderUnavailable` or `RenewalBusy` where trying again helps, `StoreError`,
        `ConfigurationError`, `ProviderError` where Withings refuses, and `ProtocolViolation` where its answer cannot be
        believed.
        """
        return self._grant(rejected).token

    def _grant(self, rejected: str | None) -> Grant:
        stamp = self._store.stamp(token_name(self._profile))
        held = self._held
        # A store that has no stamp now cannot tell that nothing has changed.
        if held is not None and stamp is not None and held[0] == stamp and self._is_good(held[1], rejected):
            return held[1]
        grant = self._checked(load_grant(self._store, self._profile))
        if self._is_good(grant, rejected):
            self._held = stamp, grant
            return grant
        return self._checked(self._renewed(rejected))

    def _is_good(self, grant: Grant, rejected: str | None) -> bool:
        left = grant.seconds_left(time.time())
        return grant.access_token != rejected and left > 0 and left >= self._min_valid

    def _checked(self, grant: Grant) -> Grant:
        refuse_contradiction(self._profile, grant, self._settings, self._app)
        return grant

    def _renewed(self, rejected: str | None) -> Grant:
        # Imported here: a valid token is handed out without loading aiohttp.
        from withings_auth.exchange import post
        from withings_auth.renewal import Wanted, World, renew

        def transaction(wait: Callable[[float], None]) -> Grant:
            return renew(
                self._store,
                self._profile,
                Wanted(min_valid=self._min_valid, rejected=rejected),
                secret_for=self._known_secret,
                world=World(post=post, wait=wait),
            )

        return run_to_its_end(transaction)

    def _known_secret(self, grant: Grant) -> str | None:
        # Checked again: under the lock it can be another login than the one that was looked at before.
        self._checked(grant)
        if self._app is not None:
            return self._app.client_secret
        return self._settings.client_secret if self._settings.client_id == grant.client_id else None


class _Abandoned(BaseException):
    """Nobody waits for the transaction any more, and no answer is on its way."""


def run_to_its_end(transaction: Callable[[Callable[[float], None]], Grant]) -> Grant:
    """Runs a transaction in a thread that a signal to this one does not stop half way.

    The transaction gets the function by which it waits. When the caller is interrupted, it ends at its next wait;
    past the last of these it is waited for, at most as long as one request and one save take.
    """
    abandoned = threading.Event()

    def wait(seconds: float) -> None:
        if abandoned.wait(seconds):
            raise _Abandoned

    call = Call(lambda: transaction(wait))
    # Not a daemon thread: the interpreter waits for it too, should a second signal end the wait below.
    thread = threading.Thread(target=call, name="withings-auth renewal")
    try:
        thread.start()
        call.finished()  # not `join`: interrupted, it takes the thread for ended (github.com/python/cpython, bpo-45274)
    except BaseException:
        abandoned.set()
        if thread.ident is not None:
            call.finished()
        raise
    return call.result()


def refuse_contradiction(profile: str, grant: Grant, settings: Settings, app: App | None) -> None:
    """Raises `ConfigurationError` where the environment, or the caller's app, speaks of another app or service.

    A stored login is renewed at the service and for the app that issued it, never at one that a variable names.
    """
    if app is not None and app.client_id != grant.client_id:
        raise ConfigurationError(
            f"profile {profile} belongs to another app than the given one",
            hint="give the app that it was logged in with, or another profile",
        )
    if app is None and settings.environment_client_id not in {None, grant.client_id}:
        raise ConfigurationError(
            f"profile {profile} belongs to another app than WITHINGS_CLIENT_ID",
            hint="unset WITHINGS_CLIENT_ID, or name the other app's profile: --profile NAME",
        )
    if settings.environment_api_url not in {None, grant.api_url}:
        raise ConfigurationError(
            f"profile {profile} belongs to another service than WITHINGS_AUTH_API_URL",
            hint="unset WITHINGS_AUTH_API_URL, or name the other service's profile: --profile NAME",
        )
