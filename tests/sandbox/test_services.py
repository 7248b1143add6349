"""Activity, sleep and heart: believable, consistent with each other, and in the shapes of Withings' reference.

The names of the fields are those of developer.withings.com/api-reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench

NOW = 1_700_000_000  # 2023-11-14 22:13:20 UTC
DAY = 86400

OF_EVERY_ACTIVITY = {"date", "timezone", "deviceid", "hash_deviceid", "brand", "is_tracker", "modified", "model"}
OF_EVERY_ACTIVITY |= {"modelid", "totalcalories"}
LISTS = [("/v2/measure", "getactivity", "activities"), ("/v2/measure", "getworkouts", "series")]
LISTS += [("/v2/sleep", "getsummary", "series")]

every_list = pytest.mark.parametrize(("path", "action", "rows"), LISTS)


def ask(bench: Bench, path: str, action: str, **parameters: str) -> dict[str, Any]:
    """Calls a service with new tokens, so that no two calls are the same; returns the answer's body."""
    answer = bench.data(path, bench.issue_pair().access_token, action=action, **parameters)
    assert answer["status"] == 0, answer
    body: dict[str, Any] = answer["body"]
    return body


def status(bench: Bench, path: str, action: str, **parameters: str) -> int:
    """Calls a service; returns the status of its answer."""
    number: int = bench.data(path, bench.issue_pair().access_token, action=action, **parameters)["status"]
    return number


class TestLists:
    @every_list
    def test_pages_lead_to_the_end_in_order(self, bench: Bench, path: str, action: str, rows: str) -> None:
        seen: list[Any] = []
        body: dict[str, Any] = {"more": True, "offset": 0}
        while body["more"]:
            body = ask(bench, path, action, lastupdate="0", offset=str(body["offset"]))
            seen += body[rows]
        dates = [row["date"] for row in seen]

        assert (len(dates), dates) == (len(set(dates)), sorted(dates))
        assert 60 < len(dates) <= 365
        assert body["offset"] == 0

    @every_list
    def test_by_days_and_by_change(self, bench: Bench, path: str, action: str, rows: str) -> None:
        month = ask(bench, path, action, startdateymd="2023-09-01", enddateymd="2023-09-30")[rows]
        since = month[-1]["modified"]
        changed = ask(bench, path, action, lastupdate=str(since))[rows]

        assert 4 < len(month) <= 30
        assert all("2023-09-01" <= row["date"] <= "2023-09-30" for row in month)
        assert changed[0] == month[-1]
        assert all(row["modified"] >= since for row in changed)

    @every_list
    @pytest.mark.parametrize(
        "parameters",
        [{}, {"startdateymd": "2023-09-01"}, {"startdateymd": "1693526400", "enddateymd": "2023-09-30"}],
    )
    def test_the_days_are_required(
        self, bench: Bench, path: str, action: str, rows: str, parameters: dict[str, str]
    ) -> None:
        """Documented: both days, or `lastupdate`."""
        assert rows
        assert status(bench, path, action, **parameters) == 503


