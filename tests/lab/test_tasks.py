"""Every task makes its observations; a missing one fails, and is named."""
import os
import subprocess

import pytest

from lab import run_until_first_ping

TASKS = ["1", "2a", "2b", "2c", "2d", "3", "4", "5", "6", "7", "8", "9"]
HERE = os.path.dirname(os.path.abspath(__file__))


def tshark(*arguments):
    return subprocess.run(["tshark", "-n", *arguments], capture_output=True, text=True, timeout=300, check=False)


def test_list_has_every_task(lab):
    assert [line.split()[0] for line in lab.ok("list").splitlines()] == [*TASKS, "encrypt"]


def test_all_tasks_twice_with_records(lab, tmp_path):
    for _ in range(2):
        said = lab.ok("run", "all", "--out", str(tmp_path / "out"))
        assert "12 of 12 tasks: everything seen." in said and "MISSING" not in said
    for task in TASKS:
        folder = tmp_path / "out" / f"task-{task}"
        assert (folder / "story.md").read_text().startswith(f"# Task {task}: ")
        # Or tshark takes a datagram for what is spoken on the client's port, which the kernel chose.
        shown = tshark("-r", str(folder / "trace.pcapng"), "-d", "udp.port==9090,data")
        assert shown.returncode == 0
        # Task 2d writes five bytes that are no packet, on purpose.
        assert ("malformed" in shown.stdout.lower()) == (task == "2d")


def test_the_trace_of_a_ping_has_all_three_hosts(lab, tmp_path):
    lab.ok("run", "5", "--out", str(tmp_path / "out"))
    trace = str(tmp_path / "out" / "trace.pcapng")
    shown = tshark("-r", trace, "-T", "fields", "-e", "frame.interface_name", "-Y", "icmp.type == 0").stdout.split()
    assert {"v:eth0", "server:eth1", "server:tun0", "u:tun0"} <= set(shown)
    outer = tshark("-r", trace, "-T", "fields", "-e", "frame.interface_name", "-Y", "udp.port == 9090").stdout.split()
    assert set(outer) == {"u:eth0", "server:eth0"}


def test_encrypted_the_words_are_on_the_wire_no_more(lab_up, tmp_path):
    said = lab_up.ok("run", "encrypt", "--out", str(tmp_path))
    assert "everything seen" in said and (tmp_path / "story.md").read_text().startswith("# Task encrypt: ")
    fields = tshark("-r", str(tmp_path / "trace.pcapng"), "-d", "udp.port==9090,wg", "-T", "fields", "-e", "frame.number",
                    "-e", "frame.interface_name", "-e", "wg.type", "-Y", "udp.port == 9090").stdout
    outer = [line.split("\t") for line in fields.splitlines()]
    # A plain datagram begins with the 0x45 of an IPv4 header, which is no type.
    first = next(int(number) for number, _, kind in outer if kind == "1")
    assert {"4"} < {kind for number, _, kind in outer if int(number) >= first} <= {"1", "2", "4"}
    words = tshark("-r", str(tmp_path / "trace.pcapng"), "-T", "fields", "-e", "frame.number", "-e", "frame.interface_name",
                   "-Y", 'frame contains "hello V, it is U"').stdout
    places = [line.split("\t") for line in words.splitlines()]
    wire = {"u:eth0", "server:eth0"}
    assert wire <= {place for number, place in places if int(number) < first}
    after = {place for number, place in places if int(number) > first}
    assert after and not wire & after
    profile = (tmp_path / "lab" / "profiles" / "lab.toml").read_text()
    assert 'encryption = "none"' in profile and "key" not in profile  # the keys are gone with the task


def test_a_run_in_a_lab_that_is_up_leaves_it_in_its_base_state(lab_up):
    lab_up.ok("run", "8")
    assert "192.168.53.0/24 via 192.168.60.1" in lab_up.ok("exec", "v", "ip", "route")
    assert "default" not in lab_up.ok("exec", "v", "ip", "route")
    assert "tun" not in lab_up.ok("exec", "server", "ip", "link")
    assert "running" not in lab_up.ok("status")


def test_what_a_learner_broke_is_repaired_before_a_task(lab_up):
    lab_up.ok("exec", "v", "sh", "-c", "ip link set eth0 down; ip address flush dev eth0")
    lab_up.ok("exec", "u", "ip", "route", "add", "default", "via", "10.0.2.8")
    lab_up.ok("exec", "server", "ip", "link", "set", "eth1", "down")
    assert "everything seen" in lab_up.ok("run", "1")


def test_keep_leaves_the_lab_as_the_task_made_it(lab):
    assert "The lab stays up" in lab.ok("run", "5", "--keep")
    assert "ttl=63" in lab.ok("exec", "u", "ping", "-n", "-c", "1", "-W", "60", "192.168.60.101")


@pytest.mark.parametrize("ends", [("client",), ("server",), ("client", "server")], ids="-".join)
def test_a_learners_own_program_is_one_end(lab, ends):
    arguments = [word for end in ends for word in (f"--{end}", os.path.join(HERE, f"naive_{end}.py"))]
    said = lab.ok("run", "5", *arguments)
    assert "naive0" in said and "seen: the reply at all six places" in said


def test_what_a_learners_program_started_ends_with_it(lab_up):
    said = lab_up.ok("run", "5", "--client", f"sh -c '{HERE}/naive_client.py & wait'")
    assert "naive0" in said
    assert "naive" not in lab_up.ok("exec", "u", "ip", "link")


def client_whose_route_is(line):
    """The learner's client, but for the command that sets its route."""
    return f"sed 's#^os.system(f.ip route.*#{line}#' {HERE}/naive_client.py | exec python3 -u -"


@pytest.mark.parametrize("until", ["sleep 0.5", "until ip route | grep -q metric; do sleep 0.1; done"],
                         ids=["before the lab's", "after the lab's"])
def test_a_learners_own_route_may_come_late(lab, until):
    late = f'os.system(f"({until}; ip route add 192.168.60.0/24 dev {{name}}) \\&")'
    said = lab.ok("run", "5", "--client", client_whose_route_is(late))
    assert "seen: the reply at all six places" in said and "File exists" not in said


def test_a_program_that_fails_is_named_with_its_last_words(lab):
    done = lab.run("run", "5", "--client", "sh -c 'echo no idea; exit 3'")
    assert done.returncode == 1
    assert "MISSING" in done.stdout and "status 3" in done.stdout and "no idea" in done.stdout


def test_an_observation_that_is_missing_fails_the_task(lab_up):
    lab_up.ok("exec", "server", "ip", "route", "add", "blackhole", "192.168.60.101/32")
    done = lab_up.run("run", "1")
    assert done.returncode == 1 and "MISSING: the server reaches V" in done.stdout


def test_one_run_at_a_time_in_a_lab(lab_up):
    first = run_until_first_ping(lab_up, "8")
    second = lab_up.run("run", "1")
    assert second.returncode == 1 and "another run" in second.stderr
    assert "everything seen" in first.stdout.read()
    assert first.wait(60) == 0


def test_a_lab_taken_down_under_a_run_is_not_kept(lab):
    running = run_until_first_ping(lab, "8", "--keep")
    assert lab.ok("down") == "The lab is down.\n"
    said = running.stdout.read()
    assert running.wait(60) == 3 and "the lab ended before its task did" in said


def test_a_task_that_does_not_exist_is_a_usage_error(lab):
    done = lab.run("run", "17")
    assert done.returncode == 2 and "vpnctl lab list" in done.stderr
