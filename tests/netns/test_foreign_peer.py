"""The lab's own Python programs at the other end: a select loop, os.read and sendto, no framing."""
import os
import sys

import pytest
from conftest import PORT, client_profile, port_of, server_profile

from harness.host import run
from harness.network import answered, ping, pings, process, tcp_connect, tcp_listener, udp_socket
from harness.packets import checksum, echo_request, ethernet
from harness.profile import peer
from harness.waiting import wait_for

LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab")


def naive(role, kind, netns):
    """The program, running, its interface up."""
    return process(sys.executable, "-B", os.path.join(LAB, f"naive_{role}.py"), kind, netns=netns)


def our_client(kind):
    allowed = ["192.168.53.0/24"] if kind == "tun" else []
    return client_profile(kind=kind, name=f"{kind}0", address="192.168.53.99/24",
                          peers=[peer("server", *allowed, endpoint=f"10.0.2.8:{PORT}")])


def our_server(kind):
    allowed = ["192.168.53.99/32"] if kind == "tun" else []
    return server_profile(kind=kind, name=f"{kind}0", address="192.168.53.98/24", peers=[peer("u", *allowed)])


def wait_interface(netns):
    wait_for(lambda: "LOWER_UP" in run("ip", "link", "show", "naive0", netns=netns, check=False), "naive0 is up")


def read_all(connection, size):
    block = b""
    while len(block) < size:
        part = connection.recv(size - len(block))
        assert part, f"ended after {len(block)} bytes"
        block += part
    return block


def exchange(listening, address, connecting):
    """A line there, a line back, then 200 kB both ways, from one host to the other."""
    with tcp_listener(listening, address, 2323) as listener, tcp_connect(connecting, address, 2323) as client:
        served, _ = listener.accept()
        served.settimeout(60)
        with served:
            client.sendall(b"login: seed\n")
            assert read_all(served, 12) == b"login: seed\n"
            served.sendall(b"Password: \n")
            assert read_all(client, 11) == b"Password: \n"
            data = os.urandom(20000)
            for _ in range(10):
                client.sendall(data)
                assert read_all(served, len(data)) == data
                served.sendall(data)
                assert read_all(client, len(data)) == data


@pytest.mark.parametrize("kind", ["tun", "tap"])
def test_our_server_and_the_naive_client(pair, tunnels, kind):
    tunnels.run("server", our_server(kind))
    with naive("client", kind, "u") as client:
        wait_interface("u")
        assert pings("u", "192.168.53.98") and pings("server", "192.168.53.99")
        assert answered(ping("u", "192.168.53.98", "-s", "1400", count=3)) == 3
        exchange("server", "192.168.53.98", "u")
        exchange("u", "192.168.53.99", "server")
        assert client.poll() is None
        assert tunnels.peer("server", "u")["endpoint"].startswith("10.0.2.7:")
    first = tunnels.peer("server", "u")["endpoint"]
    with port_of("u", first), naive("client", kind, "u"):
        wait_interface("u")
        assert pings("u", "192.168.53.98"), "the second run has another port, and with TAP another MAC"
        assert tunnels.peer("server", "u")["endpoint"] != first


@pytest.mark.parametrize("kind", ["tun", "tap"])
def test_our_client_and_the_naive_server(pair, tunnels, kind):
    with naive("server", kind, "server") as server:
        wait_interface("server")
        tunnels.run("lab", our_client(kind))
        assert pings("u", "192.168.53.98") and pings("server", "192.168.53.99")
        assert answered(ping("u", "192.168.53.98", "-s", "1400", count=3)) == 3
        exchange("server", "192.168.53.98", "u")
        exchange("u", "192.168.53.99", "server")
        tunnels.client.stop("lab")
        tunnels.client.start("lab")
        assert pings("u", "192.168.53.98"), "the server answers to the port it saw last"
        assert server.poll() is None
        assert tunnels.peer("lab", "server")["health"] == "healthy"


def test_a_datagram_is_the_packet_and_nothing_else(pair, tunnels):
    tunnels.run("server", our_server("tun"))
    question = echo_request("192.168.53.99", "192.168.53.98", b"evian" * 10, number=7)
    with udp_socket("u", "10.0.2.7") as client:
        client.sendto(question, ("10.0.2.8", PORT))
        answer, sender = client.recvfrom(2048)
    assert sender == ("10.0.2.8", PORT)
    assert len(answer) == len(question)
    assert answer[12:20] == question[16:20] + question[12:16], "source and destination change places"
    assert answer[20] == 0 and answer[24:] == question[24:], "an echo reply with what was sent"
    assert checksum(answer[:20]) == 0 and checksum(answer[20:]) == 0


def test_a_datagram_is_the_frame_and_nothing_else(pair, tunnels):
    tunnels.run("server", our_server("tap"))
    ours = "02:00:00:00:53:63"
    who_has = bytes.fromhex("0001080006040001" + "020000005363") + bytes([192, 168, 53, 99]) + bytes(6) + bytes(
        [192, 168, 53, 98])
    with udp_socket("u", "10.0.2.7") as client:
        client.sendto(ethernet(ours, "ff:ff:ff:ff:ff:ff", who_has, kind=0x0806), ("10.0.2.8", PORT))
        reply = wait_for(lambda: (got := client.recv(2048))[12:14] == b"\x08\x06" and got, "an ARP frame")
    server_mac = bytes.fromhex(run("cat", "/sys/class/net/tap0/address", netns="server").strip().replace(":", ""))
    assert reply[:12] == bytes.fromhex("020000005363") + server_mac
    assert reply[14:22] == bytes.fromhex("0001080006040002")
    assert reply[22:32] == server_mac + bytes([192, 168, 53, 98]) and len(reply) == 42
