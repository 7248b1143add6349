"""`withings-auth store copy`, and what a store in a database needs: `store init`, `store key` and `store rekey`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from withings_auth.cli.configured import show_next_step
from withings_auth.cli.options import load_settings, open_store, quoted_store, with_store
from withings_auth.cli.parsing import add_verbose
from withings_auth.cli.ui.terminal import PROGRAM, answer, report, tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError
from withings_auth.profiles.moving import Move
from withings_auth.store import expanded_name, is_database, refuse_password
from withings_auth.store.base import SecretStore, together
from withings_auth.validation import printable

EXAMPLE = (
    "examples:\n"
    "  withings-auth store copy keyring file:~/.withings-auth\n"
    "  withings-auth store init --store postgresql://HOST/DATABASE\n"
    "  withings-auth store init --print    (shows the SQL for it, and does nothing)\n\n"
    "A store is keyring, file:DIRECTORY or postgresql://[USER@]HOST[:PORT]/DATABASE.\n"
    "A password is never in its name: it belongs in ~/.pgpass, in the file that\n"
    "PGPASSFILE names, or in a service file."
)
_COPY_EXAMPLE = (
    "example:\n"
    "  withings-auth store copy keyring file:~/.withings-auth\n\n"
    "Each login is saved in TO and read back before it is removed from FROM. A copy\n"
    "that was interrupted can be repeated. After it, let every program use TO:\n"
    "  withings-auth configure --store TO"
)
_INIT_EXAMPLE = (
    "examples:\n"
    "  withings-auth store init --store postgresql://HOST/DATABASE\n"
    "  withings-auth store init --print | psql postgresql://ADMIN@HOST/DATABASE\n\n"
    "It can be repeated: what is there stays as it is. If the database user may not\n"
    "make tables, let an administrator do it as in the second example."
)
_KEY_EXAMPLE = (
    "examples:\n"
    "  withings-auth store key             (which keys there are; shows none of them)\n"
    "  withings-auth store key --show | ssh HOST withings-auth store key --add\n\n"
    "The key that seals what is saved is in this machine's keyring, or in the file\n"
    "that WITHINGS_AUTH_STORE_KEY_FILE names. Every machine needs it."
)
_REKEY_EXAMPLE = (
    "examples:\n"
    "  withings-auth store rekey\n"
    "  withings-auth store key --new; withings-auth store rekey ID    (once every\n"
    "                                             machine has the new key)\n\n"
    "It can be repeated if it was interrupted."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = partial(_add, commands, parser.formatter_class)
    copy = add("copy", "move logins to another store and remove them from the old one", _copy, _COPY_EXAMPLE)
    copy.add_argument("source", metavar="FROM", help="the store that has the logins")
    copy.add_argument("target", metavar="TO", help="the store to move them to")
    copy.add_argument("--profile", metavar="NAME", help="move only this login (default: every login)")
    copy.add_argument(
        "--replace", action="store_true", help="replace logins in TO, even if they are another user's or app's"
    )
    init = add("init", "make what a database needs to be a store", _init, _INIT_EXAMPLE)
    _add_store(init)
    init.add_argument("--print", action="store_true", help="print the SQL, and do nothing")
    key = add("key", "show the keys that seal a store, or bring one to another machine", _key, _KEY_EXAMPLE)
    _add_store(key)
    action = key.add_mutually_exclusive_group()
    action.add_argument("--show", metavar="ID", nargs="?", const="", help="print the newest key here, or this one")
    action.add_argument("--add", action="store_true", help="read a key from stdin and keep it on this machine")
    action.add_argument("--new", action="store_true", help="make a key for a later rekey, and keep it here")
    action.add_argument("--remove", metavar="ID", help="forget a key that is no longer needed")
    rekey = add("rekey", "seal every record of a store with another key", _rekey, _REKEY_EXAMPLE)
    rekey.add_argument("key", metavar="ID", nargs="?", help="a key on this machine (default: a new one)")
    _add_store(rekey)


def execute(options: argparse.Namespace) -> int:
    """Runs the command that was named under `store`. Raises what that raises."""
    act: Callable[[argparse.Namespace], int] = options.act
    return act(options)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    formatter: argparse._FormatterClass,
    name: str,
    summary: str,
    act: Callable[[argparse.Namespace], int],
    example: str,
) -> argparse.ArgumentParser:
    """Adds a command under `store`."""
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=example,
        formatter_class=formatter,
        allow_abbrev=False,
    )
    add_verbose(command)
    command.set_defaults(act=act, parser=command, profile=None)
    return command


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", metavar="STORE", help="the store (default: the one that is set)")


def _copy(options: argparse.Namespace) -> int:
    """Moves logins, reports each that was not moved, and returns the exit code of the first."""
    settings = load_settings(options)
    source = _open(settings, options.source, "FROM")
    target = _open(settings, options.target, "TO")
    move = Move(source, target, replace=options.replace, tell=tell, in_target=partial(_with_store, options.target))
    with together(source), together(target):
        has_moved = move.run(settings.profile if options.profile else None, settings.profile)
    codes = [report(error) for error in move.failures]
    if has_moved or not codes:
        _show_step_after_copy(settings, options.target, has_moved=has_moved)
    return codes[0] if codes else 0


def _open(settings: Settings, name: str, place: str) -> SecretStore:
    refuse_password(name, place)
    return open_store(replace(settings, store=name, store_place=place))


def _with_store(name: str, command: str) -> str:
    return with_store(printable(expanded_name(name)), command, windows=sys.platform == "win32")


def _show_step_after_copy(settings: Settings, name: str, *, has_moved: bool) -> None:
    """Says how every program comes to use the new store, unless it is the one that is set."""
    if expanded_name(name) == expanded_name(settings.usual_store):
        tell(f"Next: {PROGRAM} list")
        return
    tell(f"Next: {PROGRAM} configure --store {quoted_store(name)}")
    if has_moved:
        tell("Programs that are running have the earlier store: restart them after that.")


def _init(options: argparse.Namespace) -> int:
    """Prepares the database, and a key that seals. Raises `ConfigurationError`, `StoreError` and `LockBusy`."""
    from withings_auth.store.postgresql.address import USUAL_SCHEMA, parse_address

    settings = load_settings(options, {"store": options.store})
    address = parse_address(settings.store, place=settings.store_place) if is_database(settings.store) else None
    if address is None and not options.print:
        raise ConfigurationError(
            f"the store is “{printable(settings.shown_store)}”, which needs no preparation",
            hint=f"name a database: {PROGRAM} store init --store postgresql://HOST/DATABASE",
        )
    if options.print or address is None:
        from withings_auth.store.postgresql.tables import schema_sql  # which needs no psycopg

        answer(schema_sql(USUAL_SCHEMA if address is None else address.schema).rstrip())
        return 0
    store = open_store(settings)  # first, because it explains a missing library
    from withings_auth.store.postgresql.schema import initialise

    is_new = initialise(address)
    tell(f"{'Made the tables of' if is_new else 'Nothing to make: there is'} {store.description}.")
    if address.sealed:
        from withings_auth.cli.store_keys import prepare

        prepare(store, settings)
    elsewhere = settings.unsaved_store
    if elsewhere is None:
        show_next_step(None, settings, store)
        return 0
    tell(f"Next: {PROGRAM} configure --store {quoted_store(elsewhere)}")
    usual = quoted_store(settings.usual_store)
    tell(f"To move the logins that you have, before that: {PROGRAM} store copy {usual} {quoted_store(elsewhere)}")
    return 0


def _key(options: argparse.Namespace) -> int:
    from withings_auth.cli.store_keys import manage_keys  # here, because moving logins needs no cryptography

    return manage_keys(options)


def _rekey(options: argparse.Namespace) -> int:
    from withings_auth.cli.store_keys import seal_anew

    return seal_anew(options)
