-- name: audit_list
-- kind: list
-- columns: id uuid, chain int4, seq int8, actor_id uuid?, action text, target_type text, target_id uuid?,
--   request_id text, address text?, before jsonb?, after jsonb?, created_at timestamptz
-- filter: action text l.action eq in
-- filter: actor_id uuid l.actor_id eq in
-- filter: target_type text l.target_type eq
-- filter: target_id uuid l.target_id eq
-- filter: request_id text l.request_id eq
-- filter: created_at timestamptz l.created_at gte lte
-- sort: -created_at l.created_at
-- key: l.id
select l.id, l.chain, l.seq, l.actor_id, l.action, l.target_type, l.target_id, l.request_id,
       coalesce(host(o.address), abbrev(l.address)) as address, l.before, l.after, l.created_at
  from app.audit_logs l
  left join app.audit_origins o on o.audit_id = l.id
 where true {filter}
 {order};
