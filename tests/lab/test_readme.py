"""Every command and profile the README shows, run as it stands there."""
import os
import re
import shlex
import signal
import subprocess

import pytest

from harness import BIN_DIR, program

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
# These run until somebody ends them.
ENDLESS = ("busctl monitor", "vpnctl status --watch", "vpnctl capture")


def section(title):
    with open(README, encoding="utf-8") as file:
        text = file.read()
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"the README has no section {title!r}"
    return found.group(1)


def commands(title):
    """The indented command lines of a section; several may stand in columns."""
    found = []
    for line in section(title).splitlines():
        if line.startswith("    "):
            found += [cell for cell in re.split(r"\s{3,}", line.strip()) if cell]
    assert len(found) >= 5, f"section {title!r} shows {found}"
    return found


@pytest.fixture
def shell(lab_up, tmp_path):
    """Runs a command line as a user of the lab would, and gives its status and output."""
    environment = {**lab_up.environment, "PATH": f"{BIN_DIR}:{os.environ['PATH']}",
                   "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={lab_up.folder}/bus"}

    def run(line):
        with subprocess.Popen(shlex.split(line), cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
            try:
                said = running.communicate(timeout=2 if line.startswith(ENDLESS) else 60)[0]
            except subprocess.TimeoutExpired:
                assert line.startswith(ENDLESS), f"{line} does not end"
                running.send_signal(signal.SIGINT)
                said = running.communicate(timeout=60)[0]
            return running.returncode, said

    assert run("vpnctl start lab-server")[0] == 0
    assert run("vpnctl start lab")[0] == 0
    return run


def test_the_profile_is_valid(tmp_path):
    profile = re.search(r"```toml\n(.*?)```", section("A profile"), re.S).group(1)
    path = tmp_path / "readme.toml"
    path.write_text(profile)
    done = subprocess.run([program("vpnctl"), "check", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("title", ["Daily use", "D-Bus"])
def test_the_commands_work_as_they_stand(shell, title):
    for line in commands(title):
        status, said = shell(line)
        wanted = (0, 130, -signal.SIGINT) if line.startswith(ENDLESS) else (0,)
        assert status in wanted, f"{line}: status {status}\n{said}"
        shell("vpnctl start lab")


def test_the_links_lead_somewhere():
    with open(README, encoding="utf-8") as file:
        targets = re.findall(r"\]\(([^)#]+)\)", file.read())
    assert targets
    for target in targets:
        assert os.path.exists(os.path.join(os.path.dirname(README), target)), target
