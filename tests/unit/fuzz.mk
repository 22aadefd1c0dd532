# The fuzz targets over their kept inputs, without libFuzzer; those of wire and auth stand with the
# tests of their folder.
check_PROGRAMS += tests/fuzz/replay_csv tests/fuzz/replay_cursor tests/fuzz/replay_envelope \
	tests/fuzz/replay_params tests/fuzz/replay_timestamp tests/fuzz/replay_uuid
tests_fuzz_replay_csv_SOURCES = tests/fuzz/fuzz_csv.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_csv_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"csv"'
tests_fuzz_replay_csv_LDADD = $(wire_test_libs) $(CSV_LIBS)
tests_fuzz_replay_cursor_SOURCES = tests/fuzz/fuzz_cursor.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_cursor_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"cursor"'
tests_fuzz_replay_cursor_LDADD = $(auth_test_libs)
tests_fuzz_replay_envelope_SOURCES = tests/fuzz/fuzz_envelope.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_envelope_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"envelope"'
tests_fuzz_replay_envelope_LDADD = $(auth_test_libs)
tests_fuzz_replay_params_SOURCES = tests/fuzz/fuzz_params.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_params_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"params"'
tests_fuzz_replay_params_LDADD = $(wire_test_libs)
tests_fuzz_replay_timestamp_SOURCES = tests/fuzz/fuzz_timestamp.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_timestamp_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"timestamp"'
tests_fuzz_replay_timestamp_LDADD = fcgi/libbase.a $(CRYPTO_LIBS) $(UNISTRING_LIBS)
tests_fuzz_replay_uuid_SOURCES = tests/fuzz/fuzz_uuid.c tests/fuzz/replay.c tests/fuzz/fuzz.h
tests_fuzz_replay_uuid_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"uuid"'
tests_fuzz_replay_uuid_LDADD = fcgi/libbase.a $(CRYPTO_LIBS) $(UNISTRING_LIBS)

# Searching with libFuzzer, FUZZ_SECONDS for each target; new inputs stay in fuzz-found/.
FUZZ_SECONDS = 3600
fuzz:
	$(top_srcdir)/tests/fuzz/run --found fuzz-found $(FUZZ_SECONDS)
