"""Sessions with several workers: every flow whole and in order, whatever else goes on."""
import contextlib
import ctypes
import os
import re
import socket
import stat
import subprocess
import threading

import pytest
from conftest import CLIENT, PORT, SERVER, client_profile, server_profile
from test_restart import WAYS, identity, undisturbed
from test_wireguard import Ends

from harness import program
from harness.flows import Flows
from harness.host import run
from harness.network import Pings, pings, process
from harness.profile import peer, profile
from harness.relay import Relay
from harness.stopped_thread import threads
from harness.transfer import Transfer
from harness.waiting import wait_for
from harness.wireguard import Keys

ENDS = [(("u", CLIENT), ("server", SERVER))]
PEERS = 12  # that all come to one of four workers is one in four millions


@pytest.fixture(name="pair")
def pair_in_order(pair):
    """On some kernels a thread that changes its processor overtakes on the wire what it sent before: one has it all."""
    for host in ("u", "server"):
        run("sh", "-c", "echo 1 > /sys/class/net/eth0/queues/rx-0/rps_cpus", netns=host)
    return pair


def run_pair(tunnels, kind="tun", encryption="none", workers=2):
    changes = dict(kind=kind, name=f"{kind}0", workers=workers)
    if encryption == "wireguard":
        ends = Ends()
        tunnels.run("server", ends.at_server(**changes))
        tunnels.run("lab", ends.client(**changes))
    elif kind == "tap":
        tunnels.run("server", server_profile(peers=[peer("u")], **changes))
        tunnels.run("lab", client_profile(peers=[peer("server", endpoint=f"10.0.2.8:{PORT}")], **changes))
    else:
        tunnels.run("server", server_profile(**changes))
        tunnels.run("lab", client_profile(**changes))
    assert pings("u", SERVER)


def workers_of(tunnels, name):
    """{thread: name}"""
    pid = tunnels.client.status(name)["pid"]
    return pid, {thread: called for thread, called in threads(pid).items() if called.startswith("vpntun-w")}


def queues_of(netns, interface):
    found = re.search(r"numqueues (\d+).*numdisabled (\d+)", run("ip", "-d", "link", "show", interface, netns=netns))
    return found and tuple(map(int, found.groups()))


KINDS = pytest.mark.parametrize("kind, encryption", [("tun", "none"), ("tun", "wireguard"), ("tap", "none")])


@KINDS
def test_no_flow_is_reordered_and_nothing_is_lost(pair, tunnels, kind, encryption):
    run_pair(tunnels, kind, encryption)
    for name in ("lab", "server"):
        assert len(workers_of(tunnels, name)[1]) == 2
        assert tunnels.client.status(name)["workers"] == 2
        session = f"org.vpntun1.session.{name}", "/org/vpntun1/session", "org.vpntun1.Session"
        assert tunnels.client.get(*session, "Workers") == 2
    with Flows(ENDS, count=16) as flows:
        flows.exchange()
        flows.arrive()


@KINDS
def test_streams_of_both_directions_arrive_whole(pair, tunnels, kind, encryption):
    run_pair(tunnels, kind, encryption)
    with contextlib.ExitStack() as stack:
        transfers = [stack.enter_context(Transfer(*ends, size=4 << 20, port=7000 + number))
                     for number, ends in enumerate([("u", "server", SERVER), ("server", "u", CLIENT)] * 3)]
    assert all(transfer.arrived() for transfer in transfers)


@pytest.mark.parametrize("encryption", ["none", "wireguard"])
def test_a_peer_that_moves_is_another_workers_and_goes_on(pair, tunnels, encryption):
    relay, ends = ("u", "10.0.2.7", 4000), Ends()
    wireguard = encryption == "wireguard"
    tunnels.run("server", ends.at_server(workers=4) if wireguard else server_profile(workers=4))
    tunnels.run("lab", (ends.client if wireguard else client_profile)("10.0.2.7:4000"))
    pid, workers = workers_of(tunnels, "server")
    handshakes, hearers = set(), set()
    for port in range(5000, 5000 + PEERS):
        with Relay(relay, ("u", "10.0.2.7", port), ("10.0.2.8", PORT), seed=0):
            assert pings("u", SERVER)
            tunnels.wait_endpoint("server", "u", f"10.0.2.7:{port}")
            before = {thread: switches(pid, thread) for thread in workers}
            with Flows(ENDS, count=2) as flows:
                flows.exchange(rounds=30)
                flows.arrive()
            hearers.add(max(workers, key=lambda thread: switches(pid, thread) - before[thread]))
        handshakes.add(tunnels.peer("server", "u")["latest-handshake-usec"])
    assert len(hearers) > 1, "it was several workers'"
    assert max(handshakes) - min(handshakes) < 500_000, "it was one session"


