begin;
set local role lectern_owner;

drop index app.audit_logs_by_request;
drop index app.audit_logs_by_type;
alter policy select_tenant_admin on app.audit_logs
    using (app.is_admin_role((select app.role())));

reset role;
drop function app.audit_heads();
drop function app.audit_verify(text[]);
set local role lectern_owner;

create function app.audit_verify() returns table (chain int, seq int8, problem text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with linked as (
        select l.chain, l.seq, l.prev_hash, l.hash, app.audit_hash(l) as computed,
               lag(l.seq, 1, 0::int8) over w as prev_seq,
               lag(l.hash, 1, decode(repeat('00', 32), 'hex')) over w as prev
        from app.audit_logs l
        window w as (partition by l.chain order by l.seq)),
    found as (
        select k.chain, k.seq, 'edited' as problem from linked k where k.hash <> k.computed
        union all
        select k.chain, k.seq, 'rows removed before' from linked k where k.seq <> k.prev_seq + 1
        union all
        select k.chain, k.seq, 'not linked to its predecessor' from linked k
        where k.seq = k.prev_seq + 1 and k.prev_hash <> k.prev
        union all
        select c.chain, c.seq, 'end of chain removed' from app.audit_chains c
        left join lateral (select l.seq, l.hash from app.audit_logs l where l.chain = c.chain
                           order by l.seq desc limit 1) t on true
        where (c.seq, c.hash) is distinct from
              (coalesce(t.seq, 0), coalesce(t.hash, decode(repeat('00', 32), 'hex'))))
    select f.chain, f.seq, f.problem from found f order by f.chain, f.seq;
end
$$;

grant execute on function app.audit_verify() to lectern_jobs;

reset role;
alter function app.audit_verify() owner to lectern_definer;

commit;
