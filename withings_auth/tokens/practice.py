"""A login that was made for practice lasts as long as the sandbox that issued it: `withings-auth login --sandbox`."""

from __future__ import annotations

from withings_auth.errors import LoginRequired
from withings_auth.validation import is_loopback_url, parsed_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from withings_auth.model import Grant

PRACTICE_PROFILE = "sandbox"
PRACTICE_END = "its sandbox has stopped"
PRACTICE_HINT = (
    "for another one that lasts until Ctrl-C: withings-auth login --sandbox --keep;"
    f" to remove this one: withings-auth logout --profile {PRACTICE_PROFILE}"
)
_PROBE_SECONDS = 3.0  # Windows takes two to refuse a connection


def practice_has_ended(profile: str, token_url: str) -> bool:
    """Returns whether the login, from this URL, was made for practice and nothing listens there any more."""
    parts = parsed_url(token_url) if profile == PRACTICE_PROFILE else None
    if parts is None or not is_loopback_url(token_url):
        return False
    import socket  # here, because no other login needs it

    try:
        socket.create_connection((parts.hostname, parts.port or 80), timeout=_PROBE_SECONDS).close()
    except ConnectionRefusedError:
        return True
    except OSError:  # which says nothing about the sandbox
        return False
    return False


def refuse_ended_practice(profile: str, grant: Grant) -> None:
    """Raises `LoginRequired` if the login was made for practice and its sandbox has stopped."""
    if practice_has_ended(profile, grant.token_url):
        raise LoginRequired(f"the practice of profile {profile} has ended: {PRACTICE_END}", hint=PRACTICE_HINT)
