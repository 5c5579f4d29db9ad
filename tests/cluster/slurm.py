"""A real Slurm of two nodes on this one machine, and how to take it down again.

``python tests/cluster/slurm.py up FOLDER`` starts it, ``status FOLDER`` shows it and
``down FOLDER`` ends it and its jobs. All that it writes is in FOLDER, and nothing of a Slurm or
munge that the machine has is touched. It is used with ``SLURM_CONF=FOLDER/slurm.conf`` in the
environment. Needs root, and ``slurm-wlm`` and ``munge`` of Debian or Ubuntu.
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
# job's memory every second, for machines without a cgroup of memory. linuxproc: as pgid would
# miss what a job starts in a process group of its own. MinJobAge: squeue must know a job as long
# as anyone may ask. cred_expire: a job whose node went down starts again after that many seconds.
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
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
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
AccountingStorageTRES=gres/gpu

JobRequeue=1
MinJobAge=3600
KillWait=5
InactiveLimit=0
SlurmdTimeout=10
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=1

{nodes}
PartitionName=main Nodes=ALL Default=YES
PartitionName=gpu Nodes={gpu_nodes}
"""


class SlurmError(Exception):
    """Slurm does not do what it was told."""


@dataclass(frozen=True)
class Job:
    """A job that the controller knows, finished ones for an hour too; of an array, each task."""

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
            gpus=int(tres.get("gres/gpu", 0)),
            restarts=int(field["Restarts"]),
        )


def megabytes(amount: str) -> int:
    """Read what Slurm writes as 300M or 19.53G."""
    return round(float(amount[:-1]) * {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}[amount[-1]])


def unusable() -> str | None:
    """Tell why this machine cannot have the cluster, if it cannot."""
    missing = [name for name in ("munged", "slurmctld", "slurmd") if not find_program(name)]
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
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def up(self, seconds: float = 60) -> None:
        """Start it, without jobs of an earlier start, and wait until the nodes are idle."""
        if reason := unusable():
            raise SlurmError(reason)
        if self._daemons():
            raise SlurmError(f"already up in {self.folder}")
        try:
            self._prepare()
            self._start_munge()
            self.start_controller(seconds)
            for node in NODES:
                self._start_slurmd(node.name)
            self._wait_for_nodes([node.name for node in NODES], seconds)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Kill daemons and jobs, those of a cluster that is half up too."""
        for node in NODES:
            self._kill(lambda name=node.name: self._of_node(name))
        self._kill(self._daemons)

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
        output = "" if "--output" in " ".join(options) else f"--output={self.folder}/job-%j.out"
        return self.run("sbatch", "--parsable", *filter(None, [output]), *options, "--wrap", script)

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
        self._kill(lambda: self._of_node(name) if hard else self._daemons(name, {"slurmd"}))

    def start_node(self, name: str, seconds: float = 60) -> None:
        """Start a node's daemon, and wait until the node takes jobs."""
        self._start_slurmd(name)
        self._wait_for_nodes([name], seconds)

    def stop_controller(self) -> None:
        """Kill the controller; jobs go on."""
        self._kill(lambda: self._daemons("slurmctld", {"slurmctld"}))

    def start_controller(self, seconds: float = 60) -> None:
        """Start the controller, with the jobs that it knew, and wait until it answers."""
        self._start("slurmctld")
        self.wait_until(self._answers, seconds, "the controller answers")

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

    def _prepare(self) -> None:
        for name in ["state", *(node.name for node in NODES)]:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(parents=True)
        (self.folder / "slurm.conf").write_text(self._configuration())
        (self.folder / "gres.conf").write_text(self._gpus())
        key = self.folder / "munge.key"
        key.unlink(missing_ok=True)
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))

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
        # A GPU without a File counts as none.
        lines = [f"NodeName={node.name} Name=gpu File=/dev/null\n" * node.gpus for node in NODES]
        return "".join(lines)

    def _start_munge(self) -> None:
        path = self.folder / "munge.socket"
        if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
            raise SlurmError(f"too long for the path of a socket: {path}")
        # --force: it should not mind that others can write in a folder above, such as /tmp.
        files = {
            "key-file": self.folder / "munge.key",
            "socket": path,
            "pid-file": self.folder / "munged.pid",
            "log-file": self.folder / "munged.log",
            "seed-file": self.folder / "munged.seed",
        }
        self._start("munged", "--force", *(f"--{name}={file}" for name, file in files.items()))

    def _start_slurmd(self, name: str) -> None:
        self._start("slurmd", "-N", name)

    def _start(self, program: str, *options: str) -> None:
        """Start a daemon, which goes to the background when it has read its configuration."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH"))}
        command = [find_program(program) or program, *options]
        done = subprocess.run(
            command,
            env=environment | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise SlurmError(f"{' '.join(command)}: {done.stdout}\n{self.ends_of_logs()}")

    def _answers(self) -> bool:
        try:
            return bool(self.run("scontrol", "ping"))
        except SlurmError:
            return False

    def _wait_for_nodes(self, names: list[str], seconds: float) -> None:
        def ready() -> bool:
            states = self.nodes()
            return all(states[name] in ("idle", "mixed", "allocated") for name in names)

        self.wait_until(ready, seconds, f"nodes {', '.join(names)} take jobs")

    def _daemons(self, log: str = "*", programs: set[str] = DAEMONS) -> set[int]:
        """Find daemons by the log in this folder that they have open."""
        return {
            pid
            for pid, process in processes()
            if program_of(process) in programs
            and any(file.parent == self.folder and file.match(f"{log}.log") for file in open_files(process))
        }

    def _of_node(self, name: str) -> set[int]:
        """Find the processes of a node: its daemons, and what runs in its jobs."""
        marks = {f"SLURM_CONF={self.folder}/slurm.conf", f"SLURMD_NODENAME={name}"}
        jobs = {pid for pid, process in processes() if marks <= environment_of(process)}
        return jobs | self._daemons(name)

    def _kill(self, find: Callable[[], set[int]]) -> None:
        """Kill processes until none is found: one may start another before its own end."""
        end = time.monotonic() + 30
        while found := find():
            if time.monotonic() > end:
                raise SlurmError(f"cannot kill processes {sorted(found)}")
            for pid in found - {os.getpid()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def processes() -> Iterator[tuple[int, Path]]:
    """Give each process's number and its folder in /proc."""
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            yield int(process.name), process


# Of a process that has ended meanwhile, as of a zombie, there is nothing to read.


def program_of(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "exe").readlink().name
    return ""


def open_files(process: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [file.readlink() for file in (process / "fd").iterdir()]
    return []


def environment_of(process: Path) -> set[str]:
    with contextlib.suppress(OSError):
        return set((process / "environ").read_bytes().decode(errors="replace").split("\0"))
    return set()


def show(cluster: Cluster) -> None:
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
            print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}")
        show(cluster)
    except SlurmError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
