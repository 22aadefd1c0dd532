-- What the background daemon and lecternctl run, as lectern_jobs.

-- Leadership lasts as long as the connection. A leader whose machine has gone must not keep it for
-- the hours that the system's own keepalive takes; on a Unix socket the three settings do nothing.
-- name: lead
-- kind: write
-- columns: leader bool, idle text, pause text, probes text
select pg_try_advisory_lock(hashtextextended('lectern-jobs', 0)) as leader,
       set_config('tcp_keepalives_idle', '30', false) as idle,
       set_config('tcp_keepalives_interval', '10', false) as pause,
       set_config('tcp_keepalives_count', '3', false) as probes;

-- name: partitions_make
-- kind: write
-- params: months int4
-- columns: made int4
select app.events_make_partitions(:months) as made;

-- name: expired_purge
-- kind: write
-- params: batch int4
-- columns: gone int4
select app.purge_expired(:batch) as gone;

-- name: exports_build
-- kind: write
-- columns: built bool
select app.exports_build() as built;

-- name: person_purge
-- kind: write
-- params: batch int4
-- columns: gone int4
select app.person_purge(:batch) as gone;

-- name: signin_failures_purge
-- kind: write
-- params: batch int4
-- columns: gone int4
select app.signin_failures_purge(:batch) as gone;

-- name: invitations_purge
-- kind: write
-- params: batch int4
-- columns: gone int4
select app.purge_invitations(:batch) as gone;

-- Reading the whole of the audit log takes as long as it takes.
-- name: time_unlimited
-- kind: write
-- columns: timeout text
select set_config('statement_timeout', '0', true) as timeout;

-- name: audit_heads
-- kind: read
-- returns: many
-- columns: chain int4, seq int8, hash text
select chain, seq, hash from app.audit_heads();

-- name: audit_verify
-- kind: read
-- returns: many
-- params: expected text[]
-- columns: chain int4, seq int8, id uuid?, problem text
select chain, seq, id, problem from app.audit_verify(:expected);

-- name: mail_claim
-- kind: write
-- returns: maybe
-- params: lease_seconds int4
-- columns: id uuid, org_id uuid, kind text, address text, name text?, locale text, sealed text?, detail text?,
--   attempts int4, created_at timestamptz
select m.id, m.org_id, m.kind, m.address, m.name, m.locale, m.sealed, m.detail, m.attempts, m.created_at
  from app.mail_claim(:lease_seconds) m;

-- name: mail_end
-- kind: write
-- params: id uuid, attempt int4, outcome text, error text?, again_seconds int4
-- columns: done bool
select app.mail_end(:id, :attempt, :outcome, :error, :again_seconds) as done;

-- name: mails_purge
-- kind: write
-- params: days int4, batch int4
-- columns: gone int4
select app.mails_purge(:days, :batch) as gone;

-- name: account_tokens_purge
-- kind: write
-- params: batch int4
-- columns: gone int4
select app.account_tokens_purge(:batch) as gone;

-- name: sealed_columns
-- kind: read
-- returns: many
-- columns: table_name text, column_name text
select table_name, column_name from app.sealed_columns();

-- name: sealed_usage
-- kind: read
-- returns: many
-- columns: table_name text, column_name text, key_id text?, held int8
select table_name, column_name, key_id, held from app.sealed_usage();

-- name: sealed_batch
-- kind: read
-- returns: many
-- params: table_name text, column_name text, active text, after uuid?, max_rows int4, max_bytes int8
-- columns: id uuid, org_id uuid, sealed text?
select id, org_id, sealed
from app.sealed_batch(:table_name, :column_name, :active, :after, :max_rows, :max_bytes);

-- name: sealed_swap
-- kind: write
-- params: table_name text, column_name text, ids uuid[], old text[], new text[]
-- columns: moved int8
select app.sealed_swap(:table_name, :column_name, :ids, :old, :new) as moved;
