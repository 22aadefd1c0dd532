# Built on demand by tests/bench/run.
EXTRA_PROGRAMS += tests/bench/statement tests/bench/pace tests/bench/limit_check tests/bench/token \
	tests/bench/bare
tests_bench_statement_SOURCES = tests/bench/statement.c
tests_bench_statement_LDADD = $(lectern_api_LDADD)
tests_bench_bare_SOURCES = tests/bench/bare.c
tests_bench_bare_LDADD = $(lectern_api_LDADD)
tests_bench_pace_SOURCES = tests/bench/pace.c
tests_bench_limit_check_SOURCES = tests/bench/limit_check.c
tests_bench_limit_check_LDADD = fcgi/libshm.a fcgi/libbase.a $(CRYPTO_LIBS) $(UNISTRING_LIBS)
tests_bench_token_SOURCES = tests/bench/token.c tests/unit/test_auth_forge.c tests/unit/test_auth_forge.h
tests_bench_token_LDADD = fcgi/libauth.a fcgi/libwire.a fcgi/libbase.a $(JWT_LIBS) $(ARGON2_LIBS) $(JSONC_LIBS) \
	$(CRYPTO_LIBS) $(UNISTRING_LIBS) -lm
