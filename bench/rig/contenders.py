"""The servers of the rig: what stands upstream, who contends, and how each is started, watched and stopped."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 10
CATCH_UP_SECONDS = 120

# Which upstream a suite talks to, and its port.
UPSTREAM_PORTS = {"answers": 18100, "tls": 18101, "streams": 18102, "cached": 18100}


class RigError(Exception):
    """Something that a person must put right; the message says what."""


@dataclass
class Server:
    """A program of the rig. `ports` are those that must accept connections before it counts as started."""

    name: str
    command: list
    ports: list
    cpus: set = field(default_factory=set)
    process: subprocess.Popen = None
    start_seconds: float = START_SECONDS
    real_time: bool = False

    def start(self, folder: Path):
        for port in self.ports:
            if accepts(port):
                raise RigError(f"Port {port}, which {self.name} would use, is taken. Is another bench running?")
        log = open(folder / f"{self.name}.out", "wb")
        self.process = subprocess.Popen(self.command, cwd=folder, stdout=log, stderr=log, start_new_session=True,
                                        preexec_fn=lambda: settle(self.cpus, self.real_time))
        deadline = time.monotonic() + self.start_seconds
        while not all(accepts(port) for port in self.ports):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                words = (folder / f"{self.name}.out").read_text(errors="replace").strip()
                raise RigError(f"{self.name} did not start: {' '.join(map(str, self.command))}\n{words[-2000:]}")
            time.sleep(0.02)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cpu_seconds(self):
        """(user, system) seconds of the program so far: all its threads and processes."""
        users, systems = zip(*(cpu_of(pid) for pid in family(self.process.pid)))
        return sum(users), sum(systems)

    def memory_mib(self):
        """Resident memory of the program's processes together; pages that they share count for each."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(self.process.pid))
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass
class Contender:
    """One way from the load to the upstreams. Without a server it is the way without a proxy."""

    name: str
    ports: dict  # upstream -> port
    server: Server = None
    header: str = None
    lag: object = None  # () -> how much is not booked in the ledger yet; None: there is nothing to book

    def catch_up(self):
        """Waits until everything served is booked, and returns how long that took."""
        if self.lag is None:
            return 0.0
        started = time.monotonic()
        while self.lag() > 0:
            if time.monotonic() - started > CATCH_UP_SECONDS:
                raise RigError(f"{self.name} has not caught up with its ledger after {CATCH_UP_SECONDS} s.")
            time.sleep(0.005)
        return time.monotonic() - started


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid):
    """The process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS_PER_SECOND, int(fields[12]) / TICKS_PER_SECOND


def metric(url, name):
    """The value of one metric without labels, from a page in Prometheus' text format."""
    with urllib.request.urlopen(url, timeout=10) as page:
        for line in page.read().decode().splitlines():
            if line.split(" ")[0] == name:
                return float(line.split(" ")[1])
    raise RigError(f"{url} does not show {name}.")


def settle(cpus, real_time):
    """The calling process runs on these processors, before whatever else would if it is to."""
    os.sched_setaffinity(0, cpus)
    if real_time:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def split_cpus():
    """One processor for the contender alone, the others for load and upstreams."""
    cpus = sorted(os.sched_getaffinity(0))
    return ({cpus[-1]}, set(cpus[:-1])) if len(cpus) > 1 else (set(cpus), set(cpus))


def paced(programs: Path, folder: Path, tokens_per_second):
    """The command of the streams' upstream."""
    return [programs / "bench_upstream", "18102", folder / "answer.json", str(tokens_per_second)]


def upstreams(programs: Path, folder: Path):
    """The streams' upstream is the last: each suite sets its pace."""
    _, cpus = split_cpus()
    return [
        Server("upstream-nginx", [find("nginx"), "-p", ".", "-c", folder / "nginx-upstream.conf"], [18100, 18101], cpus),
        Server("upstream-streams", paced(programs, folder, 50), [18102], cpus),
    ]


def contenders(programs: Path, folder: Path):
    """Everybody who can take part on this machine, the measure of all others (nginx) among them."""
    cpus, _ = split_cpus()
    nginx = Server("nginx", [find("nginx"), "-p", ".", "-c", folder / "nginx.conf"], [18110, 18111, 18112, 18113], cpus)
    haproxy = Server("haproxy", [find("haproxy"), "-db", "-f", folder / "haproxy.cfg"], [18120, 18121, 18122], cpus)
    nginx_ports = {"answers": 18110, "tls": 18111, "streams": 18112, "cached": 18113}
    found = [
        Contender("direct", {name: port for name, port in UPSTREAM_PORTS.items() if name != "tls"}),
        Contender("nginx", nginx_ports, nginx),
        # The same nginx once more: what differs between these two is noise.
        Contender("nginx again", nginx_ports, nginx),
        Contender("haproxy", {"answers": 18120, "tls": 18121, "streams": 18122}, haproxy),
    ]
    program = programs / "equipoise"
    if program.exists():
        gateway = Server("equipoise", [program, "serve", "--config", folder / "equipoise.yaml"], [18130, 18139], cpus)
        found.append(Contender("equipoise", {"answers": 18130, "tls": 18130, "streams": 18130, "cached": 18130}, gateway,
                               header="authorization: Bearer bench-key-of-no-value",
                               lag=lambda: metric("http://127.0.0.1:18139/metrics", "equipoise_ledger_lag_bytes")))
    return found


def find(program):
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/usr/local/sbin"]:
        if os.access(Path(folder) / program, os.X_OK):
            return Path(folder) / program
    raise RigError(f"{program} is missing. Run `tools/setup.sh bench`, which installs it.")
