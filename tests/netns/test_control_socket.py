"""wg(8) shows and sets running tunnels through their control sockets."""
import contextlib
import os
import signal
import socket
import stat
import subprocess
import tempfile
import time

import pytest
from conftest import CLIENT, PORT, SERVER
from test_reload import own_routes, reload
from test_wireguard import Ends

from harness import program
from harness.bus import NOBODY, PrivateBus, as_user, has_other_users
from harness.host import run
from harness.network import Pings, answered, ping, pings, process
from harness.profile import peer, profile
from harness.waiting import wait_for
from harness.wireguard import Keys, preshared_key


def path(interface):
    return f"/run/wireguard/{interface}.sock"


def wg(*arguments, **options):
    return run("wg", *arguments, **options)


def refused(*arguments, **options):
    """What wg(8) says when it fails."""
    done = subprocess.run(["wg", *arguments], capture_output=True, text=True, timeout=60, check=False, **options)
    assert done.returncode != 0
    return done.stderr


def show(interface, what):
    """{public key: [fields]} of `wg show`."""
    return {line.split()[0]: line.split()[1:] for line in wg("show", interface, what).splitlines()}


def connect(interface):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(60)
    made.connect(path(interface))
    return made


def said(connection):
    """All that comes until the end of the answer, or of the connection."""
    text = b""
    while not text.endswith(b"\n\n"):
        piece = connection.recv(65536)
        if not piece:
            break
        text += piece
    return text.decode()


def ask(interface, request):
    with connect(interface) as connection:
        connection.sendall(request.encode())
        return said(connection)


class Both:
    """Both ends of an encrypted tunnel with control sockets, over which packets have passed."""

    def __init__(self, tunnels):
        self.tunnels, self.ends = tunnels, Ends()
        self.client_key, self.server_key = self.ends.u.public, self.ends.server.public
        tunnels.run("server", self.server_profile())
        tunnels.run("lab", self.client_profile())
        assert pings("u", SERVER) and pings("u", "fd53::98")

    def client_profile(self, **changes):
        return self.ends.client(**{"name": "wgc", "control_socket": True, **changes})

    def server_profile(self, **changes):
        return self.ends.at_server(**{"name": "wgs", "control_socket": True, **changes})

    def status(self, name):
        return self.tunnels.client.status(name)

    def differs(self, name):
        status = self.status(name)
        assert status["differs-from-profile"] == any(each["code"] == "changed-by-wg" for each in status["findings"])
        return status["differs-from-profile"]

    def peer_names(self, name):
        return [peer["name"] for peer in self.status(name)["peers"]]


@pytest.fixture
def both(pair, tunnels):
    return Both(tunnels)


def reaches():
    return answered(ping("u", SERVER))


def is_cut_off():
    return not answered(ping("u", SERVER, seconds=1))


def test_show_agrees_with_status(both):
    assert sorted(wg("show", "interfaces").split()) == ["wgc", "wgs"]
    assert wg("show", "wgc", "private-key").strip() == both.ends.u.private
    assert wg("show", "wgc", "public-key").strip() == both.client_key
    for tunnel, interface, key, name in (("lab", "wgc", both.server_key, "server"), ("server", "wgs", both.client_key, "u")):
        assert wg("show", interface, "listen-port").strip() == str(both.status(tunnel)["listen-port"])
        assert int(wg("show", interface, "fwmark"), 16) >= 52000, "the one chosen for it"

        def agree(tunnel=tunnel, interface=interface, key=key, name=name):
            peer = both.tunnels.peer(tunnel, name)
            return (show(interface, "endpoints") == {key: [peer["endpoint"]]}
                    and show(interface, "transfer") == {key: [str(peer["rx-bytes"]), str(peer["tx-bytes"])]}
                    and show(interface, "allowed-ips") == {key: peer["allowed-ips"]})
        wait_for(agree, "wg show and Status say the same")
        assert 0 <= time.time() - int(show(interface, "latest-handshakes")[key][0]) < 60
        assert show(interface, "preshared-keys") == {key: ["(none)"]}
        assert show(interface, "persistent-keepalive") == {key: ["off"]}
    assert "latest handshake" in wg("show", "wgc")
    assert not both.differs("lab") and not both.differs("server")


def test_what_showconf_says_can_be_set_again(both, tmp_path):
    conf = wg("showconf", "wgc")
    assert f"PrivateKey = {both.ends.u.private}" in conf and f"PublicKey = {both.server_key}" in conf
    (tmp_path / "wgc.conf").write_text(conf)
    with Pings("u", SERVER) as sent:
        for command in ("setconf", "syncconf", "addconf"):
            wg(command, "wgc", str(tmp_path / "wgc.conf"))
    assert sent.answered == list(range(1, sent.answered[-1] + 1)), "every single one"
    assert wg("showconf", "wgc") == conf
    assert reaches()


