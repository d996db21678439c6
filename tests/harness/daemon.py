"""The built vpntund: a manager with its profiles, on a bus, and the sessions it starts."""
import contextlib
import os
import signal
import subprocess
import tempfile

from . import program
from .bus import Client, PrivateBus
from .waiting import wait_for


class Manager:
    """A manager process with a folder of profiles. What it started is gone when the context ends."""

    def __init__(self, bus_address, folder, arguments=(), command_prefix=()):
        self.bus_address = bus_address
        self.folder = folder
        self.profiles = os.path.join(folder, "profiles")
        self.log_path = os.path.join(folder, "vpntund.log")
        self.arguments = list(arguments)
        self.command_prefix = list(command_prefix)
        self.process = None

    def __enter__(self):
        os.makedirs(self.profiles, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_):
        self.end()
        self.end_sessions()

    def environment(self):
        return dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus_address)

    def start(self):
        command = [*self.command_prefix, program("vpntund"), "--launcher", "process", "--profile-folder", self.profiles,
                   "--runtime-folder", os.path.join(self.folder, "run"), *self.arguments]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        with Client(self.bus_address) as client:
            wait_for(lambda: self.process.poll() is not None or "org.vpntun1" in client.owned_names(),
                     "the manager is on the bus")
        assert self.process.poll() is None, "the manager ended at once:\n" + self.log()

    def end(self, with_signal=signal.SIGTERM):
        """Ends the manager; its sessions stay. Returns its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        status = self.process.wait(60)
        self.process = None
        with Client(self.bus_address) as client:
            wait_for(lambda: "org.vpntun1" not in client.owned_names(), "the manager left the bus")
        return status

    def kill(self):
        return self.end(signal.SIGKILL)

    def session_pids(self):
        """Of the sessions that use our profiles, whoever started them."""
        pids = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    zombie = file.read().rpartition(")")[2].split()[0] == "Z"
                if "--session" in words and self.profiles in words and not zombie:
                    pids.append(int(entry))
        return pids

    def end_sessions(self):
        for with_signal, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 30)):
            for pid in self.session_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, with_signal)
            with contextlib.suppress(AssertionError):
                wait_for(lambda: not self.session_pids(), "the sessions end", seconds)
                return

    def write_profile(self, name, text):
        """Puts NAME.toml in place at once, as an editor does; keys in it are nobody else's to read."""
        path = os.path.join(self.profiles, name + ".toml")
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def remove_profile(self, name):
        os.unlink(os.path.join(self.profiles, name + ".toml"))

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()


class World:
    """A bus, a manager and a client, in a folder of their own."""

    def __init__(self, **manager_options):
        self.manager_options = manager_options
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vpntun-"))
            os.chmod(self.folder, 0o755)
            self.bus = stack.enter_context(PrivateBus(self.folder))
            self.manager = stack.enter_context(Manager(self.bus.address, self.folder, **self.manager_options))
            self.client = stack.enter_context(self.new_client())
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *failure):
        if failure[0] is not None:
            print("--- vpntund says ---\n" + self.manager.log())
        self.stack.close()

    def new_client(self, **options):
        return Client(self.bus.address, **options)

    def profile(self, name, text):
        """Writes a profile and waits until the manager has it."""
        self.manager.write_profile(name, text)
        wait_for(lambda: name in self.client.list(), f"profile {name} is listed")

    def wait_state(self, name, state):
        wait_for(lambda: self.client.state(name) == state, f"{name} is {state}")
