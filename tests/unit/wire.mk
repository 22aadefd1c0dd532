check_PROGRAMS += tests/unit/test_wire_json tests/unit/test_wire_query \
	tests/unit/test_wire_params tests/unit/test_wire_fcgi tests/unit/test_wire_csv
wire_test_libs = fcgi/libwire.a fcgi/libbase.a $(FCGI_LIBS) $(JSONC_LIBS) $(CRYPTO_LIBS) $(UNISTRING_LIBS) -lm
tests_unit_test_wire_json_SOURCES = tests/unit/test_wire_json.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_wire_json_LDADD = $(wire_test_libs) $(CUNIT_LIBS)
tests_unit_test_wire_query_SOURCES = tests/unit/test_wire_query.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_wire_query_LDADD = $(wire_test_libs) $(CUNIT_LIBS)
tests_unit_test_wire_params_SOURCES = tests/unit/test_wire_params.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_wire_params_LDADD = $(wire_test_libs) $(CUNIT_LIBS)
tests_unit_test_wire_csv_SOURCES = tests/unit/test_wire_csv.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_wire_csv_LDADD = $(wire_test_libs) $(CSV_LIBS) $(CUNIT_LIBS)
tests_unit_test_wire_fcgi_SOURCES = tests/unit/test_wire_fcgi.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_wire_fcgi_LDADD = $(wire_test_libs) $(CUNIT_LIBS) -lpthread

# The fuzz targets over their kept inputs, without libFuzzer.
check_PROGRAMS += tests/fuzz/replay_json tests/fuzz/replay_query tests/fuzz/replay_cookie \
	tests/fuzz/replay_fcgi
tests_fuzz_replay_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_json_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"json"'
tests_fuzz_replay_json_LDADD = $(wire_test_libs)
tests_fuzz_replay_query_SOURCES = tests/fuzz/fuzz_query.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_query_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"query"'
tests_fuzz_replay_query_LDADD = $(wire_test_libs)
tests_fuzz_replay_cookie_SOURCES = tests/fuzz/fuzz_cookie.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_cookie_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"cookie"'
tests_fuzz_replay_cookie_LDADD = $(wire_test_libs)
tests_fuzz_replay_fcgi_SOURCES = tests/fuzz/fuzz_fcgi.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_fcgi_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"fcgi"'
tests_fuzz_replay_fcgi_LDADD = $(wire_test_libs)
EXTRA_DIST += tests/fuzz/README.md tests/fuzz/corpus
