"""What speaks in a contender's process. Each module has what `child` asks of it."""
