"""Shared by all rule scripts: writes the log and handles errors."""

import gc
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from softscene.core.errors import SoftSceneError, StorageError
from softscene.core.files import Log, naming_full_disk
from softscene.core.gpus import naming_full_gpu
from softscene.core.processes import ancestors, announced, end_with

# Scripts import this first. Garbage collection while they import other modules finds nothing, and
# takes a fifth of PyTorch's loading time.
gc.disable()


def run_job(main: Callable[[Any], None], snakemake: Any) -> None:
    """Run ``main(snakemake)`` with all output in the job's log.

    Any error ends the job. A SoftSceneError is logged as a message alone, and printed to the
    terminal if a full disk keeps it out of the log; any other is logged with its traceback.
    """
    gc.freeze()
    gc.enable()
    end_with([*announced(os.environ), *ancestors("snakemake")])
    terminal = sys.stderr
    with _open_log(snakemake.log[0]) as log, redirect_stdout(log), redirect_stderr(log):
        logging.basicConfig(
            stream=log, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
        )
        logging.captureWarnings(True)
        start = time.monotonic()
        try:
            with naming_full_disk([*snakemake.output, *snakemake.log][0]), naming_full_gpu():
                main(snakemake)
        except SoftSceneError as error:
            message, log.complete = f"{type(error).__name__}: {error}", True
            logging.error(message)
            if not log.complete:
                print(message, file=terminal)
            sys.exit(1)
        except KeyboardInterrupt:
            logging.error("interrupted after %.1f s", time.monotonic() - start)
            sys.exit(130)
        except Exception:
            logging.exception("this should not have happened; please report it with this log")
            sys.exit(1)
        logging.info("done in %.1f s", time.monotonic() - start)


def _open_log(path: str) -> Log:
    try:
        with naming_full_disk(path):
            return Log(path)
    except StorageError as error:
        sys.exit(f"{type(error).__name__}: {error}")
