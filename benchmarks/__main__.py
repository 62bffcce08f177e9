"""Run every benchmark: python -m benchmarks [NAME...]. Each prints Markdown; ratios are of one and the same run."""

import sys
from importlib import import_module

NAMES = ("probe_cost", "render_speed", "live_lateness", "mappings")

for name in sys.argv[1:] or NAMES:
    import_module(f"benchmarks.{name}").main()
