"""`withings-auth login`: one visit to the browser, and every program on the machine has a token."""

from __future__ import annotations

import argparse
import math
from contextlib import ExitStack
from dataclasses import replace

from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.authorization.opening import make_request, open_login, prepare, reserve
from withings_auth.authorization.options import DEFAULT_TIMEOUT_SECONDS, LoginOptions
from withings_auth.cli.options import add_profile, add_replace, after_login, load_settings, open_store, parse_seconds
from withings_auth.cli.ui.keyboard import typed_lines
from withings_auth.cli.ui.prompts import ask_for_secret, warn_of_unknown_scopes
from withings_auth.cli.ui.signals import noting_signals, run_interruptible
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, show, tell
from withings_auth.config.settings import Settings, known_app
from withings_auth.errors import ConfigurationError
from withings_auth.model import DASHBOARD, DEFAULT_REDIRECT_URI, App, Token
from withings_auth.store.base import SecretStore
from withings_auth.store.ownership import refuse_other_owner
from withings_auth.store.records import stored_grant
from withings_auth.tokens.practice import PRACTICE_PROFILE, practice_has_ended

EXAMPLE = (
    "examples:\n"
    "  withings-auth login --client-id …     (asks for the client secret, hidden)\n"
    "  withings-auth login --sandbox         (a trial, without an account)\n\n"
    "The client secret is never a flag: it comes from WITHINGS_CLIENT_SECRET or an\n"
    "earlier login, or you are asked for it on a terminal, where it is not shown."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("--client-id", metavar="ID", help="the app's client id (WITHINGS_CLIENT_ID)")
    parser.add_argument(
        "--redirect-uri",
        metavar="URL",
        help=f"the URL, exactly as registered (WITHINGS_REDIRECT_URI; default: {DEFAULT_REDIRECT_URI})",
    )
    parser.add_argument(
        "--scope", metavar="LIST", help="the scopes to ask for, comma-separated (WITHINGS_SCOPES; default: all four)"
    )
    way_back = parser.add_mutually_exclusive_group()
    way_back.add_argument("--listen", metavar="HOST:PORT", help="where to listen, if not at the redirect URI")
    way_back.add_argument(
        "--paste", action="store_true", help="do not listen: paste the address that the browser goes to"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=parse_seconds,
        default=DEFAULT_TIMEOUT_SECONDS,
        help="how long to wait for you (default: %(default)g)",
    )
    browser = parser.add_mutually_exclusive_group()
    browser.add_argument("--no-browser", action="store_true", help="only print the address to open")
    browser.add_argument("--browser", metavar="NAME", help="open this browser (BROWSER)")
    add_replace(parser)
    parser.add_argument(
        "--switch-user", action="store_true", help="sign in as another user than the one signed in to Withings"
    )
    parser.add_argument("--demo", action="store_true", help="log in as Withings' demo user")
    parser.add_argument(
        "--sandbox", action="store_true", help="try it out with a built-in Withings, as profile “sandbox”"
    )
    parser.add_argument(
        "--keep", action="store_true", help="with --sandbox: keep it running for other commands, until Ctrl-C"
    )


def execute(options: argparse.Namespace) -> int:
    """Logs in and prints the next step. Raises what `login` raises."""
    if not (math.isfinite(options.timeout) and options.timeout > 0):
        raise ConfigurationError("--timeout must be a number of seconds above 0", hint=f"{PROGRAM} login --timeout 300")
    if options.paste and not is_terminal():
        raise ConfigurationError(
            "--paste needs a terminal, where you paste the address",
            hint=f"run it in a terminal, without redirecting stdin or stderr: {PROGRAM} login --paste",
        )
    if options.keep and not options.sandbox:
        raise ConfigurationError("--keep only works with --sandbox", hint=f"{PROGRAM} login --sandbox --keep")
    with ExitStack() as held:
        settings = _read(options)
        store = open_store(settings)
        options.replace = options.replace or options.sandbox or _holds_ended_practice(settings, store)
        unproved = None
        if options.sandbox:
            from withings_auth.cli.practice import start_practice  # here, because most logins are real

            app, settings = start_practice(options, settings, store, held)
        else:
            proved = None
            if is_terminal() and known_app(settings, store, to_save=True).client_id is None:
                from withings_auth.cli.commands.configure import set_up  # here, because most logins have an app

                proved = set_up(settings, store, paste_only=options.paste)
                settings = _read(options)
            app, is_proved = _own_app(options, settings, store, proved)
            unproved = None if is_proved else app
        warn_of_unknown_scopes(app.scopes)
        request = LoginOptions(
            app,
            client_id_place="" if options.sandbox else settings.place_of_client_id(store),
            profile=settings.profile,
            store=store,
            timeout=options.timeout,
            endpoints=settings.endpoints,
            listen=settings.listen,
            open_browser=not options.no_browser,
            browser=options.browser,
            replace=options.replace,
            switch_user=options.switch_user,
            demo=options.demo,
            pasted=typed_lines() if is_terminal() else None,
            paste_only=options.paste,
            tell=tell,
            show=show,
        )
        if options.sandbox:
            from withings_auth.cli.practice import practice_hints, show_practice

            with practice_hints(keep=options.keep):
                token = _log_in(request)
            return show_practice(token, settings, keep=options.keep)
        token = _log_in(request, unproved)
        for line in after_login(settings, token.scopes):
            tell(line)
    return 0


def _log_in(options: LoginOptions, unproved: App | None = None) -> Token:
    """Logs in. The `unproved` app is proved while the browser starts."""
    with ExitStack() as held:
        request = make_request(options)
        reserve(request, held)
        is_saved = prepare(request)
        with noting_signals():
            opened = open_login(request, held, app_is_saved=is_saved)

            async def finish() -> Token:
                from withings_auth.authorization.flow import finish_login  # here, so that the browser starts before it
                from withings_auth.cli.proof import prove

                return await finish_login(
                    opened, None if unproved is None else lambda: prove(unproved, request.endpoints.api_url)
                )

            return run_interruptible(finish)


def _read(options: argparse.Namespace) -> Settings:
    flags = {
        "client_id": options.client_id,
        "redirect_uri": options.redirect_uri,
        "scopes": options.scope,
        "listen": options.listen,
    }
    return load_settings(options, flags)


def _holds_ended_practice(settings: Settings, store: SecretStore) -> bool:
    """Whether the profile's login is of no use to anybody, so that a login for another sandbox may replace it."""
    grant = stored_grant(store, settings.profile) if settings.profile == PRACTICE_PROFILE else None
    return grant is not None and practice_has_ended(settings.profile, grant.token_url)


def _own_app(
    options: argparse.Namespace, settings: Settings, store: SecretStore, proved: App | None
) -> tuple[App, bool]:
    """Returns the app from flags, environment, configuration and what an earlier login saved.

    Also returns whether Withings was asked if its credentials are right: before, if they are those of the `proved` one,
    or now, because the client secret was typed, which the user can do again.
    """
    known = known_app(settings, store, to_save=True)
    if known.client_id is None:
        raise ConfigurationError(
            "no app to log in with: the client id is not set",
            hint=f"register an app at {DASHBOARD}, then: {PROGRAM} configure, which also shows what to enter there;"
            f" for a trial without an account: {PROGRAM} login --sandbox",
        )
    if known.client_secret is not None:
        app, is_typed = known.complete(), False
    else:
        # What the login would refuse, before the question is asked:
        resolve_addresses(known.redirect_uri or DEFAULT_REDIRECT_URI, settings.listen, paste_only=options.paste)
        owner = None if options.replace else stored_grant(store, settings.profile)
        if owner is not None:
            refuse_other_owner(settings.profile, owner, known.client_id, settings.endpoints.token_url)
        secret = ask_for_secret(f"; copy it from your app at {DASHBOARD}")
        app, is_typed = replace(known, client_secret=secret).complete(), True
    if proved is not None and (app.client_id, app.client_secret) == (proved.client_id, proved.client_secret):
        return app, True
    if not is_typed:
        return app, False
    from withings_auth.cli.proof import proved_app  # here, because it is seldom needed before the browser starts

    return proved_app(app, settings.endpoints.api_url, secret_typed=True), True
