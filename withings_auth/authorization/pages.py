"""The pages that our listener shows in a browser: one text for each way that a login can go.

A page holds only fixed text and values of our own (user id, profile, the store's name). Nothing from a request can get
onto it, because no function here takes a request. A page loads nothing and links nowhere, and its headers forbid
everything that it does not need. All other answers of the listener carry `HEADERS` too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from html import escape
from importlib import resources
from types import MappingProxyType

_STYLE = resources.files(__package__).joinpath("pages.css").read_text(encoding="utf-8")

# The origin comes before the path because a path that begins with two slashes would name another host.
_SCRIPT = 'history.replaceState(null, "", location.origin + location.pathname)'


# A page's colours, and a mark that says the same without colour: a tick, an exclamation mark, a dash.
_GOOD = ("good", "M21 33l8 8 15-17")
_BAD = ("bad", "M32 19v16M32 44v.5")
_CALM = ("calm", "M22 32h20")

_RETRY = "To try again, start the login again in the terminal."
_SEE_TERMINAL = "The terminal shows why, and what to do."


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Type": "text/html; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                f"style-src {_hash(_STYLE)}",
                f"script-src {_hash(_SCRIPT)}",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
)
"""The headers of every answer of the listener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Text(Enum):
    """Everything that a page can say: its status and tone, a heading, what happened, and what to do next."""

    SIGNED_IN = (
        200,
        _GOOD,
        "You are signed in",
        "withings-auth has saved your login. Programs on this computer can use it now.",
        "You can close this tab.",
    )
    REFUSED = (403, _CALM, "Access was not allowed", "The request was declined, so nothing was saved.", _RETRY)
    EXCHANGE_FAILED = (
        502,
        _BAD,
        "The sign-in did not complete",
        "You allowed access, but Withings did not hand over the tokens, so nothing was saved.",
        _SEE_TERMINAL,
    )
    SAVE_FAILED = (
        500,
        _BAD,
        "The login could not be saved",
        "You allowed access, but this computer could not save the login, so no program can use it.",
        _SEE_TERMINAL,
    )
    WRONG_ACCOUNT = (
        409,
        _BAD,
        "This is a different Withings user",
        "The profile belongs to someone else, so nothing was saved.",
        _SEE_TERMINAL,
    )
    ALREADY_ANSWERED = (
        410,
        _CALM,
        "This login was already answered",
        "Only the first answer counts; this one changed nothing.",
        "You can close this tab. The terminal shows how the login went.",
    )
    NOT_FOR_US = (
        400,
        _CALM,
        "Nothing to do here",
        "This request is not part of the login that withings-auth is waiting for. Nothing was changed.",
        "If you are logging in, use the newest tab, or open the address in the terminal.",
    )
    NOT_FOUND = (
        404,
        _CALM,
        "Page not found",
        "withings-auth is waiting for a login here, and has nothing else to show.",
        "If you are logging in, open the address in the terminal.",
    )
    WRONG_METHOD = (
        405,
        _CALM,
        "Method not allowed",
        "withings-auth is waiting for a browser to come back from Withings. Nothing was changed.",
        "",
    )
    START_USED = (
        410,
        _CALM,
        "This link was already used",
        "It leads to Withings only once.",
        "If the login is not open in another tab, use the long address in the terminal.",
    )
    ANOTHER_USER = (
        403,
        _BAD,
        "This login belongs to another user",
        "withings-auth was started by one user of this computer, and this browser by another. Nothing was changed.",
        "If both are you, the terminal shows what to do.",
    )
    OPENED_AHEAD = (
        503,
        _CALM,
        "Not opened yet",
        "Your browser asked for this page before you did. Nothing was changed.",
        "Reload the page to continue.",
    )
    CANNOT_SUCCEED = (
        503,
        _BAD,
        "The login has ended",
        "It cannot succeed, so you are not sent on to Withings. Nothing was saved.",
        _SEE_TERMINAL,
    )
    ENDED = (503, _CALM, "The login has ended", "It was stopped or took too long, and nothing was saved.", _RETRY)


def page(text: Text, *, status: int | None = None) -> Page:
    """Returns the page with this text, and with its own status or another one of 400 and above."""
    return _page(text, {}, status)


def signed_in(*, userid: str, profile: str, store: str) -> Page:
    """Returns the only page that reports success, for after the save; `store` is the store's name for users."""
    return _page(Text.SIGNED_IN, {"Withings user": userid, "Profile": profile, "Saved in": store})


def wrong_account(*, userid: str, owner: str, profile: str) -> Page:
    """Returns the page for a user who is not the profile's owner."""
    return _page(Text.WRONG_ACCOUNT, {"Signed in as": userid, "Profile": profile, "Belongs to": owner})


def redirect(url: str) -> Page:
    """Sends the browser on to an address that we built."""
    return Page(status=302, headers={**HEADERS, "Location": url})


def clearing(shown: Page) -> Page:
    """Returns the page with a header that removes a service worker which another program left at this address.

    It removes what that program stored in the browser, too, but no cookies: those belong to other ports as well.
    """
    return replace(shown, headers={**shown.headers, "Clear-Site-Data": '"storage"'})


def _escape(text: str) -> str:
    return escape(text).replace("withings-auth", "<span>withings-auth</span>")  # no line break at its hyphen


def _page(text: Text, facts: Mapping[str, str], status: int | None = None) -> Page:
    own_status, (tone, mark), heading, explanation, next_step = text.value
    rows = "".join(
        f"<div><dt>{escape(term)}</dt><dd><bdi>{escape(value)}</bdi></dd></div>\n" for term, value in facts.items()
    )
    body = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(heading)} · withings-auth</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
<script>{_SCRIPT}</script>
</head>
<body class="{tone}">
<main>
<svg viewBox="0 0 64 64" aria-hidden="true"><path d="{mark}"/></svg>
<h1>{escape(heading)}</h1>
<p>{_escape(explanation)}</p>
{f'<p class="next">{_escape(next_step)}</p>' if next_step else ""}
{f"<dl>{rows}</dl>" if facts else ""}
</main>
<footer>withings-auth, on this computer</footer>
</body>
</html>
"""
    headers = {**HEADERS, "Allow": "GET"} if text is Text.WRONG_METHOD else HEADERS
    return Page(status=status or own_status, headers=headers, body=body.encode())
