"""The page at the end of a login: what it says, what it forbids, and what a real browser makes of it."""

from __future__ import annotations

import base64
import hashlib
import http.server
import importlib.resources
import inspect
import re
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from withings_auth.authorization import pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.browser import Chromium

OUTCOMES = {
    "signed_in": pages.signed_in(userid="12345678", profile="default", store="GNOME keyring"),
    "refused": pages.refused(),
    "exchange_failed": pages.exchange_failed(),
    "save_failed": pages.save_failed(),
    "wrong_account": pages.wrong_account(userid="87654321", owner="12345678", profile="default"),
    "already_answered": pages.already_answered(),
    "not_for_us": pages.not_for_us(),
    "not_found": pages.not_found(),
    "wrong_method": pages.wrong_method(),
    "start_used": pages.start_used(),
    "opened_ahead": pages.opened_ahead(),
    "ended": pages.ended(),
}
ANSWERS = OUTCOMES | {"redirect": pages.redirect("https://account.example/authorize?state=abc")}
STATUSES = {
    "signed_in": 200,
    "refused": 403,
    "exchange_failed": 502,
    "save_failed": 500,
    "wrong_account": 409,
    "already_answered": 410,
    "not_for_us": 400,
    "not_found": 404,
    "wrong_method": 405,
    "start_used": 410,
    "opened_ahead": 503,
    "ended": 503,
    "redirect": 302,
}
LONG = pages.signed_in(
    userid="1234567890" * 3, profile="p" * 64, store="the directory /home/somebody/some/very/long/path/to/a/directory"
)

each_outcome = pytest.mark.parametrize("name", OUTCOMES)
each_answer = pytest.mark.parametrize("name", ANSWERS)


def text_of(shown: pages.Page) -> str:
    return shown.body.decode()


def inline(tag: str, shown: pages.Page) -> str:
    """The one inline element of this name, as a browser hashes it."""
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text_of(shown), re.DOTALL)
    return str(content)


