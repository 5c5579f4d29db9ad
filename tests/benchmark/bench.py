"""Seconds and memory of a training step: softscene, a plain trainer, and convolutions alone.

    python tests/benchmark/bench.py [--threads 2] [--batch 64] [--repeat 3] [--kinds mtl,soft]

Each measurement is a process of its own, and they take turns. Ends with 1 if the plain trainer
(reference.py) and softscene do not have the same losses. These are compared in double precision:
in single precision Adam's first steps, which go by the signs of gradients, blow up the rounding of
either one, by the third step to a thousandth of the loss and more.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

KINDS = ("teacher", "crnn", "mtl", "soft")
STEPS = 20  # of the comparison of losses
TOLERANCE = 1e-3
LEARNING_RATE = 2e-4


def data(clips):
    """Features, lengths, targets, scenes and soft labels, the same in each process."""
    import torch  # noqa: PLC0415

    generator = torch.Generator().manual_seed(0)
    lengths = torch.full((clips,), 500)
    lengths[1::7] = 330
    return (
        torch.randn(clips, 500, 64, generator=generator),
        lengths,
        torch.rand(clips, 500, 25, generator=generator) < 0.1,
        torch.randint(0, 4, (clips,), generator=generator),
        torch.randn(clips, 4, generator=generator),
    )


class Reference:
    """The plain trainer."""

    def __init__(self, kind, threads, dropout, clips):
        import torch  # noqa: PLC0415

        from tests.benchmark import reference  # noqa: PLC0415

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.network = reference.network(kind, dropout)
        self.clips = clips
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)
        self._loss = lambda chosen: reference.loss(kind, self.network, [x[chosen] for x in clips])

    def step(self, chosen):
        self.optimiser.zero_grad()
        loss = self._loss(chosen)
        loss.backward()
        self.optimiser.step()
        return loss.item()


class Ours(Reference):
    """As ``softscene.training`` does it."""

    def __init__(self, kind, threads, dropout, clips):
        import torch  # noqa: PLC0415
        from softscene import training  # noqa: PLC0415
        from softscene.dataset import Clips  # noqa: PLC0415
        from softscene.networks import NetworkParameters, Student, Teacher  # noqa: PLC0415
        from softscene.runtime import prepare  # noqa: PLC0415

        prepare(threads, "cpu")
        torch.manual_seed(0)
        size = NetworkParameters(dropout=dropout)
        objective = {
            "crnn": training.SceneObjective(),
            "mtl": training.SceneObjective("hard", 1.0),
            "soft": training.SceneObjective("soft", 1.0, 1.0),
        }.get(kind)
        network = Student(size, scene_branch=kind != "crnn") if objective else Teacher(size)
        self.network = network.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        arrays = [x.numpy() for x in clips]
        batches = training.Batches(Clips(None, *arrays[:4]), torch.device("cpu"), clips[4])
        if objective:
            self._loss = lambda chosen: training.student_losses(
                network, batches, chosen, objective
            )["loss"]
        else:
            self._loss = lambda chosen: training.teacher_losses(network, batches, chosen)["loss"]


class Floor:
    """The convolutions alone, forward and backward."""

    def __init__(self, kind, threads, _dropout, clips):
        import torch  # noqa: PLC0415
        from softscene.networks import NetworkParameters, Student, Teacher  # noqa: PLC0415
        from softscene.runtime import prepare  # noqa: PLC0415

        prepare(threads, "cpu")
        size = NetworkParameters()
        network = Teacher(size) if kind == "teacher" else Student(size, scene_branch=kind != "crnn")
        shape, self.layers = (1, 500, 64), []
        for name, block in network.named_modules():
            if not hasattr(block, "convolution"):
                continue
            layer = block.convolution.to(memory_format=torch.channels_last)
            self.layers.append((layer, (len(clips[0]), *shape)))
            pooled = [n // p for n, p in zip(shape[1:], block.pool, strict=True)]
            shape = (layer.out_channels, *pooled)
            if name == "shared.2":
                assert shape == (128, 500, 1)  # where the scene branch goes on

    def step(self, _chosen):
        import torch  # noqa: PLC0415

        form = torch.channels_last
        for layer, shape in self.layers:
            x = torch.zeros(shape).contiguous(memory_format=form).requires_grad_(shape[1] > 1)
            y = layer(x)
            y.backward(y.detach())


TRAINERS = {"reference": Reference, "softscene": Ours, "floor": Floor}


def work(trainer, kind, threads, batch):
    """In a process of its own: a step to warm up, and two that count; prints seconds and bytes."""
    import torch  # noqa: PLC0415

    this = TRAINERS[trainer](kind, threads, 0.15, data(batch))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        this.step(torch.arange(batch))
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds[1:], "peak": peak}))


def measured(trainer, kind, options):
    """The same from outside."""
    arguments = [trainer, kind, str(options.threads), str(options.batch)]
    command = [sys.executable, __file__, "--worker", *arguments]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def compare(kind, threads):
    """Largest relative difference between the losses of the first steps, from the same weights."""
    import torch  # noqa: PLC0415

    torch.set_default_dtype(torch.float64)
    clips = [x.double() if x.is_floating_point() else x for x in data(6)]
    plain, ours = (TRAINERS[name](kind, threads, 0.0, clips) for name in ("reference", "softscene"))
    plain.network.load_state_dict(ours.network.state_dict())
    worst = 0.0
    for step in range(STEPS):
        chosen = torch.arange(2) + 2 * (step % 3)
        expected, found = plain.step(chosen), ours.step(chosen)
        worst = max(worst, abs(found - expected) / abs(expected))
    return worst


def report(kind, options):
    """Measure one kind, and print its row."""
    runs = {name: [] for name in TRAINERS}
    for _ in range(options.repeat):
        for name, found in runs.items():
            found.append(measured(name, kind, options))
    seconds = {
        name: statistics.median(second for run in found for second in run["seconds"])
        for name, found in runs.items()
    }
    peaks = {name: min(run["peak"] for run in found) / 1e9 for name, found in runs.items()}
    print(
        f"{kind:8}{seconds['reference']:11.2f}{seconds['softscene']:11.2f}{seconds['floor']:8.2f}"
        f"{seconds['reference'] / seconds['softscene']:8.2f}"
        f"{seconds['reference'] / seconds['floor']:8.2f}"
        f"{peaks['reference']:14.2f}{peaks['softscene']:11.2f}"
        f"{peaks['softscene'] / peaks['reference']:8.2f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3, help="processes of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        trainer, kind, threads, batch = options.worker
        return work(trainer, kind, int(threads), int(batch))
    kinds = options.kinds.split(",")
    print(f"a step of {options.batch} clips, {options.threads} threads; seconds, then GB at most")
    print(
        f"{'':8}{'reference':>11}{'softscene':>11}{'floor':>8}{'ratio':>8}{'floor':>8}"
        f"{'reference':>14}{'softscene':>11}{'ratio':>8}",
        flush=True,
    )
    if options.repeat:
        for kind in kinds:
            report(kind, options)
    differences = {kind: compare(kind, options.threads) for kind in kinds}
    print(f"largest relative difference of the losses of {STEPS} steps:", differences)
    return int(max(differences.values()) > TOLERANCE)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2] / folder) for folder in ("", "workflow_scripts")]
    sys.exit(main())
