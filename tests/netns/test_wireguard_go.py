"""wireguard-go at the other end: whoever begins, with and without a preshared key, over both families."""
import pytest
from conftest import PORT
from test_wireguard import Ends

from harness.network import answered, ping, pings
from harness.wireguard import WireguardGo, preshared_key

OURS, THEIRS = "192.168.53.98", "192.168.53.99"


@pytest.fixture
def other_name(request):
    return f"wg{abs(hash(request.node.name)) % 10**8}"


@pytest.mark.parametrize("outside", ["10.0.2.7", "[fd02::7]"])
@pytest.mark.parametrize("preshared", [False, True])
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_handshakes_with_it(pair, tunnels, other_name, outside, preshared, first):
    psk = preshared_key() if preshared else None
    ends = Ends(psk)
    with WireguardGo(other_name, "u", ends.u, ["192.168.53.99/24", "fd53::99/64"], port=5000) as other:
        ours = "10.0.2.8" if outside == "10.0.2.7" else "[fd02::8]"
        other.peer(ends.server.public, "192.168.53.0/24", "fd53::/64", preshared=psk,
                   endpoint=f"{ours}:{PORT}" if first == "theirs" else None)
        tunnels.run("server", ends.at_server(endpoint=f"{outside}:5000" if first == "ours" else "learn"))
        if first == "ours":
            assert pings("server", THEIRS) and pings("u", OURS)
        else:
            assert pings("u", OURS) and pings("server", THEIRS)
        assert pings("u", "fd53::98")
        assert answered(ping("u", OURS, "-s", "1392", "-M", "do", count=3)) == 3, "the edge of the MTU"
        assert answered(ping("server", THEIRS, "-s", "1392", "-M", "do", count=3)) == 3
        assert tunnels.peer("server", "u")["endpoint"] == f"{outside}:5000"
