"""Machines: Debian with its systemd booted in a container of this test, on an overlay nobody else sees.

A machine is a process tree in the test's own namespaces (tests/harness/isolated), its disk an overlay in memory, its
network a namespace known to `ip netns` under the machine's name, so that everything in harness.network works on it.
Whatever happens to the test, the kernel takes all of it away.
"""
import contextlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import time

import packages
import tree
from harness.host import run as host_run
from harness.waiting import wait_for

FOLDER = "/run/system-test"
# As udev makes it, which this machine may be without.
TUN = f"{FOLDER}/tun"
CGROUPS = "/sys/fs/cgroup"
# What nspawn ends with when the system in it wants to be booted again.
REBOOT_STATUS = 133
MANAGER_UNIT = "vpntund.service"
# What a shell of that machine would have, and nothing of the test's own environment.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TERM": "dumb",
               "NO_COLOR": "1", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}


def set_up_host():
    """Once per test process: a cgroup of our own, in a hierarchy every systemd can boot on."""
    with open("/proc/1/cmdline", "rb") as file:
        if b"isolated" not in file.read():
            raise RuntimeError("the system tests run inside tests/harness/isolated")
    with open("/proc/self/uid_map", encoding="ascii") as file:
        if file.read().split() != ["0", "0", "4294967295"]:
            raise RuntimeError("the system tests need root: they boot Debian with systemd in containers")
    host_run("mount", "-t", "cgroup2", "cgroup2", CGROUPS)
    for entry in os.scandir(CGROUPS):  # of tests that were killed
        if entry.name.startswith("vpntun-system-") and entry.stat().st_mtime < time.time() - 3600:
            _remove_cgroup(entry.path)
    os.makedirs(FOLDER)
    os.mknod(TUN, 0o666 | stat.S_IFCHR, os.stat("/dev/net/tun").st_rdev)
    os.chmod(TUN, 0o666)


def _remove_cgroup(path):
    for folder, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def unit_of(tunnel):
    return f"vpntund@{tunnel}.service"


