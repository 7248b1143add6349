"""A Withings to practise on, for trials and for tests: consent page, token service, data, faults and a clock.

```python
async with Sandbox(redirect_uris=["http://localhost:8000"]) as sandbox:
    client = MyClient(sandbox.endpoints, sandbox.client_id, sandbox.client_secret)
    sandbox.advance(3 * 3600)
    sandbox.fail_next("lost")
```

It shares no code with the client, so that it cannot share the client's mistakes; and it talks to nobody. What
Withings does is taken from its documentation and from what users have seen; what neither settles is a switch, whose
default is the answer that is worse for a client.
"""

from .faults import HOSTILE_TEXT, Fault, FaultKind, FaultPlace
from .ledger import Pair
from .running import Sandbox
from .switches import Switches
from .values import DEMO_PERSON, PEOPLE, Person
from .world import Counters, Event

__all__ = [
    "DEMO_PERSON",
    "HOSTILE_TEXT",
    "PEOPLE",
    "Counters",
    "Event",
    "Fault",
    "FaultKind",
    "FaultPlace",
    "Pair",
    "Person",
    "Sandbox",
    "Switches",
]
