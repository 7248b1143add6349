"""Answers as CSV: what becomes a row, a column and a part."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import pytest

from withings_auth.cli.table import csv_parts
from withings_auth.errors import ConfigurationError, ProtocolViolation

WEIGHT = {"value": 72480, "type": 1, "unit": -3}


def page(*measures: dict[str, Any]) -> dict[str, Any]:
    group = {"date": 1_795_844_883, "category": 1, "model": "Body+", "measures": list(measures)}
    return {"timezone": "Europe/Paris", "measuregrps": [group]}


def text_of(*pages: dict[str, Any]) -> str:
    return "\n".join(csv_parts(pages))


def test_measurements_are_rows_in_the_units_of_people() -> None:
    assert text_of(page(WEIGHT, {"value": 70, "type": 11, "unit": 0})) == (
        "date,type,value,unit,device\n"
        "2026-11-28 06:48:03,weight,72.48,kg,Body+\n"
        "2026-11-28 06:48:03,heart pulse,70,bpm,Body+"
    )


@pytest.mark.parametrize(
    ("value", "power", "expected"),
    [(7, 1, "70"), (70000, -3, "70"), (0, -3, "0"), (5, -7, "0.0000005"), (3, 20, f"3{0:020}")],
)
def test_a_value_is_never_written_with_an_exponent(value: int, power: int, expected: str) -> None:
    (_, row) = csv.reader(text_of(page({"value": value, "type": 1, "unit": power})).splitlines())
    assert row[2] == expected


def test_each_page_of_measurements_is_a_part() -> None:
    """It can be printed before the next one has come."""
    asked = []

    def pages() -> Iterator[dict[str, Any]]:
        for number in range(3):
            asked.append(number)
            yield page(WEIGHT)

    parts = csv_parts(pages())
    assert (next(parts), len(asked)) == ("date,type,value,unit,device", 1)
    assert (next(parts), len(asked)) == ("2026-11-28 06:48:03,weight,72.48,kg,Body+", 1)
    assert (next(parts), len(asked)) == ("2026-11-28 06:48:03,weight,72.48,kg,Body+", 2)


def test_a_page_without_measurements_is_no_line() -> None:
    assert list(csv_parts([{"measuregrps": []}, {"measuregrps": []}])) == ["date,type,value,unit,device"]


def test_a_page_that_makes_no_sense_leaves_the_earlier_ones() -> None:
    parts = csv_parts([page(WEIGHT), {"measuregrps": 7}])
    assert (next(parts), next(parts)[:10]) == ("date,type,value,unit,device", "2026-11-28")
    with pytest.raises(ProtocolViolation):
        next(parts)


def test_another_list_has_a_column_for_each_field() -> None:
    """A field that comes late, on another page too, gets its column; what has none is empty."""
    first = {"series": [{"date": "2026-11-27", "steps": 8123, "hr": None}], "more": 1, "offset": 1}
    second = {"series": [{"date": "2026-11-28", "calories": 61.5, "auto": True}]}
    assert list(csv_parts([first, second])) == [
        "date,steps,hr,calories,auto\n2026-11-27,8123,,,\n2026-11-28,,,61.5,true",
    ]


def test_an_inner_object_has_columns_of_its_own() -> None:
    """As in workouts and nights; what lies deeper is JSON."""
    night = {"id": 7, "data": {"deep": 3600, "score": {"a": [1, 2]}}, "tags": ["x", "y"]}
    assert text_of({"series": [night]}) == ('id,data.deep,data.score,tags\n7,3600,"{""a"":[1,2]}","[""x"",""y""]"')


def test_objects_by_their_times_are_rows() -> None:
    """As in a day's activity; within a row, as in a night, they are one column."""
    body = {"series": {"1795751400": {"hr": 58}, "1795751460": {"hr": 57, "rr": {"1795751460": 14}}}}
    assert text_of(body) == 'timestamp,hr,rr\n1795751400,58,\n1795751460,57,"{""1795751460"":14}"'


@pytest.mark.parametrize("body", [{"devices": []}, {"devices": [{}]}])
def test_nothing_is_no_line(body: dict[str, Any]) -> None:
    assert list(csv_parts([body])) == []


@pytest.mark.parametrize(
    "body",
    [{}, {"a": 1}, {"a": {}}, {"a": {"b": {}}}, {"a": {"1": 2}}, {"a": [1, 2]}, {"a": [[1]]}, {"a": [{}], "b": [{}]}],
)
def test_what_is_no_list_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="is not a list") as caught:
        list(csv_parts([body]))
    assert "--csv" in caught.value.hint


def test_a_row_is_one_line_that_no_terminal_obeys() -> None:
    """Statement 35: control characters are escaped, in names too; quotes, commas and other letters are data."""
    comment = 'say "hello",\nGröße\x1b[31m'
    written = text_of({"profiles": [{"comment": comment, "\x1b]0;x": "\u202e"}]})
    assert list(csv.reader(written.splitlines())) == [
        ["comment", "\\x1b]0;x"],
        ['say "hello",\\nGröße\\x1b[31m', "\\u202e"],
    ]
