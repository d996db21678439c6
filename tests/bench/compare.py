#!/usr/bin/python3
"""vpntun's data plane against the plain read/sendto loop, on this machine, now.

compare.py DIRECTORY_OF_THE_TWO_PROGRAMS [ROUNDS] [SECONDS]

Two network namespaces joined by a veth pair, a tunnel between them carried by one of the programs at both ends, and in
each round both programs one after the other, so that a busy machine is equally busy for both. Needs root, iperf3 and
ping. Prints medians and ratios. CPU time per byte holds on a busy machine too, throughput and round trips only on a
quiet one: the exit status is 1 when vpntun needs more than 1.1 times the CPU of the loop.
"""
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

ENDS = [("A", "10.231.0.1", "10.232.0.1"), ("B", "10.231.0.2", "10.232.0.2")]
PORT = 9090


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True).stdout


def netns(index):
    return f"vpntun-bench-{os.getpid()}-{index}"


def inside(index, *words):
    return ("ip", "netns", "exec", netns(index)) + words


@contextlib.contextmanager
def network():
    try:
        for index in (0, 1):
            run("ip", "netns", "add", netns(index))
        run("ip", "-n", netns(0), "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", netns(1))
        for index, (_, outer, _) in enumerate(ENDS):
            run("ip", "-n", netns(index), "address", "add", outer + "/24", "dev", "wire")
            run("ip", "-n", netns(index), "link", "set", "wire", "up")
        yield
    finally:
        for index in (0, 1):
            run("ip", "netns", "del", netns(index), check=False)


@contextlib.contextmanager
def tunnel(program):
    processes = []
    try:
        for index in (0, 1):
            other = f"{ENDS[1 - index][1]}:{PORT}"
            processes.append(subprocess.Popen(inside(index, program, "bench0", str(PORT), other)))
        for index in (0, 1):
            for _ in range(200):
                if "bench0" in run("ip", "-n", netns(index), "-br", "link"):
                    break
                time.sleep(0.02)
            run("ip", "-n", netns(index), "address", "add", ENDS[index][2] + "/24", "dev", "bench0")
            run("ip", "-n", netns(index), "link", "set", "bench0", "mtu", "1420", "up")
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=10)


def cpu_seconds(processes):
    ticks = 0
    for process in processes:
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(program, seconds):
    with tunnel(program) as processes:
        run(*inside(0, "ping", "-c", "3", "-i", "0.2", ENDS[1][2]))
        server = subprocess.Popen(inside(1, "iperf3", "-s", "-1"), stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        before = cpu_seconds(processes)
        result = json.loads(run(*inside(0, "iperf3", "-c", ENDS[1][2], "-t", str(seconds), "-J")))
        used = cpu_seconds(processes) - before
        server.wait(timeout=10)
        received = result["end"]["sum_received"]
        ping = run(*inside(0, "ping", "-q", "-c", "500", "-i", "0.002", ENDS[1][2]))
        # The smallest and the mean: the mean says how a waking machine feels, the smallest what the path costs.
        smallest, mean = re.search(r"= ([\d.]+)/([\d.]+)/", ping).groups()
        return {
            "tcp_mbit": received["bits_per_second"] / 1e6,
            "retransmits": result["end"]["sum_sent"]["retransmits"],
            "cpu_s_per_gb": used / (received["bytes"] / 1e9),
            "rtt_us": float(mean) * 1000,
            "rtt_min_us": float(smallest) * 1000,
        }


def main():
    folder = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    programs = {"vpntun": "bench_worker", "plain loop": "bench_plain_loop"}
    results = {name: [] for name in programs}
    with network():
        for number in range(rounds):
            order = list(programs) if number % 2 == 0 else list(reversed(programs))
            for name in order:
                results[name].append(measure(os.path.join(os.path.abspath(folder), programs[name]), seconds))
                print(f"round {number + 1} {name:10}", {k: round(v, 2) for k, v in results[name][-1].items()}, flush=True)
    median = {
        name: {key: statistics.median(r[key] for r in rows) for key in rows[0]} for name, rows in results.items()
    }
    print(f"{'median':12}{'vpntun':>12}{'plain loop':>12}{'ratio':>8}")
    for key in median["vpntun"]:
        ours, loop = median["vpntun"][key], median["plain loop"][key]
        print(f"{key:12}{ours:12.2f}{loop:12.2f}{ours / max(loop, 1e-9):8.2f}")
    return 0 if median["vpntun"]["cpu_s_per_gb"] <= 1.1 * median["plain loop"]["cpu_s_per_gb"] else 1


if __name__ == "__main__":
    sys.exit(main())
