"""aiowithings on the shared login: prints your devices.

The client calls a function for the token before each request. With the middleware, a token that Withings rejects early
is renewed too, and the request repeated once.
"""

import asyncio

from aiohttp import ClientSession
from aiowithings import WithingsClient

from withings_auth import AsyncTokenSource
from withings_auth.adapters.aiohttp import BearerMiddleware


async def show(withings: WithingsClient) -> None:
    for device in await withings.get_devices():
        print(device.raw_model)


async def main() -> None:
    source = AsyncTokenSource()
    async with ClientSession(middlewares=[BearerMiddleware(source)]) as session:
        await show(WithingsClient(session=session, refresh_token_function=source.access_token))


asyncio.run(main())
