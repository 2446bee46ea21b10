"""The command `reprolab`, one file a subcommand."""
