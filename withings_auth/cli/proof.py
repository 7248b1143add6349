"""Has Withings prove a client id and a client secret: what was typed before a browser opens or anything is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from withings_auth.cli.ui.prompts import MOST_TRIES, ask, ask_for_secret, check_client_id
from withings_auth.cli.ui.terminal import show, tell
from withings_auth.errors import ConfigurationError
from withings_auth.model import DASHBOARD, App
from withings_auth.provider.http import post
from withings_auth.provider.replies import Outcome
from withings_auth.provider.signed import refuse_wrong_app
from withings_auth.threads import interruptibly

TIME_LIMIT_SECONDS = 4.0  # after that the login goes on without a proof


def proved_app(app: App, api_url: str, *, id_typed: bool = False, secret_typed: bool = False) -> App:
    """Returns the app, unless Withings says that its client id and client secret do not belong together.

    Then asks again for what the user has typed, a few times. Raises `ConfigurationError` if it is still wrong. If
    Withings cannot be asked, or does not let this app sign, the app is returned in silence.
    """
    for _ in range(MOST_TRIES - 1 if id_typed or secret_typed else 0):
        try:
            _prove(app, api_url)
        except ConfigurationError as error:
            tell(f"{error}.")
            what = "both" if id_typed else "the client secret"
            tell(f"Copy {what} again from your app at {DASHBOARD}. Nothing is saved yet.")
        else:
            return app
        if id_typed:
            # The earlier one is not shown: it may be the secret, pasted at the wrong question.
            client_id = ask(
                "Client id (Enter takes the same)", check=check_client_id, default=app.client_id, quiet=True
            )
            app = replace(app, client_id=client_id)
        if secret_typed:
            app = replace(app, client_secret=ask_for_secret())
    _prove(app, api_url)
    return app


def prove(app: App, api_url: str) -> None:
    """Raises `ConfigurationError` if Withings says that client id and client secret do not belong together. Blocks.

    If Withings cannot be asked, or does not let this app sign, returns in silence.
    """
    refuse_wrong_app(app, api_url, send=_post)


def _prove(app: App, api_url: str) -> None:
    show("Asking Withings whether client id and client secret are right.")
    try:
        interruptibly(lambda: prove(app, api_url), "withings-auth proof")
    finally:
        show("")


def _post(url: str, form: Mapping[str, str], /, *, access_token: str | None = None) -> Outcome:
    return post(url, form, access_token=access_token, time_limit_seconds=TIME_LIMIT_SECONDS)
