"""How moments and spans of time are written for people; moments in the machine's time zone, all of them in seconds."""

from __future__ import annotations

import time


def local_time(moment: float) -> str:
    """Returns a moment in Unix seconds as date and time: “2026-11-28 14:05”."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def clock_time(moment: float) -> str:
    """Returns a moment of today in Unix seconds as the clock shows it: “14:05”."""
    return time.strftime("%H:%M", time.localtime(moment))


def span(seconds: float) -> str:
    """Returns a span in its two largest units, rounded down: “364 days”, “2 h 59 min”, “5 min”, “45 s”."""
    minutes, rest = divmod(int(seconds), 60)
    hours, days = minutes // 60, minutes // (24 * 60)
    if days >= 2:
        return f"{days} days"
    parts = ((hours, "h"), (minutes % 60, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def days_ago(seconds: float) -> str:
    """Returns how long ago something was, to the day; “recently” if it seems to lie in the future."""
    days = int(seconds // 86_400)
    if days < 1:
        return "today" if seconds >= 0 else "recently"
    return "yesterday" if days == 1 else f"{days} days ago"
