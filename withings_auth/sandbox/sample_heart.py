"""An ECG each week, from a blood pressure monitor that the household has since given away."""

from __future__ import annotations

import math

from .sample_data import DAY_SECONDS, DAYS, chance, digest

SAMPLES_PER_SECOND = 500
_SECONDS = 10
_BPM_CORE = 44
_LEFT_ARM = 3
# When within a beat each wave is at its height, how wide it is (both in beats), and its height in microvolts: PQRST.
_WAVES = ((0.25, 0.03, 110), (0.385, 0.009, -120), (0.40, 0.011, 950), (0.42, 0.011, -210), (0.65, 0.05, 230))


def recordings(userid: int, now: int) -> list[dict[str, object]]:
    """Returns the recordings of the last year, newest first."""
    today = now // DAY_SECONDS
    days = [day for day in range(today, today - DAYS, -1) if day % 7 == userid % 7]
    found = [_recording(userid, day, day * DAY_SECONDS + 18 * 3600) for day in days]
    return [one for at, one in found if at <= now]


def signal(userid: int, signalid: int, now: int) -> dict[str, object] | None:
    """Returns a recording's signal in microvolts; None if the person has no such recording."""
    for one in recordings(userid, now):
        if one["ecg"] == {"signalid": signalid, "afib": 0}:
            rate = int(str(one["heart_rate"]))
            beats = (i * rate / 60 / SAMPLES_PER_SECOND for i in range(_SECONDS * SAMPLES_PER_SECOND))
            return {
                "signal": [_voltage(beat % 1) for beat in beats],
                "sampling_frequency": SAMPLES_PER_SECOND,
                "wearposition": _LEFT_ARM,
                "model": _BPM_CORE,
                "heart_rate": rate,
            }
    return None


def _recording(userid: int, day: int, at: int) -> tuple[int, dict[str, object]]:
    diastole = 74 + round(9 * chance("diastole", userid, day))
    return at, {
        "deviceid": digest("blood pressure monitor").hex(),
        "model": _BPM_CORE,
        "ecg": {"signalid": int.from_bytes(digest("signal", userid, day)[:4], "big"), "afib": 0},
        "bloodpressure": {"diastole": diastole, "systole": diastole + 42},
        "heart_rate": 60 + round(14 * chance("pulse at rest", userid, day)),
        "timestamp": at,
        "modified": at + 60,
    }


def _voltage(phase: float) -> int:
    return round(sum(height * math.exp(-(((phase - at) / width) ** 2)) for at, width, height in _WAVES))
