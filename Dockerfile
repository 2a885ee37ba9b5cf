# The program `lifeboat` with the clients of PostgreSQL 14 to 18: docker run --rm --env DATABASE_URL … IMAGE backup --destination s3://…
# Node 24.18 on Debian 12; Dependabot renews the digest.
FROM node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d

LABEL org.opencontainers.image.title="Lifeboat" \
      org.opencontainers.image.description="Encrypted, deduplicated, proven-restorable PostgreSQL backups" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/OWNER/lifeboat"

# The clients are from the PostgreSQL project; its key comes with postgresql-common of Debian. openssh-client: for volumes on other machines
# and tunnels.
RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get update; \
    apt-get install --yes --no-install-recommends ca-certificates openssh-client postgresql-common; \
    echo "deb [signed-by=/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc] https://apt.postgresql.org/pub/repos/apt bookworm-pgdg main" \
      > /etc/apt/sources.list.d/pgdg.list; \
    apt-get update; \
    apt-get install --yes --no-install-recommends \
      postgresql-client-14 postgresql-client-15 postgresql-client-16 postgresql-client-17 postgresql-client-18; \
    rm -rf /var/lib/apt/lists/*

COPY LICENSE /opt/lifeboat/LICENSE
COPY dist /opt/lifeboat/dist
RUN ln -s /opt/lifeboat/dist/cli.js /usr/local/bin/lifeboat

# The user `node` of the base image: a mounted folder must be writable for it, or give --user.
USER 1000:1000
WORKDIR /home/node
# It runs a command and ends.
HEALTHCHECK NONE
ENTRYPOINT ["lifeboat"]
CMD ["--help"]
