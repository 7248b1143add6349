"""The account's devices, by which users recognise it: nobody knows their user id, everybody knows their scale.

One best-effort call after the save. The new access token must not be used earlier: its first use ends the previous
refresh token.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from withings_auth.model import Grant
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, Outcome
from withings_auth.validation import printable

TIME_LIMIT_SECONDS = 3.0
_MOST_DEVICES = 3


class Post(Protocol):
    """What `exchange.post` does."""

    def __call__(
        self, url: str, form: Mapping[str, str], *, access_token: str, time_limit_seconds: float
    ) -> Outcome: ...


def describe_devices(grant: Grant, *, send: Post = post) -> str | None:
    """Returns a line such as “This account has: Body+ scale, synced today.”, None if nothing is known. Blocks."""
    if "user.info" not in grant.scopes:
        return None
    outcome = send(
        f"{grant.api_url}/v2/user",
        {"action": "getdevice"},
        access_token=grant.access_token,
        time_limit_seconds=TIME_LIMIT_SECONDS,
    )
    if not isinstance(outcome, Answer) or outcome.oversized or outcome.http_status != 200:
        return None
    devices = list(_devices(outcome.body, time.time()))
    return f"This account has: {'; '.join(devices[:_MOST_DEVICES])}." if devices else None


def _devices(body: bytes, now: float) -> Iterator[str]:
    try:
        devices = json.loads(body)["body"]["devices"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for device in devices if isinstance(devices, list) else []:
        if isinstance(device, dict) and isinstance(device.get("model"), str):
            yield _describe(device, now)


def _describe(device: dict[str, Any], now: float) -> str:
    model = printable(device["model"], limit=40)
    kind = device.get("type")
    name = f"{model} {printable(kind, limit=40).lower()}" if isinstance(kind, str) else model
    synced = device.get("last_session_date")
    if type(synced) is not int or not 0 < synced < 1 << 40:
        return name
    return f"{name}, synced {_ago(now - synced)}"


def _ago(seconds: float) -> str:
    days = int(seconds // 86_400)
    if days < 1:
        return "today" if seconds >= 0 else "recently"
    return "yesterday" if days == 1 else f"{days} days ago"
