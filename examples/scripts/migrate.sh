#!/bin/sh
# Applies SQL files to a PostgreSQL server that only the tunnel reaches, all in one transaction.
#   PGUSER=app PGDATABASE=app PGPASSFILE=~/.pgpass sh migrate.sh db:5432 migrations/*.sql
# psql finds the server at a unix socket, in a folder that no other user can enter: no port that may be taken, or that others
# could use. For certificates (sslmode=verify-full) lead a port instead: -L 5432:db:5432, PGHOST=db, PGHOSTADDR=127.0.0.1.
set -eu
server=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
for file; do
  cat "$file"
done > "$folder/all.sql"
tunless run -L "$folder/.s.PGSQL.5432:$server" --wait "$server" \
  env PGHOST="$folder" PGPORT=5432 psql -X -q -v ON_ERROR_STOP=1 --single-transaction -f "$folder/all.sql"
