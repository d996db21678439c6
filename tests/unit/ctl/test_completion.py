"""Completion in the shells themselves: bash, fish and zsh."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios

import pytest
from world import VPNCTL


def completed(world, *words):
    script = f"""source <({VPNCTL} completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vpnctl; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script, "bash", *words], env=world.env, cwd=world.folder,
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_verbs_names_options_and_files(world):
    assert completed(world, "vpnctl", "sta") == ["start", "status"]
    assert completed(world, "vpnctl", "start", "la") == ["lab", "lab-server"]
    assert completed(world, "vpnctl", "--timeout", "5", "stop", "lab", "si") == ["sick"]
    assert completed(world, "vpnctl", "--timeout", "") == []
    assert completed(world, "vpnctl", "status", "--w") == ["--watch"]
    assert completed(world, "vpnctl", "capture", "lab", "--write", "docu") == ["document.json"]
    assert completed(world, "vpnctl", "check", "docu") == ["document.json"]
    assert completed(world, "vpnctl", "completion", "") == ["bash", "zsh", "fish"]
    assert completed(world, "vpnctl", "lab", "s") == ["status", "shell", "server"]
    assert completed(world, "vpnctl", "lab", "run", "5", "--client", "docu") == ["document.json"]


def fish_completed(world, line):
    script = f"{VPNCTL} completion fish | source; complete -C $argv[1]"
    done = subprocess.run(["fish", "--no-config", "-c", script, line], env={**world.env, "HOME": world.folder},
                          cwd=world.folder, capture_output=True, text=True, timeout=60, check=True)
    return sorted(offer.split("\t")[0] for offer in done.stdout.splitlines())


def test_fish_completes_verbs_names_options_and_files(world):
    assert fish_completed(world, "vpnctl sta") == ["start", "status"]
    assert fish_completed(world, "vpnctl start la") == ["lab", "lab-server"]
    assert "--watch" in fish_completed(world, "vpnctl status --w")
    assert fish_completed(world, "vpnctl capture lab --write docu") == ["document.json"]
    assert fish_completed(world, "vpnctl check docu") == ["document.json"]
    assert fish_completed(world, "vpnctl completion ") == ["bash", "fish", "zsh"]


class Zsh:
    """A zsh on a terminal that finds our completion the way it finds an installed one, by the file's name."""

    def __init__(self, world, functions):
        with open(os.path.join(functions, "_vpnctl"), "w", encoding="utf-8") as file:
            subprocess.run([VPNCTL, "completion", "zsh"], stdout=file, check=True)
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = subprocess.Popen(
            ["zsh", "--no-rcs", "--interactive"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=world.folder,
            start_new_session=True, env={**world.env, "HOME": world.folder, "TERM": "dumb", "PS1": "", "PROMPT_EOL_MARK": ""})
        os.close(theirs)
        self.prompts = 0
        self.prompted(f"fpath=({functions} $fpath); autoload -U compinit; compinit -D -u; unset zle_bracketed_paste; ")

    def type(self, keys, *until):
        """What it shows from these keys until all these texts were shown, and then for a moment."""
        os.write(self.ours, keys.encode())
        shown = ""
        while select.select([self.ours], [], [], 0.2 if all(text in shown for text in until) else 60)[0]:
            shown += os.read(self.ours, 4096).decode()
        return shown

    def prompted(self, keys):
        """Types these, and waits for the next prompt: before it the terminal would take a ^D for itself."""
        self.prompts += 1
        self.type(f"{keys}PS1='ready''{self.prompts}> '\n", f"ready{self.prompts}> ")

    def offers(self, line, *words):
        """The words ^D lists below the line; these are waited for."""
        shown = self.type(line + "\x04", *words)
        self.prompted("\x15")
        return shown.replace(line, "").split()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.fixture
def zsh(world, tmp_path):
    made = Zsh(world, tmp_path)
    yield made
    made.close()


def test_zsh_completes_verbs_names_options_and_files(zsh):
    first = zsh.offers("vpnctl sta", "start", "status")
    assert "start" in first and "status" in first and "stop" not in first
    names = zsh.offers("vpnctl start la", "lab-server")
    assert "lab" in names and "lab-server" in names
    assert "--watch" in zsh.offers("vpnctl status --", "--watch")
    assert {"bash", "zsh", "fish"} <= set(zsh.offers("vpnctl completion ", "bash", "fish", "zsh"))


def test_completion_offers_no_name_that_a_shell_would_run(world):
    world.document([{"name": "$(touch owned)"}, {"name": "lab"}])
    assert completed(world, "vpnctl", "start", "") == ["lab"]
    assert not os.path.exists(os.path.join(world.folder, "owned"))