def test_peers_come_and_go(both):
    laptop = Keys()
    wg("set", "wgs", "peer", laptop.public, "allowed-ips", "192.168.53.7/32,fd53::7/128", "endpoint", "10.0.2.7:7777",
       "persistent-keepalive", "25")
    peer = both.status("server")["peers"][1]
    assert peer["name"].startswith("wg-") and peer["endpoint"] == "10.0.2.7:7777"
    assert peer["allowed-ips"] == ["192.168.53.7/32", "fd53::7/128"]
    assert show("wgs", "persistent-keepalive")[laptop.public] == ["25"]
    assert both.differs("server") and both.status("server")["health"] != "failing"
    wg("set", "wgs", "peer", laptop.public, "remove")
    assert both.peer_names("server") == ["u"] and not both.differs("server")
    assert reaches()

    wg("set", "wgs", "peer", both.client_key, "remove")
    assert both.peer_names("server") == [] and show("wgs", "peers") == {}
    assert is_cut_off()
    # With somebody to begin: the client does not know yet that the session is gone.
    wg("set", "wgs", "peer", both.client_key, "allowed-ips", f"{CLIENT}/32", "persistent-keepalive", "25",
       "endpoint", f"10.0.2.7:{both.status('lab')['listen-port']}")
    assert pings("u", SERVER)
    assert not answered(ping("u", "fd53::98", seconds=1)), "not among its allowed IPs"


def test_allowed_ips_with_their_routes(both):
    wg("set", "wgc", "peer", both.server_key, "allowed-ips", "192.168.53.0/24,192.168.60.0/24")
    assert "192.168.60.0/24" in own_routes("u", "wgc") and "fd53::/64" not in own_routes("u", "wgc")
    assert reaches()
    other = Keys()
    wg("set", "wgc", "peer", other.public, "allowed-ips", "192.168.60.0/24")
    assert show("wgc", "allowed-ips") == {both.server_key: ["192.168.53.0/24"], other.public: ["192.168.60.0/24"]}
    wg("set", "wgs", "peer", both.client_key, "allowed-ips", "192.168.53.77/32")
    wait_for(is_cut_off, "its address is not among its allowed IPs")
    both.tunnels.wait_drop("server", "source-not-allowed")


def test_an_endpoint(both):
    run("ip", "address", "add", "10.0.2.18/24", "dev", "eth0", netns="server")
    wg("set", "wgc", "peer", both.server_key, "endpoint", f"10.0.2.18:{PORT}")
    wait_for(lambda: both.tunnels.peer("lab", "server")["endpoint"] == f"10.0.2.18:{PORT}", "it is there")
    assert reaches()
    wg("set", "wgc", "peer", both.server_key, "endpoint", f"[fd02::8]:{PORT}")
    wait_for(lambda: show("wgc", "endpoints") == {both.server_key: [f"[fd02::8]:{PORT}"]}, "it is there")
    assert reaches()


def test_a_preshared_key_and_another_private_key(both):
    key, other = preshared_key(), Keys()
    wg("set", "wgc", "private-key", "/dev/stdin", input=other.private)
    assert wg("show", "wgc", "public-key").strip() == other.public
    wg("set", "wgs", "peer", both.client_key, "remove", "peer", other.public, "allowed-ips", f"{CLIENT}/32",
       "preshared-key", "/dev/stdin", input=key)
    assert show("wgs", "preshared-keys") == {other.public: [key]}
    assert is_cut_off()
    wg("set", "wgc", "peer", both.server_key, "preshared-key", "/dev/stdin", input=key)
    assert pings("u", SERVER)
    for tunnel in ("lab", "server"):
        assert key not in str(both.status(tunnel)) and other.private not in str(both.status(tunnel))
    assert not any(secret in both.tunnels.manager.log() for secret in (key, other.private, both.ends.u.private))


def test_a_persistent_keepalive(both):
    received = both.tunnels.peer("server", "u")["rx-bytes"]
    wg("set", "wgc", "peer", both.server_key, "persistent-keepalive", "1")
    wait_for(lambda: both.tunnels.peer("server", "u")["rx-bytes"] >= received + 3 * 32, "keepalives come")
    wg("set", "wgc", "peer", both.server_key, "persistent-keepalive", "off")
    assert show("wgc", "persistent-keepalive") == {both.server_key: ["off"]}


