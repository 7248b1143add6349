"""`withings-auth configure`: sets up an app's credentials; changes a wrong secret without a new login."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace
from functools import partial

from withings_auth.authorization import browser
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.cli.configured import report_consequences, save_store, show_next_step, store_values
from withings_auth.cli.given import Given, read_given
from withings_auth.cli.options import add_profile, load_settings, open_store
from withings_auth.cli.proof import proved_app
from withings_auth.cli.ui.prompts import (
    Check,
    ask,
    ask_for_secret,
    check_client_id,
    check_scopes,
    confirm_or_take_client_id,
    warn_of_unknown_scopes,
)
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, tell
from withings_auth.config.app import PartialApp
from withings_auth.config.places import CONFIG_FILE, config_directory
from withings_auth.config.save import save_app
from withings_auth.config.settings import Settings, known_app
from withings_auth.errors import ConfigurationError, ProviderError, StoreCorrupt
from withings_auth.model import ALL_SCOPES, DASHBOARD, DEFAULT_REDIRECT_URI, App
from withings_auth.provider.statuses import lacks_permission
from withings_auth.store.base import SecretStore
from withings_auth.store.records import sound_app, stored_grant
from withings_auth.validation import printable, scope_list

EXAMPLE = (
    "examples:\n"
    "  withings-auth configure            (asks, and explains how to get an app)\n"
    "  withings-auth configure --env-file credentials.sh\n"
    "  pass withings | withings-auth configure --client-id … --secret-stdin\n"
    "  withings-auth configure --check    (asks Withings whether they are right)\n"
    "  withings-auth configure --store file:~/.withings-auth    (no keyring: files)\n\n"
    "The client secret is never a flag. It is saved in the keyring (or the store that\n"
    "is set), everything else in config.toml. On a terminal you are asked for what is\n"
    "missing."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("--client-id", metavar="ID", help="the app's client id")
    parser.add_argument("--secret-stdin", action="store_true", help="read the client secret from stdin")
    parser.add_argument(
        "--env-file", metavar="FILE", help="read the app from lines such as export CLIENT_ID=…; - for stdin"
    )
    parser.add_argument(
        "--redirect-uri", metavar="URL", help=f"the URL exactly as registered (default: {DEFAULT_REDIRECT_URI})"
    )
    parser.add_argument("--scope", metavar="LIST", help="scopes that logins request, a comma list (default: all four)")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where logins listen, if not at the redirect URI")
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="where every command keeps secrets: keyring (the default), file:DIRECTORY or postgresql://…",
    )
    parser.add_argument("--open-dashboard", action="store_true", help="open Withings' developer dashboard first")
    parser.add_argument(
        "--check", action="store_true", help="save only if Withings says that client id and secret are right"
    )


def execute(options: argparse.Namespace) -> int:
    """Saves an app, or a store, or only checks the known app.

    Raises `ConfigurationError`, `StoreError`, `LockBusy` and `ProviderError`.
    """
    settings = _read(options)  # refuses a broken config.toml before asking anything
    store = open_store(settings)
    given = read_given(options)
    if options.check and given == Given() and not options.open_dashboard:
        check(known_app(settings, store).complete(), settings)
        return 0
    only_the_store = options.store is not None and given == Given(store=options.store)
    if only_the_store and not (options.check or options.open_dashboard):
        save_store(settings, store)
        show_next_step(None, _read(options), store)
        return 0
    app = set_up(
        settings,
        store,
        given,
        open_dashboard=options.open_dashboard,
        check_first=options.check,
        for_profile=options.profile is not None,
    )
    show_next_step(app, _read(options), store)
    return 0


def _read(options: argparse.Namespace) -> Settings:
    return load_settings(options, {"store": options.store})


def set_up(
    settings: Settings,
    store: SecretStore,
    given: Given | None = None,
    *,
    open_dashboard: bool = False,
    check_first: bool = False,
    paste_only: bool = False,
    for_profile: bool = False,
) -> App:
    """Saves the given app; on a terminal, asks for what is missing, or for everything if nothing is given. Returns it.

    Nothing is saved if Withings says that client id and client secret are wrong, or, with `check_first`, does not say
    that they are right. With `paste_only` any redirect URI is allowed. Asking begins with the app that is set; with the
    one of the profile's login if that has lost its secret, or `for_profile`. Raises `ConfigurationError`, with nothing
    changed, and what `save_app` and `check` raise.
    """
    given = given or Given()
    listen = given.listen or settings.listen
    check_uri = partial(_check_redirect_uri, listen=listen, paste_only=paste_only)
    if given.app.redirect_uri is not None:
        resolve_addresses(given.app.redirect_uri, listen, paste_only=paste_only)
    ask_all = is_terminal() and given == Given()
    own = _app_of_login(settings, store, always=for_profile) if ask_all else None
    known = given.app.over(_known(given.app.client_id, settings, store, own))
    pasted_id = None
    if open_dashboard or (ask_all and known.client_id is None):
        pasted_id = _show_dashboard(known.redirect_uri or DEFAULT_REDIRECT_URI, open_it=open_dashboard)
    id_typed, secret_typed = (ask_all or one is None for one in (known.client_id, known.client_secret))
    if is_terminal():
        known = _ask(known, settings, store, check_uri, ask_all=ask_all, pasted_id=pasted_id)
    app = known.complete()
    resolve_addresses(app.redirect_uri, listen, paste_only=paste_only)
    warn_of_unknown_scopes(given.app.scopes or ())
    if check_first:
        check(app, settings)
    else:
        app = proved_app(app, settings.endpoints.api_url, id_typed=id_typed, secret_typed=secret_typed)
    file = config_directory() / CONFIG_FILE
    if app.client_id == own and settings.app.client_id not in {None, own}:
        save_app(store, app, file, {})
        tell(f"Saved in {store.description}: the app of profile {settings.profile}. {CONFIG_FILE} names another one.")
        return app
    save_app(store, app, file, {**_config_values(app, given, ask_all=ask_all), **store_values(settings)})
    tell(f"Saved: the client secret in {store.description}, the rest in {printable(str(file))}.")
    report_consequences(app, settings, store)
    return app


def check(app: App, settings: Settings) -> None:
    """Asks Withings whether client id and secret are right, and says so.

    Raises `ConfigurationError` if they are not, `ProviderUnavailable` if Withings cannot be asked, and `ProviderError`
    if its answer does not tell.
    """
    from withings_auth.provider.signed import check_app  # here, because it loads aiohttp

    try:
        check_app(app, settings.endpoints.api_url)
    except ProviderError as error:
        if not lacks_permission(error.status):
            raise
        # The service is documented, but not whether free apps may use it.
        raise ProviderError(
            f"Withings does not let this app check its credentials (status {error.status})",
            status=error.status,
            hint=f"the client secret may be right or wrong: {PROGRAM} login will show",
        ) from None
    tell("Withings accepts this client id with this client secret.")


def _config_values(app: App, given: Given, *, ask_all: bool) -> dict[str, str]:
    """Returns what to write to config.toml: the client id, and what else was given or asked for."""
    values = {
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri if ask_all else given.app.redirect_uri,
        "scopes": ",".join(app.scopes) if ask_all or given.app.scopes else None,
        "listen": given.listen,
    }
    return {name: value for name, value in values.items() if value is not None}


def _known(client_id: str | None, settings: Settings, store: SecretStore, own: str | None = None) -> PartialApp:
    """Returns what is known about the app that the user names; a secret in the environment counts as this app's.

    `own` is the app to begin with if the user names none.
    """
    if own is not None:
        return known_app(settings, store, own, to_save=True)
    app = replace(settings.app, client_id=client_id or settings.app.client_id)
    return known_app(replace(settings, app=app), store, to_save=True)


def _app_of_login(settings: Settings, store: SecretStore, *, always: bool) -> str | None:
    """Returns the client id of the profile's login if its client secret is lost, or `always`; None if there is none."""
    if settings.environment_client_id is None:
        with suppress(StoreCorrupt):
            grant = stored_grant(store, settings.profile)
            if grant is not None and (always or sound_app(store, grant.client_id) is None):
                return grant.client_id
    return None


