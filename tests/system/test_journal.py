"""The journal as docs/journal.md promises it: fields, explanations, levels, a line per change and none per packet."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from harness.profile import peer, profile
from harness.waiting import wait_for
from machine import MANAGER_UNIT, unit_of
from packages import SOURCE

HOME = profile(name="home0", address="192.168.53.98/24", mtu=1400, listen_port=9090,
               peers=[peer("u", "192.168.53.99/32"), peer("server", "192.168.60.0/24", endpoint="127.0.0.1:9999")])
UNIT = unit_of("home")
# Inner packets that peer u may send, and some that nobody may; each from its own port.
SEND = """
import socket, struct, sys
def packet(source, to):
    return (bytes([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]) + socket.inet_aton(source) + socket.inet_aton(to) +
            struct.pack(">HHHH", 1000, 1000, 8, 0))
for _ in range(int(sys.argv[2])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(packet(sys.argv[1], "192.168.53.98"), ("127.0.0.1", 9090))
"""


@pytest.fixture(scope="module")
def home(machine):
    machine.profile("home", HOME)
    machine.write_file("/root/send.py", SEND)
    return machine


@pytest.fixture
def running(home):
    """The tunnel home, just started; `home.mark` is a moment before that, as journalctl takes it."""
    home.mark = home.out("date '+%Y-%m-%d %H:%M:%S.%N' | cut -c -26")
    home.systemctl("start", UNIT)
    yield home
    home.systemctl("stop", UNIT)
    home.systemctl("reset-failed", UNIT, check=False)


def lines(machine, *matches):
    """Of the session, since the fixture started it."""
    return machine.journal_entries("--since", machine.mark, "-u", UNIT, "SYSLOG_IDENTIFIER=vpntund", *matches)


def with_event(machine, event):
    return lines(machine, f"VPNTUN_EVENT={event}")


def send(machine, source, count=1):
    machine.run(["python3", "/root/send.py", source, str(count)])


def test_a_start_is_one_line_for_each_change_of_state(running):
    wait_for(lambda: with_event(running, "not-encrypted"), "the start is in the journal")
    assert [line.get("VPNTUN_EVENT") for line in lines(running)] == ["up", "not-encrypted"]
    for line in lines(running):
        assert line["VPNTUN_TUNNEL"] == "home" and line["INTERFACE"] == "home0"
        assert re.fullmatch("[0-9a-f]{32}", line["MESSAGE_ID"]) and "CODE_LINE" not in line
        assert line["_SYSTEMD_UNIT"] == UNIT
    states = [line["MESSAGE"] for line in running.journal_entries("--since", running.mark, "-u", MANAGER_UNIT,
                                                                  "VPNTUN_EVENT=tunnel-changed")]
    assert len(states) <= 2 and all(re.fullmatch("tunnel home: (starting|running)", state) for state in states)


def test_a_stop_is_one_line(running):
    running.systemctl("stop", UNIT)
    last = wait_for(lambda: with_event(running, "going-down"), "the stop is in the journal")
    assert len(last) == 1 and last[0]["PRIORITY"] == "5"
    assert lines(running)[-1] == last[0]


def test_a_start_that_fails_says_why(running):
    running.profile("other", HOME.replace("home0", "other0").replace("192.168.53", "192.168.54"))
    running.systemctl("start", unit_of("other"), check=False)
    entry, = wait_for(lambda: running.journal_entries("--since", running.mark, "VPNTUN_EVENT=start-failed"),
                      "the failure is in the journal")
    assert entry["VPNTUN_TUNNEL"] == "other" and entry["VPNTUN_REASON"] == "address-in-use" and entry["PRIORITY"] == "3"
    assert entry["MESSAGE"] in running.systemctl("status", unit_of("other"), check=False).stdout
    running.run("rm /etc/vpntund/other.toml")
    running.systemctl("reset-failed", unit_of("other"))


def test_every_event_is_explained(running):
    with open(os.path.join(SOURCE, "systemd", "vpntun.catalog"), encoding="utf-8") as file:
        ids = re.findall("^-- ([0-9a-f]{32})$", file.read(), re.M)
    listed = running.out("journalctl --list-catalog")
    assert ids and [one for one in ids if one not in listed] == []
    shown = wait_for(lambda: running.run(["journalctl", "--no-pager", "-x", "--since", running.mark, "-u", UNIT,
                                          "VPNTUN_EVENT=up"]).stdout, "the start is in the journal")
    assert "Subject: Tunnel home is up" in shown and "vpnctl status home" in shown and "@" not in shown.split("Subject")[1]


def test_a_flood_is_a_few_lines_and_the_rest_is_counted(running):
    send(running, "192.168.53.99")
    learned, = wait_for(lambda: with_event(running, "endpoint-learned"), "the peer is learned")
    assert learned["VPNTUN_PEER"] == "u" and learned["VPNTUN_ENDPOINT"].startswith("127.0.0.1:")
    assert learned["VPNTUN_ENDPOINT"] in learned["MESSAGE"]
    before = len(lines(running))
    send(running, "10.9.9.9", 500)  # each is discarded
    wait_for(lambda: sum(drop["packets"] for drop in running.status("home")["drops"]) >= 400, "they are discarded")
    assert len(lines(running)) == before
    for move in range(6):
        place = peer_u(running)["endpoint"]
        send(running, "192.168.53.99")
        wait_for(lambda place=place: peer_u(running)["endpoint"] != place, "the peer has moved")
        if move < 3:  # moves within one look of the session at its peers are one
            wait_for(lambda move=move: len(with_event(running, "endpoint-moved")) > move, "so the journal says")
        time.sleep(0.2)
    running.systemctl("stop", UNIT)
    moved = wait_for(lambda: [line for line in with_event(running, "endpoint-moved") if "VPNTUN_REPEATED" in line] and
                     with_event(running, "endpoint-moved"), "what was folded comes out at the end")
    assert len(moved) == 4
    folded = int(moved[-1]["VPNTUN_REPEATED"])
    assert 1 <= folded <= 3 and f"(repeated {folded} time" in moved[-1]["MESSAGE"]


def peer_u(machine):
    return next(one for one in machine.status("home")["peers"] if one["name"] == "u")


def test_the_status_line_carries_health(running):
    assert running.show(UNIT, "StatusText") == "home0: unknown, 0 of 2 peers heard"
    send(running, "192.168.53.99")
    wait_for(lambda: running.show(UNIT, "StatusText") == "home0: healthy, 1 of 2 peers heard", "systemd knows")
    running.run("ip address delete 192.168.53.98/24 dev home0")
    wait_for(lambda: running.show(UNIT, "StatusText").startswith("home0: degraded: "), "systemd knows")
    health = wait_for(lambda: found if len(found := with_event(running, "health-changed")) >= 2 else None, "so does the journal")
    assert [line["MESSAGE"].split()[1].strip(",") for line in health] == ["healthy", "degraded"]
    assert health[-1]["VPNTUN_REASON"]


def test_systemctl_sets_the_level_of_both_units(running):
    running.vpnctl("status")
    for unit in (UNIT, MANAGER_UNIT):
        assert running.systemctl("service-log-level", unit).stdout.strip() == "info"
        assert running.systemctl("service-log-target", unit).stdout.strip() == "journal"
        running.systemctl("service-log-level", unit, "debug")
        assert running.systemctl("service-log-level", unit).stdout.strip() == "debug"
        running.systemctl("service-log-level", unit, "info")
    assert running.systemctl("service-log-level", UNIT, "loud", check=False).returncode != 0
    wait_for(lambda: [line["MESSAGE"] for line in with_event(running, "log-level-set")] ==
             ["the log level is debug", "the log level is info"], "both changes are in the journal")


def test_logs_shows_the_session_systemd_and_the_manager(running):
    def logs():
        text = running.vpnctl("logs", "home", "-n", "6").stdout
        return text if "home0 is up" in text and "systemd[1]: Started" in text else None

    shown = wait_for(logs, "logs has the start")
    assert re.search(r"^\w{3} \d\d [\d:]{8} vpntund\[\d+\]: home0 is up: ", shown, re.M)
    wait_for(lambda: "tunnel home: running" in running.vpnctl("logs", "home", "--since", "1d").stdout, "the manager's too")
    everything = [json.loads(line) for line in running.vpnctl("logs", "home", "--since", "1d", "--json").stdout.splitlines()]
    assert {"up", "tunnel-changed"} <= {line.get("event") for line in everything}
    assert len(running.vpnctl("logs", "home", "-n", "2").stdout.splitlines()) == 2
    assert running.vpnctl("logs", "home", "-n", "0").stdout == ""
    assert [line["time-usec"] for line in everything] == sorted(line["time-usec"] for line in everything)
    nothing = running.vpnctl("logs", "nobody")
    assert nothing.stdout == "" and "nobody" in nothing.stderr


def test_logs_follows_until_it_is_told_to_end(running):
    with running.popen(["vpnctl", "logs", "home", "-f", "-n", "1", "--json"], stdout=subprocess.PIPE) as following:
        try:
            following.stdout.readline()
            running.systemctl("service-log-level", UNIT, "info")
            for line in following.stdout:
                if json.loads(line).get("event") == "log-level-set":
                    break
        finally:
            following.send_signal(signal.SIGINT)
        assert following.wait(60) is not None


def test_logs_says_what_is_missing_to_read_the_journal(home):
    home.add_user("alice")
    refused = home.vpnctl("logs", "home", user="alice", check=False)
    assert refused.returncode == 1 and "systemd-journal or adm" in refused.stderr and refused.stdout == ""
    home.run("usermod -a -G systemd-journal alice")
    assert "home0 is up" in home.vpnctl("logs", "home", user="alice").stdout
    without = home.run("unshare -m sh -c 'mount -t tmpfs none /run/log; mount -t tmpfs none /var/log; vpnctl logs home'",
                       check=False)
    assert without.returncode == 1 and "there is no journal on this machine" in without.stderr


def test_nobody_else_can_write_into_the_logs_of_a_tunnel(running):
    running.run("id bob 2>/dev/null || useradd bob")
    running.run("logger --journald", user="bob", text_input="MESSAGE=forged\nVPNTUN_TUNNEL=home\nVPNTUN_EVENT=up\n")
    wait_for(lambda: running.journal_entries("--since", running.mark, "MESSAGE=forged"), "the forged line is in the journal")
    assert "forged" not in running.vpnctl("logs", "home", "--since", "1d").stdout
