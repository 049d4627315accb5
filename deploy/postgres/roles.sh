#!/bin/sh
# Makes the five roles of a new server, once, as its administrator: no program of ours ever works as one.
# Needs psql's usual PG* variables for the login, and one password a role. Safe to repeat: it then sets the passwords.
# The administrator of a rented server is no superuser; who owns the database and may make roles is enough.
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
-- Whoever is no superuser may then give the owner what is theirs.
set createrole_self_grant = 'set, inherit';

-- A new role may nothing but what is granted to it.
select format('create role %I', name) as statement
from unnest(array[
    'mychatflow_owner', 'mychatflow_app', 'mychatflow_engine', 'mychatflow_pipeline', 'mychatflow_audit'
]) as name
where not exists (select 1 from pg_roles where rolname = name)
\gexec

alter role mychatflow_owner with login password :'owner_password';
alter role mychatflow_app with login password :'app_password';
alter role mychatflow_engine with login password :'engine_password';
alter role mychatflow_pipeline with login password :'pipeline_password';
alter role mychatflow_audit with login password :'audit_password';

select format('grant create, connect, temporary on database %I to mychatflow_owner', current_database()) as statement
\gexec
revoke create on schema public from public;
alter schema public owner to mychatflow_owner;
SQL
