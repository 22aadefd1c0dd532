jobs_sql = $(top_srcdir)/fcgi/jobs/jobs.sql
jobs_statements = $(STATEMENTS) -v prefix=job -v call=jobs -v ctx="struct jobs" -v header=jobs/statements.h -v runtime=jobs/run.h

noinst_LIBRARIES += fcgi/libjobs.a
fcgi_libjobs_a_SOURCES = \
	fcgi/jobs/daemon.c fcgi/jobs/daemon.h \
	fcgi/jobs/housekeeping.c \
	fcgi/jobs/kind.h \
	fcgi/jobs/person.c \
	fcgi/jobs/mail.c \
	fcgi/jobs/run.c fcgi/jobs/run.h \
	fcgi/jobs/schedule.c fcgi/jobs/schedule.h
nodist_fcgi_libjobs_a_SOURCES = fcgi/jobs/statements.c fcgi/jobs/statements.h
BUILT_SOURCES += fcgi/jobs/statements.h
CLEANFILES += fcgi/jobs/statements.c fcgi/jobs/statements.h
EXTRA_DIST += fcgi/jobs/README.md fcgi/jobs/jobs.sql

fcgi/jobs/statements.h: $(jobs_sql) $(top_srcdir)/fcgi/pg/statements.awk
	@$(MKDIR_P) fcgi/jobs
	$(AM_V_GEN)$(jobs_statements) -v out=header $(jobs_sql) >$@.new && mv $@.new $@
fcgi/jobs/statements.c: $(jobs_sql) $(top_srcdir)/fcgi/pg/statements.awk
	@$(MKDIR_P) fcgi/jobs
	$(AM_V_GEN)$(jobs_statements) -v out=source $(jobs_sql) >$@.new && mv $@.new $@
