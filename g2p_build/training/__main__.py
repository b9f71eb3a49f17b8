"""`python -m g2p_build.training`: the trainer's command."""

import sys

from g2p_build.engine import streams
from g2p_build.training.command import main

__all__: list[str] = []

if __name__ == "__main__":
    streams.guard()
    sys.exit(main(sys.argv[1:]))
