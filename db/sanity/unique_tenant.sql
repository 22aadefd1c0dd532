-- A unique key without org_id: its violation would tell of another organisation's values.
-- Stated exceptions: an address signs in to one organisation, a slug names one, a place in a chain
-- of the audit trail is nobody's value.
select k.conrelid::regclass, k.conname
from pg_constraint k
join pg_class c on c.oid = k.conrelid
where k.connamespace = 'app'::regnamespace and k.contype = 'u' and not c.relispartition
      and k.conname not in ('users_email', 'orgs_slug', 'audit_logs_position')
      and not exists (select from pg_attribute a
                      where a.attrelid = k.conrelid and a.attnum = any (k.conkey)
                            and a.attname = 'org_id')
union all
-- Unique indexes without a constraint carry no name that the catalogue of errors knows.
select i.indrelid::regclass, i.indexrelid::regclass::name
from pg_index i
join pg_class c on c.oid = i.indrelid
where c.relnamespace = 'app'::regnamespace and i.indisunique and not c.relispartition
      and not exists (select from pg_constraint k where k.conindid = i.indexrelid
                            and k.contype in ('p', 'u', 'x'));
