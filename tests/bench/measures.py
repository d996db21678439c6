"""What is measured over a tunnel that is up: each measure is a function of a Turn that returns figures by name.

FIGURES says of each figure what it is, its unit and which way is better. The same programs with the same arguments measure
every system.
"""
import contextlib
import dataclasses
import json
import math
import os
import re
import statistics
import subprocess
import time

from hosts import BEHIND, INNER

from harness.host import run
from harness.network import process
from harness.waiting import wait_for

DATAGRAM = 64           # bytes of UDP payload
CLEAN = 0.01            # of the datagrams may be lost
CLEAN_STEPS = 6         # of the bisection
LOST_PING = 1000.0 * 1000  # a request without an answer counts as so many us: it must not make the figures better


@dataclasses.dataclass(frozen=True)
class Figure:
    title: str
    unit: str
    more_is_better: bool
    digits: int


FIGURES = {
    "tcp": Figure("TCP U to S", "Gbit/s", True, 2),
    "tcp4": Figure("TCP, 4 streams", "Gbit/s", True, 2),
    "reverse": Figure("TCP S to U", "Gbit/s", True, 2),
    "forward": Figure("TCP U to V", "Gbit/s", True, 2),
    "cpu": Figure("tunnel CPU", "s/GB", False, 2),
    "udp": Figure("64 B UDP, overload", "kpps", True, 1),
    "udp_clean": Figure("64 B UDP, clean", "kpps", True, 1),
    "ping": Figure("ping, idle", "us", False, 0),
    "ping_load_p50": Figure("ping under load, p50", "us", False, 0),
    "ping_load_p99": Figure("ping under load, p99", "us", False, 0),
    "rss": Figure("peak memory", "MB", False, 1),
}


@dataclasses.dataclass
class Turn:
    """One system's turn in one round."""
    pids: list    # of the tunnel's processes at both ends; none when the kernel is the tunnel
    seconds: int  # of each measure
    pings: int
    seen: dict    # figures of the measures before


def _listens(host):
    return run("ss", "-Hltn", "sport = :5201", netns=host)


@contextlib.contextmanager
def _server(host):
    with process("iperf3", "-s", "-1", netns=host):
        wait_for(lambda: _listens(host), "iperf3 listens")
        yield


def _iperf(turn, *options, to=INNER["s"], server="s", seconds=None):
    """The `end` of iperf3's own report."""
    seconds = seconds or turn.seconds
    with _server(server):
        text = run("iperf3", "-c", to, "-t", str(seconds), "-J", *options, netns="u", seconds=seconds + 60)
    return json.loads(text)["end"]


def _gbit(end):
    return end["sum_received"]["bits_per_second"] / 1e9


def cpu_seconds(pids):
    """User and system time of all threads of the processes."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def tcp(turn):
    before = cpu_seconds(turn.pids)
    end = _iperf(turn)
    figures = {"tcp": _gbit(end)}
    if turn.pids:
        figures["cpu"] = (cpu_seconds(turn.pids) - before) / (end["sum_received"]["bytes"] / 1e9)
    return figures


def tcp4(turn):
    return {"tcp4": _gbit(_iperf(turn, "-P", "4"))}


def reverse(turn):
    return {"reverse": _gbit(_iperf(turn, "-R"))}


def forward(turn):
    return {"forward": _gbit(_iperf(turn, to=BEHIND, server="v"))}


def _datagrams(turn, kpps, seconds):
    """kpps received, share lost. kpps 0: as fast as it goes. A second try where the flood took iperf3's own connection."""
    options = ["-u", "-l", str(DATAGRAM), "-b", str(round(kpps * 1000 * DATAGRAM * 8))]
    try:
        end = _iperf(turn, *options, seconds=seconds)
    except (AssertionError, subprocess.TimeoutExpired):
        end = _iperf(turn, *options, seconds=seconds)
    # iperf3 sets what arrived against the time until its server heard of the end, which comes late after a flood.
    span = end["sum_sent"]["seconds"]
    sent = end["sum_sent"]["packets"]
    received = end["sum_received"]["bytes"] / DATAGRAM
    return received / span / 1000, 1 - received / sent


def udp(turn):
    return {"udp": _datagrams(turn, 0, turn.seconds)[0]}


def udp_clean(turn):
    """Bisects the rates up to half more than what arrives in a flood, a second each."""
    low, high = 0.0, 1.5 * (turn.seen.get("udp") or udp(turn)["udp"])
    best = 0.0
    for _ in range(CLEAN_STEPS):
        middle = (low + high) / 2
        received, lost = _datagrams(turn, middle, 1)
        if lost <= CLEAN:
            low, best = middle, max(best, received)
        else:
            high = middle
    return {"udp_clean": best}


def _round_trips(count, interval):
    """In us, sorted; a lost one counts as LOST_PING."""
    text = run("ping", "-n", "-c", str(count), "-i", str(interval), "-W", "1", INNER["s"], netns="u", check=False,
               seconds=count * interval + 60)
    times = [float(word) * 1000 for word in re.findall(r" time=([\d.]+) ms", text)][:count]
    return sorted(times + [LOST_PING] * (count - len(times)))


def percentile(ordered, share):
    """The smallest value that at least that share of the values does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def ping(turn):
    return {"ping": statistics.median(_round_trips(turn.pings, 0.01))}


def ping_load(turn):
    """Beside one TCP stream in the same direction, which is ended when the pings are done."""
    with _server("s"), process("iperf3", "-c", INNER["s"], "-t", str(10 * turn.seconds + 30), netns="u") as load:
        time.sleep(0.5)
        times = _round_trips(turn.seconds * 100, 0.01)
        assert load.poll() is None, "the load ended before the pings"
    return {"ping_load_p50": percentile(times, 0.5), "ping_load_p99": percentile(times, 0.99)}


def rss(turn):
    """The larger of both ends, of all that was done in this turn."""
    peaks = []
    for pid in turn.pids:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) * 1024 / 1e6)
    return {"rss": max(peaks)} if peaks else {}


# In the order of a turn: first what must find an idle tunnel, last what sums up.
MEASURES = {"ping": ping, "tcp": tcp, "tcp4": tcp4, "reverse": reverse, "forward": forward, "ping-load": ping_load,
            "udp": udp, "udp-clean": udp_clean, "rss": rss}
