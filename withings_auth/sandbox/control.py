"""The strings that move the sandbox, for another process: `POST /_sandbox/<command>` with a JSON object."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from .values import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from .provider import Provider
    from .values import Request


class Control:
    """Commands by name. A wrong one is answered with HTTP 400 and a JSON object that says what is wrong."""

    PATH = "/_sandbox/"

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._commands: dict[str, Callable[..., object]] = {
            "advance": self._advance,
            "fail_next": provider.fail_next,
            "clear_faults": provider.clear_faults,
            "expire_access_token": provider.expire_access_token,
            "kill_refresh_token": provider.kill_refresh_token,
            "revoke_person": provider.revoke_person,
            "switches": provider.switch,
            "register_redirect_uri": provider.register_redirect_uri,
            "grant_at_most": provider.grant_at_most,
        }

    def answer(self, request: Request) -> Reply:
        """Obey, and say what the state is afterwards."""
        name = request.path.removeprefix(self.PATH)
        if name == "state" and request.method == "GET":
            return json_reply(self.state())
        if name not in self._commands:
            return _wrong(f"no command is called {name!r}; there are {', '.join(self._commands)}", 404)
        if request.method != "POST":
            return _wrong("commands are sent by POST", 405)
        if request.media_type != "application/json":
            # A page in a browser cannot send this type to another site without asking first, and is not allowed.
            return _wrong("the body must be application/json", 415)
        try:
            arguments = json.loads(request.body or b"{}")
            if not isinstance(arguments, dict):
                return _wrong("the body must be a JSON object")
            result = self._commands[name](**arguments)
        except (ValueError, TypeError) as error:
            return _wrong(str(error))
        return json_reply({"result": result, "state": self.state()})

    def state(self) -> dict[str, object]:
        """What has happened and what is set. No token and no secret is in it."""
        world = self._provider.world
        return {
            "now": world.clock.now(),
            "offset_seconds": world.clock.offset_seconds,
            "client_id": world.app.client_id,
            "redirect_uris": list(world.app.redirect_uris),
            "people": [asdict(person) for person in world.people],
            "counters": asdict(world.counters),
            "switches": asdict(world.switches),
            "faults": [asdict(fault) for fault in self._provider.faults.standing],
            "events": [asdict(event) for event in world.events],
        }

    def _advance(self, seconds: object) -> None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ValueError(f"seconds is a number, not {seconds!r}")  # noqa: TRY004 - a value from JSON
        self._provider.advance(seconds)


def _wrong(text: str, http_status: int = 400) -> Reply:
    return json_reply({"error": text}, http_status=http_status)
