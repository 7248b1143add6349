"""Property-based tests: how hard they try, and what each of them looks for.

The files `test_…_fuzz.py` have such tests of everything that reads text from outside. As part of the suite they try a
few inputs, always the same ones; `make fuzz` tries many, others in each run. What it finds becomes an `@example`, or a
row in the table of the module's other tests.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from withings_auth.errors import WithingsAuthError

LONG_RUN = int(os.environ.get("FUZZ_EXAMPLES") or 0)
"""How many examples `make fuzz` wants; 0 in the suite."""

_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def load_profile() -> None:
    """Makes all property-based tests steady, and in `make fuzz` thorough."""
    busy = [HealthCheck.too_slow]  # a busy machine takes its time
    settings.register_profile("steady", derandomize=True, deadline=None, database=None, suppress_health_check=busy)
    settings.register_profile("long", deadline=None, print_blob=True)
    settings.load_profile("long" if LONG_RUN else "steady")


def tries(examples: int, *, share: int = 1) -> settings:
    """Decorates a test that tries so many inputs in the suite; a slow one gets only a `share` of a long run's.

    If it has fixtures, they must stay as they are from one input to the next.
    """
    return settings(max_examples=max(1, LONG_RUN // share) if LONG_RUN else examples, suppress_health_check=_FINE)


def all_of(error: BaseException) -> str:
    """Everything that a person, a logger or an error tracker can see of an error and of those that it came from."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    return "".join(traceback.format_exception(error)) + "".join(
        f"{one!r} {one} {one.args!r} {vars(one)!r}" for one in seen
    )


Allowed = type[WithingsAuthError] | tuple[type[WithingsAuthError], ...]


def outcome(call: Callable[[], Any], *, secret: str, allowed: Allowed = WithingsAuthError) -> Any:
    """Returns what the call returns, or its error if it is one of ours: to print, and without the secret."""
    try:
        return call()
    except allowed as error:
        failed = error
    assert secret not in all_of(failed)
    assert f"{failed}{failed.hint}".replace("\n", "").isprintable()
    return failed


def cut(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """The data in up to four pieces."""
    places = st.lists(st.integers(0, len(data)), max_size=3).map(sorted)
    return places.map(lambda ends: [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)])


@st.composite
def damaged(draw: st.DrawFn, text: str, alphabet: str) -> str:
    """The text with a few characters removed, doubled, replaced or added."""
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 8)))
        middle = draw(st.sampled_from(["", text[start:end] * 2]) | st.text(alphabet, max_size=6))
        text = text[:start] + middle + text[end:]
    return text
