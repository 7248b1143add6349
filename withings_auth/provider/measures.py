"""What the numbers in Withings' measure groups mean: each measure with its time, name, value and unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from withings_auth.errors import ProtocolViolation
from withings_auth.validation import whole_number

# From developer.withings.com/api-reference, "Measure - Getmeas", parameter `meastype`, with shortened names; 158, 159,
# 197 and 198 are from older versions of it. If it names no unit, there is none here, but that of masses and ages.
MEASURE_TYPES: dict[int, tuple[str, str]] = {
    1: ("weight", "kg"),
    4: ("height", "m"),
    5: ("fat free mass", "kg"),
    6: ("fat ratio", "%"),
    8: ("fat mass", "kg"),
    9: ("diastolic blood pressure", "mmHg"),
    10: ("systolic blood pressure", "mmHg"),
    11: ("heart pulse", "bpm"),
    12: ("temperature", "°C"),
    54: ("SpO2", "%"),
    71: ("body temperature", "°C"),
    73: ("skin temperature", "°C"),
    76: ("muscle mass", "kg"),
    77: ("hydration", "kg"),
    88: ("bone mass", "kg"),
    91: ("pulse wave velocity", "m/s"),
    123: ("VO2 max", "ml/min/kg"),
    130: ("atrial fibrillation", ""),
    135: ("QRS interval", ""),
    136: ("PR interval", ""),
    137: ("QT interval", ""),
    138: ("corrected QT interval", ""),
    139: ("atrial fibrillation from PPG", ""),
    155: ("vascular age", "years"),
    158: ("nerve health score left foot", ""),
    159: ("nerve health score right foot", ""),
    167: ("nerve health score feet", ""),
    168: ("extracellular water", "kg"),
    169: ("intracellular water", "kg"),
    170: ("visceral fat", ""),
    173: ("fat free mass of segment", "kg"),
    174: ("fat mass of segment", "kg"),
    175: ("muscle mass of segment", "kg"),
    196: ("electrodermal activity feet", ""),
    197: ("electrodermal activity left foot", ""),
    198: ("electrodermal activity right foot", ""),
    226: ("basal metabolic rate", ""),
    227: ("metabolic age", "years"),
    229: ("electrochemical skin conductance", ""),
}
# The values of `position` that tell the measures "of segment" apart (the same table, "measure_object").
_SEGMENTS = {2: "right arm", 3: "left arm", 10: "left leg", 11: "right leg", 12: "torso"}
_GOAL = 2  # the category of what a person wants to reach
_LARGEST_POWER = 30  # of ten; no measure is near it, and a larger one would fill the memory with zeros


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measure; `unit` and `device` are empty if they are unknown or there is none."""

    taken_at: datetime
    name: str
    value: Decimal
    unit: str
    device: str


def read_measures(body: Mapping[str, Any]) -> Iterator[Reading]:
    """Yields each measure of `getmeas`, in order; raises `ProtocolViolation` if something in it makes no sense.

    The time is that of the account's time zone; that of this machine if the answer or the system does not know it.
    """
    zone = _zone(body.get("timezone"))
    for group in _objects(body.get("measuregrps")):
        taken_at = _time(group.get("date"), zone)
        model = group.get("model")
        for measure in _objects(group.get("measures")):
            name, unit = _type_of(measure)
            yield Reading(
                taken_at=taken_at,
                name=f"{name} goal" if whole_number(group.get("category")) == _GOAL else name,
                value=_value_of(measure),
                unit=unit,
                device=model if isinstance(model, str) else "",
            )


def _type_of(measure: Mapping[str, Any]) -> tuple[str, str]:
    number = whole_number(measure.get("type"))
    if number is None:
        raise _makes_no_sense("a measure has no type")
    name, unit = MEASURE_TYPES.get(number, (f"type {number}", ""))
    part = _SEGMENTS.get(whole_number(measure.get("position")) or 0)
    return (name.replace("segment", part), unit) if part else (name, unit)


def _value_of(measure: Mapping[str, Any]) -> Decimal:
    value, power = whole_number(measure.get("value")), whole_number(measure.get("unit"))
    if value is None or power is None or abs(power) > _LARGEST_POWER:
        raise _makes_no_sense("a measure has no value")
    return Decimal(value).scaleb(power)


def _time(value: object, zone: ZoneInfo | None) -> datetime:
    seconds = whole_number(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError, OSError):  # no calendar goes that far
        pass
    raise _makes_no_sense("a measure has no date")


def _zone(name: object) -> ZoneInfo | None:
    """Returns the time zone of this name; None if it is not one, or if the system knows none (Windows)."""
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (KeyError, ValueError, OSError):
        return None


def _objects(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _makes_no_sense("the measures are not a list")
    return value


def _makes_no_sense(what: str) -> ProtocolViolation:
    return ProtocolViolation(
        f"Withings' answer makes no sense: {what}",
        hint="to see it: withings-auth api measure getmeas --raw",
    )
