"""The README's recipes, each run as it stands, with the sandbox in Withings' place."""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from tests.conftest import Require
from tests.support.logins import Desk
from tests.support.programs import Cli, Finished, Program
from tests.support.readme import asking, blocks, recipe_with, rows, section
from withings_auth import AsyncTokenSource, TokenSource
from withings_auth.sandbox.visitor import visit

PROGRAMS = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent
HOUR = 3600
SOMEBODY = 10_001
"""The id of a user whom no machine knows."""
BARE = ("env", "-i")


@pytest.fixture
def person(desk: Desk, home: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Somebody who is logged in, an hour ago, and has the command where pipx puts it; nothing but the store is set."""
    assert desk.log_in().returncode == 0
    desk.grow_older(HOUR)
    desk.sandbox.advance(HOUR)
    local = home / ".local" / "bin"
    local.mkdir(parents=True)
    (local / "withings-auth").symlink_to(PROGRAMS / "withings-auth")
    monkeypatch.setenv("PATH", f"{local}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{desk.directory}")
    return desk


def needs_interpreter(name: str) -> None:
    """Skips where the machine has nothing that could run the recipe, in CI too."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not on this machine")


def weights(text: str) -> list[dict[str, Any]]:
    """The measures in an answer of Withings, enveloped or not."""
    answer = json.loads(text)
    groups: list[dict[str, Any]] = answer.get("body", answer)["measuregrps"]
    assert {measure["type"] for group in groups for measure in group["measures"]} == {1}
    return groups


def in_shell(person: Desk, script: str, **env: str) -> Finished:
    """Runs the lines in a shell, which stops where one fails; they may print access tokens."""
    shown: list[str] = []
    finished = person.cli.using("sh")("-ec", script, env=env, allow=shown)
    shown += person.sandbox.live_access_tokens
    return finished


class TestInTheShell:
    def test_curl(self, person: Desk, require: Require) -> None:
        """Statement 25: the line gets data; the token comes from standard input, and stands in no argument."""
        require("curl", shutil.which("curl"), "the recipe for curl needs it")
        (recipe,) = blocks("sh", section("curl"))
        assert "-H @-" in recipe
        assert len(weights(in_shell(person, asking(person.sandbox.url, recipe)).stdout)) == 100

    def test_the_ways_to_a_token(self, person: Desk, home: Path) -> None:
        """`api`, `run`, `--env` and `--json`, in one shell as they stand; the token lives as long as is said."""
        (recipe,) = blocks("sh", section("Use the token"))
        (home / "weights.py").write_text("import os; print('token', len(os.environ['WITHINGS_ACCESS_TOKEN']))")
        finished = in_shell(person, f'cd\n{recipe}echo "env ${{#WITHINGS_ACCESS_TOKEN}}"')
        assert finished.returncode == 0, finished.stderr
        everything, token, rest = re.split(r"(?m)^(token \d+)$", finished.stdout)
        length = len(person.sandbox.live_access_tokens[-1])
        assert len(weights(everything)) > 100
        assert token == f"token {length}"
        assert rest.splitlines()[-1] == f"env {length}"
        assert json.loads("\n".join(rest.splitlines()[:-1]))["expires_at"] - time.time() >= 9000

    def test_a_refused_token(self, person: Desk) -> None:
        """What is printed instead is another one."""
        (recipe,) = re.findall(r"`(printenv [^`]*)`", section("Use the token"))
        held = in_shell(person, "withings-auth token").stdout.strip()
        person.sandbox.expire_access_token()
        finished = in_shell(person, recipe, REFUSED=held)
        assert finished.stdout.strip() == person.sandbox.live_access_tokens[-1] != held

    def test_configure(self, person: Desk, home: Path) -> None:
        """The three ways to say which app it is, and the check."""
        (recipe,) = blocks("sh", section("Your own app"))
        app = person.sandbox
        (home / "credentials.sh").write_text(
            f"export CLIENT_ID={app.client_id}\nexport CLIENT_SECRET={app.client_secret}"
        )
        (home / "secret").write_text(app.client_secret)
        finished = in_shell(person, f"cd\n{recipe}", ID=app.client_id, WITHINGS_AUTH_API_URL=app.url)
        assert finished.returncode == 0, finished.stderr
        assert finished.stderr.count("Saved: the client secret") == 2

    def test_import(self, person: Desk, home: Path) -> None:
        """The file of the tool that is named becomes a login, and is gone."""
        (recipe,) = blocks("sh", section("Log in"))
        pair = person.sandbox.issue_pair()
        theirs = home / ".withings_user.json"
        tokens = {"access_token": pair.access_token, "refresh_token": pair.refresh_token}
        theirs.write_text(json.dumps({**tokens, "userid": pair.userid, "authentification_code": "spent"}))
        theirs.chmod(0o600)
        env = {"WITHINGS_CLIENT_ID": person.sandbox.client_id, "WITHINGS_AUTH_API_URL": person.sandbox.url}
        finished = in_shell(person, recipe, **env)
        assert finished.returncode == 0, finished.stderr
        assert "Recognised: the file of withings-sync." in finished.stderr
        assert not theirs.exists()

    def test_the_monitor(self, person: Desk, home: Path) -> None:
        """It tells somebody when a login is needed, and neither while all is well nor during an outage."""
        (recipe,) = blocks("sh", section("A monitor"))
        told = home / "told"
        notify = home / ".local" / "bin" / "notify-send"
        notify.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(told))}\n')
        notify.chmod(0o700)
        assert in_shell(person, recipe).returncode == 0
        person.sandbox.fail_next("bad_gateway", where="api")
        in_shell(person, recipe)
        assert not told.exists()
        person.grow_older(3 * HOUR)
        person.sandbox.kill_refresh_token()
        in_shell(person, recipe)
        assert told.read_text() == "Log in to Withings again\n"


