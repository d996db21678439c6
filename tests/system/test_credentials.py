"""LoadCredential=, ready-when and waiting for a peer, as units."""
import pytest

from harness.network import pings
from harness.waiting import wait_for
from lab import CLIENT, SERVER, V, example
from machine import unit_of

UNIT = unit_of(CLIENT)
WAIT_UNIT = f"vpntund-wait-online@{CLIENT}.service"


@pytest.fixture
def tunnel(lab):
    """The lab, stopped, with U's usual profile afterwards."""
    yield lab
    lab.stop()
    lab.u.remove_drop_in(UNIT)
    lab.u.systemctl("reset-failed", UNIT, check=False)
    lab.u.systemctl("stop", WAIT_UNIT, check=False)
    lab.u.profile(CLIENT, example(CLIENT))


def test_an_endpoint_comes_from_a_credential(tunnel):
    u = tunnel.u
    u.profile(CLIENT, example(CLIENT).replace("10.0.2.8:9090", "@lab-endpoint"))
    failed = u.systemctl("start", UNIT, check=False)
    assert failed.returncode != 0
    assert "no credential" in u.systemctl("status", UNIT, check=False).stdout
    checked = u.vpnctl("check", CLIENT)
    assert "LoadCredential=lab-endpoint:PATH" in checked.stdout and "note:" in checked.stdout
    u.write_file("/etc/vpntund/lab.endpoint", "10.0.2.8:9090\n", 0o600, "root:root")
    u.drop_in(UNIT, "LoadCredential=lab-endpoint:/etc/vpntund/lab.endpoint")
    u.systemctl("reset-failed", UNIT)
    tunnel.start()
    assert u.status(CLIENT)["peers"][0]["endpoint"] == "10.0.2.8:9090"


def test_a_profile_the_session_cannot_read_is_warned_of(tunnel):
    u = tunnel.u
    u.run(f"chown root:root /etc/vpntund/{CLIENT}.toml && chmod 0600 /etc/vpntund/{CLIENT}.toml")
    said = u.vpnctl("check", CLIENT).stdout
    assert "mode 0600, owner root:root: the session runs as user vpntun, which cannot read this file" in said


def test_a_start_may_wait_for_the_peer(tunnel):
    u, server = tunnel.u, tunnel.server
    u.profile(CLIENT, example(CLIENT).replace('encryption = "none"', 'encryption = "none"\nready-when = "handshake"'))
    server.systemctl("start", unit_of(SERVER))
    u.systemctl("start", "--no-block", UNIT)
    u.wait_active(UNIT, "activating")
    wait_for(lambda: "no peer was heard yet" in u.show(UNIT, "StatusText"), "the status says for whom it waits")
    wait_for(lambda: u.status(CLIENT)["state"] == "starting", "vpnctl agrees")
    u.systemctl("start", "--no-block", WAIT_UNIT)
    pings("u", V)
    u.wait_active(UNIT)
    u.wait_active(WAIT_UNIT)
    assert u.status(CLIENT)["state"] == "running"


def test_a_start_that_hears_nobody_fails_in_time_with_the_reason(tunnel):
    u = tunnel.u
    u.profile(CLIENT, example(CLIENT).replace('encryption = "none"', 'encryption = "none"\nready-when = "handshake"'))
    u.drop_in(UNIT, "TimeoutStartSec=5\nRestart=no")
    failed = u.vpnctl("start", CLIENT, check=False)
    assert failed.returncode == 7 and "no peer was heard yet" in failed.stderr
    wait_for(lambda: "tun0" not in u.out("ls /sys/class/net"), "nothing of it is left")
