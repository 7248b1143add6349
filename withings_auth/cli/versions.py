"""`--version`, and with `--verbose` every version that a bug report needs."""

from __future__ import annotations

import platform

from withings_auth import __version__
from withings_auth.cli.ui.terminal import PROGRAM, answer


def print_versions(*, verbose: bool) -> int:
    """Prints the version; with `verbose`, also those of Python, the platform and the dependencies."""
    lines = [f"{PROGRAM} {__version__}", *(_details() if verbose else [])]
    answer("\n".join(lines))
    return 0


def _details() -> list[str]:
    # Imported here because the version alone does not need it.
    from withings_auth.doctor.setup import required_packages, version_of

    return [
        f"{platform.python_implementation()} {platform.python_version()}",
        platform.platform(),
        *(f"{name} {version_of(name)}" for name in sorted(required_packages())),
    ]
