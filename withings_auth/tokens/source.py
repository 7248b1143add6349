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
from functools import partial
from typing import TYPE_CHECKING

from withings_auth.config.settings import Settings, checked_profile, read_settings
from withings_auth.errors import ConfigurationError, ProviderUnavailable
from withings_auth.model import App, Grant, Token
from withings_auth.store.records import load_grant, token_name
from withings_auth.threads import NoThread, in_thread, run_to_its_end
from withings_auth.tokens.requirement import Requirement

if TYPE_CHECKING:
    import asyncio

    from withings_auth.store.base import SecretStore

DEFAULT_MIN_VALID_SECONDS = 60
LONGEST_MIN_VALID_SECONDS = 9000  # a fresh token lives 10,800 seconds; asking for nearly all of it never ends


class TokenSource:
    """Hands out valid access tokens of one profile, for blocking code; threads and forked children may share it.

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
        self._login = _Login(profile, min_valid, store, app)

    def access_token(self) -> str:
        """Returns the bare text of `token`, and raises what that raises."""
        return self.token().access_token

    def token(self, *, rejected: str | None = None) -> Token:
        """Returns a token that works, renewing it if need be.

        `rejected` is the access token that a server just refused: it is not handed out again. Raises `LoginRequired`
        where a person must log in, `ProviderUnavailable` or `LockBusy` where trying again helps, `StoreError`,
        `ConfigurationError`, `ProviderError` where Withings refuses, and `ProtocolViolation` where its answer cannot be
        believed.
        """
        requirement = self._login.requirement(rejected)
        grant = self._login.remembered(requirement) or self._login.fetched(
            requirement, threading.Event(), threading.current_thread()
        )
        return grant.token


class AsyncTokenSource:
    """Hands out valid access tokens of one profile, for asyncio; made as `TokenSource` is, and raises what that raises.

    The loop is never blocked: all but a look at memory happens in threads. Callers that want the same share one
    errand. A caller that is cancelled loses nothing: the errand goes on, and what it brings is there for the next one.
    """

    def __init__(
        self,
        profile: str = "default",
        *,
        min_valid: float = DEFAULT_MIN_VALID_SECONDS,
        store: SecretStore | None = None,
        app: App | None = None,
    ) -> None:
        self._login = _Login(profile, min_valid, store, app)
        # By loop, so that no lock is needed, and that neither another thread's loop nor a forked child waits in vain.
        self._errands: dict[tuple[asyncio.AbstractEventLoop, Requirement], asyncio.Task[Grant]] = {}

    async def access_token(self) -> str:
        """Returns the bare text of `token`; a client library can call it before each request."""
        return (await self.token()).access_token

    async def token(self, *, rejected: str | None = None) -> Token:
        """Returns a token that works, renewing it if need be; as `TokenSource.token` does."""
        requirement = self._login.requirement(rejected)
        grant = self._login.remembered(requirement) or await self._shared(requirement)
        return grant.token

    async def _shared(self, requirement: Requirement) -> Grant:
        """Returns what the errand brings that is under way for this, or that is sent now."""
        import asyncio  # here, because a valid token is handed out to blocking code without loading it

        key = asyncio.get_running_loop(), requirement
        while True:
            errand = self._errands.get(key)
            if errand is None:
                errand = asyncio.create_task(self._sent(requirement), name="withings-auth token")
                errand.add_done_callback(partial(self._forget, key))
                self._errands[key] = errand
            try:
                await asyncio.wait([errand])  # unlike `await errand`, this can be cancelled without it
                # Whoever cancels all tasks there are, the errand too, may have left this caller alone.
                if not errand.cancelled():
                    return errand.result()
            finally:
                del errand  # an error's traceback holds this frame: without this a cycle keeps secrets alive

    def _forget(self, key: tuple[asyncio.AbstractEventLoop, Requirement], ended: asyncio.Task[Grant]) -> None:
        del self._errands[key]
        if not ended.cancelled():
            ended.exception()  # if all who waited are gone, nobody else looks at it

    async def _sent(self, requirement: Requirement) -> Grant:
        abandoned, asker = threading.Event(), threading.current_thread()
        try:
            return await in_thread(lambda: self._login.fetched(requirement, abandoned, asker))
        except NoThread as error:
            raise _without_thread() from error
        finally:
            abandoned.set()  # where the loop ends before the errand does, no lock and no guard is waited for any more


class _Login:
    """One profile's grant, as both sources see it: in memory, in the store, renewed."""

    def __init__(self, profile: str, min_valid: float, store: SecretStore | None, app: App | None) -> None:
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

    def requirement(self, rejected: str | None) -> Requirement:
        return Requirement(min_valid=self._min_valid, rejected=rejected)

    def remembered(self, requirement: Requirement) -> Grant | None:
        """Returns what is held in memory if it will do and nobody has changed the store: this costs one `stat`."""
        held = self._held
        if held is None:
            return None
        stamp, grant = held
        # A store that has no stamp now cannot tell that nothing has changed.
        unchanged = stamp is not None and stamp == self._store.stamp(token_name(self._profile))
        return grant if unchanged and requirement.met_by(grant, time.time()) else None

    def fetched(self, requirement: Requirement, abandoned: threading.Event, asker: threading.Thread) -> Grant:
        """Returns what is stored if it will do, else what a renewal brings for `asker`; `abandoned` ends its waits."""
        stamp = self._store.stamp(token_name(self._profile))
        grant = self._checked(load_grant(self._store, self._profile))
        if requirement.met_by(grant, time.time()):
            self._held = stamp, grant
            return grant
        return self._checked(self._renewed(requirement, abandoned, asker))

    def _checked(self, grant: Grant) -> Grant:
        refuse_contradiction(self._profile, grant, self._settings, self._app)
        return grant

    def _renewed(self, requirement: Requirement, abandoned: threading.Event, asker: threading.Thread) -> Grant:
        # Imported here: a valid token is handed out without loading aiohttp.
        from withings_auth.provider.http import post
        from withings_auth.tokens.renewal import Effects, renew

        def transaction(wait: Callable[[float], None]) -> Grant:
            effects = Effects(post=post, wait=wait)
            return renew(self._store, self._profile, requirement, secret_for=self._known_secret, effects=effects)

        try:
            return run_to_its_end(transaction, abandoned, asker=asker)
        except NoThread as error:
            raise _without_thread() from error

    def _known_secret(self, grant: Grant) -> str | None:
        # Checked again: under the lock it can be another login than the one that was looked at before.
        self._checked(grant)
        if self._app is not None:
            return self._app.client_secret
        return self._settings.secret_of(grant.client_id)


def _without_thread() -> ProviderUnavailable:
    return ProviderUnavailable(
        "Withings cannot be asked, since no thread can be started",
        hint="the main thread must not end before the others (Python 3.12), and there must not be too many of them",
    )


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
            hint='unset WITHINGS_CLIENT_ID, or name the other app\'s profile: profile="NAME"',
        )
    if settings.environment_api_url not in {None, grant.api_url}:
        raise ConfigurationError(
            f"profile {profile} belongs to another service than WITHINGS_AUTH_API_URL",
            hint='unset WITHINGS_AUTH_API_URL, or name the other service\'s profile: profile="NAME"',
        )