class TestActivity:
    def test_a_day(self, bench: Bench) -> None:
        (day,) = ask(bench, "/v2/measure", "getactivity", startdateymd="2023-11-10", enddateymd="2023-11-10")[
            "activities"
        ]

        assert day.keys() > OF_EVERY_ACTIVITY
        assert 1000 < day["steps"] < 25_000
        assert 0.5 < day["distance"] / day["steps"] < 1
        assert day["active"] == day["moderate"] + day["intense"]
        assert day["totalcalories"] > day["calories"] > 0
        assert day["hr_min"] <= day["hr_average"] <= day["hr_max"]
        assert sum(day[f"hr_zone_{zone}"] for zone in range(4)) == 16 * 3600  # half hours that the watch recorded

    def test_today_goes_on(self, bench: Bench) -> None:
        """Today's steps are those so far, and before the first there is no today."""
        today = {"startdateymd": "2023-11-15", "enddateymd": "2023-11-15"}
        bench.advance(DAY - NOW % DAY)
        assert ask(bench, "/v2/measure", "getactivity", **today)["activities"] == []
        bench.advance(12 * 3600)
        noon = ask(bench, "/v2/measure", "getactivity", **today)
        bench.advance(6 * 3600)
        evening = ask(bench, "/v2/measure", "getactivity", **today)

        assert 0 < noon["activities"][0]["steps"] < evening["activities"][0]["steps"]
        assert noon["activities"][0]["modified"] < evening["activities"][0]["modified"]

    def test_only_the_fields_that_are_asked_for(self, bench: Bench) -> None:
        asked = {"startdateymd": "2023-11-10", "enddateymd": "2023-11-10", "data_fields": "steps,hr_max"}
        (day,) = ask(bench, "/v2/measure", "getactivity", **asked)["activities"]

        assert day.keys() == OF_EVERY_ACTIVITY | {"steps", "hr_max"}

    def test_the_half_hours_add_up_to_the_day(self, bench: Bench) -> None:
        midnight = NOW - NOW % DAY - DAY
        (day,) = ask(bench, "/v2/measure", "getactivity", startdateymd="2023-11-13", enddateymd="2023-11-13")[
            "activities"
        ]
        parameters = {"startdate": str(midnight), "enddate": str(midnight + DAY - 1)}
        series = ask(bench, "/v2/measure", "getintradayactivity", **parameters)["series"]

        assert sum(one["steps"] for one in series.values()) == day["steps"]
        assert max(one["heart_rate"] for one in series.values()) == day["hr_max"]
        assert all(midnight <= int(at) < midnight + DAY for at in series)
        assert series[min(series)].keys() > {"model", "model_id", "deviceid", "duration", "calories", "distance"}

    def test_the_minutes_of_one_day_at_most(self, bench: Bench) -> None:
        """Documented: only the first 24 hours after `startdate`, and the latest data without any dates."""
        start = NOW - 5 * DAY
        asked = {"startdate": str(start), "enddate": str(NOW), "data_fields": "steps"}
        series = ask(bench, "/v2/measure", "getintradayactivity", **asked)["series"]
        latest = ask(bench, "/v2/measure", "getintradayactivity")["series"]

        assert all(start <= int(at) <= start + DAY for at in series)
        assert series[min(series)].keys() == {"model", "model_id", "deviceid", "steps"}
        assert all(NOW - DAY <= int(at) < NOW for at in latest)
        assert min(len(series), len(latest)) > 20

    def test_a_workout(self, bench: Bench) -> None:
        asked = {"lastupdate": "0", "data_fields": "steps,hr_average"}
        walk, *_ = ask(bench, "/v2/measure", "getworkouts", **asked)["series"]
        same, *_ = ask(bench, "/v2/measure", "getworkouts", lastupdate="0")["series"]

        assert {"id", "category", "attrib", "timezone", "model", "deviceid", "date", "modified"} <= walk.keys()
        assert walk["startdate"] < walk["enddate"] < walk["modified"]
        assert walk["data"].keys() == {"steps", "hr_average"}
        assert same["data"].items() > walk["data"].items()


class TestSleep:
    def test_a_night_is_the_sum_of_its_stages(self, bench: Bench) -> None:
        fields = "hr_min,hr_max,total_sleep_time,deepsleepduration,snoring"
        asked = {"startdateymd": "2023-11-10", "enddateymd": "2023-11-10", "data_fields": fields}
        (night,) = ask(bench, "/v2/sleep", "getsummary", **asked)["series"]
        dates = {"startdate": str(night["startdate"]), "enddate": str(night["enddate"])}
        stages = ask(bench, "/v2/sleep", "get", **dates, data_fields="hr,snoring")["series"]

        def lasted(*states: int) -> int:
            return sum(one["enddate"] - one["startdate"] for one in stages if one["state"] in states)

        assert night["data"].keys() == set(fields.split(","))
        assert night["data"]["total_sleep_time"] == lasted(1, 2, 3) > 5 * 3600
        assert night["data"]["deepsleepduration"] == lasted(2) > 0
        assert night["data"]["snoring"] == sum(sum(one["snoring"].values()) for one in stages)
        rates = [rate for one in stages for rate in one["hr"].values()]
        assert night["data"]["hr_min"] <= min(rates) < max(rates) <= night["data"]["hr_max"]

    def test_without_fields(self, bench: Bench) -> None:
        """Seen: the durations in a summary, and only the stages themselves, unless more is asked for."""
        night, *_ = ask(bench, "/v2/sleep", "getsummary", lastupdate="0")["series"]
        body = ask(bench, "/v2/sleep", "get", startdate=str(night["startdate"]), enddate=str(night["enddate"]))

        assert {"total_timeinbed", "sleep_efficiency", "waso"} <= night["data"].keys()
        assert "hr_average" not in night["data"]
        assert body["series"][0].keys() == {"startdate", "enddate", "state", "model", "model_id", "hash_deviceid"}
        assert body["model"] == night["model"]

    def test_both_dates_of_the_stages_are_required(self, bench: Bench) -> None:
        assert status(bench, "/v2/sleep", "get", startdate=str(NOW - DAY)) == 503

    def test_a_night_is_known_in_the_morning(self, bench: Bench) -> None:
        tonight = {"startdateymd": "2023-11-15", "enddateymd": "2023-11-15"}
        assert ask(bench, "/v2/sleep", "getsummary", **tonight)["series"] == []
        bench.advance(10 * 3600)
        assert len(ask(bench, "/v2/sleep", "getsummary", **tonight)["series"]) == 1


