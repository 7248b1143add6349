"""Records: what was written is read, and a damaged one is never taken for another login."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import test_model
from tests.support.fuzzing import damaged, outcome, tries
from tests.test_model import APP, SECRET, apps, grants
from withings_auth.errors import StoreCorrupt
from withings_auth.model import App, Grant
from withings_auth.record import read_app, read_grant

GRANT = dataclasses.replace(test_model.GRANT, refresh_token=SECRET)
ALPHABET = '"{}[]:,\\u0123456789.eE-+ \n\ufeff\0aé\ud800'
NAMES = [*json.loads(GRANT.to_record()), *json.loads(APP.to_record()), "x"]
VALUES = st.one_of(
    st.sampled_from(
        ["1", "2", "true", "null", "[]", '""', '"a"', "1e3", "NaN", "-1", "9" * 20, "9" * 5000, '"\\ud800"']
    ),
    st.sampled_from(['["user.info"]', '["a b"]', "[" * 2000 + "]" * 2000, '"https://evil.example/v2/oauth2"']),
    st.sampled_from(
        ['"http://[::1]:1/v2/oauth2"', '"http://a/v2/oauth2"', '"https://u@a/v2/oauth2"', '"..//v2/oauth2"']
    ),
)


def replaced(text: str, pairs: list[tuple[str, str]]) -> str:
    """The record with fields that are repeated at its end: the last one of a name counts in JSON."""
    return text[:-1] + "".join(f',"{name}":{value}' for name, value in pairs) + "}"


def texts_like(text: str) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=3)
    return st.one_of(damaged(text, ALPHABET), pairs.map(lambda found: replaced(text, found)))


@tries(15)
@given(grants, apps)
def test_each_is_read_as_it_was_written(grant: Grant, app: App) -> None:
    """And written again as it was."""
    for value in (grant, app):
        read = type(value).from_record(value.to_record())
        assert read == value
        assert read.to_record() == value.to_record()


KINDS: list[tuple[Callable[[str], Any], Callable[[str], dict[str, Any]], Grant | App]] = [
    (Grant.from_record, read_grant, GRANT),
    (App.from_record, read_app, APP),
]


@pytest.mark.parametrize(("read", "read_fast", "value"), KINDS, ids=["grant", "app"])
@tries(25)
@given(data=st.data())
def test_what_is_read_is_what_is_there(
    data: st.DataObject, read: Callable[[str], Any], read_fast: Callable[[str], dict[str, Any]], value: Grant | App
) -> None:
    """Statement 36: each value is the one that `json` finds, of its own type; anything else is corrupt."""
    text = data.draw(texts_like(value.to_record()))
    got = outcome(lambda: read(text), secret=SECRET, allowed=StoreCorrupt)
    fast = outcome(lambda: read_fast(text), secret=SECRET, allowed=StoreCorrupt)
    if isinstance(got, StoreCorrupt):
        assert got.newer == (isinstance(fast, StoreCorrupt) and fast.newer)
        if not got.newer:
            assert got.__context__ is None or SECRET not in repr(got.__context__)
        return
    record = json.loads(text)
    written = json.loads(got.to_record())
    assert repr({name: record[name] for name in written}) == repr(written)  # repr tells 1 from True and 1.0
    assert {name: getattr(got, name) for name in fast} == fast
    assert SECRET not in repr(got)
