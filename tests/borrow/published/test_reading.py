"""Every published program runs on the shared login, unmodified: nothing is renewed twice and nothing secret is left."""

from __future__ import annotations

import os

import pytest

from tests.borrow.published.borrower import HOUR, LIFE, Borrower, Happened
from tests.borrow.published.programs import PROGRAMS, Published

pytestmark = pytest.mark.usefixtures("unmeasured")

ROUNDS = int(os.environ.get("ROUNDS", "4"))  # by hand: ROUNDS=10

every_program = pytest.mark.parametrize("program", PROGRAMS, ids=[each.name for each in PROGRAMS])


@every_program
def test_it_reads_weights_across_an_expiry_and_a_refusal(borrower: Borrower, program: Published) -> None:
    """Statement 52: a call, one three hours later, and one with a token that Withings has ended early."""
    borrower.run(program)
    assert borrower.happened() == Happened(calls=program.calls)
    borrower.let_time_pass(LIFE)
    borrower.run(program)
    assert borrower.happened() == Happened(calls=program.calls, refreshes=1, token_requests=1)
    borrower.let_time_pass(HOUR)
    borrower.desk.sandbox.expire_access_token()
    borrower.run(program)
    assert borrower.happened() == Happened(calls=program.calls + 1, refusals=1, refreshes=1, token_requests=1)
    assert borrower.secrets_left() == []
    assert borrower.has_login()


def test_two_programs_at_once_renew_once(borrower: Borrower) -> None:
    """Nearly every program renews whenever it starts; all of them together renew the login once."""
    calls = 0
    borrower.let_time_pass(LIFE)
    for number in range(ROUNDS):
        pair = [PROGRAMS[(number + i) % len(PROGRAMS)] for i in range(2)]
        running = [borrower.start(program) for program in pair]
        for program, each in zip(pair, running, strict=True):
            borrower.finish(program, each)
            calls += program.calls
    assert borrower.happened() == Happened(calls=calls, refreshes=1, token_requests=1)
    assert borrower.secrets_left() == []
    assert borrower.has_login()
