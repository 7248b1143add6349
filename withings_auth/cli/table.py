"""Withings' answers as CSV: measurements in the units that people use, other lists with a column for each field.

Each row is one line: control characters are escaped, so that no terminal obeys them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeGuard

from withings_auth.errors import ConfigurationError
from withings_auth.provider.measures import Reading, read_measures
from withings_auth.provider.pages import joined
from withings_auth.validation import printable

COLUMNS = ("date", "type", "value", "unit", "device")
_MEASURES = "measuregrps"


def csv_parts(pages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yields the pages of an answer as CSV, in parts of whole lines without the last line feed.

    Each page of measurements is a part. Any other answer is one part, because a field may be on its last page only, or
    none if it is empty. Raises `ProtocolViolation`, and `ConfigurationError` if the answer is not a list.
    """
    pages = iter(pages)
    first = next(pages)
    pages = chain([first], pages)
    if _MEASURES not in first:
        yield from _written(_fields(_only_list(joined(pages))))
        return
    yield from _written([COLUMNS])
    for page in pages:
        yield from _written(map(_cells, read_measures(page)))


def _cells(reading: Reading) -> Sequence[str]:
    # A space instead of T, and no zone: this is the form that spreadsheets recognise as a date.
    date = reading.taken_at.replace(tzinfo=None).isoformat(" ")
    return date, reading.name, f"{reading.value.normalize():f}", reading.unit, reading.device


def _only_list(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    lists = [rows for rows in map(_rows, body.values()) if rows is not None]
    if len(lists) != 1:
        raise ConfigurationError("this answer is not a list of rows", hint="without --csv it is printed as JSON")
    return lists[0]


def _rows(value: object) -> list[Mapping[str, Any]] | None:
    """Returns a list of objects as it is, and objects by their Unix times as such a list; None for anything else."""
    if _is_by_time(value):
        value = [{"timestamp": time, **row} if isinstance(row, dict) else row for time, row in value.items()]
    return value if isinstance(value, list) and all(isinstance(row, dict) for row in value) else None


def _is_by_time(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and value != {} and all(name.isdigit() for name in value)


def _fields(rows: Iterable[Mapping[str, Any]]) -> list[Sequence[str]]:
    """Returns the lines, with the names first; the fields of an inner object are columns such as `data.steps`."""
    flat = [dict(_flattened(row)) for row in rows]
    names = dict.fromkeys(chain.from_iterable(flat))
    return [list(names), *([row.get(name, "") for name in names] for row in flat)] if names else []


def _flattened(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if isinstance(value, dict) and not _is_by_time(value):
            yield from ((f"{name}.{inner}", _text(field)) for inner, field in value.items())
        else:
            yield name, _text(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _written(lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yields the lines as one text, if there are any."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([printable(cell, limit=10 * len(cell)) for cell in line] for line in lines)
    if text := out.getvalue().removesuffix("\n"):
        yield text
