"""What a described program is started with: its places, its command, its environment, and what the templates stand for.

`{directory}` is kept from run to run, for each profile one, since programs remember there what they have passed on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath

from withings_auth.borrow.descriptions import Description
from withings_auth.borrow.placeholder_files import Places
from withings_auth.borrow.placeholders import ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN
from withings_auth.borrow.templates import fill
from withings_auth.model import Token


def find_places(description: Description, command: Sequence[str], *, state: Path, profile: str) -> Places:
    """Returns where the program's files are: in a directory within `state`, or in the one that the command names."""
    kept = state / "programs"
    position = _position(description, command)
    named = None if position is None else _directory_in(command[position:], description.directory_option)
    return Places(
        directory=kept / description.name / profile if named is None else Path(named),
        home=Path.home(),
        lock=kept / f"{description.name}.lock",
        is_ours=named is None,
    )


def stand_ins(token: Token, places: Places) -> dict[str, str]:
    """Returns what the names in a template stand for; there is no secret among it."""
    return {
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
        "client_id": token.client_id,
        "client_secret": CLIENT_SECRET,
        "userid": token.userid,
        "scope": ",".join(token.scopes),
        "expires_at": str(token.expires_at),
        **places.values,
    }


def complete_command(
    description: Description, command: Sequence[str], places: Places, values: Mapping[str, str]
) -> list[str]:
    """Returns the command with the description's arguments; without them if it names its directory itself."""
    after = (_position(description, command) or 0) + 1
    added = [fill(word, values) for word in description.arguments] if places.is_ours else []
    return [*command[:after], *added, *command[after:]]


def complete_environment(
    description: Description, environment: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """Returns the environment with the description's variables."""
    return {**environment, **{name: fill(text, values) for name, text in description.environment.items()}}


def _position(description: Description, command: Sequence[str]) -> int | None:
    """Returns which word is the program's name: the third one in `python3 -m withings_sync`; None if none is."""
    names = [PurePath(word).stem.replace("_", "-").lower() for word in command]
    name = description.name.replace("_", "-")
    return names.index(name) if name in names else None


def _directory_in(words: Sequence[str], spellings: Collection[str]) -> str | None:
    """Returns the value of an option, given as `-c DIR`, `-cDIR` or `--config DIR`, `--config=DIR`."""
    for number, word in enumerate(words):
        if word in spellings:
            return next(iter(words[number + 1 :]), None)
        for spelling in spellings:
            start = f"{spelling}=" if spelling.startswith("--") else spelling
            if word.startswith(start):
                return word.removeprefix(start)
    return None
