"""The pages that a browser shows: plain, self-contained HTML, and each says that it is not Withings."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from .http import HttpReply
from .state import AUTHORIZE_PATH, SCOPES

if TYPE_CHECKING:
    from .state import Person

_STYLE = """
:root { color-scheme: light dark; --ground: #eef1f4; --card: #ffffff; --ink: #1b2430; --soft: #55606e;
  --line: #d5dbe2; --accent: #0b6b61; --on-accent: #ffffff; --tint: #e5f3f0; --flag: #fff3cf; --on-flag: #5c4300; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #11161c; --card: #1a212a; --ink: #e8edf2; --soft: #a3afbc; --line: #343f4b;
    --accent: #6fd3c4; --on-accent: #06231f; --tint: #17332f; --flag: #3a2f10; --on-flag: #f6d98a; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.flag { margin: 0; text-wrap: balance; padding: .6rem 1rem; background: var(--flag);
  color: var(--on-flag); text-align: center;
  font-size: .875rem; }
main { width: 100%; max-width: 29rem; margin: auto; padding: 1.5rem 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 1.75rem;
  box-shadow: 0 1px 2px rgb(0 0 0 / .04), 0 12px 32px rgb(0 0 0 / .06); }
h1 { margin: 0 0 .5rem; font-size: 1.375rem; line-height: 1.3; letter-spacing: -.01em; text-wrap: balance; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); font-size: .9375rem; } .card > :last-child { margin-bottom: 0; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
fieldset { border: 0; margin: 1.25rem 0 0; padding: 0; }
legend, h2 { padding: 0; margin: 0 0 .5rem; font-size: .875rem; font-weight: 600; color: var(--soft); }
ul { list-style: none; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: 12px; }
li { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; align-items: baseline;
  padding: .6rem .9rem; } li + li { border-top: 1px solid var(--line); }
li span { color: var(--soft); font-size: .8125rem; }
.person { display: flex; align-items: center; gap: .75rem; padding: .65rem .9rem; margin-bottom: .5rem;
  border: 1px solid var(--line); border-radius: 12px; cursor: pointer; }
.person:has(input:checked) { border-color: var(--accent); background: var(--tint); }
.person:has(input:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
.person input { width: 1.15rem; height: 1.15rem; margin: 0; accent-color: var(--accent); }
.person small { display: block; color: var(--soft); font-size: .8125rem; }
.answers { display: flex; gap: .75rem; margin-top: 1.5rem; }
button { flex: 1; min-height: 2.9rem; padding: .5rem 1rem; font: inherit; font-weight: 600; border-radius: 10px;
  border: 1px solid var(--line); background: transparent; color: var(--ink); cursor: pointer; }
button[value="allow"] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button:hover { filter: brightness(1.06); }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 30rem) { .card { padding: 1.25rem; } li { flex-direction: column; } }
footer { margin-top: 1rem; text-wrap: balance; text-align: center; color: var(--soft); font-size: .8125rem; }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS = {
    # No form-action: Chromium applies it to the redirect that answers a form too, and the answer to the consent form
    # is a redirect to any address that the app has registered.
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def consent_page(*, client_id: str, ticket: str, scopes: tuple[str, ...], people: tuple[Person, ...]) -> HttpReply:
    """Asks whether the app may read a person's data."""
    descriptions = "".join(f"<li>{SCOPES[scope]}<span>{scope}</span></li>" for scope in scopes)
    choices = "".join(_choice(person, checked=person is people[0]) for person in people)
    return _page(
        "Allow access?",
        f"""<h1>Share your Withings data?</h1>
<p class="soft">The app {_code(client_id)} asks for access.</p>
<form method="post" action="{AUTHORIZE_PATH}">
<input type="hidden" name="ticket" value="{ticket}">
<h2>It could read</h2>
<ul>{descriptions}</ul>
<fieldset><legend>Whose data?</legend>
{choices}</fieldset>
<div class="answers"><button type="submit" name="answer" value="deny">Deny</button>
<button type="submit" name="answer" value="allow">Allow</button></div>
</form>""",
    )


def denied_page() -> HttpReply:
    """Confirms that access was denied."""
    return _page(
        "Access denied",
        """<h1>Access denied</h1>
<p>The app gets no access, and is not told. You can close this tab.</p>
<p class="soft">Nobody has documented what Withings sends back to an app here. The switch <code>denial</code>
changes what the sandbox does.</p>""",
    )


def invalid_client_page() -> HttpReply:
    """The bare page that a wrong client id ends on; it has no style at Withings either."""
    return _reply("<!doctype html><html lang=en><title>Sandbox</title><body>Invalid clientid</body></html>", 400)


def problem_page(title: str, text: str, *, http_status: int = 400) -> HttpReply:
    """Says what is wrong with a request."""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>", http_status)


def index_page(*, client_id: str, people: tuple[Person, ...]) -> HttpReply:
    """Says what this is."""
    household = "".join(f"<li>{escape(one.name)}<span>userid {one.userid}</span></li>" for one in people)
    return _page(
        "Sandbox",
        f"""<h1>A Withings to practise on</h1>
<p>This is the sandbox of withings-auth. Programs log in here as they would at Withings, and get made-up data.</p>
<p class="soft">The registered app is {_code(client_id)}, and these people live here:</p>
<ul>{household}</ul>""",
    )


def _code(client_id: str) -> str:
    """Returns a client id by which two can be told apart: its beginning and its end."""
    shown = client_id if len(client_id) <= 24 else f"{client_id[:14]}…{client_id[-6:]}"
    return f'<code title="{escape(client_id)}">{escape(shown)}</code>'


def _choice(person: Person, *, checked: bool) -> str:
    attributes = f'name="userid" value="{person.userid}" required{" checked" if checked else ""}'
    return f"""<label class="person"><input type="radio" {attributes}>
<span>{escape(person.name)}<small>userid {person.userid}</small></span></label>
"""


def _page(title: str, content: str, http_status: int = 200) -> HttpReply:
    page = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Sandbox, not Withings</title><link rel="icon" href="data:,">
<style>{_STYLE}</style></head>
<body><p class="flag"><strong>Sandbox, not Withings.</strong> For practice on this machine only.</p>
<main><div class="card">
{content}
</div>
<footer>Nothing here reaches Withings. People and data are made up.</footer></main></body></html>
"""
    return _reply(page, http_status)


def _reply(page: str, http_status: int) -> HttpReply:
    return HttpReply(http_status=http_status, media_type="text/html", body=page.encode(), headers=_HEADERS)
