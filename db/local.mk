# The sqitch project, the bootstrap and the seeds, for an operator without the source. A change of
# the schema is named in sqitch.plan and nowhere else, so the files are found, not listed.
db_files = $(wildcard $(addprefix $(srcdir)/db/,*.sql sqitch.conf sqitch.plan README.md \
	deploy/*.sql revert/*.sql verify/*.sql seeds/*.sql))
nobase_pkgdata_DATA = $(db_files:$(srcdir)/%=%)
