"""The README's section "As a service", word for word, on a Debian on which nothing of ours is yet.

packaging/deb is the command that built the packages, on this release: they are where it leaves them."""
import os
import re
import shutil

from harness.waiting import wait_for
from machine import unit_of
from packages import SOURCE, package_files

CLONE = "/root/vpntun"
UNIT = unit_of("lab")


def section():
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        return re.search(r"^## As a service\n(.*?)^## ", file.read(), re.M | re.S).group(1)


def commands():
    text = re.sub(r"^```.*?^```$", "", section(), flags=re.M | re.S)
    found = [line.strip().split("   #")[0].rstrip() for line in text.splitlines() if line.startswith("    ")]
    assert found[0] == "packaging/deb" and found[-1].startswith("apt-get purge") and len(found) >= 12
    return found[1:]


def put_a_clone_there(machine, release):
    clone = machine.root + CLONE
    shutil.copytree(os.path.join(SOURCE, "config"), os.path.join(clone, "config"))
    os.makedirs(os.path.join(clone, "build/deb"))
    for path in package_files(release):
        shutil.copy(path, os.path.join(clone, "build/deb"))


def checks(machine):
    """What must be so after a command that begins with these words."""
    def running():
        assert machine.status("lab")["state"] == "running"

    def reloaded():
        running()
        assert "192.168.61.0/24" in machine.out("ip route show dev tun0")

    def gone():
        assert "tun0" not in machine.out("ls /sys/class/net") and machine.status("lab")["state"] == "stopped"

    return {"apt-get install": lambda: machine.vpnctl("status"), "systemctl enable": running, "systemctl reload": reloaded,
            "systemctl restart": reloaded, "systemctl stop": gone}


def alice_may_this_tunnel(machine):
    rule = re.search(r"```js\n(// (\S+)\n.*?)```", section(), re.S)
    machine.add_user("alice")
    machine.run("cp /etc/vpntund/lab.toml /etc/vpntund/other.toml")
    wait_for(lambda: "other" in machine.vpnctl("list", "--names").stdout, "the other tunnel is known")
    assert machine.vpnctl("start", "lab", user="alice", check=False).returncode == 5
    machine.write_file(rule.group(2), rule.group(1))
    wait_for(lambda: machine.vpnctl("start", "lab", user="alice", check=False).returncode == 0, "polkit reads the rule")
    machine.vpnctl("stop", "lab", user="alice")
    assert machine.vpnctl("start", "other", user="alice", check=False).returncode == 5
    machine.run("rm /etc/vpntund/other.toml")


def test_the_section_is_true_word_for_word(boot, release):
    machine = boot("service", with_packages=False)
    put_a_clone_there(machine, release)
    expected = checks(machine)
    for line in commands():
        if line.startswith("apt-get purge"):
            alice_may_this_tunnel(machine)
        machine.run(f"cd {CLONE} && {line}", timeout=120)
        for words in [words for words in expected if line.startswith(words)]:
            expected.pop(words)()
    assert not expected, f"the README no longer shows {list(expected)}"
    assert machine.run("command -v vpnctl vpntund", check=False).stdout == ""
    assert machine.out("ls /etc/vpntund") == "lab.toml"
