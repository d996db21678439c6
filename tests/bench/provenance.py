"""Where the figures come from: the machine, the kernel, the versions of all programs and how ours was built."""
import datetime
import json
import os
import platform
import re
import subprocess

import harness


def _first_line(*command):
    """The first line that a program prints that is not empty; "" where it does not run."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), "")


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _found(pattern, text, otherwise=""):
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1) if match else otherwise


def machine():
    """Read before the measuring begins."""
    memory = int(_found(r"^MemTotal:\s+(\d+)", _read("/proc/meminfo"), "0"))
    return {
        "processor": _found(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in _found(r"^flags\s*:(.+)$", _read("/proc/cpuinfo")).split(),
        "memory_gib": round(memory / 2**20, 1),
        "kernel": platform.release(),
        "system": _found(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release")),
        "socket_buffer_limit": _read("/proc/sys/net/core/rmem_max").strip(),
        "load_before": os.getloadavg()[0],
    }


def _build():
    """How the programs in the folder were built, of the build tree that it lies in."""
    cache = _read(os.path.join(harness.BIN_DIR, "..", "CMakeCache.txt"))
    kind = _found(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache)
    compiler = _found(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache)
    flags = " ".join(_found(rf"^CMAKE_CXX_FLAGS{suffix}:\w+=(.*)$", cache) for suffix in ("", "_" + kind.upper()))
    return {"type": kind, "flags": flags.strip(), "compiler": _first_line(compiler, "--version") if compiler else ""}


def programs(systems):
    """{who runs it: version} of what the systems and the measures run, and how ours was built."""
    users = {}
    for system in systems:
        path = system.program()
        if path and not path.endswith("bench_plain_loop"):
            users.setdefault(path, []).append(system.name)
    here = os.path.dirname(os.path.abspath(__file__))
    commit = _first_line("git", "-C", here, "describe", "--always", "--dirty", "--tags")
    built = {"commit": commit if re.fullmatch(r"[\w.-]+", commit) else "", **_build()}
    return {"iperf3": _first_line("iperf3", "--version"), "ping": _first_line("ping", "-V"),
            **{", ".join(names): _first_line(path, "--version") for path, names in users.items()},
            "built here": ", ".join(f"{key} {value}" for key, value in built.items() if value)}


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def sentence(results):
    """The machine and the settings, for a reader."""
    box, done = results["machine"], results["settings"]
    virtual = " (virtual)" if box["virtual"] else ""
    return (f"{results['when']}: {box['processor']}{virtual}, {box['cores']} cores, {box['memory_gib']} GiB, {box['system']}, "
            f"Linux {box['kernel']}; load before {box['load_before']:.1f}; {done['rounds']} rounds, {done['seconds']} s a "
            f"measure, {done['pings']} idle pings, inner MTU {done['mtu']}, TCP {done['congestion']}, both ends and "
            f"both iperf3 on the same cores.")


def write(path, results):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
