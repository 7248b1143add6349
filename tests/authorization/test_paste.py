"""What a pasted line means for a login: the same as the callback would, and everything else is explained."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.logins import Desk, consent
from withings_auth import App, Token, errors, login, open_store
from withings_auth.authorization import invitation, messages
from withings_auth.authorization.callback import Expectation, Granted, Refused
from withings_auth.authorization.paste import Problem, judge_lines, judge_paste

STATE = "a" * 43
EXPECTED = Expectation(
    hosts=frozenset(),
    path="/cb",
    start_path="/start/ticket",
    state=STATE,
    issuer="https://account.withings.com",
)
ANSWER = f"code=c0de&state={STATE}"


def judged(text: str, redirect_uri: str = "http://localhost:8000/cb") -> Granted | Refused | Problem:
    """What a paste means for a login at the real Withings."""
    return judge_paste(
        EXPECTED,
        redirect_uri=redirect_uri,
        authorize_url=f"https://account.withings.com/oauth2_user/authorize2?state={STATE}",
        text=text,
    )


@pytest.mark.parametrize(
    "text",
    [
        f"http://localhost:8000/cb?{ANSWER}",
        f"  HTTP://LOCALHOST:8000/cb?{ANSWER} ",
        f"<http://localhost:8000/cb?{ANSWER}>",
        f'"http://localhost:8000/cb?state={STATE}&code=c0de"',
        f"http://localhost:8000/cb?{ANSWER}#_=_",
        f"\x1b[200~http://localhost:8000/cb?{ANSWER}\x1b[201~",
        ANSWER,
        f"?{ANSWER}",
        f"state={STATE}&code=c0de",
        f"{ANSWER}&iss=https://account.withings.com",
        f"localhost:8000/cb?{ANSWER}",
        f"https://localhost:8000/cb?{ANSWER}",
        f"http://127.0.0.1:8000/cb?{ANSWER}",
        f"http://localhost:8001/cb/?{ANSWER}",
        f"http://localhost:8000/cb?code=c0de&amp;state={STATE}",
        f"http://localhost:8000/cb?code=c0\n  de&state={STATE[:20]}\r\n{STATE[20:]}",
        f"http://me@localhost:8000/cb?{ANSWER}",
        f"https://evil.example/cb?{ANSWER}",
        f"file:///cb?{ANSWER}",
    ],
)
def test_the_answer_in_every_form(text: str) -> None:
    """Statement 22: whatever happened to the rest of the address, the true state makes it the callback's answer."""
    assert judged(text) == Granted("c0de")


@pytest.mark.parametrize(
    ("redirect_uri", "address"),
    [
        ("https://me.example/withings", "https://me.example/withings"),
        ("https://me.example/withings", "https://me.example:443/withings"),
        ("http://localhost:8000", "http://localhost:8000/"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://localhost", "http://localhost:80/"),
    ],
)
def test_each_spelling_of_the_same_address(redirect_uri: str, address: str) -> None:
    """A browser may add or drop a slash at the end and the scheme's own port."""
    assert judged(f"{address}?{ANSWER}", redirect_uri) == Granted("c0de")


def test_a_no_is_believed() -> None:
    """With the true state an error is the user's own answer, except in an address of Withings itself."""
    assert judged(f"error=access_denied&state={STATE}") == Refused("access_denied")
    assert judged(f"https://127.0.0.1/?error=access_denied&amp;state={STATE}") == Refused("access_denied")
    assert judged(f"https://account.withings.com/x?error=e&state={STATE}") is Problem.STILL_AT_WITHINGS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", Problem.EMPTY),
        (" \r", Problem.EMPTY),
        ("c0de", Problem.CODE_ALONE),
        ("code=c0de", Problem.CODE_ALONE),
        ("http://localhost:8000/cb?code=c0de", Problem.CODE_ALONE),
        ("http://localhost:8000/cb", Problem.NOT_AN_ANSWER),
        (f"http://localhost:8000/cb?state={STATE}", Problem.NOT_AN_ANSWER),
        ("what shall I paste?", Problem.NOT_AN_ANSWER),
        ("a=b&" * 60, Problem.DAMAGED),
        (f"code=c0de&state={'b' * 43}", Problem.ANOTHER_LOGIN),
        (f"http://localhost:8000/cb?error=access_denied&state={'b' * 43}", Problem.ANOTHER_LOGIN),
        (f"{ANSWER}&code=other", Problem.DAMAGED),
        (f"{ANSWER}&error=access_denied", Problem.DAMAGED),
        (f"code=c%20de&state={STATE}", Problem.DAMAGED),
        (f"{ANSWER}&iss=https://evil.example", Problem.DAMAGED),
        (f"https://account.withings.com/oauth2_user/authorize2?state={STATE}", Problem.STILL_AT_WITHINGS),
        ("https://account.withings.com/new_workflow/login?r=x", Problem.STILL_AT_WITHINGS),
        (f"https://evil.example/cb?state={STATE}", Problem.ANOTHER_PAGE),
        (f"https://localhost:8000/cb?state={STATE}", Problem.ANOTHER_PAGE),
        ("http://localhost:8001/cb?code=c0de", Problem.ANOTHER_PAGE),
        ("http://localhost:8000/start/ticket", Problem.ANOTHER_PAGE),
        (f"http://me@localhost:8000/cb?code=c0de&state={'b' * 43}", Problem.ANOTHER_PAGE),
        (f"https://withings.com.evil.example/cb?state={STATE}", Problem.ANOTHER_PAGE),
        ("file:///cb", Problem.ANOTHER_PAGE),
    ],
)
def test_what_is_wrong_is_said(text: str, why: Problem) -> None:
    """Each mistake has its own explanation, and none of them ends the login."""
    assert judged(text) is why


