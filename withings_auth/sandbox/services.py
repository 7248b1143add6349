"""The data services, each a function of the person, the time and the parameters that returns the answer's body.

Their shapes are those of Withings' API reference (developer.withings.com/api-reference), and of answers that clients
keep for their tests (github.com/joostlek/python-withings, tests/fixtures).
"""

from __future__ import annotations

from collections.abc import Sequence

from . import refusals
from .http import Parameters
from .refusals import RefusedError
from .sample_data import TIMEZONE, Group, devices, goals, weigh_ins, weight_goal
from .sample_days import activities, intraday, workouts
from .sample_heart import recordings, signal
from .sample_nights import TRACKER, series, summaries
from .selection import (
    Row,
    is_in_time,
    read_fields,
    read_number,
    read_numbers,
    read_window,
    select_days,
    select_page,
)

Body = dict[str, object]

_ALWAYS_IN_ACTIVITIES = frozenset({
    "date", "timezone", "deviceid", "hash_deviceid", "brand", "is_tracker", "modified", "model", "modelid",
    "totalcalories",
})  # fmt: skip
"""The fields of an activity that are sent whatever is asked for; without a choice, all of them are."""

_USUAL_IN_NIGHTS = frozenset({
    "total_timeinbed", "total_sleep_time", "lightsleepduration", "deepsleepduration", "remsleepduration",
    "sleep_efficiency", "sleep_latency", "wakeup_latency", "durationtosleep", "durationtowakeup", "wakeupduration",
    "wakeupcount", "waso", "nb_rem_episodes", "out_of_bed_count",
})  # fmt: skip
"""The fields of a night that are sent if none are asked for."""


def list_devices(userid: int, now: int, _parameters: Parameters) -> Body:
    """Answers `/v2/user` getdevice."""
    return {"devices": devices(userid, now)}


def list_goals(userid: int, _now: int, _parameters: Parameters) -> Body:
    """Answers `/v2/user` getgoals."""
    weight = {name: number for name, number in weight_goal(userid).items() if name in {"value", "unit"}}
    return {"goals": {"steps": 10_000, "sleep": 8 * 3600, "weight": weight}}


def list_measures(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/measure` getmeas."""
    category = read_number(parameters, "category", 1)
    groups = weigh_ins(userid, now) if category == 1 else goals(userid, now)
    found = [group for group in groups if is_in_time(group, parameters, now)]
    if types := read_numbers(parameters, "meastype", "meastypes"):
        found = [narrowed for group in found if (narrowed := _narrow(group, types))["measures"]]
    page, more, offset = select_page(found, parameters)
    body: Body = {"updatetime": now, "timezone": TIMEZONE, "measuregrps": page}
    return body | {"more": 1, "offset": offset} if more else body


def list_activities(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/v2/measure` getactivity."""
    found = select_days(activities(userid, now), parameters)
    if fields := read_fields(parameters):
        found = [_keep(row, fields | _ALWAYS_IN_ACTIVITIES) for row in found]
    return _page("activities", found, parameters)


def list_intraday_activity(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/v2/measure` getintradayactivity."""
    recorded = intraday(userid, *read_window(parameters, now))
    if fields := read_fields(parameters):
        recorded = {at: _keep(row, fields | {"model", "model_id", "deviceid"}) for at, row in recorded.items()}
    return {"series": recorded}


def list_workouts(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/v2/measure` getworkouts."""
    found = select_days(workouts(userid, now), parameters)
    if fields := read_fields(parameters):
        found = [{**row, "data": _keep(row["data"], fields)} for row in found]
    return _page("series", found, parameters)


def list_sleep_stages(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/v2/sleep` get, which needs both dates."""
    for name in ("startdate", "enddate"):
        read_number(parameters, name)
    start, end = read_window(parameters, now)
    return {"series": series(userid, start, end, read_fields(parameters)), "model": TRACKER}


def list_nights(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/v2/sleep` getsummary."""
    fields = read_fields(parameters)
    found = [
        {**row, "data": _keep(row["data"], fields or _USUAL_IN_NIGHTS)}
        for row in select_days(summaries(userid, now), parameters)
    ]
    return _page("series", found, parameters)


def list_recordings(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/v2/heart` list."""
    found = [row for row in recordings(userid, now) if is_in_time(row, parameters, now, key="timestamp")]
    return _page("series", found, parameters)


def get_recording(userid: int, now: int, parameters: Parameters) -> Body:
    """Answers `/v2/heart` get."""
    found = signal(userid, read_number(parameters, "signalid"), now)
    if found is None:
        raise RefusedError(refusals.invalid_parameter("signalid"))
    return found


def _page(name: str, rows: Sequence[Row], parameters: Parameters) -> Body:
    page, more, offset = select_page(rows, parameters)
    return {name: page, "more": more, "offset": offset}


def _keep(row: Row, fields: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name in fields}


def _narrow(group: Group, types: set[int]) -> Group:
    return {**group, "measures": [measure for measure in group["measures"] if measure["type"] in types]}
