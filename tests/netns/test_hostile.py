"""Anything at all arrives at the server's port: each datagram is a counted drop with its reason, and traffic passes."""
import os

import pytest
from conftest import PORT, client_profile, server_profile

from harness.host import run
from harness.network import inside, pings, resident_bytes, udp_rows, udp_socket
from harness.packets import ethernet, ipv4, ipv6, udp
from harness.profile import peer
from harness.waiting import wait_for

SERVER = ("10.0.2.8", PORT)
GOOD = ipv4("192.168.53.99", "192.168.53.98", udp(1, 9, b"x" * 40))
GOOD_6 = ipv6("fd53::99", "fd53::98", udp(1, 9, b"x" * 40))
FROM_NOBODY = ipv4("10.66.6.6", "192.168.53.98", udp(1, 9))
SLACK = 4 << 20  # bytes the session may grow by under a flood


@pytest.fixture
def attacked(pair, tunnels):
    """A tunnel that works, with a second peer of the server whose endpoint is configured, and a stranger on the wire."""
    run("ip", "address", "add", "10.0.2.66/24", "dev", "eth0", netns="u")
    tunnels.run("server", server_profile(peers=[peer("u", "192.168.53.99/32", "fd53::99/128"),
                                                peer("fixed", "192.168.53.50/32", endpoint="10.0.2.50:7000")]))
    tunnels.run("lab", client_profile())
    assert pings("u", "192.168.53.98")
    yield tunnels
    assert pings("u", "192.168.53.98") and pings("u", "fd53::98"), "traffic still passes"


def counted_once(tunnels, reason, send):
    """send() makes this drop, one more, and no other."""
    # The kernel's own multicast goes nowhere in a TUN, at any time.
    before = {key: count for key, (count, _) in tunnels.drops("server").items() if key != "no-peer"}
    send()
    expected = {**before, reason: before.get(reason, 0) + 1}

    def counted():
        now = {key: count for key, (count, _) in tunnels.drops("server").items() if key != "no-peer"}
        return now == expected or (now != before and pytest.fail(f"counted {now}, not {expected}"))

    wait_for(counted, f"one more {reason}")
    return tunnels.drops("server")[reason][1]


MALFORMED = {
    "empty": b"",
    "one byte of an IPv4 packet": b"\x45",
    "one byte of an IPv6 packet": b"\x60",
    "the lab's five bytes": b"evian",
    "text": b"GET / HTTP/1.1\r\nHost: server\r\n\r\n",
    "version 5": b"\x55" + GOOD[1:],
    "a header of 16 bytes": b"\x44" + GOOD[1:],
    "a header longer than the packet": b"\x4f" + GOOD[1:30],
    "IPv4 cut in its header": GOOD[:19],
    "IPv4 cut in its payload": GOOD[:-1],
    "IPv4 with bytes behind its end": GOOD + b"\0",
    "IPv4 of total length 0": ipv4("192.168.53.99", "192.168.53.98", b"x" * 20, total=0),
    "IPv4 of total length 65535": ipv4("192.168.53.99", "192.168.53.98", b"x" * 20, total=65535),
    "IPv6 cut in its header": GOOD_6[:39],
    "IPv6 cut in its payload": GOOD_6[:-1],
    "IPv6 with bytes behind its end": GOOD_6 + b"\0",
    "IPv6 that claims a jumbo payload": ipv6("fd53::99", "fd53::98", b"x" * 20, length=0),
    "the largest datagram there is": b"\xff" * 65507,
}


def test_a_datagram_that_is_no_whole_packet_is_malformed(attacked):
    with udp_socket("u", "10.0.2.66", 6666) as stranger:
        for what, datagram in MALFORMED.items():
            last = counted_once(attacked, "malformed", lambda: stranger.sendto(datagram, SERVER))
            assert "10.0.2.66:6666" in last, f"{what}: {last}"


def test_a_whole_packet_is_refused_with_the_reason_that_fits_its_sender(attacked):
    client_port = attacked.client.status("lab")["listen-port"]
    with udp_socket("u", "10.0.2.66", 6666) as stranger:
        last = counted_once(attacked, "unknown-sender", lambda: stranger.sendto(FROM_NOBODY, SERVER))
        assert last == "10.66.6.6 -> 192.168.53.98 from 10.0.2.66:6666"
        claims_fixed = ipv4("192.168.53.50", "192.168.53.98", udp(1, 9))
        last = counted_once(attacked, "endpoint-mismatch", lambda: stranger.sendto(claims_fixed, SERVER))
        assert last == "192.168.53.50 -> 192.168.53.98 from 10.0.2.66:6666"
    attacked.client.stop("lab")
    with udp_socket("u", "10.0.2.7", client_port) as from_the_peer:
        last = counted_once(attacked, "source-not-allowed", lambda: from_the_peer.sendto(FROM_NOBODY, SERVER))
        assert last == f"10.66.6.6 -> 192.168.53.98 from 10.0.2.7:{client_port}"
    attacked.client.start("lab")
    assert attacked.peer("server", "fixed")["endpoint"] == "10.0.2.50:7000"


