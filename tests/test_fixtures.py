"""The fixtures keep their promises, shown with real parts."""

from __future__ import annotations

import asyncio
import http.server
import importlib
import logging
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import isolation
from tests.support.canaries import Canaries
from tests.support.programs import Cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Require
    from tests.support.browser import Chromium
    from tests.support.keyring_daemon import Bus, SecretService

KEEP = "import keyring; keyring.set_password('a service', 'a user', 'from python')"
FIND = "import keyring; print(keyring.get_password('a service', 'a user'))"


@pytest.fixture
def python(cli: Cli) -> Cli:
    """`python("code")` runs a line of Python in another process."""
    return cli.using(sys.executable, "-c")


class TestIsolation:
    def test_every_directory_that_a_program_may_think_of_is_the_tests_own(self, home: Path) -> None:
        assert Path.home() == home
        for name, value in os.environ.items():
            if name.startswith("XDG_"):
                assert Path(value).is_relative_to(home), name

    def test_nothing_of_the_person_is_inherited(self, tmp_path: Path) -> None:
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

    def test_no_keyring_is_reached_by_this_process_or_another(self, python: Cli) -> None:
        import keyring
        import keyring.errors

        with pytest.raises(keyring.errors.NoKeyringError):
            keyring.get_password("a service", "a user")
        assert "NoKeyringError" in python(FIND).stderr

    def test_no_bus_is_reached_even_when_the_backend_is_asked_for(self, python: Cli) -> None:
        asked = python(FIND, env={"PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"})
        assert asked.returncode == 1

    def test_a_test_that_changed_the_persons_files_would_be_told(self, tmp_path: Path) -> None:
        before = isolation.footprints(tmp_path)
        (tmp_path / ".local" / "state" / "withings-auth").mkdir(parents=True)
        assert isolation.footprints(tmp_path) != before