def _ask(
    known: PartialApp,
    settings: Settings,
    store: SecretStore,
    check_uri: Check,
    *,
    ask_all: bool,
    pasted_id: str | None,
) -> PartialApp:
    """Asks for what is missing, or for everything, with what is known as the default; not for a pasted client id."""
    client_id = pasted_id or known.client_id
    if pasted_id is None and (ask_all or client_id is None):
        client_id = ask("Client id", check=check_client_id, default=client_id)
    if client_id != known.client_id:
        given_secret = None if ask_all else known.client_secret
        secret = given_secret or _known(client_id, settings, store).client_secret
        known = replace(known, client_id=client_id, client_secret=secret)
    if ask_all or known.client_secret is None:
        note = ""
        if known.client_secret is not None:
            is_set = known.client_secret == settings.app.client_secret
            note = "; Enter takes WITHINGS_CLIENT_SECRET" if is_set else "; Enter keeps the saved one"
        known = replace(known, client_secret=ask_for_secret(note, default=known.client_secret))
    if ask_all:
        uri = known.redirect_uri or DEFAULT_REDIRECT_URI
        uri = ask("Redirect URI, exactly as registered", check=check_uri, default=uri)
        names = known.scopes or ALL_SCOPES
        wrong = partial(check_scopes, known=names)
        scopes = ask("Scopes to request, a comma list", check=wrong, default=",".join(names))
        known = replace(known, redirect_uri=uri, scopes=scope_list(scopes))
    return known


def _check_redirect_uri(text: str, *, listen: str | None, paste_only: bool) -> str | None:
    try:
        resolve_addresses(text, listen, paste_only=paste_only)
    except ConfigurationError as error:
        return f"{error} ({error.hint})"
    return None


def _show_dashboard(redirect_uri: str, *, open_it: bool) -> str | None:
    """Explains how to register an app, and opens the dashboard at once or after a yes.

    Returns the client id that the user has pasted instead of a yes, if any.
    """
    tell("Withings gives tokens to apps, so you register one for yourself, once:")
    tell(f"  1. At {DASHBOARD} create an app: Public API integration.")
    tell("  2. Target environment: Development.")
    tell(f"  3. Registered URLs: {printable(redirect_uri)}")
    tell("     Save WITHOUT pressing Test: it needs an address that Withings can reach.")
    tell("  4. Copy the client id and the client secret, and come back here.")
    if not open_it and browser.would_start():
        open_it, pasted_id = confirm_or_take_client_id("Open the dashboard in your browser?")
        if pasted_id is not None:
            tell("That is taken as the client id.")
            return pasted_id
    if open_it:
        problem = browser.start(DASHBOARD)
        if problem is None:
            tell("Opening your browser.")
        else:
            tell(f"No browser was opened ({problem.why}). Open the address above yourself.")
    return None
