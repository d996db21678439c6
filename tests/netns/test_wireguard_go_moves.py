"""wireguard-go at the other end: either end moves, restarts and forgets."""
import threading
import time

import pytest
from conftest import PORT
from facing_go import OURS, THEIR_PORT, THEIRS, THEIRS_OUTSIDE, facing, talking

from harness.host import run
from harness.network import Pings, answered, ping, pings
from harness.transfer import Transfer
from harness.waiting import wait_for
from harness.wire import INITIATION, Wire


@pytest.fixture
def go(pair, tunnels):
    with talking(tunnels) as made:
        yield made


def readdress(netns, old, new):
    run("ip", "address", "del", f"{old}/24", "dev", "eth0", netns=netns)
    run("ip", "address", "add", f"{new}/24", "dev", "eth0", netns=netns)


def kill_and_start(go):
    go.tunnels.kill_and_start("server")


def restart(go):
    go.tunnels.client.restart("server")


def test_we_follow_it_to_another_port_and_address(go):
    go.other.wg("listen-port", "5001")
    assert pings("u", OURS)
    go.tunnels.wait_endpoint("server", "u", f"{THEIRS_OUTSIDE}:5001")
    readdress("u", THEIRS_OUTSIDE, "10.0.2.17")
    go.introduce()  # else it goes on sending from the address that it had, which fails
    assert pings("u", OURS)
    go.tunnels.wait_endpoint("server", "u", "10.0.2.17:5001")
    assert answered(ping("server", THEIRS)), "we reach it there"
    assert go.known()["endpoint-source"] == "learned"


def test_it_follows_us_to_another_address_within_the_session(go):
    handshake = go.their_handshake()
    readdress("server", "10.0.2.8", "10.0.2.18")
    assert pings("server", THEIRS)
    assert go.seen_at() == f"10.0.2.18:{PORT}"
    assert answered(ping("u", OURS))
    assert go.their_handshake() == handshake, "no handshake was needed"


def test_it_follows_us_to_another_port(go):
    go.tunnels.rerun("server", go.ends.at_server(listen_port=PORT + 1))
    assert pings("server", THEIRS)
    assert go.seen_at() == f"10.0.2.8:{PORT + 1}"
    assert answered(ping("u", OURS))


@pytest.mark.parametrize("end", [restart, kill_and_start])
def test_our_next_session_knows_where_it_is_and_makes_a_handshake_by_itself(go, end):
    before = go.known()["endpoint"]
    # Who only sends to us cannot tell that our keys are gone: it would wait 15 s before it makes a handshake.
    with Wire("u", "eth0") as wire, Pings("u", OURS) as sent:
        end(go)
        begun_by = wait_for(lambda: [source for source, kind, _ in wire.seen() if kind == INITIATION], "one begins")
        assert begun_by[0] == "10.0.2.8", "before it gave us up"
        wait_for(lambda: go.known()["health"] == "healthy", "there is a handshake", interval=0.1)
    assert (go.known()["endpoint"], go.known()["endpoint-source"]) == (before, "learned")
    missing = sent.answered[-1] - len(sent.answered)
    assert missing < 15 * 50, f"{missing} of {sent.answered[-1]} were lost"


@pytest.mark.parametrize("netns, to_netns, address", [("u", "server", OURS), ("server", "u", THEIRS)])
def test_a_transfer_outlives_restarts_of_our_session(go, netns, to_netns, address):
    with Transfer(netns, to_netns, address, pause=0.01) as transfer:
        for end in (restart, kill_and_start):
            end(go)
            time.sleep(0.3)
    assert transfer.arrived()


def test_it_restarts_without_a_memory_and_speaks_first(go):
    go.other.restart()
    go.introduce()
    assert pings("u", OURS) and answered(ping("server", THEIRS))


def test_it_restarts_without_a_memory_and_waits_for_us(go):
    """It cannot read our session any longer and says nothing: we find out after KEEPALIVE_TIMEOUT + REKEY_TIMEOUT."""
    go.other.restart()
    go.introduce(endpoint=None)
    with Pings("server", THEIRS) as sent:
        wait_for(lambda: go.other.show("latest-handshakes")[go.ends.server.public][0] != "0", "a new handshake")
    assert sent.answered, "and it is answered again"
    assert go.seen_at() == f"10.0.2.8:{PORT}"


def test_both_begin_at_once(pair, tunnels):
    peers = dict(endpoint=f"{THEIRS_OUTSIDE}:{THEIR_PORT}")
    with facing(tunnels, ours=peers) as go:
        for _ in range(4):
            both = [threading.Thread(target=ping, args=way) for way in (("u", OURS), ("server", THEIRS))]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
            assert answered(ping("u", OURS, count=3)) == 3 and answered(ping("server", THEIRS, count=3)) == 3
            go.other.wg("peer", go.ends.server.public, "remove")
            go.introduce()
            tunnels.client.stop("server")
            tunnels.client.start("server")
