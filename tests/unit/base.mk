check_PROGRAMS += \
	tests/unit/test_base_cidr \
	tests/unit/test_base_encode \
	tests/unit/test_base_json \
	tests/unit/test_base_log \
	tests/unit/test_base_memory \
	tests/unit/test_base_settings \
	tests/unit/test_base_text \
	tests/unit/test_base_time

base_test_libs = fcgi/libbase.a $(CUNIT_LIBS) $(CRYPTO_LIBS) $(UNISTRING_LIBS)

tests_unit_test_base_cidr_SOURCES = tests/unit/test_base_cidr.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_cidr_LDADD = $(base_test_libs)
tests_unit_test_base_encode_SOURCES = tests/unit/test_base_encode.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_encode_LDADD = $(base_test_libs)
tests_unit_test_base_json_SOURCES = tests/unit/test_base_json.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_json_LDADD = $(base_test_libs)
tests_unit_test_base_log_SOURCES = tests/unit/test_base_log.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_log_LDADD = $(base_test_libs)
tests_unit_test_base_memory_SOURCES = tests/unit/test_base_memory.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_memory_LDADD = $(base_test_libs)
tests_unit_test_base_settings_SOURCES = tests/unit/test_base_settings.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_settings_LDADD = $(base_test_libs)
tests_unit_test_base_text_SOURCES = tests/unit/test_base_text.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_text_LDADD = $(base_test_libs)
tests_unit_test_base_time_SOURCES = tests/unit/test_base_time.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_base_time_LDADD = $(base_test_libs)
