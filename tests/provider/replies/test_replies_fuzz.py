"""Whatever a server sends: it is read as `json` reads it, or not at all, and no secret comes back in a message."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fuzzing import all_of, damaged, outcome, tries
from withings_auth.cli.table import csv_parts
from withings_auth.errors import ConfigurationError, ProtocolViolation
from withings_auth.model import Grant
from withings_auth.provider import failures
from withings_auth.provider.replies import Answer, Failure, read_body, read_envelope, read_token_reply
from withings_auth.tokens.grants import grant_from_reply

SECRET = "5ec4e7-0f.the~app" * 3
TOKEN = "70cen" * 8
KNOWN = Grant(
    access_token=TOKEN,
    refresh_token=TOKEN,
    expires_at=0,
    obtained_at=0,
    scopes=("user.info",),
    userid="1",
    client_id="c",
    token_url="https://wbsapi.withings.net/v2/oauth2",
)


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


# As text, so that a name can occur twice, and a number can be one that `json` would not write.
SCALARS = st.one_of(
    st.sampled_from(
        [
            "0",
            "0.0",
            '"0"',
            "601",
            "503",
            "293",
            "401",
            "522",
            "null",
            "true",
            "NaN",
            "-Infinity",
            "1e999",
            "-0",
            "1E2",
            "9" * 400,
            "1" * 5000,
            '"9999999999999999"',
            "10800",
            '"38210457"',
            '"user.info,user.metrics"',
            '""',
            '"\\ud800"',
            '"\\u001b[2J"',
            '"Invalid Params: invalid refresh_token"',
            nested(300),
            nested(3000),
            "x",
            "{",
        ]
    ),
    st.sampled_from([SECRET, SECRET.upper(), f"said {SECRET}!", SECRET.replace(".", "%2E"), TOKEN, "n" * 40]).map(
        json.dumps
    ),
    st.text(max_size=8).map(json.dumps),
    st.floats().map(json.dumps),
)
NAMES = st.sampled_from(
    [
        "access_token",
        "refresh_token",
        "userid",
        "scope",
        "expires_in",
        "status",
        "body",
        "error",
        "errors",
        "error_description",
        "message",
        "wait_seconds",
        "x",
    ]
).map(json.dumps)


def _objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(NAMES, inner).map(": ".join), max_size=6)
    return pairs.map(lambda lines: "{" + ", ".join(lines) + "}")


def _lists(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=2).map(lambda items: "[" + ", ".join(items) + "]")


OBJECTS = _objects(SCALARS | _objects(SCALARS) | _lists(_objects(SCALARS) | SCALARS))
TOKENS = st.lists(st.tuples(NAMES, SCALARS).map(": ".join), max_size=3).map(
    lambda more: "{" + ", ".join([f'"access_token": "{"a" * 40}", "refresh_token": "{"b" * 40}"', *more]) + "}"
)
TEXTS = st.one_of(
    OBJECTS,
    TOKENS,
    TOKENS.map(lambda body: f'{{"status": 0, "body": {body}}}'),
    st.builds(lambda status, rest: f'{{"status": {status}, {rest[1:]}', st.sampled_from([0, 601, 503]), OBJECTS),
    TOKENS.flatmap(lambda text: damaged(text, alphabet='{}[]":,\\u0 eE.-é\ud800')),
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda text, encoding: text.encode(encoding, "surrogatepass"),
        TEXTS,
        st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"]),
    ),
)
ANSWERS = st.builds(
    Answer,
    http_status=st.sampled_from([200] * 8 + [302, 401, 404, 429, 500]),
    body=BODIES,
    retry_after=st.sampled_from([None, 0.0, 30.0]),
    oversized=st.sampled_from([False] * 9 + [True]),
    sent=st.sampled_from([(SECRET,), (SECRET, TOKEN)]),
)


ODD = st.one_of(
    st.sampled_from([0, 1, 2, -3, "7", 1.5, 1e300, 10**20, "Europe/Paris", "../x", "", None, True, float("nan")]),
    st.text(max_size=4),
    st.just([{"a": 1}]),
    st.just({"b": [2]}),
)
MEASURES = st.fixed_dictionaries({"type": ODD, "value": ODD, "unit": ODD}, optional={"position": ODD})


def literally(answer: Answer) -> Any:
    """What `json` reads."""
    return json.loads(answer.body.decode(json.detect_encoding(answer.body), "replace"))


def check_failure(failed: Failure) -> None:
    """Each error that it can become is printable, and tells no secret."""
    errors = [
        failures.refresh_error(failed, profile="default", deadline=1e9),
        failures.import_error(failed, deadline=None),
        *(make(failed) for make in (failures.code_error, failures.signed_error, failures.call_error)),
    ]
    for error in errors:
        assert f"{error}{error.hint}".isprintable()
        assert len(str(error)) < 700
    seen = f"{failed!r}{''.join(map(all_of, errors))}".lower()
    assert SECRET not in seen
    assert failed.retry_after is None or 0 <= failed.retry_after <= 86_400


@tries(40)
@given(ANSWERS)
def test_tokens_are_those_that_were_sent(answer: Answer) -> None:
    """Statements 23 and 36: a pair can be saved and read again; anything else is a failure in harmless words."""
    result = read_token_reply(answer)
    if isinstance(result, Failure):
        check_failure(result)
        return
    content = literally(answer)
    body = content["body"] if isinstance(content.get("body"), dict) and "access_token" in content["body"] else content
    assert result.access_token == body["access_token"].strip() != SECRET
    assert (result.refresh_token or "") == (body.get("refresh_token") or "").strip()
    assert "a" * 40 not in repr(result)
    assert SECRET not in f"{result.userid} {result.scopes}"
    grant = grant_from_reply(result, KNOWN, sent_at=1.7e9)
    assert Grant.from_record(grant.to_record()) == grant


@tries(40)
@given(ANSWERS)
@example(Answer(http_status=200, body=f'{{"status": 0, "body": {{"x": {nested(1000)}}}}}'.encode()))
@example(Answer(http_status=200, body=f'{{"status": 0, "body": {{"x": {nested(200)}}}}}'.encode()))
def test_data_is_what_was_sent_without_the_secrets(answer: Answer) -> None:
    """Statement 23: the body is the one that `json` reads, unless it repeats what was sent; then that is masked."""
    result, whole = read_body(answer), read_envelope(answer)
    if isinstance(result, Failure):
        check_failure(result)
    for shown, inside in ((result, "body"), (whole, None)):
        if not isinstance(shown, dict):
            continue
        assert SECRET not in json.dumps(shown, indent=2).lower()
        content = literally(answer)
        text = unquote(json.dumps(content))
        if SECRET not in text.lower() and TOKEN not in text:
            body = content.get("body") if isinstance(content.get("body"), dict) else {}
            assert repr(shown) == repr(content if inside is None else body)


GROUPS = st.fixed_dictionaries(
    {
        "measuregrps": st.lists(
            st.fixed_dictionaries({"date": ODD, "measures": st.lists(MEASURES, max_size=2)}), max_size=2
        )
    },
    optional={"timezone": ODD, "more": ODD, "offset": ODD},
)


@tries(40)
@given(GROUPS | st.dictionaries(st.sampled_from(["series", "x"]), st.lists(st.dictionaries(st.text(max_size=3), ODD))))
def test_every_table_is_csv(body: dict[str, Any]) -> None:
    """What is no table is an error of ours; each cell is on one line, and the numbers are those that were sent."""
    made = outcome(lambda: list(csv_parts([body])), secret=SECRET, allowed=(ConfigurationError, ProtocolViolation))
    if isinstance(made, list):
        lines = list(csv.reader(io.StringIO("\n".join(made)), strict=True))
        assert len({len(line) for line in lines}) <= 1
        assert all(cell.isprintable() for line in lines for cell in line)
        measures = sum(len(group["measures"]) for group in body.get("measuregrps", []))
        assert "measuregrps" not in body or len(lines) == 1 + measures
