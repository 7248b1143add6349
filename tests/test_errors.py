"""What every error does, whatever its cause: it ends a traceback with its hint, and it can be copied and pickled."""

from __future__ import annotations

import pickle
import traceback

import pytest

from tests.support.errors import all_errors
from tests.support.programs import Cli
from withings_auth.errors import LockLost, ProviderUnavailable, StoreError, WithingsAuthError

SCRIPT = """
import asyncio
from withings_auth import App, AsyncTokenSource, TokenSource, login_sync
"""


@pytest.mark.parametrize(
    ("calls", "end"),
    [
        (
            "TokenSource().access_token()",
            [
                "withings_auth.errors.LoginRequired: nobody is logged in as profile default",
                "hint: log in: withings-auth login",
            ],
        ),
        (
            "asyncio.run(AsyncTokenSource('mum').access_token())",
            [
                "withings_auth.errors.LoginRequired: nobody is logged in as profile mum",
                "hint: log in: withings-auth login --profile mum",
            ],
        ),
        (
            "login_sync(App(client_id='c', client_secret='s'), profile='a/b')",
            [
                "withings_auth.errors.ConfigurationError: “a/b” is not a valid profile name",
                (
                    "hint: use up to 64 letters, digits, dots, hyphens and underscores, starting with a letter or a"
                    " digit; names of Windows devices, such as con, are not allowed"
                ),
            ],
        ),
        (
            "login_sync(App(client_id='c', client_secret='s'), timeout=-1)",
            [
                "withings_auth.errors.ConfigurationError: timeout must be a number of seconds above 0",
                "hint: wait five minutes: timeout=300",
            ],
        ),
        *(
            (
                f"{call}store='file:/nonexistent/here')",
                [
                    "withings_auth.errors.ConfigurationError: store must be a store, not its name",
                    'hint: open it: store=open_store("file:…")',
                ],
            )
            for call in ("login_sync(App(client_id='c', client_secret='s'), ", "TokenSource(", "AsyncTokenSource(")
        ),
    ],
)
def test_the_traceback_of_a_script_ends_with_what_to_do(
    python: Cli, monkeypatch: pytest.MonkeyPatch, calls: str, end: list[str]
) -> None:
    """The script catches nothing."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE", "file:/nonexistent/here")
    finished = python(SCRIPT + calls)
    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-2:] == end
    assert "another exception occurred" not in finished.stderr


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.__name__)
def test_a_copy_has_its_own_hint_and_everything_else(kind: type[WithingsAuthError]) -> None:
    """The original stays as it is, and no hint shows up twice."""
    error = kind("it failed", hint="wait")
    error.retry_after = 7
    same, other = error.with_message("it failed again"), error.with_message(str(error), hint="log in")
    assert [shown(each) for each in (error, same, other)] == [
        ["it failed", "hint: wait"],
        ["it failed again", "hint: wait"],
        ["it failed", "hint: log in"],
    ]
    assert [(type(each), each.retry_after) for each in (same, other)] == [(kind, 7)] * 2
    assert shown(error.with_message("it failed", hint="")) == ["it failed"]


def test_an_error_comes_back_from_another_process_whole() -> None:
    """As from a worker of `multiprocessing`."""
    error = ProviderUnavailable("later", status=601, hint="wait", retry_after=9)
    back = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert (back.status, back.hint, back.retry_after, shown(back)) == (601, "wait", 9, ["later", "hint: wait"])


def test_a_lost_store_is_worth_another_try_unlike_other_failures_of_a_store() -> None:
    assert [(kind.exit_code, kind.temporary) for kind in (StoreError, LockLost)] == [(5, False), (4, True)]
    assert issubclass(LockLost, StoreError)


def shown(error: WithingsAuthError) -> list[str]:
    """Returns the lines with which a traceback would end, without the name of the class."""
    return "".join(traceback.format_exception_only(error)).partition(": ")[2].splitlines()
