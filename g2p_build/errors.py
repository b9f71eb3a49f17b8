"""The error that the person at the keyboard can act on."""

__all__ = ["BuildError"]


class BuildError(Exception):
    """Something is wrong with what was asked for or with what it was asked of.

    The message is one line: what is wrong, with the offending value, and what to do about it. Commands print it
    without a traceback.
    """
