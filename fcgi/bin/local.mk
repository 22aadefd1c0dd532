bin_PROGRAMS += lectern-api lectern-jobs lecternctl

lectern_api_SOURCES = \
	fcgi/bin/lectern-api.c \
	fcgi/bin/listener.c fcgi/bin/listener.h \
	fcgi/bin/master.c fcgi/bin/master.h
lectern_api_LDADD = fcgi/libapp.a fcgi/libapi.a fcgi/libapp.a fcgi/libapi.a fcgi/libauth.a fcgi/libshm.a fcgi/libpg.a \
	fcgi/libwire.a fcgi/libbase.a $(ALL_LIBS)

lectern_jobs_SOURCES = fcgi/bin/lectern-jobs.c
lectern_jobs_LDADD = fcgi/libjobs.a fcgi/libout.a fcgi/libauth.a fcgi/libpg.a fcgi/libwire.a fcgi/libbase.a $(ALL_LIBS)

# Where lecternctl finds what is installed beside the programs.
AM_CPPFLAGS += -DPKGDATADIR='"$(pkgdatadir)"'
lecternctl_SOURCES = \
	fcgi/bin/ctl.h \
	fcgi/bin/ctl_audit.c \
	fcgi/bin/ctl_config.c \
	fcgi/bin/ctl_jwt.c \
	fcgi/bin/ctl_keys.c \
	fcgi/bin/ctl_options.c \
	fcgi/bin/ctl_password.c \
	fcgi/bin/ctl_seed.c \
	fcgi/bin/lecternctl.c
lecternctl_LDADD = fcgi/libjobs.a fcgi/libout.a fcgi/libauth.a fcgi/libpg.a fcgi/libwire.a fcgi/libbase.a $(ALL_LIBS)

EXTRA_DIST += \
	fcgi/bin/README.md \
	deploy/spawn-fcgi.sh \
	deploy/systemd/lectern-api@.service \
	deploy/systemd/lectern-api@.socket \
	deploy/systemd/lectern-jobs.service \
	deploy/systemd/lectern.target

# Documents and configuration made from the rows.
noinst_PROGRAMS += emit
emit_SOURCES = fcgi/bin/emit.c
emit_LDADD = $(lectern_api_LDADD)
