"""`withings-auth sandbox` and `login --sandbox`: a trial from start to end."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.programs import Cli, Program
from tests.support.visitor import VISITOR


def variables(program: Program) -> dict[str, str | None]:
    """The variables that the printed lines set."""
    found: dict[str, str | None] = {}
    while "WITHINGS_AUTH_PROFILE" not in found:
        name, _, value = shlex.split(program.stdout.line("export "))[1].partition("=")
        found[name] = value
    return found


def test_the_printed_variables_make_other_commands_use_it(cli: Cli, home: Path) -> None:
    """With them, the user logs in, even after an earlier trial, gets a token and logs out, as profile `sandbox`."""
    redirect_uri = f"http://localhost:{free_port()}"
    env: dict[str, str | None] = {"WITHINGS_AUTH_STORE": f"file:{home}/store", "BROWSER": VISITOR}
    assert cli("login", "--sandbox", env={**env, "WITHINGS_REDIRECT_URI": redirect_uri}).returncode == 0
    sandbox = cli.start("sandbox", "--redirect-uri", redirect_uri)
    env |= variables(sandbox)
    assert env["WITHINGS_AUTH_PROFILE"] == "sandbox"
    assert cli("login", env=env).returncode == 0
    assert cli("token", env=env).stdout.startswith("sandbox-")
    assert cli("logout", env=env).returncode == 0
    sandbox.signal(signal.SIGINT)
    finished = sandbox.wait()
    assert finished.returncode == 130
    assert finished.stderr.endswith("withings-auth login\nThe sandbox has stopped.\n")


def test_a_taken_port_is_an_error(cli: Cli) -> None:
    """Exit 1, and the error names the port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = cli("sandbox", "--port", str(port))
    assert finished.returncode == 1
    assert f"127.0.0.1:{port}" in finished.stderr


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--port", "65536", "--port must be from 0 to 65535"),
        ("--redirect-uri", "localhost", "--redirect-uri is not a URL"),
        ("--token-life", "0", "--token-life must be positive"),
    ],
)
def test_a_wrong_value_is_an_error_with_an_example(cli: Cli, flag: str, value: str, message: str) -> None:
    finished = cli("sandbox", flag, value)
    assert finished.returncode == 2
    assert message in finished.stderr
    assert f"hint: withings-auth sandbox {flag} " in finished.stderr


def test_login_sandbox_is_a_trial_in_one_command(cli: Cli, home: Path) -> None:
    """It runs sandbox and login, under a profile of its own, and shows a weight; two leave one app record."""
    env = {
        "WITHINGS_AUTH_STORE": f"file:{home}/store",
        "WITHINGS_REDIRECT_URI": f"http://localhost:{free_port()}",
        "BROWSER": VISITOR,
        "WITHINGS_AUTH_PROFILE": "mine",
    }
    for scopes, weight in (("user.info", False), ("user.info,user.metrics", True)):
        finished = cli("login", "--sandbox", "--scope", scopes, env=env)
        assert finished.returncode == 0, finished.stderr
        assert (re.search(r"(?m)^Latest weight: \d\d\.\d\d kg\.$", finished.stderr) is not None) == weight
    assert "profile sandbox" in finished.stderr
    assert "nobody is logged in as profile mine" in cli("token", env=env).stderr
    assert len(list((home / "store" / "app").glob("*.json"))) == 1


def test_a_trial_lasts_until_ctrl_c_if_it_is_kept(cli: Cli, home: Path) -> None:
    """The commands that it prints work meanwhile; the next command says that the practice has ended."""
    env = {
        "WITHINGS_AUTH_STORE": f"file:{home}/store",
        "WITHINGS_REDIRECT_URI": f"http://localhost:{free_port()}",
        "BROWSER": VISITOR,
    }
    kept = cli.start("login", "--sandbox", "--keep", env=env)
    call = kept.stderr.line("In another terminal: ").partition("In another terminal: ")[2]
    logout = kept.stderr.line("To remove the login").partition(": ")[2]
    fresh = cli.using("env", f"PATH={Path(sys.executable).parent}:/usr/bin:/bin", "sh", "-c")
    weights = fresh(call)
    assert (weights.returncode, ",weight," in weights.stdout) == (0, True), weights.stderr
    kept.signal(signal.SIGINT)
    finished = kept.wait()
    assert finished.returncode == 130
    assert finished.stderr.endswith("\nThe sandbox has stopped, and the login with it.\n")
    assert cli("list", env=env).stdout.endswith("most likely ended  ended: its sandbox has stopped\n")
    ended = fresh(call)
    assert ended.returncode == 3
    assert "the practice of profile sandbox has ended: its sandbox has stopped" in ended.stderr
    assert "hint: for another one that lasts until Ctrl-C: withings-auth login --sandbox --keep; " in ended.stderr
    status = cli("status", "--profile", "sandbox", env=env)
    assert (status.returncode, "ended: its sandbox has stopped" in status.stdout) == (3, True)
    assert fresh(logout).returncode == 0


def test_a_trial_never_touches_a_real_login(cli: Cli, home: Path) -> None:
    """A real login that happens to be called `sandbox` is left alone."""
    store = f"{home}/store"
    record = (
        '{"version":1,"access_token":"a","refresh_token":"r","expires_at":1,"obtained_at":0,"scopes":[],'
        '"userid":"1","client_id":"c","token_url":"https://wbsapi.withings.net/v2/oauth2"}'
    )
    cli.using("sh")("-c", f"umask 077; mkdir -p {store}/token; printf '%s' '{record}' > {store}/token/sandbox.json")
    finished = cli("login", "--sandbox", env={"WITHINGS_AUTH_STORE": f"file:{store}"})
    assert finished.returncode == 2
    assert "holds a real login" in finished.stderr