class TestHeart:
    def test_a_recording_and_its_signal(self, bench: Bench) -> None:
        body = ask(bench, "/v2/heart", "list")
        latest = body["series"][0]
        signal = ask(bench, "/v2/heart", "get", signalid=str(latest["ecg"]["signalid"]))

        assert (len(body["series"]) in {52, 53}, body["more"]) == (True, False)
        assert latest.keys() == {"deviceid", "model", "ecg", "bloodpressure", "heart_rate", "timestamp", "modified"}
        assert 100 < latest["bloodpressure"]["systole"] < 140
        assert signal["heart_rate"] == latest["heart_rate"]
        beats = sum(one > 500 for one in signal["signal"]) / 5  # each is as high for about five samples
        seconds = len(signal["signal"]) / signal["sampling_frequency"]
        assert beats / seconds * 60 == pytest.approx(signal["heart_rate"], rel=0.4)

    def test_by_time(self, bench: Bench) -> None:
        asked = {"startdate": str(NOW - 30 * DAY), "enddate": str(NOW - 10 * DAY)}
        within = ask(bench, "/v2/heart", "list", **asked)["series"]

        assert within
        assert all(NOW - 30 * DAY <= one["timestamp"] <= NOW - 10 * DAY for one in within)

    @pytest.mark.parametrize("signalid", ["", "1", "first"])
    def test_an_unknown_recording(self, bench: Bench, signalid: str) -> None:
        assert status(bench, "/v2/heart", "get", signalid=signalid) == 503


class TestOthers:
    def test_measures_at_the_path_that_withings2intervals_asks(self, bench: Bench) -> None:
        asked = {"action": "getmeas", "lastupdate": str(NOW - 7 * DAY)}
        assert ask(bench, "/v2/measure", **asked) == ask(bench, "/measure", **asked)

    def test_the_goals(self, bench: Bench) -> None:
        goals = ask(bench, "/v2/user", "getgoals")["goals"]
        (group,) = ask(bench, "/measure", "getmeas", category="2")["measuregrps"]

        assert goals.keys() == {"steps", "sleep", "weight"}
        assert goals["weight"].items() <= group["measures"][0].items()

    def test_a_notification_ends(self, bench: Bench) -> None:
        """Home Assistant revokes what it finds before it subscribes again."""
        wished = {"callbackurl": "https://app.example/hook", "appli": "1"}
        assert status(bench, "/notify", "get", **wished) == 503
        ask(bench, "/notify", "subscribe", **wished)
        ask(bench, "/notify", "subscribe", **{**wished, "appli": "16"})
        assert ask(bench, "/notify", "get", **wished)["appli"] == 1
        assert ask(bench, "/notify", "revoke", **wished) == {}
        assert [one["appli"] for one in ask(bench, "/notify", "list")["profiles"]] == [16]

    @pytest.mark.parametrize(
        ("scope", "path", "action"),
        [
            ("user.metrics", "/v2/measure", "getactivity"),
            ("user.metrics", "/v2/sleep", "getsummary"),
            ("user.activity", "/v2/heart", "list"),
        ],
    )
    def test_each_needs_its_scope(self, bench: Bench, scope: str, path: str, action: str) -> None:
        """Documented: activity and sleep are `user.activity`, hearts `user.metrics`."""
        token = bench.login(scope=scope)["access_token"]
        assert bench.data(path, token, action=action, lastupdate="0")["status"] == 403
