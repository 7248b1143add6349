"""What the commands that we print look like in the user's shell."""

from __future__ import annotations

import pytest

from withings_auth.cli.options import with_store


@pytest.mark.parametrize(
    ("windows", "line"),
    [
        (False, "WITHINGS_AUTH_STORE='file:/my place/it'\"'\"'s' withings-auth token"),
        (True, "$env:WITHINGS_AUTH_STORE = 'file:/my place/it''s'; withings-auth token"),
    ],
)
def test_a_command_names_its_store_in_the_shell_of_the_system(windows: bool, line: str) -> None:
    """POSIX shells run the first form in `configure/test_store.py`; PowerShell has no such assignment."""
    assert with_store("file:/my place/it's", "withings-auth token", windows=windows) == line
