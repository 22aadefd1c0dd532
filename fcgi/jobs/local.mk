# The daemon and its kinds come with lectern-jobs.
