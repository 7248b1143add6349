"""A year of nights: the stages of each, and the summary that they add up to.

A watch tells sleep from the wrist. The values that only a mat under the mattress measures, such as snoring, are there
all the same, because clients read them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from .sample_data import DAY_SECONDS, DAYS, TIMEZONE, WATCH, chance, digest, watch_id

AWAKE, LIGHT, DEEP, REM = range(4)
"""Withings' numbers for the stages of sleep."""

_CYCLE = (LIGHT, DEEP, LIGHT, REM)
_NIGHT = (AWAKE, *_CYCLE, *_CYCLE, AWAKE, *_CYCLE, *_CYCLE, AWAKE)
_SHORTEST_MINUTES = {AWAKE: 5, LIGHT: 15, DEEP: 12, REM: 14}
_HEART_RATE = {AWAKE: 64, LIGHT: 56, DEEP: 51, REM: 60}
TRACKER = 16  # the source of a summary: a watch, and not a mat (32)


@dataclass(frozen=True, slots=True)
class Stage:
    """Some minutes of the same kind of sleep."""

    start: int
    end: int
    state: int

    @property
    def seconds(self) -> int:
        return self.end - self.start


def series(userid: int, start: int, end: int, fields: frozenset[str]) -> list[dict[str, object]]:
    """Returns the stages that begin from `start` to `end`, with the fields that are wanted, minute by minute."""
    model, model_id = WATCH
    source = {"model": model, "model_id": model_id, "hash_deviceid": watch_id(userid)}
    days = range(start // DAY_SECONDS, end // DAY_SECONDS + 2)
    stages = [stage for day in days for stage in _night(userid, day) if start <= stage.start and stage.end <= end]
    return [
        {
            "startdate": stage.start,
            "enddate": stage.end,
            "state": stage.state,
            **source,
            **{name: amounts for name, amounts in _by_minute(userid, stage).items() if name in fields},
        }
        for stage in stages
    ]


def summaries(userid: int, now: int) -> list[dict[str, object]]:
    """Returns the person's nights within the last year, oldest first."""
    return [_summary(userid, stages) for stages in _nights(userid, now)]


def _nights(userid: int, now: int) -> Iterator[list[Stage]]:
    today = now // DAY_SECONDS
    for day in range(today - DAYS + 1, today + 1):
        stages = _night(userid, day)
        if stages and stages[-1].end <= now:
            yield stages


def _night(userid: int, day: int) -> list[Stage]:
    """Returns the night that ends on this day; none if the watch was not worn."""
    if chance("no watch in bed", userid, day) < 0.07:
        return []
    at = day * DAY_SECONDS - 9000 + 60 * int(80 * chance("to bed", userid, day))
    stages = []
    for state, mark in zip(_NIGHT, digest("night", userid, day, size=len(_NIGHT)), strict=True):
        end = at + 60 * (_SHORTEST_MINUTES[state] + mark % 20)
        stages.append(Stage(at, end, state))
        at = end
    return stages


def _by_minute(userid: int, stage: Stage) -> dict[str, dict[str, int]]:
    minutes = range(stage.start, stage.end, 60)
    rate = _heart_rate(userid, stage)
    snores = _snores(userid, stage)
    waves = {str(at): math.sin(at / 420) for at in minutes}
    return {
        "hr": {at: rate + round(3 * wave) for at, wave in waves.items()},
        "rr": {at: 14 + round(wave) for at, wave in waves.items()},
        "snoring": dict.fromkeys(waves, 60 * snores),
        "sdnn_1": {at: 55 + round(9 * wave) for at, wave in waves.items()},
        "rmssd": {at: 48 + round(8 * wave) for at, wave in waves.items()},
        "hrv_quality": dict.fromkeys(waves, 6),
        "mvt_score": {at: (40 if stage.state == AWAKE else 4) + round(3 * wave) for at, wave in waves.items()},
    }


def _heart_rate(userid: int, stage: Stage) -> int:
    return _HEART_RATE[stage.state] + round(6 * chance("resting heart", userid))


def _snores(userid: int, stage: Stage) -> bool:
    return stage.state == LIGHT and chance("snoring", userid, stage.start) < 0.2


def _summary(userid: int, stages: list[Stage]) -> dict[str, object]:
    start, end = stages[0].start, stages[-1].end
    return {
        "id": int.from_bytes(digest("night id", userid, start)[:4], "big"),
        "timezone": TIMEZONE,
        "model": TRACKER,
        "model_id": WATCH[1],
        "hash_deviceid": watch_id(userid),
        "startdate": start,
        "enddate": end,
        "date": datetime.fromtimestamp(end, UTC).date().isoformat(),
        "data": {**_durations(stages), **_signs(userid, stages)},
        "created": end + 600,
        "modified": end + 600,
        "completed": True,
    }


def _durations(stages: list[Stage]) -> dict[str, float]:
    lasted = {state: sum(one.seconds for one in stages if one.state == state) for state in (AWAKE, LIGHT, DEEP, REM)}
    in_bed, asleep = sum(lasted.values()), lasted[LIGHT] + lasted[DEEP] + lasted[REM]
    latency, wakeup_latency = stages[0].seconds, stages[-1].seconds
    return {
        "total_timeinbed": in_bed,
        "total_sleep_time": asleep,
        "lightsleepduration": lasted[LIGHT],
        "deepsleepduration": lasted[DEEP],
        "remsleepduration": lasted[REM],
        "sleep_efficiency": round(asleep / in_bed, 2),
        "sleep_latency": latency,
        "wakeup_latency": wakeup_latency,
        "durationtosleep": latency,
        "durationtowakeup": wakeup_latency,
        "wakeupduration": lasted[AWAKE],
        "wakeupcount": sum(one.state == AWAKE for one in stages[1:-1]),
        "waso": lasted[AWAKE] - latency - wakeup_latency,
        "nb_rem_episodes": sum(one.state == REM for one in stages),
        "out_of_bed_count": 0,
    }


def _signs(userid: int, stages: list[Stage]) -> dict[str, int]:
    rates = [_heart_rate(userid, one) for one in stages]
    in_bed = stages[-1].end - stages[0].start
    average = sum(rate * one.seconds for rate, one in zip(rates, stages, strict=True)) / in_bed
    snoring = sum(one.seconds for one in stages if _snores(userid, one))
    return {
        "hr_average": round(average),
        "hr_min": min(rates) - 3,
        "hr_max": max(rates) + 3,
        "rr_average": 14,
        "rr_min": 13,
        "rr_max": 15,
        "breathing_disturbances_intensity": 4 + round(12 * chance("breathing", userid, stages[0].start)),
        "apnea_hypopnea_index": 1 + round(3 * chance("breathing", userid, stages[0].start)),
        "snoring": snoring,
        "snoringepisodecount": snoring // 900,
        "sleep_score": min(100, round(in_bed / 330)),
        "mvt_score_avg": 6,
        "mvt_active_duration": 900,
    }
