"""The README's examples in other languages and with HTTP libraries, run as printed against the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from tests.conftest import Require
from tests.recipes.steps import require_interpreter, weights
from tests.support.logins import Desk
from tests.support.readme import asking, example, rows, section
from withings_auth import AsyncTokenSource, TokenSource

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_javascript(user: Desk, home: Path, require: Require) -> None:
    """The script prints the weights; a rejected token is renewed, once; a call that came too soon is repeated, once.

    Without a token it ends with the command's own message and exit code.
    """
    require_interpreter(require, "node")
    script = home / "weights.mjs"
    script.write_text(asking(user.sandbox.url, example("weights.mjs")))
    refreshes = user.sandbox.counters.refreshes
    user.sandbox.expire_access_token()
    finished = user.cli.using("node")(str(script))
    assert finished.returncode == 0, finished.stderr
    assert re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d\.\d kg\n){100}", finished.stdout)
    assert user.sandbox.counters.refreshes == refreshes + 1
    user.sandbox.advance(11)
    user.sandbox.fail_next("too_many", where="api", wait_seconds=0)
    assert user.cli.using("node")(str(script)).stdout == finished.stdout
    user.sandbox.advance(11)
    user.sandbox.fail_next("status", where="api", status=2554)
    refused = user.cli.using("node")(str(script))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Withings says 2554" in refused.stderr
    assert user.run("logout").returncode == 0
    ended = user.cli.using("node")(str(script))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert re.fullmatch(r"withings-auth: error: .*\nhint: .*\n", ended.stderr)


def test_php(user: Desk, home: Path, require: Require) -> None:
    """The script prints the weights, and ends with the command's own message and exit code if that fails."""
    require_interpreter(require, "php")
    script = home / "weights.php"
    script.write_text(example("weights.php"))
    php = user.cli.using("php")
    finished = php(str(script))
    assert finished.returncode == 0, finished.stderr
    assert re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d\.\d kg\n){100}", finished.stdout)
    user.sandbox.advance(11)
    user.sandbox.fail_next("bad_gateway", where="api")
    refused = php(str(script))
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "withings-auth: error: " in refused.stderr


@pytest.mark.timeout(400)
def test_go(user: Desk, home: Path, require: Require) -> None:
    """The program prints the answer, and gofmt has nothing to change in it.

    Without a token it ends with the command's own message and exit code.
    """
    require_interpreter(require, "go")
    source, program = home / "weights.go", home / "weights"
    source.write_text(asking(user.sandbox.url, example("weights.go")))
    assert user.cli.using("gofmt")("-l", str(source)).stdout == ""
    go = user.cli.using("go")
    built = go("build", "-o", str(program), str(source), env={"GOTOOLCHAIN": "local"}, seconds=300)
    assert built.returncode == 0, built.stderr
    finished = user.cli.using(str(program))()
    assert len(weights(finished.stdout)) == 100, finished.stderr
    assert user.run("logout").returncode == 0
    ended = user.cli.using(str(program))()
    assert (ended.returncode, ended.stdout) == (3, "")
    assert re.fullmatch(r"withings-auth: error: .*\nhint: .*\n", ended.stderr)


def test_the_example_with_requests(user: Desk) -> None:
    """It prints the weights."""
    printed = io.StringIO()
    recipe = asking(user.sandbox.url, example("weights.py"))
    with contextlib.redirect_stdout(printed):
        exec(compile(recipe, "weights.py", "exec"), {})  # noqa: S102  a reader of it does the same
    assert re.match(r"\[\d\d\.\d+, .*\] kg\n$", printed.getvalue())


@pytest.mark.parametrize("row", rows(section("With an HTTP library")), ids=lambda row: row[0])
def test_the_http_libraries(user: Desk, row: list[str]) -> None:
    """Each line of the table works as printed, and the adapter is in the module that it names."""
    _, given, module = (cell.strip("`") for cell in row)
    names: dict[str, Any] = {"aiohttp": aiohttp, "httpx": httpx, "session": requests.Session()}
    names |= {"TokenSource": TokenSource, "AsyncTokenSource": AsyncTokenSource}
    (adapter,) = re.findall(r"\b\w*Bearer\w+", given)
    call: dict[str, Any] = {"url": f"{user.sandbox.url}/v2/user", "data": {"action": "getdevice"}}

    async def ask() -> Any:
        exec(f"from {module} import {adapter}\n{given if '= ' in given else f'session = {given}'}", names)  # noqa: S102  as above
        session = names["session"]
        if isinstance(session, httpx.Client | requests.Session):
            with session:
                return session.post(**call).json()
        async with session:
            answer = await session.post(**call)
            return await answer.json() if isinstance(session, aiohttp.ClientSession) else answer.json()

    assert [device["model"] for device in asyncio.run(ask())["body"]["devices"]] == ["Body+", "Steel HR"]