def test_the_source_of_a_configured_peer_cannot_be_borrowed_by_another_packet(attacked):
    """A learned peer's packet from the configured endpoint of another does not move the learned one there."""
    run("ip", "address", "add", "10.0.2.50/24", "dev", "eth0", netns="u")
    before = attacked.peer("server", "u")["endpoint"]
    with udp_socket("u", "10.0.2.50", 7000) as fixed:
        last = counted_once(attacked, "source-not-allowed", lambda: fixed.sendto(GOOD, SERVER))
        assert last == "192.168.53.99 -> 192.168.53.98 from 10.0.2.50:7000"
    assert attacked.peer("server", "u")["endpoint"] == before


def test_a_learned_peer_does_not_move_to_a_public_address(attacked):
    run("ip", "address", "add", "9.9.9.9/32", "dev", "eth0", netns="u")
    run("ip", "route", "add", "9.9.9.9/32", "dev", "eth0", netns="server")
    before = attacked.peer("server", "u")["endpoint"]
    with udp_socket("u", "9.9.9.9", 6666) as public:
        last = counted_once(attacked, "public-plaintext", lambda: public.sendto(GOOD, SERVER))
        assert last == "192.168.53.99 -> 192.168.53.98 from 9.9.9.9:6666"
    assert attacked.peer("server", "u")["endpoint"] == before


def lost_in_the_kernel():
    """Datagrams that the server's socket, or the queue before it, had no room for."""
    with inside("server"):
        with open("/proc/thread-self/net/dev", encoding="ascii") as file:
            queue = next(int(line.split(":")[1].split()[3]) for line in file if line.split(":")[0].strip() == "eth0")
    return queue + sum(int(row[12]) for row in udp_rows("server", PORT))


def flood(tunnels, datagrams, count):
    """Sends `count` of them in turn; all are counted, here or by the kernel."""
    names = ("malformed", "unknown-sender", "source-not-allowed", "endpoint-mismatch")

    def seen():
        drops = tunnels.drops("server")
        return sum(drops.get(name, (0, ""))[0] for name in names) + lost_in_the_kernel()

    before = seen()
    with udp_socket("u", "10.0.2.66", 6666) as stranger:
        for i in range(count):
            stranger.sendto(datagrams[i % len(datagrams)], SERVER)
    wait_for(lambda: seen() - before == count, f"{count} drops are counted")


def test_a_flood_is_counted_to_the_last_datagram_and_takes_no_memory(attacked):
    pid = attacked.client.status("server")["pid"]
    datagrams = [*MALFORMED.values(), FROM_NOBODY, ipv4("192.168.53.50", "1.1.1.1", udp(1, 9))]
    flood(attacked, datagrams, 2000)
    before = resident_bytes(pid)
    flood(attacked, datagrams[:-3], 20000)
    flood(attacked, [os.urandom(size) for size in range(1, 1400, 7)], 5000)
    assert resident_bytes(pid) - before < SLACK
    assert attacked.client.status("server")["pid"] == pid and attacked.client.status("server")["health"] == "healthy"


def test_packets_for_a_closed_port_of_the_peer_do_not_stop_the_server(attacked):
    """The kernel hands the ICMP errors to the server's socket: they are taken off, not tripped over."""
    attacked.client.stop("lab")
    with udp_socket("server", "192.168.53.98") as sender:
        for _ in range(2000):
            sender.sendto(b"x" * 100, ("192.168.53.99", 9))
    attacked.client.start("lab")
    assert pings("u", "192.168.53.98")


U_MAC, SERVER_MAC, STRANGE_MAC = "02:00:00:00:53:63", "02:00:00:00:53:62", "02:00:00:00:66:66"
FRAME = ethernet(STRANGE_MAC, SERVER_MAC, ipv4("192.168.53.66", "192.168.53.98", udp(1, 9)))
BAD_FRAMES = {
    "empty": b"",
    "thirteen bytes": FRAME[:13],
    "sent by a group": ethernet("ff:ff:ff:ff:ff:ff", SERVER_MAC, b"x" * 46),
}


def test_frames_of_nobody_and_no_frames_at_all(pair, tunnels):
    run("ip", "address", "add", "10.0.2.66/24", "dev", "eth0", netns="u")
    tunnels.run("server", server_profile(kind="tap", name="tap0", mac=SERVER_MAC,
                                         peers=[peer("u", endpoint="10.0.2.7:5555")]))
    tunnels.run("lab", client_profile(kind="tap", name="tap0", mac=U_MAC, listen_port=5555,
                                      peers=[peer("server", endpoint=f"10.0.2.8:{PORT}")]))
    assert pings("u", "192.168.53.98")
    with udp_socket("u", "10.0.2.66", 6666) as stranger:
        for what, datagram in BAD_FRAMES.items():
            last = counted_once(tunnels, "malformed", lambda: stranger.sendto(datagram, SERVER))
            assert "10.0.2.66:6666" in last, f"{what}: {last}"
        last = counted_once(tunnels, "unknown-sender", lambda: stranger.sendto(FRAME, SERVER))
        assert "from 10.0.2.66:6666" in last
    pid = tunnels.client.status("server")["pid"]
    flood(tunnels, [FRAME, *BAD_FRAMES.values()], 1000)
    before = resident_bytes(pid)
    # A new Ethernet address in each.
    flood(tunnels, [FRAME[:6] + b"\x02" + os.urandom(5) + FRAME[12:] for _ in range(5000)], 10000)
    assert resident_bytes(pid) - before < SLACK
    assert pings("u", "192.168.53.98")
