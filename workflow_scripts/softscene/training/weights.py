"""Files of tensors: never code, complete or not there at all, and verified before use."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from softscene.core.errors import TrainingError, how_to_remake
from softscene.core.files import replacing
from softscene.core.origins import require_facts

CHECKSUM = "sha256"
FACTS = "__metadata__"  # their key in the header


def digest(tensors: Mapping[str, Tensor], facts: Mapping[str, str] | None = None) -> str:
    """SHA-256 of tensors, of their names, types, shapes and bytes, and of facts about them."""
    found = hashlib.sha256(json.dumps(facts or {}, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        plain = value.detach().cpu().contiguous()
        found.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        found.update(plain.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def save_tensors(tensors: Mapping[str, Tensor], target: str | Path, **facts: str) -> None:
    """Write tensors, and facts about them, as safetensors."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    content = save(plain, {**facts, CHECKSUM: digest(plain, facts)})
    with replacing(target) as partial:
        partial.write_bytes(_in_order(content))


def _in_order(content: bytes) -> bytes:
    """The same safetensors with its facts sorted by name; the library writes them in any order.

    The format: the header's length in eight bytes, the header in JSON, the tensors.
    """
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header[FACTS] = dict(sorted(header[FACTS].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of eight
    return len(text).to_bytes(8, "little") + text + content[begin:]


def load_tensors(source: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what :func:`save_tensors` wrote: tensors by name, and the facts.

    Raises
    ------
    TrainingError
        The file is missing, is not safetensors (a pickle, say), or has another checksum.
    """
    try:
        with safe_open(source, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            facts = opened.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise TrainingError(f"{source} cannot be read as safetensors ({error})") from error
    written = facts.pop(CHECKSUM, None)
    if written != (found := digest(tensors, facts)):
        raise TrainingError(f"{source} is damaged: its SHA-256 was {written}, now it is {found}")
    return tensors, facts


def save_network(network: nn.Module, target: str | Path, origin: Mapping[str, str]) -> None:
    """Save weights and running statistics, and what they were made from."""
    save_tensors(network.state_dict(), target, **origin)


def load_weights(
    source: str | Path, origin: Mapping[str, str], infinite: Collection[str] = ()
) -> dict[str, Tensor]:
    """Read what :func:`save_network` saved.

    Parameters
    ----------
    source
        The file.
    origin
        What it must have been made from, as far as the reader knows it.
    infinite
        Tensors that hold infinity by design, such as a mask.

    Raises
    ------
    TrainingError
        The file is damaged, was made from something else, or holds values that are not finite.
    """
    try:
        tensors, facts = load_tensors(source)
    except TrainingError as error:
        raise TrainingError(f"{error}; {how_to_remake(source)}") from error
    require_facts(source, facts, origin, TrainingError)
    bad = [name for name, value in tensors.items() if not value.isfinite().all()]
    if bad := [name for name in bad if name not in infinite]:
        heading = f"{source} holds weights that are not finite numbers; {how_to_remake(source)}"
        raise TrainingError.of(heading, bad)
    return tensors


def load_network(
    network: nn.Module, source: str | Path, device: torch.device, origin: Mapping[str, str]
) -> nn.Module:
    """Load what :func:`save_network` saved, for inference; ``origin`` as for :func:`load_weights`.

    Raises
    ------
    TrainingError
        The file is damaged, was made from something else, holds values that are not finite, or
        is of another network.
    """
    fresh = network.state_dict()
    infinite = [name for name, value in fresh.items() if not value.isfinite().all()]
    tensors = load_weights(source, origin, infinite)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise TrainingError(
            f"{source} does not hold the weights of this network ({error}); "
            + how_to_remake(source)
        ) from error
    return network.to(device, memory_format=torch.channels_last).eval()
