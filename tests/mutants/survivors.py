"""The mutants that no test can notice, with the reason of each: `survivors/*.toml`.

An entry names a mutant by its module, its function and the changed lines, and so stays true when lines move.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.mutants.mutate import Mutant

Key = tuple[str, str, str, str]
DIRECTORY = Path(__file__).parent / "survivors"


def listed(directory: Path = DIRECTORY) -> dict[Key, str]:
    """Returns each listed mutant with its reason. Raises `ValueError` if one has none."""
    found: dict[Key, str] = {}
    for path in sorted(directory.glob("*.toml")):
        for group in tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]:
            if not group["because"].strip():
                raise ValueError(f"no reason in {path.name}: {group}")
            for mutant in group["mutants"]:
                found[group["module"], mutant["in"], mutant["was"], mutant["now"]] = group["because"]
    return found


def entry(mutant: Mutant) -> str:
    """Returns the mutant as it would be listed."""
    return f"  {{ in = {_quoted(mutant.place)}, was = {_quoted(mutant.was)}, now = {_quoted(mutant.now)} }},"


def _quoted(text: str) -> str:
    return f"'{text}'" if "'" not in text else f"'''{text}'''"
