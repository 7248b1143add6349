"""A year on the wrist: the steps of every half hour, the days that they add up to, and a few workouts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from .sample_data import DAY_SECONDS, DAYS, TIMEZONE, WATCH, chance, digest, watch_id

SLOT_SECONDS = 1800
_SLOTS = 32
_FIRST_SLOT_SECONDS = 5 * 3600 + 1800  # after midnight UTC: the last slot ends on the same day in Paris too
_STEP_METRES = 0.72
_STEP_SECONDS = 0.6
_STEP_KCAL = 0.041
_RESTING_KCAL = 1620
_WALK, _RUN = 1, 2
"""Withings' numbers for the categories of workouts."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Half an hour of a day."""

    at: int
    steps: int

    @property
    def heart_rate(self) -> int:
        return 62 + self.steps // 11

    @property
    def duration(self) -> int:
        """How many seconds of it were spent on the move."""
        return round(self.steps * _STEP_SECONDS)

    @property
    def floors(self) -> int:
        return self.steps // 400


def intraday(userid: int, start: int, end: int) -> dict[str, dict[str, object]]:
    """Returns what the watch recorded from `start` to `end`, by the time in Unix seconds."""
    model, model_id = WATCH
    source: dict[str, object] = {"model": model, "model_id": model_id, "deviceid": watch_id(userid)}
    found = [slot for day in range(start // DAY_SECONDS, end // DAY_SECONDS + 1) for slot in _slots(userid, day, end)]
    return {
        str(slot.at): {**source, **_amounts([slot]), "duration": slot.duration, "heart_rate": slot.heart_rate}
        for slot in found
        if slot.at >= start
    }


def activities(userid: int, now: int) -> list[dict[str, object]]:
    """Returns the person's days within the last year, oldest first; today's counts what was recorded so far."""
    return [_activity(userid, slots) for slots in _days(userid, now)]


def workouts(userid: int, now: int) -> list[dict[str, object]]:
    """Returns some walks and runs within the last year, oldest first: on the days that have one, the liveliest hour."""
    days = [slots for slots in _days(userid, now) if len(slots) == _SLOTS]
    return [_workout(userid, slots) for slots in days if chance("workout", userid, slots[0].at) < 0.3]


def _days(userid: int, now: int) -> Iterator[list[Slot]]:
    today = now // DAY_SECONDS
    for day in range(today - DAYS + 1, today + 1):
        if slots := _slots(userid, day, now):
            yield slots


def _slots(userid: int, day: int, now: int) -> list[Slot]:
    """Returns the day's slots that have ended."""
    first = day * DAY_SECONDS + _FIRST_SLOT_SECONDS
    drive = 5 + 3 * chance("drive", userid)
    marks = digest("steps", userid, day, size=_SLOTS)
    slots = [Slot(first + SLOT_SECONDS * i, round(max(0, mark - 100) * drive)) for i, mark in enumerate(marks)]
    return [slot for slot in slots if slot.at + SLOT_SECONDS <= now]


def _activity(userid: int, slots: list[Slot]) -> dict[str, object]:
    model, model_id = WATCH
    amounts = _amounts(slots)
    soft, moderate, intense = _spread(slots, 300, 700)
    return {
        **amounts,
        "soft": soft,
        "moderate": moderate,
        "intense": intense,
        "active": moderate + intense,
        "totalcalories": round(_RESTING_KCAL + amounts["calories"], 3),
        **_heart(slots),
        "date": _date(slots[0].at),
        "timezone": TIMEZONE,
        "deviceid": watch_id(userid),
        "hash_deviceid": watch_id(userid),
        "brand": 1,
        "is_tracker": True,
        "modified": slots[-1].at + SLOT_SECONDS,
        "model": model,
        "modelid": model_id,
    }


def _workout(userid: int, slots: list[Slot]) -> dict[str, object]:
    liveliest = max(range(_SLOTS - 1), key=lambda i: slots[i].steps + slots[i + 1].steps)
    hour = slots[liveliest : liveliest + 2]
    amounts = _amounts(hour)
    start = hour[0].at
    data = {
        **{name: round(amount) for name, amount in amounts.items()},
        "intensity": 50,
        "manual_distance": 0,
        "manual_calories": 0,
        **_heart(hour),
        "pause_duration": 0,
        "algo_pause_duration": None,
    }
    return {
        "id": int.from_bytes(digest("workout id", userid, start)[:4], "big"),
        "category": _RUN if amounts["steps"] > 1800 else _WALK,
        "timezone": TIMEZONE,
        "model": WATCH[1],
        "attrib": 0,
        "startdate": start,
        "enddate": start + 2 * SLOT_SECONDS,
        "date": _date(start),
        "modified": start + 2 * SLOT_SECONDS + 300,
        "deviceid": watch_id(userid),
        "data": data,
    }


def _amounts(slots: list[Slot]) -> dict[str, float]:
    steps = sum(slot.steps for slot in slots)
    return {
        "steps": steps,
        "distance": round(steps * _STEP_METRES, 3),
        "elevation": sum(slot.floors for slot in slots),
        "calories": round(steps * _STEP_KCAL, 3),
    }


def _heart(slots: list[Slot]) -> dict[str, int]:
    """Returns the heart rates, and the seconds that each zone lasted: light, moderate, intense and maximal."""
    rates = [slot.heart_rate for slot in slots]
    rested = sum(SLOT_SECONDS - slot.duration for slot in slots)
    light, moderate, intense, maximal = _spread(slots, 300, 700, 1000)
    zones = {"hr_zone_0": rested + light, "hr_zone_1": moderate, "hr_zone_2": intense, "hr_zone_3": maximal}
    return {"hr_average": round(sum(rates) / len(rates)), "hr_min": min(rates), "hr_max": max(rates), **zones}


def _spread(slots: list[Slot], *limits: int) -> list[int]:
    """Returns the seconds on the move, by how many of the limits the half hour's steps have reached."""
    seconds = [0] * (len(limits) + 1)
    for slot in slots:
        seconds[sum(slot.steps >= limit for limit in limits)] += slot.duration
    return seconds


def _date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
