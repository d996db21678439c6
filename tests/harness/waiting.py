"""Waiting for a condition, with a deadline."""
import time


def wait_for(condition, what, seconds=10.0, interval=0.02):
    """The first true value of condition(); fails the test with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(interval)
