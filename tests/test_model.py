"""The values, their records, and nothing secret in anything that shows them."""

from __future__ import annotations

import dataclasses
import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stores import save_record
from withings_auth.errors import ConfigurationError, StoreCorrupt
from withings_auth.model import ALL_SCOPES, App, Endpoints, Grant, Token
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name, stored_app

ACCESS = "acce55" * 6 + "0000"
REFRESH = "4ef4e5" * 6 + "0000"
SECRET = "5ec4e7" * 10 + "0000"

GRANT = Grant(
    access_token=ACCESS,
    refresh_token=REFRESH,
    expires_at=1_700_010_800,
    obtained_at=1_700_000_000,
    scopes=("user.info", "user.metrics"),
    userid="12345678",
    client_id="c" * 64,
    token_url="https://wbsapi.withings.net/v2/oauth2",
)
APP = App(client_id="c" * 64, client_secret=SECRET, redirect_uri="http://localhost:8000/callback", scopes=ALL_SCOPES)

scopes = st.lists(st.from_regex(r"[a-z0-9._:-]{1,64}", fullmatch=True), max_size=6)
tokens = st.from_regex(r"[A-Za-z0-9._~+/-]{1,80}={0,2}", fullmatch=True)
client_ids = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)
moments = st.integers(0, (1 << 40) - 1)
grants = st.builds(
    Grant,
    access_token=tokens,
    refresh_token=tokens,
    expires_at=moments,
    obtained_at=moments,
    scopes=scopes.map(tuple),
    userid=st.from_regex(r"[0-9A-Za-z_-]{1,64}", fullmatch=True),
    client_id=client_ids,
    token_url=st.sampled_from(["https://wbsapi.withings.net/v2/oauth2", "http://localhost:8000/v2/oauth2"]),
)
apps = st.builds(
    App,
    client_id=client_ids,
    client_secret=st.from_regex(r"[\x21-\x7e]{1,256}", fullmatch=True),
    redirect_uri=st.sampled_from(["http://localhost:8000", "https://example.org/cb?x=1", "http://[::1]:1/"]),
    scopes=scopes.filter(bool).map(tuple),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


class TestRoundTrip:
    @given(grants)
    def test_a_grant_is_read_as_it_was_written(self, grant: Grant) -> None:
        """What was saved is what is loaded, whatever the values."""
        assert Grant.from_record(grant.to_record()) == grant

    @given(apps)
    def test_an_app_is_read_as_it_was_written(self, app: App) -> None:
        """What was saved is what is loaded, whatever the values."""
        assert App.from_record(app.to_record()) == app

    def test_the_records_are_the_documented_ones(self) -> None:
        """The fields and their types are a contract with other programs and with later versions."""
        assert json.loads(GRANT.to_record()) == {
            "version": 1,
            "access_token": ACCESS,
            "refresh_token": REFRESH,
            "expires_at": 1_700_010_800,
            "obtained_at": 1_700_000_000,
            "scopes": ["user.info", "user.metrics"],
            "userid": "12345678",
            "client_id": "c" * 64,
            "token_url": "https://wbsapi.withings.net/v2/oauth2",
        }
        assert json.loads(APP.to_record()) == {
            "version": 1,
            "client_id": "c" * 64,
            "client_secret": SECRET,
            "redirect_uri": "http://localhost:8000/callback",
            "scopes": list(ALL_SCOPES),
        }
        assert not set(" \n") & set(GRANT.to_record() + APP.to_record())  # as short as JSON can be

    @pytest.mark.parametrize("moment", [0, (1 << 40) - 1])
    def test_the_first_and_the_last_moment_are_good_ones(self, moment: int) -> None:
        grant = dataclasses.replace(GRANT, expires_at=moment, obtained_at=moment)
        assert Grant.from_record(grant.to_record()) == grant


WRONG: dict[str, list[Any]] = {
    "access_token": ["", "a b", "a\r\nX: y", "a\n", "é", "a" * 3000],
    "refresh_token": ["", "a b", "a&b=c", "a\n", "a" * 3000],
    "expires_at": ["1700000000", 1.5, True, -1, 1 << 40, 10**400],
    "obtained_at": ["1700000000", 1.5, False, -1, 1 << 40],
    "scopes": ["user.info", [1], ["a b"], [None], [""], {"user.info": 1}, ["\x1b[2J"]],
    "userid": [12345678, "", "../x", "1\n", "1" * 65],
    "client_id": ["", "../../x", "a.b", "a" * 129, "a\n", 5],
    "client_secret": ["", "a b", "a\n", "é", "a" * 300],
    "redirect_uri": ["", "javascript:alert(1)", "http://a b", "http://a\r\n", "http://u:p@a", "\x1b[2J"],
    "token_url": [
        "http://withings.net/v2/oauth2",
        "https://withings.net/",
        "https://u:p@withings.net/v2/oauth2",
        "https://withings.net/?x=/v2/oauth2",
        *("ftp://withings.net/v2/oauth2", "https://a\n/v2/oauth2"),
    ],
}
Read = Callable[[str], object]
APP_READER, GRANT_READER = (App.from_record, APP.to_record()), (Grant.from_record, GRANT.to_record())
READERS: dict[str, tuple[Read, str]] = {"app": APP_READER, "token": GRANT_READER}
CASES = [
    pytest.param(read, text, name, value, id=f"{kind} {name} {value!r:.25}")
    for kind, (read, text) in READERS.items()
    for name in json.loads(text)
    if name != "version"
    for value in [None, [], {}, *WRONG[name]]
    if not (kind == "token" and name == "scopes" and value == [])  # nothing granted is possible, nothing asked is not
]
every_reader = pytest.mark.parametrize(("read", "text"), READERS.values(), ids=READERS)


class TestStrictReading:
    @pytest.mark.parametrize(("read", "text", "name", "value"), CASES)
    def test_a_wrong_field_is_refused(self, read: Read, text: str, name: str, value: object) -> None:
        """Statement 36: a record with one value of a wrong type, alphabet or length is corrupt; exit code 5."""
        record = json.loads(text)
        assert record[name] != value
        with pytest.raises(StoreCorrupt) as corrupt:
            read(json.dumps(record | {name: value}))
        assert corrupt.value.exit_code == 5
        assert (str(corrupt.value) + corrupt.value.hint).isprintable()

    @every_reader
    def test_a_missing_field_is_refused(self, read: Read, text: str) -> None:
        """No field has a default: half a record is none."""
        record = json.loads(text)
        for name in record:
            with pytest.raises(StoreCorrupt):
                read(json.dumps({key: value for key, value in record.items() if key != name}))

    @pytest.mark.parametrize("read", [App.from_record, Grant.from_record])
    @pytest.mark.parametrize(
        "text", ["", "hello", "null", "[]", "1", '"text"', "{}", "{", "\ufeff{}", "[" * 100_000, "1" * 5000]
    )
    def test_what_is_no_record_is_refused(self, read: Read, text: str) -> None:
        """Any text in the record's place is corrupt, not a crash."""
        with pytest.raises(StoreCorrupt, match="not one that withings-auth wrote") as corrupt:
            read(text)
        assert corrupt.value.hint.startswith("it was left in place; to replace it")
        assert corrupt.value.__context__ is None  # a JSONDecodeError would carry the whole text

    @every_reader
    @given(value=anything)
    def test_no_json_at_all_breaks_it(self, read: Read, text: str, value: object) -> None:
        """Whatever JSON it is given, reading ends in a value or in StoreCorrupt."""
        record = json.loads(text)
        for name in record:
            try:
                read(json.dumps(record | {name: value}))
            except StoreCorrupt:
                continue
        with pytest.raises(StoreCorrupt):
            read(json.dumps(value))

    @every_reader
    @pytest.mark.parametrize(("version", "says"), [(2, "newer"), (10**9, "newer"), (0, "not one"), (-1, "not one")])
    def test_another_version_is_refused(self, read: Read, text: str, version: int, says: str) -> None:
        """A record of a newer program is told apart: the remedy is to upgrade, not to log in again."""
        with pytest.raises(StoreCorrupt, match=says) as corrupt:
            read(json.dumps(json.loads(text) | {"version": version}))
        assert ("upgrade" in corrupt.value.hint) == (says == "newer")

    @every_reader
    @pytest.mark.parametrize("version", [True, 1.0, "1", None, [1]])
    def test_a_version_is_a_number(self, read: Read, text: str, version: object) -> None:
        """True is not 1 here."""
        with pytest.raises(StoreCorrupt):
            read(json.dumps(json.loads(text) | {"version": version}))

    def test_a_secret_is_not_taken_from_another_apps_record(self) -> None:
        """Statement 38: a record under another client id, as on file systems that ignore case, is refused."""
        store = MemoryStore()
        save_record(store, app_name("C" * 64), APP.to_record())
        with pytest.raises(StoreCorrupt):
            stored_app(store, "C" * 64)


class TestSecrets:
    @pytest.mark.parametrize("value", [GRANT, APP, GRANT.token], ids=lambda value: type(value).__name__)
    def test_no_secret_has_a_repr(self, value: object) -> None:
        """Statement 23: neither repr nor str nor a format shows a token or a secret."""
        shown = f"{value!r} {value!s} {value} {[value]} { {'key': value} }"
        assert not any(secret in shown for secret in (ACCESS, REFRESH, SECRET))
        assert "client_id" in shown

    def test_no_secret_is_in_an_error_or_its_traceback(self) -> None:
        """Statement 23: an error about a wrong record or app shows nothing of it, and neither do its causes."""
        for read, text in READERS.values():
            for spoiled in (text[:-1], text.replace('"version":1', '"version":3'), text.replace("user.info", "a b")):
                with pytest.raises(StoreCorrupt) as corrupt:
                    read(spoiled)
                shown = "".join(traceback.format_exception(corrupt.value)) + repr(corrupt.value)
                assert not any(secret in shown for secret in (ACCESS, REFRESH, SECRET))
        with pytest.raises(ConfigurationError) as wrong:
            App(client_id="c", client_secret=f"{SECRET} ")
        assert SECRET not in "".join(traceback.format_exception(wrong.value)) + wrong.value.hint

    def test_callers_do_not_get_the_refresh_token(self) -> None:
        """Statement 27: a Token has no field for it, and nothing in it leads there."""
        assert {field.name for field in dataclasses.fields(Token)} == {
            "access_token",
            "expires_at",
            "scopes",
            "userid",
            "client_id",
            "api_origin",
        }
        assert REFRESH not in str(dataclasses.asdict(GRANT.token))

    @pytest.mark.parametrize("value", [GRANT, APP, GRANT.token, Endpoints()], ids=lambda value: type(value).__name__)
    def test_the_values_are_frozen(self, value: Any) -> None:
        """Nobody changes a value that somebody else holds."""
        assert not hasattr(value, "__dict__")
        name = dataclasses.fields(value)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, "another")
        hash(value)


