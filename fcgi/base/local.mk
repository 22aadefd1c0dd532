noinst_LIBRARIES += fcgi/libbase.a
fcgi_libbase_a_SOURCES = \
	fcgi/base/arena.c fcgi/base/arena.h \
	fcgi/base/buf.c fcgi/base/buf.h \
	fcgi/base/cidr.c fcgi/base/cidr.h \
	fcgi/base/config_file.c \
	fcgi/base/data_keys.c fcgi/base/data_keys.h \
	fcgi/base/digest.c fcgi/base/encode.c fcgi/base/encode.h \
	fcgi/base/err.c fcgi/base/err.h fcgi/base/errors.def \
	fcgi/base/json.c fcgi/base/json.h \
	fcgi/base/log.c fcgi/base/log.h \
	fcgi/base/oom.c fcgi/base/oom_crypto.c fcgi/base/oom.h \
	fcgi/base/settings.c fcgi/base/settings.h fcgi/base/settings.def \
	fcgi/base/settings_check.c \
	fcgi/base/settings_parts.h \
	fcgi/base/settings_production.c \
	fcgi/base/settings_show.c \
	fcgi/base/text.c fcgi/base/text.h \
	fcgi/base/timestamp.c fcgi/base/timestamp.h \
	fcgi/base/uuid.c fcgi/base/uuid.h
