import pytest
from world import World


@pytest.fixture
def bare(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def world(bare):
    bare.start_daemon()
    return bare
