"""The GPUs of this machine, and how the jobs of a run share them. Does not load PyTorch."""

import fcntl
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

from softscene.core.errors import GpuMemoryError

logger = logging.getLogger(__name__)

MIB_PER_JOB = 4000
"""Memory of a card for each job that uses it, by default."""
MOST_PER_CARD = 4
"""Jobs on a card, by default: two trainings fill it, others start (docs/performance.md)."""
SHARES = "SOFTSCENE_GPUS"
"""Environment variable with which Snakemake's process tells its jobs what they share."""
ALONE = "SOFTSCENE_GPU_ALONE"
"""Environment variable with the card that a job has for itself, or is to have, begun again."""
QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
ROW = re.compile(r"(\d+), (GPU-[^,]+), (.*), ([^,]*)")
DRIVER = Path("/proc/driver/nvidia/gpus")
PATIENCE = 10.0  # s that nvidia-smi may take; without persistence mode it wakes each card
POLL = 0.5  # s between two looks for a free place
# Where something else than PyTorch's allocator finds it full: the driver, cuBLAS, cuDNN.
RAN_OUT = re.compile(r"CUDA.*out of memory|CU(BLAS|DNN)_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)")


class Card(NamedTuple):
    """A GPU.

    Attributes
    ----------
    name
        What ``CUDA_VISIBLE_DEVICES`` calls it; empty if that is not known.
    model
        For people.
    mib
        Its memory in MiB, if known.
    """

    name: str
    model: str
    mib: int | None = None


UNKNOWN = Card("", "not known to nvidia-smi")


class Shares(NamedTuple):
    """What jobs share: names of ``cards``, jobs on ``each``, and the ``folder`` of the locks."""

    cards: Sequence[str]
    each: int
    folder: str


# --- Which cards there are


def usable(device: str, environ: Mapping[str, str] = os.environ) -> list[Card]:
    """The cards that jobs of this machine may use.

    Parameters
    ----------
    device
        ``cpu``: none. ``auto``: those that NVIDIA's driver names, if the installed PyTorch can use
        them. ``cuda``: the same, or :data:`UNKNOWN`.
    environ
        ``CUDA_VISIBLE_DEVICES`` chooses among them.
    """
    if device == "cpu" or (device == "auto" and not _pytorch_has_cuda()):
        return []
    found = _visible(_listed() or _known_to_driver(), environ.get("CUDA_VISIBLE_DEVICES"))
    return found or ([UNKNOWN] if device == "cuda" else [])


def _pytorch_has_cuda() -> bool:
    """Whether PyTorch is built with CUDA, read from its files; true if jobs have one elsewhere."""
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.origin:
        return True
    try:
        facts = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return True
    return re.search(r"^cuda\b.*=\s*None\s*$", facts, re.MULTILINE) is None


