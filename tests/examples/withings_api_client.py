"""withings-api on the shared login: prints your devices.

Its own subclass of `AbstractWithingsApi` needs the refresh token and puts the access token into the URL. This one does
neither.
"""

from typing import Any

import requests
from withings_api import AbstractWithingsApi

from withings_auth import TokenSource
from withings_auth.adapters.requests import BearerAuth


class WithingsApi(AbstractWithingsApi):
    def __init__(self, source: TokenSource) -> None:
        self.session = requests.Session()
        self.session.auth = BearerAuth(source)

    def _request(self, path: str, params: dict[str, Any], method: str = "GET") -> dict[str, Any]:
        answer: dict[str, Any] = self.session.request(method, f"{self.URL}/{path}", params=params, timeout=30).json()
        return answer


withings = WithingsApi(TokenSource())
for device in withings.user_get_device().devices:
    print(device.model)
