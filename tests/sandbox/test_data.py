"""The data is believable, stable, and shaped like Withings' own."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from withings_auth.sandbox import PEOPLE
from withings_auth.sandbox.sample_data import DAYS, weigh_ins

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench

NOW = 1_700_000_000
DAY = 86400
MARIE = PEOPLE[0].userid


def _weights(groups: list[Any]) -> list[float]:
    return [one["value"] * 10 ** one["unit"] for group in groups for one in group["measures"] if one["type"] == 1]


def _ask(bench: Bench, **parameters: str) -> dict[str, Any]:
    token = bench.issue_pair().access_token
    answer = bench.data("/measure", token, action="getmeas", **parameters)
    assert answer["status"] == 0, answer
    body: dict[str, Any] = answer["body"]
    return body


class TestWeighIns:
    def test_a_year_with_some_days_missed(self) -> None:
        groups = weigh_ins(MARIE, NOW)

        assert 0.7 * DAYS < len(groups) < 0.95 * DAYS
        assert all(NOW - DAYS * DAY <= group["date"] <= NOW for group in groups)

    def test_newest_first_and_with_unique_numbers(self) -> None:
        groups = weigh_ins(MARIE, NOW)

        assert [group["date"] for group in groups] == sorted((group["date"] for group in groups), reverse=True)
        assert len({group["grpid"] for group in groups}) == len(groups)

    @pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
    def test_the_weights_are_plausible(self, person: Any) -> None:
        weights = _weights(weigh_ins(person.userid, NOW))
        steps = [abs(one - other) for one, other in itertools.pairwise(weights)]

        assert all(50 < weight < 100 for weight in weights)
        assert max(steps) < 2
        assert 1 < max(weights) - min(weights) < 8
        assert statistics.stdev(weights) > 0.3

    def test_fat_mass_and_fat_free_mass_add_up_to_the_weight(self) -> None:
        for group in weigh_ins(MARIE, NOW):
            values = {one["type"]: one["value"] * 10 ** one["unit"] for one in group["measures"]}

            assert values[8] + values[5] == pytest.approx(values[1], abs=0.02)
            assert values[8] / values[1] * 100 == pytest.approx(values[6], abs=0.05)
            assert 10 < values[6] < 40
            assert 50 < values[11] < 75

    def test_people_differ_and_past_days_do_not_change(self) -> None:
        today = weigh_ins(MARIE, NOW)
        later = weigh_ins(MARIE, NOW + 5 * DAY)

        assert _weights(today) != _weights(weigh_ins(PEOPLE[1].userid, NOW))
        assert [one for one in later if one["date"] <= NOW] == [one for one in today if one in later]
        assert len([one for one in today if one not in later]) <= 5
        assert any(one["date"] > NOW for one in later)


class TestGetmeas:
    def test_the_shape(self, bench: Bench) -> None:
        body = _ask(bench)
        group = body["measuregrps"][0]

        assert body.keys() == {"updatetime", "timezone", "measuregrps", "more", "offset"}
        assert body["updatetime"] == NOW
        assert {"grpid", "attrib", "date", "created", "modified", "category", "deviceid", "measures"} <= group.keys()
        assert group["category"] == 1
        assert {"value", "type", "unit"} <= group["measures"][0].keys()

    def test_pages_lead_to_the_end(self, bench: Bench) -> None:
        offset, seen = "0", []
        for _ in range(10):
            body = _ask(bench, offset=offset)
            seen += [group["grpid"] for group in body["measuregrps"]]
            if not body.get("more"):
                break
            offset = str(body["offset"])

        assert seen == [group["grpid"] for group in weigh_ins(MARIE, NOW)]

    @pytest.mark.parametrize(
        ("parameters", "types"),
        [({"meastype": "1"}, {1}), ({"meastypes": "6,11"}, {6, 11}), ({"meastype": "54"}, set())],
    )
    def test_by_type(self, bench: Bench, parameters: dict[str, str], types: set[int]) -> None:
        groups = _ask(bench, **parameters)["measuregrps"]

        assert {one["type"] for group in groups for one in group["measures"]} == types

    def test_by_time(self, bench: Bench) -> None:
        start, end = NOW - 20 * DAY, NOW - 10 * DAY

        within = _ask(bench, startdate=str(start), enddate=str(end))["measuregrps"]
        since = _ask(bench, lastupdate=str(start))["measuregrps"]

        assert within
        assert all(start <= group["date"] <= end for group in within)
        assert len(since) > len(within)
        assert all(group["modified"] >= start for group in since)
        assert _ask(bench, lastupdate=str(NOW))["measuregrps"] == []

    def test_goals_are_another_category(self, bench: Bench) -> None:
        (goal,) = _ask(bench, category="2")["measuregrps"]

        assert goal["category"] == 2
        assert goal["deviceid"] is None
        assert 50 < _weights([goal])[0] < 90

    @pytest.mark.parametrize(
        "name", ["meastype", "meastypes", "startdate", "enddate", "lastupdate", "offset", "category"]
    )
    def test_a_malformed_number_is_an_invalid_parameter(self, bench: Bench, name: str) -> None:
        token = bench.issue_pair().access_token

        answer = bench.data("/measure", token, action="getmeas", **{name: "yesterday"})

        assert answer["status"] == 503
        assert answer["error"].startswith("Invalid Params: invalid ")


class TestOtherServices:
    def test_the_devices_are_scales_and_a_watch(self, bench: Bench) -> None:
        answer = bench.data("/v2/user", bench.issue_pair().access_token, action="getdevice")
        scales, watch = answer["body"]["devices"]

        assert (scales["type"], scales["model"], scales["model_id"]) == ("Scale", "Body+", 5)
        assert watch["type"] == "Activity Tracker"
        assert scales["last_session_date"] == weigh_ins(MARIE, NOW)[0]["date"]
        assert {"battery", "deviceid", "hash_deviceid", "timezone", "first_session_date"} <= scales.keys()

    def test_notifications_are_what_was_subscribed(self, bench: Bench) -> None:
        token = bench.issue_pair().access_token
        assert bench.data("/notify", token, action="list")["body"] == {"profiles": []}

        wished = {"callbackurl": "https://app.example/hook", "appli": "1", "comment": "weights"}
        assert bench.data("/notify", token, action="subscribe", **wished)["status"] == 0

        listed = bench.data("/notify", token, action="list", appli="1")["body"]["profiles"]
        assert listed == [{"appli": 1, "callbackurl": "https://app.example/hook", "comment": "weights"}]
        assert bench.data("/notify", token, action="list", appli="16")["body"]["profiles"] == []
        assert bench.data("/notify", token, action="subscribe", callbackurl="mailto:me")["status"] == 503