def inner(number, host):
    return f"10.60.{number}.{host}"


class Office:
    """A server with four workers, and clients at host u, each with a network of its own inside."""

    def __init__(self, tunnels, encryption):
        self.tunnels, self.encryption = tunnels, encryption
        self.server, self.keys = Keys(), [Keys() for _ in range(PEERS)]
        tunnels.run("server", self.at_server(PEERS))
        for number in range(PEERS):
            tunnels.run(f"c{number}", self.client(number))
            assert pings("u", inner(number, 1))

    def _profile(self, keys, **settings):
        if self.encryption == "wireguard":
            settings.update(encryption="wireguard", private_key=keys.private)
        return profile(**settings)

    def _peer(self, keys, *arguments, **settings):
        return peer(*arguments, **settings, **({"public_key": keys.public} if self.encryption == "wireguard" else {}))

    def at_server(self, count, **changes):
        known = [self._peer(self.keys[number], f"c{number}", f"{inner(number, 2)}/32") for number in range(count)]
        settings = dict(name="tun0", listen_port=PORT, netns="server", workers=4, peers=known,
                        address=[f"{inner(number, 1)}/24" for number in range(PEERS)])
        return self._profile(self.server, **{**settings, **changes})

    def client(self, number):
        there = self._peer(self.server, "server", f"{inner(number, 1)}/32", endpoint=f"10.0.2.8:{PORT}")
        return self._profile(self.keys[number], name=f"c{number}", address=f"{inner(number, 2)}/32", netns="u",
                             peers=[there])

    def ends(self, numbers):
        return [(("u", inner(number, 2)), ("server", inner(number, 1))) for number in numbers]


@pytest.fixture(params=["none", "wireguard"])
def office(pair, tunnels, request):
    return Office(tunnels, request.param)


def switches(pid, thread):
    """How often a thread has waited for something."""
    with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))


def test_all_peers_pass_traffic_through_several_workers(office):
    pid, workers = workers_of(office.tunnels, "server")
    assert len(workers) == 4 and queues_of("server", "tun0") == (4, 0)
    before = {thread: switches(pid, thread) for thread in workers}
    with Flows(office.ends(range(PEERS)), count=2) as flows:
        flows.exchange()
        flows.arrive()
    busy = [thread for thread in workers if switches(pid, thread) > before[thread] + 15]
    assert len(busy) > 1, f"{len(busy)} of 4 workers have done something"
    for number in range(PEERS):
        there = office.tunnels.peer("server", f"c{number}")
        assert there["health"] == "healthy" and there["rx-packets"] >= 600 and there["tx-packets"] >= 600


def test_peers_come_and_go_while_the_others_talk(office):
    stay = PEERS // 2
    with Flows(office.ends(range(stay)), count=2) as flows:
        talk = threading.Thread(target=flows.exchange, kwargs={"rounds": 300})
        talk.start()
        for count in (stay, PEERS, stay, PEERS):
            office.tunnels.reload("server", office.at_server(count))
        talk.join()
        flows.arrive()
    for number in range(stay, PEERS):
        office.tunnels.client.restart(f"c{number}")
        assert pings("u", inner(number, 1)), "it is back"


def test_another_number_of_workers_needs_a_restart(office):
    told = office.tunnels.reload("server", office.at_server(PEERS, workers=3))
    assert told["needs-restart"] == ["interface.workers"]
    assert office.tunnels.client.status("server")["workers"] == 4


