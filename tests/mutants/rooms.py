"""Which modules are mutated, and the tests that must notice.

`quick` tests run in this process: for each mutant those that reach its function, the quickest first. What outlives
them is tried once more with the `wider` tests too, in a copy of the checkout, so that each program that they start is
mutated as well.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Modules, by their paths in the package, and tests, as pytest takes them."""

    modules: tuple[str, ...]
    quick: tuple[str, ...]
    wider: tuple[str, ...] = ()


ROOMS = {
    "replies": Room(
        modules=("provider/replies.py", "provider/statuses.py", "provider/failures.py"),
        quick=(
            "tests/provider/replies",
            "tests/provider/test_failures.py",
            "tests/provider/test_masking.py",
            "tests/provider/test_calls.py",
            "tests/tokens/renewal/test_failures.py",
        ),
        wider=("tests/provider/test_signed.py", "tests/provider/test_check.py", "tests/provider/http"),
    ),
    "callback": Room(
        modules=("authorization/callback.py",),
        quick=("tests/authorization/test_callback.py", "tests/authorization/test_paste.py"),
        wider=("tests/authorization/test_hostile.py",),
    ),
    "journal": Room(
        modules=("tokens/journal.py",),
        quick=("tests/tokens/test_journal.py", "tests/tokens/renewal"),
        wider=("tests/tokens/test_clocks.py", "tests/cli/commands/test_status.py"),
    ),
    "renewal": Room(
        modules=("tokens/renewal.py",),
        quick=("tests/tokens/renewal", "tests/tokens/test_journal.py", "tests/tokens/test_hooks.py"),
        wider=("tests/tokens/test_failing_saves.py", "tests/tokens/test_network.py"),
    ),
}
