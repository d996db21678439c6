"""Machines on an internet: a server with a public address, a laptop and a phone behind routers of their own, and a site.

The routers are one host, "internet", which is the site too: it sees from which address a visitor comes, and everything
that passes the wires to the machines.
"""
import contextlib
import socket

from harness.host import run
from harness.network import Network, add_route, tcp_listener
from harness.waiting import wait_for
from harness.wire import Wire
from responder import Responder

SITE = {4: "203.0.113.5", 6: "2001:db8:5::5"}
SITE_NAME, SERVER_NAME = "www.example.org", "vpn.example.org"
SERVER, PUBLIC_DNS, LAN_DNS = "198.51.100.8", "9.9.9.9", "192.168.1.1"
LAPTOP = "192.168.1.7"
# machine: (interface of the internet, its addresses, addresses of the machine)
WIRES = {
    "server": ("to-server", ("198.51.100.1/24",), (f"{SERVER}/24",)),
    "laptop": ("to-laptop", (f"{LAN_DNS}/24", "2001:db8:1::1/64"), (f"{LAPTOP}/24", "2001:db8:1::7/64")),
    "phone": ("to-phone", ("10.77.0.1/24",), ("10.77.0.9/24",)),
}
# What their networks say about DNS.
DNS = {"laptop": LAN_DNS, "phone": PUBLIC_DNS}


def eavesdropper(machine):
    """On the wire to the machine."""
    return Wire("internet", WIRES[machine][0])


def is_of_the_tunnel(packet, port=51820):
    """UDP over IPv4 to or from the server's port."""
    at = (packet[0] & 15) * 4
    return packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP and \
        port in (int.from_bytes(packet[at:at + 2], "big"), int.from_bytes(packet[at + 2:at + 4], "big"))


class Internet:
    """machines: those of WIRES that there are. DNS knows the server and the site by name."""

    def __init__(self, *machines):
        self.machines = machines
        self.network = Network()
        self.with_names = set()
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.stack.enter_context(self.network)
        self.network.host("internet", forwarding=True)
        for address in (*SITE.values(), PUBLIC_DNS):
            run("ip", "address", "add", address, "dev", "lo", netns="internet")
        for machine in self.machines:
            self.join(machine)
            machine.after_boot.append(lambda machine=machine: self.join(machine))
        names = {SERVER_NAME: SERVER, SITE_NAME: tuple(SITE.values())}
        self.public_dns = self.stack.enter_context(Responder("internet", PUBLIC_DNS, names))
        if any(machine.name == "laptop" for machine in self.machines):
            self.lan_dns = self.stack.enter_context(Responder("internet", LAN_DNS, names))
        self.listener = self.stack.enter_context(tcp_listener("internet", "0.0.0.0", 80))
        return self

    def __exit__(self, *failure):
        for machine in self.machines:
            machine.after_boot.clear()
        self.stack.__exit__(*failure)

    def join(self, machine):
        """The wire, again after a reboot, and what DHCP would say."""
        interface, near, far = WIRES[machine.name]
        self.network.wire(("internet", interface, *near), (machine.name, "eth0", *far))
        for address in near:
            add_route(machine.name, "default", "via", address.split("/")[0])
        if machine in self.with_names:
            self._tell_dns(machine)

    def ask_names(self, machine):
        """From now on systemd-resolved runs there, and learns where to ask when its network comes up."""
        self.with_names.add(machine)
        machine.systemctl("enable", "--now", "systemd-resolved")
        self._tell_dns(machine)

    def _tell_dns(self, machine):
        machine.run(["resolvectl", "dns", "eth0", DNS[machine.name]])
        machine.run("resolvectl default-route eth0 yes")

    @staticmethod
    def wait_names_through(machine, interface):
        wait_for(lambda: machine.out(f"resolvectl domain {interface}", check=False).endswith(": ~."),
                 f"{machine.name} asks for every name through {interface}")

    def visitor(self, machine, said, where=SITE[4]):
        """The machine connects to the site, by name or address, and both say something; from where, as the site sees it."""
        script = f"import socket; s = socket.create_connection(({where!r}, 80), 60); s.sendall({said!r}); print(s.recv(99))"
        child = machine.popen(["python3", "-c", script], stdout=-1, stderr=-1)
        try:
            accepted, who = self.listener.accept()
        except TimeoutError:
            raise AssertionError(f"{machine.name} did not come: {child.communicate()}") from None
        with accepted:
            accepted.settimeout(60)
            assert accepted.recv(len(said), socket.MSG_WAITALL) == said
            accepted.sendall(b"seen")
        out, error = child.communicate(timeout=120)
        assert out == "b'seen'\n", error
        return who[0]
