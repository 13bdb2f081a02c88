"""Procrastinate: psycopg in C, uvloop, jobs deferred 1 000 at a time, deleted when they have succeeded.

A worker fetches one job at a time, whatever its concurrency; with more of it, fetching goes on while others end. 20 do as well
as 50. Its pool asks each connection whether it lives before each statement; that is left out here.
"""

import asyncio
import contextlib
import logging

import procrastinate
import psycopg_pool
import uvloop

import peer

CONCURRENCY = 20
BATCH = 1_000

# It warns of an app in the main module, which has no name for other processes; ours give their names.
logging.getLogger("procrastinate").setLevel(logging.ERROR)


def pool(check, **options):
    return psycopg_pool.AsyncConnectionPool(**options)


class Peer:
    name = "Procrastinate"
    package = "procrastinate"
    keeps = "nothing (delete_jobs='successful')"

    def __init__(self, database):
        connector = procrastinate.PsycopgConnector(
            pool_factory=pool, conninfo=database, min_size=4, max_size=CONCURRENCY + 2
        )
        self.app = procrastinate.App(connector=connector)

        @self.app.task(name="nothing", queue="default")
        async def nothing(number, recipient, subject):
            self.handle(number)

        self.task = nothing

    async def open(self):
        await self.app.open_async()

    async def install(self):
        await self.open()
        await self.app.schema_manager.apply_schema_async()

    async def enqueue(self, jobs):
        for start in range(0, len(jobs), BATCH):
            await self.task.batch_defer_async(*jobs[start : start + BATCH])

    async def enqueue_one(self, job):
        await self.task.defer_async(**job)

    async def drain(self, tally):
        self.handle = tally.run
        await self.app.run_worker_async(
            concurrency=CONCURRENCY, wait=False, delete_jobs="successful", listen_notify=False
        )

    async def work(self, tally):
        self.handle = tally.pick_up
        worker = asyncio.create_task(self.app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="successful"))
        tally.when_done = worker.cancel
        with contextlib.suppress(asyncio.CancelledError):
            await worker


peer.main(Peer, uvloop.run)
