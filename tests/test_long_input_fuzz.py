"""Long input costs its readers time in proportion to its length, whatever it repeats."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.fuzzing import tries
from withings_auth.authorization.callback import Expectation, Granted, HttpRequest, Refused, judge
from withings_auth.authorization.paste import Problem, judge_lines, judge_paste
from withings_auth.config.envfile import read_env_file
from withings_auth.config.lines import read_plainly
from withings_auth.errors import WithingsAuthError
from withings_auth.model import Grant
from withings_auth.profiles.foreign import read_foreign
from withings_auth.provider.replies import Answer, read_body, read_envelope, read_token_reply

LENGTH = 100_000  # characters: a reader that looks at each of them for each of them needs minutes
MOST_SECONDS = 5.0  # of this thread's own time, hundreds of times what is needed
STATE = "s" * 43
EXPECTED = Expectation(
    hosts=frozenset({"a"}), path="/", start_path="/start/t", state=STATE, issuer="https://account.withings.com"
)


def from_a_browser(text: str) -> object:
    return judge(EXPECTED, HttpRequest(method="GET", target=f"/?state={STATE}&{text}", headers=(("Host", "a"),)))


def pasted(text: str) -> Granted | Refused | Problem:
    return judge_paste(EXPECTED, redirect_uri="http://a/", authorize_url="https://b/", text=text)


def pasted_in_lines(text: str) -> object:
    return judge_lines(pasted, [text[start : start + LENGTH // 20] for start in range(0, LENGTH, LENGTH // 20)])


def answered(text: str) -> object:
    answer = Answer(http_status=200, body=text.encode("utf-8", "surrogatepass"), sent=("secret" * 7, "a" * 40))
    return read_token_reply(answer), read_body(answer), read_envelope(answer)


READERS: list[Callable[[str], object]] = [
    *(from_a_browser, pasted, pasted_in_lines, answered, read_env_file, read_plainly, Grant.from_record),
    lambda text: read_foreign(text.encode("utf-8", "surrogatepass")),
]
STARTS = [
    "",
    "CLIENT_SECRET=",
    "REFRESH_TOKEN='",
    "code=",
    "http://a/?code=",
    '{"status": 1, "error": "',
    '{"access_token": "',
]
UNITS = [
    "a",
    " ",
    "'",
    '"',
    "&",
    "=",
    "a=b&",
    "%",
    "%25",
    "&#",
    "\\",
    "\\u0",
    "[",
    "{",
    '{"a":',
    "\x1b[200~",
    "#",
    "://",
    ".",
    "\n",
]


@pytest.mark.parametrize("read", READERS)
@tries(6, share=40)
@given(
    start=st.sampled_from(STARTS),
    unit=st.sampled_from(UNITS) | st.text(min_size=1, max_size=3),
    end=st.sampled_from(["", "'", '"}', "x"]),
)
@example(start="CLIENT_SECRET=", unit=" ", end="'")
def test_time_grows_with_the_length_alone(read: Callable[[str], object], start: str, unit: str, end: str) -> None:
    text = start + (unit * (LENGTH // len(unit))) + end
    begun = time.thread_time()
    with suppress(WithingsAuthError):
        read(text)
    assert time.thread_time() - begun < MOST_SECONDS
