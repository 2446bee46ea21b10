"""From an experiment and a split to the weights of a seed, and the record of how they came about."""
