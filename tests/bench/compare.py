#!/usr/bin/python3
"""vpntun's data plane, plain and encrypted, against the plain read/sendto loop and wireguard-go, on this machine, now.

compare.py DIRECTORY_OF_THE_TWO_PROGRAMS [ROUNDS] [SECONDS]

Two network namespaces joined by a veth pair, a tunnel between them carried by one of the programs at both ends, and in
each round the programs one after the other, so that a busy machine is equally busy for all. Needs root, iperf3, ping,
wireguard-go and wg. Prints medians and ratios. CPU time per byte holds on a busy machine too, throughput and round trips only on a
quiet one: the exit status is 1 when vpntun needs more than 1.1 times the CPU of the loop. The MTU is 1420 for all.
"""
import base64
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

FOLDER = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
ENDS = [("A", "10.231.0.1", "10.232.0.1"), ("B", "10.231.0.2", "10.232.0.2")]
PORT = 9090


def run(*words, check=True, given=None):
    return subprocess.run(words, check=check, capture_output=True, text=True, input=given).stdout


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


def key(index, private=True):
    """Of an end, as bench_worker has it: its number 32 times."""
    text = base64.b64encode(bytes([index + 1]) * 32).decode()
    return text if private else run("wg", "pubkey", given=text).strip()


def start(program, index):
    other = f"{ENDS[1 - index][1]}:{PORT}"
    name = f"bench{index}"
    if program == "wireguard-go":
        return subprocess.Popen(inside(index, "wireguard-go", "-f", name), stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
    ends = [str(index + 1), str(2 - index)] if program == "bench_worker encrypted" else []
    return subprocess.Popen(inside(index, os.path.join(FOLDER, program.split()[0]), name, str(PORT), other, *ends))


def wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.02)
    raise RuntimeError("nothing came up")


@contextlib.contextmanager
def tunnel(program):
    processes = []
    try:
        for index in (0, 1):
            processes.append(start(program, index))
        for index in (0, 1):
            name = f"bench{index}"
            wait_for(lambda: name in run("ip", "-n", netns(index), "-br", "link"))
            if program == "wireguard-go":
                wait_for(lambda: os.path.exists(f"/var/run/wireguard/{name}.sock"))
                run("wg", "set", name, "listen-port", str(PORT), "private-key", "/dev/stdin", "peer",
                    key(1 - index, private=False), "endpoint", f"{ENDS[1 - index][1]}:{PORT}", "allowed-ips", "0.0.0.0/0",
                    given=key(index))
            run("ip", "-n", netns(index), "address", "add", ENDS[index][2] + "/24", "dev", name)
            run("ip", "-n", netns(index), "link", "set", name, "mtu", "1420", "up")
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
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    programs = {"vpntun": "bench_worker", "plain loop": "bench_plain_loop", "encrypted": "bench_worker encrypted",
                "wireguard-go": "wireguard-go"}
    results = {name: [] for name in programs}
    with network():
        for number in range(rounds):
            order = list(programs) if number % 2 == 0 else list(reversed(programs))
            for name in order:
                results[name].append(measure(programs[name], seconds))
                print(f"round {number + 1} {name:12}", {k: round(v, 2) for k, v in results[name][-1].items()}, flush=True)
    median = {
        name: {key: statistics.median(r[key] for r in rows) for key in rows[0]} for name, rows in results.items()
    }
    for ours, theirs in (("vpntun", "plain loop"), ("encrypted", "wireguard-go")):
        print(f"{'median':12}{ours:>14}{theirs:>14}{'ratio':>8}")
        for figure in median[ours]:
            own, other = median[ours][figure], median[theirs][figure]
            print(f"{figure:12}{own:14.2f}{other:14.2f}{own / max(other, 1e-9):8.2f}")
    return 0 if median["vpntun"]["cpu_s_per_gb"] <= 1.1 * median["plain loop"]["cpu_s_per_gb"] else 1


if __name__ == "__main__":
    sys.exit(main())
