"""Huey on SQLite: WAL, `fsync=True` (which is `synchronous=FULL`), no results kept, one worker thread.

It has no batches: each job is a transaction when it comes and one when it is taken. It is taken off the queue before it runs,
and so is lost when its worker dies under it. It polls; 1 ms is what it is asked to wait at most, for pick-up.
"""

import threading

from huey import SqliteHuey

import peer


class Peer:
    name = "Huey"
    package = "huey"
    keeps = "nothing (results=False)"

    def __init__(self, database):
        self.huey = SqliteHuey(filename=database, fsync=True, results=False)

        @self.huey.task(name="nothing")
        def nothing(number, recipient, subject):
            self.handle(number)

        self.task = nothing

    def open(self):
        pass

    install = open

    def enqueue(self, jobs):
        for job in jobs:
            self.task(**job)

    def enqueue_one(self, job):
        self.task(**job)

    def drain(self, tally):
        self.consume(tally, tally.run)

    def work(self, tally):
        self.consume(tally, tally.pick_up)

    def consume(self, tally, handle):
        self.handle = handle
        done = threading.Event()
        tally.when_done = done.set
        consumer = self.huey.create_consumer(
            workers=1, periodic=False, initial_delay=0.001, backoff=1, max_delay=0.001, check_worker_health=False
        )
        consumer.start()
        done.wait()
        consumer.stop(graceful=True)


peer.main(Peer)
