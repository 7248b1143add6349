"""Files of programs, in any shape: a login is never overwritten, and what is not ours stays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import damaged, outcome, tries
from withings_auth.borrow.descriptions import Description
from withings_auth.borrow.placeholder_files import Places, write_files
from withings_auth.borrow.placeholders import ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN
from withings_auth.errors import ConfigurationError

SECRET = "5ec4e7" * 7
FIELDS = {
    "access_token": "{access_token}",
    "refresh_token": "{refresh_token}",
    "userid": "{userid}",
    "body": {"app": "{client_id}", "client_secret": "{client_secret}", "until": "{expires_at}"},
}
VALUES = {
    "access_token": ACCESS_TOKEN,
    "refresh_token": REFRESH_TOKEN,
    "client_secret": CLIENT_SECRET,
    "client_id": "id",
    "userid": "38210457",
    "expires_at": "1800000000",
}
NAMES = [
    "access_token",
    "refresh_token",
    "refreshToken",
    "oldRefresh_Token",
    "userid",
    "body",
    "app",
    "client_secret",
    "x",
    "",
]
LEAVES = st.one_of(
    st.sampled_from([SECRET, ACCESS_TOKEN, REFRESH_TOKEN, CLIENT_SECRET, "", None, 0, 1.5, 38210457, "\ud800é", True]),
    st.sampled_from([float("inf"), 10**60, f"{REFRESH_TOKEN}{SECRET}", f" {SECRET}"]),
)
CONTENTS = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), LEAVES, max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(NAMES), inner | st.lists(inner | LEAVES, max_size=2) | LEAVES, max_size=4
    ),
    max_leaves=4,
)
TEXTS = st.one_of(
    CONTENTS.map(json.dumps),
    CONTENTS.flatmap(lambda content: damaged(json.dumps(content), alphabet='{}[]":,\\u0é \n')),
    st.sampled_from(["", " \n", "[]", "null", "\ufeff{}", '{"userid": ' + "[" * 5000 + "]" * 5000 + "}"]),
)


@pytest.fixture
def places(home: Path) -> Places:
    kept = home / "state" / "programs"
    return Places(directory=kept / "x" / "default", home=home, lock=kept / "x.lock", is_ours=True)


def refresh_tokens(content: Any) -> Iterator[str]:
    """Every text under a name like that of a refresh token, however deep it is."""
    left = [("", content)]
    while left:
        name, value = left.pop()
        match value:
            case dict():
                left.extend(value.items())
            case list():
                left.extend((name, one) for one in value)
            case str() if value and re.search("refresh_?token", name, re.IGNORECASE):
                yield value


def content_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@tries(40, share=4)
@given(text=TEXTS)
def test_what_a_program_keeps_stays(places: Places, text: str) -> None:
    file = places.home / "tokens.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    before, content = file.stat(), content_of(text)

    def write() -> None:
        write_files(Description(name="x", files={"{home}/tokens.json": FIELDS}), places, VALUES)

    refused = outcome(write, secret=SECRET, allowed=ConfigurationError)
    after = file.stat()
    if isinstance(content, dict) and any(not found.startswith(REFRESH_TOKEN[:20]) for found in refresh_tokens(content)):
        assert refused is not None
    if refused is not None:
        assert (file.read_bytes(), after.st_ino) == (text.encode("utf-8", "surrogatepass"), before.st_ino)
        return
    written = json.loads(file.read_bytes())
    kept = content if isinstance(content, dict) else {}
    assert {name: written[name] for name in list(FIELDS)[:2]} == {
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
    }
    assert repr([(name, kept[name]) for name in kept if name not in FIELDS]) == repr(
        [(name, written[name]) for name in kept if name not in FIELDS]
    )
    inner = kept.get("body")
    if isinstance(inner, dict):
        of_the_user = inner.get("client_secret")
        if of_the_user and not str(of_the_user).startswith(REFRESH_TOKEN[:20]):
            inner.pop("until", None)
            assert repr(inner) == repr({name: written["body"][name] for name in inner})
    write()
    assert file.stat().st_ino == after.st_ino
