"""Other tools' files: recognised by their fields, with every value checked."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from withings_auth.errors import ConfigurationError, LoginRequired
from withings_auth.profiles.foreign import LARGEST_FILE_BYTES, ForeignLogin, read_foreign

ACCESS, REFRESH = "a" * 40, "r" * 40
PAIR: dict[str, object] = {"access_token": ACCESS, "refresh_token": REFRESH}
CAMEL = {"accessToken": ACCESS, "refreshToken": REFRESH}
TOKEN_SET = {**CAMEL, "clientId": "id", "clientSecret": "hush", "expiresAt": 1700000000, "userid": 38210457}
ANSWER = {**PAIR, "userid": 38210457, "expires_in": 10800, "scope": "user.info,user.metrics", "token_type": "Bearer"}


def read(content: object) -> ForeignLogin:
    return read_foreign(json.dumps(content).encode())


def entry(domain: str = "withings", *, title: str = "Anna", **token: object) -> dict[str, object]:
    """One of Home Assistant's entries, with a token in the form that Withings gives it."""
    return {"domain": domain, "title": title, "data": {"auth_implementation": "x", "token": {**ANSWER, **token}}}


def home_assistant(*entries: object) -> dict[str, object]:
    return {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": entries}}


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
        ({**PAIR, "userid": 38210457, "last_sync": 1700000000}, "withings-sync", "38210457"),
        ({**PAIR, "userid": 38210457}, "withings-sync", "38210457"),
        ({**PAIR, "auth_code": "c" * 40, "last_sync": 1700000000, "user_id": 38210457}, "Withings2Garmin", "38210457"),
        ({**PAIR, "userid": 38210457, "expires_at": 1700000000.5}, "withings-mcp", "38210457"),
        ({**PAIR, "scope": "user.metrics", "expires_in": 10800, "expires_at": 1700000000}, "withings-mcp", None),
        (CAMEL, "withings-mcp", None),
        ({"default": TOKEN_SET}, "withings-cli", "38210457"),
        (home_assistant(entry("mqtt"), entry(expires_at=1700000000.123)), "Home Assistant", "38210457"),
        (
            home_assistant(7, {"domain": "withings"}, {"domain": "withings", "data": 7}, entry()),
            "Home Assistant",
            "38210457",
        ),
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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [json.dumps({"status": 0, "body": ANSWER}), f"WITHINGS_REFRESH_TOKEN={REFRESH}\r\n"])
def test_what_windows_writes_is_read(text: str, encoding: str) -> None:
    """An editor's byte order mark, and the UTF-16 of PowerShell's `>`."""
    assert read_foreign(text.encode(encoding)).refresh_token == REFRESH


def test_a_file_of_variables_is_read() -> None:
    """As scripts keep it; only the refresh token is needed, and the variables of other services do not matter."""
    text = f"""# tokens
export STRAVA_REFRESH_TOKEN=other
WITHINGS_CLIENT_ID=id
WITHINGS_CLIENT_SECRET='hush'
WITHINGS_USER_ID=38210457
export WITHINGS_REFRESH_TOKEN="{REFRESH}"  # rotated
"""
    found = read_foreign(text.encode())
    assert (found.tool, found.access_token, found.refresh_token) == (".env file", "", REFRESH)
    assert (found.client_id, found.client_secret, found.userid) == ("id", "hush", "38210457")
    assert read_foreign(f"WITHINGS_ACCESS_TOKEN={ACCESS}\n{text}".encode()).access_token == ACCESS
    with pytest.raises(ConfigurationError, match="two values for the refresh token"):
        read_foreign(f"{text}WITHINGS_REFRESH_TOKEN=other".encode())
    with pytest.raises(ConfigurationError, match="needs a shell"):
        read_foreign(b"WITHINGS_REFRESH_TOKEN=$(cat token)")


def test_variables_without_a_prefix_are_read_if_none_has_it() -> None:
    """As a script of one's own names them; beside one with the prefix they are another service's."""
    app = "CLIENT_ID=id\nCLIENT_SECRET='hush'\n"
    found = read_foreign(f"{app}ACCESS_TOKEN={ACCESS}\nREFRESH_TOKEN={REFRESH}\n".encode())
    assert (found.access_token, found.refresh_token, found.client_id) == (ACCESS, REFRESH, "id")
    assert found.client_secret == "hush"
    assert found.holds_more
    assert read_foreign(f"refresh_token = {REFRESH}".encode()).refresh_token == REFRESH
    both = f"REFRESH_TOKEN=$(cat other)\nREFRESH_TOKEN=other\nWITHINGS_REFRESH_TOKEN={REFRESH}\n"
    assert read_foreign(both.encode()).refresh_token == REFRESH


