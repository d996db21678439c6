"""One end ours, on host server, and the other wireguard-go, on host u, which knows where we are."""
import contextlib

from conftest import PORT
from test_wireguard import Ends

from harness.network import pings
from harness.wireguard import WireguardGo

OURS, THEIRS = "192.168.53.98", "192.168.53.99"
OURS_OUTSIDE, THEIRS_OUTSIDE = "10.0.2.8", "10.0.2.7"
THEIR_PORT = 51820


class Facing:
    """The two ends, with what a test wants to know of them."""

    def __init__(self, tunnels, other, ends):
        self.tunnels, self.other, self.ends = tunnels, other, ends

    def introduce(self, endpoint=f"{OURS_OUTSIDE}:{PORT}", keepalive=None):
        """Tells wireguard-go of us."""
        self.other.peer(self.ends.server.public, "192.168.53.0/24", "fd53::/64", endpoint=endpoint, keepalive=keepalive,
                        preshared=self.ends.more.get("preshared_key"))

    def known(self):
        """Our view of it."""
        return self.tunnels.peer("server", "u")

    def seen_at(self):
        """Where it sees us."""
        return self.other.show("endpoints")[self.ends.server.public][0]

    def their_handshake(self):
        """When it last made one, in seconds since 1970."""
        return int(self.other.show("latest-handshakes")[self.ends.server.public][0])


@contextlib.contextmanager
def facing(tunnels, ours=None, endpoint=f"{OURS_OUTSIDE}:{PORT}", keepalive=None, preshared=None):
    """ours: changes of our profile. Nothing has been said yet."""
    ends = Ends(preshared)
    with WireguardGo("wg0", "u", ends.u, ["192.168.53.99/24", "fd53::99/64"], port=THEIR_PORT) as other:
        made = Facing(tunnels, other, ends)
        tunnels.run("server", ends.at_server(**(ours or {})))
        made.introduce(endpoint, keepalive)
        yield made


@contextlib.contextmanager
def talking(tunnels, **options):
    """It has begun, and both answer."""
    with facing(tunnels, **options) as made:
        assert pings("u", OURS) and pings("server", THEIRS)
        yield made