def test_syncconf_changes_the_difference_and_no_packet_is_lost(both, tmp_path):
    other = Keys()
    conf = wg("showconf", "wgs")
    (tmp_path / "more.conf").write_text(conf + f"[Peer]\nPublicKey = {other.public}\nAllowedIPs = 192.168.53.7/32\n")
    (tmp_path / "same.conf").write_text(conf)
    with Pings("u", SERVER) as sent:
        for _ in range(10):
            wg("syncconf", "wgs", str(tmp_path / "more.conf"))
            assert set(show("wgs", "peers")) == {both.client_key, other.public}
            wg("syncconf", "wgs", str(tmp_path / "same.conf"))
            assert set(show("wgs", "peers")) == {both.client_key}
    assert len(sent.answered) > 20 and sent.answered == list(range(1, sent.answered[-1] + 1)), "every single one"


def test_setconf_replaces_all_peers(both, tmp_path):
    other = Keys()
    (tmp_path / "new.conf").write_text(f"[Interface]\nPrivateKey = {both.ends.server.private}\n"
                                       f"[Peer]\nPublicKey = {other.public}\nAllowedIPs = {CLIENT}/32\n")
    wg("setconf", "wgs", str(tmp_path / "new.conf"))
    assert show("wgs", "allowed-ips") == {other.public: [f"{CLIENT}/32"]}
    assert is_cut_off()
    wg("set", "wgc", "private-key", "/dev/stdin", input=other.private)
    assert pings("u", SERVER)


def test_reload_puts_the_profile_back(both):
    other = Keys()
    wg("set", "wgc", "peer", both.server_key, "remove", "peer", other.public, "allowed-ips", "192.168.60.0/24")
    assert both.differs("lab")
    text = next(each["text"] for each in both.status("lab")["findings"] if each["code"] == "changed-by-wg")
    assert "vpnctl reload lab" in text
    applied, later = reload(both.tunnels, "lab", both.client_profile())
    assert len(applied) == 2 and not later
    assert both.peer_names("lab") == ["server"] and not both.differs("lab")
    assert pings("u", SERVER)


def test_a_set_with_one_bad_line_changes_nothing(both):
    before, status = wg("showconf", "wgs"), both.status("server")["peers"][0]["allowed-ips"]
    key = bytes(32).hex()
    for line, number in (("allowed_ip=bogus", 22), ("endpoint=vpn.example.org:1", 22), ("listen_port", 71)):
        request = f"set=1\nreplace_peers=true\npublic_key={key}\nallowed_ip=10.0.0.0/8\n{line}\n\n"
        assert ask("wgs", request) == f"errno=-{number}\n\n"
    for arguments in (("listen-port", "1234"), ("fwmark", "7"), ("private-key", "/dev/null")):
        assert "Operation not supported" in refused("set", "wgs", *arguments, "peer", both.client_key, "remove")
    # A route that is another's already cannot be had.
    run("ip", "route", "add", "10.99.0.0/16", "via", "10.0.2.8", netns="u")
    assert "File exists" in refused("set", "wgc", "peer", both.server_key, "allowed-ips", "192.168.53.0/24,10.99.0.0/16")
    assert wg("showconf", "wgs") == before and both.status("server")["peers"][0]["allowed-ips"] == status
    assert not both.differs("server") and not both.differs("lab")
    assert reaches()


def test_another_user_is_refused(both):
    if not has_other_users():
        pytest.skip("needs a second user: run the tests as root")
    assert stat.S_IMODE(os.stat(path("wgc")).st_mode) == 0o600 and os.stat("/run/wireguard").st_mode & 0o777 == 0o755
    os.chmod(path("wgc"), 0o666)  # should somebody do that
    with as_user(NOBODY):
        connection = connect("wgc")
    with connection, contextlib.suppress(ConnectionError):  # it may be closed before we say anything
        connection.sendall(b"get=1\n\n")
        assert said(connection) == ""
    assert f"user {NOBODY} may not" in both.tunnels.manager.log()
    assert show("wgc", "peers")


def test_crowds_and_slow_callers_do_not_disturb_the_tunnel(both):
    with Pings("u", SERVER) as sent, contextlib.ExitStack() as open_ones:
        crowd = []
        for _ in range(200):
            each = open_ones.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            with contextlib.suppress(BlockingIOError):  # the queue is full
                each.connect(path("wgs"))
                each.send(b"set=1\n")
            crowd.append(each)
        slow = open_ones.enter_context(connect("wgc"))
        for byte in b"set=1\nlisten_port=1\n":
            slow.send(bytes([byte]))
            time.sleep(0.02)
        assert both.status("server")["state"] == "running"
        assert show("wgc", "peers"), "one slow caller keeps nobody out"
    assert show("wgs", "peers")
    assert len(sent.answered) > 20 and sent.answered == list(range(1, sent.answered[-1] + 1)), "every single one"


