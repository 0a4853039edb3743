"""The command `showtell`: it runs the program of that name in this package."""

import os
import sys

from . import _parts
from ._showtell import Error


def main() -> None:
    """Replace this process by the program."""
    program = _parts.PREFIX / "bin" / "showtell"
    if not program.exists():
        sys.exit(
            f"error: {program}: not found: this copy of the package has no programs\n  Install the wheel (make wheel)."
        )
    try:
        library = _parts.runtime()
    except Error as error:
        sys.exit(f"error: {error}")
    environment = os.environ if library is None else {**os.environ, "ORT_DYLIB_PATH": str(library)}
    os.execve(program, [str(program), *sys.argv[1:]], environment)
