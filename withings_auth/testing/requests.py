"""Sends what requests asks Withings' API to a sandbox instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from withings_auth.testing.route import sandbox_url

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from withings_auth.sandbox import Sandbox


class SandboxAdapter(HTTPAdapter):
    """Sends requests for Withings' API to the sandbox; mount it at `https://wbsapi.withings.net`."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Sends a request past any proxy; the response seems to come from where the request was sent to."""
        rerouted = request.copy()
        rerouted.url = sandbox_url(request.url or "", self._sandbox)
        response = super().send(rerouted, *args, **{**kwargs, "proxies": {}})
        response.request, response.url = request, request.url or ""
        return response
