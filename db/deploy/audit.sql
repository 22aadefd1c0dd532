-- The audit trail. Rows form 64 chains by lane (backend pid mod 64): each carries a hash over its
-- predecessor's, so that an edited or removed row shows, and unrelated writers do not wait for
-- each other. actor_id and target_id are not foreign keys: the record outlives what it names.
begin;
set local role lectern_owner;

create table app.audit_chains (
    chain int4 not null,
    seq   int8 not null default 0,
    hash  bytea not null default decode(repeat('00', 32), 'hex'),
    constraint audit_chains_pkey primary key (chain),
    constraint audit_chains_lane check (chain between 0 and 63),
    constraint audit_chains_hash check (octet_length(hash) = 32)
) with (fillfactor = 10);
insert into app.audit_chains (chain) select generate_series(0, 63);

create table app.audit_logs (
    id          uuid not null,
    chain       int4 not null,
    seq         int8 not null,
    org_id      uuid not null,
    actor_id    uuid,
    action      text not null,
    target_type text not null,
    target_id   uuid,
    request_id  text,
    address     inet,
    before      jsonb,
    after       jsonb,
    prev_hash   bytea not null,
    hash        bytea not null,
    created_at  timestamptz not null default now(),
    constraint audit_logs_pkey primary key (id),
    constraint audit_logs_position unique (chain, seq),
    constraint audit_logs_org foreign key (org_id) references app.orgs (id) on delete restrict,
    constraint audit_logs_action check (action ~ '^[a-z][a-z0-9_.]{0,63}$'),
    constraint audit_logs_target check (target_type ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint audit_logs_request check (request_id ~ '^[A-Za-z0-9._-]{1,128}$'),
    constraint audit_logs_before check (jsonb_typeof(before) = 'object'),
    constraint audit_logs_after check (jsonb_typeof(after) = 'object'),
    constraint audit_logs_hashes check (octet_length(hash) = 32 and octet_length(prev_hash) = 32)
);
create index audit_logs_list on app.audit_logs (org_id, created_at desc, id desc);
create index audit_logs_by_actor on app.audit_logs (org_id, actor_id, created_at desc, id desc);
create index audit_logs_by_action on app.audit_logs (org_id, action, created_at desc, id desc);
create index audit_logs_by_target on app.audit_logs (org_id, target_id, created_at desc, id desc);

create function app.audit_refuse() returns trigger
language plpgsql
as $$
begin
    raise exception using errcode = '42501', message = 'the audit trail is append-only';
end
$$;
create trigger refuse_row before update or delete on app.audit_logs
    for each row execute function app.audit_refuse();
create trigger refuse_truncate before truncate on app.audit_logs
    for each statement execute function app.audit_refuse();
create trigger refuse_delete before delete or truncate on app.audit_chains
    for each statement execute function app.audit_refuse();

alter table app.audit_chains enable row level security, force row level security;
alter table app.audit_logs enable row level security, force row level security;

-- Everything in the row that could be edited, in one unambiguous text; no setting changes it.
create function app.audit_hash(r app.audit_logs) returns bytea
language sql stable parallel safe
return sha256(r.prev_hash || convert_to(jsonb_build_array(
    r.id, r.chain, r.seq, r.org_id, r.actor_id, r.action, r.target_type, r.target_id, r.request_id,
    text(r.address), r.before, r.after, (extract(epoch from r.created_at) * 1000000)::int8)::text,
    'UTF8'));

-- Values of sensitive members, at any depth, give way to a mark. Names are lower case.
create function app.audit_redact(j jsonb, names text[]) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(j) = 'object' then
        return (select coalesce(jsonb_object_agg(key, case when lower(key) <> all (names)
                                                             then app.audit_redact(value, names)
                                                           when value = 'null' then value
                                                           else '"[redacted]"' end), '{}')
                from jsonb_each(j));
    elsif jsonb_typeof(j) = 'array' then
        return (select coalesce(jsonb_agg(app.audit_redact(value, names) order by ordinality), '[]')
                from jsonb_array_elements(j) with ordinality);
    end if;
    return j;
end
$$;

-- What of a change may be kept: redacted, and only its digest when it is too long.
create function app.audit_keep(j jsonb, names text[], longest int) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    kept jsonb := app.audit_redact(j, names);
begin
    if kept is null or octet_length(kept::text) <= longest then
        return kept;
    end if;
    return jsonb_build_object('sha256', encode(sha256(convert_to(kept::text, 'UTF8')), 'hex'),
                              'bytes', octet_length(kept::text));
end
$$;

-- Row trigger of audited tables. Acts while app.audit_action names an action: remembers the first
-- row's changed columns in app.audit_before and app.audit_after, and counts all changed rows in
-- app.audit_changes. app.audit_append takes them from there.
create function app.audit_capture() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    was  jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    now_ jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    seen int := coalesce(nullif(current_setting('app.audit_changes', true), ''), '0')::int;
begin
    perform set_config('app.audit_changes', (seen + 1)::text, true);
    if seen > 0 then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) into was, now_
        from jsonb_each(was) o join jsonb_each(now_) n using (key)
        where o.value <> n.value and o.key <> 'updated_at';
    end if;
    perform set_config('app.audit_before', coalesce(was::text, ''), true),
            set_config('app.audit_after', coalesce(now_::text, ''), true);
    return null;
