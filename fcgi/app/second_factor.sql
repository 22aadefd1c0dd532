-- The second factor: what may be accepted, and how often, the functions decide.

-- name: second_factor
-- columns: state text, confirmed_at timestamptz?, recovery_codes_left int8
select case when f.user_id is null then 'off' when f.confirmed_at is null then 'pending' else 'on' end as state,
       f.confirmed_at,
       (select count(*) from app.recovery_codes c where c.user_id = f.user_id and c.used_at is null) as recovery_codes_left
  from app.users u
  left join app.second_factors f on f.user_id = u.id
 where u.id = (select app.user_id());

-- name: second_factor_self
-- kind: read
-- columns: name text, email text, locale text, password_hash text
select u.name, u.email, u.locale, app.password_current() as password_hash
  from app.users u
 where u.id = (select app.user_id());

-- name: second_factor_attempt
-- kind: write
-- returns: maybe
-- columns: sealed text?, confirmed bool?, wait int4
select a.sealed, a.confirmed, a.wait from app.second_factor_attempt() a;

-- name: second_factor_enrol
-- kind: write
-- params: sealed text
-- columns: begun bool
select app.second_factor_enrol(:sealed) as begun;

-- name: second_factor_confirm
-- kind: write
-- params: step int8, digests text[], session_id uuid
-- columns: done bool, ended uuid[]
select c.ended is not null as done, coalesce(c.ended, '{}') as ended
  from app.second_factor_confirm(:step, array(select decode(d, 'hex') from unnest(:digests::text[]) d), :session_id) c (ended);

-- name: second_factor_codes
-- kind: write
-- params: step int8, digests text[]
-- columns: done bool
select app.second_factor_codes(:step, array(select decode(d, 'hex') from unnest(:digests::text[]) d)) as done;

-- name: second_factor_disable
-- kind: write
-- params: step int8, recovery bytea?
-- columns: done bool
select app.second_factor_disable(:step, :recovery) as done;

-- name: second_factor_reset
-- kind: write
-- params: user_id uuid
-- columns: ended uuid[], name text, email text, locale text
select r.ended, r.name, r.email, r.locale from app.second_factor_reset(:user_id) r;

-- name: second_factor_challenged
-- kind: write
-- returns: maybe
-- params: digest bytea
-- columns: user_id uuid, org_id uuid, name text, email text, role text, locale text, sealed text?, wait int4
select c.user_id, c.org_id, c.name, c.email, c.role, c.locale, c.sealed, c.wait
  from app.second_factor_challenged(:digest) c;

-- name: second_factor_answer
-- kind: write
-- params: digest bytea, step int8, recovery bytea?, session_id uuid
-- columns: taken bool
select app.second_factor_answer(:digest, :step, :recovery, :session_id) as taken;

-- name: second_factor_settle
-- kind: write
-- params: digest bytea
-- columns: done bool
select app.second_factor_settle(:digest) as done;
