"""Who may do what, on a real polkit: the shipped defaults, an administrator's rule, and no polkit at all."""
import os
import re

import pytest

from harness.profile import peer, profile
from harness.waiting import wait_for
from home import HOME, UNIT
from machine import MANAGER_UNIT, unit_of

OTHER = profile(name="other0", address="192.168.54.99/24", listen_port=9091,
                peers=[peer("server", "192.168.54.0/24", endpoint="10.0.2.8:9091")])
NOT_AUTHORISED = 5
MANAGE = "org.vpntun1.manage-tunnel"
DRIVER = "org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus"
SYSTEMD = "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
RULE_FILE = "/etc/polkit-1/rules.d/50-lab.rules"


def rule_of_the_reference():
    """The one that docs/dbus.md shows, for the tunnel home."""
    with open(os.path.join(os.path.dirname(__file__), "../../docs/dbus.md"), encoding="utf-8") as page:
        return re.search(r"```js\n(.*?)```", page.read(), re.S).group(1).replace('"lab"', '"home"')


@pytest.fixture(scope="module")
def users(machine):
    for name in ("alice", "bob"):
        machine.add_user(name)
    machine.profile("home", HOME)
    machine.profile("other", OTHER)
    return machine


@pytest.fixture
def home(users):
    """home runs, other does not."""
    users.systemctl("start", UNIT)
    yield users
    users.run(["rm", "-f", RULE_FILE])
    for tunnel in ("home", "other"):
        users.systemctl("stop", unit_of(tunnel))


def refused(machine, user, *words):
    done = machine.vpnctl(*words, user=user, check=False)
    assert done.returncode == NOT_AUTHORISED, done
    return done.stderr


def test_everybody_may_look_but_not_where_peers_are(home):
    shown = home.vpnctl("status", "home", user="alice", check=False).stdout
    assert "home0" in shown and "(hidden)" in shown and "10.0.2.8" not in shown
    assert "10.0.2.8" in home.vpnctl("status", "home", check=False).stdout
    assert "10.0.2.8" not in home.vpnctl("status", "home", "--json", user="alice", check=False).stdout
    assert "home" in home.vpnctl("list", user="alice").stdout


def test_an_ordinary_user_may_change_nothing_and_see_no_packets(home):
    pid = home.main_pid(UNIT)
    for words, action in ((("start", "other"), MANAGE), (("stop", "home"), MANAGE), (("restart", "home"), MANAGE),
                          (("reload", "home"), MANAGE), (("capture", "home"), "org.vpntun1.capture"),
                          (("capture", "home", "--with-secrets", "-w", "/tmp/trace"), "org.vpntun1.capture-secrets"),
                          (("inject", "home", "--text", "evian"), "org.vpntun1.capture")):
        assert action in refused(home, "alice", *words), words
    assert home.main_pid(UNIT) == pid and home.active_state(unit_of("other")) == "inactive"


def test_root_may(home):
    home.vpnctl("start", "other")
    home.vpnctl("restart", "home")
    home.vpnctl("stop", "home")
    assert home.active_state(UNIT) == "inactive" and home.active_state(unit_of("other")) == "active"


def test_a_rule_lets_one_user_start_one_tunnel(home):
    home.write_file(RULE_FILE, rule_of_the_reference())
    home.vpnctl("stop", "home")
    wait_for(lambda: home.vpnctl("start", "home", user="alice", check=False).returncode == 0, "polkit has the rule", interval=0.5)
    home.wait_active(UNIT)
    for user, *words in (("alice", "stop", "home"), ("alice", "start", "other"), ("bob", "restart", "home")):
        assert MANAGE in refused(home, user, *words)


def test_nobody_else_can_have_our_names(home):
    for name in ("org.vpntun1", "org.vpntun1.session.other"):
        done = home.run(f"busctl call {DRIVER} RequestName su {name} 0", user="alice", check=False)
        assert done.returncode != 0 and "denied" in done.stderr, done


def test_what_a_session_says_of_itself_is_not_for_others(home):
    session = "org.vpntun1.session.home /org/vpntun1/session"
    for command in (f"call {session} org.vpntun1.Session Status",
                    "get-property org.vpntun1.session.home /org/vpntun1/session/peer/server org.vpntun1.Peer Endpoint"):
        done = home.run(f"busctl {command}", user="alice", check=False)
        assert done.returncode != 0 and "10.0.2.8" not in done.stdout + done.stderr
        assert home.run(f"busctl {command}").returncode == 0


def start_by_busctl(machine, name):
    """What the manager itself says to root; vpnctl would read the file for who runs it."""
    words = ["busctl", "call", "org.vpntun1", "/org/vpntun1", "org.vpntun1.Manager", "Start", "sa{sv}", name, "0"]
    done = machine.run(words, check=False)
    assert done.returncode != 0
    return done.stderr


def test_the_manager_reads_no_file_for_anybody(home):
    home.run("ln -sf /etc/shadow /etc/vpntund/leak.toml")
    try:
        wait_for(lambda: "leak" in home.vpnctl("list", user="alice").stdout, "the link is listed")
        for words in (("status", "leak"), ("status", "leak", "--json"), ("start", "leak")):
            done = home.vpnctl(*words, user="alice", check=False)
            assert "root:" not in done.stdout + done.stderr
        # Not even root's question makes the manager, which is not root, read it.
        assert "root:" not in start_by_busctl(home, "leak")
    finally:
        home.run("rm -f /etc/vpntund/leak.toml")
    for name in ("../../home/alice/mine", "/home/alice/mine"):
        assert "no tunnel" in start_by_busctl(home, name)


def test_the_managers_user_can_have_systemd_run_its_own_units_and_no_others(home):
    home.run(f"busctl call {SYSTEMD} StopUnit ss {UNIT} replace", user="vpntun")
    home.wait_active(UNIT, "inactive")
    for unit in ("dbus.service", "vpntund.service", "getty@vpntund@x.service", "vpntund@x.socket"):
        for method in ("StopUnit", "RestartUnit", "StartUnit"):
            done = home.run(f"busctl call {SYSTEMD} {method} ss {unit} replace", user="vpntun", check=False)
            assert done.returncode != 0, (method, unit)
    for call in (f"KillUnit ssi {UNIT} all 9", f"MaskUnitFiles asbb 1 {UNIT} true true", "Reboot"):
        assert home.run(f"busctl call {SYSTEMD} {call}", user="vpntun", check=False).returncode != 0
    assert home.active_state("dbus.service") == "active"


@pytest.fixture
def no_polkit(home):
    """As where it is not installed: neither it nor what would start it."""
    service = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
    home.run(f"mv {service} {service}.away && systemctl mask --now polkit.service")
    home.run("busctl call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig")
    home.systemctl("daemon-reload")
    home.systemctl("restart", MANAGER_UNIT)
    yield home
    home.run(f"mv {service}.away {service} && systemctl unmask polkit.service")
    home.run("busctl call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig")
    home.systemctl("daemon-reload")
    home.systemctl("restart", MANAGER_UNIT)


def test_without_polkit_only_root_may_and_that_is_said(no_polkit):
    assert "polkit is not installed, so only root may" in refused(no_polkit, "alice", "stop", "home")
    assert "(hidden)" in no_polkit.vpnctl("status", "home", user="alice", check=False).stdout
    no_polkit.vpnctl("stop", "home")
    assert no_polkit.active_state(UNIT) == "inactive"
    no_polkit.vpnctl("start", "home")
    assert no_polkit.active_state(UNIT) == "active" and no_polkit.show(MANAGER_UNIT, "User") == "root"
    assert no_polkit.show(UNIT, "User") == "vpntun"
