"""Measure groups in words and units: the table of types, and what a reading is made of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from aiowithings import MeasurementType

from withings_auth.errors import ProtocolViolation
from withings_auth.provider.measures import MEASURE_TYPES, Reading, read_measures

MORNING = 1_795_844_883  # 2026-11-28 05:48:03 UTC
WEIGHT = {"value": 72480, "type": 1, "unit": -3, "algo": 0, "fm": 131}


def body(*measures: dict[str, Any], timezone: object = "Europe/Paris", **group: Any) -> dict[str, Any]:
    """An answer with one group."""
    fields = {"date": MORNING, "category": 1, "model": "Body+", "measures": list(measures), **group}
    return {"updatetime": MORNING, "timezone": timezone, "measuregrps": [fields]}


def read(*measures: dict[str, Any], **others: Any) -> Reading:
    """The one reading in it."""
    (reading,) = read_measures(body(*measures, **others))
    return reading


def test_a_weight_is_in_kilograms() -> None:
    reading = read(WEIGHT)
    assert (reading.name, reading.value, reading.unit, reading.device) == ("weight", Decimal("72.48"), "kg", "Body+")
    assert reading.taken_at.isoformat() == "2026-11-28T06:48:03+01:00"


def test_every_type_that_another_client_knows_is_in_the_table() -> None:
    """By nearly the same name, which shows that no line has slipped."""
    for other in set(MeasurementType) - {MeasurementType.UNKNOWN}:
        name, _ = MEASURE_TYPES[other.value]
        ours, theirs = (
            {*text.lower().replace("spo2", "sp02").split()} for text in (name, other.name.replace("_", " "))
        )
        assert ours & theirs, (other, name)


def test_each_name_is_used_once() -> None:
    names = [name for name, _ in MEASURE_TYPES.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("measure", "name", "value", "unit"),
    [
        ({"type": 6, "value": 25746, "unit": -3}, "fat ratio", "25.746", "%"),
        ({"type": 10, "value": 12, "unit": 1}, "systolic blood pressure", "120", "mmHg"),
        ({"type": 71, "value": 36.0, "unit": "0"}, "body temperature", "36", "°C"),
        ({"type": 1, "value": 0, "unit": -3}, "weight", "0", "kg"),
        ({"type": 1, "value": -5, "unit": -1}, "weight", "-0.5", "kg"),
        ({"type": 9999, "value": 7, "unit": 0}, "type 9999", "7", ""),
        ({"type": 174, "value": 1209, "unit": -2, "position": 12}, "fat mass of torso", "12.09", "kg"),
        ({"type": 174, "value": 107, "unit": -2, "position": 3}, "fat mass of left arm", "1.07", "kg"),
        ({"type": 175, "value": 9, "unit": 0, "position": 99}, "muscle mass of segment", "9", "kg"),
        ({"type": 10, "value": 120, "unit": 0, "position": 3}, "systolic blood pressure", "120", "mmHg"),
    ],
)
def test_a_reading_has_a_name_a_value_and_a_unit(measure: dict[str, Any], name: str, value: str, unit: str) -> None:
    reading = read(measure)
    assert (reading.name, reading.value, reading.unit) == (name, Decimal(value), unit)


def test_a_goal_is_no_measurement() -> None:
    """Withings sends both unless a call names the category."""
    assert read(WEIGHT, category=2, model=None).name == "weight goal"


def test_what_was_typed_in_has_no_device() -> None:
    assert read(WEIGHT, model=None).device == ""


def test_all_measures_come_in_order() -> None:
    answer = body(WEIGHT, {"type": 11, "value": 60, "unit": 0})
    answer["measuregrps"] += body({"type": 6, "value": 25, "unit": 0})["measuregrps"]
    assert [reading.name for reading in read_measures(answer)] == ["weight", "heart pulse", "fat ratio"]


@pytest.mark.parametrize("timezone", [None, "", "Nowhere/Land", "../etc/passwd", "Europe", "x" * 300, "\0", 7])
def test_an_unknown_zone_is_that_of_this_machine(timezone: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert read(WEIGHT, timezone=timezone).taken_at.isoformat()[:19] == "2026-11-28T05:48:03"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"measuregrps": {}},
        {"measuregrps": [7]},
        {"measuregrps": [{"date": MORNING}]},
        body(WEIGHT, date=None),
        body(WEIGHT, date=10**14),
        body({"value": 1, "unit": 0}),
        body({**WEIGHT, "value": None}),
        body({**WEIGHT, "value": 0.5}),
        body({**WEIGHT, "unit": "x"}),
        body({**WEIGHT, "unit": 10**9}),
    ],
)
def test_nonsense_is_an_error(answer: dict[str, Any]) -> None:
    """A number in a chart of one's health must not be guessed; and a huge power would fill the memory."""
    with pytest.raises(ProtocolViolation, match="makes no sense: ") as caught:
        list(read_measures(answer))
    assert caught.value.hint
