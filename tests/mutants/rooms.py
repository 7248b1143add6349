"""Which modules are mutated, and the tests that must notice.

`quick` tests run in this process: for each mutant those that reach its function, the quickest first. What outlives
them is tried once more with the `wider` tests too, in a copy of the checkout, so that each program that they start is
mutated as well.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Modules, by their paths in the package, and tests, as pytest takes them."""

    modules: tuple[str, ...]
    quick: tuple[str, ...]
    wider: tuple[str, ...] = ()


EXAMPLES_OF_RECORDS = (  # all but those that Hypothesis makes up
    "TestRoundTrip::test_the_first_and_the_last_moment_are_good_ones",
    "TestRoundTrip::test_the_records_are_the_documented_ones",
    "TestStrictReading::test_a_wrong_field_is_refused",
    "TestStrictReading::test_a_missing_field_is_refused",
    "TestStrictReading::test_what_is_no_record_is_refused",
    "TestStrictReading::test_another_version_is_refused",
    "TestStrictReading::test_a_version_is_a_number",
    "TestSecrets",
    "TestApp",
)

ROOMS = {
    "replies": Room(
        modules=("provider/replies.py", "provider/statuses.py", "provider/failures.py"),
        quick=(
            "tests/provider/replies",
            "tests/provider/test_failures.py",
            "tests/provider/test_refused_calls.py",
            "tests/provider/test_masking.py",
            "tests/provider/test_calls.py",
            "tests/adapters/test_rules.py",
        ),
        wider=("tests/provider/test_signed.py", "tests/provider/test_check.py"),
    ),
    "callback": Room(
        modules=("authorization/callback.py",),
        quick=("tests/authorization/test_callback.py", "tests/authorization/test_paste.py"),
        wider=("tests/authorization/test_hostile.py",),
    ),
    "journal": Room(
        modules=("tokens/journal.py",),
        quick=("tests/tokens/test_journal.py", "tests/tokens/renewal"),
    ),
    "renewal": Room(
        modules=("tokens/renewal.py",),
        quick=("tests/tokens/renewal",),
    ),
    "files": Room(
        modules=("store/files.py", "store/own_files.py", "store/safety.py", "store/file_system.py"),
        quick=(
            "tests/store/test_disk_calls.py",
            "tests/store/test_file_system.py",
            "tests/store/test_files.py",
            "tests/store/test_foreign_volume.py",
            "tests/store/test_own_files.py",
            "tests/store/test_safety.py",
        ),
    ),
    "file store": Room(
        modules=(
            *("store/__init__.py", "store/file_store.py"),
            *("store/lock.py", "store/flock.py", "store/lock_on_windows.py"),
        ),
        quick=(
            "tests/config/test_store_names.py",
            "tests/store/test_file_store.py",
            "tests/store/test_file_system.py",
            "tests/store/test_flock.py",
            "tests/store/test_held_file.py",
            "tests/store/test_lock.py",
            "tests/store/test_opening.py",
        ),
    ),
    "records": Room(
        modules=(
            "record.py",
            "store/memory_store.py",
            "store/ownership.py",
            "store/records.py",
            "store/base.py",
            "store/looks.py",
        ),
        quick=(
            "tests/store/test_base.py",
            "tests/store/test_memory_store.py",
            "tests/store/test_ownership.py",
            "tests/store/test_promises.py::TestMemory",
            "tests/store/test_records.py",
            *(f"tests/test_model.py::{name}" for name in EXAMPLES_OF_RECORDS),
        ),
        wider=("tests/store/test_promises.py", "tests/test_imports.py"),
    ),
    "keyring": Room(
        modules=("store/keyring_store.py", "store/keyring_calls.py", "store/backends.py"),
        quick=(
            "tests/store/test_backend_words.py",
            "tests/store/test_choosing.py",
            "tests/store/test_keyring_calls.py",
            "tests/store/test_keyring_failures.py",
            "tests/store/test_keyring_index.py",
            "tests/store/test_keyring_late.py",
            "tests/store/test_keyring_state.py",
            "tests/store/test_lanes.py",
            "tests/store/test_fast_lane.py::TestReading",
            "tests/store/test_file_system.py",
            "tests/store/test_safety.py",
            "tests/store/test_windows_limit.py",
            "tests/test_platforms.py",
        ),
    ),
    "secret service": Room(
        modules=("store/secret_service.py", "store/session_bus.py", "store/fast_lane.py"),
        quick=(
            "tests/store/test_backend_words.py",
            "tests/store/test_connecting.py",
            "tests/store/test_fast_words.py",
            "tests/store/test_fast_lane.py",
        ),
    ),
    "sealing": Room(
        modules=("store/sealing.py", "store/sealed_store.py", "store/keys.py", "store/rekeying.py"),
        quick=(
            "tests/store/test_keys.py",
            "tests/store/test_rekeying.py",
            "tests/store/test_sealed_abilities.py",
            "tests/store/test_sealed_store.py",
            "tests/store/test_sealing_fuzz.py",
        ),
    ),
    "database names": Room(
        modules=("store/postgresql/address.py",),
        quick=("tests/store/postgresql/test_address.py",),
    ),
}
