"""What applications hold: an object that returns a valid access token whenever it is asked.

A token in memory is returned as long as it is good enough and the store has not changed, which costs one `stat`.
Everything else is the transaction of `renewal`, in a thread of its own: nothing that happens to the caller, be it a
signal or a cancellation, comes between Withings' answer and the save.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from withings_auth.config.settings import Settings, checked_profile, read_settings
from withings_auth.errors import ConfigurationError, LockBusy, LockLost, LoginRequired, hints_for
from withings_auth.model import App, Grant, Token
from withings_auth.store.base import SecretStore, checked_store, clock_offset, is_read_only, latest_note
from withings_auth.store.records import load_grant_with_stamp, token_name
from withings_auth.threads import in_thread, run_to_its_end
from withings_auth.tokens.practice import refuse_ended_practice
from withings_auth.tokens.requirement import REFUSAL_MARK, Requirement

if TYPE_CHECKING:
    import asyncio

    from withings_auth.tokens.renewal import Effects

DEFAULT_MIN_VALID_SECONDS = 60
LONGEST_MIN_VALID_SECONDS = 9000  # a new token lives for 10,800: asking for nearly all of it would renew for ever


class _Source:
    """One profile's grant as both sources see it: in memory, in the store, renewed."""

    def __init__(
        self,
        profile: str | None = None,
        *,
        min_valid: float = DEFAULT_MIN_VALID_SECONDS,
        store: SecretStore | None = None,
        app: App | None = None,
        ask_anew: bool = False,
    ) -> None:
        if not (math.isfinite(min_valid) and 0 <= min_valid <= LONGEST_MIN_VALID_SECONDS):
            raise ConfigurationError(
                f"a token cannot be required to be valid for {min_valid:g} more seconds",
                hint=f"Withings' access tokens live for three hours; ask for 0 to {LONGEST_MIN_VALID_SECONDS} seconds",
            )
        self._settings = self._read_settings()
        self._profile = self._settings.profile if profile is None else checked_profile(profile)
        self._store = self._settings.open_store() if store is None else checked_store(store)
        self._app = app
        self._usual = Requirement(min_valid=min_valid, ask_anew=ask_anew)
        self._memory: tuple[Hashable, Grant, Token] | None = None  # the stamp, what was stored, and what callers get
        # One entry per loop: this needs no lock, and neither another thread's loop nor a forked child waits in vain.
        self._tasks: dict[tuple[asyncio.AbstractEventLoop, Requirement], asyncio.Task[Token]] = {}

    # What a source takes from the machine, for `testing.sources` to replace.

    def _read_settings(self) -> Settings:
        return read_settings()

    def _now(self) -> float:
        return time.time()

    def _effects(self, wait: Callable[[float], None]) -> Effects:
        from withings_auth.provider.http import post  # both here, because a valid token is returned without them
        from withings_auth.tokens.renewal import Effects

        return Effects(post=post, wait=wait)

    def _store_time(self) -> float:
        return self._now() + clock_offset(self._store)

    def _require(self, rejected: str | None) -> Requirement:
        return self._usual if rejected is None else replace(self._usual, rejected=rejected)

    def _recall(self, requirement: Requirement) -> Token | None:
        """Returns the token in memory if it is good enough and the store has not changed; costs one `stat`."""
        if self._memory is None:
            return None
        stamp, grant, token = self._memory
        # Without a stamp, the store cannot tell whether it has changed.
        if stamp is None or stamp != self._store.stamp(token_name(self._profile)):
            return None
        return token if requirement.met_by(grant, self._store_time()) else None

    def _fetch(self, requirement: Requirement, abandoned: threading.Event, asker: threading.Thread) -> Token:
        """Returns the stored token if it is good enough, or else renews it for `asker`; `abandoned` ends all waits."""
        with hints_for(self._profile, usual=self._settings.profile):
            try:
                grant, stamp = load_grant_with_stamp(self._store, self._profile)
                self._check(grant)
                refuse_ended_practice(self._profile, grant)
                self._refuse_ended(requirement, grant)
                if requirement.met_by(grant, self._store_time()):
                    return self._remember(stamp, grant)
                if is_read_only(self._store):
                    return self._remember(stamp, self._unrenewed(requirement, grant))
                # Without a stamp, this is only for the case that the store cannot be reached.
                return self._remember(None, self._check(self._renew(requirement, abandoned, asker)))
            except LoginRequired:
                self._memory = None  # the token in memory lives in vain, too
                raise
            except LockLost as lost:
                token = None if lost.renewed else self._last_known(requirement)
                if token is None:
                    raise
                return token

    def _remember(self, stamp: Hashable, grant: Grant) -> Token:
        token = grant.by_clock(-clock_offset(self._store)).token  # callers know only this machine's clock
        self._memory = stamp, grant, token
        return token

    def _last_known(self, requirement: Requirement) -> Token | None:
        """Returns the token in memory while the store cannot be reached, unless it is known to have been replaced."""
        if self._memory is None:
            return None
        stamp, grant, token = self._memory
        replaced = stamp is not None and self._store.stamp(token_name(self._profile)) not in {None, stamp}
        return token if not replaced and requirement.tolerates(grant, self._store_time()) else None

    def _unrenewed(self, requirement: Requirement, grant: Grant) -> Grant:
        """Returns the grant of a store that others renew, as long as its token lives. Raises `LockBusy` after that."""
        if requirement.tolerates(grant, self._store_time()):
            return grant
        raise LockBusy(
            f"the login of profile {self._profile} must be renewed by somebody else:"
            f" {self._store.description} lets this user only read",
            hint="ask again once a user who may write has renewed it, as by a timer that runs:"
            " withings-auth token --min-valid 3600",
        )

    def _check(self, grant: Grant) -> Grant:
        refuse_contradiction(self._profile, grant, self._settings, self._app)
        return grant

    def _refuse_ended(self, requirement: Requirement, grant: Grant) -> None:
        """Raises `LoginRequired` if Withings has definitely refused to renew the grant: its token lives in vain."""
        note = latest_note(self._store, token_name(self._profile))
        if REFUSAL_MARK in (note or "") and not requirement.ask_anew:
            from withings_auth.tokens.journal import refuse_ended  # here, because a valid token needs no journal

            refuse_ended(self._profile, note, lambda: grant)

    def _renew(self, requirement: Requirement, abandoned: threading.Event, asker: threading.Thread) -> Grant:
        # Imported here, because a valid token is returned without loading aiohttp.
        from withings_auth.provider.http import load_aiohttp
        from withings_auth.tokens.hooks import Event, start_hook
        from withings_auth.tokens.renewal import renew

        load_aiohttp()

        def transaction(wait: Callable[[float], None]) -> Grant:
            events: list[Event] = []
            effects = replace(self._effects(wait), announce=events.append)
            try:
                return renew(self._store, self._profile, requirement, secret_for=self._known_secret, effects=effects)
            finally:
                for event in events:  # only now, when the lock is free: a hook may ask for a token itself
                    start_hook(self._settings, event)

        return run_to_its_end(transaction, abandoned, asker=asker)

    def _known_secret(self, grant: Grant) -> str | None:
        # Checked again: the login under the lock may be another one than before.
        self._check(grant)
        if self._app is not None:
            return self._app.client_secret
        return self._settings.secret_of(grant.client_id)


