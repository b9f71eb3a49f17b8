"""Has a library pronounce words one by one, inside of the emulator: with one `write(1, …)` after each.

    python -m bench.instructions.guest < {"setup": {…}, "words": [[language, text, ids], …]}

A line is "ready", then for each word what it is pronounced as, a tab, and how many steps that took. Nothing but the
library and what Python brings is there.
"""

import importlib
import json
import os
import sys

from bench.pronounce.setup import Word, from_json

_FIRST = 3
"""The id of the byte 0."""


def main() -> None:
    """Reads what to do, and does it."""
    asked = json.load(sys.stdin)
    setup = from_json(asked["setup"])
    words = [Word(language, text, tuple(ids)) for language, text, ids in asked["words"]]
    pronounce = importlib.import_module(f"bench.pronounce.engines.{setup.engine}").open_model(setup)
    pronounce([[words[0]]])  # what is done only once does not count
    os.write(1, b"ready\n")
    for word in words:
        [ids] = pronounce([[word]])
        mine = ids[: ids.index(setup.eos_id)] if setup.eos_id in ids else ids
        text = bytes(number - _FIRST for number in mine if number >= _FIRST)
        os.write(1, b"%s\t%d\n" % (text, len(mine) + 1))


if __name__ == "__main__":
    main()
