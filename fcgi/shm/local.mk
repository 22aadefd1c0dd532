noinst_LIBRARIES += fcgi/libshm.a
fcgi_libshm_a_SOURCES = \
	fcgi/shm/counter.c \
	fcgi/shm/rate.c \
	fcgi/shm/revoked.c \
	fcgi/shm/shm.c \
	fcgi/shm/shm.h \
	fcgi/shm/tables.h
EXTRA_DIST += fcgi/shm/README.md
