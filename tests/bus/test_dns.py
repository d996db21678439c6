"""[interface.dns]: what systemd-resolved is told, when, and what holds without it."""
import contextlib
import os
import signal
import time

import pytest
from conftest import lab_profile

from harness.host import unchanged_host
from harness.resolved import FakeResolved
from harness.waiting import wait_for

DNS = """[interface.dns]
servers = ["192.168.60.53", "fd60::53"]
domains = ["corp.example", "~lab.example"]
"""


def dns_profile(dns=DNS):
    text = lab_profile()
    return text.replace('allowed-ips = ["192.168.60.0/24"]', 'allowed-ips = ["192.168.60.0/24", "fd60::/64"]') \
               .replace("\n[[peer]]", dns + "\n[[peer]]")


@pytest.fixture
def named(world):
    world.profile("lab", dns_profile())
    return world


def reason(world):
    return world.client.status("lab")["reason"]


def index(world):
    return world.client.status("lab")["interface-index"]


def wait_told(resolved, method, arguments):
    wait_for(lambda: resolved.told(method) == arguments, f"{method}{arguments}, and not {resolved.calls}")


def test_it_is_told_servers_domains_and_that_other_names_go_elsewhere(named):
    with FakeResolved(named.bus.address) as resolved:
        named.client.start("lab")
        wait_told(resolved, "SetLinkDNS", (index(named), [(2, bytes([192, 168, 60, 53])),
                                                          (10, bytes.fromhex("fd60" + "0" * 26 + "53"))]))
        wait_told(resolved, "SetLinkDomains", (index(named), [("corp.example", False), ("lab.example", True)]))
        wait_told(resolved, "SetLinkDefaultRoute", (index(named), False))
        assert reason(named)["code"] != "dns-unavailable"


def test_all_names_go_there_with_the_root_as_domain(world):
    world.profile("lab", dns_profile('[interface.dns]\nservers = "192.168.60.53"\ndomains = "~."\n'))
    with FakeResolved(world.bus.address) as resolved:
        world.client.start("lab")
        wait_told(resolved, "SetLinkDomains", (index(world), [(".", True)]))
        wait_told(resolved, "SetLinkDefaultRoute", (index(world), True))


def test_status_and_properties_show_what_the_profile_wants(named):
    named.client.start("lab")
    status = named.client.status("lab")
    assert status["dns-servers"] == ["192.168.60.53", "fd60::53"]
    assert status["dns-domains"] == ["corp.example", "~lab.example"]
    properties = named.client.get_all("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Session")
    assert properties["DNSServers"] == status["dns-servers"] and properties["DNSDomains"] == status["dns-domains"]


def test_a_stop_takes_it_back(named):
    with FakeResolved(named.bus.address) as resolved, unchanged_host():
        named.client.start("lab")
        told = (index(named),)
        wait_for(lambda: resolved.told("SetLinkDefaultRoute"), "resolved is told")
        named.client.stop("lab")
        wait_told(resolved, "RevertLink", told)


def test_a_tunnel_without_dns_says_nothing_to_it(lab):
    with FakeResolved(lab.bus.address) as resolved:
        lab.client.start("lab")
        lab.client.stop("lab")
        assert resolved.calls == []


def test_without_it_the_tunnel_runs_degraded_and_says_what_to_do(named):
    with unchanged_host():
        named.client.start("lab")
        wait_for(lambda: reason(named)["code"] == "dns-unavailable", "the missing resolved is noticed")
        status = named.client.status("lab")
        assert status["state"] == "running" and status["health"] == "degraded"
        assert "systemd-resolved does not run, so names of corp.example, lab.example are not asked at 192.168.60.53, " \
            "fd60::53; start it" in status["reason"]["text"]
        named.client.stop("lab")


def test_it_is_told_when_it_appears_and_again_when_it_comes_back(named):
    named.client.start("lab")
    wait_for(lambda: reason(named)["code"] == "dns-unavailable", "the missing resolved is noticed")
    for _ in range(2):
        with FakeResolved(named.bus.address) as resolved:
            wait_told(resolved, "SetLinkDefaultRoute", (index(named), False))
            wait_for(lambda: reason(named)["code"] != "dns-unavailable", "health recovers")
        wait_for(lambda: reason(named)["code"] == "dns-unavailable", "its end is noticed")


def test_a_refusal_degrades_with_its_words_and_a_cure(named):
    denied = ("org.freedesktop.DBus.Error.AccessDenied", "Permission denied")
    with FakeResolved(named.bus.address, {"SetLinkDomains": denied}):
        named.client.start("lab")
        wait_for(lambda: reason(named)["code"] == "dns-unavailable", "the refusal is noticed")
        assert "Permission denied" in reason(named)["text"] and "polkit" in reason(named)["text"]


class Few(dict):
    """Refusals of the first times only: fewer than the session puts up with."""

    TIMES = 3
    used = 0

    def __getitem__(self, method):
        self.used += 1
        return self.pop(method) if self.used == self.TIMES else super().__getitem__(method)


def test_an_interface_that_it_does_not_know_yet_is_tried_again(named):
    refusals = Few({"SetLinkDNS": ("org.freedesktop.resolve1.NoSuchLink", "?")})
    with FakeResolved(named.bus.address, refusals) as resolved:
        named.client.start("lab")
        wait_for(lambda: resolved.told("SetLinkDNS"), "the first attempt")
        assert reason(named)["code"] != "dns-unavailable"
        wait_for(lambda: len(resolved.calls) >= 3 * (Few.TIMES + 1), "the attempt that is taken")
        assert reason(named)["code"] != "dns-unavailable"


def test_one_that_never_answers_holds_up_neither_start_nor_stop(named):
    with FakeResolved(named.bus.address, silent=True) as resolved:
        began = time.monotonic()
        named.client.start("lab")
        wait_for(lambda: resolved.told("SetLinkDNS"), "it is asked")
        named.client.stop("lab")
        assert time.monotonic() - began < 24, "not for as long as an answer is waited for"


def test_nothing_is_told_before_a_peer_can_be_asked(world):
    world.profile("lab", dns_profile().replace('endpoint = "127.0.0.1:9999"', 'endpoint = "nowhere.invalid:9999"'))
    with FakeResolved(world.bus.address) as resolved:
        world.client.start("lab")
        wait_for(lambda: reason(world)["code"] == "unresolved", "the name is looked up")
        assert resolved.calls == []


def test_a_killed_session_leaves_no_tunnel_behind_with_names(named):
    with FakeResolved(named.bus.address) as resolved, contextlib.ExitStack():
        named.client.start("lab")
        wait_for(lambda: resolved.told("SetLinkDefaultRoute"), "resolved is told")
        os.kill(named.manager.session_pids()[0], signal.SIGKILL)
        named.wait_state("lab", "failed")
        resolved.calls.clear()
        named.client.start("lab")
        wait_told(resolved, "SetLinkDefaultRoute", (index(named), False))


def test_a_restart_without_dns_takes_back_what_the_one_before_told(named):
    with FakeResolved(named.bus.address) as resolved:
        named.client.start("lab")
        wait_for(lambda: resolved.told("SetLinkDefaultRoute"), "resolved is told")
        before = index(named)
        resolved.calls.clear()
        named.manager.write_profile("lab", dns_profile(""))
        named.client.restart("lab")
        wait_told(resolved, "RevertLink", (before,))
        assert [method for method, _ in resolved.calls] == ["RevertLink"]
