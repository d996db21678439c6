"""import, export, peer, genkey, genpsk, pubkey: files and keys, without a daemon. Keys are made up here."""
import base64
import os
import re
import stat
import subprocess

import pytest

VPNCTL = os.environ["VPNCTL"]
PRIVATE = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
PUBLIC = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="
OTHER = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
PSK = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="

CONF = f"""[Interface]
PrivateKey = {PRIVATE}
Address = 10.8.0.1/24, fd42:8::1/64
ListenPort = 51820
PostUp = iptables -t nat -A POSTROUTING -j MASQUERADE

[Peer]
# Name = laptop
PublicKey = {OTHER}
PresharedKey = {PSK}
AllowedIPs = 10.8.0.2/32, fd42:8::2/128
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wg0.conf").write_text(CONF, encoding="utf-8")
    return tmp_path


def vpnctl(folder, *arguments, code=0, stdin=""):
    done = subprocess.run([VPNCTL, *arguments], cwd=folder, input=stdin, capture_output=True, text=True, timeout=60,
                          check=False,
                          env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/no-bus"})
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def office(folder):
    vpnctl(folder, "import", "wg0.conf", "--to", ".", "--name", "office")
    return folder


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_keys_are_as_those_of_wg(folder):
    private = vpnctl(folder, "genkey").stdout
    assert re.fullmatch(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n", private)
    raw = base64.b64decode(private)
    assert raw[0] & 7 == 0 and raw[31] >> 6 == 1, "clamped"
    assert len(base64.b64decode(vpnctl(folder, "genpsk").stdout)) == 32
    assert vpnctl(folder, "pubkey", stdin=PRIVATE + "\n").stdout == PUBLIC + "\n"
    assert private != vpnctl(folder, "genkey").stdout


def test_what_is_no_private_key_has_no_public_one(folder):
    for text in ("", "short\n", PRIVATE + PRIVATE, PRIVATE[:-2] + "l=\n"):
        done = vpnctl(folder, "pubkey", stdin=text, code=1)
        assert done.stdout == "" and PRIVATE not in done.stderr


def test_a_key_into_a_file_that_everybody_can_read_is_warned_of(folder):
    for permissions, warned in ((0o644, True), (0o600, False)):
        path = folder / f"key-{permissions:o}"
        with open(path, "w", encoding="utf-8") as out:
            os.chmod(path, permissions)
            done = subprocess.run([VPNCTL, "genkey"], stdout=out, stderr=subprocess.PIPE, text=True, check=True,
                                  timeout=60)
        assert ("world accessible" in done.stderr) == warned


def test_an_imported_profile_is_valid_and_readable_by_nobody_else(folder):
    done = vpnctl(folder, "import", "wg0.conf", "--to", ".")
    assert "wg0.conf:5:1: warning" in done.stderr and "masquerade = true" in done.stderr
    assert PRIVATE not in done.stdout + done.stderr and PSK not in done.stdout + done.stderr
    assert mode(folder / "wg0.toml") & 0o137 == 0
    assert "0 errors" in vpnctl(folder, "check", "./wg0.toml").stdout
    assert sorted(os.listdir(folder)) == ["wg0.conf", "wg0.toml"]


def test_export_gives_back_what_import_took(office):
    expected = CONF.replace("PostUp = iptables -t nat -A POSTROUTING -j MASQUERADE\n", "")
    assert vpnctl(office, "export", "./office.toml").stdout == expected


def test_an_import_replaces_nothing_and_leaves_nothing_half_done(folder):
    (folder / "wg0.toml").write_text("mine", encoding="utf-8")
    done = vpnctl(folder, "import", "wg0.conf", "--to", ".", code=9)
    assert "exists already" in done.stderr
    assert (folder / "wg0.toml").read_text(encoding="utf-8") == "mine"
    (folder / "new.wg0.key").touch()
    (folder / "new.laptop.psk").touch()
    vpnctl(folder, "import", "wg0.conf", "--to", ".", "--name", "new", "--keys", "files", code=1)
    assert not (folder / "new.key").exists() and not (folder / "new.toml").exists()
    vpnctl(folder, "import", "wg0.conf", "--to", "nowhere", code=1)
    assert not (folder / "nowhere").exists()


def test_keys_may_stand_in_files_of_their_own(folder):
    vpnctl(folder, "import", "wg0.conf", "--to", ".", "--keys", "files")
    text = (folder / "wg0.toml").read_text(encoding="utf-8")
    assert PRIVATE not in text and PSK not in text and f'"{folder}/wg0.key"' in text
    for name, content in (("wg0.key", PRIVATE), ("wg0.laptop.psk", PSK)):
        assert (folder / name).read_text(encoding="utf-8") == content + "\n"
        assert mode(folder / name) & 0o137 == 0
    assert f"PrivateKey = {PRIVATE}" in vpnctl(folder, "export", "./wg0.toml").stdout


def test_an_import_says_what_is_wrong_with_the_line_and_no_key(folder):
    (folder / "wg0.conf").write_text(CONF.replace("AllowedIPs = 10.8.0.2/32", "AllowedIPs = 10.8.0.300"),
                                     encoding="utf-8")
    done = vpnctl(folder, "import", "wg0.conf", "--to", ".", code=1)
    assert "wg0.conf:11:1: error" in done.stderr and "E0204" in done.stderr
    assert PRIVATE not in done.stderr and PSK not in done.stderr
    assert os.listdir(folder) == ["wg0.conf"]
    assert "another protocol" in vpnctl(folder, "import", "office.ovpn", code=1).stderr
    assert "no name" in vpnctl(folder, "import", "wg0.conf", "--name", "a b", code=2).stderr


def test_a_profile_without_encryption_cannot_be_exported(folder):
    (folder / "lab.toml").write_text('[tunnel]\nencryption = "none"\n', encoding="utf-8")
    assert "no encryption" in vpnctl(folder, "export", "./lab.toml", code=1).stderr


def test_a_profile_whose_key_is_out_of_reach_cannot_be_exported(office):
    path = office / "office.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(PRIVATE, "@office-key"), encoding="utf-8")
    done = vpnctl(office, "export", "./office.toml", code=1)
    assert done.stdout == "" and "office-key" in done.stderr


def test_a_new_peer_gets_keys_an_address_and_a_configuration(office):
    path = office / "office.toml"
    path.write_text("# mine\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    path.chmod(0o640)
    done = vpnctl(office, "peer", "add", "./office.toml", "phone", "--endpoint-for-client", "vpn.example.org")
    conf = dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
    assert conf["Address"] == "10.8.0.3/32, fd42:8::3/128"
    assert conf["PublicKey"] == PUBLIC
    assert conf["Endpoint"] == "vpn.example.org:51820"
    assert conf["AllowedIPs"] == "10.8.0.0/24, fd42:8::/64"
    own = vpnctl(office, "pubkey", stdin=conf["PrivateKey"]).stdout.strip()
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# mine\n") and own in text and conf["PresharedKey"] in text
    assert conf["PrivateKey"] not in text
    assert mode(path) == 0o640
    assert "0 errors" in vpnctl(office, "check", "./office.toml").stdout
    assert "phone" in vpnctl(office, "peer", "list", "./office.toml").stdout
    # Its configuration is one that this program reads.
    (office / "phone.conf").write_text(done.stdout, encoding="utf-8")
    vpnctl(office, "import", "phone.conf", "--to", ".")


def test_a_new_peer_may_send_everything_and_bring_its_own_key(office):
    done = vpnctl(office, "peer", "add", "./office.toml", "phone", "--endpoint-for-client", "[2001:db8::1]:7",
                  "--all-traffic", "--address", "10.8.0.77", "--dns", "10.8.0.1", "--dns", "fd42:8::1")
    assert "DNS = 10.8.0.1, fd42:8::1\n" in done.stdout and "Note: wg-quick" not in done.stderr
    assert "AllowedIPs = 0.0.0.0/0, ::/0" in done.stdout and "Endpoint = [2001:db8::1]:7" in done.stdout
    assert "Address = 10.8.0.77/32" in done.stdout and "forwards nothing yet" in done.stderr
    done = vpnctl(office, "peer", "add", "./office.toml", "branch", "--public-key", PUBLIC[:-3] + "E4=", "--allowed-ips",
                  "10.8.0.9", "--allowed-ips", "192.168.50.0/24")
    assert "PrivateKey" not in done.stdout and "192.168.50.0/24" in done.stdout


def test_a_peer_that_does_not_fit_changes_nothing(office):
    before = (office / "office.toml").read_bytes()
    add = ("peer", "add", "./office.toml")
    end = ("--endpoint-for-client", "vpn.example.org")
    assert "already" in vpnctl(office, *add, "laptop", *end, code=9).stderr
    assert "where does" in vpnctl(office, *add, "phone", code=2).stderr
    assert "E0301" in vpnctl(office, *add, "phone", *end, "--address", "10.8.0.2", code=1).stderr
    assert "E0319" in vpnctl(office, *add, "phone", "--public-key", OTHER, code=1).stderr
    vpnctl(office, *add, "phone", "--public-key", "short", code=2)
    vpnctl(office, *add, "phone", *end, "--dns", "one.one.one.one", code=2)
    vpnctl(office, *add, "a b", *end, code=2)
    vpnctl(office, *add, code=2)
    assert (office / "office.toml").read_bytes() == before
    assert sorted(os.listdir(office)) == ["office.toml", "wg0.conf"]


def test_a_preshared_key_stands_where_the_other_keys_do(folder):
    vpnctl(folder, "import", "wg0.conf", "--to", ".", "--keys", "files")
    done = vpnctl(folder, "peer", "add", "./wg0.toml", "phone", "--endpoint-for-client", "vpn.example.org")
    psk = (folder / "wg0.phone.psk").read_text(encoding="utf-8").strip()
    assert f"PresharedKey = {psk}" in done.stdout
    assert psk not in (folder / "wg0.toml").read_text(encoding="utf-8")
    vpnctl(folder, "peer", "remove", "./wg0.toml", "phone")
    assert not (folder / "wg0.phone.psk").exists() and (folder / "wg0.laptop.psk").exists()


def test_a_removed_peer_takes_nothing_else_with_it(office):
    before = (office / "office.toml").read_text(encoding="utf-8")
    vpnctl(office, "peer", "add", "./office.toml", "phone", "--endpoint-for-client", "vpn.example.org")
    vpnctl(office, "peer", "remove", "./office.toml", "phone")
    assert (office / "office.toml").read_text(encoding="utf-8").strip() == before.strip()
    assert "no peer" in vpnctl(office, "peer", "remove", "./office.toml", "phone", code=1).stderr


def photographed(drawing, scale=4):
    """What a terminal shows of half blocks, light on dark, as a PGM image."""
    rows = [row for line in drawing.splitlines()
            for row in ([c in "█▀" for c in line], [c in "█▄" for c in line])]
    pixels = bytearray()
    for row in rows:
        pixels += b"".join(bytes([255 if light else 0]) * scale for light in row) * scale
    return f"P5 {len(rows[0]) * scale} {len(rows) * scale} 255\n".encode() + pixels


def test_a_qr_code_is_read_as_what_is_exported(office):
    for arguments in (["export", "./office.toml"], ["export", "./office.toml", "--format", "wg-quick"]):
        exported = vpnctl(office, *arguments).stdout
        drawing = vpnctl(office, *arguments, "--qr").stdout
        lines = drawing.splitlines()
        assert {len(line) for line in lines} == {len(lines[0])} and len(lines) == (len(lines[0]) + 1) // 2
        assert set("".join(lines)) <= set("█▀▄ ")
        (office / "code.pgm").write_bytes(photographed(drawing))
        read = subprocess.run(["zbarimg", "--quiet", "--raw", "code.pgm"], cwd=office, capture_output=True, text=True,
                              timeout=60, check=True).stdout
        assert read.strip() == exported.strip() and "PrivateKey" in read
