"""Reload over D-Bus: of Manager, Tunnel and Session; vpntund --reload and vpnctl reload."""
import contextlib
import os
import signal
import subprocess

import pytest
from conftest import lab_profile

from harness import program
from harness.bus import NOBODY, DBusError, has_other_users, plain
from harness.host import host_state
from harness.waiting import wait_for

SESSION = ("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Session")
TUNNEL = ("org.vpntun1", "/org/vpntun1/tunnel/lab", "org.vpntun1.Tunnel")
PROPERTIES = "org.freedesktop.DBus.Properties"
OTHER_PEER = '[[peer]]\nname = "other"\nendpoint = "127.0.0.1:9998"\nallowed-ips = ["192.168.70.0/24"]\n'
UNCHANGED = {"applied": [], "needs-restart": [], "unchanged": True}


def reload(world, name="lab", **options):
    return plain(world.client.call(world.client.MANAGER, "Reload", "sa{sv}", name, options))


@contextlib.contextmanager
def error(name):
    with pytest.raises(DBusError) as refused:
        yield refused
    assert refused.value.name == name, refused.value


@pytest.fixture
def running(lab):
    lab.client.start("lab")
    return lab


def test_manager_tunnel_and_session_say_the_same(running):
    write = running.manager.write_profile
    assert reload(running) == UNCHANGED
    write("lab", lab_profile(description="two"))
    assert plain(running.client.call(TUNNEL, "Reload", "a{sv}", {})) == \
        {"applied": ["description"], "needs-restart": [], "unchanged": False}
    write("lab", lab_profile(description="three", port=9091))
    assert plain(running.client.call(SESSION, "Reload", "a{sv}", {})) == \
        {"applied": ["description"], "needs-restart": ["interface.listen-port"], "unchanged": False}
    assert running.client.status("lab")["listen-port"] == 9090


def test_the_profile_is_stale_until_all_of_it_runs(running):
    def stale():
        return running.client.get(TUNNEL[0], TUNNEL[1], TUNNEL[2], "ProfileStale")
    running.manager.write_profile("lab", lab_profile(description="two", port=9091))
    wait_for(stale, "the change is seen")
    reload(running)
    assert stale(), "a key is left to a restart"
    running.manager.write_profile("lab", lab_profile(description="two"))
    assert reload(running) == UNCHANGED
    assert not stale()
    assert running.client.status("lab")["description"] == "two"


def test_peers_come_and_go_as_objects_and_properties_tell(running):
    path = "/org/vpntun1/session/peer/other"
    running.client.watch(f"type='signal',interface='{PROPERTIES}'")
    running.manager.write_profile("lab", lab_profile().replace("1400", "1300") + OTHER_PEER)
    assert reload(running)["applied"] == ["interface.mtu", "peer[other]"]
    assert running.client.get(SESSION[0], path, "org.vpntun1.Peer", "AllowedIPs") == ["192.168.70.0/24"]
    body = running.client.wait_signal(lambda path, interface, member, body: interface == PROPERTIES and "MTU" in body[1],
                                      "the session's properties")
    assert body[1]["MTU"] == 1300 and body[1]["Routes"] == ["192.168.60.0/24", "192.168.70.0/24"]
    assert body[1]["Peers"] == ["/org/vpntun1/session/peer/server", path]
    running.manager.write_profile("lab", lab_profile().replace("9999", "9997"))
    assert reload(running)["applied"] == ["interface.mtu", "peer[other]", "peer[server].endpoint"]
    with pytest.raises(DBusError):
        running.client.get(SESSION[0], path, "org.vpntun1.Peer", "AllowedIPs")
    running.client.wait_signal(lambda path, interface, member, body: interface == PROPERTIES and "ConfiguredEndpoint" in body[2],
                               "the peer's properties")
    assert running.client.get(SESSION[0], path.replace("other", "server"), "org.vpntun1.Peer", "ConfiguredEndpoint") == \
        "127.0.0.1:9997"


def test_an_invalid_profile_changes_nothing_and_says_where_and_why(running):
    before, status = host_state(), running.client.status("lab")
    path = running.manager.write_profile("lab", lab_profile().replace("1400", '"big"') + OTHER_PEER)
    with error("org.vpntun1.Error.InvalidProfile") as refused:
        reload(running)
    assert f"{path}:8:7" in refused.value.text and "interface.mtu" in refused.value.text
    assert refused.value.text.startswith("tunnel lab: ")
    assert host_state() == before
    after = running.client.status("lab")
    assert (after["mtu"], after["routes"], after["state"]) == (status["mtu"], status["routes"], "running")
    assert "nothing is changed" in running.manager.log()


