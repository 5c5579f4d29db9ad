"""Sound of forms that libsndfile does not read, decoded by FFmpeg where it is installed."""

import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

from softscene.core.errors import AudioError

logger = logging.getLogger(__name__)

# Endings of sound and video files that soundfile does not read, in lower case.
FOREIGN = (
    ".3gp", ".aac", ".ac3", ".amr", ".ape", ".avi", ".dff", ".dsf", ".m4a", ".m4b", ".m4v", ".mka",
    ".mkv", ".mov", ".mp4", ".mpc", ".mpeg", ".mpg", ".mts", ".ra", ".tta", ".webm", ".wma", ".wmv",
    ".wv",
)  # fmt: skip
CONVERT = "install FFmpeg, or convert it where FFmpeg is: ffmpeg -i FILE FILE.wav"
_CUT = "partial file"  # FFmpeg's word for a container that promises more than there is
_LINES = 3  # of FFmpeg's messages that are shown


def is_foreign(path: str | Path) -> bool:
    """Whether only FFmpeg reads a file of this ending."""
    return Path(path).suffix.lower() in FOREIGN


def is_installed() -> bool:
    """Whether there is a program ``ffmpeg``."""
    return shutil.which("ffmpeg") is not None


class Decoded:
    """The first sound track of a file as a temporary WAV: float, with its own rate and channels.

    Parameters
    ----------
    path
        An existing file.

    Attributes
    ----------
    path
        The WAV (RF64 above 4 GB), in the system's folder for temporary files (``TMPDIR``).

    Raises
    ------
    AudioError
        FFmpeg is not installed, does not read the file, or finds it cut.
    """

    def __init__(self, path: str | Path) -> None:
        if not is_installed():
            raise AudioError(f"{path}: soundfile does not read {Path(path).suffix}; {CONVERT}")
        self._folder = tempfile.TemporaryDirectory(prefix="softscene-")
        self.path = Path(self._folder.name, "decoded.wav")
        try:
            self._decode(path)
        except BaseException:
            self.remove()
            raise

    def _decode(self, path: str | Path) -> None:
        # A file that names others, such as a playlist, must not reach the network.
        options = ["-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file"]
        form = ["-map", "0:a:0", "-codec:a", "pcm_f32le", "-rf64", "auto", "-f", "wav"]
        done = subprocess.run(
            ["ffmpeg", *options, "-i", Path(path).absolute(), *form, "-y", self.path],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        words = "; ".join(line.strip() for line in lines[:_LINES])
        if done.returncode != 0 or not self.path.is_file():
            reason = words or f"exit code {done.returncode}"
            raise AudioError(f"{path}: FFmpeg cannot decode its sound: {reason}")
        if _CUT in words:
            raise AudioError(f"{path}: is cut; copy it again, or convert what is left: {words}")
        if words:
            logger.warning("%s: FFmpeg decoded it, but said: %s", path, words)

    def remove(self) -> None:
        """Delete the temporary file."""
        self._folder.cleanup()
