# Three images of one file: `martlet` (the last one, which a plain `docker build .` makes) and `pgbouncer`, each of a stage of
# their own. Nothing is trusted beyond Debian's packages, the official Swift image and the dependencies in Package.swift.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libsqlite3-dev libpq-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# First what the dependencies hang on, so that they are fetched again only when it changes.
COPY Package.swift ./
COPY Sources Sources
COPY migrations migrations
COPY Benchmarks Benchmarks
COPY Tests Tests
# The cache survives from build to build; what is to be kept is copied out of it.
RUN --mount=type=cache,target=/build/.build \
    swift build -c release --static-swift-stdlib --product martlet \
 && install -s -m 755 .build/release/martlet /martlet

# Transactions of many processes on few connections of the server.
FROM debian:bookworm-slim AS pgbouncer
RUN apt-get update \
 && apt-get install -y --no-install-recommends pgbouncer \
 && rm -rf /var/lib/apt/lists/*
USER postgres
EXPOSE 6432
ENTRYPOINT ["pgbouncer"]
CMD ["/etc/pgbouncer/pgbouncer.ini"]

# libpq5 is for PostgreSQL: an image for SQLite alone works without it.
FROM debian:bookworm-slim AS martlet
RUN apt-get update \
 && apt-get install -y --no-install-recommends libpq5 libsqlite3-0 ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --create-home --home-dir /srv/martlet --shell /usr/sbin/nologin martlet
COPY --from=build /martlet /usr/local/bin/martlet
USER martlet
# Where martlet.yaml is looked for, and an SQLite database made: mount a volume here to keep one.
WORKDIR /srv/martlet
ENTRYPOINT ["martlet"]
CMD ["--help"]
