"""What `withings-auth login --sandbox` does besides the login: it runs the sandbox, and shows a weight."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from withings_auth.cli.options import to_paste
from withings_auth.cli.ui.signals import HungUp, Terminated, serve_until_ctrl_c
from withings_auth.cli.ui.terminal import PROGRAM, tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError, WithingsAuthError
from withings_auth.model import DEFAULT_REDIRECT_URI, App, Token
from withings_auth.provider.variables import refuse_unusable_files
from withings_auth.store.base import SecretStore
from withings_auth.store.records import stored_grant
from withings_auth.tokens.practice import PRACTICE_PROFILE
from withings_auth.validation import is_loopback_url

_WEIGHTS = "measure getmeas meastype=1"


def start_practice(
    options: argparse.Namespace, settings: Settings, store: SecretStore, held: ExitStack
) -> tuple[App, Settings]:
    """Starts the sandbox, which runs as long as `held`. Returns its app, and settings that point to it."""
    refuse_unusable_files()
    from withings_auth.sandbox import Sandbox

    if options.profile or options.client_id:
        raise ConfigurationError(
            "--sandbox uses its own app and profile",
            hint=f"leave out --profile and --client-id: {PROGRAM} login --sandbox",
        )
    settings = replace(settings, profile=PRACTICE_PROFILE)
    grant = stored_grant(store, settings.profile)
    if grant is not None and not is_loopback_url(grant.token_url):
        raise ConfigurationError(
            f"profile {settings.profile} holds a real login, which a trial must not replace",
            hint=f"log it out first: {PROGRAM} logout --profile {settings.profile}",
        )
    sandbox = held.enter_context(Sandbox(redirect_uris=[settings.app.redirect_uri or DEFAULT_REDIRECT_URI]))
    app = replace(settings.app, client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    return app.complete(), replace(settings, endpoints=sandbox.endpoints)


@contextmanager
def practice_hints(*, keep: bool) -> Iterator[None]:
    """Makes the hints of errors lead to another trial, the only login for its profile; it needs no dashboard."""
    ways_on = {
        f"login --profile {PRACTICE_PROFILE}": f"login --sandbox{' --keep' if keep else ''}",
        f" ({PROGRAM} configure --profile {PRACTICE_PROFILE} saves it)": "",
        "register another URL with another port in the developer dashboard and use that": "use another port",
    }

    def adapted(hint: str) -> str:
        for usual, way_on in ways_on.items():
            hint = hint.replace(usual, way_on)
        return hint

    try:
        yield
    except WithingsAuthError as error:
        if adapted(error.hint) == error.hint:
            raise
        raise error.with_message(str(error), hint=adapted(error.hint)) from error
    except (KeyboardInterrupt, Terminated, HungUp) as error:
        error.__notes__ = [adapted(note) for note in getattr(error, "__notes__", ())]
        raise


def show_practice(token: Token, settings: Settings, *, keep: bool) -> int:
    """Shows a weight that the token gets and what to do next. Returns the exit code; with `keep`, after Ctrl-C."""
    with suppress(WithingsAuthError):  # the scopes that were asked for may not allow it
        tell(f"Latest weight: {_latest_weight(token):.2f} kg.")
    logout = to_paste(settings, "logout")
    if keep:
        call = to_paste(settings, f"api {_WEIGHTS} --csv")
        tell(f"The sandbox runs until Ctrl-C, and this login as long. In another terminal: {call}")
        tell(f"To remove the login afterwards: {logout}")
        return serve_until_ctrl_c("The sandbox has stopped, and the login with it.")
    tell(f"The sandbox stops now, and the login with it. To keep them: {PROGRAM} login --sandbox --keep")
    tell(f"To remove the login: {logout}")
    return 0


@dataclass(frozen=True, slots=True)
class _One:
    """The source of one token."""

    held: Token

    def token(self, *, rejected: str | None = None) -> Token:  # noqa: ARG002  there is no other
        return self.held


def _latest_weight(token: Token) -> Decimal:
    """Asks the sandbox. Raises `WithingsAuthError`."""
    from withings_auth.provider.calls import body_of, call, form_of, service_path
    from withings_auth.provider.measures import read_measures

    path, action, *parameters = _WEIGHTS.split()
    form = form_of(action, [*parameters, "offset=0"])  # so that the user's own call is not the same one twice
    body = body_of(call(_One(token), token.api_origin + service_path(path), form))
    return next(read_measures(body)).value
