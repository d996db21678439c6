"""Waiting for a condition, with a deadline."""
import time


def wait_for(condition, what, seconds=60.0, interval=0.02):
    """The first true value of condition(); fails the test with `what` when there is none in time.

    The time is that of a machine with much else to do: it says "never", not "slow".
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(interval)
