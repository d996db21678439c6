"""vpnctl wait: until a tunnel runs, hears its peer, carries traffic; or says in time why not."""
import subprocess
import time

import pytest
from conftest import lab_profile
from test_ready import speak, wait_waiting

from harness import program
from harness.waiting import wait_for


def vpnctl(world, *arguments):
    return subprocess.Popen([program("vpnctl"), *arguments], env=world.manager.environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def ended(process):
    out, err = process.communicate(timeout=90)
    return process.returncode, out, err


def test_it_waits_for_a_tunnel_that_is_started_later(lab):
    waiting = vpnctl(lab, "wait", "lab")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.7)
    lab.client.start("lab")
    assert ended(waiting) == (0, "lab: it is running.\n", "")
    assert ended(vpnctl(lab, "wait", "lab", "--for", "configured"))[0] == 0


def test_a_handshake_is_the_first_datagram_of_a_peer(lab):
    lab.client.start("lab")
    waiting = vpnctl(lab, "wait", "lab", "--for", "handshake")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.5)
    speak()
    assert ended(waiting) == (0, "lab: a peer was heard.\n", "")


def test_in_vain_is_exit_code_7_with_where_the_tunnel_is(lab):
    code, out, err = ended(vpnctl(lab, "wait", "lab", "--timeout", "3"))
    assert (code, out) == (7, "") and "lab: not within 3 s that it is running; stopped" in err
    assert "Start it: vpnctl start lab" in err
    lab.client.start("lab")
    code, _, err = ended(vpnctl(lab, "wait", "lab", "--for", "traffic", "--timeout", "3"))
    assert code == 7 and "not within 3 s that packets pass both ways; running, unknown: no packet came from peer" in err


def test_an_unknown_name_and_a_wrong_word_end_at_once(lab):
    code, _, err = ended(vpnctl(lab, "wait", "lba"))
    assert code == 4 and 'Did you mean "lab"?' in err
    assert ended(vpnctl(lab, "wait", "lab", "--for", "luck"))[0] == 2
    assert ended(vpnctl(lab, "wait"))[0] == 2


def test_a_manager_that_is_started_again_does_not_end_the_waiting(lab):
    waiting = vpnctl(lab, "wait", "lab", "--timeout", "60")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.5)
    lab.manager.kill()
    lab.manager.start()
    wait_for(lambda: "lab" in lab.client.list(), "the manager is back")
    lab.client.start("lab")
    assert ended(waiting)[0] == 0


def test_its_document_is_that_of_the_status(lab):
    lab.client.start("lab")
    code, out, _ = ended(vpnctl(lab, "wait", "lab", "--json"))
    assert code == 0 and '"schema": "vpnctl.status/1"' in out


def test_nobody_waits_for_a_daemon_that_is_not_there_longer_than_asked(lab):
    lab.manager.kill()
    began = time.monotonic()
    assert ended(vpnctl(lab, "wait", "lab", "--timeout", "1"))[0] == 8
    assert time.monotonic() - began < 20, "not for as long as it would without being told"


def test_it_waits_as_long_as_a_start_that_waits_for_its_peer(world):
    world.profile("lab", lab_profile().replace('encryption = "none"', 'encryption = "none"\nready-when = "handshake"'))
    with world.new_client() as caller:
        serial = caller.send(caller.MANAGER, "Start", "sa{sv}", "lab", {})
        code, _, err = ended(vpnctl(world, "wait", "lab", "--timeout", "3"))
        assert code == 7 and "starting" in err
        wait_waiting(world)
        speak()
        assert ended(vpnctl(world, "wait", "lab"))[0] == 0
        caller.reply(serial)
