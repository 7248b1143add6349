"""Builds the wheel and the sdist of the last commit, and tries both as their users have them: `make dist`.

Nothing of the checkout can take part: the packages are installed into empty environments in a temporary directory, and
the tests run in the unpacked sdist, without the package beside them. What passes is put into dist.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.isolation import environment
from tests.support.ports import free_port
from tests.support.visitor import VISITOR

ROOT = Path(__file__).parent.parent
LATER_SECONDS = 400 * 24 * 3600
NOT_IN_BOTH = {".ci/run", "PKG-INFO"}

_BUILD = """
import sys, time
now, later = time.time, float(sys.argv.pop())
time.time = lambda: now() + later
from hatchling.cli import hatchling
sys.exit(hatchling())
"""


def main(arguments: list[str]) -> None:
    """Builds, tries everything, and fills dist; stops with the output of the first step that fails."""
    parser = argparse.ArgumentParser(prog="release", description="Builds wheel and sdist, and tries them.")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes run the tests")
    options = parser.parse_args(arguments)
    if run("git", "status", "--porcelain", cwd=ROOT):
        say("What is not committed is left out.")
    with tempfile.TemporaryDirectory(prefix="withings-auth-dist-") as directory:
        place = Path(directory)
        wheel, sdist = build_the_commit(place)
        source = unpack(sdist, place / "unpacked")
        with ThreadPoolExecutor() as pool:
            trials = [
                pool.submit(try_wheel, wheel, source, place / "wheel", options.jobs),
                pool.submit(try_sdist, sdist, place / "sdist"),
                pool.submit(try_pipx, place / "one", place / "pipx"),
            ]
        for trial in trials:
            trial.result()
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        shutil.copytree(wheel.parent, ROOT / "dist")
    say(f"dist has {wheel.name} and {sdist.name}.")


def build_the_commit(place: Path) -> tuple[Path, Path]:
    """Builds two clones differently, compares, and returns the wheel and the sdist; `place` keeps a clone, "one"."""
    one, two = place / "one", place / "another directory"
    run("git", "clone", "--quiet", ROOT, one, cwd=place, umask=0o022)
    run("git", "clone", "--quiet", ROOT, two, cwd=place, umask=0o077)
    wheel, sdist = build(one, place / "built")
    require_equal([wheel, sdist], build(two, place / "built again", later=True))
    require_equal([wheel], build(unpack(sdist, place / "sdist alone"), place / "built from the sdist")[:1])
    tracked = set(run("git", "ls-files", cwd=one).splitlines())
    if different := names_in_sdist(sdist) ^ tracked ^ NOT_IN_BOTH:
        raise SystemExit(f"only in the sdist or only in git: {different}")
    if outside := {name for name in names_in_wheel(wheel) if not name.startswith("withings_auth")}:
        raise SystemExit(f"the wheel has more than the package: {outside}")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, cwd=place)
    say("Two builds are the same, and so is the wheel that the sdist builds")
    return wheel, sdist


def build(source: Path, target: Path, *, later: bool = False) -> tuple[Path, Path]:
    """Builds the wheel and the sdist of a directory; `later` is in another year and time zone, with another umask."""
    environ = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, "-c", _BUILD, "build", "-d", str(target)]
    if later:
        run(*command, str(LATER_SECONDS), cwd=source, environ=environ | {"TZ": "Asia/Kathmandu"}, umask=0o077)
    else:
        run(*command, "0", cwd=source, environ=environ, umask=0o022)
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, sdist


def require_equal(ones: list[Path], others: tuple[Path, ...]) -> None:
    """Stops if two builds of one thing are not the same, byte by byte."""
    for one, other in zip(ones, others, strict=True):
        if one.read_bytes() != other.read_bytes():
            raise SystemExit(f"two builds of {one.name} differ")


def unpack(sdist: Path, target: Path) -> Path:
    """Unpacks an sdist; returns the directory in it."""
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python before 3.11.4 has none
        archive.extractall(target)  # noqa: S202  our own archive
    (unpacked,) = target.iterdir()
    return unpacked


def names_in_sdist(sdist: Path) -> set[str]:
    """Returns the paths in an sdist, without the directory that holds them all."""
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def names_in_wheel(wheel: Path) -> set[str]:
    """Returns the paths in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def try_wheel(wheel: Path, source: Path, place: Path, jobs: int) -> None:
    """Installs the wheel alone for the demo, then what the tests need for those of the command line."""
    shutil.rmtree(source / "withings_auth")
    python = install(wheel, place)
    use(python.with_name("withings-auth"), place)
    run(python, source / "tests" / "demo.py", cwd=place, environ=environment(place, os.environ))
    say("The wheel works alone: a login, and the demo")
    pip(python, "--group", f"{source / 'pyproject.toml'}:dev")
    imported = run(python, "-c", "import withings_auth; print(withings_auth.__file__)", cwd=source)
    if not Path(imported).is_relative_to(place):
        raise SystemExit("the tests would not import the installed package")
    pytest = ["-m", "pytest", "--quiet", f"--numprocesses={jobs}", "--dist=worksteal"]
    last = run(python, *pytest, "tests/cli", "tests/testing/test_plugin.py", cwd=source).splitlines()[-1]
    say(f"The command line and the pytest plug-in of the wheel: {last}")


