"""A real Slurm of two nodes on this one machine, and how to take it down again.

``python tests/cluster/slurm.py up FOLDER`` starts it, ``status FOLDER`` shows it and
``down FOLDER`` ends it and its jobs. All that it writes is in FOLDER, and nothing of a Slurm or
munge that the machine has is touched. Who uses it has ``SLURM_CONF=FOLDER/slurm.conf`` in the
environment, and ``FOLDER/bin`` first in PATH. Needs root, and Debian's ``slurm-wlm`` and ``munge``
(12, Slurm 22.05).
"""

import argparse
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

DAEMONS = {"munged", "slurmctld", "slurmd", "slurmstepd"}
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"
SOCKET_PATH_LIMIT = 107  # bytes, of the kernel


@dataclass(frozen=True)
class Node:
    """What a node claims to have; the machine may have less."""

    name: str
    cpus: int = 2
    memory_mb: int = 20_000
    gpus: int = 0


NODES = (Node("n1", gpus=1), Node("n2"))

# config_overrides: believe the claims of the nodes. OverMemoryKill, with task=1: look at each
# step's memory every second, for machines without a cgroup of memory. linuxproc, as pgid would
# miss what a job starts in a process group of its own. MinJobAge: squeue must know a job as long
# as anyone may ask. A node that is killed is down after 18 s (MessageTimeout and SlurmdTimeout),
# and its jobs start again 6 s later (cred_expire; with 1 instead of 5 they never do).
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5

StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n/slurmd.log
MailProg=/bin/true

ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
GresTypes=gpu

JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none

JobRequeue=1
MinJobAge=3600
KillWait=5
InactiveLimit=0
SlurmdTimeout=10
MessageTimeout=5
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=1

{nodes}
PartitionName=main Nodes=ALL Default=YES
PartitionName=gpu Nodes={gpu_nodes}
"""


class SlurmError(Exception):
    """Slurm cannot do what it was told, or does not in time."""


@dataclass(frozen=True)
class Job:
    """A job that the controller knows; of an array, a task.

    Finished jobs are known for an hour. Tasks of an array that wait are one job: ``4_2-6``.
    """

    id: str
    state: str
    reason: str
    node: str
    name: str
    comment: str
    partition: str
    cpus: int
    memory_mb: int
    gpus: int
    restarts: int

    @classmethod
    def read(cls, line: str) -> Self:
        """Read a line of ``scontrol --oneliner show job``."""
        field = dict(re.findall(r"(\S+?)=(.*?)(?= +\S+?=|\s*$)", line))
        tres = dict(re.findall(r"([^,=]+)=([^,]+)", field["TRES"]))
        task = field.get("ArrayTaskId")
        return cls(
            id=f"{field['ArrayJobId']}_{task}" if task else field["JobId"],
            state=field["JobState"],
            reason=field["Reason"],
            node="" if field["NodeList"] == "(null)" else field["NodeList"],
            name=field["JobName"],
            comment=field.get("Comment", ""),
            partition=field["Partition"],
            cpus=int(tres["cpu"]),
            memory_mb=megabytes(tres["mem"]),
            gpus=sum(map(int, re.findall(r"TresPer\S+=gres:gpu:(\d+)", line))),
            restarts=int(field["Restarts"]),
        )


def megabytes(amount: str) -> int:
    """Read what Slurm writes as 300M or 19.53G."""
    return round(float(amount[:-1]) * {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}[amount[-1]])


def unusable() -> str | None:
    """Tell why this machine cannot have the cluster, if it cannot."""
    needed = ("munged", "slurmctld", "slurmd", "sbatch")
    missing = [name for name in needed if not find_program(name)]
    if missing:
        return f"{', '.join(missing)} not installed: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    return None


def find_program(name: str) -> str | None:
    return shutil.which(name, path=PATH)


def free_ports(number: int) -> list[int]:
    """Find ports that are free now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]


@dataclass(frozen=True)
class Process:
    """A process of this machine; one that has ended has nothing that can be read."""

    pid: int

    @classmethod
    def all(cls) -> Iterator[Self]:
        names = (folder.name for folder in Path("/proc").iterdir())
        return (cls(int(name)) for name in names if name.isdecimal())

    @property
    def _folder(self) -> Path:
        return Path(f"/proc/{self.pid}")

    @property
    def program(self) -> str:
        with contextlib.suppress(OSError):
            # Debian's is called slurmctld-wlm.
            return (self._folder / "exe").readlink().name.split("-")[0]
        return ""

    @property
    def files(self) -> set[Path]:
        with contextlib.suppress(OSError):
            return {file.readlink() for file in (self._folder / "fd").iterdir()}
        return set()

    @property
    def environment(self) -> set[str]:
        with contextlib.suppress(OSError):
            return set(os.fsdecode((self._folder / "environ").read_bytes()).split("\0"))
        return set()


