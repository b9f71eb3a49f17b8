"""Code that all commands share: the plan of a command, its options, its output, its progress."""
