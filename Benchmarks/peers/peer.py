"""What is asked of every peer, and how it answers.

    peer_name.py DATABASE install      makes its tables
    peer_name.py DATABASE enqueue N    N jobs, in whatever batches its interface takes
    peer_name.py DATABASE drain N      runs what waits, N in all, and ends
    peer_name.py DATABASE latency N    an idle worker, and another process that brings it a job now and then

Each prints one line of JSON. Times are of the clock that all processes of a machine share, in nanoseconds, so that several
processes may drain at once: they took from the first `begin` to the last `end`. `begin` is when everything is imported and
connected, `end` when the last handler has returned; what a peer still writes after that is not held against it.
"""

import asyncio
import inspect
import json
import os
import random
import subprocess
import sys
import time
from importlib.metadata import version

# Brought before an idle worker is known to be up, and not counted.
EARLY_JOBS = 10


def arguments(number):
    """What our own jobs carry, about 100 bytes."""
    return {
        "number": number,
        "recipient": "somebody@example.com",
        "subject": "Your order has been shipped and will arrive soon",
    }


class Tally:
    """What the handlers of one process have done."""

    def __init__(self, expected):
        self.expected = expected
        self.jobs = 0
        self.end = 0
        self.delays = []
        self.when_done = None

    def run(self, number):
        """The handler of every peer: looks at its args, and notes the time."""
        self.jobs += 1
        self.end = time.monotonic_ns()
        if self.jobs == self.expected and self.when_done:
            self.when_done()

    def pick_up(self, sent):
        self.delays.append((time.monotonic_ns() - sent) / 1e6)
        self.run(sent)


async def called(function, *arguments):
    result = function(*arguments)
    return await result if inspect.isawaitable(result) else result


async def answer(peer, verb, count):
    if verb == "install":
        await called(peer.install)
        return {}
    if verb == "enqueue":
        await called(peer.open)
        begin = time.monotonic_ns()
        await called(peer.enqueue, [arguments(number) for number in range(count)])
        return {"begin": begin, "end": time.monotonic_ns(), "jobs": count}
    if verb == "drain":
        await called(peer.open)
        tally = Tally(count)
        begin = time.monotonic_ns()
        await called(peer.drain, tally)
        return {"begin": begin, "end": tally.end or begin, "jobs": tally.jobs}
    if verb == "produce":
        await called(peer.open)
        for _ in range(count):
            # Long enough that whoever waits sleeps again; not in step with any clock.
            time.sleep(random.uniform(0.008, 0.025))
            await called(peer.enqueue_one, {**arguments(0), "number": time.monotonic_ns()})
        return {}
    if verb == "latency":
        await called(peer.open)
        total = count + EARLY_JOBS
        producer = subprocess.Popen([sys.executable, *sys.argv[:2], "produce", str(total)], stdout=subprocess.DEVNULL)
        tally = Tally(total)
        await called(peer.work, tally)
        if producer.wait() != 0:
            sys.exit("the producer failed")
        return {"jobs": tally.jobs, "milliseconds": tally.delays[EARLY_JOBS:]}
    sys.exit(f"{verb}? install, enqueue, drain or latency")


def main(make, run=asyncio.run):
    """- make: a peer, from the database's name. - run: how its coroutines are run."""
    database, verb = sys.argv[1:3]
    peer = make(database)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 0

    async def whole():
        result = await answer(peer, verb, count)
        whole = {"peer": peer.name, "version": version(peer.package), "keeps": peer.keeps, **result}
        print(json.dumps(whole), flush=True)
        # Everything asked for is done and committed. How a peer closes is not measured, and may take its time.
        os._exit(0)

    run(whole())
