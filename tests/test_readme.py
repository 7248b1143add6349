"""The README's claims, checked against the program."""

from __future__ import annotations

import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import withings_auth
from tests.screenshot import PICTURE, SIZE
from tests.support.logins import Desk
from tests.support.ports import free_port
from tests.support.programs import Cli
from tests.support.readme import README, blocks, example, recipe_with, rows, section
from tests.support.visitor import VISITOR
from withings_auth import errors
from withings_auth.cli import COMMANDS, HUNG_UP, INTERRUPTED, TERMINATED
from withings_auth.cli.formats import TOKEN_VARIABLE, USERID_VARIABLE
from withings_auth.model import ALL_SCOPES, DEFAULT_REDIRECT_URI
from withings_auth.provider.repeat_guard import REPEAT_GUARD_SECONDS
from withings_auth.sandbox import Sandbox
from withings_auth.store.records import LOCK_PATIENCE_SECONDS
from withings_auth.tokens.hooks import EVENT_VARIABLE, MESSAGE_VARIABLE
from withings_auth.tokens.journal import SAFETY_NET_SECONDS

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parent.parent


def codes() -> list[str]:
    """Everything in backticks within the text."""
    return re.findall(r"(?<!`)`([^`\n]+)`", README)


def test_it_begins_with_one_sentence_and_two_commands() -> None:
    """A newcomer reads one sentence and soon finds two commands; every `make` command is a target of the Makefile."""
    assert (
        README.splitlines()[2]
        == "Log in to Withings once, and every program on the machine gets an access token that works."
    )
    commands = re.findall(r"\$ (make \w+)", blocks("console")[1])
    targets = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert commands == ["make demo", "make test"]
    others = [code for code in codes() if code.startswith("make ")]
    assert others
    assert all(f"{command} " in targets for command in (*commands, *others))


def test_every_command_and_flag_exists(desk: Desk) -> None:
    """The README names every command; its flags exist, and a flag on its own belongs to some command."""
    text = "\n".join([*blocks("console"), *blocks("sh"), *codes()])
    named = re.findall(r"(?<![\w./])withings-auth ([a-z]+\b)((?: (?!-- )[^\s|;>#)]+)*)", text)
    helped = {command: desk.run(command, "--help").stdout for command in COMMANDS}
    helped["store"] += "".join(desk.run("store", name, "--help").stdout for name in ("copy", "init", "key", "rekey"))
    assert {command for command, _ in named} == set(COMMANDS)
    for command, words in named:
        assert all(re.search(rf"{flag}\b", helped[command]) for flag in re.findall(r"--[\w-]+", words)), (
            command,
            words,
        )
    everything = "\n".join([desk.run("--help").stdout, *helped.values()])
    alone = {flag for code in codes() if code.startswith("-") for flag in re.findall(r"--[\w-]+", code)}
    assert alone
    assert all(re.search(rf"{flag}\b", everything) for flag in alone)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    """The table lists every exit code, and no others."""
    classes = [thing for _, thing in inspect.getmembers(errors, inspect.isclass)]
    used = {0, HUNG_UP, INTERRUPTED, TERMINATED} | {
        c.exit_code for c in classes if issubclass(c, errors.WithingsAuthError)
    }
    assert {int(code) for row in rows(section("Exit codes")) for code in row[0].split(",")} == used


def test_the_variables_are_those_that_are_read() -> None:
    """The table lists every variable of ours that the code reads, with its default; those in files do not count.

    Those of the programs that `run --as` knows are theirs.
    """
    table = {row[0].strip("`"): row[2] for row in rows(section("Settings"))}
    ours = sorted(path for path in (ROOT / "withings_auth").rglob("*.py") if path.parent.name != "borrow")
    sources = "\n".join(path.read_text() for path in ours)
    read = set(re.findall(r"""\bWITHINGS_[A-Z_]+[A-Z]\b""", sources)) - {
        TOKEN_VARIABLE,
        USERID_VARIABLE,
        EVENT_VARIABLE,
        MESSAGE_VARIABLE,
    }
    assert set(table) - {"BROWSER"} == read
    assert table["WITHINGS_REDIRECT_URI"] == f"`{DEFAULT_REDIRECT_URI}`"
    assert table["WITHINGS_SCOPES"] == f"`{','.join(ALL_SCOPES)}`"


def test_records_are_stored_where_it_says(desk: Desk) -> None:
    """After a login the file store has exactly the files in the table."""
    assert desk.log_in().returncode == 0
    found = {str(path.relative_to(desk.directory)) for path in desk.directory.rglob("*.json")}
    assert found == {"token/default.json", f"app/{desk.sandbox.client_id}.json"}


def test_the_picture_is_the_one_that_the_script_takes() -> None:
    """It is where the README expects it, is not shown larger than it is, and has a description."""
    pictures = re.findall(r'<img src="([^"]+)" width="(\d+)" alt="([^"]+)">', README)
    ((width, text),) = ((width, text) for source, width, text in pictures if ROOT / source == PICTURE)
    assert int(width) <= SIZE["width"]
    assert "38210457" in text


