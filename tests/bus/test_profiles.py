"""Profiles that appear, change and vanish on disk show up on the bus without a restart."""
import os

from conftest import lab_profile

from harness.daemon import World
from harness.waiting import wait_for

ROOT_PATH = "/org/vpntun1"


def added(path):
    return lambda _path, _interface, member, body: member == "InterfacesAdded" and body[0] == path


def removed(path):
    return lambda _path, _interface, member, body: member == "InterfacesRemoved" and body[0] == path


def test_a_profile_that_appears_is_announced(world):
    world.client.watch("type='signal',sender='org.vpntun1'")
    world.manager.write_profile("lab", lab_profile())
    body = world.client.wait_signal(added("/org/vpntun1/tunnel/lab"), "announced")
    assert body[1]["org.vpntun1.Tunnel"]["State"] == "stopped"
    assert body[1]["org.vpntun1.Tunnel"]["ProfileValid"] is True


def test_a_profile_can_be_started_the_moment_it_is_written(world):
    world.manager.write_profile("lab", lab_profile())
    world.client.start("lab")


def test_a_profile_that_vanishes_is_announced(lab):
    lab.client.watch("type='signal',sender='org.vpntun1'")
    lab.manager.remove_profile("lab")
    lab.client.wait_signal(removed("/org/vpntun1/tunnel/lab"), "removed")
    assert lab.client.list() == {}


def test_a_profile_that_changes_is_announced(lab):
    lab.client.watch("type='signal',sender='org.vpntun1'")
    lab.manager.write_profile("lab", lab_profile(description="Other words"))
    lab.client.wait_signal(lambda _p, _i, member, body: member == "PropertiesChanged" and
                           body[1].get("Description") == "Other words", "the description changed")
    lab.manager.write_profile("lab", "nonsense")
    lab.client.wait_signal(lambda _p, _i, member, body: member == "PropertiesChanged" and
                           body[1].get("ProfileValid") is False, "the profile became invalid")


def test_a_file_written_in_place_is_read_when_it_is_complete(lab):
    lab.client.watch("type='signal',sender='org.vpntun1'")
    text = lab_profile(description="In place")
    with open(os.path.join(lab.manager.profiles, "lab.toml"), "w", encoding="utf-8") as file:
        file.write(text[:40])
        file.flush()
        lab.client.list()
        file.write(text[40:])
    body = lab.client.wait_signal(lambda _p, _i, member, body: member == "PropertiesChanged", "the profile is read")
    assert body[1] == {"Description": "In place"}


def test_a_renamed_profile_is_another_tunnel(lab):
    folder = lab.manager.profiles
    os.rename(os.path.join(folder, "lab.toml"), os.path.join(folder, "office.toml"))
    wait_for(lambda: set(lab.client.list()) == {"office"}, "only the new name is listed")


def test_a_profile_that_vanishes_while_running_stays_until_stopped(lab):
    lab.client.start("lab")
    lab.manager.remove_profile("lab")
    wait_for(lambda: lab.client.status("lab")["profile-stale"], "the file is not what runs")
    assert lab.client.state("lab") == "running"
    lab.client.stop("lab")
    wait_for(lambda: lab.client.list() == {}, "nothing is left of it")


def test_a_folder_may_come_go_and_come_back(world):
    folder = world.manager.profiles
    os.rmdir(folder)
    os.mkdir(folder)
    world.manager.write_profile("lab", lab_profile())
    wait_for(lambda: set(world.client.list()) == {"lab"}, "a profile in the new folder")
    os.rename(folder, folder + ".away")
    wait_for(lambda: world.client.list() == {}, "the folder is gone")
    os.rename(folder + ".away", folder)
    wait_for(lambda: set(world.client.list()) == {"lab"}, "the folder is back")


def test_folders_that_do_not_exist_yet_are_awaited_and_the_first_wins():
    with World() as world:
        world.manager.end()
        late = os.path.join(world.folder, "etc", "late")
        world.manager.arguments = ["--profile-folder", late]
        world.manager.start()
        os.makedirs(late)
        for name, description in (("lab", "Second folder"), ("only", "Only here")):
            with open(os.path.join(late, name + ".toml"), "w", encoding="utf-8") as file:
                file.write(lab_profile(description=description))
        wait_for(lambda: set(world.client.list()) == {"lab", "only"}, "both are listed")
        assert world.client.status("lab")["description"] == "Second folder"
        world.manager.write_profile("lab", lab_profile(description="First folder"))
        wait_for(lambda: world.client.status("lab")["description"] == "First folder", "the first folder wins")
        world.manager.remove_profile("lab")
        wait_for(lambda: world.client.list().get("lab") and
                 world.client.status("lab")["description"] == "Second folder", "the second folder's again")


def test_odd_files_are_no_tunnels(world):
    for name in (".hidden", "-dash", "sp ace", "a" * 65, "new\nline"):
        with open(os.path.join(world.manager.profiles, name + ".toml"), "w", encoding="utf-8") as file:
            file.write(lab_profile())
    world.profile("lab", lab_profile())
    assert set(world.client.list()) == {"lab"}
    assert "is ignored" in world.manager.log() and "new\nline" not in world.manager.log()


def test_no_more_than_256_profiles_are_listed(world):
    for number in range(300):
        world.manager.write_profile(f"t{number:03}", lab_profile())
    wait_for(lambda: "more than 256 profiles" in world.manager.log(), "that there are more is said")
    assert len(world.client.list()) == 256 and world.manager.log().count("more than 256 profiles") == 1
