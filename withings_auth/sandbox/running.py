"""A running sandbox: Withings behind a web server, for as long as a `with` block lasts."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from email.utils import formatdate
from typing import Self

from withings_auth.model import Endpoints

from .faults import FaultKind, FaultPlace
from .http import HttpReply, HttpRequest
from .ledger import Pair
from .state import AUTHORIZE_PATH, PEOPLE, SCOPES, TOKEN_LIFE_SECONDS, Clock, Counters, Event, Person, State
from .switches import Switches
from .withings import Withings


class Sandbox:
    """A Withings to practise on, served on 127.0.0.1 inside `with Sandbox() as s` or `async with Sandbox() as s`.

    `async with` serves in the running event loop; `with` serves from a thread of its own, for code that blocks.
    Every method may be called from any thread, and takes effect from the next request on.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        redirect_uris: Iterable[str] = ("http://localhost:8000",),
        switches: Switches | None = None,
        now: Callable[[], float] | None = None,
        people: tuple[Person, ...] = PEOPLE,
        token_life: int = TOKEN_LIFE_SECONDS,
    ) -> None:
        """`token_life` is how many seconds an access token lives: three hours at Withings."""
        self._state = State(
            redirect_uris=tuple(redirect_uris),
            clock=Clock(now),
            switches=switches if switches is not None else Switches(),
            people=people,
            token_life=token_life,
        )
        self._withings = Withings(self._state)
        self._lock = threading.Lock()
        self._requested_port = port
        self._port = 0
        self._was_entered = False
        self._exits = AsyncExitStack()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="withings-sandbox")
        self._served: Future[None] = Future()
        self._stop: Callable[[], object] = lambda: None

    # Running

    async def __aenter__(self) -> Self:
        """Serves in the running event loop."""
        self._enter_once()
        await self._open()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stops, without waiting for slow answers."""
        await self._exits.aclose()

    def __enter__(self) -> Self:
        """Serves from a thread of its own."""
        self._enter_once()
        with ExitStack() as probes:  # for the three descriptors of a loop, which complains if it gets only one or two
            for _ in range(3):
                probes.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        ready = threading.Event()
        try:
            self._served = self._thread.submit(lambda: asyncio.run(self._serve_until_stopped(ready)))
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, "no thread can be started") from error
        self._served.add_done_callback(lambda _: ready.set())
        ready.wait()
        if self._served.done():
            self.__exit__()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stops, and waits until the thread has ended."""
        self._stop()
        self._thread.shutdown()
        self._served.result()

    def _enter_once(self) -> None:
        if self._was_entered:
            raise RuntimeError("a Sandbox can only be entered once")
        self._was_entered = True

    async def _open(self) -> None:
        # aiohttp takes long to import: whoever only imports the Sandbox should not wait for it.
        from .server import serve

        self._port = await self._exits.enter_async_context(serve(self._answer, port=self._requested_port))

    async def _serve_until_stopped(self, ready: threading.Event) -> None:
        async with self._exits:
            await self._open()
            stopped = asyncio.Event()
            loop = asyncio.get_running_loop()
            self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
            ready.set()
            await stopped.wait()

    def _answer(self, request: HttpRequest) -> HttpReply:
        with self._lock:
            reply = self._withings.answer(request)
            date = formatdate(self._state.clock.now(), usegmt=True)
        return replace(reply, headers={"Date": date, **reply.headers})

    # What a client needs to know

    @property
    def url(self) -> str:
        """The sandbox's base URL."""
        if not self._port:
            raise RuntimeError("a Sandbox has no URL before it is entered")
        return f"http://127.0.0.1:{self._port}"

    @property
    def endpoints(self) -> Endpoints:
        """The endpoints to use instead of Withings' own."""
        return Endpoints(authorize_url=f"{self.url}{AUTHORIZE_PATH}", api_url=self.url)

    @property
    def client_id(self) -> str:
        """The registered app's client id."""
        return self._state.client_id

    @property
    def client_secret(self) -> str:
        """The registered app's client secret."""
        return self._state.client_secret

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The registered app's redirect URIs."""
        return self._state.redirect_uris

    @property
    def people(self) -> tuple[Person, ...]:
        """The people who can log in."""
        return self._state.people

    def environment(self, *, profile: str = "sandbox", redirect_uri: str | None = None) -> dict[str, str]:
        """Returns the variables that point withings-auth's programs at this sandbox."""
        return {
            "WITHINGS_CLIENT_ID": self.client_id,
            "WITHINGS_CLIENT_SECRET": self.client_secret,
            "WITHINGS_REDIRECT_URI": redirect_uri if redirect_uri is not None else self.redirect_uris[0],
            "WITHINGS_AUTH_AUTHORIZE_URL": self.endpoints.authorize_url,
            "WITHINGS_AUTH_API_URL": self.endpoints.api_url,
            "WITHINGS_AUTH_PROFILE": profile,
        }

    # What happened

    @property
    def counters(self) -> Counters:
        """How often each thing has happened so far; a copy that does not change later."""
        with self._lock:
            return replace(self._state.counters)

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, oldest first; without secrets."""
        with self._lock:
            return tuple(self._state.events)

    @property
    def secrets(self) -> frozenset[str]:
        """Everything that must not leak: the client secret, and every code, token, nonce and ticket so far."""
        with self._lock:
            return frozenset(self._state.secrets)

    @property
    def live_access_tokens(self) -> tuple[str, ...]:
        """The access tokens that would be accepted now, oldest first."""
        with self._lock:
            return self._withings.ledger.live_access_tokens()

    @property
    def live_refresh_tokens(self) -> tuple[str, ...]:
        """The refresh tokens that would be accepted now, oldest first."""
        with self._lock:
            return self._withings.ledger.live_refresh_tokens()

    def now(self) -> float:
        """Returns the sandbox's time in Unix seconds."""
        with self._lock:
            return self._state.clock.now()

    # What you can make happen

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Moves the sandbox's clock forward, and no other."""
        with self._lock:
            self._state.clock.advance(seconds + 60 * minutes + 3600 * hours + 86400 * days)

    def fail_next(self, kind: FaultKind, *, times: int = 1, where: FaultPlace = "token", **details: object) -> None:
        """Makes the next `times` answers of a service go wrong.

        `kind` is `bad_gateway`, `lost`, `status` (with `status=…`) or another one of `FaultKind`; `where` is the token
        service unless you name another one of `FaultPlace`, such as `measure` or `api` (all data). Raises `ValueError`,
        which lists what there is.
        """
        with self._lock:
            self._withings.faults.order(kind, times=times, where=where, **details)

    def clear_faults(self) -> None:
        """Cancels every fault that is still to come."""
        with self._lock:
            self._withings.faults.clear()

    def switch(self, **changes: object) -> None:
        """Turns some switches; `help(Switches)` says what each one is. Raises `ValueError`, which lists them."""
        with self._lock:
            self._state.switches = self._state.switches.turn(**changes)

    def issue_pair(self, person: Person | None = None, scopes: Iterable[str] = tuple(SCOPES)) -> Pair:
        """Issues tokens as if a person (the first one by default) had just logged in; a copy that does not change."""
        userid = (person or self.people[0]).userid
        with self._lock:
            return replace(self._withings.ledger.issue(userid, _check_scopes(scopes)))

    def expire_access_token(self, access_token: str | None = None) -> int:
        """Expires one access token, or all of them; returns how many were alive."""
        with self._lock:
            return self._withings.ledger.expire_access_token(access_token)

    def kill_refresh_token(self, refresh_token: str | None = None) -> int:
        """Kills one refresh token, or all of them; returns how many were alive."""
        with self._lock:
            return self._withings.ledger.kill_refresh_token(refresh_token)

    def revoke_person(self, userid: int | None = None) -> int:
        """Kills all tokens of a person, or of everybody; returns how many pairs still had a live token."""
        with self._lock:
            return self._withings.ledger.revoke_person(userid)

    def register_redirect_uri(self, uri: str) -> None:
        """Adds a redirect URI to the app's registration, character for character."""
        with self._lock:
            self._state.register_redirect_uri(uri)

    def grant_at_most(self, *scopes: str) -> None:
        """Limits later consents to these scopes."""
        with self._lock:
            self._state.grantable_scopes = _check_scopes(scopes)


def _check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Returns the scopes; raises `ValueError` if Withings does not have one of them."""
    checked = tuple(scopes)
    if unknown := [scope for scope in checked if scope not in SCOPES]:
        raise ValueError(f"no such scope: {', '.join(map(str, unknown))}; there are {', '.join(SCOPES)}")
    return checked
