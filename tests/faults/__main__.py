"""`python -m tests.faults`: print docs/faults.md."""

import sys

from tests.faults.page import page

if __name__ == "__main__":
    sys.stdout.write(page())
