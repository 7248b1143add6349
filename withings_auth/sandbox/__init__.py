"""A Withings to practise on, for trials and for tests: consent page, token service, data, faults and a clock.

```python
async with Sandbox(redirect_uris=["http://localhost:8000"]) as sandbox:
    client = MyClient(sandbox.endpoints, sandbox.client_id, sandbox.client_secret)
    sandbox.advance(hours=3)
    sandbox.fail_next("lost")
```

It shares no code with the client, so that it cannot share the client's mistakes, and it opens no connections. It
behaves as Withings' documentation and users' reports say that Withings does. What neither settles is a switch, and its
default is the answer that is worse for a client.
"""

from .faults import HOSTILE_TEXT, Fault, FaultKind, FaultPlace
from .ledger import Pair
from .running import Sandbox
from .state import DEMO_PERSON, PEOPLE, Counters, Event, Person
from .switches import Switches

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
