#!/usr/bin/python3
"""How long traffic waits while a session is restarted, on a real systemd, on this machine, now.

restart.py [RELEASE...] [--rounds N]

Boots U and the VPN server of the lab, as tests/system does, and does to the client's and the server's session what
tests/system/restarts.py lists, while U pings V 50 times a second and sends over TCP. Prints for each the longest time
between two answered pings (20 ms is no gap at all) and what was lost, which should be nothing: median and worst of the
rounds. Needs root; makes what it boots where it is missing.
"""
import argparse
import os
import statistics
import subprocess
import sys

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [TESTS, os.path.join(TESTS, "system")]

import machine as machines  # noqa: E402
import restarts  # noqa: E402
import tree  # noqa: E402
from harness import by_hand  # noqa: E402
from lab import Lab  # noqa: E402
from traffic import Traffic  # noqa: E402


def measure(lab, release, rounds):
    for name, action in {**restarts.NEW_SESSION, **restarts.SAME_SESSION}.items():
        for end, (one, tunnel, unit) in zip(("client", "server"), lab.ends()):
            gaps, lost = [], 0
            for _ in range(rounds):
                with Traffic() as traffic:
                    action(one, tunnel, unit)
                gaps.append(traffic.pinger.longest_gap() * 1000)
                lost += len(traffic.pinger.lost())
                one.systemctl("reset-failed")  # so many restarts in a row are meant here
            print(f"{release:10}{name:22}{end:8}{statistics.median(gaps):10.0f}{max(gaps):10.0f}{lost:8}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if not by_hand.is_inside():
        releases = arguments.release or tree.RELEASES
        subprocess.run([os.path.join(TESTS, "system", "prepare.py"), *releases], check=True, stdout=subprocess.DEVNULL)
        by_hand.enter()
    machines.set_up_host()
    print(f"{'release':10}{'what':22}{'end':8}{'gap ms':>10}{'worst':>10}{'lost':>8}")
    for release in arguments.release or tree.RELEASES:
        with machines.Machine(release, "u") as u, machines.Machine(release, "server") as server, Lab(u, server) as lab:
            lab.start()
            measure(lab, release, arguments.rounds)


if __name__ == "__main__":
    main()
