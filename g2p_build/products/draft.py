"""Builds the draft table of a variant, and copies it out of the cache.

    python -m g2p_build.products.draft OUT.g2pdraft KEY=VALUE...

The overrides are those of `doit compile`. They describe one variant.
"""

import sys

from g2p_build.products.tables import Kind, run

__all__ = ["DRAFT"]

DRAFT = Kind("draft", "draft.g2pdraft", "draft=FILE or draft.words=FOLDER")

if __name__ == "__main__":
    sys.exit(run(DRAFT, sys.argv[1:]))
