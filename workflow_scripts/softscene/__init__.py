"""Sound event detection with soft scene labels (Imoto et al., ICASSP 2020)."""

import os

# Figures are files. What a notebook or a desktop has set would decide otherwise, or end the import
# of matplotlib, so this stands before all of them.
os.environ["MPLBACKEND"] = "agg"

# Threads that wait sleep. By default they spin, and beside other work on the same cores a training
# with two threads then takes ten times as long. OpenMP reads this when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
