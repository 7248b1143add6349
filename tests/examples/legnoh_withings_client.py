"""legnoh-withings on the shared login: prints your devices.

The client sends every request through `call`, with the token that was set last. It cannot refresh anything here,
because it has no refresh token. If Withings rejects a token early, you get a `WithingsApiError` with status 401; call
`source.token(rejected=…)`, and the next request works.
"""

from typing import Any

from withings import OAuth2Token, WithingsClient

from withings_auth import TokenSource


class Withings(WithingsClient):
    def __init__(self, source: TokenSource) -> None:
        super().__init__(client_id="", client_secret="", redirect_uri="")
        self.source = source

    def call(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.set_token(OAuth2Token(self.source.access_token(), refresh_token="", expires_in=0, scope=""))
        return super().call(*args, **kwargs)


withings = Withings(TokenSource())
for device in withings.get_user_devices()["devices"]:
    print(device["model"])
