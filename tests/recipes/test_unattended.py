"""The README's recipes for cron, systemd and containers, run as printed in the bare environment that those give."""

from __future__ import annotations

import configparser
import os
import pwd
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.recipes.conftest import HOUR, PROGRAMS
from tests.recipes.steps import require_interpreter, weights
from tests.support.logins import Desk
from tests.support.other_user import UNKNOWN_UID, run_as_another_user
from tests.support.programs import Cli, Finished, Program
from tests.support.readme import blocks, example, section
from tests.support.visitor import visit

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parent.parent.parent
BARE = ("env", "-i")
EVERY_MORNING = blocks("sh", section("Every morning"))


@pytest.fixture
def installed(user: Desk, home: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The script for every morning is installed, and files were chosen, as for a machine without a keyring."""
    install = EVERY_MORNING[0].splitlines()[0]
    monkeypatch.delenv("WITHINGS_AUTH_STORE")
    subprocess.run(install, shell=True, cwd=ROOT, check=True)  # noqa: S602  as a reader would
    user.directory.rename(home / ".withings-auth")
    choose = blocks("sh", section("Without a screen"))[0].splitlines()[0]
    subprocess.run(choose, shell=True, check=True)  # noqa: S602  as a reader would
    return user


def bare(cli: Cli, home: Path, command: str) -> Finished:
    """Runs a shell command as cron does: in the home directory, with four variables, the usual umask, nothing else."""
    variables = (f"HOME={home}", "LOGNAME=me", "SHELL=/bin/sh", "PATH=/usr/bin:/bin")
    return cli.using(*BARE)(*variables, "/bin/sh", "-c", f'cd "$HOME"; umask 022; {command}')


class TestEveryMorning:
    def test_the_line_for_cron(self, installed: Desk, home: Path) -> None:
        """Cron's bare environment is enough, and nothing is printed that cron would mail."""
        (line,) = re.findall(r"`(\d+ \d+ [^`]*)` \(`crontab -e`\)", section("Every morning"))
        fields = line.split(maxsplit=5)
        assert re.fullmatch(r"\d+ \d+ \* \* \*", " ".join(fields[:5]))
        assert "%" not in fields[5]  # cron reads it as the end of the line
        finished = bare(installed.cli, home, fields[5])
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
        assert len(weights((home / "weights.json").read_text())) > 100

    def test_only_their_owner_can_read_the_weights(self, installed: Desk, home: Path) -> None:
        """Even if earlier runs, before the script took care of it, have left files that everybody can read."""
        for name in ("weights.json", "weights.new"):
            (home / name).touch(mode=0o644)
        finished = bare(installed.cli, home, "$HOME/.local/bin/fetch-weights")
        assert finished.returncode == 0, finished.stderr
        assert (home / "weights.json").stat().st_mode & 0o777 == 0o600
        assert not (home / "weights.new").exists()

    def test_a_failure_keeps_yesterdays_weights(self, installed: Desk, home: Path) -> None:
        """A failed fetch is reported and replaces nothing."""
        (home / "weights.json").write_text("yesterday's")
        installed.sandbox.fail_next("status", where="api", status=2554)
        finished = bare(installed.cli, home, "$HOME/.local/bin/fetch-weights")
        assert finished.returncode == 1
        assert "status 2554" in finished.stderr
        assert (home / "weights.json").read_text() == "yesterday's"

    @pytest.mark.parametrize("program", ["notify-send", "mail"])
    def test_the_person_is_told_when_a_login_has_ended(self, installed: Desk, home: Path, program: str) -> None:
        """By a job that nobody watches, and only the first time."""
        (block,) = blocks("toml", section("When a login has ended"))
        (recipe,) = (line.removeprefix("# ") for line in block.splitlines() if program in line)
        with (home / ".config" / "withings-auth" / "config.toml").open("a") as config:
            config.write(f"{recipe}\n")
        told = home / "told"
        notifier = home / ".local" / "bin" / program
        notifier.write_text('#!/bin/sh\n{ echo "$*"; cat; } >>"$HOME/new" && cp "$HOME/new" "$HOME/told"\n')
        notifier.chmod(0o700)
        installed.directory = home / ".withings-auth"
        installed.grow_older(3 * HOUR)
        installed.sandbox.kill_refresh_token()
        for _ in range(2):
            assert bare(installed.cli, home, "$HOME/.local/bin/fetch-weights").returncode == 3
        installed.wait_for(told.exists)
        user = pwd.getpwuid(os.geteuid()).pw_name
        before = {"notify-send": "Withings ", "mail": f"-s Log in to Withings again {user}\n"}[program]
        assert told.read_text().startswith(f"{before}Withings has ended the login of profile default")
        assert told.read_text().count("log in: withings-auth login") == 1

    def test_the_systemd_units(self, installed: Desk, home: Path, require: Require) -> None:
        """systemd accepts them, and the command that the service starts works in a service's environment."""
        _, copy, enable = EVERY_MORNING[0].splitlines()
        assert enable == "systemctl --user enable --now fetch-weights.timer"
        subprocess.run(copy, shell=True, cwd=ROOT, check=True)  # noqa: S602  as a reader would
        units = home / ".config" / "systemd" / "user"
        service, timer = ((units / f"fetch-weights.{kind}").read_text() for kind in ("service", "timer"))
        (command,) = re.findall(r"(?m)^ExecStart=(.*)$", service)
        finished = bare(installed.cli, home, command.replace("%h", str(home)))
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
        assert (home / "weights.json").exists()
        parsed = configparser.ConfigParser(interpolation=None)
        parsed.read_string(timer)
        assert parsed["Install"]["WantedBy"] == "timers.target"
        require_interpreter(require, "systemd-analyze")
        analyze = installed.cli.using("systemd-analyze")
        verdict = analyze("--user", "verify", *(str(path) for path in sorted(units.iterdir())))
        assert (verdict.returncode, verdict.stderr) == (0, "")
        assert "Normalized form" in analyze("calendar", parsed["Timer"]["OnCalendar"]).stdout


class TestInAContainer:
    def test_the_image(self) -> None:
        """It copies exactly the files that an installation reads; the store is its owner's alone."""
        image = example("Dockerfile")
        build = blocks("sh", section("In a container"))[0].splitlines()[0]
        assert build == "docker build -t withings -f tests/examples/Dockerfile ."
        copied = [word for line in re.findall(r"(?m)^COPY (.*) /src", image) for word in line.split()]
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert {"pyproject.toml", "withings_auth", "README.md", *project["license-files"]} == set(copied)
        assert all((ROOT / name).exists() for name in copied)
        assert "install -d -o me -m 700 /store" in image
        assert re.findall(r"(?m)^(?:USER|VOLUME) (.*)", image) == ["me", "/store"]
        assert 'ENTRYPOINT ["withings-auth"]' in image

    def test_a_login_in_one_container_serves_the_next(self, desk: Desk, home: Path) -> None:
        """The image's variables and the arguments of `docker run` are enough; only the volume is passed on."""
        image = example("Dockerfile")
        _, login, api = blocks("sh", section("In a container"))[0].splitlines()
        volume = home / "volume"
        prefix = run_as_another_user(desk.cli)
        owner = str(UNKNOWN_UID) if prefix else str(os.getuid())
        assert "login --listen 0.0.0.0:8000" in login
        (install,) = re.findall(r"install -d -o me -m 700 /store", image)
        subprocess.run(install.replace("me", owner).replace("/store", str(volume)).split(), check=True)
        (variable,) = re.findall(r"(?m)^ENV (.*)", image)
        variables = (variable.replace("/store", str(volume)), f"PATH={PROGRAMS}:/usr/bin:/bin", "LANG=C.UTF-8")

        def container(line: str, *more: str) -> Program:
            words = shlex.split(line.replace("8000", str(desk.port)))
            place = home / f"container-{len(list(home.iterdir()))}"
            subprocess.run(["install", "-d", "-o", owner, place], check=True)
            inside = desk.cli.using(*prefix, *BARE, f"HOME={place}", *variables, *more, "withings-auth")
            return inside.on_terminal(*words[words.index("withings") + 1 :])

        names = ("WITHINGS_AUTH_API_URL", "WITHINGS_AUTH_AUTHORIZE_URL", "WITHINGS_REDIRECT_URI")
        pending = container(login, "BROWSER=", *(f"{name}={desk.env[name]}" for name in names))
        for question, answer in (
            ("Client id", desk.sandbox.client_id),
            ("Client secret", desk.sandbox.client_secret),
            ("Redirect URI", ""),
            ("Scopes", ""),
        ):
            pending.screen.expect(re.escape(question) + r".*?[:\]] $")
            pending.type(f"{answer}\n")
        pending.screen.expect("warning")
        visit(pending.screen.line(r"^http\S+").strip())
        assert pending.wait().returncode == 0, pending.screen.text
        assert {path.stat().st_uid for path in volume.rglob("*")} == {int(owner)}
        assert container(api).wait().screen.count(",kg,Body+\n") == 100
