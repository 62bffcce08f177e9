"""``python -m gradmidi``."""

import sys

from gradmidi.cli import main

sys.exit(main())
