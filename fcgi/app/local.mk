app_sql = \
	fcgi/app/account.sql \
	fcgi/app/announcement.sql \
	fcgi/app/audit.sql \
	fcgi/app/course.sql \
	fcgi/app/enrollment.sql \
	fcgi/app/health.sql \
	fcgi/app/org.sql \
	fcgi/app/parent_link.sql \
	fcgi/app/person.sql \
	fcgi/app/second_factor.sql \
	fcgi/app/session.sql \
	fcgi/app/tenant.sql
app_sql_paths = $(app_sql:%=$(top_srcdir)/%)
app_statements = $(STATEMENTS) -v prefix=sql -v ctx="struct req" -v header=app/statements.h -v runtime=api/run.h

noinst_LIBRARIES += fcgi/libapp.a
fcgi_libapp_a_SOURCES = \
	fcgi/app/account.c \
	fcgi/app/announcement.c \
	fcgi/app/audit.c \
	fcgi/app/course.c \
	fcgi/app/document.c \
	fcgi/app/domains.c \
	fcgi/app/enrollment.c \
	fcgi/app/health.c \
	fcgi/app/org.c \
	fcgi/app/parent_link.c \
	fcgi/app/person.c \
	fcgi/app/second_factor.c \
	fcgi/app/session.c \
	fcgi/app/tenant.c
nodist_fcgi_libapp_a_SOURCES = fcgi/app/statements.c fcgi/app/statements.h fcgi/app/schema_version.h
BUILT_SOURCES += fcgi/app/statements.h fcgi/app/schema_version.h
CLEANFILES += fcgi/app/statements.c fcgi/app/statements.h fcgi/app/schema_version.h
EXTRA_DIST += fcgi/app/README.md $(app_sql)

fcgi/app/statements.h: $(app_sql_paths) $(top_srcdir)/fcgi/pg/statements.awk
	@$(MKDIR_P) fcgi/app
	$(AM_V_GEN)$(app_statements) -v out=header $(app_sql_paths) >$@.new && mv $@.new $@
fcgi/app/statements.c: $(app_sql_paths) $(top_srcdir)/fcgi/pg/statements.awk
	@$(MKDIR_P) fcgi/app
	$(AM_V_GEN)$(app_statements) -v out=source $(app_sql_paths) >$@.new && mv $@.new $@

# The schema that this build knows: the last change of the plan.
fcgi/app/schema_version.h: $(top_srcdir)/db/sqitch.plan
	@$(MKDIR_P) fcgi/app
	$(AM_V_GEN)$(AWK) 'NF && !/^%/ { last = $$1 } END { printf "#define SCHEMA_VERSION \"%s\"\n", last }' \
		$(top_srcdir)/db/sqitch.plan >$@.new && mv $@.new $@
