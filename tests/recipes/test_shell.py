"""The README's recipes for the shell, run as printed against the sandbox."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.recipes.conftest import HOUR
from tests.recipes.steps import in_shell, weights
from tests.support.logins import Desk
from tests.support.readme import asking, blocks, example, section
from withings_auth.cli.commands import status

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_curl(user: Desk, require: Require) -> None:
    """Statement 25: the line fetches data; curl reads the token from stdin, so it is in no argument."""
    require("curl", shutil.which("curl"), "the recipe for curl needs it")
    (recipe,) = (line for line in "".join(blocks("sh", section("In the shell"))).splitlines() if "curl" in line)
    assert "-H @-" in recipe
    assert len(weights(in_shell(user, asking(user.sandbox.url, recipe)).stdout)) == 100


def test_the_ways_to_a_token(user: Desk, home: Path) -> None:
    """`api`, `run`, `--env` and `--json` in one shell, as printed; the token lives as long as promised."""
    recipe = blocks("sh", section("In the shell"))[0]
    (home / "weights.py").write_text("import os; print('token', len(os.environ['WITHINGS_ACCESS_TOKEN']))")
    finished = in_shell(user, f'cd\n{recipe}echo "env ${{#WITHINGS_ACCESS_TOKEN}}"')
    assert finished.returncode == 0, finished.stderr
    everything, token, rest = re.split(r"(?m)^(token \d+)$", finished.stdout)
    length = len(user.sandbox.live_access_tokens[-1])
    everything, weights_alone = everything.split("date,value\n")
    assert {"weight", "fat ratio", "heart pulse"} <= {row["type"] for row in csv.DictReader(everything.splitlines())}
    assert re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d\d(\.\d+)?\n){100,}", weights_alone)
    assert token == f"token {length}"
    assert rest.splitlines()[-1] == f"env {length}"
    assert json.loads("\n".join(rest.splitlines()[:-1]))["expires_at"] - time.time() >= 9000


def test_the_chart(user: Desk, home: Path, require: Require) -> None:
    """The file has all weights in kilograms, the picture is drawn from them, and only their owner can read either."""
    require("matplotlib", importlib.util.find_spec("matplotlib"), "the example draws with it")
    (block,) = (block for block in blocks("sh", section("In the shell")) if "chart.py" in block)
    recipe = "\n".join(line for line in block.splitlines() if "curl" not in line)
    (home / "tests" / "examples").mkdir(parents=True)
    (home / "tests" / "examples" / "chart.py").write_text(example("chart.py"))
    python = home / ".local" / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o700)
    finished = in_shell(user, f"cd\n{recipe}")
    assert finished.returncode == 0, finished.stderr
    rows = list(csv.DictReader((home / "weights.csv").read_text().splitlines()))
    assert len(rows) > 250
    assert {(row["type"], row["unit"], 50 < float(row["value"]) < 100) for row in rows} == {("weight", "kg", True)}
    picture = home / "weights.png"
    count_blue = (
        "import sys; from matplotlib.image import imread; picture = imread(sys.argv[1]);"
        "print((picture[:, :, 2] > picture[:, :, 0] + 0.4).sum())"
    )
    assert int(user.cli.using(sys.executable)("-c", count_blue, str(picture)).stdout) > 1000
    assert {path.stat().st_mode & 0o777 for path in (picture, home / "weights.csv")} == {0o600}


def test_a_rejected_token(user: Desk) -> None:
    """The command prints a different token."""
    (recipe,) = re.findall(r"`(printenv [^`]*)`", section("In the shell"))
    held = in_shell(user, "withings-auth token").stdout.strip()
    user.sandbox.expire_access_token()
    finished = in_shell(user, recipe, REJECTED=held)
    assert finished.stdout.strip() == user.sandbox.live_access_tokens[-1] != held


def test_configure(user: Desk, home: Path) -> None:
    """Two ways to save the app's credentials, and the check."""
    (recipe,) = blocks("sh", section("On a desktop"))
    app = user.sandbox
    (home / "credentials.sh").write_text(f"export CLIENT_ID={app.client_id}\nexport CLIENT_SECRET={app.client_secret}")
    (home / "secret").write_text(app.client_secret)
    finished = in_shell(user, f"cd\n{recipe}", ID=app.client_id, WITHINGS_AUTH_API_URL=app.url)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("Saved: the client secret") == 2


def test_import(user: Desk, home: Path) -> None:
    """The file of another tool becomes a login and is removed."""
    (recipe,) = re.findall(r"`(withings-auth import --remove [^`]*)`", section("On a desktop"))
    pair = user.sandbox.issue_pair()
    theirs = home / ".withings_user.json"
    tokens = {"access_token": pair.access_token, "refresh_token": pair.refresh_token}
    theirs.write_text(json.dumps({**tokens, "userid": pair.userid, "authentification_code": "spent"}))
    theirs.chmod(0o600)
    env = {"WITHINGS_CLIENT_ID": user.sandbox.client_id, "WITHINGS_AUTH_API_URL": user.sandbox.url}
    finished = in_shell(user, recipe, **env)
    assert finished.returncode == 0, finished.stderr
    assert "File format: withings-sync." in finished.stderr
    assert not theirs.exists()


def test_the_monitor(user: Desk, home: Path) -> None:
    """The one in `status --help` notifies if a login is needed, and is quiet while all is well and during an outage."""
    (recipe,) = (line for line in status.EXAMPLE.splitlines() if "notify-send" in line)
    notifications = home / "notifications"
    notify = home / ".local" / "bin" / "notify-send"
    notify.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(notifications))}\n')
    notify.chmod(0o700)
    assert in_shell(user, recipe).returncode == 0
    user.sandbox.fail_next("bad_gateway", where="api")
    in_shell(user, recipe)
    assert not notifications.exists()
    user.grow_older(3 * HOUR)
    user.sandbox.kill_refresh_token()
    in_shell(user, recipe)
    assert notifications.read_text() == "Log in again\n"
