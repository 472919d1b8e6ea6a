#!/usr/bin/env bash
# Makes sure that the server programs of PostgreSQL are there, for the tests that need a real server, and prints their folder.
# Installs Debian's package if they are missing; for that it must run as root. Starts nothing, and is quick if there is nothing to do.
set -euo pipefail

find_programs() {
    local folder
    while IFS= read -r folder; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            echo "$folder"
            return 0
        fi
    done < <({ ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null || true; } | sort -rV; pg_config --bindir 2>/dev/null || true)
    return 1
}

find_programs && exit 0
if ! command -v apt-get >/dev/null; then
    echo "PostgreSQL is not installed, and there is no apt-get to install it with." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "PostgreSQL is not installed, and only root may install it: apt-get install postgresql." >&2
    exit 1
fi

# Without this the package would make a cluster of its own, and start it.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get -qq update && apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold install postgresql; } >&2; then
    echo "PostgreSQL is not installed, and apt-get could not install it." >&2
    exit 1
fi
find_programs || { echo "PostgreSQL was installed, but its server programs were not found." >&2; exit 1; }
