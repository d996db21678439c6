#!/usr/bin/python3
"""What many WireGuard peers cost one session: memory, start, status, a change of one of them; on this machine, now.

many_peers.py [--bin-dir DIRECTORY] [PEERS...]

For each number of peers (1, 1000, 10000) a manager and a session on a private bus, in namespaces of their own. The peers
are learned, and each has one address inside. Builds with the preset `bench` unless it is told where programs are. Seconds
pass differently on a busy machine; the CPU time beside them is that of everybody who has a part in it: vpnctl, manager,
session and bus. Needs root and wireguard-tools. What it costs to find one of many peers is in the parts of tests/bench/run.
"""
import argparse
import json
import os
import resource
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(BENCH))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from harness import by_hand, program  # noqa: E402
from harness.daemon import World  # noqa: E402
from harness.host import run  # noqa: E402
from harness.many import hub, public_key  # noqa: E402
from harness.wireguard import Keys  # noqa: E402

IDLE = 10.0  # seconds
PATIENCE = 60.0


def memory(pid, field):
    """In MiB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) / 1024


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Hub:
    """The session with its peers, and the figures so far."""

    def __init__(self, world):
        self.world, self.keys, self.figures = world, Keys(), {}

    def write(self, peers):
        self.world.manager.write_profile("hub", hub(self.keys, peers))

    @property
    def session(self):
        return self.world.manager.session_pids()[0]

    def cpu(self):
        daemons = [self.world.manager.process.pid, self.world.bus.process.pid, *self.world.manager.session_pids()]
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(map(cpu_of, daemons)) + children.ru_utime + children.ru_stime

    def time(self, what, work):
        before, begun = self.cpu(), time.monotonic()
        result = work()
        self.figures[f"{what}, s"] = time.monotonic() - begun
        self.figures[f"  CPU of {what}, s"] = self.cpu() - before
        return result

    def look(self, when):
        self.figures[f"memory {when}, MiB"] = memory(self.session, "VmRSS")


def vpnctl(world, *words):
    return run(program("vpnctl"), *words, seconds=PATIENCE, check=False, env=world.manager.environment())


def measure(count):
    with World() as world:
        ours = Hub(world)
        call = world.client.call
        ours.write(count)
        world.profile("hub", hub(ours.keys, count))
        ours.time("start", lambda: world.client.start("hub", seconds=PATIENCE))
        time.sleep(1)
        ours.look("after the start")
        shown = ours.time("vpnctl status", lambda: vpnctl(world, "status", "hub"))
        assert f"p{count - 1}: public key " in shown, "all are shown"
        shown = ours.time("vpnctl status --json", lambda: vpnctl(world, "status", "hub", "--json"))
        assert len(json.loads(shown)["tunnels"][0]["peers"]) == count
        time.sleep(0.5)
        ours.look("after status")
        before = cpu_of(ours.session)
        time.sleep(IDLE)
        ours.figures["idle, ms of CPU a second"] = (cpu_of(ours.session) - before) * 1000 / IDLE
        ours.write(count + 1)
        ours.time("reload, one peer more", lambda: call(world.client.MANAGER, "Reload", "sa{sv}", "hub", {}, seconds=PATIENCE))
        added = ("wg", "set", "hub", "peer", public_key(-1), "allowed-ips", "10.127.0.1/32")
        ours.time("wg set, one peer more", lambda: run(*added, seconds=PATIENCE))
        ours.time("wg show", lambda: run("wg", "show", "hub", seconds=PATIENCE))
        ours.look("at the end")
        ours.figures["memory at its most, MiB"] = memory(ours.session, "VmHWM")
        begun = time.monotonic()
        world.client.stop("hub", seconds=PATIENCE)
        ours.figures["stop, s"] = time.monotonic() - begun
        return ours.figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", help="where vpntund and vpnctl are (built here)")
    parser.add_argument("peers", nargs="*", type=int, default=[1, 1000, 10000])
    chosen = parser.parse_args()
    if not by_hand.is_inside():
        by_hand.enter(VPNTUN_BIN_DIR=by_hand.programs(chosen.bin_dir))
    results = [measure(count) for count in chosen.peers]
    print(f"{'peers':34}" + "".join(f"{count:12}" for count in chosen.peers))
    for name in results[0]:
        print(f"{name:34}" + "".join(f"{figures[name]:12.3f}" for figures in results))


if __name__ == "__main__":
    main()
