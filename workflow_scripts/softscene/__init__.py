"""Sound event detection with soft scene labels (Imoto et al., ICASSP 2020)."""
