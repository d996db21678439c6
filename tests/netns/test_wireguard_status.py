"""What vpnctl, D-Bus and the log say about an encrypted tunnel, beside what wg(8) says at the other end."""
import base64
import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import PORT
from test_wireguard import Ends

from harness import program
from harness.network import answered, ping, pings
from harness.waiting import wait_for
from harness.wireguard import WireguardGo, preshared_key

OURS, THEIRS = "192.168.53.98", "192.168.53.99"
THEIR_PORT = 5000
PEER_OBJECT = "/org/vpntun1/session/peer/u"


@pytest.fixture
def ends():
    return Ends(preshared_key())


@pytest.fixture
def other(pair, ends):
    """wireguard-go at host u, not started yet."""
    name = f"wgs{os.getpid()}"
    return WireguardGo(name, "u", ends.u, ["192.168.53.99/24", "fd53::99/64"], port=THEIR_PORT)


def run_ours(tunnels, ends):
    tunnels.run("server", ends.at_server(endpoint=f"10.0.2.7:{THEIR_PORT}"))


def meet(other, ends, preshared=None):
    """Tells the other end of ours."""
    other.peer(ends.server.public, "192.168.53.0/24", "fd53::/64", preshared=preshared or ends.more["preshared_key"])


def vpnctl(tunnels, *arguments, **options):
    return subprocess.Popen([program("vpnctl"), *arguments], env=tunnels.manager.environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **options)


def said(tunnels, *arguments):
    with vpnctl(tunnels, *arguments) as process:
        return process.communicate(timeout=60)[0]


def reason(tunnels):
    return tunnels.peer("server", "u")["reason"]["code"]


def test_both_ends_tell_the_same_numbers(tunnels, other, ends):
    with other:
        meet(other, ends)
        run_ours(tunnels, ends)
        assert pings("server", THEIRS) and pings("u", OURS)
        assert answered(ping("server", THEIRS, "-s", "1200", count=5)) == 5

        def same_transfer():
            ours = tunnels.peer("server", "u")
            received, sent = map(int, other.show("transfer")[ends.server.public])
            return ours["rx-bytes"] > 6000 and (ours["rx-bytes"], ours["tx-bytes"]) == (sent, received)

        wait_for(same_transfer, "both count what passed")
        peer = tunnels.peer("server", "u")
        theirs = int(other.show("latest-handshakes")[ends.server.public][0])
        assert abs(theirs - peer["latest-handshake-usec"] / 1_000_000) <= 5
        assert other.show("endpoints")[ends.server.public] == [f"10.0.2.8:{PORT}"]
        assert peer["endpoint"] == f"10.0.2.7:{THEIR_PORT}"
        assert (peer["public-key"], peer["has-preshared-key"], peer["state"]) == (ends.u.public, True, "fresh")

        [shown] = json.loads(said(tunnels, "status", "server", "--json"))["tunnels"]
        assert shown["public-key"] == ends.server.public
        assert shown["peers"][0]["latest-handshake-usec"] == pytest.approx(peer["latest-handshake-usec"], abs=100_000)
        text = said(tunnels, "status", "server")
        assert f"Encryption  WireGuard, public key {ends.server.public}, port {PORT}\n" in text
        assert f"u: public key {ends.u.public}, with a preshared key\n" in text
        row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["u"])
        assert row[1:3] == ["fresh", f"10.0.2.7:{THEIR_PORT}"] and "ago" in row
        [line] = [line for line in said(tunnels, "status").splitlines() if line.startswith("server ")]
        assert "  1/1  " in line and " s ago  " in line


