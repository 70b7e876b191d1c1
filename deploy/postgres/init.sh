#!/bin/sh
# Run once, by the PostgreSQL image on an empty volume: a role for each of the two that share this server, and their databases.
set -eu

role() {
	psql -v ON_ERROR_STOP=1 -v name="$1" -v password="$2" --username "$POSTGRES_USER" --dbname postgres <<-'SQL'
		CREATE ROLE :"name" LOGIN PASSWORD :'password';
	SQL
	name=$1
	shift 2
	for database in "$@"; do
		createdb --username "$POSTGRES_USER" --owner "$name" "$database"
	done
}

role signalbox "$DATABASE_PASSWORD" signalbox
role temporal "$TEMPORAL_DATABASE_PASSWORD" temporal temporal_visibility
