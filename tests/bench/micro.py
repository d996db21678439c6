"""The parts alone: every program in bin/micro, which is of Google Benchmark, and OpenSSL's own measure of the cipher."""
import json
import os
import re

import harness
from harness.host import run

FOLDER = os.path.join(harness.BIN_DIR, "micro")
NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
NAME = "parts"  # in results, where the systems are


class Parts:
    """What is asked of a system, too."""
    name = NAME
    settings = "pure code without I/O, in CPU time, beside `openssl speed -evp chacha20-poly1305`"

    def program(self):
        return ""

    def missing(self):
        return "" if os.path.isdir(FOLDER) else f"{FOLDER} is not built"


def _of_program(name, seconds):
    """{benchmark: ns of CPU time}, of an iteration or, where the program says so, of each packet in it."""
    text = run(os.path.join(FOLDER, name), "--benchmark_format=json", f"--benchmark_min_time={seconds}", seconds=600)
    figures = {}
    for made in json.loads(text)["benchmarks"]:
        if made.get("error_occurred"):
            raise RuntimeError(f"{name}, {made['name']}: {made['error_message']}")
        figures[made["name"]] = made.get("ns", made["cpu_time"] * NANOSECONDS[made["time_unit"]])
    return figures


def _of_openssl(size):
    """ns of CPU time for each seal in one buffer after the other, by `openssl speed`."""
    text = run("openssl", "speed", "-mr", "-seconds", "1", "-bytes", str(size), "-evp", "chacha20-poly1305")
    return size / float(re.search(r"^\+F:.*:([\d.]+)$", text, re.MULTILINE).group(1)) * 1e9


def measure(seconds):
    """{name: ns}. seconds: about as long as each."""
    figures = {}
    for name in sorted(os.listdir(FOLDER)):
        figures.update(_of_program(name, seconds))
    return {**figures, **{f"openssl speed/{size}": _of_openssl(size) for size in (64, 1420)}}
