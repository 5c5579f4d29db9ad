"""Sound event detection with soft scene labels (Imoto et al., ICASSP 2020)."""

import os

# Figures are files. What a notebook or a desktop has set would decide otherwise, or end the import
# of matplotlib, so this stands before all of them.
os.environ["MPLBACKEND"] = "agg"
