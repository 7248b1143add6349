"""How a person comes in: a browser, a one-shot listener on loopback, and a gate that believes only this login."""
