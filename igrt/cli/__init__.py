"""The command line: one file a command, one table of commands, nothing heavy imported before a command runs."""
