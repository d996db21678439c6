"""The project's own Debian packages, built for a release inside its build tree, and what a machine boots with them.

Everything is cached by what went into it: the files of the source tree (without tests/) and the build tree. Other
clones of the same source find the same packages; a changed source compiles only what changed, through ccache.
"""
import hashlib
import os
import re
import shutil
import stat
import subprocess

import tree

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
# The version of the packages that upgrade tests install over the first ones.
UPGRADED = "+upgraded"


def _source_files():
    """Tracked files and new ones that are not ignored, in order."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", SOURCE, "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], capture_output=True, check=True).stdout
    names = sorted(set(filter(None, listed.decode().split("\0"))))
    return [name for name in names if not name.startswith("tests/") and os.path.lexists(os.path.join(SOURCE, name))]


def _source_key():
    digest = hashlib.sha256()
    for name in _source_files():
        path = os.path.join(SOURCE, name)
        mode = os.lstat(path).st_mode
        digest.update(f"{name}\0{bool(mode & stat.S_IXUSR)}\0".encode())
        if stat.S_ISLNK(mode):
            digest.update(os.readlink(path).encode())
        else:
            digest.update(bytes.fromhex(_hash_of(path)))
    return digest.hexdigest()


def _hash_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _copy_source(folder):
    for name in _source_files():
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.join(SOURCE, name), target, follow_symlinks=False)


def _build(release, folder):
    """Fills the folder with the packages, and in upgraded/ with the same under a higher version."""
    tree.say(f"Building the packages for {release}; the first time this takes some minutes.")
    source = os.path.join(folder, "source")
    _copy_source(source)
    # The same path for everybody: ccache then knows the objects of every clone.
    tree.inside(tree.build_tree(release), ["/build/packaging/deb"], "--read-only", "--tmpfs=/tmp:mode=1777",
                f"--bind={source}:/build", f"--bind={tree.cache_folder('ccache', release)}:/ccache", "--chdir=/build",
                environment={"CCACHE_DIR": "/ccache", "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()} nocheck"},
                what=f"packages for {release}")
    built = os.path.join(source, "build", "deb")
    for name in sorted(os.listdir(built)):
        if name.endswith(".deb") and "-dbgsym_" not in name:
            shutil.copy2(os.path.join(built, name), folder)
            _repack(os.path.join(folder, name), os.path.join(folder, "upgraded"))
    shutil.rmtree(source)


def _repack(package, folder):
    """The same package with a higher version, without compiling again."""
    os.makedirs(folder, exist_ok=True)
    content = os.path.join(folder, "content")
    tree.checked(["dpkg-deb", "--raw-extract", package, content], "dpkg-deb --raw-extract")
    control = os.path.join(content, "DEBIAN", "control")
    with open(control, encoding="utf-8") as file:
        text = file.read()
    version = re.search(r"^Version: (.*)$", text, re.M).group(1)
    text = text.replace(f"Version: {version}\n", f"Version: {version}{UPGRADED}\n").replace(
        f"(= {version})", f"(= {version}{UPGRADED})")
    with open(control, "w", encoding="utf-8") as file:
        file.write(text)
    target = os.path.join(folder, os.path.basename(package).replace(".deb", f"{UPGRADED}.deb"))
    tree.checked(["dpkg-deb", "-Znone", "--root-owner-group", "--build", content, target], "dpkg-deb --build")
    shutil.rmtree(content)


def packages(release):
    """The folder with vpntund*.deb, vpnctl*.deb, vpntun-lab*.deb, and upgraded/ with newer ones.

    VPNTUN_PACKAGES/RELEASE takes its place where that is set: packages built already.
    """
    given = os.environ.get("VPNTUN_PACKAGES")
    if given:
        return os.path.join(given, release)
    base = tree.build_tree(release)
    return tree.cached("packages", release, tree.key_of("1", base, _source_key()), lambda folder: _build(release, folder))


def package_files(release, upgraded=False):
    folder = packages(release)
    if upgraded:
        folder = os.path.join(folder, "upgraded")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb"))


def installed_layer(release):
    """What installing the packages changes in the boot tree: the upper folder of an overlay."""
    base = tree.boot_tree(release)
    debs = package_files(release)

    def make(folder):
        upper, work, root = (os.path.join(folder, name) for name in ("upper", "work", "root"))
        for path in (upper, work, root):
            os.mkdir(path)
        tree.checked(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={base},upperdir={upper},workdir={work}", root],
                     "overlay")
        try:
            tree.inside(root, ["dpkg", "--install", *("/packages/" + os.path.basename(path) for path in debs)],
                        f"--bind-ro={os.path.dirname(debs[0])}:/packages", what=f"installation on {release}")
            os.rmdir(os.path.join(root, "packages"))
        finally:
            tree.checked(["umount", root], "umount")
        os.rmdir(root)

    return os.path.join(tree.cached("installed", release, tree.key_of("2", base, *map(_hash_of, debs)), make), "upper")
