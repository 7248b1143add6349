"""The app that a person has registered: what is known of it, in which file it came, and where it is saved."""
