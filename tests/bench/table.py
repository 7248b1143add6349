"""The table: a line for each reference on a terminal, a row for each cost in Markdown."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench.budgets import BUDGETS
from tests.bench.desk import FILES, SECRET_SERVICE
from tests.bench.first_login import PINS
from tests.bench.timing import Failed, Measured, Skipped

README = Path(__file__).parents[2] / "README.md"
_TABLE = re.compile(r"(?m)^Measured on (?:.+\n)+\n(?:\|.*\n)+")
_MEGABYTE = 1e6
_WIDTH = 51  # of the longest name
WIDTH = 120  # of the README


def heading() -> str:
    return line("what", "takes", "times", "budget", "", "of")


def line(what: str, takes: str, times: str, budget: str, verdict: str, against: str) -> str:
    return f"{what:<{_WIDTH}} {takes:>9} {times:>8} {budget:>7}  {verdict:<8}  {against}".rstrip()


def lines(found: Measured | Skipped | Failed, leeway: float) -> Iterator[str]:
    """Yields what a terminal shows: what, how much, how many times as much as what, and whether that is allowed."""
    if not isinstance(found, Measured):
        yield line(found.what, "", "", "", "skipped" if isinstance(found, Skipped) else "FAILED", found.why)
        return
    for number, (against, ratio) in enumerate(found.ratios.items()):
        shown = (found.what, in_unit(found)) if number == 0 else ("", "")
        budget = BUDGETS[found.what][against] * leeway
        yield line(*shown, f"{ratio:.2f}", f"{budget:.2f}", "ok" if ratio <= budget else "EXCEEDED", against)


def exceeded(found: Measured | Skipped | Failed, leeway: float) -> bool:
    return isinstance(found, Measured) and any(
        ratio > BUDGETS[found.what][against] * leeway for against, ratio in found.ratios.items()
    )


def in_unit(found: Measured) -> str:
    """Returns an amount in a suitable unit."""
    if found.what.startswith("memory"):
        return f"{found.amount / _MEGABYTE:.1f} MB"
    if found.amount < 1e-3:
        return f"{found.amount * 1e6:.2f} µs"
    return f"{found.amount * 1e3:.1f} ms" if found.amount < 1 else f"{found.amount:.2f} s"


def markdown(everything: Sequence[Measured], today: dt.date) -> str:
    """Returns the README's table, with the day and the versions: one row for all whose names begin alike."""
    rows: dict[str, dict[str, list[str]]] = {}
    for found in everything:
        what, *details = found.what.split(", ")
        kind = SECRET_SERVICE if SECRET_SERVICE in details else FILES
        named = " ".join([*(detail for detail in details if detail != kind), in_unit(found)])
        ratios = (f"{ratio:.2f} of {against}" for against, ratio in found.ratios.items())
        rows.setdefault(what, {SECRET_SERVICE: [], FILES: []})[kind].append(f"{named}: {', '.join(ratios)}")
    described = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        textwrap.fill(f"Measured on {today} with {described}.", WIDTH, break_on_hyphens=False),
        "",
        f"| what | {SECRET_SERVICE} | {FILES} |",
        "| --- | --- | --- |",
        *(f"| {what} | {' | '.join(map('; '.join, kinds.values()))} |" for what, kinds in rows.items()),
    ]
    return "\n".join(lines) + "\n"


def versions() -> Mapping[str, str]:
    """Returns the versions of everything that was measured."""
    libraries = {name: importlib.metadata.version(name) for name in ("aiohttp", "keyring", "jeepney", "psycopg")}
    keyring = {}
    if shutil.which("gnome-keyring-daemon"):
        said = subprocess.run(["gnome-keyring-daemon", "--version"], capture_output=True, text=True, check=True).stdout
        keyring = {"GNOME Keyring": re.findall(r"[\d.]+", said)[0]}
    pins = dict(pin.split("==") for pin in PINS.read_text().split())
    return {"Python": platform.python_version(), **libraries, **keyring, **pins}


def put_into(readme: Path, table: str) -> None:
    """Replaces the table in the file."""
    text = readme.read_text(encoding="utf-8")
    changed, number = _TABLE.subn(lambda _: table, text)
    if number != 1:
        raise SystemExit(f"{readme} has {number} tables that begin with “Measured on”")
    readme.write_text(changed, encoding="utf-8")