class Cluster:
    """The cluster in a folder; as a context manager, it is up inside and down after it.

    An object needs not be the one that started the cluster: the folder tells all.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of a user of the cluster holds."""
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder}/bin:{os.environ.get('PATH', os.defpath)}",
        }

    @property
    def _mark(self) -> str:
        """What the environment of all processes of the cluster holds."""
        return f"SLURM_CONF={self.folder}/slurm.conf"

    @property
    def is_up(self) -> bool:
        """Whether any of its daemons runs."""
        return bool(self._daemons())

    def up(self, seconds: float = 60) -> None:
        """Start it, without jobs of an earlier start, and wait until the nodes are idle."""
        if reason := unusable() or self._unusable_folder():
            raise SlurmError(reason)
        try:
            self._prepare()
            self._start_munge()
            self.start_controller(seconds)
            for node in NODES:
                self.start_node(node.name, seconds)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Kill daemons and jobs, those of a cluster that is half up too."""
        self._kill(lambda: self._daemons().union(*(self._of_node(node.name) for node in NODES)))

    def run(self, *command: str | Path, seconds: float = 60) -> str:
        """Run a command of Slurm and give what it printed."""
        done = subprocess.run(
            command,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            given = " ".join(map(str, command))
            raise SlurmError(f"{given} failed ({done.returncode}): {done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, script: str, *options: str) -> str:
        """Submit shell commands, their output to the folder, and give the job's id."""
        output = f"--output={self.folder}/job-%j.out"
        return self.run("sbatch", "--parsable", output, *options, "--wrap", script).strip()

    def jobs(self, *states: str) -> list[Job]:
        """Give the jobs that are in one of the states (RUNNING, ...), or all jobs."""
        lines = self.run("scontrol", "--oneliner", "show", "job").splitlines()
        jobs = [Job.read(line) for line in lines if line.startswith("JobId=")]
        return [job for job in jobs if not states or job.state in states]

    def nodes(self) -> dict[str, str]:
        """Give each node's state as sinfo says it: idle, mixed, down*, ..."""
        shown = self.run("sinfo", "--Node", "--noheader", "--partition=main", "--format=%N %T")
        return dict(line.split() for line in shown.splitlines())

    def stop_node(self, name: str, hard: bool = True) -> None:
        """Kill a node's daemon; if hard, its jobs with it, as when the machine goes down."""

        def doomed() -> set[Process]:
            return {each for each in self._of_node(name) if hard or each.program == "slurmd"}

        self._kill(doomed)

    def start_node(self, name: str, seconds: float = 60) -> None:
        """Start a node's daemon, and wait until the node takes jobs."""
        # The daemon does not need its name in its environment, but _of_node does.
        daemon = self._start(name, "slurmd", "-D", "-N", name, SLURMD_NODENAME=name)
        ready = {"idle", "mixed", "allocated"}
        self._wait_for(daemon, lambda: self.nodes()[name] in ready, seconds, f"{name} takes jobs")

    def stop_controller(self) -> None:
        """Shut the controller down; jobs go on."""
        self.run("scontrol", "shutdown", "slurmctld")
        self.wait_until(lambda: not self._daemons("slurmctld"), 30, "the controller ends")

    def start_controller(self, seconds: float = 60) -> None:
        """Start the controller, with the jobs that it knew, and wait until it answers."""
        daemon = self._start("slurmctld", "slurmctld", "-D")
        self._wait_for(daemon, self._controller_answers, seconds, "the controller answers")

    def wait_until(self, holds: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until a condition holds; if it does not in time, show the ends of the logs."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise SlurmError(f"not within {seconds} s: {what}\n{self.ends_of_logs()}")
            time.sleep(0.2)

    def ends_of_logs(self, lines: int = 15) -> str:
        """Give the last lines of each daemon's log."""
        ends = []
        for log in sorted(self.folder.glob("*.log")):
            ends += [f"== {log}", *log.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(ends)

    def _unusable_folder(self) -> str | None:
        if self.is_up:
            return f"already up in {self.folder}"
        if not re.fullmatch(r"[\w./+-]+", str(self.folder), re.ASCII):
            return f"slurm.conf cannot name a folder with such characters: {self.folder}"
        if len(os.fsencode(self._socket)) > SOCKET_PATH_LIMIT:
            return f"too long for the path of a socket: {self._socket}"
        return None

    @property
    def _socket(self) -> Path:
        return self.folder / "munge.socket"

    def _prepare(self) -> None:
        for name in ["state", *(node.name for node in NODES)]:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(parents=True)
        for left in {*self.folder.glob("*.log"), *self.folder.glob("munge*")}:
            left.unlink()
        (self.folder / "slurm.conf").write_text(self._configuration())
        (self.folder / "gres.conf").write_text(self._gpus())
        self._write_srun()
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))

    def _write_srun(self) -> None:
        """Write an srun that finds the cluster: Snakemake starts it without any SLURM_CONF."""
        srun = self.folder / "bin" / "srun"
        srun.parent.mkdir(exist_ok=True)
        # Not find_program("srun"), which could be one that was written here.
        installed = Path(find_program("sbatch") or "sbatch").with_name("srun")
        command = f'SLURM_CONF="{self.folder}/slurm.conf" exec {installed} "$@"'
        srun.write_text(f"#!/bin/sh\n{command}\n")
        srun.chmod(0o755)

    def _configuration(self) -> str:
        host = socket.gethostname().split(".")[0]
        controller_port, *ports = free_ports(1 + len(NODES))
        nodes = [
            f"NodeName={node.name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            f" CPUs={node.cpus} RealMemory={node.memory_mb}"
            + (f" Gres=gpu:{node.gpus}" if node.gpus else "")
            for node, port in zip(NODES, ports, strict=True)
        ]
        return CONFIGURATION.format(
            folder=self.folder,
            host=host,
            controller_port=controller_port,
            nodes="\n".join(nodes),
            gpu_nodes=",".join(node.name for node in NODES if node.gpus),
        )

    def _gpus(self) -> str:
        # Without a File it would count as none.
        lines = [f"NodeName={node.name} Name=gpu File=/dev/null\n" * node.gpus for node in NODES]
        return "".join(lines)

    def _start_munge(self) -> None:
        # --force: it should not mind that others can write in a folder above, such as /tmp.
        files = {
            "key-file": self.folder / "munge.key",
            "socket": self._socket,
            "pid-file": self.folder / "munged.pid",
            "seed-file": self.folder / "munged.seed",
        }
        options = [f"--{name}={file}" for name, file in files.items()]
        daemon = self._start("munged", "munged", "--foreground", "--force", *options)
        self._wait_for(daemon, self._socket.exists, 10, f"munged makes {self._socket}")

    def _start(self, name: str, *command: str, **environment: str) -> subprocess.Popen:
        """Start a daemon in the foreground: so it is there at once, for all that look for it."""
        program, *options = command
        environment |= {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen(
                [find_program(program) or program, *options],
                env=environment | self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _controller_answers(self) -> bool:
        try:
            return bool(self.run("scontrol", "ping"))
        except SlurmError:
            return False

    def _wait_for(
        self, daemon: subprocess.Popen, holds: Callable[[], bool], seconds: float, what: str
    ) -> None:
        """Wait for what a daemon does when it has started, and no longer than it lives."""

        def ready() -> bool:
            if daemon.poll() is not None:
                raise SlurmError(f"{daemon.args[0]} has ended\n{self.ends_of_logs()}")
            return holds()

        self.wait_until(ready, seconds, what)

    def _daemons(self, *programs: str) -> set[Process]:
        """Find the daemons, or those of some programs."""
        return {
            process
            for process in Process.all()
            if process.program in (programs or DAEMONS) and self._mark in process.environment
        }

    def _of_node(self, name: str) -> set[Process]:
        """Find what runs on a node: its daemon, and its jobs with the daemons that watch them."""
        watchers = {
            process
            for process in self._daemons("slurmstepd")
            if self.folder / name / "slurmd.log" in process.files
        }
        marks = {self._mark, f"SLURMD_NODENAME={name}"}
        return watchers | {process for process in Process.all() if marks <= process.environment}

    def _kill(self, find: Callable[[], set[Process]]) -> None:
        """Kill processes until none is found: one may start another before its own end.

        None lives on to tell the controller that the others ended: all stand still by then.
        """
        end = time.monotonic() + 30
        while found := find():
            if time.monotonic() > end:
                raise SlurmError(f"cannot kill {found}")
            for sent in (signal.SIGSTOP, signal.SIGKILL):
                for process in found:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, sent)
            time.sleep(0.05)


def show(cluster: Cluster) -> None:
    if not cluster.is_up:
        raise SlurmError(f"nothing is up in {cluster.folder}")
    print(cluster.run("sinfo", "--Node", "--long"), end="")
    print(cluster.run("squeue", "--states=all"), end="")


def main() -> None:
    parser = argparse.ArgumentParser(description="a Slurm of two nodes on this machine")
    parser.add_argument("action", choices=["up", "down", "status"])
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    cluster = Cluster(chosen.folder)
    try:
        if chosen.action == "down":
            cluster.down()
            return
        if chosen.action == "up":
            cluster.up()
            print(
                f'export SLURM_CONF="{cluster.folder}/slurm.conf" PATH="{cluster.folder}/bin:$PATH"'
            )
        show(cluster)
    except SlurmError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
