"""The token inside aiohttp, httpx and requests: one object for a session, and every request of it carries the token.

Each adapter is a module of its own, which loads its library and nothing else; importing this package loads none.
The token goes to the API's origin only, and a request whose token Withings refuses is repeated once with a renewed one.
"""
