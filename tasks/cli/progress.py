"""Shows a person what a build is doing: what runs, for how long, how long it took last time, how much is done."""

from collections.abc import Collection

from rich.console import Console
from rich.progress import Progress as Display
from rich.progress import TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Progress"]


class Progress:
    """Shows a line for each running task and one for the whole, at the bottom of the terminal, until the build ends."""

    def __init__(self, tasks: Collection[str], done: int) -> None:
        """Begins to draw.

        Args:
            tasks: names of all tasks that may run.
            done: how many of them are done already.
        """
        self.total, self.ended = len(tasks), done
        columns = (TextColumn("{task.description}"), TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
        self.display = Display(*columns, console=Console(stderr=True), transient=True)
        self.whole = self.display.add_task(self._whole(), total=None, note="")
        self.running: dict[str, TaskID] = {}
        self.display.start()

    def start(self, task: str, last_time: float | None, draws_itself: bool) -> None:
        """A task starts.

        Args:
            task: its name.
            last_time: seconds that it took last time; None if unknown.
            draws_itself: whether the task draws on the terminal itself. Until it ends, nothing else is shown.
        """
        if draws_itself:
            self.display.stop()
        else:
            stage, _, label = task.partition(":")
            note = "" if last_time is None else f"{last_time:.1f} s last time"
            self.running[task] = self.display.add_task(f"{stage:<10} {label}", total=None, note=note)

    def end(self, task: str) -> None:
        """A task has ended, or was up to date."""
        self.ended += 1
        self.display.update(self.whole, description=self._whole())
        if task in self.running:
            self.display.remove_task(self.running.pop(task))
        self.display.start()

    def stop(self) -> None:
        """Leaves the terminal as it was."""
        self.display.stop()

    def _whole(self) -> str:
        return f"{self.ended} of {self.total} done"
