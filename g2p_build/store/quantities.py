"""Sizes and ages as people write them."""

import re

from g2p_build.errors import BuildError

__all__ = ["age", "size"]

SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def age(text: str) -> float:
    """The seconds in an age such as "7d": a number of minutes (m), hours (h), days (d) or weeks (w).

    Raises:
        BuildError: the text is not an age.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([mhdw])", text)
    if not found:
        raise BuildError(f"{text!r} is not an age: give a number with m, h, d or w, such as 12h or 7d")
    return float(found[1]) * SECONDS[found[2]]


def size(text: str) -> int:
    """The bytes in a size such as "2GB" (of 10^9 bytes) or "2GiB" (of 2^30 bytes).

    Raises:
        BuildError: the text is not a size.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(|[kMGT]|[KMGT]i)B", text.replace("KB", "kB"))
    if not found:
        raise BuildError(f"{text!r} is not a size: give a number with B, kB, MB, GB, TB or KiB, MiB, GiB, TiB")
    return int(float(found[1]) * BYTES[found[2]])
