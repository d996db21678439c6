"""docs/dbus.md against the XML, the error table and the running daemon, docs/vpntund.md against the program; both ways."""
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import lab_profile

from harness import program

SOURCE = os.environ["VPNTUN_SOURCE_DIR"]
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
MARK = {"const": "*const*", "false": "*silent*", "invalidates": "*invalidated*", "true": None}


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def section(title, document="docs/dbus.md"):
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", read(document), re.M | re.S)
    assert found, f"{document} has no section {title}"
    return found.group(1)


def rows(text):
    """[(first column's word, second column, third column)] of every table row that begins with a `word`."""
    return re.findall(r"^\| `([^`]+)` \| ([^|]*) \|(?: ([^|]*) \|)?", text, re.M)


def tables(text):
    """{heading of the first column: its rows}"""
    return {block.split("|")[1].strip(): rows(block) for block in re.findall(r"(?:^\|.*\n)+", text, re.M)}


def interfaces():
    names = [name for name in sorted(os.listdir(os.path.join(SOURCE, "dbus"))) if name.endswith(".xml")]
    assert len(names) == 6
    return [ElementTree.fromstring(read(f"dbus/{name}")).find("interface") for name in names]


def arguments(element, direction):
    return "".join(arg.get("type") for arg in element.findall("arg") if arg.get("direction", direction) == direction)


@pytest.mark.parametrize("interface", interfaces(), ids=lambda interface: interface.get("name"))
def test_every_interface_is_described_as_it_is(interface):
    described = tables(section(interface.get("name")))
    methods = {}
    for method in interface.findall("method"):
        results = arguments(method, "out")
        methods[method.get("name")] = (arguments(method, "in"), results)
    shown = {}
    for name, signature, _ in described.get("method", []):
        taken, _, given = signature.partition("->")
        shown[name] = (taken.strip(" `"), given.strip(" `"))
    assert shown == methods
    assert {name: signature.strip("`") for name, signature, _ in described.get("signal", [])} == \
        {signal.get("name"): arguments(signal, "out") for signal in interface.findall("signal")}
    properties = {}
    for prop in interface.findall("property"):
        notes = {note.get("name"): note.get("value") for note in prop.findall("annotation")}
        properties[prop.get("name")] = (prop.get("type"), MARK[notes.get(EMITS, "true")])
    shown = {}
    for name, signature, text in described.get("property", []):
        mark = re.match(r"\*(const|silent|invalidated)\*", text)
        shown[name] = (signature.strip("`"), mark.group(0) if mark else None)
    assert shown == properties


def test_every_error_is_described_with_its_exit_code():
    table = re.findall(r'ErrorName\{ErrorKind::\w+,\s*"([\w.]+)",\s*\d+,\s*(\d)\}', read("dbus/error_names.h"))
    assert len(table) >= 14
    shown = {name: code for name, _, code in rows(section("Errors"))}
    assert shown.pop("org.freedesktop.DBus.Error.LimitsExceeded") == "1"
    assert shown.pop("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired") == "5"
    assert shown == dict(table)


def test_every_option_of_the_daemon_is_described():
    usage = subprocess.run([program("vpntund"), "--help"], capture_output=True, text=True, check=True).stdout
    heads = re.findall(r"^  (--.*?)(?:   |$)", usage, re.M)
    described = re.findall(r"^- (`--.*?): ", section("Options", "docs/vpntund.md"), re.M)
    assert {word for head in described for word in re.findall(r"`(--[^`]+)`", head)} == \
        {word for head in heads for word in head.split(", ")}


def test_every_exit_status_of_a_session_is_described():
    table = re.findall(r'ErrorName\{ErrorKind::\w+,\s*"[\w.]+?(\w+)",\s*(\d+),', read("dbus/error_names.h"))
    assert len(table) >= 14
    shown = re.findall(r"^\| (\d+) \| `(\w+)` \|", section("Exit statuses", "docs/vpntund.md"), re.M)
    assert shown == [(status, name) for name, status in table]


def signature_of(value):
    return value[0]


def test_the_status_keys_are_those_of_the_daemon(world):
    described = {name: (signature.strip("`"), text.startswith("*always*")) for name, signature, text in rows(section("Status"))}
    world.profile("lab", lab_profile())
    manager = world.client.MANAGER
    stopped = world.client.call(manager, "Status", "s", "lab")
    assert {key: signature_of(value) for key, value in stopped.items()} == \
        {key: signature for key, (signature, always) in described.items() if always}
    world.client.start("lab")
    running = world.client.call(manager, "Status", "s", "lab")
    assert {key: signature_of(value) for key, value in running.items()} == \
        {key: signature for key, (signature, _) in described.items()}
    row = next(line for line in section("Status").splitlines() if line.startswith("| `peers`"))
    assert set(running["peers"][1][0]) == set(re.findall(r"`([\w-]+)`", row)) - {"peers", "aa{sv}"}
