"""Builds the lexicon of a variant, and copies it out of the cache.

    python -m g2p_build.products.lexicon OUT.g2plex KEY=VALUE...

The overrides are those of `doit compile`. They describe one variant.
"""

import sys

from g2p_build.products.tables import Kind, run

__all__ = ["LEXICON"]

LEXICON = Kind("lexicon", "lexicon.g2plex", "lexicon=FILE or lexicon.exceptions=FOLDER")

if __name__ == "__main__":
    sys.exit(run(LEXICON, sys.argv[1:]))
