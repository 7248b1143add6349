"""The checklist in its order: a check that depends on one that failed is skipped."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from withings_auth.config.app import PartialApp
from withings_auth.config.places import state_directory
from withings_auth.config.settings import Settings, known_app
from withings_auth.doctor import cron, service, setup, storage
from withings_auth.doctor.redact import Redactor, make_redactor
from withings_auth.doctor.results import Result, Verdict, ok, run_check, skipped
from withings_auth.doctor.service import Reply
from withings_auth.model import DEFAULT_REDIRECT_URI
from withings_auth.profiles.status import LoginStatus, read_status
from withings_auth.provider.replies import Answer, NotSent
from withings_auth.store import hosts_of
from withings_auth.store.base import SecretStore, is_read_only, lock_can_be_lost

_STORE = ("Store works", "Permissions", "Lock", "Session bus")
_LOGIN = ("App", "Redirect URI", "Port", "Clock", "Credentials", "Login", "Token")
NAMES = ("Python", "Packages", "Machine", "Browser", "Settings", "Store", *_STORE, *_LOGIN)

# One request, the 11 seconds before it may be repeated, and the repetition.
_CREDENTIALS_SECONDS = 25.0
_SERVER_SECONDS = 40.0  # several addresses of a host, each of which may take some seconds

_OFFLINE = "not asked, as requested"
_STORE_UNKNOWN = "the store does not work, so its contents are not known"
_READ_ONLY = "somebody else renews"

_NamedResult = tuple[str, Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """One run of the checklist; the caller supplies the settings, the store and a way to wait."""

    read_settings: Callable[[], Settings]
    open_store: Callable[[Settings], SecretStore]
    wait: Callable[[float], None]
    offline: bool

    def run(self) -> Iterator[Result]:
        """Yields a result for each of `NAMES`, in that order and as soon as it is known. Never raises; blocks.

        A signal ends it, once the record that tests the store has been removed.
        """
        redact = make_redactor()
        for name, result in self._check_all(redact):
            yield redact.apply(name, result)

    def _check_all(self, redact: Redactor) -> Iterator[_NamedResult]:
        yield "Python", run_check(setup.check_python)
        yield "Packages", run_check(setup.check_packages)
        yield "Machine", run_check(setup.check_environment)
        yield "Browser", run_check(setup.check_browser)
        settings = run_check(self.read_settings)
        if isinstance(settings, Result):
            yield "Settings", settings
            yield from _skip(("Store", *_STORE, *_LOGIN), "the settings cannot be read")
            return
        redact.hide_id(settings.app.client_id)
        redact.hide_secrets(settings.app.client_secret)
        redact.hide_host_of(settings.endpoints.api_url)
        for host in hosts_of(settings.store):
            redact.hide_host(host)
        yield "Settings", run_check(lambda: setup.check_settings(settings))
        store = run_check(lambda: self.open_store(settings))
        if isinstance(store, Result):
            yield "Store", store
            yield from _skip((*_STORE, *_LOGIN), "there is no store")
            return
        works = yield from _check_store(store)
        yield from self._check_login(redact, settings, store if works else None)

    def _check_login(self, redact: Redactor, settings: Settings, store: SecretStore | None) -> Iterator[_NamedResult]:
        """Yields the results about app, Withings and login; `store` is None if it does not work."""
        if store is None:
            known: PartialApp | Result = skipped(_STORE_UNKNOWN)
        elif is_read_only(store):
            known = skipped(_READ_ONLY)
        else:
            known = run_check(lambda: known_app(settings, store), seconds=None)
        app = settings.app if isinstance(known, Result) else known
        uri = app.redirect_uri or DEFAULT_REDIRECT_URI
        redact.hide_host_of(uri)
        redact.hide_id(app.client_id)
        redact.hide_secrets(app.client_secret)
        yield "App", known if isinstance(known, Result) else run_check(lambda: setup.check_app(app, settings))
        yield "Redirect URI", run_check(lambda: setup.check_redirect_uri(uri, settings.listen))
        yield "Port", run_check(lambda: setup.check_port(uri, settings.listen))
        if self.offline:
            yield from _skip(("Clock", "Credentials"), _OFFLINE)
            not_asked = _OFFLINE
        else:
            not_asked = yield from _check_service(settings.endpoints.api_url, known)
        if store is None:
            yield from _skip(("Login", "Token"), _STORE_UNKNOWN)
            return
        status = run_check(
            lambda: read_status(store, settings.profile, time.time(), secret_of=settings.secret_of), seconds=None
        )
        if isinstance(status, LoginStatus):
            redact.hide_id(status.grant.userid)
            redact.hide_secrets(status.grant.access_token, status.grant.refresh_token)
        login = (
            status
            if isinstance(status, Result)
            else run_check(lambda: service.check_login(status, settings, offline=bool(not_asked)))
        )
        yield "Login", login
        if not isinstance(status, LoginStatus) or login.verdict is Verdict.FAILED:
            yield "Token", skipped("there is no login to ask for one")
        elif not_asked:
            yield "Token", skipped(not_asked)
        else:
            yield "Token", run_check(lambda: service.check_token(store, status, wait=self.wait), seconds=None)


def _check_store(store: SecretStore) -> Generator[_NamedResult, None, bool]:
    """Yields the results about the store; returns whether it works."""
    if lock_can_be_lost(store):
        return (yield from _check_database(store))
    backend = run_check(lambda: storage.check_backend(store))
    yield "Store", backend
    if backend.verdict is Verdict.FAILED:
        round_trip = skipped("there is no usable keyring")
    else:
        round_trip = run_check(lambda: storage.check_round_trip(store, state_directory()), seconds=None)
    works = round_trip.verdict in {Verdict.OK, Verdict.WARNING}
    yield "Store works", round_trip
    yield "Permissions", run_check(lambda: storage.check_permissions(store))
    yield "Lock", run_check(lambda: storage.check_locks(store, state_directory()), seconds=None)
    yield "Session bus", run_check(lambda: cron.check_session_bus(store, works=works), seconds=None)
    return works


def _check_database(store: SecretStore) -> Generator[_NamedResult, None, bool]:
    """Yields the results about a store in a database; returns whether it works."""
    from withings_auth.doctor import database  # here, because it loads cryptography

    server = run_check(lambda: database.check_server(store), seconds=_SERVER_SECONDS)
    yield "Store", server
    if server.verdict is Verdict.FAILED:
        yield from _skip(_STORE, "the database cannot be used")
        return False
    if is_read_only(store):
        yield "Store works", ok("this user only reads: somebody else must renew in time")
        yield "Permissions", run_check(lambda: database.check_keys(store))
        yield from _skip(("Lock", "Session bus"), _READ_ONLY)
        return True
    round_trip = run_check(lambda: storage.check_round_trip(store, state_directory()), seconds=None)
    yield "Store works", round_trip
    yield "Permissions", run_check(lambda: database.check_keys(store))
    yield "Lock", run_check(lambda: storage.check_locks(store, state_directory()), seconds=None)
    works = round_trip.verdict in {Verdict.OK, Verdict.WARNING}
    yield "Session bus", run_check(lambda: cron.check_session_bus(store, works=works), seconds=None)
    return works


def _check_service(api_url: str, app: PartialApp | Result) -> Generator[_NamedResult, None, str]:
    """Yields what Withings says about clock and app; returns why nothing else can be asked, empty if it can."""
    reply = run_check(lambda: service.ask(api_url))
    yield "Clock", reply if isinstance(reply, Result) else run_check(lambda: service.check_clock(reply))
    if isinstance(reply, Result) or not isinstance(reply.outcome, Answer):
        ours = isinstance(reply, Reply) and isinstance(reply.outcome, NotSent) and reply.outcome.misconfigured
        why = "Withings cannot be asked" if ours else "Withings cannot be reached"
        yield "Credentials", skipped(why)
        return why
    if isinstance(app, Result) or app.client_id is None or app.client_secret is None:
        yield "Credentials", skipped("there are none to check")
        return ""
    check = partial(service.check_credentials, app.client_id, app.client_secret, api_url)
    yield "Credentials", run_check(check, seconds=_CREDENTIALS_SECONDS)
    return ""


def _skip(names: Iterable[str], why: str) -> Iterator[_NamedResult]:
    for name in names:
        yield name, skipped(why)
