"""Builds `failing_calls.c`, and controls it from inside the process that it was loaded into."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

from tests.sweep.orders import Fault

SOURCE = Path(__file__).with_name("failing_calls.c")
OPTIONS = ("-shared", "-fPIC", "-O0", "-U_FORTIFY_SOURCE", "-D_FILE_OFFSET_BITS=64")


def build(directory: Path) -> Path | None:
    """Returns the library, built in the directory; None if there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = directory / "failing_calls.so"
    subprocess.run([compiler, *OPTIONS, "-o", library, SOURCE, "-ldl"], check=True)
    return library


def begin(directory: str, fault: Fault) -> None:
    """From now on the calls on the directory are counted, and fail as they should."""
    ctypes.CDLL(None).fail_calls_begin(directory.encode(), int(fault.how), fault.at, fault.error, int(fault.lasts))


def end() -> str:
    """Ends that, and returns the trace: a line for each call."""
    end = ctypes.CDLL(None).fail_calls_end
    end.restype = ctypes.c_char_p
    trace: bytes = end()
    return trace.decode()
