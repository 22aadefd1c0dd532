noinst_LIBRARIES += fcgi/libpg.a
fcgi_libpg_a_SOURCES = \
	fcgi/pg/codec.c fcgi/pg/codec.h \
	fcgi/pg/config.c fcgi/pg/config.h \
	fcgi/pg/conn.c fcgi/pg/conn.h \
	fcgi/pg/csv_out.c fcgi/pg/csv_out.h \
	fcgi/pg/list.c fcgi/pg/list.h \
	fcgi/pg/stmt.h
EXTRA_DIST += fcgi/pg/README.md fcgi/pg/statements.awk

# Statement registries: $(call …) is not portable make, so each folder states its two rules.
STATEMENTS = $(AWK) -f $(top_srcdir)/fcgi/pg/statements.awk
