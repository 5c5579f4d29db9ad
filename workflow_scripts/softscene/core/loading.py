"""Load a package without a module that is slow to load and is not used here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Give packages that are imported meanwhile empty modules for these.

    Afterwards they can be imported as usual. Those that are loaded already stay.

    Parameters
    ----------
    names
        Full names of modules; of one in a package that is not loaded either, its package's too.
    """
    empty = {name: ModuleType(name) for name in names if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]
