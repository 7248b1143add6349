"""The access token in aiohttp, httpx and requests: give a session one object, and each of its requests has the token.

Each adapter is a module of its own and loads only its library; importing this package loads none. The token is sent to
the API's origin only. If Withings refuses it, the request is repeated once with a renewed one. A request that Withings
refuses because it came too soon (status 601) is repeated once after a wait.
"""
