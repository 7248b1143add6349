"""The pages of a login: what they say and what they forbid."""

from __future__ import annotations

import base64
import hashlib
import inspect
import re
from collections.abc import Callable

import pytest

from tests.authorization.every_page import ANSWERS, OUTCOMES, STATUSES, each_answer, each_outcome, inline, text_of
from withings_auth.authorization import pages


def source(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def public_functions() -> dict[str, Callable[..., pages.Page]]:
    return {
        name: function
        for name, function in inspect.getmembers(pages, inspect.isfunction)
        if function.__module__ == pages.__name__ and not name.startswith("_")
    }


def test_the_table_names_every_answer_there_is() -> None:
    assert {text.name.lower() for text in pages.Text} | {"redirect"} == ANSWERS.keys() == STATUSES.keys()
    assert set(public_functions()) == {"page", "signed_in", "wrong_account", "redirect", "clearing"}


@each_answer
def test_only_a_saved_login_is_answered_with_success(name: str) -> None:
    """Statement 19: every other outcome has a status of its own that is not 200."""
    assert ANSWERS[name].status == STATUSES[name]


def test_a_failure_says_which_step_failed() -> None:
    """Statement 19: the page tells a failed exchange from a failed save, and neither speaks of being signed in."""
    exchange, save = text_of(OUTCOMES["exchange_failed"]), text_of(OUTCOMES["save_failed"])
    assert "Withings did not hand over the tokens" in exchange
    assert "could not save the login" in save
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
        style, script = inline("style", OUTCOMES["ended"]), inline("script", OUTCOMES["ended"])
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
        assert OUTCOMES["ended"].headers == pages.HEADERS
        with pytest.raises(TypeError):
            pages.HEADERS["X"] = "y"  # type: ignore[index]  # that it cannot be done is the point

    def test_a_wrong_method_is_told_the_right_one(self) -> None:
        """Statement 8: 405 comes with `Allow`."""
        assert OUTCOMES["wrong_method"].headers["Allow"] == "GET"

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
        """Statement 16: the functions take only values of our own; nothing else can get in."""
        taken = {name: set(inspect.signature(function).parameters) for name, function in public_functions().items()}
        assert taken == {
            "page": {"text", "status"},
            "signed_in": {"userid", "profile", "store"},
            "wrong_account": {"userid", "owner", "profile"},
            "redirect": {"url"},
            "clearing": {"shown"},
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
