"""Access tokens that work: what applications hold, the renewal behind it, and the exchange of an authorization code."""
