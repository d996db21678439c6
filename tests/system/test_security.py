"""What the processes may do: less than a mistake in them would need; and everything that a profile asks for."""
import os
import re

import pytest

from harness.network import ping
from harness.profile import peer, profile
from harness.waiting import wait_for
from machine import MANAGER_UNIT, unit_of
from packages import SOURCE

HOME = profile(name="home0", address=["192.168.53.99/24", "fd53::99/64"],
               peers=[peer("server", "192.168.53.0/24", "fd53::/64", endpoint="10.0.2.8:9090")])
UNIT = unit_of("home")
NET_ADMIN, NET_BIND_SERVICE, SYS_ADMIN = 1 << 12, 1 << 10, 1 << 21
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def example(name):
    with open(os.path.join(SOURCE, "systemd/examples", name), encoding="utf-8") as file:
        return file.read()


def of_process(machine, unit):
    """/proc/PID/status as words."""
    text = machine.out(f"cat /proc/{machine.main_pid(unit)}/status")
    return {line.split(":")[0]: line.split(":")[1].split() for line in text.splitlines()}


def capabilities(machine, unit):
    return {name: int(of_process(machine, unit)[name][0], 16) for name in CAPABILITIES}


@pytest.fixture
def running(machine):
    """A session and the manager run."""
    machine.profile("home", HOME)
    machine.systemctl("start", UNIT)
    machine.vpnctl("status")
    yield machine
    machine.systemctl("stop", UNIT)
    machine.systemctl("reset-failed", UNIT, check=False)


@pytest.mark.parametrize("unit, most", [(UNIT, 2.0), (MANAGER_UNIT, 1.5)])
def test_exposure_is_low(running, unit, most):
    said = running.out(["systemd-analyze", "security", unit])
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said).group(1))
    print(f"{unit}: {exposure}")
    assert exposure <= most, said


def test_a_session_has_one_capability_and_its_own_user(running):
    user = running.out("id -u vpntun")
    shown = of_process(running, UNIT)
    assert set(shown["Uid"]) == {user} and set(shown["Groups"]) == {running.out("id -g vpntun")}
    assert capabilities(running, UNIT) == dict.fromkeys(CAPABILITIES, NET_ADMIN)
    assert shown["NoNewPrivs"] == ["1"] and shown["Seccomp"] == ["2"]


def test_the_manager_has_no_capability_and_no_network(running):
    shown = of_process(running, MANAGER_UNIT)
    assert set(shown["Uid"]) == {running.out("id -u vpntun")}
    assert capabilities(running, MANAGER_UNIT) == dict.fromkeys(CAPABILITIES, 0)
    assert shown["NoNewPrivs"] == ["1"] and shown["Seccomp"] == ["2"]
    links = running.out(f"nsenter -t {running.main_pid(MANAGER_UNIT)} -n ip -br link").splitlines()
    assert [line.split()[0] for line in links] == ["lo"]


@pytest.mark.parametrize("unit", [UNIT, MANAGER_UNIT])
def test_no_file_can_be_written_and_none_of_a_user_is_seen(running, unit):
    running.write_file("/root/secret", "x")
    inside = f"nsenter -t {running.main_pid(unit)} -m"
    refused = running.run(f"{inside} touch /etc/vpntund/home.toml /usr/sbin/new", check=False)
    assert refused.returncode != 0 and refused.stderr.count("Read-only file system") == 2
    assert running.run(f"{inside} cat /root/secret", check=False).returncode != 0


@pytest.mark.parametrize("unit", [UNIT, MANAGER_UNIT])
def test_neither_core_file_nor_swap_can_hold_a_secret(running, unit):
    limits = running.out(f"cat /proc/{running.main_pid(unit)}/limits")
    assert re.search(r"Max core file size\s+0\s+0\s", limits)
    assert running.out(["systemctl", "show", "-P", "MemorySwapMax", unit]) == "0"


@pytest.fixture
def deadly_filter(running):
    """A system call that is not allowed ends the process, instead of failing in a way that might go unnoticed."""
    for unit in (UNIT, MANAGER_UNIT):
        running.drop_in(unit, "SystemCallErrorNumber=kill", "deadly")
    running.systemctl("restart", MANAGER_UNIT)
    yield running
    for unit in (UNIT, MANAGER_UNIT):
        running.remove_drop_in(unit, "deadly")
    running.systemctl("restart", MANAGER_UNIT)


def test_the_system_call_filter_lets_everything_be_done(deadly_filter):
    machine = deadly_filter
    machine.write_file("/etc/hosts", "127.0.0.1 localhost\n10.0.2.8 far.example\n")
    machine.profile("home", profile(
        name="home%d", address=["192.168.53.99/24", "fd53::99/64"], mtu="auto",
        routing={"forwarding": ["lo"], "masquerade": True},
        peers=[peer("near", "192.168.53.0/24", "fd53::/64", endpoint="far.example:9090"), peer("learned", "10.9.0.0/16")]))
    machine.vpnctl("restart", "home")
    first = machine.main_pid(UNIT)
    capture = machine.popen(["vpnctl", "capture", "home", "--duration", "3"], stdout=-1, stderr=-1)
    wait_for(lambda: ping(machine.name, "192.168.53.1", seconds=1) is not None and capture.poll() is not None, "it ends")
    assert "192.168.53.99 --> 192.168.53.1" in capture.communicate()[0]
    machine.vpnctl("inject", "home", "--icmp", "1.2.3.4", "192.168.53.99")
    machine.vpnctl("status", "home", check=False)
    machine.profile("home", machine.read_file("/etc/vpntund/home.toml").replace("10.9.0.0/16", "10.10.0.0/16"))
    machine.systemctl("reload", UNIT)
    assert machine.main_pid(UNIT) == first
    machine.systemctl("kill", "-s", "SIGKILL", UNIT)
    machine.wait_new_main_pid(UNIT, first)
    machine.vpnctl("stop", "home")
    journal = machine.journal(None, "--since=-2min")
    assert "SYS" not in re.findall(r"status=31/(\w+)", journal) and "denied" not in machine.journal(UNIT), journal


