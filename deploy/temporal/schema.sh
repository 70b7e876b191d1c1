#!/bin/sh
# Brings Temporal's two databases to the schema of its version. It is run at every start: on a new server it makes the schema,
# after an upgrade it upgrades it, otherwise it finds nothing to do.
set -eu

schema() {
	temporal-sql-tool --db "$1" setup-schema --version 0.0
	temporal-sql-tool --db "$1" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

schema temporal temporal
schema temporal_visibility visibility
