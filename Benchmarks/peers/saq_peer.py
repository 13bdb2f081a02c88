"""SAQ on PostgreSQL: psycopg in C, uvloop, as many jobs in flight as do best, rows deleted at the end (`ttl=-1`).

It enqueues one job a call, so that many calls are under way at a time; a worker fetches as many as it has idle
tasks. 50 tasks do best, and 20 connections. The pool is one that does not ask each connection whether it lives before each use.
"""

import asyncio

import uvloop
from psycopg_pool import AsyncConnectionPool
from saq import Worker
from saq.queue.postgres import PostgresQueue

import peer

CONCURRENCY = 50
CONNECTIONS = 20


class Peer:
    name = "SAQ"
    package = "saq"
    keeps = "nothing (ttl=-1)"

    def __init__(self, database):
        self.database = database

    async def open(self):
        pool = AsyncConnectionPool(self.database, min_size=4, max_size=CONNECTIONS, open=False)
        self.queue = PostgresQueue(pool, min_size=4, max_size=CONNECTIONS, manage_pool_lifecycle=True)
        await self.queue.connect()

    install = open

    async def enqueue(self, jobs):
        waiting = iter(jobs)

        async def some():
            for job in waiting:
                await self.enqueue_one(job)

        await asyncio.gather(*(some() for _ in range(CONNECTIONS)))

    async def enqueue_one(self, job):
        await self.queue.enqueue("nothing", ttl=-1, **job)

    def worker(self, handle, **options):
        async def nothing(context, number, recipient, subject):
            handle(number)

        return Worker(self.queue, [("nothing", nothing)], concurrency=CONCURRENCY, **options)

    async def drain(self, tally):
        # A dequeue that finds nothing in that time ends it, also where the server was slow to answer; the time is not counted.
        await self.worker(tally.run, burst=True, dequeue_timeout=3).start()

    async def work(self, tally):
        done = asyncio.Event()
        tally.when_done = done.set
        # Not stopped: that hangs at times.
        self.running = asyncio.create_task(self.worker(tally.pick_up).start())
        await done.wait()


peer.main(Peer, uvloop.run)
