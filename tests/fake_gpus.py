"""A machine with GPUs that are none: programs and files that say that they are there."""

CARD = "GPU-80df4e62-f231-20e9-1283-80bb211a6ac{}"
H100 = "NVIDIA H100 80GB HBM3, 81559"  # as such a card says it


def say(folder, *cards):
    """What ``nvidia-smi`` says about cards, each given by its model and memory."""
    rows = [f"{index}, {CARD.format(index)}, {card}" for index, card in enumerate(cards)]
    return program(folder, "cat <<'END'\n" + "\n".join(rows) + "\nEND")


def program(folder, does):
    """A ``nvidia-smi`` in a folder that is to be on the PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return folder


def pytorch(folder, cuda="'12.8'"):
    """A PyTorch that cannot be loaded; gives the folder for the PYTHONPATH."""
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text("raise AssertionError('PyTorch is loaded')\n")
    (folder / "torch" / "version.py").write_text(
        f"from typing import Optional\n\n__version__ = '2.13.0'\ncuda: Optional[str] = {cuda}\n"
        "hip: Optional[str] = None\n"
    )
    return folder