def _listed() -> list[Card]:
    """The cards that ``nvidia-smi`` lists; none if it is missing, fails or does not answer."""
    try:
        process = subprocess.Popen(
            QUERY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError:
        return []
    try:
        text = process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        process.kill()  # and do not wait: it may hang in the driver
        return []
    rows = filter(None, map(ROW.fullmatch, text.splitlines()))
    return [Card(row[2], row[3], int(row[4]) if row[4].isdigit() else None) for row in rows]


def _known_to_driver() -> list[Card]:
    """The cards in the driver's files, which do not tell the memory."""
    cards = []
    for index, path in enumerate(sorted(DRIVER.glob("*/information"))):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        facts = {key.strip(): value.strip() for key, _, value in (s.partition(":") for s in lines)}
        uuid = facts.get("GPU UUID", "?")  # question marks until the card has been used
        cards.append(Card(str(index) if "?" in uuid else uuid, facts.get("Model", "NVIDIA GPU")))
    return cards


def _visible(cards: Sequence[Card], chosen: str | None) -> list[Card]:
    """The cards that ``CUDA_VISIBLE_DEVICES`` leaves, by the names that it uses."""
    if chosen is None:
        return list(cards)
    found: dict[str, Card] = {}
    for name in map(str.strip, chosen.split(",")):
        if name.isdecimal():
            same = cards[int(name) :][:1]
        elif name.startswith("MIG-"):  # a part of a card
            same = [UNKNOWN._replace(model="MIG")]
        else:
            same = [card for card in cards if name and card.name.startswith(name)]
        if len(same) != 1:  # as CUDA does: neither this one nor those after it
            break
        found[name] = same[0]._replace(name=name)
    return list(found.values())


# --- How many jobs share them: Snakemake's process decides and tells its jobs


def jobs_on_each(cards: Sequence[Card], per_gpu: int | str) -> int:
    """Jobs on each card: as configured, or for ``auto`` what the smallest one has memory for."""
    if per_gpu != "auto":
        return int(per_gpu)
    return min(max(1, min((card.mib or 0) // MIB_PER_JOB, MOST_PER_CARD)) for card in cards)


def announce(environ: MutableMapping[str, str], cards: Sequence[Card], jobs: int) -> None:
    """Tell all child processes that up to ``jobs`` of them at a time share these cards."""
    if not cards or not jobs:
        environ[SHARES] = ""
        return
    each = -(-jobs // len(cards))
    # Where all runs of this user find it, as they have the same cards.
    folder = Path(tempfile.gettempdir(), f"softscene-gpus-{os.getuid()}")
    environ[SHARES] = json.dumps(Shares([card.name for card in cards], each, str(folder)))


def described(cards: Sequence[Card], jobs: int) -> str:
    """The cards, and how many jobs share them, in a line."""
    models = ", ".join(dict.fromkeys(card.model for card in cards))
    number = "1 GPU" if len(cards) == 1 else f"{len(cards)} GPUs"
    return f"{number} ({models}), shared by jobs at a time: {jobs} (compute.per_gpu)"


def are_shared(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this run's jobs share cards of this machine."""
    return bool(environ.get(SHARES))


# --- Which card a job uses


_HELD: list[TextIO] = []  # the locks of this process; they end with it
_TAKEN: list[str] = []  # the card that it has locked


def take(device: str) -> str:
    """Wait for this process's place on a card, before PyTorch starts CUDA, and show it no other.

    Parameters
    ----------
    device
        As configured.

    Returns
    -------
    str
        Where to compute: ``cpu`` if ``auto`` found no card when the run was planned.
    """
    told = os.environ.get(SHARES)
    if told is None or device == "cpu":  # a cluster, which gives a job its own card
        return device
    if not told:
        return "cpu" if device == "auto" else device
    shares = Shares(*json.loads(told))
    try:
        card = _alone(shares) if ALONE in os.environ else _place(shares)
        _TAKEN[:] = [card]
        if shares.each == 1:
            os.environ[ALONE] = card
    except OSError:  # no locks there: spread them without
        card = shares.cards[os.getpid() % len(shares.cards)]
    if card:
        os.environ["CUDA_VISIBLE_DEVICES"] = card
        logger.info("on GPU %s", card)
    return device


def _place(shares: Shares) -> str:
    """Lock a place on the card that has most of them free; gives the card."""
    waiting = False
    while True:
        with _lock(shares, "choosing", fcntl.LOCK_EX):
            free = {card: _free(shares, card) for card in shares.cards}
            card = max(free, key=lambda card: len(free[card]))
            _HELD.extend(free[card][:1])
            for place in chain(*free.values()):
                if place not in _HELD:
                    place.close()
        if _HELD:
            return card
        if not waiting:
            logger.info("waiting for a place on a GPU: other jobs use all of them")
        waiting = True
        time.sleep(POLL)


def _free(shares: Shares, card: str) -> list[TextIO]:
    """Locks of the card's free places; none if a job has it, or waits to have it, for itself."""
    if not (door := _try(shares, f"{card}.door")):
        return []
    found = [_try(shares, f"{card}.{place}") for place in range(shares.each)]
    door.close()
    return [place for place in found if place]


def _alone(shares: Shares) -> str:
    """Lock a card's door, so that no job begins there, and then wait for those that are there."""
    card = os.environ[ALONE]
    told = (
        "a GPU's memory ran out beside other jobs, so this one begins again with the GPU for "
        f"itself; compute.per_gpu below {shares.each} avoids this"
    )
    logger.warning(told)
    print(told, file=sys.__stderr__)  # the terminal, in jobs
    _HELD.append(_lock(shares, f"{card}.door", fcntl.LOCK_EX))
    # All that there are: another run may put more jobs on it.
    for place in Path(shares.folder).glob(_file(f"{card}.") + "[0-9]*"):
        _HELD.append(_lock(shares, place.name, fcntl.LOCK_EX))
    return card


def _try(shares: Shares, name: str) -> TextIO | None:
    try:
        return _lock(shares, name, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _lock(shares: Shares, name: str, how: int) -> TextIO:
    """A locked file; closing it, or the end of this process, unlocks it."""
    folder = Path(shares.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    file = (folder / _file(name)).open("a", encoding="utf-8")
    try:
        fcntl.flock(file, how)
    except OSError:
        file.close()
        raise
    return file


def _file(name: str) -> str:
    return re.sub(r"[^\w.-]", "-", name)  # a part of a card may have slashes


# --- What to do when its memory runs out


def ran_out(error: BaseException | None) -> bool:
    """Whether a GPU's memory ran out, directly or as the cause of this error."""
    while error is not None:
        named = type(error).__name__ == "OutOfMemoryError"  # without loading PyTorch
        if named or (isinstance(error, RuntimeError) and RAN_OUT.search(str(error))):
            return True
        error = error.__cause__
    return False


@contextmanager
def naming_full_gpu() -> Iterator[None]:
    """If the block runs out of a GPU's memory, begin this process again, alone on its card.

    It is replaced by a new one with the same number, which holds no memory while it waits, and
    resumes from its checkpoint if it has one.

    Raises
    ------
    GpuMemoryError
        It was alone already, or shares no card.
    """
    try:
        yield
    except Exception as error:
        if not ran_out(error):
            raise
        if _TAKEN and ALONE not in os.environ:
            os.environ[ALONE] = _TAKEN[0]
            _begin_again()
        whose = "a job that had the GPU for itself" if _TAKEN else "this job"
        raise GpuMemoryError(
            f"the GPU's memory is not enough for {whose}: {str(error).splitlines()[0]} Set a "
            "smaller batch_size, or smaller sizes in network, or compute.device to 'cpu'. If other "
            "programs use the GPU (nvidia-smi lists them), end them, or lower compute.per_gpu"
        ) from error


def _begin_again() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
