begin;

select id, slug, name, locale, timezone, settings, version from app.orgs where false;

rollback;
