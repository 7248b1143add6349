"""`withings-auth doctor` as a person, a bug tracker and a program get to see it."""

from __future__ import annotations

import getpass
import json
import re
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.logins import Sandbox, free_port, set_up_desk
from withings_auth.doctor.checklist import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.canaries import Canaries
    from tests.support.keyring_daemon import Bus, SecretService
    from tests.support.logins import Desk
    from tests.support.programs import Cli, Finished

BROWSER = sys.executable


@pytest.fixture(autouse=True)
def _a_quiet_machine(desk: Desk) -> None:
    """What differs between machines is set: which browser there is, and whether certificates lie elsewhere."""
    desk.env |= {"BROWSER": BROWSER, "SSL_CERT_FILE": None, "HTTPS_PROXY": None, "https_proxy": None}


def findings(finished: Finished) -> dict[str, dict[str, str]]:
    """The lines of a `--json` answer by their names; each name must be there, once and in its place."""
    assert finished.stderr in {"", "Waiting for your keyring: unlock it if a window asks for its password.\n"}
    content = json.loads(finished.stdout)
    assert content["format_version"] == 1
    lines: list[dict[str, str]] = content["findings"]
    assert tuple(line["name"] for line in lines) == NAMES
    counted = {verdict: sum(line["verdict"] == verdict for line in lines) for verdict in content["counts"]}
    assert content["counts"] == counted
    assert finished.returncode == (1 if counted["failed"] else 0)
    return {line["name"]: line for line in lines}


def verdicts(finished: Finished, *names: str) -> tuple[str, ...]:
    """How these checks came out."""
    found = findings(finished)
    return tuple(found[name]["verdict"] for name in names)


def failures(finished: Finished) -> set[str]:
    """The checks that failed."""
    return {name for name, line in findings(finished).items() if line["verdict"] == "failed"}


def files(home: Path) -> set[Path]:
    """Everything that lies in the person's home."""
    return set(home.rglob("*"))


def with_keyring(desk: Desk, bus: Bus) -> None:
    """From here on the desk's programs use the keyring of this bus."""
    desk.env.update(bus.environ)
    desk.env["WITHINGS_AUTH_STORE"] = None


REPORT = """\
ok       Python        CPython N.N.N (PYTHON) on MACHINE
ok       Packages      withings-auth N.N.N; PACKAGES
ok       Machine       WHERE
ok       Browser       PYTHON, named by BROWSER
warning  Settings      no ~/.config/withings-auth/config.toml; variables set: BROWSER, DBUS_SESSION_BUS_ADDRESS, \
PYTHON_KEYRING_BACKEND, WITHINGS_AUTH_API_URL, WITHINGS_AUTH_AUTHORIZE_URL, WITHINGS_AUTH_PROFILE, \
WITHINGS_AUTH_STORE, WITHINGS_CLIENT_ID, WITHINGS_CLIENT_SECRET, WITHINGS_REDIRECT_URI; the service is SANDBOX, not \
Withings'
         hint: unset WITHINGS_AUTH_API_URL if you did not mean to set it
ok       Store         files in ~/store, as configured; no keyring is used
ok       Store works   saved, read and removed a record in N ms
ok       Permissions   files in ~/store are for you alone (2 records)
ok       Lock          a lock in ~/store keeps others out (TYPE)
skipped  Session bus   files need no session bus
ok       App           client id sand…; its client secret is in the environment
ok       Redirect URI  http://localhost:PORT; a login listens on 127.0.0.1:PORT and [::1]:PORT
ok       Port          127.0.0.1:PORT and [::1]:PORT free
ok       Clock         agrees with Withings' to the second
ok       Credentials   Withings accepts this client id with this client secret
ok       Login         user 3821…, user.info, user.metrics, user.activity, user.sleepevents; lasts until DATE
ok       Token         Withings accepts the access token

17 checks: 15 ok, 1 to look at, 1 skipped
"""


