"""A sandbox that runs: the provider behind its web front, for as long as a `with` lasts."""

from __future__ import annotations

import asyncio
import secrets
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Self

from withings_auth.model import Endpoints

from .clock import Clock
from .provider import Provider
from .routes import AUTHORIZE_PATH, Routes
from .switches import Switches
from .values import PEOPLE, PREFIX, SCOPES, App, Person
from .world import TOKEN_LIFE_SECONDS, Event, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .faults import FaultKind, FaultPlace
    from .ledger import Pair
    from .values import Reply, Request
    from .world import Counters

DEFAULT_REDIRECT_URIS = ("http://localhost:8000",)


class Sandbox:
    """A Withings to practise on, served on 127.0.0.1 inside `async with Sandbox() as s` or `with Sandbox() as s`.

    `async with` serves in the loop that is running; `with` serves from a thread of its own, for code that blocks.
    Every method may be called from any thread, and what it orders holds for the next request.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        redirect_uris: Iterable[str] = DEFAULT_REDIRECT_URIS,
        switches: Switches | None = None,
        now: Callable[[], float] | None = None,
        people: tuple[Person, ...] = PEOPLE,
        production: bool = False,
        contract: bool = False,
        token_life: int = TOKEN_LIFE_SECONDS,
    ) -> None:
        """`token_life` is how many seconds an access token lives; at Withings it is three hours."""
        app = App(
            client_id=PREFIX + secrets.token_hex(32),
            client_secret=PREFIX + secrets.token_hex(32),
            redirect_uris=tuple(redirect_uris),
            production=production,
            contract=contract,
        )
        self._world = World(
            app=app, clock=Clock(now), switches=switches or Switches(), people=people, token_life=token_life
        )
        self._provider = Provider(self._world)
        self._routes = Routes(self._provider)
        self._lock = threading.Lock()
        self._wanted_port = port
        self._entered = False
        self._port = 0
        self._exits = AsyncExitStack()
        self._thread: ThreadPoolExecutor | None = None
        self._served: Future[None] | None = None
        self._stop: Callable[[], object] = lambda: None

    # Running

    async def __aenter__(self) -> Self:
        """Listen and serve, in the running loop."""
        self._enter_once()
        await self._open(self._exits)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop, without waiting for slow answers."""
        await self._exits.aclose()

    def __enter__(self) -> Self:
        """Listen and serve, from a thread of its own."""
        self._enter_once()
        ready = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="withings-sandbox")
        self._served = self._thread.submit(lambda: asyncio.run(self._serve_until_stopped(ready)))
        self._served.add_done_callback(lambda _: ready.set())
        ready.wait()
        if self._served.done():
            self._thread.shutdown()
            self._served.result()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop the thread and wait until it has ended."""
        self._stop()
        if self._thread is not None and self._served is not None:
            self._thread.shutdown()
            self._served.result()

    def _enter_once(self) -> None:
        if self._entered:
            raise RuntimeError("a Sandbox can be entered once")
        self._entered = True

    async def _open(self, exits: AsyncExitStack) -> None:
        # aiohttp takes long to import; who only wants to name the sandbox does not wait for it.
        from .server import serving

        self._port = await exits.enter_async_context(serving(self._answer, port=self._wanted_port))

    async def _serve_until_stopped(self, ready: threading.Event) -> None:
        async with self._exits as exits:
            await self._open(exits)
            stopped = asyncio.Event()
            loop = asyncio.get_running_loop()
            self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
            ready.set()
            await stopped.wait()

    def _answer(self, request: Request) -> Reply:
        with self._lock:
            reply = self._routes.answer(request)
            date = formatdate(self._world.clock.now(), usegmt=True)
        return replace(reply, headers={"Date": date, **reply.headers})

    # Where it is and who belongs to it

    @property
    def url(self) -> str:
        """The address that everything lies under."""
        if not self._port:
            raise RuntimeError("the Sandbox has no address before it is entered")
        return f"http://127.0.0.1:{self._port}"

    @property
    def endpoints(self) -> Endpoints:
        """What a client needs instead of Withings' own addresses."""
        return Endpoints(authorize_url=f"{self.url}{AUTHORIZE_PATH}", api_url=self.url)

    @property
    def client_id(self) -> str:
        """The registered app's client id."""
        return self._world.app.client_id

    @property
    def client_secret(self) -> str:
        """The registered app's client secret."""
        return self._world.app.client_secret

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The app's registered addresses."""
        return self._world.app.redirect_uris

    @property
    def people(self) -> tuple[Person, ...]:
        """Who can log in."""
        return self._world.people

    def environment(self, *, profile: str = "sandbox", redirect_uri: str | None = None) -> dict[str, str]:
        """The variables that point the programs of withings-auth at this sandbox."""
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
        """How often each thing has happened, up to now."""
        with self._lock:
            return self._provider.counters

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, oldest first; without secrets."""
        with self._lock:
            return tuple(self._world.events)

    @property
    def secrets(self) -> frozenset[str]:
        """Everything that must not leak: the client secret, and each code, token, nonce and ticket ever given."""
        with self._lock:
            return frozenset(self._world.secrets)

    @property
    def live_access_tokens(self) -> tuple[str, ...]:
        """The access tokens that would be accepted now, oldest first."""
        with self._lock:
            return self._provider.ledger.live_access_tokens()

    @property
    def live_refresh_tokens(self) -> tuple[str, ...]:
        """The refresh tokens that would be accepted now, oldest first."""
        with self._lock:
            return self._provider.ledger.live_refresh_tokens()

    def now(self) -> float:
        """The sandbox's time, in Unix seconds."""
        with self._lock:
            return self._world.clock.now()

    # What can be made to happen

    def advance(self, seconds: float) -> None:
        """Let time pass at once, on the sandbox's clock alone."""
        with self._lock:
            self._provider.advance(seconds)

    def fail_next(self, kind: FaultKind, *, times: int = 1, where: FaultPlace = "token", **details: object) -> None:
        """Let the next answers of a service go wrong."""
        with self._lock:
            self._provider.fail_next(kind, times=times, where=where, **details)

    def clear_faults(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._provider.clear_faults()

    def switch(self, **changes: object) -> None:
        """Give another answer to an unsettled question, from now on."""
        with self._lock:
            self._provider.switch(**changes)

    def issue_pair(self, person: Person | None = None, scopes: Iterable[str] = tuple(SCOPES)) -> Pair:
        """Tokens as if the person (the first one) had just logged in, without a browser."""
        with self._lock:
            return self._provider.issue_pair(person, scopes)

    def expire_access_token(self, access_token: str | None = None) -> int:
        """End one access token, or every one; says how many were alive."""
        with self._lock:
            return self._provider.expire_access_token(access_token)

    def kill_refresh_token(self, refresh_token: str | None = None) -> int:
        """End one refresh token, or every one; says how many were alive."""
        with self._lock:
            return self._provider.kill_refresh_token(refresh_token)

    def revoke_person(self, userid: int | None = None) -> int:
        """End everything that a person, or everybody, has granted; says how many pairs had life in them."""
        with self._lock:
            return self._provider.revoke_person(userid)

    def register_redirect_uri(self, uri: str) -> None:
        """Add an address to the app's registration, character for character."""
        with self._lock:
            self._provider.register_redirect_uri(uri)

    def grant_at_most(self, *scopes: str) -> None:
        """Let later consents grant no other scopes than these."""
        with self._lock:
            self._provider.grant_at_most(scopes)
