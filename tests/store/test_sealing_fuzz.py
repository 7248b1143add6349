"""A sealed text opens with its key, under its name, as it was sealed, and in no other way."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fuzzing import damaged, outcome, tries
from withings_auth.errors import StoreCorrupt
from withings_auth.store.keys import make_key
from withings_auth.store.sealing import key_id, open_sealed, seal

KEY, OTHER = make_key(), make_key()
SECRET = "the-secret-in-it"
NAME = "token/default"
texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.sampled_from([NAME, "token/other", "app/default", "token/ä b", ""])


@tries(30)
@given(names, texts)
def test_what_is_sealed_is_opened(name: str, text: str) -> None:
    """Two seals of a text have nothing in common but the key's id."""
    sealed, again = seal(KEY, name, text), seal(KEY, name, text)
    assert open_sealed(KEY, name, sealed) == open_sealed(KEY, name, again) == text
    assert key_id(name, sealed) == key_id(name, again) == KEY.id
    assert sealed[:60] != again[:60]
    assert sealed.isascii()
    assert sealed.isprintable()


@tries(30)
@given(names, names)
def test_it_opens_under_its_own_name_only(name: str, other: str) -> None:
    opened = outcome(lambda: open_sealed(KEY, other, seal(KEY, name, SECRET)), secret=SECRET)
    assert opened == SECRET if name == other else isinstance(opened, StoreCorrupt)


@tries(30)
@given(texts)
def test_it_opens_with_its_own_key_only(text: str) -> None:
    """Even if somebody changes the id."""
    sealed = seal(KEY, NAME, text)
    for forged in (sealed, sealed.replace(KEY.id, OTHER.id)):
        with pytest.raises(StoreCorrupt, match="changed or cut"):
            open_sealed(OTHER, NAME, forged)


SEALED = seal(KEY, NAME, SECRET)


@tries(150)
@given(damaged(SEALED, "withngs-auedl1:ABCabc0129+/=\n é"))
@example(SEALED[:-1])
@example(SEALED + "\n")
@example(SEALED[: SEALED.rindex(":") + 1])
@example(f"{SEALED[: SEALED.rindex(':') + 1]}AAAA")
@example("")
@example(SECRET)
def test_nothing_else_opens(text: str) -> None:
    """A change anywhere is noticed."""
    for read in (lambda: open_sealed(KEY, NAME, text), lambda: key_id(NAME, text)):
        found = outcome(read, secret=SECRET)
        if text == SEALED:
            assert found in {SECRET, KEY.id}
    if text != SEALED:
        assert isinstance(outcome(lambda: open_sealed(KEY, NAME, text), secret=SECRET), StoreCorrupt)


def test_each_character_counts() -> None:
    """The id and the spare bits of the last one included."""
    changes = [(place, other) for place in range(len(SEALED)) for other in "0Ag="]
    changes += [(len(SEALED.rstrip("=")) - 1, other) for other in string.ascii_letters]
    for place, other in changes:
        if SEALED[place] != other:
            with pytest.raises(StoreCorrupt):
                open_sealed(KEY, NAME, SEALED[:place] + other + SEALED[place + 1 :])