def test_a_peer_that_does_not_run_is_said_to_refuse_until_it_does(pair, tunnels, other, ends):
    tunnels.client.watch(f"type='signal',interface='org.freedesktop.DBus.Properties',path='{PEER_OBJECT}'")
    run_ours(tunnels, ends)
    assert (tunnels.peer("server", "u")["state"], reason(tunnels)) == ("never", "no-handshake")
    with vpnctl(tunnels, "wait", "server", "--for", "handshake", "--timeout", "60") as waiting:
        ping("server", THEIRS, seconds=1)
        wait_for(lambda: tunnels.peer("server", "u")["state"] == "connecting", "a handshake is tried")
        wait_for(lambda: reason(tunnels) == "refused", "nobody is there")
        assert tunnels.client.status("server")["health"] == "failing"
        assert waiting.poll() is None
        with other:
            meet(other, ends)
            wait_for(lambda: tunnels.peer("server", "u")["state"] == "fresh", "the next one is")
            assert tunnels.client.status("server")["health"] == "healthy"
            assert waiting.communicate(timeout=60)[0] == "server: a peer was heard.\n"

    def says_fresh(path, _, member, body):
        return path == PEER_OBJECT and member == "PropertiesChanged" and body[1].get("State") == "fresh"

    tunnels.client.wait_signal(says_fresh, "a signal tells that the peer is fresh")
    changes = [message.body[1] for message in tunnels.client.signals if len(message.body) == 3]
    assert [change["State"][1] for change in changes if "State" in change] == ["connecting", "fresh"]
    assert ends.u.public not in str([message.body for message in tunnels.client.signals])


def test_another_preshared_key_is_called_a_wrong_key(tunnels, other, ends):
    with other:
        meet(other, ends, preshared=preshared_key())
        run_ours(tunnels, ends)
        ping("server", THEIRS, seconds=1)
        wait_for(lambda: reason(tunnels) == "wrong-key", "the answer is refused")
        assert "u: Peer u answers, but with keys that do not fit" in said(tunnels, "status", "server")


def properties(client, name, path="/"):
    """All properties at and below a path, of every interface that Introspect names."""
    node = ElementTree.fromstring(client.call((name, path, "org.freedesktop.DBus.Introspectable"), "Introspect"))
    for interface in node.findall("interface"):
        if interface.find("property") is not None:
            yield client.get_all(name, path, interface.get("name"))
    for child in node.findall("node"):
        yield from properties(client, name, path.rstrip("/") + "/" + child.get("name"))


def of_process(pid):
    for file in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{file}", "rb") as content:
            yield content.read()


def test_secrets_are_in_nothing_that_is_said(pair, tunnels, ends):
    for name in ("org.vpntun1", "org.vpntun1.session.server", "org.vpntun1.session.lab"):
        if name.endswith("lab"):
            tunnels.run("lab", ends.client())
        elif name.endswith("server"):
            tunnels.run("server", ends.at_server())
        tunnels.client.call((name, "/org/freedesktop/LogControl1", "org.freedesktop.DBus.Properties"), "Set", "ssv",
                            "org.freedesktop.LogControl1", "LogLevel", ("s", "debug"))
    assert pings("u", OURS)
    told = {what: said(tunnels, *arguments) for what, arguments in {
        "table": ["status"], "detail": ["status", "server"], "JSON": ["status", "--json"], "list": ["list", "--json"]}.items()}
    for name in ("org.vpntun1", "org.vpntun1.session.server", "org.vpntun1.session.lab"):
        told[name] = str(list(properties(tunnels.client, name)))
    for what in ("detail", "JSON", "org.vpntun1.session.server"):
        assert ends.server.public in told[what] and ends.u.public in told[what], f"{what} has what is public"
    told["Status"] = str(tunnels.client.status("server"))
    wait_for(lambda: "health: healthy" in tunnels.manager.log(), "sessions speak of their health")
    told["log"] = tunnels.manager.log()
    everything = {what: text.encode() for what, text in told.items()}
    pids = [tunnels.manager.process.pid, *tunnels.manager.session_pids()]
    assert len(pids) == 3
    for pid in pids:
        everything[f"process {pid}"] = b"\0".join(of_process(pid))
    for secret in (ends.server.private, ends.u.private, ends.more["preshared_key"]):
        raw = base64.b64decode(secret)
        for written in (secret.encode(), raw, raw.hex().encode(), raw.hex().upper().encode()):
            assert [what for what, text in everything.items() if written in text] == []
