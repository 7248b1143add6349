"""Every answer to what no source settles about Withings: a promise must hold under each, so each is tried.

The switches that are left out bear on consents alone (`denial`, `redirect_uri_prefix_matches`, …), or on services
that a renewal does not use (`old_token_endpoint_open`, `revoke_open_to_free_apps`, …). `second_consent` acts only
where somebody logs in for a second time: promises about that are tried with `and_consents`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass

from tests.renewal.scene import Clock, Scene
from withings_auth.sandbox import Sandbox, Switches
from withings_auth.store.base import SecretStore

ANSWERS: dict[str, tuple[object, ...]] = {
    "access_token_survives_refresh": (False, True),
    "repeated_refresh_restarts_grace": (False, True),
    "repeated_refresh_returns_same_pair": (False, True),
    "earlier_answer_dies_on_repeat": (False, True),
    "same_arguments_refused": ("everywhere", "token_service"),
    "wait_seconds_told": (False, True),
    "failures_carry_body": (False, True),
}
CONSENTS: dict[str, tuple[object, ...]] = {
    "second_consent": ("kills_at_consent", "kills_at_exchange", "kills_nothing"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinations:
    """`for combination in combinations: with combination as scene: …`; in each somebody has yet to log in."""

    sandbox: Sandbox
    clock: Clock
    open_store: Callable[[], SecretStore]

    def __iter__(self) -> Iterator[AbstractContextManager[Scene]]:
        return (self._under(turned) for turned in _products(ANSWERS))

    def and_consents(self, *, without: Collection[str] = ()) -> Iterator[AbstractContextManager[Scene]]:
        """The same, times the answers to what a second consent does; some switches may be left as they are."""
        answers = {name: values for name, values in (ANSWERS | CONSENTS).items() if name not in without}
        return (self._under(turned) for turned in _products(answers))

    @contextmanager
    def _under(self, turned: dict[str, object]) -> Iterator[Scene]:
        self.sandbox.clear_faults()
        self.sandbox.revoke_person()
        self.sandbox.switch(**{**asdict(Switches()), **turned})
        self.clock.at += 60  # by then no request of the combination before counts any more
        self.clock.waits.clear()
        try:
            yield Scene(self.open_store(), self.sandbox, self.clock)
        except BaseException as error:
            error.add_note(f"under {turned}")
            raise


def _products(answers: dict[str, tuple[object, ...]]) -> Iterator[dict[str, object]]:
    for values in itertools.product(*answers.values()):
        yield dict(zip(answers, values, strict=True))
