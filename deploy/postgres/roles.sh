#!/bin/sh
# Makes the five roles of a new server, once, as its administrator: no program of ours ever works as one.
# Needs psql's usual PG* variables for the login, and one password a role. Safe to repeat: it then sets the passwords.
set -eu
: "${OWNER_PASSWORD:?}" "${APP_PASSWORD:?}" "${ENGINE_PASSWORD:?}" "${PIPELINE_PASSWORD:?}" "${AUDIT_PASSWORD:?}"
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 \
    --dbname "${POSTGRES_DB:-mychatflow}" --username "${POSTGRES_USER:-postgres}" <<'SQL'
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
\getenv engine_password ENGINE_PASSWORD
\getenv pipeline_password PIPELINE_PASSWORD
\getenv audit_password AUDIT_PASSWORD
set password_encryption = 'scram-sha-256';

select format('create role %I', name) as statement
from unnest(array[
    'mychatflow_owner', 'mychatflow_app', 'mychatflow_engine', 'mychatflow_pipeline', 'mychatflow_audit'
]) as name
where not exists (select 1 from pg_roles where rolname = name)
\gexec

alter role mychatflow_owner with login nosuperuser nobypassrls nocreatedb nocreaterole password :'owner_password';
alter role mychatflow_app with login nosuperuser nobypassrls nocreatedb nocreaterole password :'app_password';
alter role mychatflow_engine with login nosuperuser nobypassrls nocreatedb nocreaterole password :'engine_password';
-- Reads every tenant for the warehouse; what it may write is granted column by column.
alter role mychatflow_pipeline with login nosuperuser bypassrls nocreatedb nocreaterole password :'pipeline_password';
alter role mychatflow_audit with login nosuperuser nobypassrls nocreatedb nocreaterole password :'audit_password';

select format('grant create, connect, temporary on database %I to mychatflow_owner', current_database()) as statement
\gexec
alter schema public owner to mychatflow_owner;
revoke create on schema public from public;
SQL
