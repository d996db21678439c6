"""Tunnels of every kind and transport side by side under mixed load, while somebody captures, reloads and pulls cables.

    U 10.9.0.1 -- wire -- 10.9.0.2 S
    U 10.9.N.1 == soakN == 10.9.N.2 S       N = 1, 2, ...: one tunnel for each of TUNNELS

Nothing may be lost but what a cable that is out loses: files arrive whole, sessions live on, their memory and descriptors
stay what they are, and no packet is dropped for a reason that only a defect gives.
"""
import collections
import contextlib
import dataclasses
import errno
import os
import random
import subprocess
import threading
import time

from harness import program
from harness.host import run
from harness.network import Network, Pings, answered, ping, pings, process, resident_bytes
from harness.profile import peer, profile
from harness.transfer import transferred
from harness.waiting import wait_for
from harness.wireguard import Keys

TUNNELS = [("tun", "none"), ("tun", "wireguard"), ("tap", "none"), ("tap", "wireguard")]
ENDS = {"u": 1, "s": 2}
OTHER = {"u": "s", "s": "u"}
MTUS = (1420, 1280)
LARGEST_FILE = 8 << 20   # bytes
GROWTH = 2 << 20         # bytes of memory that a session may gain, once every kind of work was done
PULLED = 0.7             # seconds that a cable is out: TCP sends again
CAPTURED = 1.5           # seconds
NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH)  # what connect(2) says while a cable is out
DEFECTS = {"malformed", "source-not-allowed", "unknown-sender", "endpoint-mismatch", "inside-refused", "not-authentic"}


@dataclasses.dataclass
class Tunnel:
    number: int
    kind: str
    encryption: str
    mtu: int = MTUS[0]

    def __post_init__(self):
        self.keys = {end: Keys() for end in ENDS} if self.encryption == "wireguard" else {}
        self.interface = f"soak{self.number}"
        self.names = {end: f"{end}{self.number}" for end in ENDS}
        self.addresses = {end: f"10.9.{self.number}.{host}" for end, host in ENDS.items()}

    def profile(self, end):
        """The session of U knows where S is, S learns where U is."""
        other, port = OTHER[end], 9090 + self.number
        own = {"private_key": self.keys[end].private} if self.keys else {}
        known = {"public_key": self.keys[other].public} if self.keys else {}
        if end == "u":
            known["endpoint"] = f"10.9.0.2:{port}"
        allowed = [f"{self.addresses[other]}/32"] if self.kind == "tun" else []
        return profile(kind=self.kind, encryption=self.encryption, name=self.interface, address=[f"{self.addresses[end]}/24"],
                       mtu=self.mtu, listen_port=port, netns=end, peers=[peer(other, *allowed, **known)], **own)


@contextlib.contextmanager
def hosts():
    with Network() as network:
        network.host("u", "s")
        network.wire(("u", "wire", "10.9.0.1/24"), ("s", "wire", "10.9.0.2/24"))
        yield


