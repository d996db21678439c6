"""vpnctl capture --with-secrets: tshark decrypts what we and wireguard-go say to each other from that file alone."""
import os
import stat
import subprocess

import pytest
from facing_go import OURS, THEIR_PORT, THEIRS, THEIRS_OUTSIDE, facing, talking

from harness import program
from harness.network import answered, ping, pings, process
from harness.waiting import wait_for
from harness.wireguard import preshared_key

SECRETS = b"LOCAL_STATIC_PRIVATE_KEY"


def capture(tunnels, path, *options):
    return process(program("vpnctl"), "capture", "server", "-w", path, *options, env=tunnels.manager.environment())


def begun(path):
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the capture has begun")


def decrypted(path, check=True):
    """(source, destination, ICMP type) of echoes inside of transport data, as tshark finds them with no settings."""
    done = subprocess.run(["tshark", "-n", "-r", path, "-Y", "wg.type == 4 && icmp", "-T", "fields", "-E", "occurrence=l",
                           "-e", "ip.src", "-e", "ip.dst", "-e", "icmp.type"],
                          capture_output=True, text=True, timeout=60, check=check)
    return {tuple(line.split("\t")) for line in done.stdout.splitlines()}


def shows_both_ways(path):
    """While it is being written its last block may be there by half."""
    return {(THEIRS, OURS, "8"), (OURS, THEIRS, "0")} <= decrypted(path, check=False)


def content(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("we_begin", [True, False], ids=["initiator", "responder"])
@pytest.mark.parametrize("preshared", [False, True], ids=["no-psk", "psk"])
def test_tshark_decrypts_handshakes_made_meanwhile(pair, tunnels, tmp_path, we_begin, preshared):
    path = str(tmp_path / "trace.pcapng")
    with facing(tunnels, ours={"endpoint": f"{THEIRS_OUTSIDE}:{THEIR_PORT}"}, endpoint=None if we_begin else "10.0.2.8:9090",
                preshared=preshared_key() if preshared else None) as made:
        with capture(tunnels, path, "--with-secrets"):
            begun(path)
            assert pings("server", THEIRS) if we_begin else pings("u", OURS)
            assert answered(ping("u", OURS, count=3)) == 3
            wait_for(lambda: shows_both_ways(path), "tshark shows the ping in both directions")
        assert made.ends.server.private.encode() in content(path)
        assert made.ends.u.private.encode() not in content(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_session_that_was_there_before_is_replaced(pair, tunnels, tmp_path):
    path = str(tmp_path / "trace.pcapng")
    with talking(tunnels):
        with capture(tunnels, path, "--with-secrets"):
            begun(path)
            assert answered(ping("u", OURS)) == 1  # nothing is lost meanwhile
            wait_for(lambda: pings("u", OURS) and shows_both_ways(path), "tshark shows a ping")
        assert pings("u", OURS)


def test_without_the_option_there_are_no_secrets(pair, tunnels, tmp_path):
    path = str(tmp_path / "trace.pcapng")
    with facing(tunnels) as made:
        with capture(tunnels, str(tmp_path / "secret.pcapng"), "--with-secrets"), capture(tunnels, path):
            begun(path)
            begun(str(tmp_path / "secret.pcapng"))
            assert answered(ping("u", OURS, count=3)) == 3
            wait_for(lambda: shows_both_ways(str(tmp_path / "secret.pcapng")), "the other capture has them")
        assert SECRETS not in content(path) and made.ends.server.private.encode() not in content(path)
    shown = subprocess.run(["tshark", "-n", "-r", path, "-Y", "wg.type == 4"], capture_output=True, text=True, timeout=60,
                           check=True).stdout
    assert "Transport Data" in shown and not decrypted(path)
