"""Notifications that clients subscribe to. None is ever sent, since the sandbox opens no connections."""

from __future__ import annotations

from . import refusals
from .http import Parameters
from .refusals import RefusedError
from .selection import read_number


class Notifications:
    """Answers `/notify`: who is subscribed to what, and where the notifications would go."""

    def __init__(self) -> None:
        self._comments: dict[tuple[int, str, int], str] = {}

    def end(self, userid: int) -> None:
        """Ends all of a person's notifications."""
        self._comments = {key: comment for key, comment in self._comments.items() if key[0] != userid}

    def subscribe(self, userid: int, _now: int, parameters: Parameters) -> dict[str, object]:
        url = parameters.text("callbackurl")
        if not url.startswith(("http://", "https://")):
            raise RefusedError(refusals.invalid_parameter("callbackurl"))
        self._comments[userid, url, read_number(parameters, "appli", 1)] = parameters.text("comment")
        return {}

    def list_all(self, userid: int, _now: int, parameters: Parameters) -> dict[str, object]:
        return {"profiles": self._found(userid, parameters)}

    def get(self, userid: int, _now: int, parameters: Parameters) -> dict[str, object]:
        return self._named(userid, parameters)[0]

    def revoke(self, userid: int, _now: int, parameters: Parameters) -> dict[str, object]:
        for profile in self._named(userid, parameters):
            del self._comments[userid, str(profile["callbackurl"]), int(str(profile["appli"]))]
        return {}

    def _named(self, userid: int, parameters: Parameters) -> list[dict[str, object]]:
        """Returns the subscriptions with this callback URL; raises `RefusedError` if there is none."""
        url = parameters.text("callbackurl")
        found = [profile for profile in self._found(userid, parameters) if profile["callbackurl"] == url]
        if not found:
            raise RefusedError(refusals.invalid_parameter("callbackurl"))
        return found

    def _found(self, userid: int, parameters: Parameters) -> list[dict[str, object]]:
        appli = read_number(parameters, "appli", 0)
        return [
            {"appli": number, "callbackurl": url, "comment": comment}
            for (owner, url, number), comment in self._comments.items()
            if owner == userid and appli in {0, number}
        ]
