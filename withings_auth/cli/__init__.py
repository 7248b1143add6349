"""The command line: one thin module per command, and the one place that turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from withings_auth import __version__
from withings_auth.cli.parsing import COMMANDS, parse
from withings_auth.cli.ui.signals import INTERRUPTED, HungUp, Terminated, ignore_signals, raise_on_signals, received
from withings_auth.cli.ui.terminal import (
    PROGRAM,
    USED_UP,
    OutputFailed,
    ReaderGone,
    answer,
    complain,
    name_in_commands,
    report,
)
from withings_auth.errors import ProviderUnavailable, WithingsAuthError
from withings_auth.logs import Logger
from withings_auth.store import has_password, is_database
from withings_auth.validation import is_profile

__all__ = ["COMMANDS", "HUNG_UP", "INTERRUPTED", "TERMINATED", "main"]

logger = Logger(__name__)

HUNG_UP = 129
TERMINATED = 143
_ENDED_BY: dict[type[BaseException], tuple[str, int]] = {
    KeyboardInterrupt: ("interrupted", INTERRUPTED),
    Terminated: ("terminated", TERMINATED),
    HungUp: ("hung up", HUNG_UP),
}


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code. Raises nothing but argparse's own SystemExit."""
    try:
        raise_on_signals()
        options = parse(arguments)
        if options.version:
            return _print_versions(verbose=options.verbose)
        if options.verbose:
            from withings_auth.cli.ui.verbose import log_to_stderr  # here, because it loads logging

            log_to_stderr()
        name_in_commands(_named_profile(options), _named_store(options))
        if not hasattr(options, "execute"):
            from withings_auth.cli.greeting import greet

            return greet(options.usage)
        return int(options.execute(options))
    except WithingsAuthError as error:
        logger.debug("ended by %s", type(error).__name__)
        return report(error)
    except ReaderGone:
        return 1
    except OutputFailed as error:
        return complain(f"cannot write the answer: {error}", "", 1)
    except OSError as error:
        if error.errno not in USED_UP:
            raise
        # Anything can meet this, even the import of one of our modules.
        hint = "close some programs, or raise the limits (ulimit -a shows them), and try again"
        why = error.strerror or os.strerror(error.errno)
        return complain(f"the system has run out of resources: {why}", hint, ProviderUnavailable.exit_code)
    except (KeyboardInterrupt, Terminated, HungUp) as error:
        notes = getattr(error, "__notes__", ())
        return _end_by(type(error), hint="; ".join(note.removeprefix("hint: ") for note in notes))
    except Exception:
        # An interrupted import can raise anything in place of what interrupted it.
        signal = received()
        if signal is None:
            raise
        return _end_by(signal)


def _end_by(signal: type[BaseException], hint: str = "") -> int:
    """Says what ended the command, and returns its exit code; a renewal under way is finished all the same."""
    ignore_signals()
    word, code = _ENDED_BY[signal]
    return complain(word, hint, code)


def _named_profile(options: argparse.Namespace) -> str:
    """Returns the profile that the user named by flag or variable; empty if a command finds the same one by itself."""
    if hasattr(options, "execute") and not hasattr(options, "profile"):
        return ""  # as of `sandbox`, which prints commands for another terminal
    in_environment = os.environ.get("WITHINGS_AUTH_PROFILE", "")
    named = getattr(options, "profile", None) or (in_environment if in_environment.lower() != "default" else "")
    return named.lower() if is_profile(named) else ""


def _named_store(options: argparse.Namespace) -> str:
    """Returns the database that the user named by an argument, as a word for a shell; empty if there is none."""
    names = [getattr(options, name, None) or "" for name in ("store", "target", "source")]
    databases = [name for name in names if is_database(name) and not has_password(name)]
    if not databases:
        return ""
    from withings_auth.cli.options import quoted_store

    return quoted_store(databases[0])


def _print_versions(*, verbose: bool) -> int:
    """Prints the version; with `verbose`, also those of Python, the platform and the dependencies."""
    lines = [f"{PROGRAM} {__version__}"]
    if verbose:
        import platform

        from withings_auth.doctor.setup import required_packages, version_of

        lines += [f"{platform.python_implementation()} {platform.python_version()}", platform.platform()]
        lines += [f"{name} {version_of(name)}" for name in sorted(required_packages())]
    answer("\n".join(lines))
    return 0
