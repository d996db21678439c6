"""Encrypted tunnels that are changed and restarted while packets flow: both ends are ours."""
import time

import pytest
from conftest import CLIENT, PORT, SERVER, client_profile
from test_wireguard import Ends

from harness.host import run
from harness.network import Pings, answered, ping, pings
from harness.profile import peer
from harness.waiting import wait_for
from harness.wireguard import Keys, preshared_key

OTHER = "192.168.53.97"  # inside, of the second client


@pytest.fixture
def ends(pair, tunnels):
    """The tunnel between u and server, over which packets have passed."""
    made = Ends()
    tunnels.run("server", made.at_server())
    tunnels.run("lab", made.client())
    assert pings("u", SERVER)
    return made


def known_u(ends):
    return peer("u", "192.168.53.99/32", "fd53::99/128", public_key=ends.u.public)


def every_one(sent):
    return len(sent.answered) > 30 and sent.answered == list(range(1, sent.answered[-1] + 1))


def test_a_peer_comes_and_goes_and_the_others_do_not_notice(ends, tunnels, network):
    network.host("other")
    network.wire(("other", "eth0", "10.0.4.7/24"), ("server", "eth1", "10.0.4.8/24"))
    keys = Keys()
    there = peer("server", "192.168.53.0/24", endpoint=f"10.0.4.8:{PORT}", public_key=ends.server.public)
    tunnels.run("other", client_profile(encryption="wireguard", private_key=keys.private, netns="other", peers=[there],
                                        address=[f"{OTHER}/24"]))
    known_other = peer("other", f"{OTHER}/32", public_key=keys.public)
    def refused(reason):
        return tunnels.drops("server").get(reason, (0,))[0]

    with Pings("u", SERVER) as sent:
        for turn in range(3):
            tunnels.reload("server", ends.at_server(peers=[known_other, known_u(ends)]))
            tunnels.client.restart("other")  # it makes a handshake at once, and not after REKEY_TIMEOUT
            assert pings("other", SERVER)
            tunnels.reload("server", ends.at_server(peers=[known_u(ends)]))
            assert not answered(ping("other", SERVER, seconds=1))
            wait_for(lambda: refused("unknown-session") > turn, "its session is over")
            tunnels.client.restart("other")
            wait_for(lambda: refused("unknown-key") > turn, "its handshakes are nobody's")
    assert every_one(sent)


def test_another_key_comes_by_reload(ends, tunnels):
    known = tunnels.peer("server", "u")["endpoint"]
    ends.server = Keys()
    tunnels.reload("server", ends.at_server())
    assert not answered(ping("u", SERVER, seconds=1)), "a key that the client does not know"
    tunnels.reload("lab", ends.client())
    assert pings("u", SERVER)
    ends.u = Keys()
    tunnels.reload("lab", ends.client())
    ping("u", SERVER, seconds=1)
    wait_for(lambda: "unknown-key" in tunnels.drops("server"), "a key that the server does not know")
    tunnels.reload("server", ends.at_server())
    assert pings("u", SERVER)
    assert tunnels.peer("server", "u")["endpoint"] == known


def test_a_preshared_key_comes_by_reload_and_counts_from_the_next_handshake(ends, tunnels):
    ends.more = {"preshared_key": preshared_key()}
    with Pings("u", SERVER) as sent:
        tunnels.reload("server", ends.at_server())
        tunnels.reload("lab", ends.client())
        time.sleep(0.5)
    assert every_one(sent), "the session goes on"
    tunnels.client.restart("lab")
    assert pings("u", SERVER)


def test_a_reload_of_something_else_leaves_a_peer_where_it_went(ends, tunnels):
    """Also one whose endpoint is configured: that is only where to begin."""
    run("ip", "address", "del", "10.0.2.8/24", "dev", "eth0", netns="server")
    run("ip", "address", "add", "10.0.2.18/24", "dev", "eth0", netns="server")
    assert pings("server", CLIENT)
    tunnels.wait_endpoint("lab", "server", f"10.0.2.18:{PORT}")
    tunnels.reload("lab", ends.client(mtu=1300))
    assert tunnels.peer("lab", "server")["endpoint"] == f"10.0.2.18:{PORT}"
    assert answered(ping("u", SERVER))
