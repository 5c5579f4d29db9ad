"""What shows a training while it runs: its history so far, and TensorBoard's event files."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from softscene.core.errors import TrainingError
from softscene.core.files import naming_full_disk, write_text

Row = Mapping[str, float]


def require_tensorboard() -> None:
    """Check that TensorBoard is installed.

    Raises
    ------
    TrainingError
        It is not.
    """
    found = find_spec("tensorboard")
    if found is None or found.origin is None:  # or a folder of that name, without code
        raise TrainingError(
            "compute.tensorboard: true given, but tensorboard is not in this environment: "
            "`pip install tensorboard`, or set compute.tensorboard: false"
        )


class LiveHistory:
    """A training's history so far, in the form of ``history.tsv``, for ``tail -F``.

    Each epoch is appended in one piece, so that readers see whole lines.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, history: Sequence[Row]) -> None:
        """Keep only the epochs that a training resumes from; it repeats those after them."""
        self.path.unlink(missing_ok=True)
        if history:
            write_text(self.path, _header(history[0]) + "".join(map(_line, history)))

    def add(self, row: Row) -> None:
        """Append an epoch.

        Raises
        ------
        StorageError
            The disk is full.
        """
        text = _line(row) if self.path.exists() else _header(row) + _line(row)
        with naming_full_disk(self.path), self.path.open("ab") as file:
            file.write(text.encode())

    def end(self) -> None:
        """Delete the file: the finished history is among the training's results."""
        self.path.unlink(missing_ok=True)


def _header(row: Row) -> str:
    return "\t".join(row) + "\n"


def _line(row: Row) -> str:
    return "\t".join(map(repr, row.values())) + "\n"


class EventFiles:
    """A training's losses for TensorBoard, one scalar for each; they stay when it ends.

    Parameters
    ----------
    folder
        Of the event files; TensorBoard names the training by it.

    Raises
    ------
    TrainingError
        TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require_tensorboard()
        self.folder = folder

    def begin(self, history: Sequence[Row]) -> None:
        """Open a file; TensorBoard then hides what others hold of the epochs after ``history``."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow, seldom used

        self._writer = SummaryWriter(str(self.folder), purge_step=len(history) + 1)

    def add(self, row: Row) -> None:
        """Write an epoch."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, row["epoch"])
        self._writer.flush()

    def end(self) -> None:
        """Close the file."""
        self._writer.close()