def refused(machine, unit):
    """Starting it fails, and the journal says why: by the field, for the process may end before its unit is asked for."""
    assert machine.systemctl("start", unit, check=False).returncode != 0
    why = machine.journal(None, "VPNTUN_TUNNEL=special")
    machine.systemctl("reset-failed", unit)
    return why


def with_example(machine, unit, name):
    machine.drop_in(unit, example(name), "example")
    machine.systemctl("start", unit)


@pytest.fixture
def special(machine):
    """The unit of the profile special, whatever a test puts into it."""
    unit = unit_of("special")
    yield unit
    machine.systemctl("stop", unit, check=False)
    machine.systemctl("reset-failed", unit, check=False)
    machine.remove_drop_in(unit, "example")
    machine.run("rm -f /etc/vpntund/special.toml")


def test_a_port_below_1024_needs_the_drop_in(machine, special):
    machine.profile("special", profile(name="special0", listen_port=500, peers=[peer("a", "192.168.54.0/24")]))
    assert "privileged-port.conf" in machine.vpnctl("check", "special").stdout
    assert "ermission denied" in refused(machine, special)
    with_example(machine, special, "privileged-port.conf")
    assert machine.out("ss -Hlun 'sport = 500'") != ""
    assert capabilities(machine, special)["CapEff"] == NET_ADMIN | NET_BIND_SERVICE


def test_joining_a_namespace_needs_the_drop_in(machine, special):
    machine.run("ip netns add blue")
    try:
        machine.profile("special", profile(name="special0", address="192.168.54.1/24", listen_port=9091, netns="blue",
                                           peers=[peer("a", "192.168.54.0/24")]))
        assert "CAP_SYS_ADMIN" in refused(machine, special)
        with_example(machine, special, "netns-join.conf")
        assert "192.168.54.1" in machine.out("ip -n blue -br address show special0")
        assert of_process(machine, special)["Uid"][0] == machine.out("id -u vpntun")
        before = machine.main_pid(special)
        machine.systemctl("restart", special)
        assert machine.main_pid(special) != before and "special0" in machine.out("ip -n blue -br link")
        machine.systemctl("stop", special)
        assert "special0" not in machine.out("ip -n blue -br link")
    finally:
        machine.run("ip netns delete blue")


def test_making_a_namespace_needs_the_drop_in(machine, special):
    machine.profile("special", profile(name="special0", address="192.168.54.1/24", listen_port=9091,
                                       netns={"mode": "create", "name": "green"}, peers=[peer("a", "192.168.54.0/24")]))
    assert "CAP_SYS_ADMIN" in refused(machine, special)
    with_example(machine, special, "netns-create.conf")
    assert "192.168.54.1" in machine.out("ip -n green -br address show special0")
    assert machine.status("special")["state"] == "running"
    before = machine.main_pid(special)
    machine.systemctl("restart", special)
    assert machine.main_pid(special) != before and "special0" in machine.out("ip -n green -br link")
    machine.systemctl("stop", special)
    assert "green" not in machine.out("ip netns")


def test_ipv6_is_forwarded_once_the_host_says_so(machine, special):
    machine.profile("special", profile(name="special0", address="fd54::1/64", listen_port=9091,
                                       routing={"forwarding": True}, peers=[peer("a", "fd54::/64")]))
    machine.systemctl("start", special)
    def codes():
        return [finding["code"] for finding in machine.status("special")["findings"]]
    wait_for(lambda: "ipv6-forwarding-off" in codes(), "the status says what is missing")
    machine.write_file("/run/sysctl.d/ipv6-forwarding.conf", example("ipv6-forwarding.conf"))
    machine.run("sysctl -q -p /run/sysctl.d/ipv6-forwarding.conf")
    wait_for(lambda: "ipv6-forwarding-off" not in codes(), "the status takes it in")
    machine.run("sysctl -q net.ipv6.conf.all.forwarding=0; rm /run/sysctl.d/ipv6-forwarding.conf")


def test_without_polkit_the_manager_is_root_and_can_do_no_more(boot):
    machine = boot("nopolkit")
    machine.run("dpkg --purge --force-depends polkitd >/dev/null 2>&1; systemctl daemon-reload", timeout=120)
    machine.profile("home", HOME)
    machine.vpnctl("start", "home")
    assert of_process(machine, MANAGER_UNIT)["Uid"][0] == "0"
    assert capabilities(machine, MANAGER_UNIT) == dict.fromkeys(CAPABILITIES, 0)
    assert machine.status("home")["state"] == "running"
    assert of_process(machine, UNIT)["Uid"][0] == machine.out("id -u vpntun")
    machine.add_user("alice")
    refusal = machine.vpnctl("stop", "home", user="alice", check=False)
    assert refusal.returncode == 5 and "root" in refusal.stderr, refusal
