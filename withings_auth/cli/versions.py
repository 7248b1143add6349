"""`--version`, and with `--verbose` all that a report of a bug should name."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from withings_auth import __version__
from withings_auth.cli.terminal import PROGRAM, answer


def tell_versions(*, verbose: bool) -> int:
    """Prints the version; with `verbose` also Python's, the platform's and those of what it depends on."""
    lines = [f"{PROGRAM} {__version__}", *(_details() if verbose else [])]
    answer("\n".join(lines))
    return 0


def _details() -> Iterator[str]:
    yield f"{platform.python_implementation()} {platform.python_version()}"
    yield platform.platform()
    for name in _dependencies():
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} is missing"


def _dependencies() -> list[str]:
    """Returns the names of what is installed with the package, by what its own metadata says."""
    try:
        required = requires(PROGRAM) or []
    except PackageNotFoundError:  # run from a copy of the sources that nobody installed
        return []
    needed = [line for line in required if "extra ==" not in line]
    return sorted(found[0] for line in needed if (found := re.match(r"[\w.-]+", line)) is not None)
