"""The account's devices, by which users recognise it: nobody knows their user id, everybody knows their scale.

One best-effort call after the save. The new access token must not be used earlier: its first use ends the previous
refresh token.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from withings_auth.model import Grant
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, Failure, Post, read_body
from withings_auth.validation import printable
from withings_auth.wording import days_ago

TIME_LIMIT_SECONDS = 3.0
_MOST_DEVICES = 3
_post: Post = partial(post, time_limit_seconds=TIME_LIMIT_SECONDS)


def describe_devices(grant: Grant, *, send: Post = _post) -> str | None:
    """Returns a line such as “This account has: Body+ scale, synced today.”, None if nothing is known. Blocks."""
    if "user.info" not in grant.scopes:
        return None
    outcome = send(f"{grant.api_url}/v2/user", {"action": "getdevice"}, access_token=grant.access_token)
    if not isinstance(outcome, Answer) or outcome.oversized or outcome.http_status != 200:
        return None
    devices = list(_devices(read_body(outcome), time.time()))
    return f"This account has: {'; '.join(devices[:_MOST_DEVICES])}." if devices else None


def _devices(body: dict[str, Any] | Failure, now: float) -> Iterator[str]:
    devices = None if isinstance(body, Failure) else body.get("devices")
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
    return f"{name}, synced {days_ago(now - synced)}"
