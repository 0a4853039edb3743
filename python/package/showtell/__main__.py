"""`python -m showtell` is the command `showtell`."""

from ._command import main

main()
