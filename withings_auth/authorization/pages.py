"""What a browser is shown when it comes to our listener: one page for each way a login can turn.

Every word on a page is fixed text or a value that is ours (the user id, the profile, the store's name); nothing of a
request can get onto it, because no function here takes one. A page loads nothing and links nowhere, and its headers
forbid everything that it does not need; `HEADERS` belongs on every other answer of the listener too.
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

# The origin stands before the path because a path that begins with two slashes would name another host.
_SCRIPT = 'history.replaceState(null, "", location.origin + location.pathname)'


class _Tone(Enum):
    """How a page feels, and the mark that says so without colour: a tick, an exclamation mark, a dash."""

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
"""What every answer of the listener bears, whoever makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer, complete: nothing needs to be added to it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def signed_in(*, userid: str, profile: str, store: str) -> Page:
    """The login is done and saved; `store` is the store's name for people. The only page that says so."""
    return _page(
        200,
        _Tone.GOOD,
        "You are signed in",
        "withings-auth has saved the login. Your programs on this computer can use it now.",
        following="You can close this tab.",
        facts={"Withings user": userid, "Profile": profile, "Kept in": store},
    )


def refused() -> Page:
    """The person said no, or Withings did."""
    return _page(
        403,
        _Tone.CALM,
        "Access was not allowed",
        "The request was declined, so nothing was saved.",
        following="To try again, go back to the terminal and start the login once more.",
    )


def exchange_failed() -> Page:
    """The person said yes, but no tokens could be had for the code."""
    return _page(
        502,
        _Tone.BAD,
        "The sign-in did not complete",
        "You allowed access, but Withings did not hand over the tokens, so nothing was saved.",
        following="Go back to the terminal: it says why, and what to do.",
    )


def save_failed() -> Page:
    """The tokens came, but they could not be kept."""
    return _page(
        500,
        _Tone.BAD,
        "The login could not be saved",
        "Withings let you in, but this computer could not keep the login, so no program can use it.",
        following="Go back to the terminal: it says why, and what to do.",
    )


def wrong_account(*, userid: str, owner: str, profile: str) -> Page:
    """Somebody else came back than the person to whom the profile belongs; nothing was saved."""
    return _page(
        409,
        _Tone.BAD,
        "This is a different Withings user",
        "The profile belongs to somebody else, so nothing was saved.",
        following="Go back to the terminal: it says how to go on.",
        facts={"Signed in as": userid, "Profile": profile, "Belongs to": owner},
    )


def already_answered() -> Page:
    """Another answer came to a login that has had one."""
    return _page(
        410,
        _Tone.CALM,
        "This login was answered already",
        "Only the first answer counts; this one changed nothing.",
        following="You can close this tab. The terminal says how the login went.",
    )


def not_for_us(*, status: int = 400) -> Page:
    """Whatever came is not the answer that is waited for; the login goes on. Any status of 400 and above."""
    return _page(
        status,
        _Tone.CALM,
        "Nothing to do here",
        "This does not belong to the login that withings-auth is waiting for. Nothing was changed.",
        following="If you are logging in, use the newest tab, or open the address that the terminal shows.",
    )


def not_found() -> Page:
    """Another path than those that we know."""
    return _page(
        404,
        _Tone.CALM,
        "There is no such page",
        "withings-auth waits here for a login, and has nothing else to show.",
        following="If you are logging in, open the address that the terminal shows.",
    )


def wrong_method() -> Page:
    """Anything but GET."""
    return _page(
        405,
        _Tone.CALM,
        "Nothing can be sent here",
        "withings-auth waits here for a browser that comes back from Withings. Nothing was changed.",
        headers={"Allow": "GET"},
    )


def start_used() -> Page:
    """The short address that leads to Withings was opened a second time."""
    return _page(
        410,
        _Tone.CALM,
        "This link was used already",
        "It leads to Withings once.",
        following="If the login is not open in another tab, use the long address that the terminal shows.",
    )


def opened_ahead() -> Page:
    """A browser asked before the person did; nothing is used up."""
    return _page(
        503,
        _Tone.CALM,
        "Not opened yet",
        "Your browser asked for this page before you did. Nothing was changed.",
        following="Reload the page to go on.",
    )


def ended() -> Page:
    """The login was interrupted, or its time is over."""
    return _page(
        503,
        _Tone.CALM,
        "The login has ended",
        "It was stopped, or took too long, and nothing was saved.",
        following="To try again, go back to the terminal and start the login once more.",
    )


def redirect(url: str) -> Page:
    """Send the browser on to an address that we built."""
    return Page(status=302, headers={**HEADERS, "Location": url})


def _text(text: str) -> str:
    return escape(text).replace("withings-auth", "<span>withings-auth</span>")  # a name is not broken at its hyphen


def _page(
    status: int,
    tone: _Tone,
    heading: str,
    explanation: str,
    *,
    following: str = "",
    facts: Mapping[str, str] = MappingProxyType({}),
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Page:
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
<p>{_text(explanation)}</p>
{f'<p class="next">{_text(following)}</p>' if following else ""}
{f"<dl>{rows}</dl>" if facts else ""}
</main>
<footer>withings-auth, on this computer</footer>
</body>
</html>
"""
    return Page(status=status, headers={**HEADERS, **headers}, body=body.encode())
