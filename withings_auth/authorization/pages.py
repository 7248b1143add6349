"""The pages that our listener shows in a browser: one text for each way that a login can go.

A page holds only fixed text and values of our own (user id, profile, the store's name); nothing from a request can get
onto it, because no function here takes one. A page loads nothing and links nowhere, and its headers forbid everything
that it does not need. `HEADERS` goes on every other answer of the listener too.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import Enum
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_STYLE = """
:root { color-scheme: light dark;
  --ground: #eef1f4; --card: #ffffff; --edge: #d9dfe5; --text: #18212a; --soft: #55616d; --shade: 24 33 42 / 8%;
  --good: #0c7a4d; --good-wash: #dff3e9; --bad: #b3372b; --bad-wash: #fbe6e3; --calm: #4a5d73; --calm-wash: #e4eaf0; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #101418; --card: #1a2026; --edge: #2b343d; --text: #e9eef2; --soft: #a3afba; --shade: 0 0 0 / 30%;
  --good: #5fd6a0; --good-wash: #173a2b; --bad: #ff9a8d; --bad-wash: #46211d; --calm: #a9bed4; --calm-wash: #25313e; } }
*, *::before { box-sizing: border-box; margin: 0; }
body { min-height: 100vh; min-height: 100dvh; padding: 1.25rem; display: flex; flex-direction: column;
  align-items: center; justify-content: center; gap: 1.5rem; background: var(--ground); color: var(--text);
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { width: 100%; max-width: 29rem; padding: 2.75rem 2.25rem 2.5rem; border: 1px solid var(--edge);
  border-radius: 1.25rem; background: var(--card); box-shadow: 0 .75rem 2.5rem rgb(var(--shade)); text-align: center; }
svg { display: block; width: 4rem; height: 4rem; margin: 0 auto 1.5rem; fill: none; stroke: currentColor;
  stroke-width: 4; stroke-linecap: round; stroke-linejoin: round; border-radius: 50%; }
.good svg { color: var(--good); background: var(--good-wash); }
.bad svg { color: var(--bad); background: var(--bad-wash); }
.calm svg { color: var(--calm); background: var(--calm-wash); }
h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; text-wrap: balance; }
p { margin-top: .75rem; color: var(--soft); text-wrap: balance; }
p.next { color: var(--text); }
p span { white-space: nowrap; }
dl { margin-top: 1.75rem; border-top: 1px solid var(--edge); text-align: left; }
dl div { display: flex; justify-content: space-between; gap: 1.5rem; padding: .7rem 0;
  border-bottom: 1px solid var(--edge); }
dl div:last-child { padding-bottom: 0; border-bottom: 0; }
dt { flex: none; color: var(--soft); }
dd { text-align: right; font-weight: 550; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .875rem; }
@media (max-width: 26rem) { main { padding: 2.25rem 1.5rem 2rem; } }
"""

# The origin comes before the path because a path that begins with two slashes would name another host.
_SCRIPT = 'history.replaceState(null, "", location.origin + location.pathname)'


class _Tone(Enum):
    """A page's colours, and a mark that says the same without colour: a tick, an exclamation mark, a dash."""

    GOOD = ("good", "M21 33l8 8 15-17")
    BAD = ("bad", "M32 19v16M32 44v.5")
    CALM = ("calm", "M22 32h20")


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
"""The headers of every answer of the listener, whoever makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


_CALM, _BAD = _Tone.CALM, _Tone.BAD
_RETRY = "To try again, start the login again in the terminal."
_SEE_TERMINAL = "The terminal shows why, and what to do."


class Text(Enum):
    """Everything that a page can say: its status and tone, a heading, what happened, and what to do next."""

    SIGNED_IN = (
        200,
        _Tone.GOOD,
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
    OPENED_AHEAD = (
        503,
        _CALM,
        "Not opened yet",
        "Your browser asked for this page before you did. Nothing was changed.",
        "Reload the page to continue.",
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


def _escape(text: str) -> str:
    return escape(text).replace("withings-auth", "<span>withings-auth</span>")  # no line break at its hyphen


def _page(text: Text, facts: Mapping[str, str], status: int | None = None) -> Page:
    own_status, tone, heading, explanation, next_step = text.value
    name, mark = tone.value
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
<body class="{name}">
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
