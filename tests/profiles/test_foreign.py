"""Other tools' files: recognised by their fields, with every value checked."""

from __future__ import annotations

import json

import pytest

from withings_auth.errors import ConfigurationError
from withings_auth.profiles.foreign import ForeignLogin, read_foreign

ACCESS, REFRESH = "a" * 40, "r" * 40
PAIR: dict[str, object] = {"access_token": ACCESS, "refresh_token": REFRESH}
CAMEL = {"accessToken": ACCESS, "refreshToken": REFRESH}
ANSWER = {**PAIR, "userid": 38210457, "expires_in": 10800, "scope": "user.info,user.metrics", "token_type": "Bearer"}


def read(content: object) -> ForeignLogin:
    return read_foreign(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("content", "tool", "userid"),
    [
        (ANSWER, "withings-health-cli or an older script", "38210457"),
        ({**ANSWER, "userid": "38210457", "csrf_token": "x"}, "withings-health-cli or an older script", "38210457"),
        (PAIR, "withings-health-cli or an older script", None),
        ({"status": 0, "body": ANSWER}, "Withings' own answer", "38210457"),
        (
            {**PAIR, "authentification_code": "c" * 40, "last_sync": 1700000000, "userid": 38210457},
            "withings-sync",
            "38210457",
        ),
        ({**PAIR, "auth_code": "c" * 40, "last_sync": 1700000000, "user_id": 38210457}, "Withings2Garmin", "38210457"),
        ({**PAIR, "userid": 38210457, "expires_at": 1700000000.5}, "withings-mcp", "38210457"),
        ({**PAIR, "scope": "user.metrics", "expires_in": 10800, "expires_at": 1700000000}, "withings-mcp", None),
        (CAMEL, "withings-mcp", None),
        (
            {**PAIR, "client_id": "id", "consumer_secret": "hush", "userid": 38210457, "token_expiry": 1700000000},
            "withings_api",
            "38210457",
        ),
    ],
)
def test_each_tool_is_recognised(content: object, tool: str, userid: str | None) -> None:
    """By its fields, whatever the file is called."""
    found = read(content)
    assert (found.tool, found.access_token, found.refresh_token, found.userid) == (tool, ACCESS, REFRESH, userid)


def test_scopes_and_app_are_read_if_the_file_has_them() -> None:
    """Both are optional."""
    assert read(ANSWER).scopes == ("user.info", "user.metrics")
    assert (read(PAIR).scopes, read(PAIR).client_id, read(PAIR).client_secret) == ((), None, None)
    found = read({**PAIR, "client_id": "id", "consumer_secret": "hush"})
    assert (found.client_id, found.client_secret) == ("id", "hush")


def test_a_byte_order_mark_is_ignored() -> None:
    """Windows editors write one."""
    assert read_foreign(b"\xef\xbb\xbf" + json.dumps(PAIR).encode()).refresh_token == REFRESH


@pytest.mark.parametrize(
    "content",
    [
        {},
        [PAIR],
        "text",
        {"access_token": ACCESS},
        {"refresh_token": REFRESH},
        {"status": 503, "error": "Invalid Params"},
        {"body": [PAIR]},
        {"default": PAIR},
    ],
)
def test_an_unknown_format_is_refused_with_the_list_of_supported_ones(content: object) -> None:
    """Exit 2, and the list."""
    with pytest.raises(ConfigurationError) as caught:
        read(content)
    assert "withings-sync (.withings_user.json)" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{", b"[" * 60_000, b" " * 65_536 + b"{}", b"12"])
def test_anything_but_a_json_object_is_refused(data: bytes) -> None:
    """Whatever the bytes are, however deep or long."""
    with pytest.raises(ConfigurationError, match="is not a JSON object"):
        read_foreign(data)


def test_a_file_with_an_app_and_no_login_leads_to_configure() -> None:
    """withings-sync's withings_app.json holds what `configure` needs."""
    with pytest.raises(ConfigurationError, match="an app's credentials") as caught:
        read({"client_id": "id", "consumer_secret": "hush", "callback_url": "https://me.example"})
    assert "configure" in caught.value.hint


def test_two_logins_in_one_file_are_refused() -> None:
    """We do not choose for the user; the same login in two places counts once."""
    with pytest.raises(ConfigurationError, match="more than one login"):
        read({**PAIR, "body": {**PAIR, "refresh_token": "other"}})
    assert read({**PAIR, "body": PAIR}).refresh_token == REFRESH


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"refresh_token": ""}, "refresh_token"),
        ({"refresh_token": None}, "refresh_token"),
        ({"refresh_token": "r\r\nX: y"}, "refresh_token"),
        ({"access_token": "a" * 2049}, "access_token"),
        ({"access_token": 7}, "access_token"),
        ({"userid": "38210457\x1b[31m"}, "userid"),
        ({"userid": True}, "userid"),
        ({"user_id": [1]}, "userid"),
        ({"scope": "user.info;rm"}, "scope"),
        ({"client_id": "../../etc"}, "client id"),
        ({"client_id": 7}, "client id"),
        ({"client_secret": "two words"}, "client secret"),
    ],
)
def test_invalid_values_are_refused(changes: dict[str, object], what: str) -> None:
    """Statements 35 to 37: values are checked before they are saved or sent, and not repeated on a terminal."""
    with pytest.raises(ConfigurationError, match=what) as caught:
        read({**PAIR, **changes})
    shown = f"{caught.value}{caught.value.hint}"
    assert "\x1b" not in shown
    assert "two words" not in shown


def test_nothing_secret_has_a_repr() -> None:
    """Statement 23."""
    shown = repr(read({**PAIR, "client_id": "id", "client_secret": "hush"}))
    assert not any(secret in shown for secret in (ACCESS, REFRESH, "hush"))
