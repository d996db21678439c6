"""What no shorter time shows: after REKEY_AFTER_TIME, 120 s, the one who began the session makes a new one, unnoticed.

wireguard-go began with us on host u, we began with it on host w.
"""
import contextlib
import time

from conftest import PORT
from facing_go import OURS, THEIRS
from test_wireguard import Ends

from harness.network import Pings, pings
from harness.profile import peer
from harness.transfer import Transfer
from harness.wireguard import Keys, WireguardGo

BEGUN_BY_US = "192.168.53.97"
SECONDS = 128  # REKEY_AFTER_TIME and more than REKEY_TIMEOUT


def handshakes(others, ends):
    return [int(other.show("latest-handshakes")[ends.server.public][0]) for other in others]


def test_sessions_are_renewed_while_packets_flow(pair, tunnels, network):
    network.host("w")
    network.wire(("w", "eth0", "10.0.4.7/24"), ("server", "eth1", "10.0.4.8/24"))
    ends, third = Ends(), Keys()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(WireguardGo("wg0", "u", ends.u, ["192.168.53.99/24"], port=5000))
        second = stack.enter_context(WireguardGo("wg1", "w", third, [f"{BEGUN_BY_US}/24"], port=5000))
        first.peer(ends.server.public, "192.168.53.0/24", endpoint=f"10.0.2.8:{PORT}")
        second.peer(ends.server.public, "192.168.53.0/24")
        tunnels.run("server", ends.at_server(peers=[
            peer("u", "192.168.53.99/32", public_key=ends.u.public),
            peer("w", f"{BEGUN_BY_US}/32", endpoint="10.0.4.7:5000", public_key=third.public)]))
        assert pings("u", OURS) and pings("server", BEGUN_BY_US)
        before = handshakes((first, second), ends)
        with Pings("u", OURS) as to_us, Pings("server", BEGUN_BY_US) as from_us, \
                Transfer("server", "u", THEIRS, pause=0.05) as theirs, \
                Transfer("w", "server", OURS, pause=0.05, port=7001) as ours:
            time.sleep(SECONDS)
        after = handshakes((first, second), ends)
    for sent in (to_us, from_us):
        assert sent.answered == list(range(1, sent.answered[-1] + 1)), "every single one"
    assert theirs.arrived() and ours.arrived()
    for renewed, begun in zip(after, before):
        assert 119 <= renewed - begun <= SECONDS
