check_PROGRAMS += tests/unit/test_jobs_schedule tests/unit/test_jobs_daemon
jobs_test_libs = fcgi/libjobs.a fcgi/libout.a fcgi/libauth.a fcgi/libpg.a fcgi/libwire.a fcgi/libbase.a \
	$(ALL_LIBS) $(CUNIT_LIBS)

tests_unit_test_jobs_schedule_SOURCES = tests/unit/test_jobs_schedule.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_jobs_schedule_LDADD = $(jobs_test_libs)
tests_unit_test_jobs_daemon_SOURCES = tests/unit/test_jobs_daemon.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_jobs_daemon_LDADD = $(jobs_test_libs)
