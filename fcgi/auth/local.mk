noinst_LIBRARIES += fcgi/libauth.a
fcgi_libauth_a_SOURCES = \
	fcgi/auth/common_passwords.def \
	fcgi/auth/envelope.c fcgi/auth/envelope.h \
	fcgi/auth/keyset.c \
	fcgi/auth/keyset_parts.h \
	fcgi/auth/keyset_write.c \
	fcgi/auth/link_code.c \
	fcgi/auth/link_code.h \
	fcgi/auth/link.c \
	fcgi/auth/link.h \
	fcgi/auth/password.c \
	fcgi/auth/password.h \
	fcgi/auth/qr.c \
	fcgi/auth/qr.h \
	fcgi/auth/second_factor.c \
	fcgi/auth/second_factor.h \
	fcgi/auth/secret.c \
	fcgi/auth/secret.h \
	fcgi/auth/token.c \
	fcgi/auth/token.h \
	fcgi/auth/token_cache.c \
	fcgi/auth/token_verify.c \
	fcgi/auth/totp.c \
	fcgi/auth/totp.h \
	fcgi/auth/turns.c \
	fcgi/auth/turns.h
EXTRA_DIST += fcgi/auth/README.md
