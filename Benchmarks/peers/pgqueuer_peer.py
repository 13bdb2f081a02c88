"""PgQueuer: asyncpg and uvloop, batches of 1 000 both ways.

A pool lets it write what has ended while it fetches what is next, and drains best; a connection is quicker to pick up a job.
Batches of 500 to 5 000 are no better. `durability` stays as it is, `durable`: all tables are logged.
"""

import json
import sys

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

import peer

BATCH = 1_000


class Peer:
    name = "PgQueuer"
    package = "pgqueuer"
    keeps = "a row of its log per change of state"

    def __init__(self, database):
        self.database = database

    async def open(self):
        if sys.argv[2] in ("latency", "produce"):
            self.driver = AsyncpgDriver(await asyncpg.connect(self.database))
        else:
            self.driver = AsyncpgPoolDriver(await asyncpg.create_pool(self.database, min_size=3, max_size=6))
        self.queries = Queries(self.driver)

    async def install(self):
        await self.open()
        await self.queries.install()

    async def enqueue(self, jobs):
        for start in range(0, len(jobs), BATCH):
            payloads = [json.dumps(job).encode() for job in jobs[start : start + BATCH]]
            await self.queries.enqueue(["nothing"] * len(payloads), payloads, [0] * len(payloads))

    async def enqueue_one(self, job):
        await self.queries.enqueue("nothing", json.dumps(job).encode())

    def worker(self, handle):
        worker = PgQueuer(self.driver)

        @worker.entrypoint("nothing")
        async def nothing(job):
            handle(json.loads(job.payload)["number"])

        return worker

    async def drain(self, tally):
        await self.worker(tally.run).run(batch_size=BATCH, mode=QueueExecutionMode.drain)

    async def work(self, tally):
        worker = self.worker(tally.pick_up)
        tally.when_done = worker.shutdown.set
        await worker.run()


peer.main(Peer, uvloop.run)
