"""vpnctl capture -w: a file that tshark reads, inner and outer packets paired; vpnctl inject appears in it."""
import json
import os
import re
import subprocess

import pytest
from conftest import PORT, client_profile, server_profile

from harness import program
from harness.host import run
from harness.network import answered, ping, pings, process, udp_socket
from harness.profile import peer
from harness.waiting import wait_for


@pytest.fixture
def vpnctl(pair, tunnels):
    def call(*arguments, check=True):
        done = subprocess.run([program("vpnctl"), *arguments], env=tunnels.manager.environment(), capture_output=True,
                              text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    return call


def start(tunnels, kind="tun"):
    allowed = ["192.168.53.0/24", "fd53::/64"] if kind == "tun" else []
    back = ["192.168.53.99/32", "fd53::99/128"] if kind == "tun" else []
    tunnels.run("server", server_profile(kind=kind, name=f"{kind}0", peers=[peer("u", *back)]))
    tunnels.run("lab", client_profile(kind=kind, name=f"{kind}0",
                                      peers=[peer("server", *allowed, endpoint=f"10.0.2.8:{PORT}")]))
    assert pings("u", "192.168.53.98") and pings("u", "fd53::98")


LAST = b"the last"  # what the datagram says that ends the traffic: so short that a cut one has it all


def captured(tunnels, path, traffic, *options):
    """Runs traffic() while a capture of tunnel lab is written to path, until all of it is there."""
    def is_complete():
        with open(path, "rb") as file:
            return file.read().count(LAST) >= 2

    with process(program("vpnctl"), "capture", "lab", "-w", path, *options, env=tunnels.manager.environment()) as capture:
        wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the capture has begun")
        traffic()
        with udp_socket("server", "192.168.53.98") as receiver, udp_socket("u", "192.168.53.99") as sender:
            sender.sendto(LAST, receiver.getsockname())
            wait_for(is_complete, "the last packet is there, inside and outside")
    assert capture.returncode in (0, -15)


def read(path):
    """[{field: value}] of every packet; fails when tshark has anything to complain about."""
    fields = ["frame.interface_id", "frame.interface_name", "frame.comment", "frame.len", "frame.cap_len",
              "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "udp.length", "icmp.type",
              "icmpv6.type", "frame.time_epoch"]
    words = [word for field in fields for word in ("-e", field)]
    done = subprocess.run(["tshark", "-n", "-r", path, "-T", "json", *words], capture_output=True, text=True, timeout=60,
                          check=False)
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert done.returncode == 0 and not complaints, done.stderr
    packets = [entry["_source"].get("layers", {}) for entry in json.loads(done.stdout or "[]")]
    packets = [{field: values[0] for field, values in packet.items()} for packet in packets]
    # What the kernel says after the last one may be there by half.
    last = next(int(pair_of(packet)[0]) for packet in packets if packet.get("udp.length") == str(8 + len(LAST)))
    return [packet for packet in packets if not pair_of(packet) or int(pair_of(packet)[0]) <= last]


def pair_of(packet):
    """Number and direction; a flooded frame names no peer, its datagrams do."""
    found = re.match(r"pair (\d+), (?:peer server, )?(in|out)", packet.get("frame.comment", ""))
    return found.groups() if found else None


@pytest.mark.parametrize("kind", ["tun", "tap"])
def test_every_packet_is_there_twice_inside_and_outside_tied_by_a_comment(pair, tunnels, tmp_path, kind):
    start(tunnels, kind)
    path = str(tmp_path / "trace.pcapng")

    def traffic():
        assert answered(ping("u", "192.168.53.98", count=5)) == 5
        assert answered(ping("u", "fd53::98", count=2)) == 2

    captured(tunnels, path, traffic)
    packets = read(path)
    pairs = {}
    for packet in packets:
        if key := pair_of(packet):
            pairs.setdefault(key, {})[packet["frame.interface_id"]] = packet
    assert all(set(both) == {"0", "1"} for both in pairs.values()), [both for both in pairs.values() if len(both) < 2]
    echo = [(key, both) for key, both in pairs.items() if "icmp.type" in both["0"]]
    assert [both["0"]["icmp.type"] for _, both in echo] == ["8", "0"] * 5
    assert [both["0"]["icmpv6.type"] for _, both in pairs.items()
            if both["0"].get("icmpv6.type") in ("128", "129")] == ["128", "129"] * 2
    port = str(tunnels.client.status("lab")["listen-port"])
    for (_, way), both in echo:
        inner, outer = both["0"], both["1"]
        assert "peer server" in inner["frame.comment"] and "peer server" in outer["frame.comment"]
        there, back = ("192.168.53.99", "10.0.2.7", port), ("192.168.53.98", "10.0.2.8", str(PORT))
        source, target = (there, back) if way == "out" else (back, there)
        assert (inner["ip.src"], outer["ip.src"], outer["udp.srcport"]) == source
        assert (inner["ip.dst"], outer["ip.dst"], outer["udp.dstport"]) == target
        assert int(outer["frame.len"]) == int(inner["frame.len"]) + 28
        assert int(outer["frame.cap_len"]) == int(outer["frame.len"])
    assert float(packets[0]["frame.time_epoch"]) > 1.6e9


def test_dropped_and_injected_packets_are_marked(vpnctl, tunnels, tmp_path):
    start(tunnels)
    path = str(tmp_path / "trace.pcapng")

    def traffic():
        vpnctl("inject", "lab", "--icmp", "1.2.3.4", "192.168.53.99", "--payload", "hello")
        vpnctl("inject", "lab", "--text", "evian")
        run("ip", "route", "add", "192.168.77.0/24", "dev", "tun0", netns="u")
        ping("u", "192.168.77.1", seconds=1)

    captured(tunnels, path, traffic)
    packets = read(path)
    injected = [packet for packet in packets if "injected" in packet.get("frame.comment", "")]
    assert [packet["frame.interface_id"] for packet in injected] == ["0", "0"]
    assert (injected[0]["ip.src"], injected[0]["ip.dst"], injected[0]["icmp.type"]) == ("1.2.3.4", "192.168.53.99", "8")
    assert injected[1]["frame.len"] == "5"
    dropped = [packet for packet in packets if packet.get("frame.comment") == "dropped: no-peer" and "ip.dst" in packet]
    assert dropped and dropped[0]["ip.dst"] == "192.168.77.1" and dropped[0]["frame.interface_id"] == "0"


def test_an_injected_packet_is_answered_by_the_host_as_if_it_had_come_from_the_peer(vpnctl, tunnels):
    start(tunnels)
    before = tunnels.peer("server", "u")["rx-packets"]
    vpnctl("inject", "lab", "--icmp", "192.168.53.98", "192.168.53.99")
    wait_for(lambda: tunnels.peer("server", "u")["rx-packets"] > before, "the echo reply leaves through the tunnel")


def test_a_capture_cut_to_a_length_says_what_it_left_out(pair, tunnels, tmp_path):
    start(tunnels)
    path = str(tmp_path / "trace.pcapng")
    captured(tunnels, path, lambda: ping("u", "192.168.53.98", "-s", "1000"), "--snaplen", "64")
    sizes = {(packet["frame.interface_id"], packet["frame.len"], packet["frame.cap_len"]) for packet in read(path)
             if int(packet["frame.len"]) > 1000}
    assert sizes == {("0", "1028", "64"), ("1", "1056", "64")}


def test_a_capture_in_text_names_both_layers(pair, tunnels, tmp_path):
    start(tunnels)
    log = str(tmp_path / "text")
    with process(program("vpnctl"), "capture", "lab", log=log, env=tunnels.manager.environment()):
        def seen():
            ping("u", "192.168.53.98")
            with open(log, encoding="utf-8") as file:
                return re.search(
                    r"From tun ==>: 192\.168\.53\.99 --> 192\.168\.53\.98 ICMP echo request id \d+ seq 1 ttl 64\n"
                    r" +in UDP 10\.0\.2\.7:\d+ -> 10\.0\.2\.8:9090, 20 IP \+ 8 UDP \+ 84 = 112 bytes", file.read())

        wait_for(seen, "a ping and its datagram are shown")
