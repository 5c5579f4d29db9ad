"""Everything that this project reports as a user's or a machine's fault, and not as its own."""

import stat
from collections.abc import Sequence
from pathlib import Path


class SoftSceneError(Exception):
    """Base of all: the message says what was given, what was expected, where, and what to do."""

    problems: Sequence[str] = ()  # each of those that the message lists

    def __str__(self) -> str:
        """The message, which may quote a file or a server, safe for a terminal."""
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
    """A method of one's own cannot be read, or is not what a method must be."""


class LicenceError(SoftSceneError):
    """The data's licence was not accepted."""


class DownloadError(SoftSceneError):
    """A file could not be fetched, or is not what the registry says."""


class AnnotationError(SoftSceneError):
    """An annotation list has rows or columns that cannot be used."""


class AudioError(SoftSceneError):
    """A recording is missing, damaged or of another form than expected."""


class FeatureError(SoftSceneError):
    """A feature file lacks a recording, or was made with other parameters."""


class BusyError(SoftSceneError):
    """Another process is at the same work."""


class ResultError(SoftSceneError):
    """A file that an earlier job wrote cannot be read."""


class StorageError(SoftSceneError):
    """A disk is full."""


class ProcessError(SoftSceneError):
    """A process that a job had started was killed."""


class TrainingError(SoftSceneError):
    """A training cannot go on."""


def how_to_remake(path: object) -> str:
    """What to type to have a damaged file made again, and then what depends on it.

    A file that the operating system does not give out may be whole: nothing is made again for it.
    """
    if reason := _withheld(str(path)):
        return (
            f"the operating system does not let {path} be read ({reason}), so the file itself may "
            "be whole: mend that (permissions, disk, network), then give the same command again"
        )
    return (
        f"make it again: snakemake --force {path} --cores 1 (the run's --configfile last), "
        "and then the run's own command"
    )


def _withheld(path: str) -> str | None:
    """Why a file that is there cannot be read as bytes; None where it can, or is not there."""
    try:
        if stat.S_ISREG(Path(path).stat().st_mode):  # a pipe would be waited for
            with Path(path).open("rb") as file:
                while file.read(2**20):
                    pass
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        return error.strerror or str(error)
    return None


def printable(text: str, keep: str = "") -> str:
    """``text`` for a terminal or a picture: control characters and the like become ``?``.

    Parameters
    ----------
    text
        A name or a message, which may come from a file or a server.
    keep
        Characters that stay although they are not printable, such as a line feed.
    """
    return "".join(sign if sign.isprintable() or sign in keep else "?" for sign in text)
