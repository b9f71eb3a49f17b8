"""Makes draft tables: what a language's letters are probably said as, for the model to check many tokens at once."""
