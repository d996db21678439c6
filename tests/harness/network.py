"""Hosts as network namespaces joined by wires, and sockets and processes inside them."""
import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import threading
import time

from .host import run
from .waiting import wait_for

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(netns):
    """This thread in the namespace; what it opens there stays there."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{netns}", "rb") as there:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)


def _enter(file):
    if _libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def write_sysctl(netns, path, value):
    with inside(netns), open(f"/proc/sys/net/{path}", "w", encoding="ascii") as file:
        file.write(str(value))


class Network:
    """Namespaces and veth pairs; all gone afterwards."""

    def __init__(self):
        self.hosts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in self.hosts:
            run("ip", "netns", "delete", name, check=False)

    def host(self, *names, forwarding=False):
        """Hosts with loopback up, no reverse path filter, and no address check that delays IPv6."""
        for name in names:
            run("ip", "netns", "add", name)
            self.hosts.append(name)
            run("ip", "link", "set", "lo", "up", netns=name)
            for scope in ("all", "default"):
                write_sysctl(name, f"ipv4/conf/{scope}/rp_filter", 0)
                write_sysctl(name, f"ipv6/conf/{scope}/accept_dad", 0)
            write_sysctl(name, "ipv4/ip_forward", int(forwarding))
            write_sysctl(name, "ipv6/conf/all/forwarding", int(forwarding))

    def wire(self, one, other, mtu=1500):
        """one and other: (host, interface, address...). What the kernel itself puts on the interfaces is there."""
        run("ip", "link", "add", one[1], "netns", one[0], "type", "veth", "peer", "name", other[1], "netns", other[0])
        for host, name, *addresses in (one, other):
            for address in addresses:
                run("ip", "address", "add", address, "dev", name, netns=host)
            run("ip", "link", "set", name, "mtu", str(mtu), "up", netns=host)
        for host, name, *_ in (one, other):
            wait_for(lambda: "inet6 fe80:" in run("ip", "address", "show", "dev", name, "-tentative", netns=host),
                     f"{name} of {host} has a link-local address")


def add_route(netns, *route):
    run("ip", "route", "add", *route, netns=netns)


def udp_socket(netns, address, port=0):
    """A UDP socket of a host, bound; datagrams are awaited a minute."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(netns):
        made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(60)
    made.bind((address, port))
    return made


def packet_socket(netns, interface, kind):
    """Hears all that passes the interface, and nothing of the others: it is deaf until it has one."""
    with inside(netns):
        made = socket.socket(socket.AF_PACKET, kind, 0)
    made.bind((interface, ETH_P_ALL))
    return made


def udp_rows(netns, port):
    """The words of each line about the port's sockets in /proc/net/udp and udp6 (proc(5))."""
    with inside(netns):
        rows = []
        for table in ("udp", "udp6"):
            with open(f"/proc/thread-self/net/{table}", encoding="ascii") as file:
                rows += [line.split() for line in file]
    return [row for row in rows if row[1].endswith(f":{port:04X}")]


def tcp_listener(netns, address, port):
    with inside(netns):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.settimeout(60)
    made.bind((address, port))
    made.listen()
    return made


def tcp_connect(netns, address, port, seconds=60):
    with inside(netns):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(seconds)
    made.connect((address, port))
    return made


def ping(netns, address, *options, count=1, seconds=10):
    """What ping prints, whether answered or not, of one request after the other. Each is waited for in its own right: of
    several, ping itself gives up the last one after twice the longest round trip, which proves nothing."""
    return "".join(run("ping", "-n", "-c", "1", "-W", str(seconds), *options, address, netns=netns, check=False)
                   for _ in range(count))


def answered(text):
    """How many replies ping saw."""
    return sum(map(int, re.findall(r"(\d+) received", text)))


def pings(netns, address, *options):
    """Asks again until the first reply: names, neighbours and endpoints may have to be found out first."""
    return wait_for(lambda: answered(ping(netns, address, *options, seconds=1)),
                    f"{netns} reaches {address} {' '.join(options)}")


class Pings:
    """50 echo requests a second, from `netns`, for as long as the context runs; then which were answered.

    It ends when what was sent meanwhile is answered or lost: some of later are answered, and `least` in all. least=0: no
    answer is expected.
    """

    LATER = 15

    def __init__(self, netns, address, least=60):
        self.command = ["ip", "netns", "exec", netns, "ping", "-n", "-i", "0.02", "-W", "5", address]
        self.least = least
        self.answered = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        time.sleep(0.3)  # some are under way
        return self

    def _read(self):
        for line in self.process.stdout:
            self.answered += map(int, re.findall(r"icmp_seq=(\d+) ttl=", line))

    def __exit__(self, *failure):
        time.sleep(0.3)
        if self.least and failure[0] is None:
            wanted = max(self.least, len(self.answered) + self.LATER)
            with contextlib.suppress(AssertionError):  # the test says what is missing
                wait_for(lambda: len(self.answered) >= wanted, "the last are answered", 20)
        self.process.send_signal(signal.SIGINT)
        self.reader.join()
        self.process.stdout.close()
        self.process.wait()
        self.answered.sort()


@contextlib.contextmanager
def process(*command, netns=None, log=None, **options):
    """A program that runs meanwhile; ends with the context."""
    prefix = ["ip", "netns", "exec", netns] if netns else []
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open(log, "ab")) if log else subprocess.DEVNULL
        child = subprocess.Popen([*prefix, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
