"""[interface.dns] with a real systemd-resolved: names of the domain are asked behind the tunnel, and nothing stays."""
import pytest

from harness.network import pings
from harness.waiting import wait_for
from lab import CLIENT, V, example
from machine import unit_of
from responder import Responder

UNIT = unit_of(CLIENT)
RESOLVED = "systemd-resolved.service"
DNS = f'[interface.dns]\nservers = ["{V}"]\ndomains = ["corp.example", "~lab.example"]\n'
NAME, ADDRESS = "www.corp.example", "10.77.0.1"


@pytest.fixture(scope="module")
def responder(lab):
    with Responder("v", V, default=ADDRESS) as made:
        yield made


@pytest.fixture
def named(lab, responder):
    """U's tunnel with names, running; stopped afterwards."""
    lab.u.profile(CLIENT, example(CLIENT).replace("[[peer]]", DNS + "[[peer]]"))
    lab.u.systemctl("start", RESOLVED)
    lab.start()
    responder.forget()
    yield lab
    lab.stop()


def shown(u):
    """What resolvectl says about tun0: its servers and domains."""
    return (u.out("resolvectl dns tun0", check=False).partition("): ")[2],
            u.out("resolvectl domain tun0", check=False).partition("): ")[2])


def wait_known(u, servers=V, domains="corp.example ~lab.example"):
    wait_for(lambda: shown(u) == (servers, domains), f"resolved knows it, and not {shown(u)}")


def reason(u):
    return u.status(CLIENT)["reason"]["code"]


def test_a_name_of_the_domain_is_asked_behind_the_tunnel(named, responder):
    wait_known(named.u)
    assert "Default Route: no" in named.u.out("resolvectl status tun0") or \
        "-DefaultRoute" in named.u.out("resolvectl status tun0")
    assert ADDRESS in named.u.out(f"resolvectl query --legend=no {NAME}")
    assert ADDRESS in named.u.out("getent ahostsv4 host.lab.example")
    assert NAME in responder.asked and "host.lab.example" in responder.asked
    named.u.run("resolvectl query elsewhere.example.org", check=False)
    assert "elsewhere.example.org" not in responder.asked


def test_nothing_of_it_stays_after_a_stop_and_resolv_conf_is_never_touched(named):
    u = named.u
    wait_known(u)
    link = u.out("stat -c '%N %i %Y' /etc/resolv.conf")
    named.u.systemctl("stop", UNIT)
    assert u.out("stat -c '%N %i %Y' /etc/resolv.conf") == link
    wait_for(lambda: V not in u.out("resolvectl status") and "corp.example" not in u.out("resolvectl status"),
             "resolved has forgotten it")


def test_it_is_told_again_after_resolved_was_restarted(named):
    wait_known(named.u)
    named.u.systemctl("restart", RESOLVED)
    wait_known(named.u)
    wait_for(lambda: reason(named.u) != "dns-unavailable", "health recovers")


def test_a_restart_of_the_session_keeps_it(named):
    wait_known(named.u)
    named.u.systemctl("restart", UNIT)
    wait_known(named.u)


def test_a_reload_changes_what_resolved_knows_while_the_session_runs(named, responder):
    u = named.u
    wait_known(u)
    pid = u.main_pid(UNIT)

    def reload(dns):
        u.profile(CLIENT, example(CLIENT).replace("[[peer]]", dns + "[[peer]]"))
        u.systemctl("reload", UNIT)

    reload(DNS.replace("corp.example", "new.example").replace(f'["{V}"]', f'["{V}", "192.168.60.53"]'))
    wait_known(u, f"{V} 192.168.60.53", "new.example ~lab.example")
    assert ADDRESS in u.out("resolvectl query --legend=no www.new.example")
    u.run(f"resolvectl query {NAME}", check=False)
    assert "www.new.example" in responder.asked and NAME not in responder.asked
    reload("")
    wait_known(u, "", "")
    reload(DNS)
    wait_known(u)
    assert ADDRESS in u.out(f"resolvectl query --legend=no {NAME}")
    assert u.main_pid(UNIT) == pid


def test_without_resolved_the_tunnel_is_degraded_and_packets_pass(named):
    u = named.u
    wait_known(u)
    u.systemctl("disable", "--now", RESOLVED)
    try:
        wait_for(lambda: reason(u) == "dns-unavailable", "the missing resolved is noticed")
        assert u.status(CLIENT)["health"] == "degraded"
        pings("u", V)
        u.systemctl("restart", UNIT)
        pings("u", V)
        wait_for(lambda: reason(u) == "dns-unavailable", "a start without it says so")
        assert "systemd-resolved does not run" in u.status(CLIENT)["reason"]["text"]
    finally:
        u.systemctl("enable", "--now", RESOLVED)
    wait_known(u)
    wait_for(lambda: reason(u) != "dns-unavailable", "health recovers")
