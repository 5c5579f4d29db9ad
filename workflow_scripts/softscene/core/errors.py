"""The errors that a user or a machine causes; any other exception is a bug of this project."""

import stat
from collections.abc import Sequence
from pathlib import Path


class SoftSceneError(Exception):
    """Base class: the message says what was given, what was expected, where, and what to do."""

    problems: Sequence[str] = ()  # the problems that the message lists, one by one

    def __str__(self) -> str:
        """The message, made safe for a terminal because it may quote a file or a server."""
        return printable(super().__str__(), keep="\n\t")

    @classmethod
    def of(cls, heading: str, problems: Sequence[str]) -> "SoftSceneError":
        """One error that lists all ``problems``, each on a line of its own, under ``heading``."""
        error = cls("\n  ".join([heading, *problems]))
        error.problems = tuple(problems)
        return error


class ConfigurationError(SoftSceneError):
    """A key of the configuration is unknown, missing, of the wrong type or out of range."""


class MethodError(SoftSceneError):
    """A custom method cannot be read, or does not have the form that it needs."""


class LicenceError(SoftSceneError):
    """The data's licence was not accepted."""


class DownloadError(SoftSceneError):
    """A file could not be fetched, or differs from the registry's entry."""


class AnnotationError(SoftSceneError):
    """An annotation list has rows or columns that cannot be used."""


class AudioError(SoftSceneError):
    """A recording is missing, damaged or has an unexpected format."""


class SampleRateError(AudioError):
    """A recording has another sample rate than it must have."""


class FeatureError(SoftSceneError):
    """A feature file lacks a recording, or was made with other parameters."""


class BusyError(SoftSceneError):
    """Another process is already doing the same work."""


class ResultError(SoftSceneError):
    """A file that an earlier job wrote cannot be read."""


class StorageError(SoftSceneError):
    """A disk is full."""


class ProcessError(SoftSceneError):
    """A process that a job started was killed."""


class GpuMemoryError(SoftSceneError):
    """A GPU's memory is not enough for a job."""


class TrainingError(SoftSceneError):
    """A training cannot continue."""


def how_to_remake(path: object) -> str:
    """Tell the user how to remake a damaged file and what depends on it.

    If the operating system refuses to read the file, it may be intact and need not be remade.
    """
    if reason := _withheld(str(path)):
        return (
            f"the operating system does not let {path} be read ({reason}), so the file itself may "
            "be intact: fix the cause (permissions, disk, network), then rerun the same command"
        )
    return (
        f"make it again: snakemake --force {path} --cores 1 (add the run's --configfile at the "
        "end), then rerun the original command"
    )


def _withheld(path: str) -> str | None:
    """Why an existing file's bytes cannot be read; None if they can, or there is no file."""
    try:
        if stat.S_ISREG(Path(path).stat().st_mode):  # opening a pipe would block
            with Path(path).open("rb") as file:
                while file.read(2**20):
                    pass
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        return error.strerror or str(error)
    return None


def printable(text: str, keep: str = "") -> str:
    """``text`` for a terminal or a picture: unprintable characters become ``?``.

    Parameters
    ----------
    text
        A name or a message, which may come from a file or a server.
    keep
        Unprintable characters to keep, such as a line feed.
    """
    return "".join(sign if sign.isprintable() or sign in keep else "?" for sign in text)
