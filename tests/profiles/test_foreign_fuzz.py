"""Other tools' files, in any shape and damaged: a login is one that is there, word for word, and no error quotes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import damaged, outcome, tries
from withings_auth.errors import ConfigurationError, LoginRequired
from withings_auth.profiles.foreign import ForeignLogin, read_foreign

SECRET = "5ec4e7" * 7
TOKENS = st.sampled_from([SECRET, f"{SECRET}0", f"{SECRET} ", f"{SECRET}\n", "", None, 7, [SECRET], {"a": SECRET}])
OTHERS = st.one_of(
    st.sampled_from([None, 0, 38210457, "38210457", 1e400, float("nan"), 10**60, True, "", "a b", "\ud800", "\x1b[2J"]),
    st.sampled_from(["user.info,user.metrics", ["user.info"], "withings", "sandbox-1", "x" * 3000, [], {}]),
)
TOKEN_NAMES = ["access_token", "refresh_token", "accessToken", "refreshToken", "client_secret", "clientSecret"]
OTHER_NAMES = ["userid", "user_id", "client_id", "clientId", "scope", "expires_at", "token_url", "title", "domain", "x"]
LOGINS = st.builds(
    lambda pair, more, others: {**dict.fromkeys(pair, SECRET), **others, **more},
    st.sampled_from([TOKEN_NAMES[:2], TOKEN_NAMES[2:4], TOKEN_NAMES[:1], []]),
    st.dictionaries(st.sampled_from(TOKEN_NAMES), TOKENS, max_size=2),
    st.dictionaries(st.sampled_from([*OTHER_NAMES, "authentification_code", "consumer_secret"]), OTHERS, max_size=3),
)
ENTRIES = st.lists(
    st.builds(
        lambda domain, title, token: {"domain": domain, "title": title, "data": {"token": token}},
        st.sampled_from(["withings", "withings", "mqtt"]),
        OTHERS,
        LOGINS,
    ),
    max_size=3,
)
CONTENTS = st.one_of(
    LOGINS,
    LOGINS.map(lambda login: {"status": 0, "body": login}),
    st.builds(lambda one, more: {**one, "body": more}, LOGINS, LOGINS),
    st.dictionaries(
        st.sampled_from(["default", "\x1b[31m", "body", ""]), LOGINS.map(lambda one: {"clientId": "c", **one})
    ),
    ENTRIES.map(lambda entries: {"data": {"entries": entries}}),
    st.lists(LOGINS, max_size=1),
)
VARIABLES = st.lists(
    st.sampled_from(["USERID=38210457\n", "CLIENT_ID='c'\n", "WITHINGS_USER_ID=a b\n", "# STATE=x\n"])
    | st.builds(
        "{}{}={}\n".format,
        st.sampled_from(["", "export ", "WITHINGS_", "export WITHINGS_"]),
        st.sampled_from(["REFRESH_TOKEN", "REFRESH_TOKEN", "ACCESS_TOKEN", "CLIENT_SECRET", "refresh_token"]),
        st.sampled_from([SECRET, f"'{SECRET}'", f'"{SECRET}"', f"$({SECRET})", f"'{SECRET}", "38210457", "", "a b"]),
    ),
    max_size=4,
).map("".join)
DATA = st.one_of(
    CONTENTS.map(lambda content: json.dumps(content).encode()),
    CONTENTS.flatmap(lambda content: damaged(json.dumps(content), alphabet='{}[]":,\\u0é=\n')).map(str.encode),
    VARIABLES.map(str.encode),
    st.builds(lambda text, encoding: text.encode(encoding), VARIABLES, st.sampled_from(["utf-8-sig", "utf-16"])),
    st.binary(max_size=20),
)


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names included."""
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from texts_in(one)
        case dict():
            yield from value
            yield from texts_in(list(value.values()))


@tries(60)
@given(DATA, st.sampled_from([None, 0, -1]))
def test_a_login_is_there_word_for_word(data: bytes, number: int | None) -> None:
    """Statements 23 and 35 to 37: anything else is one of two errors, and a login has the same form in every file."""
    offered: list[str] = []

    def choose(names: Any) -> int:
        assert len(names) > 1
        offered.extend(names)
        return number or 0

    chosen = () if number is None else (choose,)
    found = outcome(lambda: read_foreign(data, *chosen), secret=SECRET, allowed=(ConfigurationError, LoginRequired))
    assert all(name.isprintable() and SECRET not in name for name in offered)
    if not isinstance(found, ForeignLogin):
        return
    assert SECRET not in repr(found)
    try:
        texts = list(texts_in(json.loads(data)))
    except ValueError:
        texts = [data.decode(json.detect_encoding(data))]
        assert found.refresh_token in texts[0]
    else:
        assert found.refresh_token in texts
        assert found.access_token in ["", *texts]
        assert (found.client_secret or "") in ["", *texts]
    again: dict[str, object] = {"access_token": found.access_token or None, "refresh_token": found.refresh_token}
    again |= {"userid": found.userid, "scope": list(found.scopes), "client_id": found.client_id}
    same = read_foreign(json.dumps({**again, "client_secret": found.client_secret}).encode())
    assert (same.refresh_token, same.access_token, same.userid) == (
        found.refresh_token,
        found.access_token,
        found.userid,
    )
    assert (same.scopes, same.client_id, same.client_secret) == (found.scopes, found.client_id, found.client_secret)
