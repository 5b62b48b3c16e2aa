"""The code of the Lambda functions, one folder for each."""

from __future__ import annotations

import gc

# A cold start keeps what it loads, such as the models of AWS services. Searching that for garbage after every
# few hundred new objects, as Python does by default, only costs time: benchmarks/cold_start.py.
# Source: https://docs.python.org/3/library/gc.html#gc.set_threshold
gc.set_threshold(50_000)
