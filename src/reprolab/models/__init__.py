"""Networks by name, the classifier around one, the weights that it starts from, and its files."""
