if HAVE_CUNIT
include tests/unit/base.mk
include tests/unit/wire.mk
include tests/unit/shm.mk
include tests/unit/auth.mk
include tests/unit/api.mk
include tests/unit/bin.mk
include tests/unit/jobs.mk
include tests/unit/out.mk
include tests/unit/fuzz.mk
TESTS += $(check_PROGRAMS)
endif

include tests/bench/local.mk

# Prepares every statement on a migrated database: test_statements APP-CONNINFO JOBS-CONNINFO
noinst_PROGRAMS += tests/db/test_statements
tests_db_test_statements_SOURCES = tests/db/test_statements.c
tests_db_test_statements_LDADD = fcgi/libjobs.a $(lectern_api_LDADD)

# The connection against a server: LECTERN_TEST_DATABASE=conninfo test_conn
if HAVE_CUNIT
noinst_PROGRAMS += tests/db/test_conn
tests_db_test_conn_SOURCES = tests/db/test_conn.c tests/unit/unit.c tests/unit/unit.h
tests_db_test_conn_LDADD = fcgi/libpg.a fcgi/libbase.a $(ALL_LIBS) $(CUNIT_LIBS)
endif