class Machine:
    """One booted Debian. `name` is its host name and its network namespace."""

    def __init__(self, release, name, with_packages=True):
        self.release = release
        self.name = name
        self.with_packages = with_packages
        self.folder = os.path.join(FOLDER, name)
        self.root = os.path.join(self.folder, "root")
        self.console = os.path.join(self.folder, "console")
        self.cgroup = os.path.join(CGROUPS, f"vpntun-system-{os.urandom(6).hex()}")
        self.nspawn = None
        self.leader = None
        # Called after every boot: a rebooted machine has lost its wires.
        self.after_boot = []

    def __enter__(self):
        try:
            self._make_root()
            self._boot()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if self.nspawn is not None:
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(self.leader, signal.SIGKILL)  # its first process: the kernel ends the others
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.nspawn.wait(5)
            self.nspawn.kill()
            self.nspawn.wait()
            self.nspawn = None
        host_run("ip", "netns", "delete", self.name, check=False)
        host_run("umount", "--lazy", self.root, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        _remove_cgroup(self.cgroup)

    def _make_root(self):
        layers = [tree.boot_tree(self.release)]
        if self.with_packages:
            layers.insert(0, packages.installed_layer(self.release))
        for part in ("upper", "work", "root"):
            os.makedirs(os.path.join(self.folder, part))
        host_run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={':'.join(layers)},upperdir={self.folder}/upper,"
                 f"workdir={self.folder}/work", self.root)

    def _boot(self):
        os.makedirs(self.cgroup, exist_ok=True)
        command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network",
                   f"--bind={TUN}:/dev/net/tun", "--volatile=no", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
                   "--console=pipe", f"--machine={self.name}", "-D", self.root]
        into_cgroup = f'echo $$ >{self.cgroup}/cgroup.procs && exec "$@"'
        with open(self.console, "wb") as console:
            self.nspawn = subprocess.Popen(["sh", "-c", into_cgroup, "boot", *command], stdin=subprocess.DEVNULL,
                                           stdout=console, stderr=console, start_new_session=True)
        self.leader = wait_for(self._leader, f"{self.name} has a first process")
        wait_for(self._is_up, f"{self.name} has booted", 120)
        host_run("ip", "netns", "attach", self.name, str(self.leader))
        for action in self.after_boot:
            action()

    def _leader(self):
        """The child of nspawn that has become systemd."""
        assert self.nspawn.poll() is None, f"{self.name} did not boot:\n{self.console_text()}"
        with open(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        for pid in children:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read() == "systemd\n":
                    return pid
        return None

    def _is_up(self):
        return self.run("systemctl is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def reboot(self):
        """As `systemctl reboot`; the files stay, everything else is new. Wires are made again by after_boot."""
        host_run("ip", "netns", "delete", self.name)
        self.run("systemctl reboot", check=False)
        status = self.nspawn.wait(120)
        assert status == REBOOT_STATUS, f"{self.name} did not reboot: status {status}\n{self.console_text()}"
        _remove_cgroup(self.cgroup)
        self._boot()

    # Running things. A command is a line for sh, or a list of words.
    def command(self, command, user=None):
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return ["nsenter", "-t", str(self.leader), "-a", *who, "env", "-i",
                *(f"{key}={value}" for key, value in ENVIRONMENT.items()), *words]

    def run(self, command, user=None, check=True, timeout=120, text_input=None):
        """Runs it as root, or as a user of that machine; gives returncode, stdout and stderr."""
        done = subprocess.run(self.command(command, user), input=text_input or "", capture_output=True, text=True,
                              errors="replace", timeout=timeout, check=False)
        if check and done.returncode != 0:
            shown = command if isinstance(command, str) else shlex.join(command)
            raise AssertionError(f"{self.name}: {shown}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def out(self, command, **options):
        """What a command prints, without the last newline."""
        return self.run(command, **options).stdout.rstrip("\n")

    def popen(self, command, user=None, **options):
        return subprocess.Popen(self.command(command, user), stdin=subprocess.DEVNULL, text=True, **options)

    def add_user(self, name):
        self.run(["useradd", "--create-home", "--shell", "/bin/sh", name])
        return name

    def write_file(self, path, text, mode=0o644, owner=None):
        """In place at once, as an editor does; folders are made."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && chmod "$2" "$1.new" && { [ -z "$3" ] || chown "$3" ' \
                 '"$1.new"; } && mv "$1.new" "$1"'
        self.run(["sh", "-c", script, "write", path, f"{mode:o}", owner or ""], text_input=text)
        return path

    def read_file(self, path):
        return self.run(["cat", path]).stdout

    # Profiles, units, vpnctl.
    def profile(self, name, text):
        """/etc/vpntund/NAME.toml"""
        return self.write_file(f"/etc/vpntund/{name}.toml", text, 0o640, "root:vpntun")

    def drop_in(self, unit, text, name="test"):
        """A drop-in of a unit (the text may lack its [Service] line); systemd knows it at once."""
        if not text.lstrip().startswith("["):
            text = "[Service]\n" + text
        self.write_file(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
        self.systemctl("daemon-reload")

    def remove_drop_in(self, unit, name="test"):
        self.run(["rm", "-f", f"/etc/systemd/system/{unit}.d/{name}.conf"])
        self.systemctl("daemon-reload")

    def systemctl(self, *words, **options):
        return self.run(["systemctl", "--no-pager", *words], **options)

    def show(self, unit, *properties):
        """Properties of a unit: one as its value, several as a dictionary."""
        text = self.systemctl("show", unit, "-p", ",".join(properties)).stdout
        values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        return values.get(properties[0], "") if len(properties) == 1 else values

    def active_state(self, unit):
        return self.show(unit, "ActiveState")

    def main_pid(self, unit):
        """As seen inside the machine; 0 where nothing runs."""
        return int(self.show(unit, "MainPID"))

    def wait_active(self, unit, state="active"):
        wait_for(lambda: self.active_state(unit) == state, f"{unit} of {self.name} is {state}", interval=0.05)

    def host_pid(self, pid):
        """What the test calls the process that this machine calls `pid`."""
        inside = os.readlink(f"/proc/{self.leader}/ns/pid")
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{entry}/status", encoding="utf-8") as file:
                numbers = next(line for line in file if line.startswith("NSpid:")).split()
                if numbers[-1] == str(pid) and os.readlink(f"/proc/{entry}/ns/pid") == inside:
                    return int(entry)
        raise AssertionError(f"{self.name} has no process {pid}")

    def wait_new_main_pid(self, unit, before):
        """Until the unit is active with another process than before."""
        def restarted():
            values = self.show(unit, "MainPID", "ActiveState")
            return values["ActiveState"] == "active" and int(values["MainPID"]) not in (0, before) and int(values["MainPID"])
        return wait_for(restarted, f"{unit} of {self.name} runs as a new process", interval=0.05)

    def vpnctl(self, *words, **options):
        return self.run(["vpnctl", *words], **options)

    def status(self, tunnel):
        """What vpnctl says about a tunnel, running or not, as its JSON."""
        said = self.vpnctl("status", tunnel, "--json", check=False)
        document = json.loads(said.stdout) if said.stdout else {"tunnels": []}
        assert len(document["tunnels"]) == 1, f"{self.name}: vpnctl status {tunnel}: {said}"
        one = document["tunnels"][0]
        assert (said.returncode == 0) == (one["state"] == "running"), said
        return one

    def journal(self, unit=None, *options):
        self.run(["journalctl", "--sync"], check=False)  # what was said by now is in it
        return self.run(["journalctl", "--no-pager", "-o", "short-monotonic", *(["-u", unit] if unit else []), *options],
                        check=False).stdout

    def journal_entries(self, *matches):
        """Journal entries as dictionaries; matches are words of journalctl: "-u", unit, "FIELD=value"."""
        self.run(["journalctl", "--sync"], check=False)
        text = self.run(["journalctl", "--no-pager", "-o", "json", "--all", *matches], check=False).stdout
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def console_text(self):
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()

    def report(self):
        """What a failed test wants to know."""
        if self.nspawn is None or self.nspawn.poll() is not None:
            return self.console_text()
        units = self.systemctl("list-units", "--all", "vpntund*", "--no-legend", check=False).stdout
        return f"{units}{self.journal('vpntund*', '-n', '60')}"
