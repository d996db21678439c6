"""The ground of the bench: hosts U, S and V, and what is the same for every system on it.

    U 10.231.0.1 -- wire -- 10.231.0.2 S 10.233.0.1 -- plain wire -- 10.233.0.2 V
    U 10.232.0.1 bench-u == the tunnel == bench-s 10.232.0.2 S

All wires are veth with an MTU of 1500 and the kernel's defaults; the tunnel has an MTU of 1420. U reaches V through the
tunnel and S, which forwards.
"""
import json

from harness.host import run
from harness.network import Network, add_route, pings, write_sysctl
from harness.waiting import wait_for

OUTER = {"u": "10.231.0.1", "s": "10.231.0.2"}
INNER = {"u": "10.232.0.1", "s": "10.232.0.2"}
BEHIND = "10.233.0.2"  # V
INNER_NET, BEHIND_NET = "10.232.0.0/24", "10.233.0.0/24"
OTHER = {"u": "s", "s": "u"}
TUNNEL = {"u": "bench-u", "s": "bench-s"}  # wg(8) knows an interface by its name alone
PORT = 9090
MTU = 1420


class Hosts(Network):
    """U, S and V with their wires, and no tunnel yet. congestion: of TCP; "" for the machine's own."""

    def __init__(self, congestion=""):
        super().__init__()
        self.wanted = congestion

    def __enter__(self):
        self.host("u", "v")
        self.host("s", forwarding=True)
        self.wire(("u", "wire", OUTER["u"] + "/24"), ("s", "wire", OUTER["s"] + "/24"))
        self.wire(("s", "back", "10.233.0.1/24"), ("v", "back", BEHIND + "/24"))
        add_route("v", "default", "via", "10.233.0.1")
        for host in self.hosts if self.wanted else []:
            write_sysctl(host, "ipv4/tcp_congestion_control", self.wanted)
        return self

    def congestion(self):
        return run("cat", "/proc/sys/net/ipv4/tcp_congestion_control", netns="u").strip()


def exists(host):
    return TUNNEL[host] in [link.get("ifname") for link in json.loads(run("ip", "-j", "link", netns=host) or "[]")]


def set_up_tunnel(*options):
    """Waits for the interface at both ends and gives it what every system has; options: of ip-link(8)."""
    for host, address in INNER.items():
        wait_for(lambda host=host: exists(host), f"{TUNNEL[host]} exists")
        run("ip", "address", "replace", address + "/24", "dev", TUNNEL[host], netns=host)
        run("ip", "link", "set", TUNNEL[host], "mtu", str(MTU), *options, "up", netns=host)
    run("ip", "route", "replace", BEHIND_NET, "via", INNER["s"], "dev", TUNNEL["u"], netns="u")


def check_tunnel():
    """Packets pass to S and to V, and the interface is as agreed."""
    assert pings("u", INNER["s"]) and pings("u", BEHIND)
    for host in INNER:
        link = json.loads(run("ip", "-j", "link", "show", TUNNEL[host], netns=host))[0]
        assert link["mtu"] == MTU, f"the MTU on {host} is {link['mtu']}"
