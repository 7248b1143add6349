"""The token inside requests.

```python
session = requests.Session()
session.auth = BearerAuth(TokenSource())
print(session.post("https://wbsapi.withings.net/v2/user", data={"action": "getdevice"}).json())
```

requests asks for credentials once and calls the hook for each hop of a redirect; it drops the header when the origin
changes. A small JSON answer has been read when the caller gets it: with `stream=True` everything but `raw` goes on
working.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

try:
    from requests.auth import AuthBase
    from requests.exceptions import UnrewindableBodyError
    from requests.utils import rewind_body
except ImportError as missing:
    raise ImportError(
        "withings_auth.adapters.requests needs requests: pip install 'withings-auth[requests]'"
    ) from missing

from withings_auth.adapters import rules
from withings_auth.provider.statuses import TOKEN_REFUSED

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from withings_auth.model import Token
    from withings_auth.tokens.source import TokenSource


class BearerAuth(AuthBase):
    """Sends the access token with every request of a session to the API; renews and repeats once where it is refused.

    Each request asks the source, one that goes elsewhere too, since only the token says where the API is. Raises what
    `TokenSource.token` raises. A body that can be sent only once is not repeated: the caller gets the refusal, and the
    next request goes well.
    """

    def __init__(self, source: TokenSource) -> None:
        rules.refuse_other_kind(source, awaited=False, adapter="BearerAuth")
        self._source = source

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Makes a request ready to be sent."""
        token = self._source.token()
        if _place(token, r):
            answered = partial(self._answered, token)
            r.register_hook("response", answered)  # type: ignore[no-untyped-call]  # types-requests leaves it bare
        return r

    def _answered(self, token: Token, response: Response, **sending: Any) -> Response:
        """Returns the answer, or the one to the same request with a renewed token. Called for each hop."""
        if not _is_refused(response, token):
            return response
        try:
            renewed = self._source.token(rejected=token.access_token)
        except BaseException:
            response.close()
            raise
        again = response.request.copy()
        if not _is_rewound(again) or not _place(renewed, again):
            return response
        _ = response.content  # read to its end, the connection can be used again
        response.close()
        answer: Response = response.connection.send(again, **sending)
        answer.history.append(response)
        return answer


def _place(token: Token, request: PreparedRequest) -> bool:
    url = urlsplit(request.url or "")  # what requests itself connects by
    placed = rules.place(token, request.headers, scheme=url.scheme, host=url.hostname, port=url.port)
    if placed:
        rules.refuse_kept_on_upgrade(token, "requests")
    return placed


def _is_refused(response: Response, token: Token) -> bool:
    if not rules.carries(token, response.request.headers):
        return False
    if rules.needs_reading(response.status_code, response.headers):
        return rules.body_refuses(response.content)
    return response.status_code == TOKEN_REFUSED


def _is_rewound(request: PreparedRequest) -> bool:
    """Whether the body can be sent once more; a file is wound back for it."""
    body: object = request.body  # a file or an iterator too, other than types-requests says
    if body is None or isinstance(body, str | bytes):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True
