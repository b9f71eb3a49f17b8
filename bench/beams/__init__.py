"""Several pronunciations of a word, beside other libraries' beam search."""
