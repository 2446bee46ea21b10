"""Data sets: their sources, their splits, and the batches that training draws from them."""
