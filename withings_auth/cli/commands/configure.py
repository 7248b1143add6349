"""`withings-auth configure`: tell it once which app is yours; change a wrong secret without logging in again."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from dataclasses import replace
from functools import partial

from withings_auth.authorization import browser
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.cli.given import Given, check_client_id, read_given
from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.scopes import check_scopes, warn_of_strange
from withings_auth.cli.ui.prompts import Check, ask, ask_for_secret, confirm
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, tell
from withings_auth.config.app import PartialApp
from withings_auth.config.known import known_app
from withings_auth.config.save import save_app
from withings_auth.config.settings import CONFIG_FILE, Settings, config_directory
from withings_auth.errors import ConfigurationError, LockBusy, ProviderError, StoreError, profile_flag
from withings_auth.model import ALL_SCOPES, DEFAULT_REDIRECT_URI, App
from withings_auth.provider.failures import DASHBOARD
from withings_auth.provider.statuses import lacks_permission
from withings_auth.store.base import SecretStore
from withings_auth.store.records import clear_unused_app, stored_grant
from withings_auth.validation import printable, scope_list

EXAMPLE = (
    "examples:\n"
    "  withings-auth configure            (asks, and shows how to get an app)\n"
    "  withings-auth configure --env-file credentials.sh\n"
    "  pass withings | withings-auth configure --client-id … --secret-stdin\n"
    "  withings-auth configure --check    (does Withings know this app?)\n\n"
    "The client secret is never a flag. It is saved in the keyring (or the store\n"
    "that you named), the rest in config.toml. On a terminal you are asked for what\n"
    "no flag says."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    add_profile(parser)
    parser.add_argument("--client-id", metavar="ID", help="the app's client id")
    parser.add_argument("--secret-stdin", action="store_true", help="read the client secret from standard input")
    parser.add_argument(
        "--env-file", metavar="FILE", help="read what no flag says from lines such as export CLIENT_ID=…"
    )
    parser.add_argument(
        "--redirect-uri", metavar="URL", help=f"the registered URL, exactly so (default: {DEFAULT_REDIRECT_URI})"
    )
    parser.add_argument("--scope", metavar="LIST", help="what logins ask for, a comma list (default: all four)")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where logins listen, if the redirect URI does not say it"
    )
    parser.add_argument(
        "--open-dashboard", action="store_true", help="open Withings' developer dashboard in the browser first"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="ask Withings whether client id and secret are right, before saving",
    )


def execute(options: argparse.Namespace) -> int:
    """Saves an app, or only checks the saved one. Raises `ConfigurationError`, `StoreError`, `ProviderError`."""
    found = settings(options)  # a config.toml that is no TOML is refused before anybody is asked
    store = open_store(found)
    given = read_given(options)
    if options.check and given == Given() and not options.open_dashboard:
        check(known_app(found, store).complete(), found)
        return 0
    set_up(found, store, given, open_dashboard=options.open_dashboard, before_saving=options.check)
    return 0


def set_up(
    found: Settings,
    store: SecretStore,
    given: Given | None = None,
    *,
    open_dashboard: bool = False,
    before_saving: bool = False,
    for_login: bool = False,
    pasting: bool = False,
) -> None:
    """Saves the app that is given; on a terminal a person is asked, for everything if nothing is given.

    `before_saving` asks Withings first; `for_login` says that a login follows by itself. With `pasting` any redirect
    URI will do. Raises `ConfigurationError`, with nothing changed, and what `save_app` and `check` raise.
    """
    given = given or Given()
    listen = given.listen or found.listen
    check_uri = partial(_wrong_redirect_uri, listen=listen, pasting=pasting)
    if given.app.redirect_uri is not None:
        resolve_addresses(given.app.redirect_uri, listen, paste_only=pasting)
    asks_all = is_terminal() and given == Given()
    known = given.app.over(_known(given.app.client_id, found, store))
    if open_dashboard or (asks_all and known.client_id is None):
        _show_dashboard(known.redirect_uri or DEFAULT_REDIRECT_URI, open_it=open_dashboard)
    if is_terminal():
        known = _ask(known, found, store, check_uri, everything=asks_all)
    app = known.complete()
    resolve_addresses(app.redirect_uri, listen, paste_only=pasting)
    warn_of_strange(given.app.scopes or ())
    if before_saving:
        check(app, found)
    file = config_directory() / CONFIG_FILE
    save_app(store, app, file, _config_values(app, given, everything=asks_all))
    tell(f"Saved: the client secret in {store.description}, the rest in {printable(str(file))}.")
    _tell_consequences(app, found, store)
    if not for_login:
        _tell_next(app, found, store)


def check(app: App, found: Settings) -> None:
    """Tells that Withings accepts client id and secret.

    Raises `ConfigurationError` where it does not, `ProviderUnavailable` where it cannot be asked, and `ProviderError`
    where it does not say.
    """
    from withings_auth.provider.signed import check_app  # here, because it brings aiohttp

    try:
        check_app(app, found.endpoints.api_url)
    except ProviderError as error:
        if not lacks_permission(error.status):
            raise
        # The service is documented, and nobody has said whether free apps may use it.
        raise ProviderError(
            f"Withings does not let this app use the service that would tell (status {error.status})",
            status=error.status,
            hint=f"this says neither that the client secret is right nor that it is wrong; {PROGRAM} login will tell",
        ) from None
    tell("Withings accepts this client id with this client secret.")


def _config_values(app: App, given: Given, *, everything: bool) -> dict[str, str]:
    """Returns what to write to config.toml: which app it is, and of the rest what was given now."""
    values = {
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri if everything else given.app.redirect_uri,
        "scopes": ",".join(app.scopes) if everything or given.app.scopes else None,
        "listen": given.listen,
    }
    return {name: value for name, value in values.items() if value is not None}


def _known(client_id: str | None, found: Settings, store: SecretStore) -> PartialApp:
    """Returns what is known about the app that the user names; a secret in the environment is taken as this app's."""
    app = replace(found.app, client_id=client_id or found.app.client_id)
    return known_app(replace(found, app=app), store)


