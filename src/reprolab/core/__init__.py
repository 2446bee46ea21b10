"""What every room stands on: parameters, their registry and checks, files and their places. No number of a result."""
