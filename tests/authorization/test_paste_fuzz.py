"""Whatever is pasted: the whole answer counts in every form that programs give it, and nothing else does."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.fuzzing import damaged, tries
from withings_auth.authorization.callback import Expectation, Granted, Refused
from withings_auth.authorization.paste import Problem, judge_lines, judge_paste

STATE = "5tate-of_this_login" + "x" * 24
REDIRECT_URI = "http://localhost:8000/cb"
EXPECTED = Expectation(
    hosts=frozenset(), path="/cb", start_path="/start/ticket", state=STATE, issuer="https://account.withings.com"
)
CODES = st.text("0123456789abcdef", min_size=40, max_size=40)
WHITE = st.text(" \t\r\n\u00a0\u2028", max_size=3)


def judged(text: str) -> Granted | Refused | Problem:
    return judge_paste(
        EXPECTED,
        redirect_uri=REDIRECT_URI,
        authorize_url=f"https://account.withings.com/oauth2_user/authorize2?state={STATE}",
        text=text,
    )


@st.composite
def addresses(draw: st.DrawFn, code: str) -> str:
    """The address of the answer, as people copy it."""
    more = draw(
        st.lists(
            st.sampled_from(["scope=user.info", "iss=https://account.withings.com", "x=", "y"]), max_size=2, unique=True
        )
    )
    query = draw(st.permutations([f"code={code}", f"state={STATE}", *more]))
    joint = draw(st.sampled_from(["&", "&amp;"]))
    start = draw(
        st.sampled_from([REDIRECT_URI, "HTTP://LOCALHOST:8000/cb", "localhost:8000/cb", "https://x.example", ""])
    )
    return f"{start}?{joint.join(query)}{draw(st.sampled_from(['', '#', '#_=_', '#/a?b=c']))}"


@tries(25)
@given(st.data(), CODES)
def test_the_whole_address_counts_in_every_form(data: st.DataObject, code: str) -> None:
    """Statement 22: with white space anywhere, and quotes or brackets around it."""
    text = data.draw(addresses(code))
    for place in sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)), reverse=True):
        text = text[:place] + data.draw(WHITE) + text[place:]
    before, after = data.draw(
        st.sampled_from([("", ""), ("<", ">"), ('"', '"'), ("“", "”"), ("\x1b[200~", "\x1b[201~"), ("'<", ">'")])
    )
    assert judged(f"{data.draw(WHITE)}{before}{text}{after}{data.draw(WHITE)}") == Granted(code)


@tries(20)
@given(st.data(), CODES, st.lists(st.text(max_size=20).filter(lambda text: STATE not in text), max_size=3))
def test_an_address_in_several_lines_counts_when_it_is_whole(data: st.DataObject, code: str, before: list[str]) -> None:
    """Statement 22: wherever a terminal has broken it, whatever was pasted before, and not sooner."""
    text = data.draw(addresses(code))
    assume("#" not in text)
    ends = sorted(set(data.draw(st.lists(st.integers(1, len(text) - 1), max_size=6))))
    lines = [*before, *(text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True))]
    outcomes = [judge_lines(judged, lines[: number + 1]) for number in range(len(lines))]
    assert outcomes[-1] == Granted(code)
    # What is cut behind both may be complete already.
    for number, outcome in enumerate(outcomes[:-1]):
        so_far = "".join(lines[: number + 1])
        assert isinstance(outcome, Problem) or (outcome == Granted(code) and code in so_far and STATE in so_far)


@tries(40)
@given(st.data(), CODES)
def test_a_damaged_address_is_the_answer_only_as_it_is_written(data: st.DataObject, code: str) -> None:
    """Statements 22 and 23: with the whole state, and the code that `urllib` reads there; problems quote nothing."""
    text = data.draw(damaged(data.draw(addresses(code)), alphabet=" &?=#%+;:/<>\"'\0\x1baé\ud800"))
    verdict = judged(text)
    if isinstance(verdict, Problem):
        return
    plain = re.sub(r"\s+", "", re.sub(r"\x1b\[20[01]~", "", text)).strip("<>\"'“”").replace("&amp;", "&").split("#")[0]
    fields = parse_qs(plain.partition("?")[2] if "?" in plain else plain, keep_blank_values=True, errors="replace")
    assert fields["state"] == [STATE]
    assert STATE not in repr(verdict)
    assert code not in repr(verdict)
    if isinstance(verdict, Granted):
        assert fields["code"] == [verdict.code]
    else:
        assert "code" not in fields
        assert verdict.error.isprintable()
