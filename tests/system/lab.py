"""The lab of docs/lab.md on machines: U and the VPN server boot systemd, V is a network namespace behind the server."""
import os

from harness.host import run
from harness.network import Network, pings
from harness.waiting import wait_for
from machine import unit_of
from packages import SOURCE

CLIENT = "lab"
SERVER = "lab-server"
U_OUTER, SERVER_OUTER = "10.0.2.7", "10.0.2.8"
U_INNER, SERVER_INNER = "192.168.53.99", "192.168.53.98"
SERVER_INTRANET, V = "192.168.60.1", "192.168.60.101"


def example(name):
    with open(os.path.join(SOURCE, "config", "examples", f"{name}.toml"), encoding="utf-8") as file:
        return file.read()


class Lab:
    """machines u and server, host "v"; the tunnel is down until start()."""

    def __init__(self, u, server):
        self.u = u
        self.server = server
        self.network = Network()

    def __enter__(self):
        with open("/proc/sys/net/ipv4/conf/default/rp_filter", "w", encoding="ascii") as file:
            file.write("0")
        self.network.__enter__()
        self.network.host("v")
        self._join()
        self.u.profile(CLIENT, example(CLIENT))
        # eth1 is the intranet: the server forwards for it too.
        self.server.profile(SERVER, example(SERVER).replace("forwarding = true", 'forwarding = ["eth1"]'))
        for one in (self.u, self.server):
            one.after_boot.append(self._join)
        return self

    def __exit__(self, *failure):
        for one in (self.u, self.server):
            one.after_boot.remove(self._join)
        self.network.__exit__(*failure)

    def _join(self):
        """Wires, after a reboot those that are gone: a veth ends with either of its ends' namespaces."""
        for one, other in ((("u", "eth0", f"{U_OUTER}/24"), ("server", "eth0", f"{SERVER_OUTER}/24")),
                           (("server", "eth1", f"{SERVER_INTRANET}/24"), ("v", "eth0", f"{V}/24"))):
            if not run("ip", "link", "show", one[1], netns=one[0], check=False):
                self.network.wire(one, other)
        run("ip", "route", "replace", "192.168.53.0/24", "via", SERVER_INTRANET, netns="v")

    def ends(self):
        """(machine, tunnel, unit) of both ends."""
        return ((self.u, CLIENT, unit_of(CLIENT)), (self.server, SERVER, unit_of(SERVER)))

    def start(self):
        """Both sessions run and a ping has gone from U to V and back."""
        for one, _, unit in reversed(self.ends()):
            one.systemctl("start", unit)
        pings("u", V)

    def stop(self):
        for one, _, unit in self.ends():
            one.systemctl("stop", unit)
            wait_for(lambda one=one: "tun0" not in one.out("ls /sys/class/net"), f"no tun0 on {one.name}")