class TestInOtherLanguages:
    def test_javascript(self, person: Desk, home: Path) -> None:
        """The script prints the weights; a token that is refused is renewed, once."""
        needs_interpreter("node")
        (recipe,) = blocks("javascript")
        script = home / "weights.mjs"
        script.write_text(asking(person.sandbox.url, recipe))
        refreshes = person.sandbox.counters.refreshes
        person.sandbox.expire_access_token()
        finished = person.cli.using("node")(str(script))
        assert finished.returncode == 0, finished.stderr
        assert re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d\.\d kg\n){100}", finished.stdout)
        assert person.sandbox.counters.refreshes == refreshes + 1
        person.sandbox.advance(11)
        person.sandbox.fail_next("status", where="api", status=2554)
        refused = person.cli.using("node")(str(script))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Withings says 2554" in refused.stderr

    @pytest.mark.timeout(400)
    def test_go(self, person: Desk, home: Path) -> None:
        """The program prints the answer, and is formatted as Go's own tool does it."""
        needs_interpreter("go")
        (recipe,) = blocks("go")
        source = home / "weights.go"
        source.write_text(asking(person.sandbox.url, recipe))
        assert person.cli.using("gofmt")("-l", str(source)).stdout == ""
        finished = person.cli.using("go")("run", str(source), env={"GOTOOLCHAIN": "local"}, seconds=300)
        assert len(weights(finished.stdout)) == 100, finished.stderr

    def test_the_http_library_in_full(self, person: Desk) -> None:
        """The example with requests prints the devices."""
        printed = io.StringIO()
        recipe = asking(person.sandbox.url, recipe_with("print(session.post("))
        with contextlib.redirect_stdout(printed):
            exec(compile(recipe, "README.md", "exec"), {})  # noqa: S102  a reader of it does the same
        assert "'model': 'Body+'" in printed.getvalue()

    @pytest.mark.parametrize("row", rows(section("With an HTTP library")), ids=lambda row: row[0])
    def test_the_http_libraries(self, person: Desk, row: list[str]) -> None:
        """What each library is given works as it stands, with the name from where the table says."""
        _, given, module = (cell.strip("`") for cell in row)
        names: dict[str, Any] = {"aiohttp": aiohttp, "httpx": httpx, "session": requests.Session()}
        names |= {"TokenSource": TokenSource, "AsyncTokenSource": AsyncTokenSource}
        (adapter,) = re.findall(r"\b\w*Bearer\w+", given)
        call: dict[str, Any] = {"url": f"{person.sandbox.url}/v2/user", "data": {"action": "getdevice"}}

        async def asked() -> Any:
            exec(f"from {module} import {adapter}\n{given if '= ' in given else f'session = {given}'}", names)  # noqa: S102  as above
            session = names["session"]
            if isinstance(session, httpx.Client | requests.Session):
                with session:
                    return session.post(**call).json()
            async with session:
                answer = await session.post(**call)
                return await answer.json() if isinstance(session, aiohttp.ClientSession) else answer.json()

        assert [device["model"] for device in asyncio.run(asked())["body"]["devices"]] == ["Body+", "Steel HR"]


