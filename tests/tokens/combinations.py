"""Every possible answer to what no source settles about Withings: a promise must hold under each of them.

The switches that are left out bear on consents alone (`denial`, `redirect_uri_prefix_matches`, …), or on services
that a renewal does not use (`revoke_open_to_free_apps`, `same_arguments_refused`). `second_consent` acts only if
somebody logs in again: promises about that are tried with `and_consents`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace

from tests.tokens.scene import Clock, Scene
from withings_auth.provider.statuses import TOKEN_REFUSED, TOO_MANY_REQUESTS
from withings_auth.sandbox import Sandbox, Switches
from withings_auth.store.base import SecretStore

ANSWERS: dict[str, tuple[object, ...]] = {
    "access_token_survives_refresh": (False, True),
    "repeated_refresh_restarts_grace": (False, True),
    "repeated_refresh_returns_same_pair": (False, True),
    "earlier_answer_dies_on_repeat": (False, True),
    "wait_seconds_told": (False, True),
    "failures_carry_body": (False, True),
}
CONSENTS: dict[str, tuple[object, ...]] = {
    "second_consent": ("kills_at_consent", "kills_at_exchange", "kills_nothing"),
}
# What can be left out if no refresh is repeated, and if no refresh is refused.
OF_REPETITIONS = (
    "repeated_refresh_restarts_grace",
    "repeated_refresh_returns_same_pair",
    "earlier_answer_dies_on_repeat",
)
OF_REFUSALS = ("wait_seconds_told", "failures_carry_body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinations:
    """`for combination in combinations: with combination as scene: …`; each scene starts without a login."""

    sandbox: Sandbox
    clock: Clock
    open_store: Callable[[], SecretStore]
    answers: Mapping[str, tuple[object, ...]] = field(default_factory=lambda: ANSWERS)

    def and_consents(self) -> Combinations:
        """The same, for each possible effect of a second consent."""
        return replace(self, answers={**self.answers, **CONSENTS})

    def without(self, *names: str) -> Combinations:
        """Fewer combinations, for a promise that these switches cannot affect; they keep their defaults.

        Each scene checks that nothing has happened on which such a switch has a say.
        """
        return replace(self, answers={name: answers for name, answers in self.answers.items() if name not in names})

    def __iter__(self) -> Iterator[AbstractContextManager[Scene]]:
        for values in itertools.product(*self.answers.values()):
            turned = dict(zip(self.answers, values, strict=True))
            if turned.get("repeated_refresh_returns_same_pair") and not turned["earlier_answer_dies_on_repeat"]:
                continue  # as if it did: there is no other pair whose coming it could die of
            yield self._under(turned)

    @contextmanager
    def _under(self, turned: dict[str, object]) -> Iterator[Scene]:
        self.sandbox.clear_faults()
        self.sandbox.revoke_person()
        self.sandbox.switch(**{**asdict(Switches()), **turned})
        self.clock.at += 60  # so that no request of the previous combination counts any more
        self.clock.waits.clear()
        before = len(self.sandbox.events)
        scene = Scene(self.open_store(), self.sandbox, self.clock)
        try:
            yield scene
            refused = {event.status for event in self.sandbox.events[before:] if event.what == "refusal"}
            assert "failures_carry_body" in turned or refused <= {TOKEN_REFUSED}  # which no renewal reads
            assert "wait_seconds_told" in turned or TOO_MANY_REQUESTS not in refused
            sent = [request.form["refresh_token"] for request in scene.sent]
            assert "repeated_refresh_returns_same_pair" in turned or len(sent) == len(set(sent))
        except BaseException as error:
            error.add_note(f"under {turned}")
            raise