def source(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def test_the_tables_here_name_every_answer_there_is() -> None:
    public = {
        name
        for name, function in inspect.getmembers(pages, inspect.isfunction)
        if function.__module__ == pages.__name__ and not name.startswith("_")
    }
    assert public == ANSWERS.keys() == STATUSES.keys()


@each_answer
def test_only_a_saved_login_is_answered_with_success(name: str) -> None:
    """Statement 19: every other outcome has a status of its own that is not 200."""
    assert ANSWERS[name].status == STATUSES[name]


def test_a_failure_says_which_step_failed() -> None:
    """Statement 19: the page tells a failed exchange from a failed save, and neither speaks of being signed in."""
    exchange, save = text_of(pages.exchange_failed()), text_of(pages.save_failed())
    assert "Withings did not hand over the tokens" in exchange
    assert "could not keep the login" in save
    assert "You are signed in" not in exchange + save


def test_success_says_who_where_and_that_the_tab_can_go() -> None:
    """Statement 19: the success page names what was saved."""
    shown = text_of(pages.signed_in(userid="12345678", profile="mum", store="macOS Keychain"))
    for told in ("You are signed in", "12345678", "mum", "macOS Keychain", "You can close this tab."):
        assert told in shown


class TestHeaders:
    @each_answer
    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("Content-Type", "text/html; charset=utf-8"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Frame-Options", "DENY"),
        ],
    )
    def test_every_answer_forbids_what_it_does_not_need(self, name: str, header: str, value: str) -> None:
        """Statement 17: errors and redirects bear the same headers as success."""
        assert ANSWERS[name].headers[header] == value

    @each_answer
    def test_every_answer_has_the_whole_policy(self, name: str) -> None:
        """Statement 17: nothing is allowed but the one style, the one script and the empty icon."""
        style, script = inline("style", pages.ended()), inline("script", pages.ended())
        assert ANSWERS[name].headers["Content-Security-Policy"].split("; ") == [
            "default-src 'none'",
            f"style-src {source(style)}",
            f"script-src {source(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]

    @each_outcome
    def test_the_policys_hashes_are_those_of_the_body(self, name: str) -> None:
        """Statement 17: the hashes allow what this very page holds, and not the same with one letter changed."""
        shown = OUTCOMES[name]
        policy = shown.headers["Content-Security-Policy"]
        for tag in ("style", "script"):
            content = inline(tag, shown)
            assert source(content) in policy
            assert source(content + " ") not in policy

    def test_what_we_add_to_other_peoples_answers_is_the_same(self) -> None:
        """Statement 17: `HEADERS` is the set for answers that are not pages, and nobody can change it."""
        assert pages.ended().headers == pages.HEADERS
        with pytest.raises(TypeError):
            pages.HEADERS["X"] = "y"  # type: ignore[index]  # that it cannot be done is the point

    def test_a_wrong_method_is_told_the_right_one(self) -> None:
        """Statement 8: 405 comes with `Allow`."""
        assert pages.wrong_method().headers["Allow"] == "GET"

    @each_answer
    def test_no_permission_is_granted_to_other_origins(self, name: str) -> None:
        """Statement 8: no CORS or private-network header."""
        assert not [header for header in ANSWERS[name].headers if header.startswith("Access-Control")]

    def test_a_redirect_leads_to_the_address_and_shows_nothing(self) -> None:
        sent = pages.redirect("https://account.example/authorize?state=abc")
        assert (sent.status, sent.body) == (302, b"")
        assert sent.headers["Location"] == "https://account.example/authorize?state=abc"


class TestContent:
    def test_nothing_of_a_request_can_get_onto_a_page(self) -> None:
        """Statement 16: the functions take values of ours only; there is no way in for anything else."""
        taken = {
            (name, parameter) for name in OUTCOMES for parameter in inspect.signature(getattr(pages, name)).parameters
        }
        assert taken == {
            ("signed_in", "userid"),
            ("signed_in", "profile"),
            ("signed_in", "store"),
            ("wrong_account", "userid"),
            ("wrong_account", "owner"),
            ("wrong_account", "profile"),
            ("not_for_us", "status"),
        }

    def test_our_own_values_are_escaped_all_the_same(self) -> None:
        """Statement 16: a value that slipped through its check is still only text."""
        hostile = "</bdi><script>alert(1)</script>&\"'"
        for shown in (
            pages.signed_in(userid=hostile, profile=hostile, store=hostile),
            pages.wrong_account(userid=hostile, owner=hostile, profile=hostile),
        ):
            assert "alert(1)</script>" not in text_of(shown)
            assert text_of(shown).count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;") == 3

    @each_outcome
    def test_it_loads_nothing_and_links_nowhere(self, name: str) -> None:
        """Statement 18: the only address on the page is the empty icon; no form, no inline handler or style."""
        shown = text_of(OUTCOMES[name])
        assert re.findall(r'(?:href|src|action|srcset|data)="([^"]*)"', shown) == ["data:,"]
        assert not re.search(r"<(?:a|form|iframe|img|object|base)\b|\s(?:on\w+|style)=|url\(|@import|https?:", shown)


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
            shown = serves.pages.get(self.path.split("?")[0].rpartition("/")[2], pages.not_found())
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


class TestInChromium:
    @each_outcome
    def test_it_shows_without_a_complaint_and_asks_for_nothing_else(
        self, chromium: Chromium, site: Site, name: str
    ) -> None:
        """Statement 18: one request, no error on the console, the policy is not violated."""
        shown = chromium.page()
        answer = shown.goto(site.url(name))
        assert answer is not None
        assert answer.status == STATUSES[name]
        assert shown.get_by_role("heading", level=1).is_visible()
        assert shown.locator("main").evaluate("main => getComputedStyle(main).maxWidth") == "464px"
        assert chromium.complaints() == []
        assert site.asked == [f"/{name}?code=the-code&state=the-state"]

    @each_outcome
    def test_the_code_leaves_the_address_bar(self, chromium: Chromium, site: Site, name: str) -> None:
        """Statement 18: after loading, the address has neither query nor fragment."""
        shown = chromium.page()
        shown.goto(site.url(name, "?code=the-code&state=the-state#fragment"))
        assert shown.url == f"{site.address}/{name}"

    def test_the_code_leaves_the_tabs_history(self, chromium: Chromium, site: Site) -> None:
        """Statement 18: the entry is replaced, not followed by another; going back does not send the code again."""
        shown = chromium.page()
        shown.goto("about:blank")
        shown.goto(site.url("signed_in"))
        assert shown.evaluate("history.length") == 2
        shown.goto(site.url("ended", ""))
        shown.go_back()
        assert shown.url == f"{site.address}/signed_in"
        assert site.asked[1:] == ["/ended", "/signed_in"]

    def test_a_path_that_looks_like_another_host_is_cleaned_too(self, chromium: Chromium, site: Site) -> None:
        """Statement 18: `//evil.example/…` is a path of ours; replacing it raises nothing."""
        shown = chromium.page()
        shown.goto(f"{site.address}//evil.example/signed_in?code=the-code")
        assert shown.url == f"{site.address}//evil.example/signed_in"
        assert chromium.complaints() == []

    @each_outcome
    def test_it_works_without_scripts(self, chromium: Chromium, site: Site, name: str) -> None:
        """Statement 18: with JavaScript disabled the same words stand there."""
        with_scripts, without = chromium.page(), chromium.page(java_script_enabled=False)
        for shown in (with_scripts, without):
            shown.goto(site.url(name))
        assert without.url == site.url(name)  # nothing ran
        assert without.locator("body").inner_text() == with_scripts.locator("body").inner_text()

    @pytest.mark.parametrize("tag", ["style", "script"])
    def test_a_changed_style_or_script_is_not_obeyed(self, chromium: Chromium, site: Site, tag: str) -> None:
        """Statement 17: the policy is in force; what somebody put into the page does nothing."""
        original = site.pages["ended"]
        content = inline(tag, original)
        site.pages["ended"] = replace(original, body=original.body.replace(content.encode(), f"{content} ".encode()))
        shown = chromium.page()
        shown.goto(site.url("ended"))
        assert shown.get_by_role("heading", level=1).is_visible()
        assert any("Content Security Policy" in line for line in chromium.complaints())

    def test_another_page_cannot_frame_it(self, chromium: Chromium, site: Site) -> None:
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

    @pytest.mark.parametrize("width", [320, 360, 1280])
    def test_nothing_sticks_out_however_long_the_names(self, chromium: Chromium, site: Site, width: int) -> None:
        site.pages["long"] = LONG
        shown = chromium.page(viewport={"width": width, "height": 640})
        shown.goto(site.url("long"))
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.evaluate("[...document.querySelectorAll('dd')].every(dd => dd.scrollWidth <= dd.clientWidth)")

    @each_outcome
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing_that_keeps_anybody_out(
        self, chromium: Chromium, site: Site, name: str, scheme: str
    ) -> None:
        """No violation of axe-core's rules, and nothing that axe could not decide."""
        shown = chromium.page(color_scheme=scheme, bypass_csp=True)  # so that axe may run in the page
        shown.goto(site.url(name))
        findings = axe(shown)
        assert findings["passes"]
        assert [(found["id"], found["help"]) for found in findings["violations"] + findings["incomplete"]] == []

    def test_axe_would_find_something(self, chromium: Chromium, site: Site) -> None:
        original = site.pages["ended"]
        pale = original.body.replace(b"--soft: #55616d", b"--soft: #b5c1cd").replace(b' lang="en"', b"")
        site.pages["ended"] = replace(original, body=pale)
        shown = chromium.page(color_scheme="light", bypass_csp=True)
        shown.goto(site.url("ended"))
        assert {found["id"] for found in axe(shown)["violations"]} == {"color-contrast", "html-has-lang"}


def axe(shown: Any) -> Any:
    """What axe-core says about a page, as it says it."""
    script = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    shown.evaluate(script)
    return shown.evaluate("axe.run()")
