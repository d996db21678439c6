"""Two ends of a plain tunnel on a wire: both families inside and outside, many peers, endpoints that move or stay."""
import os
import socket
import subprocess
import threading

import pytest
from conftest import PORT, client_profile, port_of, server_profile

from harness.host import run
from harness.network import answered, ping, pings, udp_socket
from harness.profile import peer, profile
from harness.waiting import wait_for


@pytest.mark.parametrize("outside", ["10.0.2.8", "[fd02::8]"])
def test_both_families_pass_inside_over_either_outside(pair, tunnels, outside):
    tunnels.run("server", server_profile())
    tunnels.run("lab", client_profile(f"{outside}:{PORT}"))
    assert pings("u", "192.168.53.98") and pings("u", "fd53::98")
    assert answered(ping("server", "192.168.53.99", "-s", "1300", count=3)) == 3
    assert answered(ping("server", "fd53::99", "-s", "1300", count=3)) == 3
    seen = tunnels.peer("server", "u")
    assert seen["endpoint-source"] == "learned" and seen["health"] == "healthy"
    address = "10.0.2.7" if "." in outside else "[fd02::7]"
    assert seen["endpoint"] == f"{address}:{tunnels.client.status('lab')['listen-port']}"
    assert tunnels.peer("lab", "server")["endpoint"] == f"{outside}:{PORT}"

    def count_the_same():
        ours, theirs = tunnels.peer("lab", "server"), tunnels.peer("server", "u")
        return ours["tx-packets"] == theirs["rx-packets"] and ours["rx-packets"] == theirs["tx-packets"]

    wait_for(count_the_same, "both ends have counted the same packets")


def test_several_addresses_and_networks_behind_one_interface(pair, tunnels):
    more = [f"10.77.{i}.1/24" for i in range(5)] + [f"fd77:{i}::1/64" for i in range(5)]
    networks = [f"10.77.{i}.0/24" for i in range(5)] + [f"fd77:{i}::/64" for i in range(5)]
    tunnels.run("server", server_profile(address=["192.168.53.98/24", "fd53::98/64", *more]))
    tunnels.run("lab", client_profile(peers=[peer("server", "192.168.53.0/24", "fd53::/64", *networks,
                                                  endpoint=f"10.0.2.8:{PORT}")]))
    assert pings("u", "192.168.53.98")
    for address in more:
        assert pings("u", address.split("/")[0])


def test_many_clients_reach_each_other_only_as_the_server_allows(network, tunnels):
    clients = [1, 2, 3, 4, 5]
    network.host("server", *(f"c{i}" for i in clients))
    for i in clients:
        network.wire((f"c{i}", "eth0", f"10.0.{i}.2/24"), ("server", f"eth{i}", f"10.0.{i}.1/24"))
    # The fifth may send only from another address than it has.
    peers = [peer(f"c{i}", f"192.168.53.{i}/32") for i in clients[:-1]] + [peer("c5", "192.168.53.55/32")]
    server = dict(address=["192.168.53.98/24"], peers=peers)
    tunnels.run("server", server_profile(**server))
    for i in clients:
        tunnels.run(f"c{i}", profile(name="tun0", address=f"192.168.53.{i}/24", netns=f"c{i}",
                                     peers=[peer("server", "192.168.53.0/24", endpoint=f"10.0.{i}.1:{PORT}")]))
    for i in clients[:-1]:
        assert pings(f"c{i}", "192.168.53.98")
    assert not answered(ping("c5", "192.168.53.98", seconds=1))
    tunnels.wait_drop("server", "unknown-sender", "192.168.53.5 -> 192.168.53.98")

    assert not answered(ping("c1", "192.168.53.2", seconds=1)), "the server does not forward"
    tunnels.rerun("server", server_profile(routing={"forwarding": True}, **server))
    for i in clients[:-1]:
        assert pings(f"c{i}", "192.168.53.98")
    for i in clients[:-1]:
        for j in clients[:-1]:
            if i != j:
                assert "ttl=63" in ping(f"c{i}", f"192.168.53.{j}")
    assert not answered(ping("c1", "192.168.53.5", seconds=1)), "nobody has that address"
    tunnels.wait_drop("server", "no-peer")


def test_a_learned_peer_is_followed_to_its_new_port_and_its_new_address(pair, tunnels):
    tunnels.run("server", server_profile())
    tunnels.run("lab", client_profile())
    assert pings("u", "192.168.53.98")
    first = tunnels.peer("server", "u")["endpoint"]

    tunnels.client.stop("lab")
    with port_of("u", first):
        tunnels.client.start("lab")  # with another port; a restart would keep it
    assert pings("u", "192.168.53.98")
    port = tunnels.client.status("lab")["listen-port"]
    assert f"10.0.2.7:{port}" != first
    tunnels.wait_endpoint("server", "u", f"10.0.2.7:{port}")

    run("ip", "address", "add", "10.0.2.77/24", "dev", "eth0", netns="u")
    run("ip", "address", "delete", "10.0.2.7/24", "dev", "eth0", netns="u")  # the other takes its place or goes too
    run("ip", "address", "replace", "10.0.2.77/24", "dev", "eth0", netns="u")
    assert pings("u", "192.168.53.98") and pings("server", "192.168.53.99")
    tunnels.wait_endpoint("server", "u", f"10.0.2.77:{port}")


