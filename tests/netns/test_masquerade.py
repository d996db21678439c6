"""A client behind the tunnel and a third host that knows no way back: reached with masquerading, and only with it.
The third host reaches no client then, though it knew the way."""
import os
import signal

import pytest
from conftest import CLIENT, PORT, client_profile, server_profile

from harness.host import run, unchanged_host
from harness.network import (Pings, add_route, answered, ping, pings, tcp_connect, tcp_listener, udp_socket,
                             write_sysctl)
from harness.profile import peer, profile
from harness.waiting import wait_for

V, CLIENT6, V6 = "192.168.60.101", "fd53::99", "fd60::101"
BOTH_FAMILIES = pytest.mark.parametrize("client, host", [(CLIENT, V), (CLIENT6, V6)], ids=["ipv4", "ipv6"])


@pytest.fixture
def office(pair, tunnels):
    """u reaches the server's port; v hangs behind the server, without any route."""
    pair.host("v")
    pair.wire(("server", "eth1", "192.168.60.1/24", "fd60::1/64"), ("v", "eth0", f"{V}/24", f"{V6}/64"))
    tunnels.run("lab", client_profile(peers=[
        peer("server", "192.168.53.0/24", "192.168.54.0/24", "fd53::/64", "192.168.60.0/24", "fd60::/64",
             endpoint=f"10.0.2.8:{PORT}")]))
    return tunnels


@pytest.fixture
def curious(office):
    """v knows the way to the clients too, in both families."""
    write_sysctl("server", "ipv6/conf/all/forwarding", 1)
    add_route("v", "192.168.53.0/24", "via", "192.168.60.1")
    add_route("v", "fd53::/64", "via", "fd60::1")
    return office


def server(masquerade):
    return server_profile(routing={"forwarding": ["eth1"], "masquerade": masquerade})


def start_server(tunnels, masquerade):
    tunnels.run("server", server(masquerade))
    assert pings("u", "192.168.53.98")


def connects(netns, address, port, seconds=10):
    try:
        tcp_connect(netns, address, port, seconds).close()
        return True
    except TimeoutError:
        return False


def rules_of_the_admin(*commands):
    run("nft", "add table inet admin; " + "; ".join(commands), netns="server")


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


@BOTH_FAMILIES
def test_no_host_outside_opens_a_connection_to_a_client(curious, client, host):
    with tcp_listener("u", client, 8000):
        start_server(curious, masquerade=False)
        assert pings("v", client) and connects("v", client, 8000), "v knows the way"
        curious.reload("server", server(masquerade=True))
        assert pings("u", host)
        assert not answered(ping("v", client, seconds=1)) and not connects("v", client, 8000, 1)
        with tcp_listener("v", host, 8000):
            assert connects("u", host, 8000)
        curious.reload("server", server(masquerade=False))
        assert pings("v", client) and connects("v", client, 8000), "the rule went with masquerading"


def test_what_icmp_says_of_a_clients_packets_comes_back(office):
    start_server(office, masquerade=True)
    with udp_socket("u", CLIENT) as client:
        client.connect((V, 9))
        client.settimeout(1)

        def refused():  # a host says so only so often, to all together
            try:
                client.send(b"anybody there?")
                client.recv(1)
            except TimeoutError:
                return False
            except ConnectionRefusedError:
                return True

        wait_for(refused, "the client is told")


@BOTH_FAMILIES
def test_a_port_that_the_admin_redirects_to_a_client_is_reached(office, client, host):
    write_sysctl("server", "ipv6/conf/all/forwarding", 1)
    start_server(office, masquerade=True)
    family, address = ("ip6", f"[{client}]") if ":" in client else ("ip", client)
    rules_of_the_admin("add chain inet admin pre { type nat hook prerouting priority -100; }",
                       f"add rule inet admin pre iifname eth1 tcp dport 8080 dnat {family} to {address}:8000")
    outside = "fd60::1" if ":" in client else "192.168.60.1"
    with tcp_listener("u", client, 8000) as listener, tcp_connect("v", outside, 8080) as visitor:
        accepted, who = listener.accept()
        assert who[0] == host
        with accepted:
            visitor.sendall(b"hello")
            assert accepted.recv(5) == b"hello"
            accepted.sendall(b"world")
            assert visitor.recv(5) == b"world"


@pytest.mark.parametrize("priority", [0, 100], ids=["before", "after"])
def test_what_the_admins_firewall_drops_is_dropped(office, priority):
    start_server(office, masquerade=True)
    assert pings("u", V)
    rules_of_the_admin(f"add chain inet admin forward {{ type filter hook forward priority {priority}; }}",
                       "add rule inet admin forward oifname tun0 drop")
    assert not answered(ping("u", V, seconds=1)), "an answer that we let pass"
    run("nft", "delete", "table", "inet", "admin", netns="server")
    assert pings("u", V)


def test_what_the_admin_lets_pass_untracked_is_no_answer(curious):
    start_server(curious, masquerade=True)
    rules_of_the_admin("add chain inet admin raw { type filter hook prerouting priority -300; }",
                       "add rule inet admin raw iifname eth1 notrack")
    assert not answered(ping("v", CLIENT, seconds=1))


def test_from_start_to_stop_there_is_no_gap(curious):
    with unchanged_host("server"), Pings("v", CLIENT, least=0) as sent, Pings("v", CLIENT6, least=0) as sent6:
        start_server(curious, masquerade=True)
        curious.client.restart("server")
        os.kill(curious.client.status("server")["pid"], signal.SIGKILL)
        curious.wait_state("server", "failed")
        assert not answered(ping("v", CLIENT, seconds=1)), "the rules wait for the next start"
        curious.client.start("server")
        assert pings("u", V)
        curious.client.stop("server")
    assert sent.answered == [] and sent6.answered == []


def test_rules_that_somebody_flushes_are_put_back(curious):
    start_server(curious, masquerade=True)
    run("nft", "flush", "ruleset", netns="server")
    wait_for(lambda: "masquerade" in run("nft", "list", "ruleset", netns="server"), "the rules are there again")
    assert pings("u", V) and not answered(ping("v", CLIENT, seconds=1))


def test_another_tunnel_is_outside_too(office):
    start_server(office, masquerade=True)
    office.run("second", server_profile(name="tun1", address="192.168.54.98/24", listen_port=9091,
                                        peers=[peer("v", "192.168.54.99/32")], routing={"forwarding": True}))
    office.run("visitor", profile(name="tun0", address="192.168.54.99/24", netns="v", peers=[
        peer("server", "192.168.54.0/24", "192.168.53.0/24", endpoint="192.168.60.1:9091")]))
    assert pings("v", "192.168.54.98")
    assert pings("u", "192.168.54.99"), "from ours into that one, as to any host"
    assert not answered(ping("v", CLIENT, seconds=1))
    office.reload("server", server(masquerade=False))
    assert pings("v", CLIENT), "nothing else was in the way"
