"""The tests are a package, since a dependency of theirs installs another one of the same name."""
