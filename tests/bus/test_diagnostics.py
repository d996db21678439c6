"""Captures and injected packets: descriptors over D-Bus, and what is refused."""
import fcntl
import os
import select
import struct

import pytest
from conftest import lab_profile

from harness.bus import DBusError
from harness.daemon import World
from harness.stopped_thread import StoppedThread, threads
from harness.waiting import wait_for

SESSION = ("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Diagnostics")
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
SECTION_HEADER = 0x0A0D0D0A
# IPv4, UDP without a checksum from 192.168.60.5 to 192.168.53.99, three bytes.
PACKET = (bytes.fromhex("4500001f000000004011") + b"\0\0" + bytes([192, 168, 60, 5, 192, 168, 53, 99]) +
          struct.pack(">HHHH", 12345, 12345, 11, 0) + b"abc")


@pytest.fixture
def running():
    with World() as world:
        world.profile("lab", lab_profile())
        world.client.start("lab")
        with world.new_client(enable_fds=True) as world.caller:
            yield world


def memfd(content, seals=fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK):
    descriptor = os.memfd_create("packet", os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def inject(world, descriptor, options=None):
    try:
        return world.caller.call(SESSION, "Inject", "ha{sv}", descriptor, options or {})
    finally:
        os.close(descriptor)


def read_some(descriptor, wanted, seconds=60):
    content = b""
    while len(content) < wanted:
        assert select.select([descriptor], [], [], seconds)[0], f"only {len(content)} bytes came"
        part = os.read(descriptor, 65536)
        assert part, "the capture ended"
        content += part
    return content


def capture(world, **options):
    return world.caller.call(SESSION, "Capture", "a{sv}", options).to_raw_fd()


def test_a_capture_begins_with_a_pcapng_section_and_shows_an_injected_packet(running):
    stream = capture(running)
    assert struct.unpack("=I", read_some(stream, 28)[:4])[0] == SECTION_HEADER
    assert inject(running, memfd(PACKET)) is None
    content = b""
    while PACKET not in content:
        content += read_some(stream, 1)
    os.close(stream)


def test_a_capture_ends_when_the_tunnel_is_stopped(running):
    stream = capture(running)
    read_some(stream, 28)
    running.client.stop("lab")
    assert select.select([stream], [], [], 60)[0]
    while os.read(stream, 65536):
        pass
    os.close(stream)


def test_too_many_captures_are_refused_and_a_closed_one_makes_room(running):
    streams = []
    with pytest.raises(DBusError) as refused:
        for _ in range(20):
            streams.append(capture(running))
    assert refused.value.name == "org.vpntun1.Error.Failed" and len(streams) >= 4
    for stream in streams:
        os.close(stream)


@pytest.mark.parametrize("options", [{"snaplen": ("s", "all")}, {"filter": ("s", "icmp")},
                                     {"inner": ("b", False), "outer": ("b", False)}])
def test_options_of_a_capture_are_checked(running, options):
    with pytest.raises(DBusError) as refused:
        capture(running, **options)
    assert refused.value.name == INVALID


@pytest.mark.parametrize("options, said", [({}, "lab is not encrypted: it has no secrets"),
                                           ({"outer": ("b", False)}, "secrets without the packets")])
def test_secrets_are_captured_only_where_they_are_of_use(running, options, said):
    with pytest.raises(DBusError, match=said) as refused:
        running.caller.call(SESSION, "CaptureWithSecrets", "a{sv}", options)
    assert refused.value.name == INVALID


def test_what_is_no_sealed_memfd_of_a_packets_size_is_refused(running):
    reading, writing = os.pipe()
    os.close(writing)
    for descriptor in (memfd(PACKET, fcntl.F_SEAL_WRITE), memfd(PACKET, 0), memfd(b""), memfd(bytes(65536)), reading,
                       os.open("/dev/zero", os.O_RDONLY), os.open("/", os.O_RDONLY)):
        with pytest.raises(DBusError) as refused:
            inject(running, descriptor)
        assert refused.value.name == INVALID, refused.value
    with pytest.raises(DBusError, match="unknown option"):
        inject(running, memfd(PACKET), {"fast": ("b", True)})


def test_a_broken_packet_harms_nothing(running):
    try:
        inject(running, memfd(b"evian"))
    except DBusError as error:
        assert error.name == "org.vpntun1.Error.Failed"
    assert running.client.status("lab")["state"] == "running"
    assert inject(running, memfd(PACKET)) is None


def test_a_packet_that_is_written_when_its_callers_bus_is_gone_harms_nothing(running):
    pid = running.manager.session_pids()[0]
    worker = next(thread for thread, name in threads(pid).items() if name.startswith("vpntun-w"))
    with StoppedThread(worker) as stopped:
        running.caller.send(SESSION, "Inject", "ha{sv}", memfd(PACKET), {})
        running.caller.call((*SESSION[:2], "org.vpntun1.Session"), "Status")  # by now the packet is on its way
        running.bus.end()
        assert running.manager.process.wait(60) == 1
        running.manager.process = None
        running.bus.start()
        with running.new_client() as client:
            wait_for(lambda: "org.vpntun1.session.lab" in client.owned_names(), "the session is back on the bus")
    assert not stopped.ended
    with running.new_client(enable_fds=True) as running.caller:
        assert inject(running, memfd(PACKET)) is None
    assert running.manager.session_pids() == [pid]
