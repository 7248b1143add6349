"""`withings-auth logout`: remove every local copy of a login and, if asked to, revoke the access at Withings."""

from __future__ import annotations

import argparse

from withings_auth.cli.options import add_profile, load_settings, open_store
from withings_auth.cli.ui.prompts import confirm
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, report, tell, wait_and_tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError, WithingsAuthError
from withings_auth.model import Grant
from withings_auth.profiles.logout import Logout, read_accesses, revoke_access
from withings_auth.store.base import SecretStore, together
from withings_auth.store.records import all_profiles, profiles

EXAMPLE = (
    "examples:\n"
    "  withings-auth logout\n"
    "  withings-auth logout --revoke         (also end the app's access at Withings)\n"
    "  withings-auth logout --all            (every profile on this machine)\n\n"
    "The app's client secret goes too, unless another profile uses the app. The local\n"
    "copies are removed even if Withings cannot be reached.\n"
    "exit code: 0 done; 1 Withings refused; 2 the client secret is wrong or missing;\n"
    "3 nobody was logged in, so nothing was revoked; 4 Withings did not answer; 5 the\n"
    "store failed"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("--all", action="store_true", help="remove every profile and the credentials of every app")
    parser.add_argument(
        "--revoke",
        action="store_true",
        help="first end this app's access to your data at Withings, in every program and on every machine",
    )
    parser.add_argument("--yes", action="store_true", help="revoke without asking for confirmation")


def execute(options: argparse.Namespace) -> int:
    """Removes what was asked for, reports each failure, and returns the exit code of the first."""
    if options.all and options.profile:
        raise ConfigurationError("--all and --profile cannot be used together", hint=f"{PROGRAM} logout --all")
    settings = load_settings(options)
    store = open_store(settings)
    with together(store):
        return _log_out(options, settings, store)


def _log_out(options: argparse.Namespace, settings: Settings, store: SecretStore) -> int:
    names = all_profiles(store, settings.profile) if options.all else [settings.profile]
    if options.revoke and _announce(store, names) and not options.yes and is_terminal() and not confirm("Continue?"):
        raise WithingsAuthError(
            "not confirmed: nothing was removed or revoked",
            hint=f"without revoking: {PROGRAM} logout; without this question: {PROGRAM} logout --revoke --yes",
        )

    def revoke(grant: Grant) -> None:
        revoke_access(store, grant, settings.secret_of(grant.client_id), wait=wait_and_tell)

    logout = Logout(store, tell=tell, revoke=revoke if options.revoke else None)
    removed = [logout.remove_profile(name) for name in names]
    if not (any(removed) or logout.failures or options.revoke):
        tell("Nobody was logged in." if options.all else f"Nobody was logged in as profile {settings.profile}.")
    logout.remove_traces(None if options.all else settings.profile)
    logout.remove_apps(settings.app.client_id, every=options.all)
    logout.finish()
    codes = [report(error) for error in logout.failures]
    return codes[0] if codes else 0


def _announce(store: SecretStore, names: list[str]) -> bool:
    """Tells what else a revocation ends. Returns whether there is anything to revoke."""
    accesses = read_accesses(store, names)
    others = read_accesses(store, sorted({*profiles(store)} - {*names})) if accesses else {}
    for access in dict.fromkeys(accesses.values()):
        tell(f"Revoking ends all access of app {access.client_id} to the data of user {access.userid}")
        tell("in every program and on every machine, and stops its notifications.")
        for name, other in others.items():
            if other == access:
                tell(f"Profile {name} on this machine has the same app and user, and ends with it.")
    return bool(accesses)