class TestApp:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"client_id": "a/b"},
            {"client_secret": ""},
            {"redirect_uri": "localhost:8000"},
            {"redirect_uri": "http://localhost\n"},
            {"scopes": ()},
            {"scopes": ("user info",)},
        ],
    )
    def test_what_cannot_be_an_app_is_refused(self, wrong: dict[str, Any]) -> None:
        """Statements 36, 37: exit code 2, before anything is sent or saved."""
        with pytest.raises(ConfigurationError) as refused:
            App(**({"client_id": "c", "client_secret": "s"} | wrong))
        assert refused.value.exit_code == 2
        assert refused.value.hint

    def test_a_callers_list_is_copied(self) -> None:
        """A list of scopes that changes later does not change the app."""
        names = ["user.info"]
        app = App(client_id="c", client_secret="s", scopes=names)  # type: ignore[arg-type]  # what callers do
        names.append("user.metrics")
        assert app.scopes == ("user.info",)


class TestLife:
    @pytest.mark.parametrize(
        ("now", "left", "age"),
        [
            (1_700_000_000, 10_800, 0),
            (1_700_000_000.5, 10_799.5, 0.5),
            (1_700_010_799, 1, 10_799),
            (1_700_010_800, 0, 10_800),
            (1_800_000_000, 0, 100_000_000),
            (1_699_999_999, 0, None),
            (0, 0, None),
        ],
    )
    def test_it_never_exceeds_what_was_granted(self, now: float, left: float, age: float | None) -> None:
        """Statement 33: a clock before the issue means expired, not a longer life."""
        assert GRANT.seconds_left(now) == left
        assert GRANT.age(now) == age

    @given(grants, st.floats(0, 2**40))
    def test_for_every_clock(self, grant: Grant, now: float) -> None:
        """Statement 33: life left is never negative and never more than was granted."""
        assert 0 <= grant.seconds_left(now) <= max(0, grant.expires_at - grant.obtained_at)

    @pytest.mark.parametrize(
        ("token_url", "api_url", "origin"),
        [
            ("https://wbsapi.withings.net/v2/oauth2", "https://wbsapi.withings.net", "https://wbsapi.withings.net"),
            ("http://localhost:80/base/v2/oauth2", "http://localhost:80/base", "http://localhost:80"),
            ("http://[::1]:8000/v2/oauth2", "http://[::1]:8000", "http://[::1]:8000"),
        ],
    )
    def test_it_is_good_for_one_service(self, token_url: str, api_url: str, origin: str) -> None:
        """Statement 26: a token may be sent only to the origin that issued it."""
        grant = dataclasses.replace(GRANT, token_url=token_url)
        assert (grant.api_url, grant.token.api_origin) == (api_url, origin)
        assert Endpoints(api_url=api_url).token_url == token_url
