"""The program itself: exit codes, JSON, capture, inject, --watch on a terminal, against a fake daemon."""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from world import TUNNELS, VPNCTL

def test_an_absent_daemon_is_exit_code_8_and_says_how_to_start_it(bare):
    for arguments in (["status"], ["start", "lab"], ["list"]):
        done = bare.run(*arguments)
        assert done.returncode == 8
        assert "systemctl start vpntund" in done.stderr
    assert bare.run("version").returncode == 0


def test_an_absent_bus_is_exit_code_8(bare):
    bare.env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent"
    assert bare.run("status").returncode == 8


def test_start_says_where_it_runs(world):
    done = world.run("start", "lab")
    assert (done.returncode, done.stdout) == (0, "lab: running on tun0 (192.168.53.99/24). Not encrypted.\n")
    assert world.run("start", "lab", "--quiet").stdout == ""


@pytest.mark.parametrize("name, code, advice", [
    ("taken", 9, "ss -lunp"), ("denied", 5, "sudo vpnctl start denied"), ("invalid", 1, "vpnctl check invalid"),
    ("lba", 4, 'Did you mean "lab"?'), ("nobody-at-all", 4, "vpnctl list")])
def test_errors_of_start(world, name, code, advice):
    done = world.run("start", name)
    assert done.returncode == code
    assert advice in done.stderr


def test_reload_says_what_it_applied_and_what_needs_a_restart(world):
    done = world.run("reload", "lab")
    assert (done.returncode, done.stdout) == \
        (0, "lab: applied interface.mtu, peer[new]; needs a restart: interface.name (vpnctl restart lab)\n")
    assert world.run("reload", "lab", "--quiet").stdout == ""


def test_reload_as_json_and_its_errors(world):
    done = world.run("reload", "lab", "denied", "--json")
    assert json.loads(done.stdout) == {"schema": "vpnctl.reload/1", "tunnels": [
        {"name": "lab", "applied": ["interface.mtu", "peer[new]"], "needs-restart": ["interface.name"], "unchanged": False}]}
    assert done.returncode == 5 and "cannot reload denied" in done.stderr


def test_a_daemon_that_does_not_answer_in_time(world):
    done = world.run("start", "slow", "--timeout", "1")
    assert done.returncode == 7
    assert "--timeout SECONDS" in done.stderr


