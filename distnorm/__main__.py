"""`python -m distnorm` is `distnorm`."""

import sys

from .cli import main

sys.exit(main())