def test_a_capture_has_the_packets_of_all_workers(office, tmp_path):
    path = str(tmp_path / "trace.pcapng")
    ends = [[socket.inet_aton(inner(number, host)) for host in (1, 2)] for number in range(PEERS)]
    pairs = [order for one, other in ends for order in (one + other, other + one)]
    times = 1 if office.encryption == "wireguard" else 2  # inside, and outside where it can be read

    def complete():
        with open(path, "rb") as file:
            text = file.read()
        return all(text.count(pair) >= times for pair in pairs)

    with process(program("vpnctl"), "capture", "server", "-w", path, env=office.tunnels.manager.environment()):
        wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the capture has begun")
        for number in range(PEERS):
            assert pings("u", inner(number, 1))
        wait_for(complete, "every peer is in it")
    # What came last may be there by half.
    sources = run("tshark", "-n", "-r", path, "-Y", "frame.interface_id == 0", "-T", "fields", "-e", "ip.src", check=False)
    assert set(sources.split()) >= {inner(number, host) for number in range(PEERS) for host in (1, 2)}


@WAYS
@pytest.mark.parametrize("encryption", ["none", "wireguard"])
def test_the_next_session_goes_on_with_all_queues_and_sockets(pair, tunnels, encryption, end):
    run_pair(tunnels, encryption=encryption)
    for name, netns in (("lab", "u"), ("server", "server")):
        before, pid = identity(tunnels, name), tunnels.client.status(name)["pid"]
        with undisturbed(netns), Pings("u", SERVER) as sent:
            end(tunnels, name)
        assert identity(tunnels, name) == before
        assert tunnels.client.status(name)["pid"] != pid
        assert queues_of(netns, "tun0") == (2, 0)
        if encryption == "none":  # else what was sealed for the session before is lost
            assert len(sent.answered) > 10 and sent.answered == list(range(1, sent.answered[-1] + 1)), "every single one"
    with Flows(ENDS, count=4) as flows:
        flows.exchange()
        flows.arrive()


def test_another_number_of_workers_makes_queues_and_sockets_anew(running):
    for workers in (3, 2, 1):
        running.rerun("server", server_profile(workers=workers))
        assert running.client.status("server")["workers"] == workers
        assert queues_of("server", "tun0") == ((workers, 0) if workers > 1 else None)
        assert pings("u", SERVER)
    for dropped, of_several in (("tun", "tun0 was made for several queues"), ("udp", f"it is one of several at port {PORT}")):
        for why in ("there are 1, not 3", "there are 3, not 2", of_several):
            assert f'stored descriptor "{dropped}" is dropped: {why}' in running.manager.log()


def copy_of_udp_socket(pid, port):
    """A copy of a socket of another process, as one that keeps descriptors has it."""
    getfd, whole = 438, os.pidfd_open(pid)
    for number in map(int, os.listdir(f"/proc/{pid}/fd")):
        copied = ctypes.CDLL(None, use_errno=True).syscall(getfd, whole, number, 0)
        if copied < 0:  # it was there for a moment only
            continue
        if not stat.S_ISSOCK(os.fstat(copied).st_mode):
            os.close(copied)
            continue
        copy = socket.socket(fileno=copied)
        if copy.type == socket.SOCK_DGRAM and copy.family == socket.AF_INET6 and copy.getsockname()[1] == port:
            os.close(whole)
            return copy
        copy.close()
    raise AssertionError(f"process {pid} has no socket at port {port}")


def test_a_port_is_waited_for_that_the_store_lets_go_of_a_moment_later(running):
    kept = copy_of_udp_socket(running.client.status("server")["pid"], PORT)
    letting_go = threading.Timer(1, kept.close)
    letting_go.start()
    running.rerun("server", server_profile(workers=2))
    letting_go.join()
    assert running.client.status("server")["workers"] == 2
    assert pings("u", SERVER)


def test_a_port_that_a_session_shares_among_its_workers_is_nobody_elses(pair, tunnels):
    run_pair(tunnels)
    for workers in (1, 2):
        tunnels.profile("second", server_profile(name="tun1", address="192.168.54.98/24", workers=workers,
                                                 peers=[peer("x", "192.168.54.0/24")]))
        refused = subprocess.run([program("vpnctl"), "start", "second"], env=tunnels.manager.environment(),
                                 capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode != 0 and f"UDP port {PORT} is in use" in refused.stderr
    assert pings("u", SERVER)
