"""The contenders: one library a file, each with `open_model`, and `prepare` where it wants files of its own."""
