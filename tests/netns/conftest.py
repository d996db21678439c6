"""What the tests on the real kernel share: two hosts on a wire, one manager that runs the tunnels of both."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from harness.bus import plain  # noqa: E402
from harness.daemon import World  # noqa: E402
from harness.network import Network, pings, udp_socket  # noqa: E402
from harness.profile import peer, profile  # noqa: E402
from harness.waiting import wait_for  # noqa: E402

PORT = 9090
# Inside the tunnel.
CLIENT, SERVER = "192.168.53.99", "192.168.53.98"


class Tunnels(World):
    """A world in which profiles are written and started in one go, with facts of their Status."""

    def run(self, name, text):
        self.profile(name, text)
        self.client.start(name)

    def rerun(self, name, text):
        self.manager.write_profile(name, text)
        self.client.restart(name)

    def reload(self, name, text):
        """What Reload says of that profile."""
        self.manager.write_profile(name, text)
        return plain(self.client.call(self.client.MANAGER, "Reload", "sa{sv}", name, {}))

    def peer(self, tunnel, name):
        return next(peer for peer in self.client.status(tunnel)["peers"] if peer["name"] == name)

    def drops(self, tunnel):
        """{reason: (packets, last offender)}"""
        return {drop["reason"]: (drop["packets"], drop["last"]) for drop in self.client.status(tunnel)["drops"]}

    def wait_drop(self, tunnel, reason, last=""):
        """The last offender of a drop for that reason, once it is one with these words."""
        def offender():
            shown = self.drops(tunnel).get(reason)
            return shown and last in shown[1] and shown[1]
        return wait_for(offender, f"{tunnel} drops {last or 'a packet'} as {reason}")

    def wait_endpoint(self, tunnel, name, endpoint):
        wait_for(lambda: self.peer(tunnel, name)["endpoint"] == endpoint, f"{name} of {tunnel} is at {endpoint}")

    def kill_and_start(self, name):
        """Ends its session at once; where its peers are it has noted by then, which is a moment after it learned so."""
        def noted():
            status = self.client.status(name)
            lines = noted_endpoints(status["pid"])
            learned = [peer for peer in status["peers"] if peer["endpoint"] and not peer["configured-endpoint"]]
            return all(f"{peer['endpoint']} {peer['name']}" in lines for peer in learned) and status["pid"]
        os.kill(wait_for(noted, f"{name} has noted where its peers are"), signal.SIGKILL)
        self.wait_state(name, "failed")
        self.client.start(name)


def noted_endpoints(pid):
    """The lines of what a session leaves to the next one."""
    folder = f"/proc/{pid}/fd"
    [memory] = [fd for fd in os.listdir(folder) if "vpntun-endpoints" in os.readlink(f"{folder}/{fd}")]
    with open(f"{folder}/{memory}", encoding="utf-8") as file:
        return file.read().splitlines()


@pytest.fixture
def tunnels():
    with Tunnels() as made:
        yield made


@pytest.fixture
def network():
    with Network() as made:
        yield made


@pytest.fixture
def pair(network):
    """Hosts u (10.0.2.7, fd02::7) and server (10.0.2.8, fd02::8)."""
    network.host("u", "server")
    network.wire(("u", "eth0", "10.0.2.7/24", "fd02::7/64"), ("server", "eth0", "10.0.2.8/24", "fd02::8/64"))
    return network


def client_profile(endpoint=f"10.0.2.8:{PORT}", **changes):
    """Host u's end: 192.168.53.99 and fd53::99."""
    settings = dict(name="tun0", address=["192.168.53.99/24", "fd53::99/64"], netns="u",
                    peers=[peer("server", "192.168.53.0/24", "fd53::/64", endpoint=endpoint)])
    return profile(**{**settings, **changes})


def server_profile(**changes):
    """The server's end: 192.168.53.98 and fd53::98, its peer u is learned."""
    settings = dict(name="tun0", address=["192.168.53.98/24", "fd53::98/64"], listen_port=PORT, netns="server",
                    peers=[peer("u", "192.168.53.99/32", "fd53::99/128")])
    return profile(**{**settings, **changes})


def port_of(netns, endpoint):
    """A socket there, so that the kernel cannot give the port to whoever comes next."""
    return udp_socket(netns, "0.0.0.0", int(endpoint.rpartition(":")[2]))


@pytest.fixture
def running(pair, tunnels):
    """Both ends of the tunnel, over which packets have passed."""
    tunnels.run("server", server_profile())
    tunnels.run("lab", client_profile())
    assert pings("u", SERVER) and pings("u", "fd53::98")
    return tunnels
