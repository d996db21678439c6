"""What others than root may do, as polkit says; a stand-in for it on the private bus is asked and answers."""
import os
import subprocess
import time

import pytest
from conftest import lab_profile

from harness import program
from harness.bus import NOBODY, Client, DBusError, has_other_users, plain

REFUSED = "org.freedesktop.DBus.Error.AccessDenied"
CHALLENGED = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
SESSION = ("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Session")
DIAGNOSTICS = ("org.vpntun1.session.lab", "/org/vpntun1/session", "org.vpntun1.Diagnostics")

pytestmark = pytest.mark.skipif(not has_other_users(), reason="needs a second user: run the tests as root")


class Question:
    """One CheckAuthorization."""

    def __init__(self, polkit, call):
        self.polkit, self.call = polkit, call
        (kind, subject), self.action, self.details, self.flags, self.cancellation = call.body
        assert kind == "system-bus-name"
        self.caller = plain(subject["name"])

    def answer(self, authorised, challenge=False):
        self.polkit.answer(self.call, "(bba{ss})", (authorised, challenge, {}))


class Polkit(Client):
    """org.freedesktop.PolicyKit1 as far as we use it."""

    def __init__(self, address):
        super().__init__(address)
        self.call(("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"), "RequestName", "su",
                  "org.freedesktop.PolicyKit1", 4)

    def question(self):
        return Question(self, self.next_call("CheckAuthorization"))

    def cancelled(self, seconds=60.0):
        return self.next_call("CancelCheckAuthorization", seconds).body[0]


@pytest.fixture
def polkit(lab):
    with Polkit(lab.bus.address) as made:
        yield made


@pytest.fixture
def nobody(lab):
    with lab.new_client(user=NOBODY) as made:
        yield made


def send(client, method, **options):
    return client.send(client.MANAGER, method, "sa{sv}", "lab", {}, **options)


def refusal(client, serial, seconds=60.0):
    with pytest.raises(DBusError) as refused:
        client.reply(serial, seconds)
    return refused.value


@pytest.mark.parametrize("method", ["Start", "Stop", "Restart", "Reload"])
def test_what_polkit_allows_is_done_and_it_is_told_who_asks_for_what(lab, polkit, nobody, method):
    if method != "Start":
        lab.client.start("lab")
    serial = send(nobody, method)
    question = polkit.question()
    assert question.action == "org.vpntun1.manage-tunnel" and question.caller == nobody.name
    assert question.details == {"tunnel": "lab", "verb": method.lower()} and question.flags == 0
    question.answer(True)
    nobody.reply(serial)
    assert lab.client.state("lab") == ("stopped" if method == "Stop" else "running")


def test_what_polkit_denies_is_not_done_and_the_error_names_the_action(lab, polkit, nobody):
    for address in (nobody.MANAGER, ("org.vpntun1", "/org/vpntun1/tunnel/lab", "org.vpntun1.Tunnel")):
        arguments = ("sa{sv}", "lab", {}) if address == nobody.MANAGER else ("a{sv}", {})
        serial = nobody.send(address, "Start", *arguments)
        polkit.question().answer(False)
        error = refusal(nobody, serial)
        assert error.name == REFUSED and "org.vpntun1.manage-tunnel" in error.text
    assert lab.client.state("lab") == "stopped"


def test_who_cannot_be_asked_for_a_password_learns_that_one_is_wanted(polkit, nobody):
    serial = send(nobody, "Start")
    polkit.question().answer(False, challenge=True)
    assert refusal(nobody, serial).name == CHALLENGED
    serial = send(nobody, "Start", interactive=True)
    question = polkit.question()
    assert question.flags == 1
    question.answer(False, challenge=True)  # no agent
    assert refusal(nobody, serial).name == REFUSED


def test_an_error_and_an_answer_that_is_none_are_a_refusal(lab, polkit, nobody):
    serial = send(nobody, "Start")
    polkit.refuse(polkit.question().call, "org.freedesktop.PolicyKit1.Error.Failed", "out of order")
    error = refusal(nobody, serial)
    assert error.name == REFUSED and "out of order" in error.text
    for signature, values in ((None, ()), ("s", ("yes",)), ("b", (True,))):
        serial = send(nobody, "Start")
        polkit.answer(polkit.question().call, signature, *values)
        assert refusal(nobody, serial).name == REFUSED
    assert lab.client.state("lab") == "stopped"


def test_silence_is_a_refusal_and_the_question_is_taken_back(lab, polkit, nobody):
    serial = send(nobody, "Start")
    question = polkit.question()
    began = time.monotonic()
    assert lab.client.list()  # nobody else waits
    assert refusal(nobody, serial).name == REFUSED
    assert time.monotonic() - began > 20
    assert polkit.cancelled() == question.cancellation


def test_the_question_of_a_caller_who_leaves_is_taken_back(lab, polkit):
    caller = lab.new_client(user=NOBODY)
    send(caller, "Start", interactive=True)
    question = polkit.question()
    caller.close()
    assert polkit.cancelled() == question.cancellation
    question.answer(True)  # too late
    with lab.new_client(user=NOBODY) as other:
        serial = send(other, "Start")
        polkit.question().answer(False)
        assert refusal(other, serial).name == REFUSED
    assert lab.client.state("lab") == "stopped"


def test_a_polkit_that_dies_meanwhile_is_a_refusal(lab, nobody):
    polkit = Polkit(lab.bus.address)
    serial = send(nobody, "Start")
    polkit.question()
    polkit.close()
    assert refusal(nobody, serial).name == REFUSED


def test_root_and_our_own_user_are_not_asked_about(lab, polkit):
    lab.client.start("lab")
    lab.client.status("lab")
    lab.client.stop("lab")
    lab.client.list()
    with lab.new_client(user=NOBODY) as other:
        send(other, "Start")
        assert polkit.question().caller == other.name  # the first one that comes


