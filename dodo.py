"""Hands the command line's overrides to tasks/; nothing else."""

import sys
from pathlib import Path

import tasks

globals().update(tasks.load(sys.argv[1:], Path(__file__).resolve().parent))
