"""Spans of time: how they are worded, and a wait that the user is told about."""

from __future__ import annotations

import time

from withings_auth.cli.ui.terminal import tell


def span(seconds: float) -> str:
    """Returns a span in its two largest fitting units, rounded down: “2 h 59 min”, “364 days”, “under a minute”."""
    minutes = int(seconds // 60)
    hours, days = minutes // 60, minutes // (24 * 60)
    if days >= 2:
        return f"{days} days"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else "under a minute"


def wait_and_tell(seconds: float) -> None:
    """Sleeps, and tells the user why."""
    tell(f"Withings asks to wait {seconds:.0f} s; waiting.")
    time.sleep(seconds)
