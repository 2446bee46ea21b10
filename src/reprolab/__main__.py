"""`python -m reprolab` is the command `reprolab`."""

from reprolab.cli.main import main

main()
