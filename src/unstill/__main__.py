"""`python -m unstill` is the command `unstill`."""

import sys

from .cli.main import main

sys.exit(main())
