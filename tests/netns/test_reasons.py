"""Why a peer cannot be reached, as far as ICMP and clocks tell, in the words of Status and vpnctl."""
import os
import socket
import struct
import subprocess
import time

import pytest
from conftest import PORT, client_profile, server_profile
from test_wireguard import Ends

from harness import program
from harness.host import run
from harness.network import Pings, add_route, inside, ping, pings, udp_rows, udp_socket
from harness.packets import checksum, ipv4, udp
from harness.profile import peer
from harness.waiting import wait_for


@pytest.fixture
def ends():
    return Ends()


def client_of(ends, endpoint):
    """Host u's end, over either transport."""
    if ends:
        return ends.client(endpoint)
    return client_profile(endpoint)


def server_of(ends):
    return ends.at_server() if ends else server_profile()


def wait_reason(tunnels, name, peer_name, code):
    """The peer, once it has that reason; packets for it go out meanwhile."""
    inner, host = ("192.168.53.98", "u") if name == "lab" else ("192.168.53.99", "server")

    def has_reason():
        ping(host, inner, seconds=1)
        shown = tunnels.peer(name, peer_name)
        return shown["reason"]["code"] == code and shown

    return wait_for(has_reason, f"{peer_name} is {code}")


def said(tunnels, *arguments):
    return subprocess.run([program("vpnctl"), *arguments], env=tunnels.manager.environment(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize("outside", ["10.0.2.8", "fd02::8"])
@pytest.mark.parametrize("transport", ["plain", "wireguard"])
def test_a_closed_port_is_told_by_the_host_there_until_it_opens(pair, tunnels, transport, outside):
    ends = Ends() if transport == "wireguard" else None
    endpoint = f"[{outside}]:{PORT}" if ":" in outside else f"{outside}:{PORT}"
    tunnels.run("lab", client_of(ends, endpoint))
    server = wait_reason(tunnels, "lab", "server", "refused")
    assert (server["health"], server["refused-by"]) == ("failing", outside)
    sentence = "atagrams to peer server are refused: nothing listens on the port of its endpoint, says the host there (ICMP)"
    assert server["reason"]["text"] == "d" + sentence
    assert f"server: D{sentence}. The ICMP came from {outside}." in said(tunnels, "status", "lab")
    assert f"datagrams to peer server at {endpoint} are refused: ICMP from {outside}, port unreachable" in (
        tunnels.manager.log())
    tunnels.run("server", server_of(ends))
    wait_for(lambda: pings("u", "192.168.53.98") and tunnels.peer("lab", "server")["health"] == "healthy", "it runs")
    assert tunnels.peer("lab", "server")["refused-by"] == ""


def test_a_filter_at_the_server_is_told(pair, tunnels, ends):
    tunnels.run("server", ends.at_server())
    run("nft", "add table inet f; add chain inet f in { type filter hook input priority 0; }; "
        f"add rule inet f in udp dport {PORT} reject with icmpx admin-prohibited", netns="server")
    tunnels.run("lab", ends.client())
    server = wait_reason(tunnels, "lab", "server", "refused")
    assert "a filter does not let them through to its endpoint, says the host there" in server["reason"]["text"]
    assert server["refused-by"] == "10.0.2.8"


def test_a_router_and_this_host_are_told_apart(pair, tunnels, ends):
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", netns="server")
    add_route("u", "203.0.113.0/24", "via", "10.0.2.8")
    tunnels.run("lab", ends.client(f"203.0.113.7:{PORT}"))
    server = wait_reason(tunnels, "lab", "server", "refused")
    assert "no route leads to the address of its endpoint, says a router (ICMP)" in server["reason"]["text"]
    assert server["refused-by"] == "10.0.2.8"
    tunnels.rerun("lab", ends.client(f"10.0.2.77:{PORT}"))
    server = wait_reason(tunnels, "lab", "server", "refused")
    assert "no host answers at the address of its endpoint, says this host (ICMP)" in server["reason"]["text"]
    assert server["refused-by"] == "10.0.2.7"


def test_forged_icmp_touches_no_session(pair, tunnels, ends):
    tunnels.run("server", ends.at_server())
    tunnels.run("lab", ends.client())
    assert pings("u", "192.168.53.98")
    port = int(tunnels.peer("server", "u")["endpoint"].rpartition(":")[2])
    forged = struct.pack("!BBHI", 3, 3, 0, 0) + ipv4("10.0.2.7", "10.0.2.8", udp(port, PORT, b"x" * 8))
    forged = forged[:2] + struct.pack("!H", checksum(forged)) + forged[4:]
    with inside("server"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    # Asked from where the flood does not fill the buffer of ping itself, which is told of ICMP too.
    with raw, Pings("server", "192.168.53.99") as seen:
        for _ in range(40):
            before = icmp_received("u")
            for _ in range(500):
                raw.sendto(forged, ("10.0.2.7", 0))
            wait_for(lambda: icmp_received("u") >= before + 500 and not waiting("u", port), "no queue on the way is full",
                     interval=0.001)
    assert seen.answered == list(range(1, len(seen.answered) + 1)) and len(seen.answered) > 10, "no packet is lost to it"
    shown = tunnels.peer("lab", "server")
    assert (shown["state"], shown["health"], shown["refused-by"]) == ("fresh", "healthy", "")
    idle = cpu_seconds(tunnels.client.status("lab")["pid"])
    time.sleep(1)
    assert cpu_seconds(tunnels.client.status("lab")["pid"]) - idle < 0.5, "nothing is left that wakes the worker"


def icmp_received(netns):
    with inside(netns), open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        names, values = (line.split() for line in file if line.startswith("Icmp:"))
    return int(values[names.index("InMsgs")])


def waiting(netns, port):
    """Bytes in the queues of its UDP sockets there: datagrams, and what ICMP said of others."""
    return sum(int(row[4].split(":")[1], 16) for row in udp_rows(netns, port))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_peer_whose_clock_went_back_is_told_by_who_refuses_it(pair, tunnels, ends):
    """The peer's initiations of earlier come after a later one: what a clock that was set back would make."""
    with udp_socket("server", "10.0.2.8", PORT) as listener:
        tunnels.run("lab", ends.client())
        ping("u", "192.168.53.98", seconds=1)
        listener.settimeout(60)
        initiations = [listener.recv(2048) for _ in range(3)]
    tunnels.client.stop("lab")
    assert [len(initiation) for initiation in initiations] == [148] * 3
    tunnels.run("server", ends.at_server())
    with udp_socket("u", "10.0.2.7") as client:
        client.sendto(initiations[2], ("10.0.2.8", PORT))
        assert len(client.recv(2048)) == 92, "the latest is taken"
        client.sendto(initiations[0], ("10.0.2.8", PORT))
        wait_for(lambda: tunnels.drops("server").get("replayed", (0,))[0] == 1, "the first is refused")
        assert tunnels.peer("server", "u")["reason"]["code"] == "no-handshake", "one alone may have been late"
        client.sendto(initiations[1], ("10.0.2.8", PORT))
        wait_for(lambda: tunnels.peer("server", "u")["reason"]["code"] == "clock", "its clock is behind")
    assert "the clock of peer u is behind" in tunnels.peer("server", "u")["reason"]["text"]
    assert tunnels.client.status("server")["health"] == "failing"
    tunnels.client.start("lab")
    assert pings("u", "192.168.53.98"), "with a right clock it is taken"
    wait_for(lambda: tunnels.peer("server", "u")["reason"]["code"] == "", "and nothing is said")


def test_our_own_clock_is_suspected_when_nobody_answers(pair, tunnels, ends):
    with udp_socket("server", "10.0.2.8", PORT):
        tunnels.run("lab", ends.client())
        text = wait_reason(tunnels, "lab", "server", "no-answer")["reason"]["text"]
        assert text.endswith("or our clock was set back")
        os.makedirs("/run/systemd/timesync")
        text = wait_reason(tunnels, "lab", "server", "no-answer")["reason"]["text"]
        assert text.endswith("or our clock was set back (it is not synchronised)")
        with open("/run/systemd/timesync/synchronized", "wb"):
            pass
        path = tunnels.manager.write_profile("lab", ends.client())
        os.utime(path, times=(time.time() + 86400, time.time() + 86400))
        tunnels.client.restart("lab")
        text = wait_reason(tunnels, "lab", "server", "clock")["reason"]["text"]
        assert "our clock is behind: it is earlier than the profile" in text
