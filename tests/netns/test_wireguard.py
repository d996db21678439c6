"""Both ends of an encrypted tunnel on a wire."""
import pytest
from conftest import CLIENT, PORT, SERVER, client_profile, server_profile

from harness.network import answered, ping, pings
from harness.profile import peer
from harness.wireguard import Keys, preshared_key


class Ends:
    """The keys of both ends, and profiles with them."""

    def __init__(self, preshared=None):
        self.u, self.server = Keys(), Keys()
        self.more = {"preshared_key": preshared} if preshared else {}

    def client(self, endpoint=f"10.0.2.8:{PORT}", **changes):
        peers = [peer("server", "192.168.53.0/24", "fd53::/64", endpoint=endpoint, public_key=self.server.public,
                      **self.more)]
        return client_profile(encryption="wireguard", private_key=self.u.private, **{"peers": peers, **changes})

    def at_server(self, endpoint="learn", **changes):
        peers = [peer("u", "192.168.53.99/32", "fd53::99/128", endpoint=endpoint, public_key=self.u.public,
                      **self.more)]
        return server_profile(encryption="wireguard", private_key=self.server.private, **{"peers": peers, **changes})


@pytest.mark.parametrize("outside", ["10.0.2.8", "[fd02::8]"])
@pytest.mark.parametrize("preshared", [False, True])
def test_both_families_pass_inside_over_either_outside(pair, tunnels, outside, preshared):
    ends = Ends(preshared_key() if preshared else None)
    tunnels.run("server", ends.at_server())
    tunnels.run("lab", ends.client(f"{outside}:{PORT}"))
    assert pings("u", SERVER) and pings("u", "fd53::98")
    assert answered(ping("server", CLIENT, "-s", "1300", count=3)) == 3
    assert answered(ping("server", "fd53::99", "-s", "1300", count=3)) == 3
    for tunnel, name in (("lab", "server"), ("server", "u")):
        assert tunnels.peer(tunnel, name)["health"] == "healthy"
        assert tunnels.client.status(tunnel)["encryption"] == "wireguard"