class TokenSource(_Source):
    """Returns valid access tokens of one profile, for blocking code; threads and forked children may share it.

    `profile`, `store` and `app` override the settings, which are the same as the commands'. `min_valid` is how many
    seconds each token must still be valid (at most 9,000). Once Withings has definitely refused to renew a login,
    nothing is sent until somebody logs in again; `ask_anew` sends it all the same, for a command that a person has
    typed. Raises `ConfigurationError`.
    """

    def access_token(self) -> str:
        """Returns only the text of `token`, and raises what that raises."""
        return self.token().access_token

    def token(self, *, rejected: str | None = None) -> Token:
        """Returns a token that works, renewed if necessary.

        `rejected` is an access token that a server has just refused: it is not returned again. Raises `LoginRequired`
        if the user must log in, `ProviderUnavailable`, `LockBusy` or `LockLost` if trying again helps, `StoreError`,
        `ConfigurationError`, `ProviderError` if Withings refuses, and `ProtocolViolation` if its answer makes no sense.
        """
        requirement = self._require(rejected)
        return self._recall(requirement) or self._fetch(requirement, threading.Event(), threading.current_thread())


class AsyncTokenSource(_Source):
    """Returns valid access tokens of one profile, for asyncio; takes and raises the same as `TokenSource`.

    The event loop is never blocked: everything but a look at memory happens in threads. Callers that want the same
    token share one task. If a caller is cancelled, the task goes on, and the next caller gets its result.
    """

    async def access_token(self) -> str:
        """Returns only the text of `token`; a client library can call it before each request."""
        return (await self.token()).access_token

    async def token(self, *, rejected: str | None = None) -> Token:
        """Returns a token that works, renewed if necessary; see `TokenSource.token`."""
        requirement = self._require(rejected)
        return self._recall(requirement) or await self._join_task(requirement)

    async def _join_task(self, requirement: Requirement) -> Token:
        """Returns the result of the task that fetches this, which is started unless it is running."""
        import asyncio  # here, because blocking code gets a valid token without loading it

        key = asyncio.get_running_loop(), requirement
        while True:
            task = self._tasks.get(key)
            if task is None:
                task = asyncio.create_task(self._fetch_in_thread(requirement), name="withings-auth token")
                task.add_done_callback(partial(self._forget, key))
                self._tasks[key] = task
            try:
                await _end_of(task)  # if this is cancelled, the task is not, unlike with `await task`
                # If somebody cancelled every task there is, this one too, this caller may still want a token.
                if not task.cancelled():
                    return task.result()
            finally:
                del task  # an error's traceback refers to this frame: the cycle would keep secrets in memory

    def _forget(self, key: tuple[asyncio.AbstractEventLoop, Requirement], done: asyncio.Task[Token]) -> None:
        del self._tasks[key]
        if not done.cancelled():
            done.exception()  # or asyncio would complain about it if all callers are gone

    async def _fetch_in_thread(self, requirement: Requirement) -> Token:
        abandoned, asker = threading.Event(), threading.current_thread()
        try:
            return await in_thread(lambda: self._fetch(requirement, abandoned, asker))
        finally:
            abandoned.set()  # if the loop ends before the thread does, the thread waits no longer for lock or guard


async def _end_of(task: asyncio.Task[Token]) -> None:
    """Waits until the task has ended.

    `asyncio.wait` does the same, but from Python 3.14 on a cancellation makes it refer to itself: the cycle would keep
    secrets in memory.
    """
    ended = task.get_loop().create_future()

    def wake(_: object) -> None:
        if not ended.done():
            ended.set_result(None)

    task.add_done_callback(wake)
    try:
        await ended
    finally:
        task.remove_done_callback(wake)


def refuse_contradiction(profile: str, grant: Grant, settings: Settings, app: App | None) -> None:
    """Raises `ConfigurationError` if the environment, or the caller, names another app or service than the grant's.

    A login is renewed only at the service that issued it, for the app that it was issued to.
    """
    if app is not None and app.client_id != grant.client_id:
        raise ConfigurationError(
            f"profile {profile} belongs to another app than the given one",
            hint="pass the app that it was logged in with, or name another profile",
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
