# The rows of the program, and what is produced from them.
api_test_libs = fcgi/libapi.a fcgi/libauth.a fcgi/libshm.a fcgi/libpg.a fcgi/libwire.a fcgi/libbase.a \
	$(ALL_LIBS) $(CUNIT_LIBS) -lm
# api asks app for its domains, app asks api for its runtime.
app_test_libs = fcgi/libapp.a fcgi/libapi.a fcgi/libapp.a $(api_test_libs)

check_PROGRAMS += tests/unit/test_api_rows tests/unit/test_api_openapi
tests_unit_test_api_rows_SOURCES = tests/unit/test_api_rows.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_api_rows_LDADD = $(app_test_libs)
tests_unit_test_api_openapi_SOURCES = tests/unit/test_api_openapi.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_api_openapi_LDADD = $(app_test_libs)

# These bring rows of their own.
check_PROGRAMS += tests/unit/test_api_bind tests/unit/test_api_faults
tests_unit_test_api_bind_SOURCES = tests/unit/test_api_bind.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_api_bind_LDADD = $(api_test_libs)
tests_unit_test_api_faults_SOURCES = tests/unit/test_api_faults.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_api_faults_LDADD = $(api_test_libs)

check_PROGRAMS += tests/unit/test_pg_csv
tests_unit_test_pg_csv_SOURCES = tests/unit/test_pg_csv.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_pg_csv_LDADD = fcgi/libpg.a fcgi/libbase.a $(ALL_LIBS) $(CUNIT_LIBS) -lm
