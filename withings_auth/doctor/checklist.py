"""The whole checklist in its order: what a later check needs, an earlier one has found, or the later one is skipped."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from withings_auth.config.app import PartialApp
from withings_auth.config.known import known_app
from withings_auth.config.settings import Settings, state_directory
from withings_auth.doctor import cron as bus
from withings_auth.doctor import machine, service, setup, storage
from withings_auth.doctor.findings import Finding, Found, Verdict, skipped, tried
from withings_auth.doctor.probe import place_of
from withings_auth.doctor.redact import Disguise, disguise_of_this_machine
from withings_auth.model import DEFAULT_REDIRECT_URI
from withings_auth.profiles.status import LoginStatus
from withings_auth.provider.replies import Answer
from withings_auth.store.base import SecretStore

_STORE = ("Store", "Store works", "Permissions", "Lock", "Session bus")
_SETUP = ("App", "Redirect URI", "Port")
_SERVICE = ("Clock", "Credentials", "Login", "Token")
NAMES = ("Python", "Packages", "Machine", "Browser", "Settings", *_STORE, *_SETUP, *_SERVICE)

# A request waits for the service, 11 seconds for its guard against repetition, and once more for the service.
_CREDENTIALS_SECONDS = 25.0

_OFFLINE = "not asked: --offline"
_NOT_REACHED = "Withings cannot be reached"
_UNKNOWN = "the store does not work, so what it holds is not known"

_Named = tuple[str, Found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a checklist is made with: where settings and store come from, and how a long wait is spent."""

    read_settings: Callable[[], Settings]
    open_store: Callable[[Settings], SecretStore]
    wait: Callable[[float], None]
    offline: bool


def examine(means: Means) -> Iterator[Finding]:
    """Yields one finding for each of `NAMES`, in that order and as soon as it is known. Never raises, blocks.

    A signal ends it; what was put into the store to try it out is removed first.
    """
    disguise = disguise_of_this_machine()
    for name, found in _found(means, disguise):
        yield disguise.finding(name, found)


def _found(means: Means, disguise: Disguise) -> Iterator[_Named]:
    yield "Python", tried(machine.python)
    yield "Packages", tried(machine.packages)
    yield "Machine", tried(machine.place)
    yield "Browser", tried(machine.browser)
    settings = tried(means.read_settings)
    if isinstance(settings, Found):
        yield "Settings", settings
        yield from _skip((*_STORE, *_SETUP, *_SERVICE), "the settings cannot be read")
        return
    disguise.hide_id(settings.app.client_id)
    disguise.hide_host_of(settings.endpoints.api_url)
    yield "Settings", tried(partial(setup.settings, settings))
    store = tried(partial(means.open_store, settings))
    if isinstance(store, Found):
        yield "Store", store
        yield from _skip((*_STORE[1:], *_SETUP, *_SERVICE), "there is no store")
        return
    works = yield from _of_the_store(store)
    yield from _of_the_app(means, disguise, settings, store if works else None)


def _of_the_store(store: SecretStore) -> Generator[_Named, None, bool]:
    """Yields what there is to say of the store; returns whether it works."""
    chosen = tried(partial(storage.backend, store))
    yield "Store", chosen
    if chosen.verdict is Verdict.FAILED:
        works = skipped("there is no usable keyring")
    else:
        works = tried(lambda: storage.writable(store, place_of(store, state_directory())), seconds=None)
    does_work = works.verdict in {Verdict.OK, Verdict.WARNING}
    yield "Store works", works
    yield "Permissions", tried(partial(storage.permissions, store))
    yield "Lock", tried(lambda: storage.locks(store, place_of(store, state_directory())), seconds=None)
    yield "Session bus", tried(partial(bus.session_bus, store, works=does_work), seconds=None)
    return does_work


def _of_the_app(means: Means, disguise: Disguise, settings: Settings, store: SecretStore | None) -> Iterator[_Named]:
    """Yields what there is to say of app and service; `store` is None where it does not work."""
    known: PartialApp | Found = skipped(_UNKNOWN)
    if store is not None:
        known = tried(partial(known_app, settings, store), seconds=None)
    app = None if isinstance(known, Found) else known
    uri = (app or settings.app).redirect_uri or DEFAULT_REDIRECT_URI
    disguise.hide_host_of(uri)
    disguise.hide_id(app.client_id if app else None)
    yield "App", known if isinstance(known, Found) else tried(partial(setup.app, known, settings))
    yield "Redirect URI", tried(partial(setup.redirect_uri, uri, settings.listen))
    yield "Port", tried(lambda: setup.port(setup.listening_addresses(uri, settings.listen)))
    reached = yield from _of_the_service(means, settings, app)
    yield from _of_the_login(means, disguise, settings, store, reached=reached)


def _of_the_service(means: Means, settings: Settings, app: PartialApp | None) -> Generator[_Named, None, str]:
    """Yields what Withings says of the clock and of the app; returns why nothing more can be asked, empty if it can."""
    api_url = settings.endpoints.api_url
    if means.offline:
        yield from _skip(("Clock", "Credentials"), _OFFLINE)
        return _OFFLINE
    asked = tried(partial(service.ask, api_url))
    yield "Clock", asked if isinstance(asked, Found) else tried(partial(service.clock, asked))
    if isinstance(asked, Found) or not isinstance(asked.outcome, Answer):
        yield "Credentials", skipped(_NOT_REACHED)
        return _NOT_REACHED
    if app is None or app.client_id is None or app.client_secret is None:
        yield "Credentials", skipped("there are none to be asked about")
    else:
        credentials = partial(service.app_accepted, app.client_id, app.client_secret, api_url)
        yield "Credentials", tried(credentials, seconds=_CREDENTIALS_SECONDS)
    return ""


def _of_the_login(
    means: Means, disguise: Disguise, settings: Settings, store: SecretStore | None, *, reached: str
) -> Iterator[_Named]:
    """Yields how the login status here, and at Withings; `reached` is why that cannot be asked."""
    if store is None:
        yield from _skip(("Login", "Token"), _UNKNOWN)
        return
    status = tried(partial(service.login_status, store, settings), seconds=None)
    if isinstance(status, LoginStatus):
        disguise.hide_id(status.grant.userid)
    found = status if isinstance(status, Found) else tried(partial(service.login, status, settings))
    yield "Login", found
    if not isinstance(status, LoginStatus) or found.verdict is Verdict.FAILED:
        yield "Token", skipped("there is no login that could give one")
    elif reached:
        yield "Token", skipped(reached)
    else:
        token = partial(service.token, store, settings.profile, status.grant.api_url, wait=means.wait)
        yield "Token", tried(token, seconds=None)


def _skip(names: Iterable[str], why: str) -> Iterator[_Named]:
    for name in names:
        yield name, skipped(why)
