"""A client behind the tunnel and a third host that knows no way back: reached with masquerading, and only with it."""
import pytest
from conftest import PORT, client_profile, server_profile

from harness.host import run, unchanged_host
from harness.network import answered, ping, pings, tcp_connect, tcp_listener
from harness.profile import peer
from harness.waiting import wait_for

V = "192.168.60.101"


@pytest.fixture
def office(pair, tunnels):
    """u reaches the server's port; v hangs behind the server, without any route."""
    pair.host("v")
    pair.wire(("server", "eth1", "192.168.60.1/24"), ("v", "eth0", f"{V}/24"))
    tunnels.run("lab", client_profile(peers=[
        peer("server", "192.168.53.0/24", "fd53::/64", "192.168.60.0/24", endpoint=f"10.0.2.8:{PORT}")]))
    return tunnels


def start_server(tunnels, masquerade, forwarding=("eth1",)):
    routing = {"forwarding": list(forwarding), "masquerade": masquerade}
    tunnels.run("server", server_profile(routing=routing))
    assert pings("u", "192.168.53.98")


def test_without_masquerade_the_reply_has_no_way_back(office):
    start_server(office, masquerade=False)
    assert not answered(ping("u", V, seconds=1))
    assert office.client.status("server")["masquerade"] is False
    run("ip", "route", "add", "192.168.53.0/24", "via", "192.168.60.1", netns="v")
    assert pings("u", V), "the missing route was all"


def test_with_masquerade_the_third_host_sees_the_server(office):
    start_server(office, masquerade=True)
    assert office.client.status("server")["masquerade"] is True
    replies = ping("u", V, count=3)
    assert answered(replies) == 3 and "ttl=63" in replies
    with tcp_listener("v", V, 8000) as listener, tcp_connect("u", V, 8000) as client:
        accepted, who = listener.accept()
        assert who[0] == "192.168.60.1"
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"
            accepted.sendall(b"world")
            assert client.recv(5) == b"world"


def test_without_a_list_the_interface_of_the_default_route_forwards_the_answers(office):
    with unchanged_host("server"):
        run("ip", "route", "add", "default", "via", V, netns="server")
        office.run("server", server_profile(routing={"forwarding": True, "masquerade": True}))
        assert answered(ping("u", V, count=3)) == 3
        run("ip", "route", "delete", "default", netns="server")
        wait_for(lambda: not answered(ping("u", V, seconds=1)), "nothing leads out through eth1 any more")
        run("ip", "route", "add", "default", "via", V, netns="server")
        assert pings("u", V)
        office.client.stop("server")
        run("ip", "route", "delete", "default", netns="server")


def test_what_does_not_come_out_of_the_tunnel_keeps_its_source(office):
    start_server(office, masquerade=True)
    with tcp_listener("u", "192.168.53.99", 8000) as listener, tcp_connect("server", "192.168.53.99", 8000):
        accepted, who = listener.accept()
        accepted.close()
        assert who[0] == "192.168.53.98"


def test_a_stop_takes_rules_and_forwarding_with_it(office):
    with unchanged_host("server"):
        start_server(office, masquerade=True)
        assert "masquerade" in run("nft", "list", "ruleset", netns="server")
        office.client.stop("server")
    assert not answered(ping("u", V, seconds=1))


def test_two_tunnels_masquerade_side_by_side(office):
    start_server(office, masquerade=True)
    office.run("second", server_profile(name="tun1", address="192.168.54.98/24", listen_port=9091,
                                        peers=[peer("other", "192.168.54.99/32")],
                                        routing={"forwarding": ["eth1"], "masquerade": True}))
    office.client.stop("second")
    assert answered(ping("u", V, count=3)) == 3, "the first is untouched"
    assert office.client.status("server")["masquerade"] is True
