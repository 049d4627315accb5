#!/bin/sh
# A database of Dagster's own beside ours, with a role that sees nothing else.
set -eu
: "${DAGSTER_PASSWORD:?}"
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 \
    --dbname "${POSTGRES_DB:-mychatflow}" --username "${POSTGRES_USER:-postgres}" <<'SQL'
\getenv dagster_password DAGSTER_PASSWORD
set password_encryption = 'scram-sha-256';
-- Whoever is no superuser may then make a database for it.
set createrole_self_grant = 'set, inherit';
select 'create role dagster' where not exists (select 1 from pg_roles where rolname = 'dagster')
\gexec
alter role dagster with login password :'dagster_password';
select 'create database dagster owner dagster' where not exists (select 1 from pg_database where datname = 'dagster')
\gexec
SQL
