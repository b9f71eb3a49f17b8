"""The rule by which `tts_text` reads what is between words, written once more for tests."""

READ_AS = str.maketrans("-\u2010\u2011\u2013[]{}«»‘’'", '   —()()“”“”"')
"""Hyphens are blanks; of dashes, brackets and quotation marks there is one kind."""
