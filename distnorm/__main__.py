"""`python -m distnorm` is `distnorm`."""

import sys

from .files.views import leave_folder

leave_folder()  # the current one, where a model may have a logging.py of its own

from .cli import main  # noqa: E402

sys.exit(main())
