noinst_LIBRARIES += fcgi/libout.a
fcgi_libout_a_SOURCES = \
	fcgi/out/mail.c fcgi/out/mail.h \
	fcgi/out/mail_text.c fcgi/out/mail_text.h fcgi/out/mail_text.def \
	fcgi/out/mime.c fcgi/out/mime.h
EXTRA_DIST += fcgi/out/README.md
