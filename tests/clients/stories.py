"""What happens around a running client, the same for each: a story pauses for each call that the client makes.

```python
for _ in across_an_expiry(desk):
    client.get_measures()
```

The calls must go well; the story says at its end how often Withings was asked for what.
"""

from __future__ import annotations

import gc
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from tests.support.logins import Desk
from tests.support.readme import example
from withings_auth import AsyncTokenSource, TokenSource
from withings_auth.sandbox import Counters

HOUR = 3600
LIFE = 3 * HOUR

Story = Callable[[Desk], Iterator[None]]


def across_an_expiry(desk: Desk) -> Iterator[None]:
    """Three hours pass between two calls: one refresh, before the second call is sent."""
    before = desk.sandbox.counters
    yield
    desk.grow_older(LIFE)
    desk.sandbox.advance(LIFE)
    yield
    _happened(desk, since=before, refreshes=1, refusals=0)


def across_a_renewal_by_another_process(desk: Desk) -> Iterator[None]:
    """The command renews between two calls, which kills the client's token: no call is refused."""
    desk.grow_older(HOUR)
    before = desk.sandbox.counters
    yield
    assert desk.run("token", "--min-valid", "9000").returncode == 0
    _happened(desk, since=before, refreshes=1, refusals=0)
    yield
    desk.sandbox.advance(11)  # Withings refuses the same request twice within ten seconds
    yield
    _happened(desk, since=before, refreshes=1, refusals=0)


def across_a_refusal(desk: Desk) -> Iterator[None]:
    """Withings ends a token early: the next call is refused once, and succeeds after one refresh."""
    desk.grow_older(HOUR)
    before = desk.sandbox.counters
    yield
    desk.sandbox.expire_access_token()
    yield
    _happened(desk, since=before, refreshes=1, refusals=1)


def run(name: str) -> dict[str, Any]:
    """Runs the example of that name, unchanged; returns the names that it defines."""
    defined: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(example(name), name, "exec"), defined)  # noqa: S102  as a reader would
    return defined


def secrets_in(client: object, desk: Desk) -> set[str]:
    """The sandbox's secrets that the client holds at any depth; our own sources are not searched."""
    border = (TokenSource, AsyncTokenSource, AbstractEventLoop, FunctionType, ModuleType, type)
    seen: dict[int, object] = {}
    coming = [client]
    while coming:
        thing = coming.pop()
        if id(thing) not in seen and not isinstance(thing, border):
            seen[id(thing)] = thing
            coming += gc.get_referents(thing)
    texts = "\n".join(str(thing) for thing in seen.values() if isinstance(thing, str | bytes | bytearray))
    return {secret for secret in desk.sandbox.secrets if secret in texts}


def _happened(desk: Desk, *, since: Counters, refreshes: int, refusals: int) -> None:
    now = desk.sandbox.counters
    assert now.refreshes - since.refreshes == refreshes
    assert now.token_requests - since.token_requests == refreshes  # the client sends nothing to the token service
    assert now.refusals - since.refusals == refusals
