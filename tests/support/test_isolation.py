"""Every test has an environment of its own, hears signals, and is skipped or fails when a real part is missing."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import isolation

if TYPE_CHECKING:
    from tests.conftest import Require
    from tests.support.programs import Cli

pytestmark = pytest.mark.usefixtures("unmeasured")

REPOSITORY = Path(__file__).parents[2]
SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
FIND = "import keyring; print(keyring.get_password('a service', 'a user'))"


class TestEnvironment:
    def test_every_directory_that_a_program_may_use_belongs_to_the_test(self, home: Path) -> None:
        assert Path.home() == home
        for name, value in os.environ.items():
            if name.startswith("XDG_"):
                assert Path(value).is_relative_to(home), name

    def test_nothing_of_the_user_is_inherited(self, tmp_path: Path) -> None:
        names = """
            BROWSER DISPLAY WAYLAND_DISPLAY SSH_CONNECTION SSH_TTY SSH_AUTH_SOCK WSL_DISTRO_NAME container
            WITHINGS_CLIENT_SECRET WITHINGS_AUTH_PROFILE XDG_SESSION_TYPE XDG_RUNTIME_DIR
            DBUS_SESSION_BUS_ADDRESS PYTHON_KEYRING_BACKEND GNOME_KEYRING_CONTROL HOME
        """
        theirs = dict.fromkeys(names.split(), "theirs")
        isolated = isolation.environment(tmp_path, {**theirs, "PATH": "/usr/bin"})
        assert "theirs" not in isolated.values()
        assert isolated["PATH"] == "/usr/bin"

    def test_a_program_inherits_the_isolation(self, home: Path, python: Cli) -> None:
        assert python("import pathlib; print(pathlib.Path.home())").stdout == f"{home}\n"

    def test_neither_this_process_nor_another_reaches_a_keyring(self, python: Cli) -> None:
        import keyring
        import keyring.errors

        with pytest.raises(keyring.errors.NoKeyringError):
            keyring.get_password("a service", "a user")
        assert "NoKeyringError" in python(FIND).stderr

    def test_no_bus_is_reached_even_if_a_program_asks_for_the_backend(self, python: Cli) -> None:
        asked = python(FIND, env={"PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"})
        assert asked.returncode == 1

    def test_a_change_to_the_users_files_is_noticed(self, tmp_path: Path) -> None:
        before = isolation.footprints(tmp_path)
        (tmp_path / ".local" / "state" / "withings-auth").mkdir(parents=True)
        assert isolation.footprints(tmp_path) != before


class TestSignals:
    """A script's background jobs start with SIGINT and SIGQUIT ignored, and `nohup` adds SIGHUP."""

    def test_a_program_starts_with_none_of_them_ignored(self, cli: Cli) -> None:
        status = cli.using("grep", "SigIgn", "/proc/self/status")().stdout
        ignored = int(status.split()[1], 16)
        assert [number.name for number in SIGNALS if ignored & 1 << number - 1] == []

    def test_this_process_is_interrupted(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    def test_both_hold_when_the_tests_are_started_with_all_of_them_ignored(self, cli: Cli) -> None:
        tests = [
            f"{__file__}::TestSignals::test_a_program_starts_with_none_of_them_ignored",
            f"{__file__}::TestSignals::test_this_process_is_interrupted",
            str(Path(__file__).with_name("test_programs.py")) + "::test_ctrl_c_on_a_terminal_reaches_the_program",
        ]
        pytest_ignoring = cli.using(
            "sh", "-c", "trap '' INT QUIT HUP; exec \"$@\"", "sh", sys.executable, "-m", "pytest"
        )
        ran = pytest_ignoring("--quiet", "-p", "no:cacheprovider", *tests, seconds=300)
        assert "3 passed" in ran.stdout

    def test_a_test_run_under_nohup_outlives_its_terminal(self, cli: Cli, tmp_path: Path) -> None:
        """SIGHUP was ignored on purpose, and still does not end the tests."""
        test = tmp_path / "test_it.py"
        test.write_text("import signal\ndef test_it():\n    signal.raise_signal(signal.SIGHUP)\n")
        arguments = ["-p", "no:cacheprovider", "-p", "tests.conftest", "--rootdir", str(tmp_path), str(test)]
        under_nohup = cli.using("nohup", sys.executable, "-m", "pytest")
        ran = under_nohup(*arguments, env={"PYTHONPATH": str(REPOSITORY)}, seconds=300)
        assert "1 passed" in ran.stdout


class TestRequire:
    def test_what_was_found_is_fine(self, require: Require) -> None:
        require("a thing", "/usr/bin/thing", "why")

    @pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "failed")])
    def test_what_is_missing_skips_at_home_and_fails_in_ci(
        self, python: Cli, tmp_path: Path, ci: str, outcome: str
    ) -> None:
        test = tmp_path / "test_it.py"
        test.write_text("def test_it(require):\n    require('a thing', None, 'it is not there')\n")
        arguments = ["-ra", "-p", "no:cacheprovider", "-p", "tests.conftest", "--rootdir", str(tmp_path), str(test)]
        ran = python(
            "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))",
            *arguments,
            env={"CI": ci, "PYTHONPATH": str(REPOSITORY)},
        )
        assert f"1 {outcome}" in ran.stdout
        assert "it is not there" in ran.stdout
