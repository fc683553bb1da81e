"""Faults at random, drawn from a seed: whatever comes, a job that is run again completes with the right bytes."""

import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.faults.bench import SOAK_SEEDS, Bench
from tests.s3.proxy import (
    Answer,
    ConnectionDroppedError,
    Forward,
    Request,
    Script,
    cut_body,
    delay,
    land_and_drop,
    lose_answer,
    refuse,
    reset_body,
    reset_upload,
)

QUICK_SEEDS = 2
RATE = 0.12
MAX_RUNS = 25
SERVER = [refuse(503, "SlowDown"), refuse(500, "InternalError"), delay(0.3)]
EXPIRED = refuse(400, "ExpiredToken")
FAULTS: dict[str, list[Script]] = {
    "GET": [*SERVER, cut_body(100), reset_body(100), reset_upload(0), EXPIRED],
    "HEAD": [*SERVER, reset_upload(0)],
    "PUT": [*SERVER, lose_answer, land_and_drop, reset_upload(30), EXPIRED],
    "POST": [*SERVER, lose_answer, land_and_drop],
}
CONDITIONAL = [refuse(409, "ConditionalRequestConflict"), lose_answer, land_and_drop]
ORDERS = ["raise", "memory", "exit", "segv", "killed"]


def faults(draw: random.Random) -> Callable[[Request], Script | None]:
    """Return what chooses a fault, or none, for each request in turn."""

    def choose(request: Request) -> Script | None:
        if draw.random() >= RATE:
            return None
        return draw.choice(CONDITIONAL if "if-none-match" in request.headers else FAULTS[request.method])

    return choose


@pytest.mark.parametrize("seed", range(SOAK_SEEDS or QUICK_SEEDS))
def test_a_job_under_random_faults_ends_in_the_right_bytes(seed: int, bench: Bench) -> None:
    draw = random.Random(seed)
    layout = draw.choice(["parts", "amazon"])
    bench.order(*draw.choices(ORDERS, k=draw.randrange(3)))
    bench.proxy.play_chosen(faults(draw))

    errors = bench.run_until_done(MAX_RUNS, layout=layout)

    assert {error.exit_code for error in errors} <= {3, 5, 6}, errors
    bench.prove(layout=layout)


@pytest.mark.skipif(not SOAK_SEEDS, reason="kills drivers at random in a soak alone")
@pytest.mark.parametrize("seed", range(SOAK_SEEDS or 1))
def test_a_driver_killed_at_a_random_request_under_random_faults_goes_on(seed: int, bench: Bench) -> None:
    draw = random.Random(1000 + seed)
    layout = draw.choice(["parts", "amazon"])
    last, lands = draw.randrange(1, 70), draw.random() < 0.5
    choose_fault = faults(draw)
    with bench.driver(layout=layout) as driver:

        def die(forward: Forward) -> Answer:
            if lands:
                forward()
            os.kill(driver.pid, signal.SIGKILL)
            raise ConnectionDroppedError

        def choose(request: Request) -> Script | None:
            return die if len(bench.proxy.requests) == last else choose_fault(request)

        bench.proxy.play_chosen(choose)
        bench.end(driver)

    bench.run_until_done(MAX_RUNS, layout=layout)

    bench.prove(layout=layout)