def test_who_is_slow_is_sent_away(both):
    with connect("wgs") as slow:
        slow.sendall(b"set=1\n")
        assert said(slow) == ""
    assert ask("wgs", "get=1\n\n").endswith("errno=0\n\n")


def test_what_is_no_request_ends_the_connection(both):
    assert ask("wgs", "GET / HTTP/1.0\r\n\r\n") == ""
    assert ask("wgs", "get=1\n\n" * 3).endswith("errno=0\n\n")
    with connect("wgs") as large:
        large.sendall(b"set=1\n" + b"allowed_ip=::/0\n" * (300 << 10) + b"\n")
        assert said(large) == "errno=-90\n\n"
    assert reaches()


def test_the_file_goes_with_the_session(both):
    both.tunnels.client.restart("lab")
    assert show("wgc", "peers"), "after a restart"
    os.kill(both.status("lab")["pid"], signal.SIGKILL)
    both.tunnels.wait_state("lab", "failed")
    assert os.path.exists(path("wgc")) and refused("show", "wgc")
    both.tunnels.client.start("lab")
    assert show("wgc", "peers"), "after a crash"
    both.tunnels.client.stop("lab")
    assert not os.path.exists(path("wgc"))
    assert wg("show", "interfaces").split() == ["wgs"]
    both.tunnels.rerun("server", both.server_profile(control_socket=False))
    assert os.listdir("/run/wireguard") == []


def test_a_file_where_a_killed_session_listened_is_replaced(both):
    os.kill(both.status("lab")["pid"], signal.SIGKILL)
    both.tunnels.wait_state("lab", "failed")
    assert os.path.exists(path("wgc")), "nobody looked at it in between"
    both.tunnels.client.start("lab")
    assert show("wgc", "peers")
    assert sorted(os.listdir("/run/wireguard")) == ["wgc.sock", "wgs.sock"]


def test_a_living_process_keeps_its_place(both):
    both.tunnels.rerun("server", both.server_profile(name="wgc"))
    status = both.status("server")
    assert status["health"] == "degraded" and status["reason"]["code"] == "control-socket-failed"
    assert path("wgc") in status["reason"]["text"]
    assert wg("show", "wgc", "public-key").strip() == both.client_key
    both.tunnels.client.restart("lab")
    assert pings("u", SERVER), "it carries packets all the same"


def test_a_session_without_root_offers_it_to_root(tmp_path):
    """As systemd runs it: another user with CAP_NET_ADMIN, in a folder that tmpfiles.d made."""
    if not has_other_users():
        pytest.skip("needs a second user: run the tests as root")
    keys, other = Keys(), Keys()
    with contextlib.suppress(FileNotFoundError):
        os.rmdir("/run/wireguard")  # a session's that was root
    os.mkdir("/run/wireguard")
    os.chown("/run/wireguard", 0, NOBODY)
    os.chmod("/run/wireguard", 0o1775)
    with tempfile.TemporaryDirectory() as folder, PrivateBus(folder) as bus, contextlib.ExitStack() as running:
        os.chmod(folder, 0o755)
        file = os.path.join(folder, "home.toml")
        with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as text:
            text.write(profile(name="wgh", address="192.168.53.1/24", listen_port=PORT, encryption="wireguard",
                               private_key=keys.private, control_socket=True,
                               peers=[peer("other", "192.168.53.2/32", public_key=other.public)]))
        os.chown(file, NOBODY, NOBODY)

        def start():
            session = running.enter_context(process(
                "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all,+net_admin",
                "--ambient-caps=+net_admin", "--bounding-set=-all,+net_admin", program("vpntund"), "--session", "home",
                "--profile-folder", folder, log=str(tmp_path / "log"),
                env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address)))
            wait_for(lambda: os.path.exists(path("wgh")) and not subprocess.run(
                ["wg", "show", "wgh", "peers"], capture_output=True, check=False).returncode, "it is there")
            return session

        session = start()
        assert os.stat(path("wgh")).st_uid == NOBODY
        wg("set", "wgh", "peer", other.public, "allowed-ips", "192.168.53.3/32")
        assert show("wgh", "allowed-ips") == {other.public: ["192.168.53.3/32"]}
        session.kill()
        session.wait()
        session = start()
        assert show("wgh", "allowed-ips") == {other.public: ["192.168.53.2/32"]}
        session.terminate()
        session.wait(60)
        assert os.listdir("/run/wireguard") == []
    os.rmdir("/run/wireguard")
