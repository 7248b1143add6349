"""Completion in the shells themselves: TAB completes commands, flags and values."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.support.logins import Desk
from tests.support.programs import Cli
from withings_auth.cli import COMMANDS
from withings_auth.cli.commands.completion import SHELLS

START = {
    "bash": ("bash", "--norc", "-i"),
    "zsh": ("zsh", "-f", "-i"),
}
LOAD = {
    "bash": "source {script}; PS1='REA''DY$ '\n",
    "zsh": "fpath+={script.parent}; autoload -Uz compinit && compinit -u -D; unsetopt prompt_sp; PS1='REA''DY$ '\n",
}
TYPED = [
    ("withings-auth tok", "withings-auth token "),
    ("withings-auth comp", "withings-auth completion "),
    ("withings-auth token --min", "withings-auth token --min-valid "),
    ("withings-auth -v token --rej", "withings-auth -v token --rejected-stdin "),
    ("withings-auth token --shell pow", "withings-auth token --shell powershell "),
    ("withings-auth completion f", "withings-auth completion fish "),
    ("withings-auth run --as withings-sy", "withings-auth run --as withings-sync "),
    ("withings-auth store co", "withings-auth store copy "),
    ("withings-auth login --lis", "withings-auth login --listen "),
    ("withings-auth import notes-of-ano", "withings-auth import notes-of-another.json "),
    ("withings-auth configure --env-file notes-of-ano", "withings-auth configure --env-file notes-of-another.json "),
]


@pytest.fixture
def script(desk: Desk, home: Path, shell: str, require: Require) -> Path:
    """The completion script, in a directory with a file to complete."""
    require(shell, shutil.which(shell), "completion is tested in the shell itself")
    finished = desk.run("completion", shell)
    assert (finished.returncode, finished.stderr) == (0, "")
    (home / "notes-of-another.json").write_text("{}")
    path = home / "_withings-auth"  # the name that zsh expects
    path.write_text(finished.stdout)
    return path


@pytest.mark.parametrize("shell", START)
def test_a_tab_completes_what_is_typed(cli: Cli, script: Path, home: Path, shell: str) -> None:
    """Commands, flags, choices and files, with the TAB key on a terminal."""
    program = cli.using(*START[shell]).on_terminal(env={"TERM": "dumb", "HISTFILE": None})
    program.type(f"cd {home}\n")
    program.type(LOAD[shell].format(script=script))
    program.screen.expect(r"READY\$ ")
    for typed, completed in TYPED:
        program.type(f"{typed}\t")
        program.screen.expect(re.escape(completed.strip()))
        program.type("\x15echo ne''xt\n")  # Ctrl-U clears the line
        program.screen.expect(r"\nnext\r?\n(?s:.*)READY\$ ")
    program.type("withings-auth login --listen 1\t")  # no completion is known
    program.screen.expect("--listen 1")
    program.type("\x15exit\n")
    assert "not found" not in program.wait().screen


@pytest.mark.parametrize("shell", ["fish"])
def test_fish_completes_what_is_typed(cli: Cli, script: Path, home: Path, shell: str) -> None:
    """Commands, flags, choices and files; fish lists what TAB would offer."""
    for typed, completed in TYPED:
        asked = cli.using(shell)("--no-config", "-c", f"cd {home}; source {script}; complete -C '{typed}'")
        offered = [line.partition("\t")[0] for line in asked.stdout.splitlines()]
        assert (offered, asked.stderr) == ([completed.split()[-1]], ""), typed


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_offered(desk: Desk, shell: str) -> None:
    script = desk.run("completion", shell).stdout
    assert all(re.search(rf"\b{command}\b", script) for command in COMMANDS), shell


def test_an_unknown_shell_is_refused_with_the_list_of_known_ones(desk: Desk) -> None:
    finished = desk.run("completion", "tcsh")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "argument SHELL: “tcsh” is not one of bash, zsh, fish\nhint: " in finished.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_it_says_where_the_script_goes(desk: Desk, shell: str) -> None:
    """The help has a command to paste for each shell."""
    assert f"withings-auth completion {shell} > ~/." in desk.run("completion", "--help").stdout
