-- All that is held about the caller: a copy of it, and its end.

-- shape: export id uuid, state text, parts int4?, bytes int8?, requested_at timestamptz,
--   ready_at timestamptz?, expires_at timestamptz

-- name: export_request
-- kind: write
-- params: new_id uuid, pause_minutes int4, keep_hours int4
-- columns: @export
select {columns e} from app.export_request(:new_id, :pause_minutes, :keep_hours) e;

-- name: export_get
-- columns: @export
select {columns e} from app.exports e where e.user_id = (select app.user_id()) and e.expires_at > now();

-- name: export_document
-- returns: maybe
-- params: part int4
-- columns: document bytea
select p.document
  from app.exports e
  join app.export_parts p on p.org_id = e.org_id and p.export_id = e.id
 where e.user_id = (select app.user_id()) and e.expires_at > now() and p.part = :part;

-- name: account_erase
-- kind: write
-- columns: sessions uuid[]
select app.account_erase() as sessions;
