"""The log: org.freedesktop.LogControl1 of the manager and of a session (what systemctl service-log-level speaks), and what
callers bring about in it."""
import subprocess
import sys

import pytest

from harness.bus import DBusError
from harness.profile import profile
from harness.waiting import wait_for
from harness.wireguard import Keys

PATH = "/org/freedesktop/LogControl1"
LOG = "org.freedesktop.LogControl1"
SESSION = "org.vpntun1.session.lab"
NOBODY = 65534
WORDS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
# Run as another user: what it reads, and the error it gets when it sets.
STRANGER = """
import sys
from harness.bus import Client, DBusError
with Client(sys.argv[1]) as client:
    print(client.get(sys.argv[2], sys.argv[3], sys.argv[4], "LogLevel"))
    try:
        client.call((sys.argv[2], sys.argv[3], "org.freedesktop.DBus.Properties"), "Set", "ssv", sys.argv[4], "LogLevel",
                    ("s", "debug"))
    except DBusError as error:
        print(error.name)
"""


@pytest.fixture(params=["org.vpntun1", SESSION], ids=["manager", "session"])
def name(request, lab):
    """The bus name of a running process that logs."""
    if request.param == SESSION:
        lab.client.start("lab")
    return request.param


def read(world, name, what):
    return world.client.get(name, PATH, LOG, what)


def put(world, name, what, value, signature="s"):
    return world.client.call((name, PATH, "org.freedesktop.DBus.Properties"), "Set", "ssv", LOG, what, (signature, value))


def error_of(world, name, what, value, signature="s"):
    with pytest.raises(DBusError) as refused:
        put(world, name, what, value, signature)
    assert len(refused.value.text) < 1000
    return refused.value.name


def test_it_says_what_is_the_case(lab, name):
    assert read(lab, name, "LogLevel") == "info"
    assert read(lab, name, "LogTarget") == "console"  # the test reads standard error
    assert read(lab, name, "SyslogIdentifier") == "vpntund"


def test_every_level_can_be_set_and_read(lab, name):
    for word in WORDS:
        put(lab, name, "LogLevel", word)
        assert read(lab, name, "LogLevel") == word


def test_a_level_acts_at_once(lab):
    put(lab, "org.vpntun1", "LogLevel", "warning")
    lab.client.start("lab")
    lab.client.stop("lab")
    assert "tunnel lab: starting" not in lab.manager.log()
    put(lab, "org.vpntun1", "LogLevel", "info")
    assert lab.manager.log().count("the log level is") == 2
    lab.client.start("lab")
    wait_for(lambda: "tunnel lab: running" in lab.manager.log(), "it is logged again")


def test_the_log_can_be_sent_nowhere_and_back(lab):
    put(lab, "org.vpntun1", "LogTarget", "null")
    assert read(lab, "org.vpntun1", "LogTarget") == "null"
    lab.client.start("lab")
    put(lab, "org.vpntun1", "LogTarget", "auto")
    assert read(lab, "org.vpntun1", "LogTarget") == "console"
    assert "tunnel lab: running" not in lab.manager.log()
    lab.client.stop("lab")
    wait_for(lambda: "tunnel lab: stopped" in lab.manager.log(), "it is logged again")


def test_what_cannot_be_set_is_an_error_and_changes_nothing(lab, name):
    invalid = "org.freedesktop.DBus.Error.InvalidArgs"
    for word in ("", "error", "Debug", "7", "debug\n", "x" * 100_000):
        assert error_of(lab, name, "LogLevel", word) == invalid
    for word in ("", "kmsg", "syslog", "/dev/null", "x" * 100_000):
        assert error_of(lab, name, "LogTarget", word) == invalid
    assert error_of(lab, name, "LogTarget", "journal") == "org.vpntun1.Error.NotSupported"
    assert error_of(lab, name, "LogLevel", 7, "i")
    assert error_of(lab, name, "SyslogIdentifier", "me") == "org.freedesktop.DBus.Error.PropertyReadOnly"
    assert (read(lab, name, "LogLevel"), read(lab, name, "LogTarget")) == ("info", "console")


def test_a_stranger_may_read_and_not_set(lab, name):
    if open("/proc/self/uid_map", encoding="utf-8").read().split()[2] == "1":
        pytest.skip("this user namespace has one user")
    done = subprocess.run([sys.executable, "-c", STRANGER, lab.bus.address, name, PATH, LOG], user=NOBODY, group=NOBODY,
                          extra_groups=[], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.stdout.split() == ["info", "org.freedesktop.DBus.Error.AccessDenied"], done.stderr
    assert read(lab, name, "LogLevel") == "info"


FLOOD = """
import sys
from harness.bus import Client, DBusError
with Client(sys.argv[1]) as client:
    for _ in range(300):
        try:
            client.stop("lab")
        except DBusError as error:
            assert error.name == "org.freedesktop.DBus.Error.AccessDenied", error
"""


def test_a_flood_of_refused_callers_is_a_few_lines(lab):
    if open("/proc/self/uid_map", encoding="utf-8").read().split()[2] == "1":
        pytest.skip("this user namespace has one user")
    subprocess.run([sys.executable, "-B", "-c", FLOOD, lab.bus.address], user=NOBODY, group=NOBODY, extra_groups=[],
                   env={"PYTHONPATH": ":".join(sys.path)}, timeout=60, check=True)
    said = f"user {NOBODY} may not stop lab: "
    assert lab.manager.log().count(said) == 3
    lab.manager.end()
    lines = [line for line in lab.manager.log().splitlines() if said in line]
    assert len(lines) == 4 and lines[-1].endswith("(repeated 297 times in 60 s)")


def test_who_captures_is_logged(lab):
    lab.client.start("lab")
    with lab.new_client(enable_fds=True) as client:
        [stream] = client.reply(client.send((SESSION, "/org/vpntun1/session", "org.vpntun1.Diagnostics"), "Capture", "a{sv}", {}))
        stream.close()
    wait_for(lambda: "a capture ended" in lab.manager.log(), "the end of the capture is logged")
    assert lab.manager.log().count("user 0 captures packets") == 1


def test_who_captures_the_keys_is_logged_each_time(lab):
    lab.profile("secret", profile(encryption="wireguard", name="tun7", private_key=Keys().private))
    lab.client.start("secret")
    diagnostics = ("org.vpntun1.session.secret", "/org/vpntun1/session", "org.vpntun1.Diagnostics")
    with lab.new_client(enable_fds=True) as client:
        for _ in range(5):
            [stream] = client.reply(client.send(diagnostics, "CaptureWithSecrets", "a{sv}", {}))
            stream.close()
            wait_for(lambda: lab.manager.log().count("a capture ended") > 0, "a capture ends")
    said = "user 0 captures packets with the tunnel's private key and the secrets of its sessions"
    assert lab.manager.log().count(said) == 5
