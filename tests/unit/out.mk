# Mails: their bytes and their words.
check_PROGRAMS += tests/unit/test_out_mime tests/unit/test_out_mail_text
tests_unit_test_out_mime_SOURCES = tests/unit/test_out_mime.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_out_mime_LDADD = fcgi/libout.a fcgi/libbase.a $(ALL_LIBS) $(CUNIT_LIBS)
# With the kinds of api and the pauses of jobs.
tests_unit_test_out_mail_text_SOURCES = tests/unit/test_out_mail_text.c tests/unit/unit.c tests/unit/unit.h
tests_unit_test_out_mail_text_LDADD = fcgi/libjobs.a fcgi/libout.a $(app_test_libs)
