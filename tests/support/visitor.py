"""A scripted browser that goes through a login at the sandbox.

It opens a login's address, fills in the sandbox's consent form, follows the redirects and reads the last page. It only
visits loopback addresses: since it can press Allow, it must never meet the real Withings. As a program it can be named
as a browser: `VISITOR` is the command for that.
"""

from __future__ import annotations

import argparse
import ipaddress
import shlex
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPResponse
from urllib.parse import urlencode, urljoin, urlsplit

VISITOR = shlex.join([sys.executable, "-P", __file__])
"""The visitor as a command that takes a URL, in the syntax of `BROWSER`."""

MAX_REDIRECTS = 10
MAX_PAGE_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 60.0
"""Long, since a program holds back the last page while it exchanges the code and saves the tokens."""


class VisitError(Exception):
    """The visitor cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPage:
    """Where the visit ended."""

    http_status: int
    url: str = field(repr=False)
    text: str


def visit(url: str, *, person: int = 1, deny: bool = False, timeout: float = TIMEOUT_SECONDS) -> LastPage:
    """Logs in as a person (1 is the first on the consent page), or denies access; returns the last page."""
    page = _follow(url, None, timeout)
    if page.people and {"allow", "deny"} <= page.buttons.keys():
        form = urlencode(page.fill_in(person=person, deny=deny)).encode()
        page = _follow(urljoin(page.url, page.action), form, timeout)
    return LastPage(http_status=page.http_status, url=page.url, text=page.text)


def _follow(url: str, form: bytes | None, timeout: float) -> _Page:
    for _ in range(MAX_REDIRECTS + 1):
        page = _fetch(url, form, timeout)
        if page.location is None:
            return page
        # As in every browser, the redirect that answers a form is followed with GET.
        url, form = urljoin(url, page.location), None
    raise VisitError(f"more than {MAX_REDIRECTS} redirects")


def _fetch(url: str, form: bytes | None, timeout: float) -> _Page:
    _refuse_other_hosts(url)
    # The URL was just checked: http on a loopback host.
    request = urllib.request.Request(url, data=form)  # noqa: S310  the sandbox's own address
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _EveryResponse())
    try:
        with opener.open(request, timeout=timeout) as response:
            content = response.read(MAX_PAGE_BYTES).decode("utf-8", "replace")
            location = response.headers["Location"] if response.status in {301, 302, 303, 307, 308} else None
            return _Page(response.status, url, location, content)
    except (OSError, ValueError) as error:
        # Neither the error's own text nor the whole URL is repeated: both can hold a code.
        raise VisitError(f"no answer from {urlsplit(url).netloc} ({type(error).__name__})") from None


def _refuse_other_hosts(url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not _is_loopback(host) or parts.username or parts.password:
        raise VisitError(f"the visitor only opens http URLs on this machine, not {host[:80]!r}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _EveryResponse(urllib.request.HTTPErrorProcessor):
    """Returns every response as it is, redirects too: each URL is checked before it is visited."""

    def http_response(self, _request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:
        return response


class _Page(HTMLParser):
    """A page as a user sees it: its text, and the consent form if there is one."""

    def __init__(self, http_status: int, url: str, location: str | None, content: str) -> None:
        super().__init__()
        self.http_status = http_status
        self.url = url
        self.location = location
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.people: list[tuple[str, str]] = []
        self.buttons: dict[str, str] = {}
        self._texts: list[str] = []
        self._invisible = 0
        self.feed(content)
        self.close()

    @property
    def text(self) -> str:
        """What a user reads, line by line."""
        lines = (" ".join(line.split()) for line in "".join(self._texts).splitlines())
        return "\n".join(line for line in lines if line)

    def fill_in(self, *, person: int, deny: bool) -> dict[str, str]:
        """Returns what a browser would send after the choice and the click."""
        if not 1 <= person <= len(self.people):
            raise VisitError(f"there is no person {person} on the page; it offers {len(self.people)}")
        name, value = self.people[person - 1]
        answer = "deny" if deny else "allow"
        return {**self.hidden, name: value, self.buttons[answer]: answer}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._invisible += tag in {"style", "script", "title"}
        attributes = {name: value or "" for name, value in attrs}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        match tag, attributes.get("type"):
            case "form", _:
                self.action = attributes.get("action", "")
            case "input", "hidden":
                self.hidden[name] = value
            case "input", "radio":
                self.people.append((name, value))
            case "button", "submit":
                self.buttons[value] = name

    def handle_endtag(self, tag: str) -> None:
        self._invisible -= tag in {"style", "script", "title"}
        if tag in {"h1", "h2", "p", "li", "div", "button", "label", "legend"}:
            self._texts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._invisible:
            self._texts.append(data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0 if the last page came with HTTP 200, and 1 otherwise."""
    parser = argparse.ArgumentParser(prog="visitor", description="Go through a login at the sandbox.")
    parser.add_argument("--person", type=int, default=1, metavar="N", help="log in as the Nth person (default: 1)")
    parser.add_argument("--deny", action="store_true", help="deny access")
    parser.add_argument("url", metavar="URL", help="the login's address, on this machine")
    options = parser.parse_args(arguments)
    try:
        last = visit(options.url, person=options.person, deny=options.deny)
    except VisitError as error:
        print(f"visitor: {error}", file=sys.stderr)
        return 1
    # The page is somebody else's text: nothing in it may control the terminal.
    shown = "".join(one if one.isprintable() or one == "\n" else "?" for one in last.text)
    print(f"HTTP {last.http_status}\n{shown}")
    return 0 if last.http_status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