def test_one_caller_may_have_sixteen_questions_pending(lab, polkit, nobody):
    serials = [send(nobody, "Start") for _ in range(17)]
    assert refusal(nobody, serials[16]).name == "org.freedesktop.DBus.Error.LimitsExceeded"
    lab.client.start("lab")  # of another caller
    for serial in serials[:16]:
        polkit.question().answer(False)
        assert refusal(nobody, serial).name == REFUSED
    serial = send(nobody, "Start")
    polkit.question().answer(True)
    nobody.reply(serial)


def test_a_profile_may_leave_its_switch_to_who_sits_at_the_machine(lab, polkit, nobody):
    lab.profile("open", lab_profile(name="tun1", address="192.168.54.1/24", port=9091)
                + "[access]\nactive-session = true\n")
    serial = nobody.send(nobody.MANAGER, "Start", "sa{sv}", "open", {})
    question = polkit.question()
    assert question.action == "org.vpntun1.manage-user-tunnel" and question.details["tunnel"] == "open"
    question.answer(True)
    nobody.reply(serial)
    session = ("org.vpntun1.session.open", "/org/vpntun1/session", "org.vpntun1.Session")
    serial = nobody.send(session, "Reload", "a{sv}", {})
    assert polkit.question().action == "org.vpntun1.manage-user-tunnel"


def test_a_session_asks_too(lab, polkit, nobody):
    lab.client.start("lab")
    with lab.new_client(user=NOBODY, enable_fds=True) as caller, open("/dev/null", "rb") as packet:
        for address, method, signature, arguments, action in (
                (SESSION, "Reload", "a{sv}", ({},), "org.vpntun1.manage-tunnel"),
                (SESSION, "Status", None, (), "org.vpntun1.inspect-details"),
                (DIAGNOSTICS, "Capture", "a{sv}", ({},), "org.vpntun1.capture"),
                (DIAGNOSTICS, "CaptureWithSecrets", "a{sv}", ({},), "org.vpntun1.capture-secrets"),
                (DIAGNOSTICS, "Inject", "ha{sv}", (packet, {}), "org.vpntun1.capture")):
            verb = "capture-with-secrets" if method == "CaptureWithSecrets" else method.lower()
            serial = caller.send(address, method, signature, *arguments)
            question = polkit.question()
            assert (question.action, question.details) == (action, {"tunnel": "lab", "verb": verb})
            question.answer(False)
            error = refusal(caller, serial)
            assert error.name == REFUSED and action in error.text


def status_as(client, polkit, *answers):
    """Status, with these answers to the questions about it: (action, authorised)."""
    serial = client.send(client.MANAGER, "Status", "s", "lab")
    for action, authorised in answers:
        question = polkit.question()
        assert question.action == action and question.flags == 0
        question.answer(authorised)
    return plain(client.reply(serial)[0])


def test_endpoints_are_for_who_may_know_them(lab, polkit, nobody):
    lab.client.start("lab")
    see, details = "org.vpntun1.inspect", "org.vpntun1.inspect-details"
    peer = status_as(nobody, polkit, (see, True), (details, True))["peers"][0]
    assert peer["endpoint"] == peer["configured-endpoint"] == "127.0.0.1:9999"
    peer = status_as(nobody, polkit, (see, True), (details, False))["peers"][0]
    assert peer["name"] == "server" and "endpoint" not in peer and "configured-endpoint" not in peer
    serial = nobody.send(nobody.MANAGER, "Describe")
    polkit.question().answer(True)
    polkit.question().answer(False)
    document = nobody.reply(serial)[0]
    assert '"server"' in document and "9999" not in document


def test_looking_can_be_forbidden_too(polkit, nobody):
    for method, signature, arguments in (("Status", "s", ("lab",)), ("List", None, ()), ("Describe", None, ())):
        serial = nobody.send(nobody.MANAGER, method, signature, *arguments)
        polkit.question().answer(False)
        error = refusal(nobody, serial)
        assert error.name == REFUSED and "org.vpntun1.inspect" in error.text


def test_without_polkit_only_root_may_and_everybody_may_look(lab, nobody):
    error = refusal(nobody, send(nobody, "Start"))
    assert error.name == REFUSED and "polkit is not installed, so only root may" in error.text
    lab.client.start("lab")
    status = plain(nobody.call(nobody.MANAGER, "Status", "s", "lab"))
    assert status["state"] == "running" and "endpoint" not in status["peers"][0]
    assert "polkit is not installed" in refusal(nobody, nobody.send(DIAGNOSTICS, "Capture", "a{sv}", {})).text


def vpnctl(lab, *arguments):
    return subprocess.Popen([program("vpnctl"), *arguments], user=NOBODY, group=NOBODY, extra_groups=[],
                            env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=lab.bus.address), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_vpnctl_says_which_action_was_denied_and_exits_5(lab, polkit):
    for challenge in (False, True):
        with vpnctl(lab, "start", "lab") as run:
            while True:
                question = polkit.question()
                question.answer(question.action != "org.vpntun1.manage-tunnel", challenge)
                if question.action == "org.vpntun1.manage-tunnel":
                    break
            _, said = run.communicate(timeout=60)
        assert run.returncode == 5 and "org.vpntun1.manage-tunnel" in said


def test_vpnctl_shows_that_an_endpoint_is_hidden(lab, polkit):
    lab.client.start("lab")
    with vpnctl(lab, "status", "lab") as run:
        for _ in range(2):
            question = polkit.question()
            question.answer(question.action == "org.vpntun1.inspect")
        said, _ = run.communicate(timeout=60)
    assert "(hidden)" in said and "9999" not in said
