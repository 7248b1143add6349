"""Every page of the listener by its name, for the tests of what they say and of what a browser makes of them."""

from __future__ import annotations

import re

import pytest

from withings_auth.authorization import pages

OUTCOMES = {text.name.lower(): pages.page(text) for text in pages.Text} | {
    "signed_in": pages.signed_in(userid="12345678", profile="default", store="GNOME keyring"),
    "wrong_account": pages.wrong_account(userid="87654321", owner="12345678", profile="default"),
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
    "another_user": 403,
    "opened_ahead": 503,
    "cannot_succeed": 503,
    "ended": 503,
    "redirect": 302,
}

each_outcome = pytest.mark.parametrize("name", OUTCOMES)
each_answer = pytest.mark.parametrize("name", ANSWERS)


def text_of(shown: pages.Page) -> str:
    return shown.body.decode()


def inline(tag: str, shown: pages.Page) -> str:
    """The one inline element of this name, as a browser hashes it."""
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text_of(shown), re.DOTALL)
    return str(content)
