import pytest

from lab import Lab, assert_as_before, world


@pytest.fixture
def lab(tmp_path):
    """A lab that is not up. Whatever the test does with it, the machine is afterwards as it was before."""
    before = world()
    one = Lab(tmp_path / "lab")
    yield one
    one.run("down")
    assert_as_before(before, one)


@pytest.fixture
def lab_up(lab):
    lab.ok("up")
    return lab
