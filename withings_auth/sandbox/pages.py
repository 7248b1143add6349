"""The pages that a browser shows: plain, self-contained HTML, and each says that it is not Withings."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib import resources

from .http import HttpReply
from .state import AUTHORIZE_PATH, SCOPES, Person

_STYLE = resources.files(__package__).joinpath("pages.css").read_text(encoding="utf-8")

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
