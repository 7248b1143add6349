"""All pages of an answer as one, and the end of those that have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from withings_auth.errors import ProtocolViolation, ProviderUnavailable
from withings_auth.provider.pages import MOST_PAGES, each_page, has_more, joined

FORM = {"action": "getmeas"}


def playing(*pages: dict[str, Any]) -> tuple[list[str | None], Any]:
    """What was asked for, by offset, and somebody who answers with these pages."""
    asked: list[str | None] = []
    coming = iter(pages)

    def fetch(form: Mapping[str, str]) -> dict[str, Any]:
        assert form["action"] == "getmeas"
        asked.append(form.get("offset"))
        return next(coming)

    return asked, fetch


@pytest.mark.parametrize(("more", "expected"), [(1, True), (True, True), (0, False), (False, False), (None, False)])
def test_more_is_a_number_or_a_truth(more: object, expected: bool) -> None:
    assert has_more({"more": more}) is expected


def test_nothing_said_is_no_more() -> None:
    assert has_more({"measuregrps": []}) is False


def test_one_page_is_the_whole() -> None:
    asked, fetch = playing({"updatetime": 7, "rows": [1, 2], "more": 0, "offset": 0})
    assert joined(each_page(fetch, FORM)) == {"updatetime": 7, "rows": [1, 2]}
    assert asked == [None]


def test_lists_are_joined_in_order_and_the_rest_is_the_first_pages() -> None:
    asked, fetch = playing(
        {"updatetime": 7, "rows": [1, 2], "more": 1, "offset": 2},
        {"updatetime": 8, "rows": [3], "others": ["a"], "more": True, "offset": "3"},
        {"updatetime": 9, "rows": [4], "others": ["b"], "more": False, "offset": 0},
    )
    assert joined(each_page(fetch, FORM)) == {"updatetime": 7, "rows": [1, 2, 3, 4], "others": ["a", "b"]}
    assert asked == [None, "2", "3"]


def test_it_begins_where_the_form_says() -> None:
    asked, fetch = playing({"rows": [5], "more": 1, "offset": 6}, {"rows": [6]})
    assert joined(each_page(fetch, {**FORM, "offset": "5"})) == {"rows": [5, 6]}
    assert asked == ["5", "6"]


def test_a_list_where_there_was_none_spoils_nothing() -> None:
    _, fetch = playing({"model": "Body+", "more": 1, "offset": 1}, {"model": ["another"]})
    assert joined(each_page(fetch, FORM)) == {"model": "Body+"}


@pytest.mark.parametrize("offset", [0, 2, 1, -3, None, "x", 2.5, True, []])
def test_an_offset_that_does_not_grow_is_an_error(offset: object) -> None:
    """Else the same page would come for ever."""
    _, fetch = playing({"more": 1, "offset": 2}, {"more": 1, "offset": offset})
    with pytest.raises(ProtocolViolation, match="does not grow") as caught:
        joined(each_page(fetch, FORM))
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("offset", [0, None, True])
def test_the_first_offset_must_lead_on_too(offset: object) -> None:
    _, fetch = playing({"more": 1, "offset": offset})
    with pytest.raises(ProtocolViolation, match="does not grow"):
        joined(each_page(fetch, FORM))


def test_pages_without_an_end_are_an_error() -> None:
    asked, fetch = playing(*({"more": 1, "offset": number + 1} for number in range(MOST_PAGES + 1)))
    with pytest.raises(ProtocolViolation, match="more than 1000 pages"):
        joined(each_page(fetch, FORM))
    assert len(asked) == MOST_PAGES


def test_as_many_pages_as_may_be_are_fetched() -> None:
    pages = [{"rows": [number], "more": 1, "offset": number + 1} for number in range(MOST_PAGES)]
    pages[-1]["more"] = 0
    asked, fetch = playing(*pages)
    assert len(joined(each_page(fetch, FORM))["rows"]) == len(asked) == MOST_PAGES


def test_a_failure_in_between_is_the_end() -> None:
    asked: list[str | None] = []

    def fetch(form: Mapping[str, str]) -> dict[str, Any]:
        asked.append(form.get("offset"))
        if len(asked) == 2:
            raise ProviderUnavailable("wait")
        return {"rows": [1], "more": 1, "offset": 1}

    with pytest.raises(ProviderUnavailable):
        joined(each_page(fetch, FORM))
    assert asked == [None, "1"]