def test_the_sandbox_login_needs_no_setup(cli: Cli, home: Path) -> None:
    """The practice login works before anything is set up."""
    env = {"BROWSER": VISITOR, "WITHINGS_AUTH_STORE": f"file:{home / 'store'}"}
    finished = cli("login", "--sandbox", env={**env, "WITHINGS_REDIRECT_URI": f"http://localhost:{free_port()}"})
    assert finished.returncode == 0, finished.stderr
    assert "profile sandbox" in finished.stderr


def test_the_python_recipes_work(desk: Desk) -> None:
    """Each Python block runs as printed; those with HTTP libraries and the test have tests of their own."""
    assert desk.log_in().returncode == 0
    python = desk.cli.using(sys.executable)
    recipe = recipe_with("source = TokenSource()")
    finished = python("-c", recipe, env=desk.env, allow=desk.sandbox.live_access_tokens)
    assert (finished.returncode, finished.stdout.strip()) == (0, desk.sandbox.live_access_tokens[-1])
    (call,) = (code for code in codes() if code.startswith("login_sync("))
    compile(call, "README.md", "eval")
    imported = {name for line in re.findall(r"from withings_auth import (.*)", README) for name in line.split(", ")}
    imported |= set(re.findall(r"\b(?:login\w*|App)(?=\()", call))
    assert imported <= set(withings_auth.__all__)
    (others,) = re.findall(r"# or: (.*)", example("tests_of_weights.py"))
    assert all(hasattr(Sandbox, name) for name in re.findall(r"(\w+)\(", others))


def test_the_links_lead_somewhere() -> None:
    """Links within the README lead to its headings, relative links to files of the repository."""
    headings = {title.lower().replace(",", "").replace(" ", "-") for title in re.findall(r"(?m)^##+ (.*)$", README)}
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert links
    assert set(links) <= headings
    files = re.findall(r"\]\(([\w/.-]+)\)", README)
    assert files
    assert all((ROOT / name).is_file() for name in files)


def test_the_python_names_exist() -> None:
    """Every name of ours in the text can be imported, and the extras are those of the package."""
    names = {code for code in codes() if re.fullmatch(r"withings_auth(\.\w+)+", code)}
    assert names
    assert all(pkgutil.resolve_name(name) for name in names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(re.findall(r"pip install '\.\[([\w-]+)\]'", README)) == set(project["optional-dependencies"])


def test_no_recipe_saves_what_others_can_read() -> None:
    """Weights are health data: a recipe that writes a file sets the umask before, in the shell and in Python."""
    files = {path.name: path.read_text() for path in (ROOT / "tests" / "examples").iterdir()}
    shell = [*blocks("sh"), *(text for text in files.values() if text.startswith("#!/bin/sh"))]
    python = [*blocks("python"), *(text for name, text in files.items() if name.endswith(".py"))]
    to_a_file = r"""(?m)^[^#\n]*(?<![\d&-])>(?!/dev/null)["$\w~./]+"""
    for texts, saves, umask in (
        (shell, to_a_file, "umask 077"),
        (python, r"savefig\(|write_\w+\(|, \"w\"\)", "os.umask(0o077)"),
    ):
        saving = [(text, found) for text in texts if (found := re.search(saves, text))]
        assert all(umask in text[: found.end()] for text, found in saving), saving


def test_it_stays_short() -> None:
    assert len(README.splitlines()) < 450


def test_it_goes_from_what_people_need_to_what_they_look_up() -> None:
    """A sentence, a picture, the way to a weight, a trial, a drawing; then by need; the reference last and folded."""
    screen = ("every program", "<img ", "It needs Python ", "$ git clone", "$ withings-auth login", ",kg,", "make demo")
    places = [README.index(words) for words in (*screen, "─┐", "**By need:**")]
    assert places == sorted(places)
    headings = re.findall(r"(?m)^## (.*)$", README)
    needs = ["On a desktop", "Without a screen", "In a container", "More than one machine", "Every morning"]
    needs += ["In the shell", "In Python"]
    others = "withings-sync, MCP servers and others"
    programs = ["In other languages", others, "Coming from a script of your own", "In your tests"]
    last = ["Troubleshooting", "One login for all programs", "Reference", "Security and contributing"]
    assert headings == [*needs, *programs, *last]
    assert re.fullmatch(r"\s*<details>\n<summary>.*</details>\s*", section("Reference"), re.DOTALL)


def test_its_numbers_are_those_of_the_program() -> None:
    """Which Python it needs, and how long a program waits for another one's renewal or repeats its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"It needs Python {project['requires-python'].removeprefix('>=')} or newer" in README
    text = " ".join(section("One login for all programs").split())
    assert (LOCK_PATIENCE_SECONDS, REPEAT_GUARD_SECONDS, SAFETY_NET_SECONDS) == (2 * 60, 11, 8 * 3600)
    for number in ("two minutes at most", "the eleven seconds", "within eight hours"):
        assert number in text.replace("*", "")


def test_what_is_cloned_is_this_repository() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"$ git clone {project['urls']['Source']} " in blocks("console")[0]


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile"])
def test_the_usual_files_are_there(name: str) -> None:
    """The files that people expect in a repository are there."""
    assert (ROOT / name).is_file()
