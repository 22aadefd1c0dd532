check_PROGRAMS += tests/unit/test_auth_envelope tests/unit/test_auth_factor tests/unit/test_auth_keyset tests/unit/test_auth_secret tests/unit/test_auth_token
auth_test_libs = fcgi/libauth.a fcgi/libwire.a fcgi/libbase.a $(JWT_LIBS) $(ARGON2_LIBS) $(JSONC_LIBS) \
	$(CRYPTO_LIBS) $(UNISTRING_LIBS) -lm
auth_forge = tests/unit/test_auth_forge.c tests/unit/test_auth_forge.h
tests_unit_test_auth_envelope_SOURCES = tests/unit/test_auth_envelope.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_auth_envelope_LDADD = $(auth_test_libs) $(CUNIT_LIBS)
tests_unit_test_auth_factor_SOURCES = tests/unit/test_auth_factor.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_auth_factor_LDADD = $(auth_test_libs) $(QRENCODE_LIBS) $(CUNIT_LIBS)
tests_unit_test_auth_keyset_SOURCES = tests/unit/test_auth_keyset.c $(auth_forge) tests/unit/unit.c tests/unit/unit.h
tests_unit_test_auth_keyset_LDADD = $(auth_test_libs) $(CUNIT_LIBS)
tests_unit_test_auth_secret_SOURCES = tests/unit/test_auth_secret.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_auth_secret_LDADD = $(auth_test_libs) $(CUNIT_LIBS)
tests_unit_test_auth_token_SOURCES = tests/unit/test_auth_token.c $(auth_forge) tests/unit/unit.c tests/unit/unit.h
tests_unit_test_auth_token_LDADD = $(auth_test_libs) $(CUNIT_LIBS)

check_PROGRAMS += tests/fuzz/replay_token
tests_fuzz_replay_token_SOURCES = tests/fuzz/fuzz_token.c tests/fuzz/replay.c tests/fuzz/fuzz.h $(auth_forge)
tests_fuzz_replay_token_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"token"'
tests_fuzz_replay_token_LDADD = $(auth_test_libs)
