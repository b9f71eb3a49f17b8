"""What all commands share: the plan of a command, its options, what it prints, its progress."""