def named(text: str, desk: Desk) -> str:
    """The text with names in place of what differs between machines and runs."""
    text = text.replace(desk.sandbox.url, "SANDBOX").replace(str(desk.port), "PORT")
    text = text.replace(Path(BROWSER).name, "PYTHON")
    text = re.sub(r"(CPython \S+ \()[\w.]+(\) on )\w+", r"\1PYTHON\2MACHINE", text)
    text = re.sub(r"(Machine +).*", r"\1WHERE", text)
    text = re.sub(r"keeps others out \(\w+\)", "keeps others out (TYPE)", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE", text)
    text = re.sub(r"in \d+ ms(, which is slow)?", "in N ms", text)
    text = re.sub(r"withings-auth [\d.]+; .*", "withings-auth N.N.N; PACKAGES", text)
    return re.sub(r"CPython [\d.]+\w*", "CPython N.N.N", text)


@pytest.mark.skipif(sys.platform != "linux", reason="the report is of Linux")
def test_the_report_of_a_machine_where_all_is_well(desk: Desk, home: Path) -> None:
    """A line for each check, the answer alone on stdout, exit 0; and nothing in the person's home is changed."""
    desk.put_login()
    assert desk.run("status").returncode == 0  # which has made the lock of the login, as any command does
    before = files(home)
    finished = desk.run("doctor")
    assert named(finished.stdout, desk) == REPORT
    assert (finished.stderr, finished.returncode) == ("", 0)
    assert files(home) == before


def test_the_report_says_nothing_of_the_person(desk: Desk, home: Path) -> None:
    """Statement 23: no secret, no whole id, no home, no user's and no machine's name."""
    grant = desk.put_login()
    desk.env["WITHINGS_REDIRECT_URI"] = "https://weight.annas-domain.example/back"
    (home / "store" / "token" / "default.json").chmod(0o644)
    for flags in ([], ["--json"]):
        said = desk.run("doctor", *flags).stdout
        for private in (
            grant.userid,
            grant.client_id,
            str(home),
            socket.gethostname(),
            f"/{getpass.getuser()}/",
            "annas-domain",
        ):
            assert private not in said
        assert "https://HOST/back" in said


def test_a_fresh_machine_is_not_shouted_at(cli: Cli, home: Path, sandbox_alone: Sandbox) -> None:
    """No app, nobody logged in: warnings with the command to type, exit 0."""
    before = files(home)
    finished = cli(
        "doctor",
        "--json",
        env={
            "WITHINGS_AUTH_STORE": f"file:{home / 'store'}",
            "WITHINGS_AUTH_API_URL": sandbox_alone.url,
            "WITHINGS_REDIRECT_URI": f"http://localhost:{free_port()}",
        },
    )
    found = findings(finished)
    assert found["App"]["remedy"] == "set up your app's credentials: withings-auth configure"
    assert found["Login"]["remedy"] == "log in: withings-auth login"
    assert verdicts(finished, "App", "Credentials", "Login", "Token") == ("warning", "skipped", "warning", "skipped")
    assert finished.returncode == 0
    assert files(home) == before


@pytest.fixture
def sandbox_alone() -> Iterator[Sandbox]:
    """A service that the person has no app at."""
    with Sandbox() as running:
        yield running


class TestWithings:
    def test_offline_nothing_is_asked(self, desk: Desk) -> None:
        desk.put_login()
        desk.env["WITHINGS_AUTH_API_URL"] = f"http://127.0.0.1:{free_port()}"
        finished = desk.run("doctor", "--json", "--offline", WITHINGS_AUTH_API_URL=desk.sandbox.url)
        assert verdicts(finished, "Clock", "Credentials", "Login", "Token") == ("skipped", "skipped", "ok", "skipped")
        assert desk.sandbox.counters.refusals == 0
        assert desk.sandbox.counters.nonces == 0

    def test_without_a_network_one_check_fails_and_the_rest_is_skipped(self, desk: Desk) -> None:
        finished = desk.run("doctor", "--json", WITHINGS_AUTH_API_URL=f"http://127.0.0.1:{free_port()}")
        assert failures(finished) == {"Clock"}
        assert findings(finished)["Clock"]["remedy"].startswith("check the network")
        assert findings(finished)["Credentials"]["words"] == "Withings cannot be reached"

    def test_a_silent_service_is_not_waited_for(self, desk: Desk) -> None:
        """Statement 32: five seconds for the first request, and no other follows."""
        desk.sandbox.fail_next("slow", where="signature", seconds=60)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Clock"}
        assert finished.seconds < 15

    def test_a_wrong_clock(self, cli: Cli, canaries: Canaries, home: Path) -> None:
        port = free_port()
        with Sandbox(redirect_uris=[f"http://localhost:{port}"], now=lambda: 1_600_000_000.0) as then:
            other = set_up_desk(cli, canaries, home, then, f"http://localhost:{port}", port)
            found = findings(other.run("doctor", "--json"))["Clock"]
            assert found["verdict"] == "failed"
            assert "ahead of Withings'" in found["words"]
            other.plant_secrets()

    def test_a_wrong_secret(self, desk: Desk, canaries: Canaries) -> None:
        wrong = canaries.plant("a wrong client secret")
        finished = desk.run("doctor", "--json", WITHINGS_CLIENT_SECRET=wrong)
        assert failures(finished) == {"Credentials"}
        assert "withings-auth configure" in findings(finished)["Credentials"]["remedy"]

    def test_an_expired_token_is_renewed_as_any_program_would(self, desk: Desk) -> None:
        desk.put_login(age=10_900)
        desk.sandbox.expire_access_token()
        assert verdicts(desk.run("doctor", "--json"), "Login", "Token") == ("ok", "ok")
        assert desk.sandbox.live_access_tokens

    def test_a_login_that_withings_has_ended(self, desk: Desk) -> None:
        desk.put_login(age=10_900)
        desk.sandbox.revoke_person()
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Token"}
        assert findings(finished)["Token"]["remedy"] == "log in: withings-auth login"

    def test_an_outage_says_nothing_of_the_token(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("html", where="measure")
        found = findings(desk.run("doctor", "--json"))["Token"]
        assert (found["verdict"], found["words"][:12]) == ("warning", "cannot tell:")

    def test_scopes_that_allow_no_call(self, desk: Desk) -> None:
        desk.put_login(scopes=("user.activity",))
        found = findings(desk.run("doctor", "--json"))["Token"]
        assert (found["verdict"], found["words"][:12]) == ("ok", "got a token;")


class TestSetup:
    def test_a_configuration_that_cannot_be_read(self, desk: Desk, home: Path) -> None:
        """What hangs on it is skipped, and nothing is guessed."""
        (home / ".config" / "withings-auth").mkdir(parents=True)
        (home / ".config" / "withings-auth" / "config.toml").write_text("nonsense")
        finished = desk.run("doctor", "--json")
        found = findings(finished)
        assert failures(finished) == {"Settings"}
        assert "is not TOML" in found["Settings"]["words"]
        assert {found[name]["verdict"] for name in NAMES[5:]} == {"skipped"}

    @pytest.mark.parametrize(("flag", "name"), [("--profile", "../x"), ("--profile", "nul")])
    def test_a_profile_that_cannot_be_one(self, desk: Desk, flag: str, name: str) -> None:
        assert failures(desk.run("doctor", "--json", flag, name)) == {"Settings"}

    def test_a_store_that_is_none(self, desk: Desk) -> None:
        finished = desk.run("doctor", "--json", WITHINGS_AUTH_STORE="file:relative")
        assert failures(finished) == {"Store"}
        assert verdicts(finished, "Store works", "App", "Token") == ("skipped",) * 3

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
    def test_a_port_that_is_taken_in_one_family_only(self, desk: Desk, host: str) -> None:
        """Statement 4: it is named, with who holds it."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, desk.port), family=family):
            finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Port"}
        assert f":{desk.port}" in findings(finished)["Port"]["words"]

    def test_a_redirect_uri_that_can_never_work(self, desk: Desk) -> None:
        finished = desk.run("doctor", "--json", WITHINGS_REDIRECT_URI="http://localhost:8000#x")
        assert failures(finished) == {"Redirect URI"}
        assert verdicts(finished, "Port") == ("skipped",)

    def test_a_file_that_others_can_read(self, desk: Desk, home: Path) -> None:
        desk.put_login()
        (home / "store" / "token" / "default.json").chmod(0o644)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Permissions", "Login"}
        assert findings(finished)["Permissions"]["remedy"] == "chmod 600 ~/store/token/default.json"
        assert verdicts(finished, "Store works", "Token") == ("ok", "skipped")

    def test_a_directory_that_others_can_read(self, desk: Desk, home: Path) -> None:
        """Then the store takes no record at all, and what it holds is not asked for."""
        desk.put_login()
        (home / "store").chmod(0o755)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Store works", "Permissions", "Lock"}
        assert verdicts(finished, "App", "Login", "Token") == ("skipped",) * 3


class TestKeyring:
    def test_a_real_one(self, desk: Desk, secret_service: SecretService, home: Path) -> None:
        """A probe is saved, read and removed; the real records, the index and the home stay as they were."""
        with_keyring(desk, secret_service)
        assert desk.run("login", BROWSER=f"{sys.executable} -m withings_auth.sandbox.visitor").returncode == 0
        records, before = secret_service.services(), files(home)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == set()
        names = ("Store", "Store works", "Permissions", "Lock", "App", "Login", "Token")
        assert verdicts(finished, *names) == ("ok", "ok", "skipped", "ok", "ok", "ok", "ok")
        assert "Secret Service" in findings(finished)["Store"]["words"]
        assert "ms" in findings(finished)["Store works"]["words"]
        assert secret_service.services() == records
        assert files(home) == before

    def test_a_bus_without_a_keyring(self, desk: Desk, bus_without_secret_service: Bus, home: Path) -> None:
        with_keyring(desk, bus_without_secret_service)
        before = files(home)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Store"}
        assert "WITHINGS_AUTH_STORE=file:" in findings(finished)["Store"]["remedy"]
        assert verdicts(finished, "Store works", "Lock", "App", "Login") == ("skipped", "ok", "skipped", "skipped")
        assert files(home) == before

    @pytest.mark.parametrize("trouble", ["lock", "stop", "kill"])
    def test_one_that_cannot_be_used(self, desk: Desk, secret_service: SecretService, home: Path, trouble: str) -> None:
        """Statement 32: locked, hanging or gone: it is asked once, and not again by every later check."""
        with_keyring(desk, secret_service)
        getattr(secret_service, trouble)()
        before = files(home)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Store" if trouble == "kill" else "Store works"}
        assert finished.seconds < 30
        assert verdicts(finished, "App", "Login", "Token") == ("skipped",) * 3
        assert files(home) == before

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_an_interrupt_leaves_no_probe(
        self, desk: Desk, secret_service: SecretService, home: Path, number: signal.Signals, code: int
    ) -> None:
        """Ctrl-C while the keyring has a record to save: once it goes on, the record is removed again."""
        with_keyring(desk, secret_service)
        before = files(home)
        secret_service.stop()
        program = desk.cli.start("doctor", env=desk.env)
        program.stdout.line("Settings")
        desk.wait_for(lambda: list(home.rglob("probe/*.lock")) != [])
        program.signal(number)
        secret_service.resume()
        finished = program.wait()
        assert finished.returncode == code
        assert "Traceback" not in finished.stderr
        assert secret_service.services() == []
        assert files(home) == before


class TestForAPerson:
    def test_marks_are_coloured_on_a_terminal_alone(self, desk: Desk) -> None:
        """NO_COLOR is respected, as everywhere."""
        coloured = desk.cli.on_terminal("doctor", "--offline", env={**desk.env, "NO_COLOR": None})
        screen = coloured.wait().screen
        assert "\x1b[32mok     \x1b[0m  Python" in screen
        assert "\x1b[33mwarning\x1b[0m  Settings" in screen
        assert "\x1b[1mhint:\x1b[0m " in screen
        plain = desk.cli.on_terminal("doctor", "--offline", env=desk.env)
        assert "\x1b[" not in plain.wait().screen

    def test_a_failure_is_loud_and_counted(self, desk: Desk) -> None:
        finished = desk.run("doctor", WITHINGS_AUTH_STORE="file:relative")
        assert "\nFAILED   Store         “file:relative” is not a store\n         hint: a store is " in finished.stdout
        assert finished.stdout.rstrip().splitlines()[-1].startswith("17 checks: ")
        assert ", 1 failed, " in finished.stdout
        assert finished.returncode == 1

    def test_each_line_comes_as_soon_as_it_is_known(self, desk: Desk) -> None:
        desk.sandbox.fail_next("slow", where="signature", seconds=60)
        program = desk.cli.start("doctor", env=desk.env)
        program.stdout.line("Port")
        assert program.running
        program.wait()

    def test_the_help_says_what_is_left_out(self, desk: Desk) -> None:
        said = desk.run("doctor", "--help").stdout
        assert "can be pasted into a bug report" in said
        assert "--offline" in said
