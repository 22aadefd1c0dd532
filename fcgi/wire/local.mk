noinst_LIBRARIES += fcgi/libwire.a
fcgi_libwire_a_SOURCES = \
	fcgi/wire/csv_in.c \
	fcgi/wire/csv_in.h \
	fcgi/wire/fcgi.c \
	fcgi/wire/head.c \
	fcgi/wire/head.h \
	fcgi/wire/headers.def \
	fcgi/wire/json_in.c \
	fcgi/wire/json_in.h \
	fcgi/wire/json_scan.c \
	fcgi/wire/params.c \
	fcgi/wire/params.h \
	fcgi/wire/query.c \
	fcgi/wire/query.h \
	fcgi/wire/request.h
EXTRA_DIST += fcgi/wire/README.md