def test_a_whole_file_of_home_assistant_is_read() -> None:
    """Far above 64 KiB: every integration keeps its entries in it."""
    others = [entry("mqtt", title="x" * 1000) for _ in range(1000)]
    assert read(home_assistant(*others, entry())).refresh_token == REFRESH


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (
            home_assistant(entry(refresh_token="other"), entry(title="Ben\x1b[31m", userid=5), entry(title="Twice")),
            ["Anna (user 38210457)", "Ben\\x1b[31m (user 5)"],
        ),
        (
            {"default": TOKEN_SET, "work": {**TOKEN_SET, "refreshToken": "other", "userid": 5}},
            ["default (user 38210457)", "work (user 5)"],
        ),
        (
            {**PAIR, "body": {**PAIR, "refresh_token": "other"}},
            ["Withings' own answer", "withings-health-cli or an older script"],
        ),
    ],
)
def test_of_several_logins_one_is_chosen(content: object, names: list[str]) -> None:
    """By name and user; each login is offered once, and without a choice there is none."""
    offered: list[str] = []

    def choose(shown: Sequence[str]) -> int:
        offered.extend(shown)
        return 1

    data = json.dumps(content).encode()
    assert read_foreign(data, choose).refresh_token in {"other", REFRESH}
    assert offered == names
    with pytest.raises(ConfigurationError, match="the file holds 2 logins"):
        read_foreign(data)


@pytest.mark.parametrize(
    ("content", "holds_more"),
    [
        (PAIR, False),
        ({**PAIR, "userid": 1}, False),
        ({**PAIR, "body": PAIR}, False),
        ({"default": TOKEN_SET}, False),
        ({"default": TOKEN_SET, "work": {**TOKEN_SET, "refreshToken": None}}, True),
        (home_assistant(entry()), True),
    ],
)
def test_a_file_that_holds_more_is_told_apart(content: object, holds_more: bool) -> None:
    """It must not be removed."""
    assert read(content).holds_more is holds_more
    assert read_foreign(f"WITHINGS_REFRESH_TOKEN={REFRESH}".encode()).holds_more


@pytest.mark.parametrize(
    ("content", "tool", "why"),
    [
        (
            {**dict.fromkeys(("access_token", "refresh_token", "userid")), "authentification_code": "c"},
            "withings-sync",
            "null",
        ),
        (dict.fromkeys(("access_token", "refresh_token", "userid")), "withings-sync", "null"),
        ({**PAIR, "refresh_token": ""}, "withings-health-cli or an older script", "empty"),
        (home_assistant(entry(refresh_token=None)), "Home Assistant", "null"),
    ],
)
def test_a_login_that_is_gone_is_called_so(content: object, tool: str, why: str) -> None:
    """withings-sync empties its file when Withings refuses a renewal: the user must log in, exit 3."""
    words = rf"(?m)^the login in this file \({tool}\) is gone: its \w+ is {why}$"
    with pytest.raises(LoginRequired, match=words) as caught:
        read(content)
    assert caught.value.hint == "log in: withings-auth login"


def test_a_dead_login_beside_a_living_one_is_not_offered() -> None:
    """There is nothing to choose."""
    assert read(home_assistant(entry(refresh_token=None), entry())).refresh_token == REFRESH


@pytest.mark.parametrize(
    "content",
    [
        {},
        [PAIR],
        "text",
        {"access_token": ACCESS},
        {"refresh_token": REFRESH},
        {"status": 503, "error": "Invalid Params"},
        home_assistant(entry("mqtt")),
        {"data": {"entries": {}}},
        {"body": [PAIR]},
        {"default": PAIR},
    ],
)
def test_an_unknown_format_is_refused_with_the_list_of_supported_ones(content: object) -> None:
    """Exit 2, the list, and the two fields that would do."""
    with pytest.raises(ConfigurationError) as caught:
        read(content)
    assert "withings-sync (.withings_user.json)" in caught.value.hint
    assert caught.value.hint.startswith("a JSON object with access_token and refresh_token would do")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no login"),
        (b"\xff\xfe", "no login"),
        (b"\xff", "is not text"),
        (b"{", "no login"),
        (b"[" * 60_000, "no login"),
        (b"12", "no login"),
        (b" " * LARGEST_FILE_BYTES + b"{", "is larger than 16 MiB"),
    ],
)
def test_anything_but_a_login_is_refused(data: bytes, reason: str) -> None:
    """Whatever the bytes are, however deep or long."""
    with pytest.raises(ConfigurationError, match=reason):
        read_foreign(data)


def test_a_file_with_an_app_and_no_login_leads_to_configure() -> None:
    """withings-sync's withings_app.json holds what `configure` needs."""
    with pytest.raises(ConfigurationError, match="an app's credentials") as caught:
        read({"client_id": "id", "consumer_secret": "hush", "callback_url": "https://me.example"})
    assert "configure" in caught.value.hint
    with pytest.raises(ConfigurationError, match="an app's credentials") as caught:
        read_foreign(b"CLIENT_SECRET=hush")
    assert "configure --env-file FILE" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"refresh_token": []}, "refresh_token"),
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
