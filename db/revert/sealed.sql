begin;

drop function app.sealed_swap(text, text, uuid[], text[], text[]);
drop function app.sealed_batch(text, text, text, uuid, int, int8);
drop function app.sealed_usage();
drop function app.sealed_key(text);
drop function app.sealed_columns();

commit;
