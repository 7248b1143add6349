"""What the parameters of a data service select: numbers, days, fields and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, TypeVar

from . import refusals
from .http import Parameters
from .refusals import RefusedError

Row = Mapping[str, Any]
T = TypeVar("T")

PAGE_SIZE = 100
"""How many rows one answer holds. Withings does not say; a year needs several answers, so clients must page."""

LONGEST_WINDOW_SECONDS = 86400
"""What is recorded by the minute comes for a day at a time: "only the first 24h after startdate will be returned"."""


def read_number(parameters: Parameters, name: str, default: int | None = None) -> int:
    """Returns a number; without a default, one that must be there."""
    text = parameters.text(name)
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise RefusedError(refusals.invalid_parameter(name))
    return int(text)


def read_numbers(parameters: Parameters, *names: str) -> set[int]:
    """Returns all numbers of some lists."""
    texts = [text for name in names for text in parameters.text(name).split(",") if text]
    if not all(text.isascii() and text.isdigit() for text in texts):
        raise RefusedError(refusals.invalid_parameter(names[0]))
    return {int(text) for text in texts}


def read_fields(parameters: Parameters) -> frozenset[str]:
    """Returns the fields that are asked for; none if the client leaves the choice to Withings."""
    return frozenset(name.strip() for name in parameters.text("data_fields").split(",") if name.strip())


def is_in_time(row: Row, parameters: Parameters, now: int, *, key: str = "date") -> bool:
    """Whether a row is from the time between `startdate` and `enddate`, or was changed since `lastupdate`."""
    if parameters.text("lastupdate"):
        return int(row["modified"]) >= read_number(parameters, "lastupdate", 0)
    return read_number(parameters, "startdate", 0) <= int(row[key]) <= read_number(parameters, "enddate", now)


def select_days(rows: Sequence[Row], parameters: Parameters) -> list[Row]:
    """Returns the rows of the days from `startdateymd` to `enddateymd`, or those changed since `lastupdate`."""
    if parameters.text("lastupdate"):
        since = read_number(parameters, "lastupdate")
        return [row for row in rows if row["modified"] >= since]
    first, last = _read_day(parameters, "startdateymd"), _read_day(parameters, "enddateymd")
    return [row for row in rows if first <= row["date"] <= last]


def read_window(parameters: Parameters, now: int) -> tuple[int, int]:
    """Returns when the selected time begins and ends, both in Unix seconds; without any dates, the last day."""
    start = read_number(parameters, "startdate", now - LONGEST_WINDOW_SECONDS)
    end = read_number(parameters, "enddate", now)
    return start, min(end, now, start + LONGEST_WINDOW_SECONDS)


def select_page(rows: Sequence[T], parameters: Parameters) -> tuple[list[T], bool, int]:
    """Returns one page of rows, whether there are more, and if so where they begin."""
    offset = read_number(parameters, "offset", 0)
    end = offset + PAGE_SIZE
    more = len(rows) > end
    return list(rows[offset:end]), more, end if more else 0


def _read_day(parameters: Parameters, name: str) -> str:
    text = parameters.text(name)
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat()
    raise RefusedError(refusals.invalid_parameter(name))
