check_PROGRAMS += tests/unit/test_master tests/unit/test_listener
master_test_sources = tests/unit/toy.c tests/unit/toy.h tests/unit/unit.c tests/unit/unit.h \
	fcgi/bin/listener.c fcgi/bin/listener.h fcgi/bin/master.c fcgi/bin/master.h
master_test_libs = fcgi/libbase.a $(CUNIT_LIBS) $(SYSTEMD_LIBS) $(CRYPTO_LIBS) $(UNISTRING_LIBS)

tests_unit_test_master_SOURCES = tests/unit/test_master.c $(master_test_sources)
tests_unit_test_master_LDADD = $(master_test_libs)
tests_unit_test_listener_SOURCES = tests/unit/test_listener.c $(master_test_sources)
tests_unit_test_listener_LDADD = $(master_test_libs)

TESTS += tests/unit/test_programs
EXTRA_DIST += tests/unit/test_programs
