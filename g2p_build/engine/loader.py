"""What doit loads first in a checkout, for pyproject.toml names it: some of doit's own commands load no dodo.py."""

from typing import Any, NoReturn

from doit.cmd_base import Command, DodoTaskLoader
from doit.exceptions import InvalidCommand

from g2p_build.engine import streams

__all__ = ["NO_RECORD", "DumpDB", "Loader"]

NO_RECORD = (
    "doit {} changes or shows doit's own record of what ran, and there is none: what is stale follows from content; "
    "`doit why` says what would run, `doit gc` empties the cache"
)

streams.guard()


class Loader(DodoTaskLoader):
    """doit's own loader of dodo.py."""


class DumpDB(Command):
    """Takes the place of doit's command, which looks for a file that is not there."""

    doc_purpose = "not used here: there is no record of what ran"
    doc_usage = ""
    doc_description = None

    def execute(self, opt_values: Any, pos_args: Any) -> NoReturn:
        """Refuses.

        Raises:
            InvalidCommand: always. doit prints the message, one line, and exits with 3.
        """
        raise InvalidCommand(NO_RECORD.format("dumpdb"))
