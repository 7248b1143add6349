"""A token that works: what a caller needs, the renewal that brings it, and the exchange of an authorization code."""
