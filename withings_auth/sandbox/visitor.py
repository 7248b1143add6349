"""Somebody who visits a login in place of a person, where no browser exists.

It follows the login's address to the sandbox's consent page, fills in the form, follows the way back and reads the
last page. It drives loopback addresses only: it can press Allow, and so it must never meet the real Withings. Its
command line makes it nameable as a browser: `BROWSER="python -m withings_auth.sandbox.visitor %s"`.
"""

from __future__ import annotations

import argparse
import ipaddress
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import Message
    from typing import IO

REDIRECTS_AT_MOST = 10
PAGE_BYTES_AT_MOST = 1024 * 1024
HELD_SECONDS = 60.0
"""How long the last page may be held back by a program that is still exchanging and saving."""


class VisitError(Exception):
    """The visitor cannot go on; says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPage:
    """Where the visit ended."""

    http_status: int
    url: str = field(repr=False)
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    http_status: int
    url: str = field(repr=False)
    location: str | None = field(repr=False)
    is_html: bool
    body: str = field(repr=False)


def visit(url: str, *, person: int = 1, deny: bool = False, timeout: float = HELD_SECONDS) -> LastPage:
    """Log in as the person (1 is the first on the consent page), or refuse to; gives the page at the end."""
    page = _follow(url, None, timeout)
    if page.is_html:
        form = _Form.of(page.body)
        if form is not None:
            answer = form.filled_in(person=person, deny=deny)
            page = _follow(urljoin(page.url, form.action), urlencode(answer).encode(), timeout)
    text = _words(page.body) if page.is_html else page.body.strip()
    return LastPage(http_status=page.http_status, url=page.url, text=text)


def _follow(url: str, form: bytes | None, timeout: float) -> _Page:
    """Ask for an address and go where it sends us, over loopback addresses only."""
    for _ in range(REDIRECTS_AT_MOST + 1):
        page = _fetch(url, form, timeout)
        if page.location is None:
            return page
        # A form is not sent to where its answer points: 302 and 303 become a GET, as in every browser.
        url, form = urljoin(url, page.location), None
    raise VisitError(f"more than {REDIRECTS_AT_MOST} redirects")


def _fetch(url: str, form: bytes | None, timeout: float) -> _Page:
    _refuse_strangers(url)
    # The address was checked just now: http on a loopback host.
    request = urllib.request.Request(url, data=form)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(request, timeout=timeout) as response:
            return _read(response.status, url, response.headers, response)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error.code, url, error.headers, error)
    except (urllib.error.URLError, OSError, ValueError) as error:
        # Neither the error's own text nor the address goes on: both can hold a code.
        raise VisitError(f"no answer from {urlsplit(url).netloc} ({type(error).__name__})") from None


def _read(http_status: int, url: str, headers: Message, body: IO[bytes]) -> _Page:
    content = body.read(PAGE_BYTES_AT_MOST).decode("utf-8", "replace")
    is_html = headers.get_content_type() == "text/html"
    location = headers.get("Location") if http_status in {301, 302, 303, 307, 308} else None
    return _Page(http_status=http_status, url=url, location=location, is_html=is_html, body=content)


def _refuse_strangers(url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not _is_loopback(host) or parts.username or parts.password:
        raise VisitError(f"this visitor goes to http addresses of this machine only, not to {host[:80]!r}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to us: each address is checked before it is visited."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


@dataclass(slots=True)
class _Form:
    """The consent form, as far as a person fills it in."""

    action: str = ""
    hidden: dict[str, str] = field(default_factory=dict, repr=False)
    people: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, page: str) -> _Form | None:
        """The page's form, if it asks who one is and whether one allows it."""
        reader = _FormReader()
        reader.feed(page)
        reader.close()
        complete = reader.form.people and {"allow", "deny"} <= set(reader.form.buttons)
        return reader.form if complete else None

    def filled_in(self, *, person: int, deny: bool) -> dict[str, str]:
        """What a browser would send after the choices and the click."""
        if not 1 <= person <= len(self.people):
            raise VisitError(f"there is no person {person} on the page, which offers {len(self.people)}")
        name, value = self.people[person - 1]
        answer = "deny" if deny else "allow"
        return {**self.hidden, name: value, self.buttons[answer]: answer}


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form = _Form()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        match tag, attributes.get("type"):
            case "form", _:
                self.form.action = attributes.get("action", "")
            case "input", "hidden":
                self.form.hidden[name] = value
            case "input", "radio":
                self.form.people.append((name, value))
            case "button", "submit":
                self.form.buttons[value] = name


class _WordReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - inherited
        self._silent += tag in {"style", "script", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"style", "script", "title"}
        if tag in {"h1", "h2", "p", "li", "div", "button", "label", "legend"}:
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)


def _words(page: str) -> str:
    """What a person reads on the page, line by line."""
    reader = _WordReader()
    reader.feed(page)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
    return "\n".join(line for line in lines if line)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: exit 0 if the last page came with 200, 1 if with another status or not at all."""
    parser = argparse.ArgumentParser(
        prog="python -m withings_auth.sandbox.visitor", description="Go through a login at the sandbox."
    )
    parser.add_argument("--person", type=int, default=1, metavar="N", help="which person to be (1)")
    parser.add_argument("--deny", action="store_true", help="say no")
    parser.add_argument("url", metavar="URL", help="the login's address, on this machine")
    options = parser.parse_args(arguments)
    try:
        last = visit(options.url, person=options.person, deny=options.deny)
    except VisitError as error:
        print(f"visitor: {error}", file=sys.stderr)
        return 1
    # A page is somebody else's text: nothing in it may move the terminal.
    shown = "".join(one if one.isprintable() or one == "\n" else "?" for one in last.text)
    print(f"HTTP {last.http_status}\n{shown}")
    return 0 if last.http_status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