def test_a_profile_that_is_gone_is_an_error(running):
    running.manager.remove_profile("lab")
    with error("org.vpntun1.Error.NoSuchTunnel"):
        reload(running)
    assert running.client.state("lab") == "running"


def test_what_does_not_run_is_not_reloaded(lab):
    with error("org.vpntun1.Error.NotRunning"):
        reload(lab)
    with error("org.vpntun1.Error.NoSuchTunnel"):
        reload(lab, "nobody")
    with error("org.freedesktop.DBus.Error.InvalidArgs"):
        reload(lab, force=("b", True))


def test_others_may_not(running):
    if not has_other_users():
        pytest.skip("needs a second user: run the tests as root")
    running.manager.write_profile("lab", lab_profile(description="two"))
    with running.new_client(user=NOBODY) as nobody:
        for address, signature, arguments in ((nobody.MANAGER, "sa{sv}", ("lab", {})), (TUNNEL, "a{sv}", ({},)),
                                              (SESSION, "a{sv}", ({},))):
            with error("org.freedesktop.DBus.Error.AccessDenied"):
                nobody.call(address, "Reload", signature, *arguments)
    assert running.client.status("lab")["description"] == "Lab"


def test_the_state_is_reloading_meanwhile_and_a_second_one_is_refused(running):
    pid = running.manager.session_pids()[0]
    running.client.watch("type='signal',interface='org.vpntun1.Manager',member='TunnelStateChanged'")
    os.kill(pid, signal.SIGSTOP)  # it answers when it goes on
    try:
        serial = running.client.send(running.client.MANAGER, "Reload", "sa{sv}", "lab", {})
        running.wait_state("lab", "reloading")
        with error("org.vpntun1.Error.InProgress"):
            reload(running)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert plain(running.client.reply(serial)[0]) == UNCHANGED
    for states in (["running", "reloading"], ["reloading", "running"]):
        running.client.wait_signal(lambda path, interface, member, body: member == "TunnelStateChanged" and
                                   body[2:4] == states, f"{states}")


def test_a_session_that_is_killed_while_reloading_is_an_error(running):
    pid = running.manager.session_pids()[0]
    os.kill(pid, signal.SIGSTOP)
    serial = running.client.send(running.client.MANAGER, "Reload", "sa{sv}", "lab", {})
    running.wait_state("lab", "reloading")
    os.kill(pid, signal.SIGKILL)
    with error("org.vpntun1.Error.Failed"):
        running.client.reply(serial)
    running.wait_state("lab", "failed")


def command(world, *words):
    return subprocess.run([program(words[0]), *words[1:]], env=world.manager.environment(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("words", [("vpnctl", "reload", "lab"), ("vpntund", "--reload", "lab")], ids=lambda words: words[0])
def test_the_commands_print_one_line(running, words):
    running.manager.write_profile("lab", lab_profile(port=9091).replace("1400", "1300"))
    done = command(running, *words)
    assert (done.returncode, done.stdout, done.stderr) == \
        (0, "lab: applied interface.mtu; needs a restart: interface.listen-port (vpnctl restart lab)\n", "")
    running.manager.write_profile("lab", lab_profile().replace("1400", "1300"))
    assert command(running, *words).stdout == "lab: nothing changed\n"


def test_the_commands_fail_as_start_does(running):
    running.manager.write_profile("lab", "")
    done = command(running, "vpntund", "--reload", "lab")
    assert (done.returncode, done.stdout) == (68, "") and "lab.toml" in done.stderr
    done = command(running, "vpnctl", "reload", "lab")
    assert (done.returncode, done.stdout) == (1, "") and "lab.toml" in done.stderr
    running.client.stop("lab")
    done = command(running, "vpntund", "--reload", "lab")
    assert (done.returncode, done.stderr) == (69, "vpntund: tunnel lab: it is not running\n")
    assert command(running, "vpnctl", "reload", "lab").returncode == 3
    assert command(running, "vpntund", "--reload", "../lab").returncode == 2