end
$$;

-- Writes the audit row of this transaction's change. To be called in a statement after the one
-- that made the change. org is for acts before anyone is signed in; a caller's own always wins.
create function app.audit_append(id uuid, action text, target_type text, target_id uuid,
                                 max_payload int, redacted text[], org uuid default null)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    names text[] := array['email', 'name', 'password', 'password_hash', 'code', 'join_code',
                          'digest', 'body', 'token', 'secret']
                    || coalesce((select array_agg(lower(n)) from unnest(redacted) n), '{}');
    seen  int := coalesce(nullif(current_setting('app.audit_changes', true), ''), '0')::int;
    r     app.audit_logs;
begin
    r.id := id;
    r.action := action;
    r.target_type := target_type;
    r.target_id := target_id;
    r.org_id := coalesce(app.org_id(), org);
    r.actor_id := app.user_id();
    r.request_id := nullif(current_setting('app.request_id', true), '');
    r.address := nullif(current_setting('app.client_ip', true), '')::inet;
    r.before := app.audit_keep(nullif(current_setting('app.audit_before', true), '')::jsonb,
                               names, max_payload);
    r.after := app.audit_keep(nullif(current_setting('app.audit_after', true), '')::jsonb,
                              names, max_payload);
    if seen > 1 then
        r.after := coalesce(r.after, '{}') || jsonb_build_object('further_changes', seen - 1);
    end if;
    perform set_config('app.audit_before', '', true), set_config('app.audit_after', '', true),
            set_config('app.audit_changes', '', true);
    r.created_at := now();
    r.chain := pg_backend_pid() % 64;
    update app.audit_chains c set seq = c.seq + 1 where c.chain = r.chain
    returning c.seq, c.hash into r.seq, r.prev_hash;
    r.hash := app.audit_hash(r);
    update app.audit_chains c set hash = r.hash where c.chain = r.chain;
    insert into app.audit_logs select r.*;
end
$$;

-- Every place where a chain does not hold; no row when all do.
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

grant select, insert on app.audit_logs to lectern_definer;
grant select, update on app.audit_chains to lectern_definer;
create policy select_definer on app.audit_logs for select to lectern_definer using (true);
create policy insert_definer on app.audit_logs for insert to lectern_definer with check (true);
create policy select_definer on app.audit_chains for select to lectern_definer using (true);
create policy update_definer on app.audit_chains for update to lectern_definer using (true);

grant execute on function app.audit_hash(app.audit_logs), app.audit_redact(jsonb, text[]),
    app.audit_keep(jsonb, text[], int) to lectern_definer;
grant execute on function app.audit_append(uuid, text, text, uuid, int, text[], uuid)
    to lectern_app, lectern_jobs;
grant execute on function app.audit_verify() to lectern_jobs;

create trigger audit after insert or update or delete on app.orgs for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.users for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.sessions for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.courses for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.course_codes for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.course_staff for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.enrollments for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.enrollment_imports for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();
create trigger audit after insert or update or delete on app.announcements for each row
    when (current_setting('app.audit_action', true) <> '') execute function app.audit_capture();

reset role;
alter function app.audit_append(uuid, text, text, uuid, int, text[], uuid) owner to lectern_definer;
alter function app.audit_verify() owner to lectern_definer;

commit;
