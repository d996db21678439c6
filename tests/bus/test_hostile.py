"""Callers that send nonsense, too much, or may not: each gets an error, and the manager goes on."""
import json
import os
import subprocess
import sys

import pytest
from jeepney import DBusAddress, new_method_call

from harness.bus import DBusError

INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
NO_TUNNEL = "org.vpntun1.Error.NoSuchTunnel"
NOBODY = 65534
# Run as another user: calls each method and prints the name of the error it gets.
STRANGER = """
import json, sys
from harness.bus import Client, DBusError
found = {}
with Client(sys.argv[1]) as client:
    for destination, path, interface, method, signature, arguments in json.loads(sys.argv[2]):
        try:
            client.call((destination, path, interface), method, signature or None, *arguments)
            found[method] = "allowed"
        except DBusError as error:
            found[method] = error.name
print(json.dumps(found))
"""


def error_of(world, method, signature, *arguments):
    with pytest.raises(DBusError) as refused:
        world.client.call(world.client.MANAGER, method, signature, *arguments)
    assert world.client.state("lab") == "stopped"  # still there, nothing changed
    assert len(refused.value.text) < 1000
    return refused.value.name


@pytest.mark.parametrize("name", ["", "nobody", "../x", "/etc/passwd", "lab/", "lab\n", "LAB", ".", "..", "-lab", "lab.toml",
                                  "l\u00e4b", "%s%n", "x" * 65])
def test_names_that_are_no_tunnels(lab, name):
    for method in ("Start", "Stop", "Restart"):
        assert error_of(lab, method, "sa{sv}", name, {}) == NO_TUNNEL
    assert error_of(lab, "Status", "s", name) == NO_TUNNEL


def test_arguments_of_the_wrong_types(lab):
    for signature, arguments in (("s", ("lab",)), ("i", (1,)), ("sa{ss}", ("lab", {})), ("a{sv}s", ({}, "lab")),
                                 (None, ()), ("ss", ("lab", "x")), ("sa{sv}s", ("lab", {}, "more"))):
        assert error_of(lab, "Start", signature, *arguments) in (INVALID, "org.freedesktop.DBus.Error.UnknownMethod")


def test_an_unknown_option_is_named(lab):
    with pytest.raises(DBusError) as refused:
        lab.client.start("lab", **{"fast\x1b": ("b", True)})
    assert refused.value.name == INVALID and "fast" in refused.value.text and "\x1b" not in refused.value.text
    deep = ("v", ("v", ("v", ("a{sv}", {"x": ("as", ["y"] * 1000)}))))
    assert error_of(lab, "Stop", "sa{sv}", "lab", {"deep": deep}) == INVALID


def test_strings_of_a_megabyte(lab):
    huge = "x" * 1_000_000
    assert error_of(lab, "Start", "sa{sv}", huge, {}) == NO_TUNNEL
    assert error_of(lab, "Status", "s", huge) == NO_TUNNEL
    assert error_of(lab, "Start", "sa{sv}", "lab", {huge: ("s", huge)}) == INVALID


def test_unknown_objects_methods_and_properties(lab):
    manager, client = lab.client.MANAGER, lab.client
    for address, method in ((manager, "Destroy"), (("org.vpntun1", "/org/vpntun1/tunnel/nobody", "org.vpntun1.Tunnel"), "Status"),
                            (("org.vpntun1", "/org/vpntun1/tunnel", "org.vpntun1.Tunnel"), "Status"),
                            (("org.vpntun1", "/", "org.vpntun1.Manager"), "List")):
        with pytest.raises(DBusError, match="Unknown"):
            client.call(address, method)
    properties = ("org.vpntun1", "/org/vpntun1/tunnel/lab", "org.freedesktop.DBus.Properties")
    with pytest.raises(DBusError, match="PropertyReadOnly"):
        client.call(properties, "Set", "ssv", "org.vpntun1.Tunnel", "State", ("s", "running"))
    with pytest.raises(DBusError, match="UnknownProperty"):
        client.call(properties, "Get", "ss", "org.vpntun1.Tunnel", "Secret")


def test_calls_without_a_reply_and_floods_of_them(lab):
    for _ in range(500):
        message = new_method_call(DBusAddress("/org/vpntun1", "org.vpntun1", "org.vpntun1.Manager"), "Status", "s", ("x",))
        lab.client.connection.send(message)
    assert lab.client.state("lab") == "stopped"


def test_a_stranger_may_look_and_not_touch(lab):
    if os.stat("/proc/self").st_uid != 0 or open("/proc/self/uid_map", encoding="utf-8").read().split()[2] == "1":
        pytest.skip("needs a second user: run the tests as root")
    lab.client.start("lab")
    manager, path = list(lab.client.MANAGER), "/org/vpntun1/tunnel/lab"
    calls = [manager + ["Start", "sa{sv}", ["lab", {}]], manager + ["Stop", "sa{sv}", ["lab", {}]],
             manager + ["Restart", "sa{sv}", ["lab", {}]], manager + ["List", "", []],
             manager + ["Describe", "", []],
             ["org.vpntun1", path, "org.vpntun1.Tunnel", "Status", "", []],
             ["org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Diagnostics", "Capture", "a{sv}", [{}]],
             ["org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Diagnostics", "CaptureWithSecrets", "a{sv}",
              [{}]]]
    done = subprocess.run([sys.executable, "-B", "-c", STRANGER, lab.bus.address, json.dumps(calls)], user=NOBODY,
                          group=NOBODY, extra_groups=[], capture_output=True, text=True, timeout=60, check=True)
    denied = "org.freedesktop.DBus.Error.AccessDenied"
    assert json.loads(done.stdout) == {"Start": denied, "Stop": denied, "Restart": denied, "Capture": denied,
                                       "CaptureWithSecrets": denied,
                                       "List": "allowed", "Describe": "allowed", "Status": "allowed"}
    assert lab.client.state("lab") == "running"


def test_a_stranger_cannot_pose_as_a_session(lab):
    if open("/proc/self/uid_map", encoding="utf-8").read().split()[2] == "1":
        pytest.skip("needs a second user: run the tests as root")
    script = """
import sys
from harness.bus import Client
client = Client(sys.argv[1])
print(client.call(("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"), "RequestName", "su",
                  "org.vpntun1.session.lab", 4), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-B", "-c", script, lab.bus.address], user=NOBODY, group=NOBODY,
                          extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout.readline() == "1\n"
        # The bus answers in order: when this is answered, the manager has judged the stranger.
        for _ in range(5):
            assert lab.client.status("lab")["state"] == "stopped"
        stranger.stdin.close()
    assert lab.client.state("lab") == "stopped"
