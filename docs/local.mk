
# What is made from the rows and the settings is kept in the tree, so that a change of the interface
# shows in its diff. Nothing in the build depends on it.
emitted = docs/api/openapi.json docs/api/reference.md docs/api/grants.md docs/api/errors.md \
	docs/api/metric-labels.md docs/configuration.md nginx/generated/pools.conf nginx/generated/limits.conf

emit-write: emit
	./emit check && ./emit all $(top_srcdir)

emit-check: emit
	./emit check
	rm -rf emitted && $(MKDIR_P) emitted/docs/api emitted/nginx/generated && ./emit all emitted
	for f in $(emitted); do diff -u $(top_srcdir)/$$f emitted/$$f || exit 1; done
	rm -rf emitted

