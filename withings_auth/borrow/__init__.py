"""Programs that renew a login by themselves, run on the shared one, unmodified: a proxy speaks for Withings to them."""
