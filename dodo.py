"""Hands the command line's overrides to tasks/; nothing else."""

import sys

import tasks

globals().update(tasks.load(sys.argv[1:]))