class TestRequire:
    def test_what_is_there_is_fine(self, require: Require) -> None:
        require("a thing", "/usr/bin/thing", "why")

    @pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "failed")])
    def test_what_is_missing_skips_on_a_desk_and_fails_in_ci(
        self, python: Cli, tmp_path: Path, ci: str, outcome: str
    ) -> None:
        test = tmp_path / "test_it.py"
        test.write_text("def test_it(require):\n    require('a thing', None, 'it is not there')\n")
        arguments = ["-ra", "-p", "no:cacheprovider", "-p", "tests.conftest", "--rootdir", str(tmp_path), str(test)]
        ran = python(
            "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))",
            *arguments,
            env={"CI": ci, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        assert f"1 {outcome}" in ran.stdout
        assert "it is not there" in ran.stdout


class TestCli:
    def test_it_gives_what_came_out_of_each_end(self, python: Cli) -> None:
        ran = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
        assert (ran.stdout, ran.stderr, ran.returncode) == ("out\n", "err\n", 3)
        assert 0 < ran.seconds < 30

    def test_it_gives_input_or_an_empty_one_and_changes_the_environment(
        self, python: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GONE", "1")
        code = "import os, sys; print(repr(sys.stdin.read()), os.environ.get('NEW'), os.environ.get('GONE'))"
        assert python(code, stdin="typed", env={"NEW": "new", "GONE": None}).stdout == "'typed' new None\n"
        assert python(code).stdout == "'' None 1\n"

    def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(self, python: Cli) -> None:
        code = (
            "import subprocess, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
        )
        program = python.start(code)
        child = int(program.stdout.line())
        with pytest.raises(AssertionError, match=r"still running after 0\.2 s"):
            program.wait(seconds=0.2)
        wait_until_gone(child)

    def test_somebody_who_keeps_the_output_open_is_noticed(self, python: Cli) -> None:
        with pytest.raises(AssertionError, match="still holds its output"):
            python("import subprocess; subprocess.Popen(['sleep', '60'])")

    def test_a_running_program_is_watched_and_told_to_end(self, python: Cli) -> None:
        code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("listening on 8000", file=sys.stderr, flush=True)
time.sleep(60)
"""
        program = python.start(code)
        assert program.stderr.line("listening") == "listening on 8000"
        assert program.running
        with pytest.raises(AssertionError, match=r"had 0\.1 s without 'more'"):
            program.stderr.expect("more", seconds=0.1)
        program.signal(signal.SIGTERM)
        assert program.wait(seconds=5).returncode == 7
        with pytest.raises(AssertionError, match="ended without 'more'"):
            program.stderr.expect("more")

    def test_on_a_terminal_a_secret_can_be_asked_for_hidden(self, python: Cli, canaries: Canaries) -> None:
        secret = canaries.plant("the password")
        program = python.on_terminal("import getpass; print(len(getpass.getpass('Client secret: ')))")
        program.screen.expect("Client secret: ")
        program.type(secret + "\n")
        finished = program.wait(seconds=10)
        assert finished.screen == "Client secret: \n40\n"
        assert finished.returncode == 0

    def test_on_a_terminal_ctrl_c_reaches_the_program(self, python: Cli) -> None:
        program = python.on_terminal("import time; print('ready'); time.sleep(60)")
        program.screen.line("ready")
        program.type("\x03")
        assert program.wait(seconds=5).returncode == -signal.SIGINT

    def test_without_a_terminal_there_is_none(self, python: Cli) -> None:
        assert "No such device" in python("open('/dev/tty')").stderr


class TestCanaries:
    def test_a_secret_in_a_log_record_is_found(self) -> None:
        canaries = Canaries()
        secret = canaries.plant("the code")
        canaries.hear("the log of aiohttp.access", f"GET /?code={secret}")
        assert canaries.escaped() == ["the code stands in the log of aiohttp.access"]

    def test_every_logger_is_heard_at_debug(self, canaries: Canaries) -> None:
        said = canaries.plant("said on purpose")
        logging.getLogger("somebody").debug("a value: %s", said)
        escaped = canaries.escaped()
        canaries.forget(said)
        assert escaped == ["said on purpose stands in the log of somebody"]

    def test_a_secret_in_an_output_is_found_unless_it_is_the_purpose(self) -> None:
        heard = Canaries()
        secret = heard.plant("the token")
        command = Cli((sys.executable, "-c"), heard)
        command("import sys; print(sys.argv[1])", secret, allow=[secret])
        command.close()
        assert heard.escaped() == []

        command = Cli((sys.executable, "-c"), heard)
        command("import sys; print(sys.argv[1])", secret)
        command("import sys; print(sys.argv[1], file=sys.stderr)", secret, allow=[secret])
        command.close()
        assert [line.split()[3:5] for line in heard.escaped()] == [["in", "stdout"], ["in", "stderr"]]


class TestSecretService:
    def test_another_kind_of_program_reads_what_keyring_wrote(self, secret_service: SecretService, python: Cli) -> None:
        assert python(KEEP, env=secret_service.environ).returncode == 0
        assert secret_service.lookup("a service", "a user") == "from python"
        assert secret_service.services() == ["a service"]

    def test_keyring_reads_what_another_kind_of_program_wrote(self, secret_service: SecretService, python: Cli) -> None:
        secret_service.store("a service", "a user", "from outside")
        assert python(FIND, env=secret_service.environ).stdout == "from outside\n"

    def test_this_process_can_use_it_too(self, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch) -> None:
        # Not keyring's own choice, which the backends of other tests sway.
        found: Any = importlib.import_module("keyring.backends.SecretService").Keyring()

        secret_service.enter(monkeypatch)
        secret_service.store("a service", "a user", "from outside")
        assert found.get_password("a service", "a user") == "from outside"

    def test_a_locked_one_refuses_at_once_and_opens_again(self, secret_service: SecretService, python: Cli) -> None:
        secret_service.store("a service", "a user", "text")
        secret_service.lock()
        refused = python(FIND, env=secret_service.environ)
        assert "KeyringLocked" in refused.stderr
        assert refused.seconds < 5
        assert secret_service.lookup("a service", "a user") is None
        secret_service.unlock()
        assert python(FIND, env=secret_service.environ).stdout == "text\n"

    def test_a_locked_one_whose_person_is_away_never_answers(self, secret_service: SecretService, python: Cli) -> None:
        secret_service.lock()
        with secret_service.deaf_prompter():
            program = python.start(FIND, env=secret_service.environ)
            time.sleep(1)
            assert program.running
            program.destroy()

    def test_a_stopped_one_answers_when_it_goes_on(self, secret_service: SecretService, python: Cli) -> None:
        secret_service.store("a service", "a user", "text")
        secret_service.stop()
        program = python.start(FIND, env=secret_service.environ)
        time.sleep(1)
        assert program.running
        secret_service.resume()
        assert program.wait(seconds=5).stdout == "text\n"

    def test_a_killed_one_is_not_started_again(self, secret_service: SecretService, python: Cli) -> None:
        secret_service.kill()
        assert "NoKeyringError" in python(FIND, env=secret_service.environ).stderr

    def test_one_that_ended_by_itself_is_told_of(self, secret_service: SecretService, python: Cli) -> None:
        """Otherwise a daemon that has crashed looks like a keyring that our code could not find."""
        code = """
import os, signal
from tests.support.keyring_daemon import SecretService
with SecretService() as service:
    os.kill(service._daemons[-1].pid, signal.SIGSEGV)
    service._daemons[-1].wait()
"""
        ended = python(code, env={"PYTHONPATH": str(Path(__file__).parents[1])})
        assert "AssertionError: gnome-keyring-daemon ended by itself, with -11: " in ended.stderr
        assert secret_service.services() == []  # the others live

    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux ties the daemons to the tests")
    def test_a_test_run_that_is_killed_leaves_no_daemon(self, python: Cli) -> None:
        code = """
import os
from tests.support.keyring_daemon import SecretService
service = SecretService()
print(*(daemon.pid for daemon in service._daemons), service.directory, flush=True)
os._exit(9)
"""
        *pids, directory = python(code, env={"PYTHONPATH": str(Path(__file__).parents[1])}).stdout.split()
        shutil.rmtree(directory)
        assert len(pids) == 2
        wait_until_gone(*map(int, pids))

    def test_a_bus_without_one_has_none(self, bus_without_secret_service: Bus, python: Cli) -> None:
        assert "NoKeyringError" in python(FIND, env=bus_without_secret_service.environ).stderr


PAGE = b"<!doctype html><html lang=en><title>A page</title><link rel=icon href=data:,><p>Hello"


@pytest.fixture
def site() -> Iterator[str]:
    """A web server with one page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestChromium:
    def test_it_opens_a_page_and_hears_the_console(self, chromium: Chromium, site: str) -> None:
        page = chromium.page()
        answer = page.goto(site)
        assert answer is not None
        assert answer.status == 200
        assert page.title() == "A page"
        assert chromium.console == []
        page.evaluate("console.error('oh')")
        page.evaluate("setTimeout(() => { throw Error('dear') })")
        page.wait_for_timeout(50)
        assert chromium.complaints() == ["error: oh", "exception: dear"]

    def test_a_status_that_is_not_200_is_no_complaint(self, chromium: Chromium, site: str) -> None:
        chromium.page().goto(f"{site}/elsewhere")
        assert len(chromium.console) == 1
        assert chromium.complaints() == []

    def test_asyncio_works_after_a_browser_was_used(self) -> None:
        assert asyncio.run(asyncio.sleep(0, "done")) == "done"

    def test_pages_share_nothing(self, chromium: Chromium, site: str) -> None:
        first, second = chromium.page(), chromium.page()
        for page in (first, second):
            page.goto(site)
        first.evaluate("localStorage.setItem('a', 'b')")
        assert second.evaluate("localStorage.getItem('a')") is None


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 5
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, "a process is still there"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
