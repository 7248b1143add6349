"""The keys that seal a store in a database: which ones there are, how others get them, and how they are replaced."""

from __future__ import annotations

import argparse
import shlex

from withings_auth.cli.files import read_stdin
from withings_auth.cli.options import load_settings, open_store, quoted_store
from withings_auth.cli.ui.prompts import ask
from withings_auth.cli.ui.terminal import PROGRAM, answer, is_terminal, report, tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError
from withings_auth.store import has_password
from withings_auth.store.base import SecretStore
from withings_auth.store.rekeying import (
    UNSEALED,
    add_new_key,
    bring_key,
    look_at_keys,
    prepare_key,
    rekey,
    remove_key,
    show_key,
)
from withings_auth.store.sealed_store import SealedStore
from withings_auth.validation import printable

_LARGEST_KEY_BYTES = 4096


def prepare(store: SecretStore, settings: Settings) -> None:
    """Makes sure that there is a key that seals the store, and says where it is. Raises `StoreError` and `LockBusy`."""
    sealed = _sealed(store)
    prepared = prepare_key(sealed)
    if prepared.made:
        tell(f"Made the key {prepared.key_id}, which seals what is saved there. It is in {sealed.keys.description}.")
        tell("Nobody can read the logins without it: keep a copy of it elsewhere. Other machines need it, too:")
        _tell_how_to_bring(settings)
    else:
        tell(f"The key {prepared.key_id} seals what is saved there. It is in {sealed.keys.description}.")


def manage_keys(options: argparse.Namespace) -> int:
    """Shows which keys there are, or does what a flag says.

    Raises `ConfigurationError`, `StoreError` and `LockBusy`.
    """
    settings, store = _open_sealed(options)
    where = store.keys.description
    if options.show is not None:
        answer(show_key(store, options.show or None).text)
    elif options.add:
        tell(f"Added the key {bring_key(store, _read_key()).id} to {where}.")
    elif options.new:
        key = add_new_key(store)
        tell(f"Made the key {key.id}, kept in {where}. It seals nothing yet. Bring it to each machine:")
        _tell_how_to_bring(settings)
        tell(f"Once every machine has it: {PROGRAM} store rekey {key.id}")
    elif options.remove is not None:
        removed = remove_key(store, options.remove)
        tell(f"Removed it from {where}." if removed else f"There is no such key in {where}.")
    else:
        _list_keys(store)
    return 0


def _list_keys(store: SealedStore) -> None:
    state = look_at_keys(store)
    ids = dict.fromkeys(filter(None, (*state.here, state.sealing, *state.in_use)))
    for key_id in ids:
        count = state.in_use.get(key_id, 0)
        words = [f"seals {count} record{'' if count == 1 else 's'}"]
        words += ["seals what is saved next"] * (key_id == state.sealing)
        words += [f"kept in {state.where}" if key_id in state.here else "MISSING on this machine"]
        answer(f"{key_id}  {', '.join(words)}")
    if state.in_use.get(UNSEALED):
        answer(f"{'-' * 16}  {state.in_use[UNSEALED]} not sealed")
    if not ids:
        tell(f"There is no key yet. Next: {PROGRAM} store init")


def _read_key() -> str:
    if is_terminal():
        return ask("Key (it is not shown)", check=lambda text: None if text else "a key is required", hidden=True)
    return read_stdin(_LARGEST_KEY_BYTES).decode("ascii", "replace")


def seal_anew(options: argparse.Namespace) -> int:
    """Seals every record with another key; reports each that it could not, and returns the exit code of the first."""
    settings, store = _open_sealed(options)
    done = rekey(store, options.key)
    count = len(done.resealed)
    tell(f"The key {done.key_id} seals what is saved: {count} record{'' if count == 1 else 's'} sealed anew.")
    codes = [
        report(error.with_message(f"{printable(name)} was not sealed anew: {error}"))
        for name, error in done.left.items()
    ]
    if done.key_id != done.earlier:
        tell("Each machine that has not got it yet needs it now:")
        _tell_how_to_bring(settings)
    return codes[0] if codes else 0


def _open_sealed(options: argparse.Namespace) -> tuple[Settings, SealedStore]:
    settings = load_settings(options, {"store": options.store})
    return settings, _sealed(open_store(settings))


def _sealed(store: SecretStore) -> SealedStore:
    if not isinstance(store, SealedStore):
        raise ConfigurationError(
            f"nothing in {store.description} is sealed, so it has no key",
            hint="name a database: --store postgresql://HOST/DATABASE",
        )
    return store


def _tell_how_to_bring(settings: Settings) -> None:
    """Says how another machine gets the key, whichever store is set there."""
    here = "" if settings.unsaved_store is None else f" --store {quoted_store(settings.unsaved_store)}"
    add = f"{PROGRAM} store key --add"
    if not has_password(settings.store):
        add = f"{add} --store {quoted_store(settings.store)}"
    if "'" in add:  # for the shell there, which takes the quotes away that are in these
        add = f'"{add}"' if not set('"$`\\!') & set(add) else shlex.quote(add)
    tell(f"  {PROGRAM} store key --show{here} | ssh HOST {add}")