def _ask(known: PartialApp, found: Settings, store: SecretStore, check_uri: Check, *, everything: bool) -> PartialApp:
    """Asks for what is missing, or for everything, with what is known as the default."""
    client_id = known.client_id
    if everything or client_id is None:
        client_id = ask("Client id", check=check_client_id, default=client_id)
    if client_id != known.client_id:
        given_secret = None if everything else known.client_secret
        secret = given_secret or _known(client_id, found, store).client_secret
        known = replace(known, client_id=client_id, client_secret=secret)
    if everything or known.client_secret is None:
        note = "it is not shown"
        if known.client_secret is not None:
            is_set = known.client_secret == found.app.client_secret
            note += "; Enter takes WITHINGS_CLIENT_SECRET" if is_set else "; Enter keeps the saved one"
        known = replace(known, client_secret=ask_for_secret(note, default=known.client_secret))
    if everything:
        uri = known.redirect_uri or DEFAULT_REDIRECT_URI
        uri = ask("Redirect URI, exactly as it is registered", check=check_uri, default=uri)
        names = known.scopes or ALL_SCOPES
        wrong = partial(check_scopes, known=names)
        scopes = ask("Scopes to ask for, a comma list", check=wrong, default=",".join(names))
        known = replace(known, redirect_uri=uri, scopes=scope_list(scopes))
    return known


def _wrong_redirect_uri(text: str, *, listen: str | None, pasting: bool) -> str | None:
    try:
        resolve_addresses(text, listen, paste_only=pasting)
    except ConfigurationError as error:
        return f"{error} ({error.hint})"
    return None


def _show_dashboard(redirect_uri: str, *, open_it: bool) -> None:
    """Shows what to type at the dashboard, and opens it if that is wished."""
    tell("Withings gives tokens to apps, so you register one, once, for yourself:")
    tell(f"  1. At {DASHBOARD} create an app: Public API integration.")
    tell("  2. Target environment: Development.")
    tell(f"  3. Registered URLs: {printable(redirect_uri)}")
    tell("     Save WITHOUT pressing Test: the test wants an address that Withings can reach.")
    tell("  4. Copy the client id and the client secret, and come back here.")
    if open_it or confirm("Open the dashboard in your browser?"):
        trouble = browser.start(DASHBOARD)
        if trouble is None:
            tell("Opening your browser.")
        else:
            tell(f"No browser was opened ({trouble.why}). Open the address above yourself.")


def _tell_consequences(app: App, before: Settings, store: SecretStore) -> None:
    """Tells what stands before the saved values, and what was removed for them."""
    saved = {
        "WITHINGS_CLIENT_ID": app.client_id,
        "WITHINGS_CLIENT_SECRET": app.client_secret,
        "WITHINGS_REDIRECT_URI": app.redirect_uri,
        "WITHINGS_SCOPES": ",".join(app.scopes),
    }
    for name, value in saved.items():
        if os.environ.get(name, "") not in {"", value}:
            tell(f"{PROGRAM}: warning: {name} in the environment says something else, and comes before what is saved")
    earlier = before.app.client_id if before.environment_client_id is None else None
    with suppress(StoreError, LockBusy):  # the app is saved, which is what counts
        if earlier not in {None, app.client_id} and clear_unused_app(store, str(earlier)):
            tell("The client secret of the earlier app, which no login uses, is removed.")


def _tell_next(app: App, before: Settings, store: SecretStore) -> None:
    """Tells which login the saved values are not for, and what to type next."""
    flag = profile_flag(before.profile)
    grant = None
    with suppress(StoreError):  # a record that is not ours is the login's trouble
        grant = stored_grant(store, before.profile)
    if grant is None:
        tell(f"Next: {PROGRAM} login{flag}")
    elif grant.client_id == app.client_id:
        tell(f"Profile {before.profile} stays logged in. Next: {PROGRAM} token{flag}")
    else:
        tell(f"Profile {before.profile} stays logged in with the earlier app.")
        tell(f"To log it in with this one: {PROGRAM} login --replace{flag}")
