"""vpntun-lab as the tests run it, and the machine before and after."""
import contextlib
import os
import subprocess
import time

from harness import program
from harness.host import difference, host_state
from harness.waiting import wait_for


class Lab:
    """One lab with a folder of its own; `prefix` runs the program as somebody else."""

    def __init__(self, folder, prefix=(), binary=None, **environment):
        self.folder = str(folder)
        self.prefix = list(prefix)
        self.binary = binary or program("vpntun-lab")
        self.environment = {**os.environ, "VPNTUN_LAB_FOLDER": self.folder, **environment}
        self.environment.pop("XDG_RUNTIME_DIR", None)

    def command(self, *arguments):
        return [*self.prefix, self.binary, *arguments]

    def run(self, *arguments, seconds=600, **options):
        return subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, text=True,
                              stdin=options.pop("stdin", subprocess.DEVNULL), timeout=seconds, check=False, **options)

    def ok(self, *arguments, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == 0, f"{arguments}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *arguments):
        return subprocess.Popen(self.command(*arguments), env=self.environment, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def pids(self):
        """Guardian and keeper of the lab that is up."""
        with open(os.path.join(self.folder, "state"), encoding="utf-8") as file:
            return [int(line) for line in file.read().splitlines()[:2]]


def run_until_first_ping(lab, *arguments):
    """A run in the middle of a task."""
    running = lab.start("run", *arguments)
    seen = ""
    while "$ ping" not in seen:
        line = running.stdout.readline()
        assert line, "the run ended early:\n" + seen
        seen += line
    time.sleep(0.1)
    return running


def processes():
    """Command lines of what runs, but for zombies, and for what ends while it is looked at."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                if file.read().rpartition(")")[2].split()[0] != "Z":
                    found.append(f"{entry} {line}")
    return sorted(found)


def world():
    return {**host_state(), "processes": processes()}


def assert_as_before(before, lab):
    wait_for(lambda: not difference(before, world()) and not os.path.exists(lab.folder), "everything is as before")
