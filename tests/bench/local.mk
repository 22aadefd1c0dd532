# Built on demand by tests/bench/run.
EXTRA_PROGRAMS += tests/bench/statement tests/bench/pace
tests_bench_statement_SOURCES = tests/bench/statement.c
tests_bench_statement_LDADD = $(lectern_api_LDADD)
tests_bench_pace_SOURCES = tests/bench/pace.c