@pytest.fixture
def installed(person: Desk, home: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The script of every morning is installed, and the store is named in the file that the README says."""
    (script,) = blocks("sh", section("Every morning"))
    monkeypatch.delenv("WITHINGS_AUTH_STORE")
    fetch = home / ".local" / "bin" / "fetch-weights"
    fetch.write_text(script)
    fetch.chmod(0o700)
    (line,) = blocks("toml", section("Every morning"))
    (home / ".config" / "withings-auth").mkdir(parents=True)
    (home / ".config" / "withings-auth" / "config.toml").write_text(line)
    person.directory.rename(home / ".withings-auth")
    return person


def bare(cli: Cli, home: Path, command: str) -> Finished:
    """Runs a shell's command as cron does: from the home directory, with four variables and none of the person's."""
    told = (f"HOME={home}", "LOGNAME=me", "SHELL=/bin/sh", "PATH=/usr/bin:/bin")
    return cli.using(*BARE)(*told, "/bin/sh", "-c", f'cd "$HOME"; {command}')


class TestEveryMorning:
    def test_the_line_for_cron(self, installed: Desk, home: Path) -> None:
        """Cron's bare environment is enough; nothing is printed that would be mailed."""
        (line,) = blocks("crontab")
        fields = line.split(maxsplit=5)
        assert re.fullmatch(r"\d+ \d+ \* \* \*", " ".join(fields[:5]))
        assert "%" not in fields[5]  # which cron takes for a line's end
        finished = bare(installed.cli, home, fields[5])
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
        assert len(weights((home / "weights.json").read_text())) > 100

    def test_a_failure_keeps_yesterdays_weights(self, installed: Desk, home: Path) -> None:
        """What cannot be fetched replaces nothing, and is said."""
        (home / "weights.json").write_text("yesterday's")
        installed.sandbox.fail_next("status", where="api", status=2554)
        finished = bare(installed.cli, home, "$HOME/.local/bin/fetch-weights")
        assert finished.returncode == 1
        assert "status 2554" in finished.stderr
        assert (home / "weights.json").read_text() == "yesterday's"

    def test_the_systemd_units(self, installed: Desk, home: Path) -> None:
        """systemd finds no fault with them, and what the service starts works in a service's environment."""
        service, timer = blocks("ini", section("Every morning"))
        units = home / ".config" / "systemd" / "user"
        units.mkdir(parents=True)
        (units / "fetch-weights.service").write_text(service)
        (units / "fetch-weights.timer").write_text(timer)
        (command,) = re.findall(r"(?m)^ExecStart=(.*)$", service)
        finished = bare(installed.cli, home, command.replace("%h", str(home)))
        assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
        assert (home / "weights.json").exists()
        parsed = configparser.ConfigParser(interpolation=None)
        parsed.read_string(timer)
        assert parsed["Install"]["WantedBy"] == "timers.target"
        needs_interpreter("systemd-analyze")
        analyze = installed.cli.using("systemd-analyze")
        verdict = analyze("--user", "verify", *(str(path) for path in sorted(units.iterdir())))
        assert (verdict.returncode, verdict.stderr) == (0, "")
        assert "Normalized form" in analyze("calendar", parsed["Timer"]["OnCalendar"]).stdout


def as_somebody_else(person: Desk) -> tuple[str, ...]:
    """What starts a program as another user, who may read what we may; nothing where that cannot be done."""
    capabilities = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    prefix = ("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", *capabilities)
    if os.geteuid() != 0 or not shutil.which("setpriv") or person.cli.using(*prefix)("true").returncode != 0:
        return ()
    return prefix


class TestInAContainer:
    def test_the_image(self) -> None:
        """What is copied is there, and is all that an installation reads; the store is for its owner alone."""
        (image,) = blocks("dockerfile")
        copied = [word for line in re.findall(r"(?m)^COPY (.*) /src", image) for word in line.split()]
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert {"pyproject.toml", "withings_auth", project["readme"], *project["license-files"]} == set(copied)
        assert all((ROOT / name).exists() for name in copied)
        assert "install -d -o me -m 700 /store" in image
        assert re.findall(r"(?m)^(?:USER|VOLUME) (.*)", image) == ["me", "/store"]
        assert 'ENTRYPOINT ["withings-auth"]' in image

    def test_a_login_in_one_container_serves_the_next(self, desk: Desk, home: Path) -> None:
        """The image's variables and the arguments of `docker run` suffice; the volume alone goes on to the next."""
        (image,) = blocks("dockerfile")
        _, login, api = blocks("sh", section("A container"))[0].splitlines()
        volume = home / "volume"
        prefix = as_somebody_else(desk)
        owner = str(SOMEBODY) if prefix else str(os.getuid())
        assert "login --listen 0.0.0.0:8000" in login
        (made,) = re.findall(r"install -d -o me -m 700 /store", image)
        subprocess.run(made.replace("me", owner).replace("/store", str(volume)).split(), check=True)
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
            ("Open the dashboard", ""),
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
        assert len(weights(container(api).wait().screen.partition("There is more")[0])) == 100
