"""`make test-all` tries every supported CPython that is found, and none of them fails unnoticed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUPPORTED = ["3.14", "3.13", "3.12", "3.11"]
RUNS = [f"--no-print-directory test VENV=.venv-{version} PYTHON=python{version}" for version in SUPPORTED]


@pytest.fixture
def path(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of programs that come first: at the beginning, no Python is found."""
    programs = home / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    for version in SUPPORTED:
        put(programs / f"python{version}", "exit 127")
    return programs


def put(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def run_test_all(path: Path) -> tuple[int, list[str]]:
    """Runs the target with a `make` that prints its arguments; with Python 3.12, it fails."""
    put(path / "print", 'echo "$*"; case "$*" in *3.12) exit 2;; esac')
    done = subprocess.run(["make", "test-all", "MAKE=print"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, [line for line in done.stdout.splitlines() if not re.match("== Python|make", line)]


def test_each_python_has_an_environment_of_its_own(path: Path) -> None:
    """An interpreter that does not start, or is not CPython, is left out."""
    for version in ("3.14", "3.11"):
        put(path / f"python{version}", "exit 0")
    assert run_test_all(path) == (0, [RUNS[0], RUNS[3], "== passed: 3.14 3.11; failed: none; not found: 3.13 3.12"])


def test_a_failure_stops_no_other_run_and_is_not_forgotten(path: Path) -> None:
    for version in SUPPORTED:
        put(path / f"python{version}", "exit 0")
    assert run_test_all(path) == (2, [*RUNS, "== passed: 3.14 3.13 3.11; failed: 3.12; not found: none"])


def test_without_any_python_nothing_has_passed(path: Path) -> None:
    assert run_test_all(path) == (2, ["== passed: none; failed: none; not found: 3.14 3.13 3.12 3.11"])


def test_the_oldest_versions_are_installed_whole(home: Path) -> None:
    """One word for each requirement, whatever the system that it is for."""
    programs = home / "oldest" / "bin"
    programs.mkdir(parents=True)
    put(programs / "python", f'[ "$1" = -c ] && exec {sys.executable} "$@"; printf "%s\\n" "$@"')
    put(programs / "pytest", "true")
    command = ["make", "--no-print-directory", "test-oldest", "MAKE=true", f"OLDEST={programs.parent}"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    installed = done.stdout.partition("-qq\n")[2].split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = sum(project["optional-dependencies"].values(), project["dependencies"])
    assert installed == [re.sub(r";.*", "", need).replace(">=", "==") for need in needs]
    assert all(re.fullmatch(r"[\w\[\]-]+==[\d.]+", one) for one in installed)


def test_the_supported_versions_are_those_of_the_package() -> None:
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    named = [found[1] for line in classifiers if (found := re.fullmatch(r".* :: (3\.\d+)", line))]
    assert named == SUPPORTED[::-1]
