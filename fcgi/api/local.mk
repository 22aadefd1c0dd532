api_sql = $(top_srcdir)/fcgi/api/api.sql
api_statements = $(STATEMENTS) -v prefix=api -v ctx="struct req" -v header=api/statements.h -v runtime=api/run.h

noinst_LIBRARIES += fcgi/libapi.a
fcgi_libapi_a_SOURCES = \
	fcgi/api/bind.c fcgi/api/bind.h \
	fcgi/api/bind_list.c \
	fcgi/api/credentials.c fcgi/api/credentials.h \
	fcgi/api/cursor.c fcgi/api/cursor.h \
	fcgi/api/emit.h \
	fcgi/api/emit_check.c \
	fcgi/api/emit_docs.c \
	fcgi/api/emit_facts.c \
	fcgi/api/emit_nginx.c \
	fcgi/api/emit_openapi.c \
	fcgi/api/emit_parts.h \
	fcgi/api/emit_schema.c \
	fcgi/api/endpoint.h \
	fcgi/api/format.c fcgi/api/format.h \
	fcgi/api/gates.c fcgi/api/gates.h \
	fcgi/api/headers.c fcgi/api/headers.h \
	fcgi/api/idempotency.c fcgi/api/idempotency.h \
	fcgi/api/limits.c fcgi/api/limits.h fcgi/api/limits.def \
	fcgi/api/mail.c fcgi/api/mail.h \
	fcgi/api/metrics.c fcgi/api/metrics.h \
	fcgi/api/reply.c fcgi/api/reply.h \
	fcgi/api/req.h fcgi/api/run.h \
	fcgi/api/route.c fcgi/api/route.h \
	fcgi/api/session.c fcgi/api/session.h \
	fcgi/api/tx.c fcgi/api/tx.h \
	fcgi/api/worker.c fcgi/api/worker.h
nodist_fcgi_libapi_a_SOURCES = fcgi/api/statements.c fcgi/api/statements.h
BUILT_SOURCES += fcgi/api/statements.h
CLEANFILES += fcgi/api/statements.c fcgi/api/statements.h
EXTRA_DIST += fcgi/api/README.md fcgi/api/api.sql

fcgi/api/statements.h: $(api_sql) $(top_srcdir)/fcgi/pg/statements.awk
	@$(MKDIR_P) fcgi/api
	$(AM_V_GEN)$(api_statements) -v out=header $(api_sql) >$@.new && mv $@.new $@
fcgi/api/statements.c: $(api_sql) $(top_srcdir)/fcgi/pg/statements.awk
	@$(MKDIR_P) fcgi/api
	$(AM_V_GEN)$(api_statements) -v out=source $(api_sql) >$@.new && mv $@.new $@
