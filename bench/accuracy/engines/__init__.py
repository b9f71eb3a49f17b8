"""How each kind of contender is opened: one a file."""
