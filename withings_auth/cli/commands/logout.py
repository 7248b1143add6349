"""`withings-auth logout`: remove every local copy of a login and, when asked, end the access at Withings."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.ui.prompts import confirm
from withings_auth.cli.ui.spans import wait_and_tell
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, report, tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError, WithingsAuthError
from withings_auth.model import Grant
from withings_auth.profiles.logout import Leaving, accesses, end_access
from withings_auth.store.base import SecretStore
from withings_auth.store.records import profiles

EXAMPLE = (
    "examples:\n"
    "  withings-auth logout\n"
    "  withings-auth logout --revoke         (also end the app's access at Withings)\n"
    "  withings-auth logout --all            (every profile on this machine)\n\n"
    "The local copies are removed even if Withings cannot be asked.\n"
    "exit code: 0 all is done; 1 Withings refused; 2 the client secret is wrong or\n"
    "gone; 3 nobody is logged in whose access could be revoked; 4 Withings gave no\n"
    "answer; 5 the store failed"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    add_profile(parser)
    parser.add_argument("--all", action="store_true", help="every profile, and the credentials of every app")
    parser.add_argument(
        "--revoke",
        action="store_true",
        help="before that, end the access at Withings: of every program and machine of this app and person",
    )
    parser.add_argument(
        "--yes", action="store_true", help="--revoke without asking; only a person at a terminal is asked"
    )


def execute(options: argparse.Namespace) -> int:
    """Removes what was asked for, tells what could not be done, and returns the exit code of the first trouble."""
    if options.all and options.profile:
        raise ConfigurationError("--all is every profile, and --profile names one", hint=f"{PROGRAM} logout --all")
    found = settings(options)
    store = open_store(found)
    # The set profile too: a keyring's index may have been lost, and reading repairs it.
    names = sorted({*profiles(store), found.profile}) if options.all else [found.profile]
    if options.revoke and _announce(store, names) and not options.yes and is_terminal() and not confirm("Go on?"):
        raise WithingsAuthError(
            "not confirmed: nothing was removed and nothing was revoked",
            hint=f"without revoking: {PROGRAM} logout; without being asked: {PROGRAM} logout --revoke --yes",
        )
    leaving = Leaving(store, tell=tell, end_access=_revocation(store, found) if options.revoke else None)
    removed = [leaving.leave(name) for name in names]
    if not (any(removed) or leaving.troubles or options.revoke):
        tell("Nobody was logged in." if options.all else f"Nobody was logged in as profile {found.profile}.")
    leaving.remove_apps(found.app.client_id, every=options.all)
    leaving.finish()
    codes = [report(error) for error in leaving.troubles]
    return codes[0] if codes else 0


def _announce(store: SecretStore, names: list[str]) -> bool:
    """Says what else a revocation ends. Returns whether there is anything to revoke."""
    ending = accesses(store, names)
    for access in dict.fromkeys(ending.values()):
        tell(f"Revoking ends all access of the app {access.client_id} to the data of user {access.userid}:")
        tell("in every program and on every machine, and its notifications.")
        for name, other in accesses(store, sorted({*profiles(store)} - {*names})).items():
            if other == access:
                tell(f"Profile {name} on this machine is of the same app and person, and ends with it.")
    return bool(ending)


def _revocation(store: SecretStore, found: Settings) -> Callable[[Grant], None]:
    def end(grant: Grant) -> None:
        end_access(store, grant, found.secret_of(grant.client_id), wait=wait_and_tell)

    return end
