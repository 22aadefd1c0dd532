check_PROGRAMS += tests/unit/test_shm_tables tests/unit/test_shm_rate
tests_unit_test_shm_tables_SOURCES = tests/unit/test_shm_tables.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_shm_tables_LDADD = fcgi/libshm.a fcgi/libbase.a $(CUNIT_LIBS) $(CRYPTO_LIBS) $(UNISTRING_LIBS)
tests_unit_test_shm_rate_SOURCES = tests/unit/test_shm_rate.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_shm_rate_LDADD = fcgi/libshm.a fcgi/libbase.a $(CUNIT_LIBS) $(CRYPTO_LIBS) $(UNISTRING_LIBS)
