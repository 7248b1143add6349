"""The strings that move the sandbox, for another process: `POST /_sandbox/<command>` with a JSON object."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .values import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .provider import Provider
    from .values import Request


@dataclass(frozen=True, slots=True)
class _Command:
    """A method of the provider, and of which types its arguments are: they come from another process."""

    method: Callable[..., object]
    types: Mapping[str, tuple[type, ...]]
    more: bool = False
    """Whether the method takes further arguments, and judges those itself."""

    def obey(self, arguments: dict[str, Any]) -> object:
        """Call the method; a ValueError or TypeError says what is wrong with the arguments."""
        for name, value in arguments.items():
            types = self.types.get(name)
            if types is None and not self.more:
                raise ValueError(f"there is no argument {name!r}; there are {', '.join(self.types) or 'none'}")
            if types is not None and (isinstance(value, bool) or not isinstance(value, types)):
                raise ValueError(f"{name} cannot be {value!r}")
        return self.method(**arguments)


class Control:
    """Commands by name. A wrong one is answered with HTTP 400 and a JSON object that says what is wrong."""

    PATH = "/_sandbox/"

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._commands: dict[str, _Command] = {
            "advance": _Command(provider.advance, {"seconds": (int, float)}),
            "fail_next": _Command(provider.fail_next, {"kind": (str,), "where": (str,), "times": (int,)}, more=True),
            "clear_faults": _Command(provider.clear_faults, {}),
            "expire_access_token": _Command(provider.expire_access_token, {"access_token": (str,)}),
            "kill_refresh_token": _Command(provider.kill_refresh_token, {"refresh_token": (str,)}),
            "revoke_person": _Command(provider.revoke_person, {"userid": (int,)}),
            "switches": _Command(provider.switch, {}, more=True),
            "register_redirect_uri": _Command(provider.register_redirect_uri, {"uri": (str,)}),
            "grant_at_most": _Command(provider.grant_at_most, {"scopes": (list,)}),
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
            result = self._commands[name].obey(arguments)
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


def _wrong(text: str, http_status: int = 400) -> Reply:
    return json_reply({"error": text}, http_status=http_status)
