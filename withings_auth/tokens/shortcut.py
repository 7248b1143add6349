"""The stored access token for `withings-auth token`, which in most of its runs needs nothing else.

To load everything that the command could need takes several times as long as to read a token that is valid. So here it
is read if nothing is unusual. At the slightest doubt this gives way to the command itself, which knows what to say. The
rules are those of the settings, the stores and `TokenSource`, or stricter ones.
"""

from __future__ import annotations

import os
import sys
import time

from withings_auth.config.lines import COMMANDS, DEFAULT_PROFILE, VARIABLES, read_plainly
from withings_auth.config.places import CONFIG_FILE, config_place, state_place
from withings_auth.errors import WithingsAuthError
from withings_auth.record import TOKEN_PATH, read_grant
from withings_auth.store import KEYRING
from withings_auth.store.fast_lane import read_fast
from withings_auth.store.own_files import Unusual, read_own
from withings_auth.tokens.practice import practice_has_ended
from withings_auth.validation import is_client_id, is_client_secret, is_profile, is_service_url, scope_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MIN_VALID_SECONDS = 60  # what the command asks for by default
_NOT_REFUSED = '"refusal": null'  # in a note


def stored_token(profile: str | None = None) -> str | None:
    """Returns the access token of this profile, or of the one that is set; None if only the command can tell."""
    if sys.platform != "linux":
        return None
    try:
        return _read_token(profile)
    except (OSError, ValueError, RuntimeError, Unusual, WithingsAuthError):
        return None


def _read_token(profile: str | None) -> str | None:
    settings = _read_settings()
    named = settings["profile"] if profile is None else profile
    if named is not None and not is_profile(named):
        return None
    profile = (named or DEFAULT_PROFILE).lower()
    text, note = _read_record(settings["store"] or KEYRING, f"token/{profile}")
    if text is None or not (note is None or _NOT_REFUSED in note):
        return None
    grant = read_grant(text)
    return str(grant["access_token"]) if _will_do(grant, profile) else None


def _read_settings() -> dict[str, str | None]:
    """Returns every setting. Raises ValueError if the command would refuse one, or may."""
    text = read_own(f"{config_place()}/{CONFIG_FILE}", places=1, others_may_not=0o022, follow=True)
    in_file = read_plainly(text or "")
    if in_file is None or not in_file.keys() <= VARIABLES.keys():
        raise ValueError(CONFIG_FILE)
    settings = {name: os.environ.get(variable) or in_file.get(name) for name, variable in VARIABLES.items()}
    client_id, scopes, secret = settings["client_id"], settings["scopes"], os.environ.get("WITHINGS_CLIENT_SECRET")
    sound = (
        (client_id is None or is_client_id(client_id))
        and (scopes is None or scope_list(scopes))
        and (not secret or is_client_secret(secret))
        and all(not url or is_service_url(url) for url in (_api_url(), os.environ.get("WITHINGS_AUTH_AUTHORIZE_URL")))
        and not any("'" in (settings[name] or "") for name in COMMANDS)  # it may be a quote that is not closed
    )
    if not sound:
        raise ValueError(CONFIG_FILE)
    return settings


def _api_url() -> str:
    return os.environ.get("WITHINGS_AUTH_API_URL", "").rstrip("/")


def _read_record(store: str, name: str) -> tuple[str | None, str | None]:
    """Returns the record, and the note of the attempts to renew it; None for what there is not."""
    if store == KEYRING:
        place = state_place()
        text = read_fast(place, name)
    else:
        place = store.removeprefix("file:")
        if place.startswith("~/"):
            place = os.path.expanduser(place)  # noqa: PTH111  `pathlib` takes longer to load than all of this
        if place == store or not place.startswith("/") or os.path.normpath(place) != place:
            return None, None
        text = read_own(f"{place}/{name}.json")
    return text, read_own(f"{place}/{name}.attempt")


def _will_do(grant: dict[str, Any], profile: str) -> bool:
    """Whether the access token lives long enough, at the service and for the app that the environment may name."""
    now = time.time()
    return (
        grant["obtained_at"] <= now <= grant["expires_at"] - MIN_VALID_SECONDS
        and os.environ.get("WITHINGS_CLIENT_ID") in {None, "", grant["client_id"]}
        and _api_url() in {"", grant["token_url"].removesuffix(TOKEN_PATH)}
        and not practice_has_ended(profile, grant["token_url"])
    )