def test_an_invalid_profile_shows_its_mistakes(world):
    path = os.path.join(world.folder, "invalid.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("version = 1\nsurprise = true\n")
    world.document([{"name": "invalid", "state": "stopped", "profile-path": path}])
    done = world.run("start", "invalid")
    assert done.returncode == 1
    assert f"{path}:2:1: error" in done.stderr
    assert "vpnctl check" not in done.stderr  # all of it is here


def test_check_finds_the_profile_of_a_name_where_the_daemon_has_it(world):
    path = os.path.join(world.folder, "of-the-lab.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("version = 1\nsurprise = true\n")
    world.document([{"name": "of-the-lab", "state": "stopped", "profile-path": path}])
    done = world.run("check", "of-the-lab")
    assert done.returncode == 1
    assert f"{path}:2:1: error" in done.stdout
    assert world.run("check", "of-the-lab", "--profile-folder", world.folder + "/none").returncode == 4


def test_several_names_go_on_after_an_error_and_end_with_the_first_code(world):
    done = world.run("start", "taken", "denied", "lab")
    assert done.returncode == 9
    assert "lab: running" in done.stdout
    assert done.stderr.count("vpnctl:") == 2


def test_messages_from_the_bus_cannot_forge_lines(world):
    done = world.run("start", "hostile")
    assert "\x1b" not in done.stderr
    assert "\nvpnctl: all is well" not in done.stderr


def test_exit_codes_of_status(world):
    assert world.run("status").returncode == 0
    assert world.run("status", "lab").returncode == 0
    assert world.run("status", "lab-server").returncode == 3
    assert world.run("status", "nothing").returncode == 4
    assert world.run("status", "--healthy", "lab").returncode == 0
    assert world.run("status", "--healthy", "sick").returncode == 6


def test_json_is_the_daemons_document(world):
    assert json.loads(world.run("status", "--json").stdout)["tunnels"] == TUNNELS
    assert json.loads(world.run("status", "lab", "--json").stdout) == {"schema": "vpnctl.status/1",
                                                                      "tunnels": TUNNELS[:1]}


def test_a_pipe_gets_no_colours_and_a_terminal_does(world):
    assert "\x1b" not in world.run("status").stdout
    assert b"\x1b[32m" in on_terminal(world, ["status"])
    assert b"\x1b" not in on_terminal(world, ["status", "--no-color"])
    world.env["NO_COLOR"] = "1"
    assert b"\x1b" not in on_terminal(world, ["status"])


def test_watch_on_a_pipe_is_a_document_a_line(world):
    watch = subprocess.Popen([VPNCTL, "status", "--watch"], env=world.env, stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        assert json.loads(watch.stdout.readline())["schema"] == "vpnctl.status/1"
    watch.send_signal(signal.SIGINT)
    assert watch.wait(timeout=60) == 0
    assert watch.stdout.read() == ""


def on_terminal(world, arguments, columns=80, talk=None):
    """Runs vpnctl on a pseudo terminal; talk(child, read) drives it. Returns all it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([VPNCTL, *arguments], env=world.env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = bytearray()

    def read_until(text, seconds=60):
        end = time.monotonic() + seconds
        while text is None or text not in seen:
            if not select.select([ours], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{text!r} did not come: {bytes(seen)!r}")
            try:
                seen.extend(os.read(ours, 65536))
            except OSError:  # the other side closed
                return

    if talk:
        talk(child, read_until)
    read_until(None)
    os.close(ours)
    assert child.wait(timeout=60) == 0
    return bytes(seen)


def test_watch_on_a_terminal_redraws_in_place_and_restores_the_cursor(world):
    def talk(child, read_until):
        read_until(b"RECEIVED/S")
        tunnels = json.loads(json.dumps(TUNNELS))
        tunnels[0]["rx-bytes"] += 1 << 20
        world.document(tunnels)
        read_until(b"KiB/s")
        child.send_signal(signal.SIGINT)

    seen = on_terminal(world, ["status", "--watch"], columns=120, talk=talk)
    assert seen.startswith(b"\x1b[?25l")
    assert seen.count(b"\x1b[2J") == 1
    assert seen.count(b"\x1b[H") >= 2
    assert seen.endswith(b"\x1b[?7h\x1b[?25h")


def test_watch_outlives_the_daemon(world):
    def talk(child, read_until):
        read_until(b"tun0")
        world.daemon.kill()
        world.daemon.wait()
        read_until(b"does not answer")
        child.send_signal(signal.SIGINT)

    on_terminal(world, ["status", "--watch"], talk=talk)


def block(kind, body):
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def padded(data):
    return data + bytes(-len(data) % 4)


def option(code, data):
    return struct.pack("<HH", code, len(data)) + padded(data)


def record(interface, packet, comment):
    return block(6, struct.pack("<IIIII", interface, 0, 0, len(packet), len(packet)) + padded(packet) +
                 option(1, comment) + option(0, b""))


def capture_of(pairs):
    """A capture as the daemon writes it: `pairs` echo requests out."""
    inner = bytes.fromhex("4500001c00004000400100000a000001" "0a000002" "0800f7fe00000000")
    outer = bytes.fromhex("45000038000040004011000" "00a0002070a000208" "a3902382" "00240000") + inner
    out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack("<HHI", 101, 0, 0)) * 2
    for pair in range(1, pairs + 1):
        comment = f"pair {pair}, peer server, out".encode()
        out += record(0, inner, comment) + record(1, outer, comment)
    return out


def test_capture_prints_packets_and_their_datagrams(world):
    with open(os.path.join(world.folder, "capture.pcapng"), "wb") as file:
        file.write(capture_of(3))
    done = world.run("capture", "lab")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("From tun ==>: 10.0.0.1 --> 10.0.0.2 ICMP echo request")
    assert lines[1] == "    in UDP 10.0.2.7:41872 -> 10.0.2.8:9090, 20 IP + 8 UDP + 28 = 56 bytes"
    assert done.stderr == "Capturing lab; Ctrl-C ends.\n3 packets, 0 lost.\n"


def test_capture_ends_after_count(world):
    with open(os.path.join(world.folder, "capture.pcapng"), "wb") as file:
        file.write(capture_of(3))
    done = world.run("capture", "lab", "-c", "2")
    assert len(done.stdout.splitlines()) == 4
    assert done.stderr == "Capturing lab; Ctrl-C ends.\n2 packets, 0 lost.\n"


def test_capture_writes_whole_blocks_only(world):
    with open(os.path.join(world.folder, "capture.pcapng"), "wb") as file:
        file.write(capture_of(3)[:-10])
    path = os.path.join(world.folder, "out.pcapng")
    assert world.run("capture", "lab", "-w", path, "-c", "2").returncode == 0
    with open(path, "rb") as file:
        assert file.read() == capture_of(2)
    assert os.stat(path).st_mode & 0o777 == 0o600
    done = world.run("capture", "lab", "-w", "-", text=False)
    whole = capture_of(3)
    assert done.stdout == whole[:len(whole) - len(whole) % 4][:len(done.stdout)]
    assert len(capture_of(2)) < len(done.stdout) < len(whole)


def asked_captures(world):
    with open(os.path.join(world.folder, "captures"), encoding="utf-8") as file:
        return file.read().split()


def test_capture_asks_for_secrets_only_with_the_option(world):
    with open(os.path.join(world.folder, "capture.pcapng"), "wb") as file:
        file.write(capture_of(1))
    path = os.path.join(world.folder, "out.pcapng")
    assert world.run("capture", "lab", "-w", path).returncode == 0
    assert asked_captures(world) == ["Capture"]
    os.remove(path)
    done = world.run("capture", "lab", "-w", path, "--with-secrets")
    assert done.returncode == 0 and "the tunnel's private key" in done.stderr
    assert asked_captures(world) == ["Capture", "CaptureWithSecrets"]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_secrets_go_into_a_new_file_only(world):
    with open(os.path.join(world.folder, "capture.pcapng"), "wb") as file:
        file.write(capture_of(1))
    path, link = os.path.join(world.folder, "out.pcapng"), os.path.join(world.folder, "link")
    with open(path, "wb") as file:
        file.write(b"mine")
    os.symlink(os.path.join(world.folder, "elsewhere"), link)
    for target in (path, link, "/dev/null"):
        done = world.run("capture", "lab", "--with-secrets", "-w", target)
        assert done.returncode == 1 and "is there already: secrets go into a new file" in done.stderr
    with open(path, "rb") as file:
        assert file.read() == b"mine"
    assert not os.path.exists(link)


@pytest.mark.parametrize("arguments", [(), ("--hex",), ("-w", "out.pcapng", "--snaplen", "64")])
def test_secrets_are_not_for_reading_and_not_cut(world, arguments):
    done = world.run("capture", "lab", "--with-secrets", *arguments)
    assert done.returncode == 2 and "--with-secrets" in done.stderr
    assert not os.path.exists(os.path.join(world.folder, "captures"))


def test_secrets_are_not_written_to_a_terminal(world):
    controller, terminal = pty.openpty()
    done = subprocess.run([VPNCTL, "capture", "lab", "--with-secrets", "-w", "-"], env=world.env, stdout=terminal,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2 and "is a terminal" in done.stderr


def test_capture_of_noise_is_an_error(world):
    with open(os.path.join(world.folder, "capture.pcapng"), "wb") as file:
        file.write(b"this is no capture at all, only text")
    done = world.run("capture", "lab")
    assert done.returncode == 1
    assert "cannot be read" in done.stderr


def test_capture_of_a_tunnel_that_does_not_run(world):
    done = world.run("capture", "lab-server")
    assert done.returncode == 3
    assert "vpnctl start lab-server" in done.stderr


def injected(world):
    with open(os.path.join(world.folder, "injected"), "rb") as file:
        return file.read()


def test_inject_passes_the_bytes_sealed(world):
    done = world.run("inject", "lab", "--text", "evian")
    assert done.returncode == 0, done.stderr
    assert injected(world) == b"evian"
    assert "lab: injected 5 bytes: broken packet" in done.stdout
    assert world.run("inject", "lab", "--hex", "00 ff").returncode == 0
    assert injected(world) == b"\x00\xff"
    assert world.run("inject", "lab", "--stdin", input="from stdin").returncode == 0
    assert injected(world) == b"from stdin"
    assert world.run("inject", "lab", "--icmp", "1.2.3.4", "192.168.53.99", "--payload", "x").returncode == 0
    assert injected(world)[12:16] == bytes([1, 2, 3, 4])


def test_inject_refuses_what_is_no_packet(world):
    assert world.run("inject", "lab", "--stdin", input="").returncode == 2
    assert world.run("inject", "lab", "--file", "/nonexistent").returncode == 1
    assert world.run("inject", "lab", "--file", "/dev/zero").returncode == 2
    done = world.run("inject", "l2", "--icmp", "1.2.3.4", "192.168.53.99")
    assert done.returncode == 2
    assert "Ethernet frames" in done.stderr
    assert world.run("inject", "lab-server", "--text", "x").returncode == 3


def test_lab_runs_the_lab_runner_beside_it(bare, tmp_path):
    program = tmp_path / "vpnctl"
    os.link(VPNCTL, program) if os.stat(VPNCTL).st_dev == os.stat(tmp_path).st_dev else \
        subprocess.run(["cp", VPNCTL, program], check=True)
    runner = tmp_path / "vpntun-lab"
    runner.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')
    runner.chmod(0o755)
    words = ["exec", "u", "ping", "-c", "1", "--", "--json", "--help"]
    for arguments in (words, ["--help"], ["run", "all", "--json"], ["--quiet", "down"], []):
        done = subprocess.run([program, "lab", *arguments], env=bare.env, capture_output=True, text=True, timeout=60,
                              check=False)
        assert (done.returncode, done.stdout) == (7, "".join(a + "|" for a in arguments) or "|"), done.stderr
