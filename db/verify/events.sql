begin;

select id, org_id, kind, actor_id, payload, occurred_at from app.events where false;
select 'app.events_default'::regclass, 'app.events_make_partitions(int)'::regprocedure;

rollback;
