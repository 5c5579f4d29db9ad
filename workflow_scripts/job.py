"""What every script of a rule shares: its log, and how it fails."""

import logging
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from softscene.errors import SoftSceneError


def run_job(main: Callable[[Any], None], snakemake: Any) -> None:
    """Run ``main(snakemake)`` with all output in the job's log.

    A fault that the project expects ends the log with its message alone, anything else with its
    traceback; both end the job.
    """
    with (
        Path(snakemake.log[0]).open("w", encoding="utf-8", buffering=1) as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        logging.basicConfig(
            stream=log, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
        )
        logging.captureWarnings(True)
        start = time.monotonic()
        try:
            main(snakemake)
        except SoftSceneError as error:
            logging.error("%s: %s", type(error).__name__, error)
            sys.exit(1)
        except KeyboardInterrupt:
            logging.error("interrupted after %.1f s", time.monotonic() - start)
            sys.exit(130)
        except Exception:
            logging.exception("this should not have happened; please report it with this log")
            sys.exit(1)
        logging.info("done in %.1f s", time.monotonic() - start)
