"""`withings-auth run`: a program gets a token in its environment, and otherwise runs as if started directly."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.logins import Desk
from withings_auth.cli.commands.run import NOT_FOUND, NOT_STARTED, exit_code_of, wait_for

TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"

# As /proc shows them, without 32 and 33: these are glibc's own, and a child of make has the first one ignored.
ALL_SIGNALS = (1 << 31) - 1


class TestWhatTheProgramGets:
    def test_the_token_and_the_userid_and_not_the_client_secret(self, desk: Desk) -> None:
        """Statement 25: in the environment, which the list of processes does not show."""
        grant = desk.put_login()
        program = desk.cli("run", "--", sys.executable, "-c", TELL, env=desk.env, allow=[grant.access_token])
        _, environ = json.loads(program.stdout)
        assert environ["WITHINGS_ACCESS_TOKEN"] == grant.access_token
        assert environ["WITHINGS_USERID"] == "38210457"
        assert "WITHINGS_CLIENT_SECRET" not in environ
        assert environ["WITHINGS_CLIENT_ID"] == desk.sandbox.client_id

    def test_what_it_asks_itself_is_about_the_same_profile(self, desk: Desk) -> None:
        grant = desk.put_login(profile="mum")
        source = "from withings_auth import TokenSource; print(TokenSource().access_token())"
        asked = desk.cli(
            "run", "--profile", "mum", sys.executable, "-c", source, env=desk.env, allow=[grant.access_token]
        )
        assert asked.stdout == f"{grant.access_token}\n"

    def test_a_token_with_little_life_left_is_renewed_first(self, desk: Desk) -> None:
        desk.put_login(age=10_800 - 599)
        assert desk.run("run", "true").returncode == 0
        assert desk.sandbox.counters.refreshes == 1

    def test_ten_minutes_are_enough_unless_more_is_asked_for(self, desk: Desk) -> None:
        desk.put_login(age=10_800 - 630)
        assert desk.run("run", "true").returncode == 0
        assert desk.sandbox.counters.refreshes == 0
        assert desk.run("run", "--min-valid", "9000", "true").returncode == 0
        assert desk.sandbox.counters.refreshes == 1

    @pytest.mark.parametrize(
        ("typed", "got"),
        [
            (["--", "PROGRAM", "--profile", "x", "-h"], ["--profile", "x", "-h"]),
            (["PROGRAM", "--profile", "x", "--help"], ["--profile", "x", "--help"]),
            (["--profile", "default", "PROGRAM", "a", "--", "b"], ["a", "--", "b"]),
            (["--profile", "default", "--", "PROGRAM", "--", "--version"], ["--", "--version"]),
            (["PROGRAM", "", "two words", "$HOME"], ["", "two words", "$HOME"]),
        ],
    )
    def test_arguments_of_the_program_are_not_ours(self, desk: Desk, typed: list[str], got: list[str]) -> None:
        desk.put_login()
        script = desk.directory.parent / "program"
        script.write_text(f"#!{sys.executable}\nimport sys\nprint(*map(repr, sys.argv[1:]), sep='\\n')\n")
        script.chmod(0o700)
        finished = desk.run("run", *(str(script) if word == "PROGRAM" else word for word in typed))
        assert finished.stdout.splitlines() == [repr(word) for word in got]

    def test_its_input_and_output_are_its_own(self, desk: Desk) -> None:
        desk.put_login()
        finished = desk.cli("run", "sh", "-c", "cat; echo err >&2", env=desk.env, stdin="in\n")
        assert (finished.stdout, finished.stderr) == ("in\n", "err\n")

    def test_no_signal_is_ignored_or_blocked(self, desk: Desk) -> None:
        """Python ignores SIGPIPE, among others, but the program does not inherit that."""
        desk.put_login()
        finished = desk.run("run", "grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status")
        found = [int(line.split()[1], 16) & ALL_SIGNALS for line in finished.stdout.splitlines()]
        assert found == [0, 0]

    def test_nothing_of_ours_stays_open(self, desk: Desk) -> None:
        desk.put_login(age=10_800)  # a renewal opens sockets and a lock
        finished = desk.run("run", "ls", "-l", "/proc/self/fd")
        assert desk.sandbox.counters.refreshes == 1
        assert str(desk.directory) not in finished.stdout
        assert "socket" not in finished.stdout


class TestHowItEnds:
    @pytest.mark.parametrize("code", [0, 1, 3, 42, 255])
    def test_the_exit_code_is_the_programs(self, desk: Desk, code: int) -> None:
        desk.put_login()
        finished = desk.run("run", "--", "sh", "-c", f"exit {code}")
        assert (finished.returncode, finished.stderr) == (code, "")

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"])
    def test_signals_reach_the_program(self, desk: Desk, name: str) -> None:
        """The process that was started is the program: it gets each signal once and decides what to do."""
        desk.put_login()
        short = name.removeprefix("SIG")
        script = f"trap 'echo got {short}; kill $!; exit 9' {short}; sleep 60 & echo ready; wait"
        program = desk.cli.start("run", "--", "bash", "-c", script, env=desk.env)
        program.stdout.line("ready")
        program.signal(signal.Signals[name])
        finished = program.wait()
        assert (finished.returncode, finished.stdout) == (9, f"ready\ngot {short}\n")

    def test_a_shell_sees_which_signal_ended_it(self, desk: Desk) -> None:
        desk.put_login()
        run = f"{shlex.quote(sys.executable)} -m withings_auth run"
        script = f"{run} -- sh -c 'kill -TERM $$'; echo $?"
        assert desk.cli.using("sh")("-c", script, env=desk.env).stdout == "143\n"

    def test_ctrl_c_on_a_terminal_arrives_once(self, desk: Desk) -> None:
        desk.put_login()
        script = "trap 'echo got it; kill $!' INT; sleep 60 & echo ready; wait; wait; exit 5"
        program = desk.cli.on_terminal("run", "--", "bash", "-c", script, env=desk.env)
        program.screen.line("ready")
        program.type("\x03")
        finished = program.wait()
        assert (finished.returncode, finished.screen.count("got it")) == (5, 1)
        assert "withings-auth" not in finished.screen

    @pytest.mark.parametrize(
        ("word", "code", "message"),
        [
            ("no-such-program", 127, "“no-such-program” was not found"),
            ("./no/such/program", 127, "“./no/such/program” was not found"),
            ("/etc/passwd/x", 127, "“/etc/passwd/x” was not found"),
            ("/etc/passwd", 126, "“/etc/passwd” cannot be started: Permission denied"),
            ("/etc", 126, "“/etc” cannot be started: Permission denied"),
            ("\x1b[31mred", 127, "“\\x1b[31mred” was not found"),
        ],
    )
    def test_a_program_that_cannot_be_started(self, desk: Desk, word: str, code: int, message: str) -> None:
        """127 or 126, as in shells; and statement 35: its name is shown escaped."""
        desk.put_login()
        finished = desk.run("run", "--", word)
        assert (finished.returncode, finished.stdout) == (code, "")
        assert finished.stderr.startswith(f"withings-auth: error: {message}\nhint: ")

    def test_a_text_file_is_not_a_program(self, desk: Desk) -> None:
        desk.put_login()
        text = desk.directory.parent / "text"
        text.write_text("echo hello\n")
        text.chmod(0o700)
        finished = desk.run("run", str(text))
        assert (finished.returncode, "Exec format error" in finished.stderr) == (126, True)

    @pytest.mark.parametrize("words", [(), ("--",), ("",), ("--profile", "default"), ("--verbatim", "true")])
    def test_without_a_command_it_is_wrong_usage(self, desk: Desk, words: tuple[str, ...]) -> None:
        desk.put_login()
        finished = desk.run("run", *words)
        assert (finished.returncode, finished.stdout, "hint: " in finished.stderr) == (2, "", True)

    @pytest.mark.parametrize(("age", "code"), [(None, 3), (10_800, 4)])
    def test_without_a_token_nothing_is_started(self, desk: Desk, age: int | None, code: int) -> None:
        if age is not None:
            desk.put_login(age=age)
            desk.sandbox.fail_next("bad_gateway")
        finished = desk.run("run", "echo", "started")
        assert (finished.returncode, finished.stdout) == (code, "")

    def test_its_help_says_how_long_the_token_lives(self, desk: Desk) -> None:
        help_text = desk.run("run", "--help").stdout
        assert "The token expires within three hours" in help_text
        assert "withings-auth run -- " in help_text.partition("example")[2]


class TestWindows:
    """On Windows this process waits for the program; the same code runs here."""

    @pytest.mark.parametrize("code", [0, 7])
    def test_it_is_waited_for(self, code: int) -> None:
        assert wait_for([sys.executable, "-c", f"raise SystemExit({code})"], os.environ) == code

    def test_it_gets_the_environment(self, home: Path) -> None:
        script = f"import os; open({str(home / 'out')!r}, 'w').write(os.environ['NAME'])"
        assert wait_for([sys.executable, "-c", script], {**os.environ, "NAME": "value"}) == 0
        assert (home / "out").read_text() == "value"

    def test_ctrl_c_is_left_to_the_program(self) -> None:
        """The console interrupts both; this process keeps waiting, and is as before afterwards."""
        script = "import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(0.3); raise SystemExit(4)"
        before = signal.getsignal(signal.SIGINT)
        assert wait_for([sys.executable, "-c", script], os.environ) == 4
        assert signal.getsignal(signal.SIGINT) == before

    def test_ctrl_c_may_come_before_the_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Interrupted(subprocess.Popen[bytes]):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(subprocess, "Popen", Interrupted)
        assert wait_for([sys.executable, "-c", "raise SystemExit(4)"], os.environ) == 4

    def test_the_program_can_be_interrupted(self) -> None:
        script = "import signal; raise SystemExit(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
        assert wait_for([sys.executable, "-c", script], os.environ) == 1

    def test_a_program_that_does_not_exist(self) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            wait_for(["no-such-program"], os.environ)
        assert exit_code_of(caught.value) == NOT_FOUND


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(), NOT_FOUND),
        (NotADirectoryError(), NOT_FOUND),
        (PermissionError(), NOT_STARTED),
        (OSError(8, "Exec format error"), NOT_STARTED),
    ],
)
def test_the_exit_codes_are_those_of_shells(error: OSError, code: int) -> None:
    assert exit_code_of(error) == code
