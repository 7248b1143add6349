"""Settings and the app: where they come from, in which order, and where `configure` saves them."""