class Soak:
    """In a World, on hosts(). counts: what was done, by name; faults: what should not have happened."""

    patience = 90  # seconds for a file

    def __init__(self, world, seed):
        self.world, self.random = world, random.Random(seed)
        self.tunnels = [Tunnel(number, *each) for number, each in enumerate(TUNNELS, 1)]
        self.counts, self.faults, self.over = collections.Counter(), [], threading.Event()
        self.disturbances = (self.capture, self.reload, self.pull_wire, self.pull_interface)

    def __enter__(self):
        for tunnel in self.tunnels:
            for end in ("s", "u"):
                self.world.profile(tunnel.names[end], tunnel.profile(end))
                self.world.client.start(tunnel.names[end])
        self.pids = self.world.manager.session_pids()
        self._all_pass()
        self.workers = [threading.Thread(target=self._repeat, args=(work, tunnel, random.Random(self.random.random())))
                        for tunnel in self.tunnels for work in (self._file, self._stream)]
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for worker in self.workers:
            worker.join()

    def run(self, seconds):
        until = time.monotonic() + seconds
        for disturb in self.disturbances:  # what each needs is there, when memory is looked at
            for tunnel in self.tunnels:
                disturb(tunnel)
        before = {} if self._one_died() else self._held_at_rest()
        while time.monotonic() < until and not self.faults:
            self.random.choice(self.disturbances)(self.random.choice(self.tunnels))
        if not self._one_died():
            self._all_pass()
            self._judge(before)

    # Disturbances: each ends with the tunnel as it was.

    def capture(self, tunnel):
        name, path = tunnel.names[self.random.choice(list(ENDS))], os.path.join(self.world.folder, "soak.pcapng")
        how = ["--with-secrets"] if tunnel.keys and self.random.random() < 0.5 else ["--snaplen", "200"]
        with Pings("u", tunnel.addresses["s"]):
            run(program("vpnctl"), "capture", name, "--write", path, "--duration", str(CAPTURED), *how,
                env=self.world.manager.environment(), seconds=30)
        if not run("tshark", "-r", path, "-c", "3", seconds=60).strip():
            self.faults.append(f"a capture of {name} is empty")
        os.unlink(path)
        self.counts["captures"] += 1

    def reload(self, tunnel):
        tunnel.mtu = MTUS[(MTUS.index(tunnel.mtu) + 1) % len(MTUS)]
        client = self.world.client
        for end in ENDS:
            self.world.manager.write_profile(tunnel.names[end], tunnel.profile(end))
            client.call(client.MANAGER, "Reload", "sa{sv}", tunnel.names[end], {})
        self.counts["reloads"] += 1

    def pull_wire(self, _):
        self._pull("wire")

    def pull_interface(self, tunnel):
        self._pull(tunnel.interface)

    def _pull(self, interface):
        end = self.random.choice(list(ENDS))
        run("ip", "link", "set", interface, "down", netns=end)
        time.sleep(PULLED)
        run("ip", "link", "set", interface, "up", netns=end)
        self.counts["cables out"] += 1

    # Load: each ends by itself.

    def _repeat(self, work, tunnel, chance):
        while not self.over.is_set() and not self.faults:
            try:
                work(tunnel, chance)
            except Exception as error:  # whatever it is: without load nothing would be seen
                if getattr(error, "errno", None) not in NO_WAY:
                    self.faults.append(f"{tunnel}: {error!r}")

    def _file(self, tunnel, chance):
        end, size = chance.choice(list(ENDS)), chance.randrange(1, LARGEST_FILE)
        if not transferred(end, OTHER[end], tunnel.addresses[OTHER[end]], size, seconds=self.patience):
            self.faults.append(f"{tunnel}: a file of {size} bytes from {end} did not arrive as it was")
        self.counts["files"] += 1

    def _stream(self, tunnel, chance):
        """A cable that is out may end iperf3, so its status says nothing; those that had an end are counted."""
        options = chance.choice([[], ["-R"], ["-P", "4"], ["-u", "-b", "20M", "-l", "64"], ["-u", "-b", "0", "-l", "1300"]])
        address = tunnel.addresses["s"]
        with process("iperf3", "-s", "-1", "-B", address, netns="s"):
            wait_for(lambda: run("ss", "-Hltn", "src", f"{address}:5201", netns="s"), "iperf3 listens")
            with contextlib.suppress(subprocess.TimeoutExpired):
                text = run("iperf3", "-c", address, "-t", "2", "--connect-timeout", "1000", *options, netns="u", check=False,
                           seconds=15)
                self.counts["streams"] += "receiver" in text
        self.counts["pings"] += answered(ping("u", address, seconds=1, count=3))

    # Verdict.

    def _all_pass(self):
        for tunnel in self.tunnels:
            for end in ENDS:
                assert pings(end, tunnel.addresses[OTHER[end]]), tunnel

    def _held(self):
        """Of each session: bytes of memory, and descriptors."""
        return {pid: (resident_bytes(pid), len(os.listdir(f"/proc/{pid}/fd"))) for pid in self.pids}

    def _held_at_rest(self):
        """The least of what is seen in half a second: a session that looks at its host has a descriptor for it."""
        seen = []
        for _ in range(10):
            seen.append(self._held())
            time.sleep(0.05)
        return {pid: (seen[-1][pid][0], min(each[pid][1] for each in seen)) for pid in self.pids}

    def _one_died(self):
        died = self.world.manager.session_pids() != self.pids
        if died:
            self.faults.append("a session died")
        return died

    def _judge(self, before):
        wait_for(lambda: [fds for _, fds in self._held().values()] == [fds for _, fds in before.values()],
                 "the sessions have the descriptors that they had")
        for pid, (memory, _) in self._held().items():
            if memory > before[pid][0] + GROWTH:
                self.faults.append(f"a session grew from {before[pid][0] >> 10} to {memory >> 10} KiB")
        for tunnel in self.tunnels:
            for name in tunnel.names.values():
                drops = self.world.client.status(name)["drops"]
                self.faults += [f"{tunnel}, {name}: {drop}" for drop in drops if drop["reason"] in DEFECTS]
