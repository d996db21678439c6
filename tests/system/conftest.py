"""Tests on a real systemd: how to write one is in docs/testing.md."""
import contextlib
import os

import pytest

import machine as machines
from harness.waiting import wait_for
from home import HOME, UNIT
from internet import Internet
from lab import Lab
from machine import Machine
from office import UNIT as OFFICE_UNIT
from office import Office

LIVE = []


@pytest.fixture(scope="session")
def release():
    """"bookworm" or "trixie": ctest has an entry for each."""
    name = os.environ.get("VPNTUN_RELEASE")
    assert name, "VPNTUN_RELEASE names the Debian release to test on: bookworm or trixie"
    machines.set_up_host()
    return name


@contextlib.contextmanager
def booted(*args, **options):
    with Machine(*args, **options) as made:
        LIVE.append(made)
        try:
            yield made
        finally:
            LIVE.remove(made)


@pytest.fixture(scope="module")
def boot(release):
    """boot(name, with_packages=True): one more machine, gone after the module."""
    with contextlib.ExitStack() as stack:
        yield lambda name, **options: stack.enter_context(booted(release, name, **options))


@pytest.fixture(scope="module")
def machine(boot):
    """A booted machine with our packages, shared by the module's tests: leave it as you found it."""
    return boot("machine")


@pytest.fixture
def home(machine):
    """The machine with the profile home, stopped, before and after."""
    machine.profile("home", HOME)
    wait_for(lambda: "home" in machine.vpnctl("list", "--names").stdout.split(), "the manager has seen the profile")
    yield machine
    machine.systemctl("stop", UNIT)
    machine.systemctl("reset-failed", UNIT, check=False)
    machine.remove_drop_in(UNIT)


@pytest.fixture(scope="module")
def lab(boot):
    """U and the VPN server as two machines, V behind the server; their profiles are there, nothing is started."""
    with Lab(boot("u"), boot("server")) as made:
        yield made


@pytest.fixture(scope="module")
def server_and_laptop(boot):
    with Internet(boot("server"), boot("laptop")) as made:
        yield made


@pytest.fixture
def office(server_and_laptop):
    """The encrypted tunnel office on both, stopped; and nothing of it afterwards."""
    yield Office(server_and_laptop)
    for machine in server_and_laptop.machines:
        machine.systemctl("stop", OFFICE_UNIT)
        machine.systemctl("reset-failed", OFFICE_UNIT, check=False)
        machine.remove_drop_in(OFFICE_UNIT)
        machine.run("nft delete table inet vpntun-killswitch_office", check=False)
        machine.run("rm -f /etc/vpntund/*")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for one in LIVE:
            with contextlib.suppress(Exception):
                report.sections.append((f"machine {one.name}", one.report()))
