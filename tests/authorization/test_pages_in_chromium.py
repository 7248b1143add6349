"""The pages of a login in a real browser: it obeys their policy, forgets the code, and shows them to everybody."""

from __future__ import annotations

import http.server
import importlib.resources
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import pytest

from tests.authorization.every_page import OUTCOMES, STATUSES, inline
from withings_auth.authorization import pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.support.browser import Chromium

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
AXE = """axe.run({ resultTypes: ["violations", "incomplete"] }).then(({ passes, violations, incomplete }) => (
  { passes: passes.length, others: [...violations, ...incomplete].map(({ id, help }) => [id, help]) }))"""
LONG = pages.signed_in(
    userid="1234567890" * 3, profile="p" * 64, store="the directory /home/somebody/some/very/long/path/to/a/directory"
)


@dataclass(kw_only=True)
class Site:
    """A server that answers `/<outcome>` with that page, and remembers what it was asked."""

    address: str
    pages: dict[str, pages.Page]
    asked: list[str] = field(default_factory=list)

    def url(self, name: str, query: str = "?code=the-code&state=the-state") -> str:
        return f"{self.address}/{name}{query}"


@pytest.fixture
def site() -> Iterator[Site]:
    serves = Site(address="", pages=dict(OUTCOMES))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serves.asked.append(self.path)
            shown = serves.pages.get(self.path.split("?")[0].rpartition("/")[2], OUTCOMES["not_found"])
            self.send_response(shown.status)
            for header, value in shown.headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(shown.body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serves.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield serves
        server.shutdown()
        thread.join()


def test_they_show_without_a_complaint_and_ask_for_nothing_else(chromium: Chromium, site: Site) -> None:
    """Statement 18: one request, no error on the console, the policy is not violated; after loading, the address has
    neither query nor fragment."""
    found, expected = {}, {}
    shown = chromium.page()
    for name in OUTCOMES:
        answer = shown.goto(site.url(name, "?code=the-code&state=the-state#fragment"))
        found[name] = {
            "status": answer and answer.status,
            "address": shown.url,
            "heading": shown.get_by_role("heading", level=1).is_visible(),
            "styled": shown.locator("main").evaluate("main => getComputedStyle(main).maxWidth"),
            "complaints": chromium.complaints(),
            "asked": site.asked.copy(),
        }
        expected[name] = {
            "status": STATUSES[name],
            "address": f"{site.address}/{name}",
            "heading": True,
            "styled": "464px",
            "complaints": [],
            "asked": [f"/{name}?code=the-code&state=the-state"],
        }
        chromium.console.clear()
        site.asked.clear()
    assert found == expected


def test_the_code_leaves_the_tabs_history(chromium: Chromium, site: Site) -> None:
    """Statement 18: the entry is replaced, not followed by another; going back does not send the code again."""
    shown = chromium.page()
    shown.goto("about:blank")
    shown.goto(site.url("signed_in"))
    assert shown.evaluate("history.length") == 2
    shown.goto(site.url("ended", ""))
    shown.go_back()
    assert shown.url == f"{site.address}/signed_in"
    assert site.asked[1:] == ["/ended", "/signed_in"]


def test_a_path_that_looks_like_another_host_is_cleaned_too(chromium: Chromium, site: Site) -> None:
    """Statement 18: `//evil.example/…` is a path of ours; replacing it raises nothing."""
    shown = chromium.page()
    shown.goto(f"{site.address}//evil.example/signed_in?code=the-code")
    assert shown.url == f"{site.address}//evil.example/signed_in"
    assert chromium.complaints() == []


def test_they_work_without_scripts(chromium: Chromium, site: Site) -> None:
    """Statement 18: with JavaScript disabled the same words stand there."""
    with_scripts, without = chromium.page(), chromium.page(java_script_enabled=False)
    words: dict[Page, dict[str, str]] = {with_scripts: {}, without: {}}
    for shown, read in words.items():
        for name in OUTCOMES:
            shown.goto(site.url(name))
            assert (shown.url == site.url(name)) == (shown is without)  # nothing ran
            read[name] = shown.locator("body").inner_text()
    assert words[without] == words[with_scripts]


def test_a_changed_style_or_script_is_not_obeyed(chromium: Chromium, site: Site) -> None:
    """Statement 17: the policy is in force; what somebody put into the page does nothing."""
    original = site.pages["ended"]
    shown = chromium.page()
    for tag in ("style", "script"):
        content = inline(tag, original)
        site.pages["ended"] = replace(original, body=original.body.replace(content.encode(), f"{content} ".encode()))
        chromium.console.clear()
        shown.goto(site.url("ended"))
        assert shown.get_by_role("heading", level=1).is_visible()
        (complaint,) = chromium.complaints()
        assert f"Content Security Policy directive '{tag}-src" in complaint


def test_another_page_cannot_frame_it(chromium: Chromium, site: Site) -> None:
    """Statement 17: `frame-ancestors 'none'`."""
    site.pages["framing"] = pages.Page(
        status=200,
        headers={"Content-Type": "text/html"},
        body=b"<!doctype html><link rel=icon href=data:,><iframe src=/signed_in></iframe>",
    )
    shown = chromium.page()
    shown.goto(site.url("framing"))
    shown.wait_for_load_state("networkidle")
    assert any("frame-ancestors" in line for line in chromium.complaints())
    assert all(frame.get_by_role("heading").count() == 0 for frame in shown.frames)


def test_nothing_sticks_out_however_long_the_names(chromium: Chromium, site: Site) -> None:
    site.pages["long"] = LONG
    shown = chromium.page()
    shown.goto(site.url("long"))
    for width in (320, 360, 1280):
        shown.set_viewport_size({"width": width, "height": 640})
        assert shown.evaluate("innerWidth") == width
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.evaluate("[...document.querySelectorAll('dd')].every(dd => dd.scrollWidth <= dd.clientWidth)")


def page_with_axe(chromium: Chromium) -> Page:
    """A page, light at first, with axe-core in whatever it shows."""
    shown = chromium.page(color_scheme="light", bypass_csp=True)  # so that axe may run in it
    shown.add_init_script(importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    return shown


def test_axe_finds_nothing_that_keeps_anybody_out(chromium: Chromium, site: Site) -> None:
    """No violation of axe-core's rules, and nothing that axe could not decide, in light and in dark."""
    shown = page_with_axe(chromium)
    found = {}
    for name in OUTCOMES:
        shown.goto(site.url(name))
        for scheme in SCHEMES:
            shown.emulate_media(color_scheme=scheme)
            found[name, scheme] = shown.evaluate(AXE)
    assert [(page, finding) for page, finding in found.items() if not finding["passes"] or finding["others"]] == []


def test_axe_would_find_something(chromium: Chromium, site: Site) -> None:
    original = site.pages["ended"]
    pale = original.body.replace(b"--soft: #55616d", b"--soft: #b5c1cd").replace(b' lang="en"', b"")
    site.pages["ended"] = replace(original, body=pale)
    shown = page_with_axe(chromium)
    shown.goto(site.url("ended"))
    assert {rule for rule, _ in shown.evaluate(AXE)["others"]} == {"color-contrast", "html-has-lang"}