def try_sdist(sdist: Path, place: Path) -> None:
    """Installs the sdist as pip does, with whatever builds it today."""
    use(install(sdist, place).with_name("withings-auth"), place)
    say("The sdist works: a login")


def try_pipx(clone: Path, place: Path) -> None:
    """Installs a clone with pipx, as the README says, then once more for `run --as`."""
    place.mkdir()
    places = {name: str(place / name) for name in ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR")}
    program = place / "PIPX_BIN_DIR" / "withings-auth"
    for arguments, commands in ((["."], []), (["--force", ".[run-as]"], ["run --proxy -- true"])):
        run(sys.executable, "-m", "pipx", "install", *arguments, cwd=clone, environ={**os.environ, **places})
        use(program, place, *commands)
    say("A clone works with pipx: a login, and a program behind the proxy")


def install(package: Path, place: Path) -> Path:
    """Installs one file into an empty environment; returns its interpreter."""
    place.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    python = place / "venv" / "bin" / "python"
    pip(python, str(package))
    return python


def pip(python: Path, *arguments: str) -> None:
    """Installs into an environment that has no pip."""
    run(sys.executable, "-m", "pip", "--python", python, "install", "-qq", *arguments, cwd=python.parent)


def use(program: Path, place: Path, *more: str) -> None:
    """Logs in at the sandbox from an empty home, and runs commands that use this login."""
    shutil.rmtree(place / "home", ignore_errors=True)
    environ = practice(place)
    keep = [str(program), "login", "--sandbox", "--keep"]
    with subprocess.Popen(keep, cwd=place, env=environ, stderr=subprocess.PIPE, text=True) as login:
        said = ""
        try:
            for line in login.stderr or ():
                said += line
                if "until Ctrl-C" in line:
                    break
            else:
                raise SystemExit(f"{said}“{' '.join(keep)}” ended too early")
            for command in ("--version", "token", "api measure getmeas meastype=1 --csv", *more):
                run(program, *shlex.split(command), cwd=place, environ=environ)
        finally:
            login.terminate()


def practice(place: Path) -> dict[str, str]:
    """Returns an environment with a home, a scripted browser, files for a store and a free port."""
    home = place / "home"
    home.mkdir(exist_ok=True)
    return {
        **environment(home, os.environ),
        "BROWSER": VISITOR,
        "WITHINGS_AUTH_PROFILE": "sandbox",
        "WITHINGS_AUTH_STORE": f"file:{home / 'store'}",
        "WITHINGS_REDIRECT_URI": f"http://localhost:{free_port()}",
    }


def run(*command: str | Path, cwd: Path, environ: Mapping[str, str] | None = None, umask: int = -1) -> str:
    """Runs a program and returns its standard output; stops, showing all output, if it fails."""
    done = subprocess.run(command, cwd=cwd, env=environ, umask=umask, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        failed = " ".join(map(str, command))
        raise SystemExit(f"{done.stdout}{done.stderr}“{failed}” ended with exit code {done.returncode}")
    return done.stdout


def say(line: str) -> None:
    """Prints a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
