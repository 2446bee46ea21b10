"""Data sets as published, their splits, and the batches that training draws from them."""
