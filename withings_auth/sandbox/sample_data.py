"""A year of believable data for each person: the same at every start, and new every morning.

A reading depends only on the person and the day, so that yesterday's weight stays the same when the clock moves.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

Group = dict[str, Any]
"""What was measured at one time, as JSON; a measure's number is `value` times 10 to the power of `unit`."""

DAYS = 365
TIMEZONE = "Europe/Paris"
DAY_SECONDS = 86400

WEIGHT, FAT_FREE_MASS, FAT_RATIO, FAT_MASS, HEART_PULSE = 1, 5, 6, 8, 11
"""Withings' numbers for the types of measures."""

WATCH = "Steel HR", 55
"""The model of everybody's watch, and Withings' number for it."""


def weigh_ins(userid: int, now: int) -> list[Group]:
    """Returns the person's mornings on the scales within the last year, newest first, with some days missed."""
    return list(_each_weigh_in(userid, now))


def weight_goal(userid: int) -> dict[str, int]:
    """Returns the weight that the person wants to reach."""
    return _measure(WEIGHT, round(_usual_weight(userid) - 3, 1), -3)


def goals(userid: int, now: int) -> list[Group]:
    """Returns that weight as measures list it (category 2: a goal, not a measurement)."""
    set_at = now // DAY_SECONDS * DAY_SECONDS - 200 * DAY_SECONDS
    group = _group(userid, "goal", set_at, [weight_goal(userid)])
    return [{**group, "category": 2, "deviceid": None, "hash_deviceid": None, "modelid": None, "model": None}]


def devices(userid: int, now: int) -> list[dict[str, object]]:
    """Returns the scales that the household shares, and the person's own watch."""
    first_seen = now - DAYS * DAY_SECONDS
    last_weighed = next((group["date"] for group in _each_weigh_in(userid, now)), None)
    return [
        _device("Scale", "Body+", 5, "high", scales_id(), first_seen, last_weighed),
        _device("Activity Tracker", *WATCH, "medium", watch_id(userid), first_seen + 40 * DAY_SECONDS, now - 1200),
    ]


def _each_weigh_in(userid: int, now: int) -> Iterator[Group]:
    today = now // DAY_SECONDS
    for day in range(today, today - DAYS, -1):
        reading = _weigh_in(userid, day)
        if reading is not None and reading["date"] <= now:
            yield reading


def _weigh_in(userid: int, day: int) -> Group | None:
    if chance("missed", userid, day) < 0.17:
        return None
    usual = _usual_weight(userid)
    season = 2.2 * math.sin(2 * math.pi * (day + userid % 97) / 410)
    weekend = 0.35 * math.cos(2 * math.pi * (day - 4) / 7)
    weight = usual + season + weekend + 0.6 * (chance("weight", userid, day) - 0.5)
    fat_ratio = 19 + 9 * chance("build", userid) + 0.6 * season + 0.8 * (chance("fat", userid, day) - 0.5)
    fat_mass = weight * fat_ratio / 100
    pulse = 58 + 12 * chance("pulse", userid, day)
    taken_at = day * DAY_SECONDS + 5 * 3600 + int(5400 * chance("hour", userid, day))
    measures = [
        _measure(WEIGHT, weight, -3),
        _measure(FAT_RATIO, fat_ratio, -3),
        _measure(FAT_MASS, fat_mass, -2),
        _measure(FAT_FREE_MASS, weight - fat_mass, -2),
        _measure(HEART_PULSE, pulse, 0),
    ]
    return _group(userid, f"day {day}", taken_at, measures)


def _group(userid: int, name: str, taken_at: int, measures: list[dict[str, int]]) -> Group:
    return {
        "grpid": int.from_bytes(digest(name, userid)[:4], "big"),
        "attrib": 0,
        "date": taken_at,
        "created": taken_at + 45,
        "modified": taken_at + 45,
        "category": 1,
        "deviceid": scales_id(),
        "hash_deviceid": scales_id(),
        "measures": measures,
        "modelid": 5,
        "model": "Body+",
        "comment": None,
    }


def _device(
    kind: str, model: str, model_id: int, battery: str, device_id: str, first_seen: int, last_seen: int | None
) -> dict[str, object]:
    return {
        "type": kind,
        "model": model,
        "model_id": model_id,
        "battery": battery,
        "deviceid": device_id,
        "hash_deviceid": device_id,
        "timezone": TIMEZONE,
        "first_session_date": first_seen,
        "last_session_date": last_seen,
    }


def _measure(kind: int, amount: float, unit: int) -> dict[str, int]:
    return {"value": round(amount / 10**unit), "type": kind, "unit": unit, "algo": 0, "fm": 131}


def _usual_weight(userid: int) -> float:
    return 61 + 24 * chance("usual weight", userid)


def scales_id() -> str:
    """Returns the device id of the scales."""
    return digest("scales").hex()


def watch_id(userid: int) -> str:
    """Returns the device id of the person's watch."""
    return digest("watch", userid).hex()


def chance(*what: object) -> float:
    """Returns a number from 0 to 1, always the same for the same question."""
    return int.from_bytes(digest(*what)[:6], "big") / 2**48


def digest(*what: object, size: int = 20) -> bytes:
    """Returns random bytes, always the same for the same question."""
    return hashlib.blake2b(repr(what).encode(), digest_size=size).digest()
