"""What a trained experiment scores on the test part, what is inside its network, and what an architecture costs."""
