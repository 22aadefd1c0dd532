EXTRA_DIST += nginx