CODE = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("query", [f"code={CODE}&state={STATE}", f"state={STATE}&code={CODE}"])
@pytest.mark.parametrize("width", [10, 23, 40, 80, 110, 112, 113])
def test_an_address_that_a_terminal_has_broken_into_lines(query: str, width: int) -> None:
    """Statement 22: wherever it was broken, and whatever was pasted before, it counts when it is whole, not before."""
    address = f"http://localhost:8000/cb?{query}"
    broken = [address[start : start + width] for start in range(0, len(address), width)]
    lines = ["something else", *broken]
    outcomes = [judge_lines(judged, lines[: number + 1]) for number in range(len(lines))]
    assert outcomes[-1] == Granted(CODE)
    assert all(isinstance(outcome, Problem) for outcome in outcomes[:-1])


def test_a_short_code_at_the_end_may_be_cut() -> None:
    """If nothing follows, Enter says so."""
    lines = [f"http://localhost:8000/cb?state={STATE}&code=c0de"]
    assert judge_lines(judged, lines) is Problem.CUT
    assert judge_lines(judged, [*lines, ""]) == Granted("c0de")
    assert judge_lines(judged, [*lines, "beef"]) is Problem.CUT


@given(
    st.text(max_size=200) | st.text(max_size=80).map(lambda text: f"http://localhost:8000/cb?code=c0de&state={text}")
)
def test_nothing_without_the_true_state_counts(text: str) -> None:
    """Statement 22: whatever is pasted, without this login's state it changes nothing, and nothing raises."""
    assert isinstance(judged(text), Problem)


@given(st.text(max_size=100))
def test_nothing_pasted_is_told(text: str) -> None:
    """Statements 23 and 35: what is printed about a paste is fixed text and our own redirect URI."""
    why = judged(text)
    assert isinstance(why, Problem)
    assert messages.wrong_paste(why.value, "http://localhost:8000/cb") in {
        problem.value.replace("{redirect_uri}", "http://localhost:8000/cb") for problem in Problem
    }


@pytest.fixture
def app(desk: Desk) -> App:
    """The sandbox's app."""
    return App(
        client_id=desk.sandbox.client_id,
        client_secret=desk.sandbox.client_secret,
        redirect_uri=desk.redirect_uri,
    )


def test_a_python_program_hands_pastes_over(desk: Desk, app: App, home: Path) -> None:
    """`login` never reads stdin: a program with a window of its own passes the pastes on."""
    told: list[str] = []
    shown: list[str] = []

    async def pasted() -> AsyncIterator[str]:
        (url,) = (line for line in told if line.startswith("http"))
        yield "not this"
        yield await asyncio.to_thread(consent, url)

    async def log_in() -> Token:
        return await login(
            app,
            store=open_store(f"file:{home / 'mine'}"),
            endpoints=desk.sandbox.endpoints,
            pasted=pasted(),
            paste_only=True,
            tell=told.append,
            show=shown.append,
        )

    desk.canaries.plant("the access token", asyncio.run(log_in()).access_token)
    answers = {messages.PASTED, *(problem.value for problem in Problem)}
    assert [line for line in told if line in answers] == [Problem.NOT_AN_ANSWER.value, messages.PASTED]
    assert (shown[0].partition(".")[0], shown[-1]) == ("Waiting for you: 5:00 left", "")


def test_what_cannot_be_pasted_into_fails_at_once(desk: Desk, app: App, home: Path) -> None:
    """A login that could only wait is refused, and an error of the pastes reaches the caller."""

    async def broken() -> AsyncIterator[str]:
        yield ""
        raise RuntimeError("the window is gone")

    async def log_in(pasted: AsyncIterator[str] | None) -> Token:
        return await login(
            app,
            store=open_store(f"file:{home / 'mine'}"),
            endpoints=desk.sandbox.endpoints,
            pasted=pasted,
            paste_only=True,
            tell=lambda _: None,
        )

    with pytest.raises(errors.ConfigurationError, match="paste_only"):
        asyncio.run(log_in(None))
    with pytest.raises(RuntimeError, match="the window is gone"):
        asyncio.run(log_in(broken()))


def test_a_program_gets_hints_for_its_profile(desk: Desk, app: App, home: Path) -> None:
    """The command in the hint logs in the profile that the program asked for."""

    async def nothing() -> AsyncIterator[str]:
        for line in list[str]():
            yield line

    async def log_in() -> Token:
        return await login(
            app,
            profile="mum",
            store=open_store(f"file:{home / 'mine'}"),
            endpoints=desk.sandbox.endpoints,
            pasted=nothing(),
            paste_only=True,
            tell=lambda _: None,
        )

    with pytest.raises(errors.LoginError, match="nothing was pasted") as caught:
        asyncio.run(log_in())
    assert caught.value.hint.endswith(": withings-auth login --profile mum --paste")


@pytest.mark.parametrize(
    ("url", "where"), [("https://account.withings.com/a", "any"), ("http://127.0.0.1:1/a", "this")]
)
def test_the_address_of_a_sandbox_opens_on_its_own_machine_only(url: str, where: str) -> None:
    assert f"Open this address in a browser, on {where} computer:" in list(invitation.open_and_paste(url))
