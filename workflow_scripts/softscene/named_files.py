"""What stands at a path that a user names: it must be a file, or reading it may never end."""

import stat
from pathlib import Path

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def other_than_file(path: str | Path) -> str | None:
    """Say what stands at ``path`` that can be opened like a file and is none.

    ``None`` if it is a file, or opening it fails anyway (nothing there, a folder, no permission).
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return None
    kind = _KINDS.get(stat.S_IFMT(mode))
    return kind and f"is no file, but {kind}"
