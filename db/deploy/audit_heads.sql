-- Verification names each row that was edited, moved, inserted, added or removed, and compares with
-- heads of chains that were kept elsewhere. What is filtered by is served by an index.
begin;
set local role lectern_owner;

create index audit_logs_by_request on app.audit_logs (org_id, request_id, created_at desc, id desc);
create index audit_logs_by_type on app.audit_logs (org_id, target_type, created_at desc, id desc);

-- As a subquery of its own: of a comparison with its role the planner believes that one row in a
-- hundred passes, and then sorts all that a filter finds instead of walking an index.
alter policy select_tenant_admin on app.audit_logs
    using ((select app.is_admin_role(app.role())));

-- The ends of the chains that have rows.
create function app.audit_heads() returns table (chain int, seq int8, hash text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select c.chain, c.seq, encode(c.hash, 'hex') from app.audit_chains c where c.seq > 0 order by c.chain;
end
$$;

drop function app.audit_verify();

-- Every place where a chain does not hold; no row when all do. id is null where the row is gone.
-- expected: heads of before, each as 'chain seq hash'.
create function app.audit_verify(expected text[] default '{}')
returns table (chain int, seq int8, id uuid, problem text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    start constant bytea := decode(repeat('00', 32), 'hex');
begin
    return query
    with linked as (
        select l.chain, l.seq, l.id, l.prev_hash, l.hash, app.audit_hash(l) = l.hash as intact
        from app.audit_logs l),
    placed as (
        select k.*, lag(k.seq, 1, 0::int8) over w as prev_seq, lag(k.id) over w as prev_id,
               lag(k.hash, 1, start) over w as prev, lag(k.hash, 2, start) over w as prev2,
               coalesce(lag(k.intact) over w, false) as prev_intact
        from linked k
        window w as (partition by k.chain order by k.seq)),
    -- A row that is itself sound, and that its successor does not know: it knows the one before.
    forged as (
        select p.chain, p.prev_seq as seq, p.prev_id as id from placed p
        where p.prev_intact and p.prev_hash <> p.prev and p.prev_hash = p.prev2),
    heads as (
        select n.chain, c.chain is null as lost, coalesce(c.seq, 0) as seq, coalesce(c.hash, start) as hash,
               coalesce(t.seq, 0) as last, t.id, t.hash as last_hash
        from (select generate_series(0, 63) union select l.chain from app.audit_logs l) n (chain)
        left join app.audit_chains c on c.chain = n.chain
        left join lateral (select l.seq, l.id, l.hash from app.audit_logs l where l.chain = n.chain
                           order by l.seq desc limit 1) t on true),
    kept as (
        select split_part(e, ' ', 1)::int as chain, split_part(e, ' ', 2)::int8 as seq,
               decode(split_part(e, ' ', 3), 'hex') as hash
        from unnest(expected) e),
    found as (
        select p.chain, p.seq, p.id, 'edited or moved' as problem from placed p where not p.intact
        union all
        select p.chain, p.prev_seq + 1, null,
               case when p.seq = p.prev_seq + 2 then 'removed' else 'removed, up to seq ' || p.seq - 1 end
        from placed p where p.seq > p.prev_seq + 1
        union all
        select f.chain, f.seq, f.id, 'inserted' from forged f
        union all
        select p.chain, p.seq, p.id, 'not linked to its predecessor' from placed p
        where p.intact and p.seq = p.prev_seq + 1 and p.prev_hash <> p.prev
          and not exists (select from forged f where f.id = p.prev_id)
        union all
        select h.chain, h.last + 1, null,
               case when h.seq = h.last + 1 then 'removed' else 'removed, up to seq ' || h.seq end
        from heads h where h.seq > h.last
        union all
        select h.chain, h.seq, h.id, 'not what the head of the chain says' from heads h
        where h.seq = h.last and h.last_hash <> h.hash
        union all
        select p.chain, p.seq, p.id, 'added after the end' from placed p
        join heads h on h.chain = p.chain and p.seq > h.seq and not h.lost
        union all
        select h.chain, h.last, h.id, 'the head of the chain is removed' from heads h where h.lost
        union all
        select k.chain, k.seq, l.id,
               case when l.id is null then 'expected, and not there' else 'not what was expected' end
        from kept k left join app.audit_logs l on l.chain = k.chain and l.seq = k.seq
        where l.hash is distinct from k.hash)
    select f.chain, f.seq, f.id, f.problem from found f order by f.chain, f.seq, f.problem;
end
$$;

grant execute on function app.audit_heads(), app.audit_verify(text[]) to lectern_jobs;

reset role;
alter function app.audit_heads() owner to lectern_definer;
alter function app.audit_verify(text[]) owner to lectern_definer;

commit;
