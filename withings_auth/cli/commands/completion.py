"""`withings-auth completion`: prints a completion script for a shell."""

from __future__ import annotations

import argparse
from pathlib import Path

from withings_auth.cli.parsing import make_parser
from withings_auth.cli.ui.terminal import answer

SHELLS = ("bash", "zsh", "fish")
EXAMPLE = (
    "examples (run once):\n"
    "  bash: mkdir -p ~/.local/share/bash-completion/completions\n"
    "        withings-auth completion bash > ~/.local/share/bash-completion/completions/withings-auth\n"
    "  zsh:  mkdir -p ~/.zfunc; withings-auth completion zsh > ~/.zfunc/_withings-auth\n"
    "        with these lines in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit && compinit\n"
    "  fish: mkdir -p ~/.config/fish/completions\n"
    "        withings-auth completion fish > ~/.config/fish/completions/withings-auth.fish\n\n"
    "New shells then complete commands and flags. In bash, for this shell only:\n"
    "  source <(withings-auth completion bash)"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")


def execute(options: argparse.Namespace) -> int:
    import shtab  # both here, because the help of this command does not need them

    from withings_auth.borrow.programs import known_programs

    parser = make_parser()
    for action in _all_actions(parser):
        if action.metavar == "FILE":
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # how shtab is told
        elif action.dest == "program":  # no choices for the command itself, since config.toml can have more
            action.choices = sorted(known_programs({}, Path()))
        elif isinstance(action.metavar, str):
            action.metavar = action.metavar.replace(":", " ")  # a colon would end the name in zsh
    answer(shtab.complete(parser, options.shell).rstrip("\n"))
    return 0


def _all_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    found: list[argparse.Action] = []
    for action in parser._actions:
        found.append(action)
        if isinstance(action, argparse._SubParsersAction):
            found += [inner for command in action.choices.values() for inner in _all_actions(command)]
    return found