def test_a_peer_with_a_configured_endpoint_does_not_move(pair, tunnels):
    run("ip", "address", "add", "10.0.2.77/24", "dev", "eth0", netns="u")
    tunnels.run("server", server_profile(peers=[peer("u", "192.168.53.99/32", endpoint="10.0.2.7:5555")]))
    tunnels.run("lab", client_profile(listen_port=5555))
    assert pings("u", "192.168.53.98")
    tunnels.rerun("lab", client_profile(listen_port=5556))
    assert not answered(ping("u", "192.168.53.98", seconds=1))
    assert tunnels.peer("server", "u")["endpoint"] == "10.0.2.7:5555"
    assert tunnels.wait_drop("server", "endpoint-mismatch").endswith("from 10.0.2.7:5556")


def test_the_answer_leaves_from_the_address_the_question_came_to(pair, tunnels):
    run("ip", "address", "add", "10.0.2.9/24", "dev", "eth0", netns="server")
    tunnels.run("server", server_profile())
    tunnels.run("lab", client_profile(f"10.0.2.9:{PORT}"))
    assert pings("u", "192.168.53.98"), "the client hears only its endpoint"


@pytest.fixture
def hosts_file(tmp_path):
    """/etc/hosts as the test writes it; the real one is back afterwards."""
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", str(path), "/etc/hosts"], check=True)
    yield path
    subprocess.run(["umount", "--lazy", "/etc/hosts"], check=True)  # somebody may be reading it


def test_an_endpoint_given_by_name_is_found_also_when_the_name_appears_late(pair, tunnels, hosts_file):
    tunnels.run("server", server_profile())
    hosts_file.write_text("127.0.0.1 localhost\n10.0.2.8 server.example\n")
    tunnels.run("lab", client_profile(f"server.example:{PORT}"))
    assert pings("u", "192.168.53.98")
    seen = tunnels.peer("lab", "server")
    assert seen["configured-endpoint"] == f"server.example:{PORT}"
    assert (seen["endpoint"], seen["endpoint-source"]) == (f"10.0.2.8:{PORT}", "resolved")

    tunnels.rerun("lab", client_profile(f"late.example:{PORT}"))
    wait_for(lambda: tunnels.peer("lab", "server")["reason"]["code"] == "unresolved", "the name is not found")
    ping("u", "192.168.53.98", seconds=1)
    tunnels.wait_drop("lab", "no-endpoint")
    hosts_file.write_text("127.0.0.1 localhost\n10.0.2.8 late.example\n")
    wait_for(lambda: tunnels.peer("lab", "server")["endpoint"] == f"10.0.2.8:{PORT}", "the name is found")
    assert pings("u", "192.168.53.98")


def answer_names(server, address):
    """A name server that gives every name the one IPv4 address, and no IPv6 one (RFC 1035)."""
    while True:
        try:
            query, asker = server.recvfrom(512)
        except OSError:
            return
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4:end - 2] == b"\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address) if is_a else b""
        server.sendto(query[:2] + b"\x81\x80\0\1" + bytes([0, is_a, 0, 0, 0, 0]) + query[12:end] + answer, asker)


def test_names_are_asked_where_the_socket_is(pair, tunnels, tmp_path):
    """The only name server listens on host u's own loopback."""
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.77\n")
    subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
    with udp_socket("u", "127.0.0.77", 53) as server:
        server.settimeout(None)
        threading.Thread(target=answer_names, args=(server, "10.0.2.8"), daemon=True).start()
        try:
            tunnels.run("server", server_profile())
            tunnels.run("lab", client_profile(f"server.example:{PORT}"))
            tunnels.wait_endpoint("lab", "server", f"10.0.2.8:{PORT}")
            assert pings("u", "192.168.53.98")
        finally:
            subprocess.run(["umount", "--lazy", "/etc/resolv.conf"], check=True)


def test_a_tunnel_between_a_new_namespace_and_the_host_outside(tunnels):
    """netns create: the interface inside, the socket with the daemon."""
    tunnels.run("server", profile(name="tun0", address=["192.168.53.98/24"], listen_port=PORT,
                                  peers=[peer("box", "192.168.53.99/32")]))
    tunnels.run("box", profile(name="tun0", address=["192.168.53.99/24"], netns={"mode": "create", "name": "box"},
                               peers=[peer("server", "192.168.53.0/24", endpoint=f"127.0.0.1:{PORT}")]))
    assert pings("box", "192.168.53.98")
    assert os.path.exists("/run/netns/box")
    tunnels.client.stop("box")
    assert not os.path.exists("/run/netns/box")
