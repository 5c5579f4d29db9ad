"""A real disk that is soon full: a tmpfs of a few kilobytes, mounted for one test."""

import shutil
import subprocess
from contextlib import contextmanager

import pytest


class SmallDisk:
    def __init__(self, folder):
        self.folder = folder

    def resize(self, size):
        """Make room, or take it away: ``"64k"``, ``"3m"``."""
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    @property
    def free(self):
        return shutil.disk_usage(self.folder).free


@contextmanager
def small_disk(folder, size):
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("mount") is None:
        pytest.skip("mounts a small tmpfs, and there is no mount here")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"mounts a small tmpfs, which is not allowed here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
