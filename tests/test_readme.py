"""What the README claims, held against the product."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import withings_auth
from tests.conftest import Require
from tests.support.logins import Desk
from tests.support.readme import README, blocks, recipe_with, section
from withings_auth import errors
from withings_auth.cli import COMMANDS, INTERRUPTED, TERMINATED
from withings_auth.model import ALL_SCOPES, DEFAULT_REDIRECT_URI

ROOT = Path(__file__).parent.parent


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [row for row in found[2:] if not set(row[0]) <= {"-", " "}]


def test_it_begins_with_one_sentence_and_two_commands() -> None:
    """A newcomer reads one sentence and finds the two commands, which are targets of the Makefile."""
    assert (
        README.splitlines()[2]
        == "Log in to Withings once, and every program on the machine gets an access token that works."
    )
    commands = re.findall(r"\$ make (\w+)", blocks("console")[0])
    targets = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert commands == ["demo", "test"]
    assert all(f"make {command}" in targets for command in commands)


def test_every_command_and_flag_exists(desk: Desk) -> None:
    """Each command and flag that is named is one that the program knows."""
    text = "\n".join([*blocks("console"), *blocks("sh"), *re.findall(r"(?<!`)`[^`\n]+`", README)])
    named = set(re.findall(r"withings-auth (\w+)((?: --[\w-]+)*)", text))
    assert {command for command, _ in named} == set(COMMANDS)
    for command, flags in named:
        helped = desk.run(command, "--help").stdout
        assert all(flag in helped for flag in flags.split()), (command, flags)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    """The table names every exit code that there is, and no other."""
    classes = [thing for _, thing in inspect.getmembers(errors, inspect.isclass)]
    used = {0, INTERRUPTED, TERMINATED} | {c.exit_code for c in classes if issubclass(c, errors.WithingsAuthError)}
    assert {int(row[0]) for row in rows(section("Exit codes"))} == used


def test_the_variables_are_those_that_are_read() -> None:
    """The table names every variable of ours that the sources read, with its default."""
    table = {row[0].strip("`"): row[2] for row in rows(section("Settings"))}
    sources = "\n".join(path.read_text() for path in (ROOT / "withings_auth").rglob("*.py"))
    read = set(re.findall(r"""\bWITHINGS_[A-Z_]+[A-Z]\b""", sources)) - {"WITHINGS_ACCESS_TOKEN"}
    assert set(table) - {"BROWSER"} == read
    assert table["WITHINGS_REDIRECT_URI"] == f"`{DEFAULT_REDIRECT_URI}`"
    assert table["WITHINGS_SCOPES"] == f"`{','.join(ALL_SCOPES)}`"


def test_the_stored_things_lie_where_it_says(desk: Desk) -> None:
    """After a login the file store holds exactly the files of the table."""
    assert desk.log_in().returncode == 0
    found = {str(path.relative_to(desk.directory)) for path in desk.directory.rglob("*.json")}
    assert found == {"token/default.json", f"app/{desk.sandbox.client_id}.json"}


def test_the_transcript_of_a_login_is_what_is_said(desk: Desk) -> None:
    """The lines that the README shows for a login are the program's own."""
    shown = [line for line in blocks("console", section("What it does"))[0].splitlines() if not line.startswith("$")]
    finished = desk.run("login", BROWSER=f"{sys.executable} -m withings_auth.sandbox.visitor")
    said = finished.stderr.replace(str(desk.directory), "STORE").splitlines()
    for line, other in zip(shown[:-1], said, strict=True):
        pattern = (
            re.escape(line)
            .replace(r"15:04", r"\d\d:\d\d")
            .replace(r"synced\ today", "synced .*")
            .replace(re.escape("the keyring of this desktop (Secret Service)"), ".*")
        )
        assert re.fullmatch(pattern, other), (line, other)


def test_the_shell_recipe_works(desk: Desk, require: Require) -> None:
    """The curl line gets data, with the token in no process's arguments."""
    require("curl", shutil.which("curl"), "the README's recipe needs it")
    assert desk.log_in().returncode == 0
    recipe = blocks("sh", section("Use the token"))[0].replace("https://wbsapi.withings.net", desk.sandbox.url)
    assert "$(withings-auth token)" in recipe
    script = recipe.replace("withings-auth", f"{sys.executable} -m withings_auth")
    finished = desk.cli.using("sh")("-c", script, env=desk.env)
    assert '"status": 0' in finished.stdout
    assert '"measuregrps"' in finished.stdout


def test_the_python_recipes_work(desk: Desk) -> None:
    """Each Python block runs as it stands; those for client libraries have tests of their own."""
    assert desk.log_in().returncode == 0
    python = desk.cli.using(sys.executable)
    asynchronous = recipe_with("def weigh()") + "\nimport asyncio\nasyncio.run(weigh())\n"
    for recipe in (recipe_with("source = TokenSource()"), asynchronous):
        finished = python("-c", recipe, env=desk.env, allow=desk.sandbox.live_access_tokens)
        assert (finished.returncode, finished.stdout.strip()) == (0, desk.sandbox.live_access_tokens[-1])
    assert python("-c", recipe_with("Sandbox("), env=desk.env).returncode == 0
    compile(recipe_with("login_sync("), "README.md", "exec")
    imported = {name for line in re.findall(r"from withings_auth import (.*)", README) for name in line.split(", ")}
    assert imported <= set(withings_auth.__all__)


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", "Makefile", "pyproject.toml"])
def test_the_usual_files_are_there(name: str) -> None:
    """What a person looks for in a repository is where they look."""
    assert (ROOT / name).is_file()
