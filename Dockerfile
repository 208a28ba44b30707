# rehearse, with git for `check` and a MariaDB server to rehearse on as a process; for MySQL put its server (`mysqld`) into the image.
#   docker build -t rehearse .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" rehearse check --git-diff origin/main
# Filled stores are kept for the next run with -v rehearse-cache:/var/cache/rehearse.
ARG RUST=rust:1-bookworm
ARG BASE=debian:bookworm-slim

FROM ${RUST} AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin rehearse

FROM ${BASE}
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates git mariadb-client mariadb-server-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home rehearse \
    && install --directory --mode=1777 /var/cache/rehearse \
    && git config --system --add safe.directory '*'
COPY --from=build /src/target/release/rehearse /usr/local/bin/rehearse
# For accounts without a home, too: whoever runs it may be the checkout's owner.
ENV REHEARSE_CACHE=/var/cache/rehearse
USER rehearse
WORKDIR /work
ENTRYPOINT ["rehearse"]
CMD ["--help"]
