"""Whoever comes to a pending login, in whatever order: the first true answer counts, and `state` is given away once."""

from __future__ import annotations

import asyncio
from collections import Counter
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import tries
from tests.support.logins import new_request
from withings_auth.authorization.callback import Granted, HttpRequest, Reason, Refused
from withings_auth.authorization.pages import Page, Text, page
from withings_auth.authorization.pending import Pending

CODES = {"first": "c0de1" * 8, "second": "c0de2" * 8}
DONE = page(Text.ENDED)


def asked(target: str, method: str = "GET") -> HttpRequest:
    return HttpRequest(method=method, target=target, headers=(("Host", "localhost:8000"),))


STEPS = st.lists(
    st.sampled_from(
        ["start", "start", "start", "start by HEAD", "first", "second", "refusal", "forged", "icon", "paste", "settle"]
    ),
    min_size=2,
    max_size=12,
)


@tries(40)
@given(STEPS)
def test_any_order_of_visitors(steps: list[str]) -> None:
    """Statements 10, 13, 20 and 40: as a list of what has been seen so far would tell."""
    asyncio.run(play(steps))


async def play(steps: list[str]) -> None:
    noticed: list[Reason] = []
    reopened: list[bool] = []
    pending = Pending(new_request(), noticed.append, reopened.append)
    pending.admit()
    taken: object = None
    waiting: list[asyncio.Task[Page]] = []
    settled = False
    starts = 0
    for step in steps:
        state = pending.request.state
        answers: dict[str, tuple[str, Granted | Refused]] = {"refusal": (f"/?error=no&state={state}", Refused("no"))}
        answers |= {name: (f"/?code={code}&state={state}", Granted(code)) for name, code in CODES.items()}
        match step:
            case "start":
                got = await pending.answer(asked(f"{pending.request.start_path}?x"))
                starts += 1
                assert (got.status == 302) == (starts == 1)
                if starts == 1:
                    assert parse_qs(urlsplit(got.headers["Location"]).query)["state"] == [state]
                # Nobody knows whose the connections are, so the second visit makes a new state, once.
                assert (pending.request.state != state) == (starts == 2 and taken is None)
            case "paste":
                assert pending.take(Granted(CODES["first"])) == (taken in (None, Granted(CODES["first"])))
                taken = taken or Granted(CODES["first"])
            case "settle":
                pending.settle(DONE)
                settled = True
            case "forged" | "icon" | "start by HEAD":
                target = {"forged": f"/?code={CODES['first']}&state=x", "icon": "/favicon.ico"}
                method = "GET" if step in target else "HEAD"
                got = await pending.answer(asked(target.get(step, pending.request.start_path), method))
                assert 400 <= got.status < 600
            case _:
                target_, meant = answers[step]
                task = asyncio.ensure_future(pending.answer(asked(target_)))
                await asyncio.sleep(0)
                taken = taken or meant
                if meant == taken:
                    waiting.append(task)
                else:
                    assert (await task).status == 410
        assert pending.open == (taken is None)
        assert all(task.done() == settled for task in waiting) or await settle_down(waiting, settled)
    assert len(reopened) <= 1
    assert Counter(noticed) == Counter(set(noticed))
    pending.settle(DONE)
    for task in waiting:
        got = await task
        assert (got.status, got.body) == (DONE.status, DONE.body)
    if taken is not None:
        assert await pending.decision() == taken


async def settle_down(waiting: list[asyncio.Task[Page]], settled: bool) -> bool:
    """Lets the tasks go on, and whether they have ended as they must."""
    for _ in range(3):
        await asyncio.sleep(0)
    return all(task.done() == settled for task in waiting)
